"""What a manager of credentials takes and answers, and what it writes into the states that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any, ClassVar, Literal, get_args

import msgspec

from authcore.ports import Clock, Hooks, Randomness
from authcore.services.keys import KEY_SIZE, KeyRing
from authcore.stores import CredentialMetadata, CredentialState, CredentialStore, Denylist, InvalidConfig
from authcore.values import Value

Rotation = Literal["sliding", "always", "none"]
OnReuse = Literal["family", "user"]
OnLimit = Literal["reject", "evict_oldest"]
Method = Literal["token", "session"]

OWN = "authcore"
_SEAM = ":"  # in the families of sessions with rooms, and in no family of a manager's
"""The one name among an application's claims that is the manager's."""
LONGEST_GRACE = timedelta(minutes=5)


def generate_secret() -> str:
    """Answer 256 random bits as 43 characters of base64url: a secret for `CredentialManager(secret=…)`."""
    return token_urlsafe(KEY_SIZE)


class RefreshConfig(Value, frozen=True, kw_only=True):
    """How refresh tokens live (S41, rule T6). Raises InvalidConfig.

    Each lives for `ttl`, and none beyond `absolute_ttl` from the sign-in. `rotation` is "sliding" (each refresh answers
    a successor; the same one again inside `grace`), "always" (a second presentation is theft, at once) or "none" (the
    refresh token stays). A replaced token that comes back later ends its "family" or all of the "user", calls
    `on_rotation_reuse` with its state, sync or async, and raises RefreshReuseDetected.
    """

    ttl: timedelta = timedelta(days=30)
    absolute_ttl: timedelta = timedelta(days=90)
    rotation: Rotation = "sliding"
    grace: timedelta = timedelta(seconds=10)
    on_reuse: OnReuse = "family"
    on_rotation_reuse: Callable[[CredentialState], Any] | None = None

    def __post_init__(self) -> None:
        for name in ("ttl", "absolute_ttl"):
            positive(f"RefreshConfig({name}=…)", getattr(self, name))
        if self.ttl > self.absolute_ttl:
            raise InvalidConfig("RefreshConfig(absolute_ttl=…) cannot be shorter than ttl: write a shorter ttl beside.")
        one_of("RefreshConfig(rotation=…)", self.rotation, get_args(Rotation))
        one_of("RefreshConfig(on_reuse=…)", self.on_reuse, get_args(OnReuse))
        grace: object = self.grace
        if not isinstance(grace, timedelta) or not timedelta() <= grace <= LONGEST_GRACE:
            raise InvalidConfig("RefreshConfig(grace=…) lies between timedelta(0) (strict) and timedelta(minutes=5).")
        if self.on_rotation_reuse is not None and not callable(self.on_rotation_reuse):
            raise InvalidConfig("RefreshConfig(on_rotation_reuse=…) is a function of the reused token's state.")

    @property
    def forgives(self) -> timedelta:
        """Answer for how long a successor is answered again."""
        return self.grace if self.rotation == "sliding" else timedelta()


class Settings(Value, frozen=True, kw_only=True):
    """How a manager issues. Raises InvalidConfig."""

    access_ttl: timedelta
    refresh: RefreshConfig | None
    max_concurrent: int | None
    on_limit: OnLimit
    method: Method

    def __post_init__(self) -> None:
        positive("access_ttl", self.access_ttl)
        one_of("on_limit", self.on_limit, get_args(OnLimit))
        one_of("method", self.method, get_args(Method))
        if self.refresh is not None and not isinstance(self.refresh, RefreshConfig):
            raise InvalidConfig("refresh is a RefreshConfig, or None for access tokens alone.")
        most: object = self.max_concurrent
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            raise InvalidConfig("max_concurrent is a number from 1, or None for no limit.")


def positive(name: str, value: object) -> None:
    """Raise InvalidConfig unless a time to live is one."""
    if not isinstance(value, timedelta) or value <= timedelta():
        raise InvalidConfig(f"{name} is a positive timedelta, such as timedelta(minutes=15).")


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise InvalidConfig unless a value is among the choices."""
    if value not in choices:
        raise InvalidConfig(f"{name} is one of {', '.join(map(repr, choices))}.")


class Parts(Value, frozen=True, kw_only=True):
    """What the flows of one manager stand on, under one drive."""

    hidden: ClassVar = frozenset({"keys"})
    store: CredentialStore
    denylist: Denylist | None
    keys: KeyRing
    clock: Clock
    random: Randomness
    hooks: Hooks
    settings: Settings


class IssuedCredentials(Value, frozen=True, kw_only=True):
    """Tokens, known to their holder alone, and the times (aware, UTC) until which they are valid."""

    hidden: ClassVar = frozenset({"access_token", "refresh_token"})
    access_token: str
    access_expires_at: datetime
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None


class CredentialContext(Value, frozen=True, kw_only=True):
    """Who holds a live credential. `credential_id` is safe to log and opens nothing; `family` names the sign-in.

    `method` is the manager's own, "token" or "session"; `kind` is "access" or "refresh".
    """

    user_id: str
    method: Method
    credential_id: str
    expires_at: datetime
    claims: Mapping[str, Any]
    device_id: str | None = None
    family: str | None = None
    issued_at: datetime
    kind: str = "access"
    metadata: CredentialMetadata = CredentialMetadata()


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the manager notes in a state: when the family was born, for which device, in which place.

    A refresh token has the random `salt` and the id of the `key` that its successors are derived with (rule T6).
    """

    born: datetime | None = None
    device: str | None = None
    place: int | None = None
    salt: bytes | None = None
    key: str | None = None


def marked(claims: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    """Answer an application's claims with the manager's mark."""
    noted = msgspec.to_builtins(mark)
    return {**claims, OWN: noted} if noted else dict(claims)


def mark_of(state: CredentialState) -> Mark:
    """Answer the mark of a state; an empty one if the manager did not make it."""
    try:
        return msgspec.convert(state.claims.get(OWN, {}), Mark)
    except msgspec.ValidationError:
        return Mark()


def own_claims(state: CredentialState) -> dict[str, Any]:
    """Answer the claims that an application gave."""
    return {name: value for name, value in state.claims.items() if name != OWN}


def public(state: CredentialState) -> CredentialState:
    """Answer a state as an application gave it."""
    return msgspec.structs.replace(state, claims=own_claims(state))


def context_of(parts: Parts, credential_id: str, state: CredentialState) -> CredentialContext:
    """Answer what an application learns of a live credential."""
    return CredentialContext(
        user_id=state.user_id,
        method=parts.settings.method,
        credential_id=credential_id,
        expires_at=state.expires_at,
        claims=own_claims(state),
        device_id=mark_of(state).device,
        family=state.parent_credential_id,
        issued_at=state.issued_at,
        kind=state.kind,
        metadata=state.metadata,
    )


def is_of_session(state: CredentialState) -> bool:
    """Tell whether a state is of a session with rooms, whose store and keys a manager may share (rule T5)."""
    return _SEAM in (state.parent_credential_id or "")
