"""The contract of credential stores: what a credential is, and where it lives.

A store turns a state into a token and a token back into its state. Some hold what they made (SQL, Redis, memory), some
hold nothing, since the token itself says everything (JWT, sealed). No flow knows which it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from authcore.errors import AuthError
from authcore.values import Value


class CredentialError(AuthError):
    """What stores and their manager raise in Python; over HTTP a refresh that fails is `invalid_refresh_token`."""


class InvalidToken(CredentialError):
    """The text is no token of this store, or of another kind."""

    code = "invalid_token"
    status = 401
    message = "The token is not valid."


class TokenExpired(InvalidToken):
    """The token was valid until its time was over."""

    code = "token_expired"
    message = "The token has expired."


class TokenRevoked(InvalidToken):
    """The token was ended before its time."""

    code = "token_revoked"
    message = "The token has been revoked."


class RefreshReuseDetected(InvalidToken):
    """A replaced refresh token came back after its grace: somebody else may hold it (RFC 9700 section 4.14.2)."""

    code = "refresh_reuse_detected"
    message = "The refresh token was used before."


class StatelessOperationUnsupported(CredentialError):
    """The store holds nothing, so it cannot do this without a denylist, or at all."""

    code = "stateless_operation_unsupported"
    status = 500
    message = "This store holds no credentials: give it a denylist, or use a store that holds them."


class MaxConcurrentReached(CredentialError):
    """The user has as many sessions, or credentials, as a setting allows; told to whoever proved to be that user."""

    code = "max_concurrent_reached"
    status = 409
    message = "There are too many sessions: end one first."


class InvalidConfig(CredentialError):
    """A setting or a state cannot be; the sentence says what to write instead."""

    code = "invalid_config"
    status = 500
    message = "This setting is not valid."


class TokenTooLong(InvalidConfig):
    """What a state says does not fit into a token of a store that holds nothing."""


class CredentialExists(CredentialError):
    """Of callers who persist under one seed, another was first; `token` is the one that the seed decides."""

    code = "conflict"
    status = 409
    message = "This credential exists already."
    token: str = ""

    @classmethod
    def of(cls, token: str) -> CredentialExists:
        """Answer the error about a token, which stands in no text of it (rule O3)."""
        error = cls()
        error.token = token
        return error


class CredentialMetadata(Value, frozen=True, kw_only=True, omit_defaults=True):
    """Where a credential was made, for people to read; `extra` is an application's own (JSON)."""

    ip: str | None = None
    user_agent: str | None = None
    fingerprint: str | None = None
    label: str | None = None
    extra: Mapping[str, Any] = {}


class CredentialState(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What a token stands for. Times are aware, in UTC.

    `kind` is free text, such as "access", "refresh" or an application's "magic.recovery": a token of one kind opens
    nothing of another (rule T5). `parent_credential_id` names the family: what is revoked together. `claims` are JSON.
    """

    user_id: str
    issued_at: datetime
    expires_at: datetime
    kind: str = "access"
    claims: Mapping[str, Any] = {}
    metadata: CredentialMetadata = CredentialMetadata()
    parent_credential_id: str | None = None
    rotated_at: datetime | None = None


class Listed(Value, frozen=True):
    """One credential of a user: its id, which is safe to log and opens nothing, and its state."""

    credential_id: str
    state: CredentialState


class CredentialStore(Protocol):
    """Where credentials live.

    Every method raises Unavailable where the store cannot be reached. A stateless store raises
    StatelessOperationUnsupported for what it cannot do. Tokens that are no longer live (expired, revoked, consumed) and
    texts that never were tokens are one answer: None, False or 0.
    """

    stateless: ClassVar[bool]
    """True where the token itself says everything."""

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for a server in the calling thread, so that an event loop must not make them."""
        ...

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Make a credential that lives until `state.expires_at`, or for `ttl` if that is given; answer its token.

        32 bytes of `seed` decide the token's secret part, so that the same seed answers the same token: a store that
        holds credentials then raises CredentialExists, with that token, for the second of two. Raises InvalidToken for
        a state that has expired already (S59), and may raise TokenRevoked for a family that was revoked just now.
        """
        ...

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for."""
        ...

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and end it, atomically: of many callers one gets it (rule T2)."""
        ...

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Replace the state of a live token; answer the token to use from now on, which may be another one.

        A store that holds credentials answers the same one. It may raise TokenRevoked, as `persist` does.
        """
        ...

    async def revoke(self, token: str) -> bool:
        """End a live token; tell whether it was live."""
        ...

    async def revoke_family(self, user_id: str, family: str) -> int:
        """End every live credential of a user whose `parent_credential_id` is `family`; answer how many."""
        ...

    async def revoke_all_for_user(self, user_id: str) -> int:
        """End every live credential of a user; answer how many were live."""
        ...

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer the live credentials of a user, the latest first. No answer holds a token."""
        ...

    def credential_id(self, token: str) -> str | None:
        """Answer the id of a well-formed token, without asking whether it is live: its `jti`, or else its SHA-256."""
        ...

    async def clean_expired(self) -> int:
        """Remove what has expired, where nothing removes it by itself; answer how many."""
        ...


class Denylist(Protocol):
    """Ids of credentials that were ended before their time; each entry lapses when the credential would have."""

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for a server in the calling thread."""
        ...

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Deny an id until a time; of many callers one, the first, is told True."""
        ...

    async def has(self, id_: str) -> bool:
        """Tell whether an id is denied."""
        ...

    async def cleanup(self) -> int:
        """Remove what has lapsed, where nothing removes it by itself; answer how many."""
        ...


class RedisClient(Protocol):
    """The calls of a Redis client that stores make: `redis.Redis`, `redis.asyncio.Redis`, and their clusters.

    Each answers its value, or an awaitable of it; a value is bytes, or text where the client decodes.
    """

    def get(self, name: str, /) -> Any:
        """Answer the value of a key."""
        ...

    def eval(self, script: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script in Lua over keys of one hash tag."""
        ...


class CredentialTable(Protocol):
    """An application's own table of credentials, by six calls (S62); each answers its value, or an awaitable of it.

    A row is a dict of `token` (the SHA-256 of the token in hex, the primary key), `user_id`, `issued_at`, `expires_at`
    (microseconds since 1970), `kind`, `claims`, `metadata` (JSON values), `parent_credential_id` and `rotated_at`. A
    filter is a dict of columns that must equal.
    """

    def insert_one(self, row: Mapping[str, Any], /) -> Awaitable[Any] | Any:
        """Insert a row; raise KeyError if its `token` is there already."""
        ...

    def find_one(self, where: Mapping[str, Any], /) -> Awaitable[Mapping[str, Any] | None] | Any:
        """Answer a row, or None."""
        ...

    def find_many(self, where: Mapping[str, Any], /) -> Awaitable[Sequence[Mapping[str, Any]]] | Any:
        """Answer every row that matches."""
        ...

    def replace_one(self, where: Mapping[str, Any], row: Mapping[str, Any], /) -> Awaitable[int] | Any:
        """Replace a row; answer how many were replaced."""
        ...

    def delete_one(self, token: str, /) -> Awaitable[int] | Any:
        """Delete by primary key; answer how many were deleted, exactly, also under concurrency."""
        ...

    def delete_many(self, where: Mapping[str, Any], /) -> Awaitable[int] | Any:
        """Delete every row that matches; answer how many were deleted."""
        ...
