"""Access credentials that live elsewhere than in the ledger of sessions: in a credential store of any kind.

The ledger (SQL) stays what decides: whether a session lives, under which epoch, generation and stamp. A store's token
carries what it was when it was made. Guards believe that, refuse what the node's table of revocations refuses, and ask
the ledger only where the table says that something about the user changed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Protocol

import msgspec

from authcore.context import Authenticated, Context
from authcore.decode import convert
from authcore.drive import Offloaded, run_blocking
from authcore.errors import NotAuthenticated, Unavailable
from authcore.services import lifetimes, sessions
from authcore.services.accounts import UserShape
from authcore.services.keys import KeyRing, mac
from authcore.services.revocations import Revocation, Revoked, Subject, subject
from authcore.services.sessions import Entry, Issued, Session, SessionSettings, Transport
from authcore.services.verified import VerifiedTokens
from authcore.stores import (
    CredentialExists,
    CredentialMetadata,
    CredentialState,
    CredentialStore,
    TokenRevoked,
    TokenTooLong,
)
from authcore.values import Value

_MARK = "session-mark"
_SEAM = ":"  # in the name of a family, between a session's id and the stamp of its secrets
_log = logging.getLogger("authcore.sessions")


class Revocations(Protocol):
    """The node's table of what ended, and how old it is."""

    table: Revoked

    def current(self) -> bool:
        """Tell whether the table is known to lack nothing that was committed longer than a second ago."""
        ...

    async def catch_up(self, ctx: Context) -> None:
        """Read on from where the table ends; raise Unavailable."""
        ...


class Known(Value, frozen=True):
    """A token that was read: whom it shows, what revocations call it, and when it was made and ends.

    `who` is None where that did not fit into the token: then the ledger says it.
    """

    who: Authenticated | None
    session_id: str
    digest: bytes
    subject: Subject
    tenant: str
    made: datetime
    expires_at: datetime


class StoredAccess:
    """The access credentials of one transport, in a credential store."""

    def __init__(self, store: CredentialStore, kind: str, shape: UserShape, keys: KeyRing) -> None:
        self.store = store
        self._hops = isinstance(store, Offloaded)
        self._kind, self._shape, self._keys = kind, shape, keys
        # Of a store of somebody else's nothing is kept in mind: who knows what it asks at each token.
        self._verified_by: Callable[[datetime], object | None] = getattr(store, "verified_by", _nothing)
        self._verified: tuple[object | None, VerifiedTokens[Known]] = (None, VerifiedTokens())

    # --- making ---

    async def make(self, ctx: Context, issued: Issued) -> str:
        """Answer the token of a session whose ledger entry is committed; raise NotAuthenticated if it ended since."""
        entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, issued.session.id, ctx.now(), ctx.app.user)
        if entry is None or entry.stamp != issued.stamp:
            raise NotAuthenticated()
        state = _marked(self._keys, _state(ctx, entry, issued, self._kind))
        seed = hashlib.sha256(issued.access.encode()).digest()
        try:
            return await self.store.persist(state, seed=seed)
        except TokenTooLong:
            return await self.store.persist(_shortened(state), seed=seed)
        except CredentialExists as again:  # the same answer of a rotation, given again inside its grace
            return again.token
        except TokenRevoked:  # the store was told of an end that came in between
            raise NotAuthenticated() from None

    # --- finding ---

    async def find(self, ctx: Context, text: str, *, strict: bool = False) -> Authenticated | None:
        """Answer who holds a token, or None; `strict` asks the ledger, whatever the token says."""
        known = await self._read(text, ctx.now())
        if known is None or known.tenant != ctx.tenant.id:
            return None
        if not ctx.runtime.revoked.current():
            await ctx.runtime.revoked.catch_up(ctx)
        verdict = ctx.runtime.revoked.table.judge(known.subject, known.made)
        if verdict == "ended":
            return None
        # What a token says of its session's end may be old: the session may have been used since, or another token.
        if not strict and verdict == "live" and known.who is not None and known.who.session.expires_at > ctx.now():
            return known.who
        who = await self._ask(ctx, known)
        if who is None:
            await self.drop(text)
        return who

    def at_once(self, ctx: Context, text: str) -> tuple[bool, Authenticated | None]:
        """Answer what `find` would, if that takes no waiting: (False, None) where it does."""
        revoked, now = ctx.runtime.revoked, ctx.now()
        if self._verified_by(now) is None or not revoked.current():
            return False, None
        known = self._remembered(text, now)
        if known is None:
            if self._hops:
                return False, None
            known = run_blocking(self._read(text, now))
        if known is None or known.tenant != ctx.tenant.id:
            return True, None
        verdict = revoked.table.judge(known.subject, known.made)
        if verdict == "ended":
            return True, None
        if verdict == "changed" or known.who is None or _is_due(ctx, known.who.session, now):
            return False, None
        return True, known.who

    async def _read(self, text: str, now: datetime) -> Known | None:
        if (known := self._remembered(text, now)) is not None:
            return known
        state = await self.store.retrieve(text)
        known = None if state is None else self._parse(state, text, now)
        by = self._verified_by(now)
        if known is not None and by is not None:
            if self._verified[0] is not by:
                self._verified = by, VerifiedTokens()
            self._verified[1].put(text, known, known.expires_at)
        return known

    def _remembered(self, text: str, now: datetime) -> Known | None:
        by, verified = self._verified
        # Of other keys nothing is known: the key that had signed may be the one that was taken away.
        return verified.get(text, now) if by is not None and by is self._verified_by(now) else None

    def _parse(self, state: CredentialState, text: str, now: datetime) -> Known | None:
        # T5: a token of another kind opens nothing here, nor one that another application, or a manager over the same
        # store, has made.
        if state.kind != self._kind or state.expires_at <= now or not _is_marked(self._keys, state):
            return None
        return _known(state, text, self._shape)

    async def _ask(self, ctx: Context, known: Known) -> Authenticated | None:
        entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, known.session_id, ctx.now(), ctx.app.user)
        if entry is None or entry.stamp != known.subject.stamp:
            return None
        return msgspec.structs.replace(entry.who, credential=known.digest)

    # --- keeping ---

    def note(self, ctx: Context, text: str, now: datetime) -> None:
        """Keep in mind that the session of a token was used, where the token cannot say so itself."""
        known = self._remembered(text, now)
        if known is None or known.who is None:
            return
        session, settings = known.who.session, ctx.settings(SessionSettings)
        end = lifetimes.slid_end(settings, session.transport, session.created_at, now) or session.expires_at
        who = msgspec.structs.replace(
            known.who, session=msgspec.structs.replace(session, last_seen_at=now, expires_at=end)
        )
        self._verified[1].put(text, msgspec.structs.replace(known, who=who), known.expires_at)

    async def refresh(self, ctx: Context, text: str) -> bool:
        """Write what the ledger says into a store that holds credentials; tell whether the session lives."""
        state = await self.store.retrieve(text)
        if state is None or state.parent_credential_id is None or not _is_marked(self._keys, state):
            return False
        session_id = state.parent_credential_id.partition(_SEAM)[0]
        entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, session_id, ctx.now(), ctx.app.user)
        if entry is None:
            await self.drop(text)
            return False
        claims = {**_claims(ctx, entry), "mark": state.claims["mark"]}
        await self.store.update(text, msgspec.structs.replace(state, claims=claims))
        return True

    async def drop(self, text: str) -> None:
        """Take a credential whose session is over out of a store that holds it."""
        if not self.store.stateless:
            await self.store.revoke(text)

    async def forget(self, ended: Sequence[Revocation]) -> None:
        """Take what ended out of a store that holds credentials. What cannot be told now is refused by the table."""
        if self.store.stateless:
            return
        for each in ended:
            try:
                await self._forget(each)
            except Unavailable:
                _log.warning("The credential store could not be told what ended; nodes refuse it by their tables.")

    async def _forget(self, ended: Revocation) -> None:
        if ended.user_id is None or ended.kind not in ("session", "user"):
            return
        # A family is one session under one stamp: what carries on after a step-up or a change is another one.
        held = await self.store.list_for_user(ended.user_id)
        mine = [each.state for each in held if _is_marked(self._keys, each.state)]
        for family in {state.parent_credential_id for state in mine if _is_over(state, ended)}:
            await self.store.revoke_family(ended.user_id, family or "")


def _mark(key: bytes, state: CredentialState) -> str:
    """Answer what this application alone writes into its sessions' credentials."""
    return mac(key, state.kind.encode(), (state.parent_credential_id or "").encode(), state.user_id.encode()).hex()[:32]


def _marked(keys: KeyRing, state: CredentialState) -> CredentialState:
    mark = _mark(keys.current(_MARK)[1], state)
    return msgspec.structs.replace(state, claims={**state.claims, "mark": mark})


def _is_marked(keys: KeyRing, state: CredentialState) -> bool:
    found = state.claims.get("mark")
    if not isinstance(found, str):
        return False
    said = found.encode("utf-8", "replace")
    return any(compare_digest(said, _mark(key, state).encode()) for key in keys.all(_MARK))


def _is_over(state: CredentialState, ended: Revocation) -> bool:
    session, _, stamp = (state.parent_credential_id or "").partition(_SEAM)
    if ended.kind == "session":
        return session == ended.subject and stamp != ended.value
    return int(state.claims.get("epoch", 0)) < int(ended.value)


def _nothing(_now: datetime) -> None:
    return None


def _is_due(ctx: Context, session: Session, now: datetime) -> bool:
    """Tell whether the ledger must be asked, or told that the session is used."""
    if session.expires_at <= now:
        return True
    settings = ctx.settings(SessionSettings)
    return settings.idle_timeout is not None and now - session.last_seen_at >= lifetimes.noting(settings)


async def hand_over(ctx: Context, issued: Issued) -> Issued:
    """Answer what is issued with the token that the client gets. It stands behind every commit that issues."""
    if not issued.elsewhere:
        return issued
    stored = ctx.runtime.stored[issued.transport]
    return msgspec.structs.replace(issued, access=await stored.make(ctx, issued))


# --- what a token says ---

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAST = ("tid", "epoch", "gen", "stamp", "mark")


def _shortened(state: CredentialState) -> CredentialState:
    """Answer a state that says whose it is, and leaves the rest to the ledger."""
    return msgspec.structs.replace(state, claims={name: state.claims[name] for name in _LEAST})


def _state(ctx: Context, entry: Entry, issued: Issued, kind: str) -> CredentialState:
    session = entry.who.session
    return CredentialState(
        user_id=entry.who.user.id,
        issued_at=issued.at,
        expires_at=issued.access_expires,
        kind=kind,
        claims=_claims(ctx, entry),
        metadata=CredentialMetadata(),
        parent_credential_id=f"{session.id}{_SEAM}{entry.stamp}",
    )


def _claims(ctx: Context, entry: Entry) -> dict[str, Any]:
    session = entry.who.session
    claims: dict[str, Any] = {
        "tid": ctx.tenant.id,
        "epoch": entry.epoch,
        "gen": entry.generation,
        "stamp": entry.stamp,
        "aal": session.aal,
        "amr": session.amr,
        "auth_time": int(session.auth_time.timestamp()),
        "session": [_micros(at) for at in (session.created_at, session.expires_at, session.auth_time)],
        "user": msgspec.to_builtins(entry.who.user),
        "seen": _micros(session.last_seen_at),
    }
    if session.device_id is not None:
        claims["device_id"] = session.device_id
    if session.scopes is not None:
        claims["scope"] = " ".join(session.scopes)
    if session.claims is not None:
        claims["claims"] = session.claims
    if not session.persistent:
        claims["persistent"] = False
    return claims


def _session_of(state: CredentialState, stamp: str) -> str:
    session, _, named = (state.parent_credential_id or "").partition(_SEAM)
    if not session or named != stamp:
        raise ValueError
    return session


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(0, 0, micros)


def _known(state: CredentialState, text: str, shape: UserShape) -> Known | None:
    claims, digest = state.claims, hashlib.sha256(text.encode()).digest()
    try:
        session_id = _session_of(state, claims["stamp"])
        who = _who(state, session_id, digest, shape) if "user" in claims else None
        named = Subject(
            session=subject(session_id),
            user=subject(state.user_id),
            tenant=subject(claims["tid"]),
            stamp=claims["stamp"],
            epoch=int(claims["epoch"]),
            generation=int(claims["gen"]),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        # What was signed for something else, or under an earlier declaration of users.
        return None
    return Known(who, session_id, digest, named, claims["tid"], state.issued_at, state.expires_at)


def _who(state: CredentialState, session_id: str, digest: bytes, shape: UserShape) -> Authenticated:
    claims = state.claims
    created, expires, auth_time = (_time(at) for at in claims["session"])
    session = Session(
        id=session_id,
        created_at=created,
        expires_at=expires,
        last_seen_at=_time(claims["seen"]),
        current=True,
        transport=_VIA[state.kind],
        aal=claims["aal"],
        amr=claims["amr"],
        auth_time=auth_time,
        device_id=claims.get("device_id"),
        scopes=claims["scope"].split() if "scope" in claims else None,
        claims=claims.get("claims"),
        persistent=claims.get("persistent", True),
    )
    user = convert(claims["user"], shape.kind)
    if user.id != state.user_id:
        raise ValueError
    return Authenticated(user, session, digest)


KINDS: dict[Transport, str] = {"cookie": "session", "bearer": "access"}
"""What a state's `kind` is, by transport: a bearer's token never works as a cookie, nor the other way."""
_VIA: dict[str, Transport] = {kind: via for via, kind in KINDS.items()}
