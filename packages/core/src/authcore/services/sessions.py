"""Sessions: opaque secrets, stored as SHA-256; rotation that forgives a lost answer and nothing else (rules T1–T7).

A successor is derived, not stored: HMAC(key, label, nonce, old token). The old row keeps the random nonce
while the grace lasts,
so any node answers the same pair, and neither the database nor the key alone yields a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import msgspec
from sqlalchemy import Column, Integer, String, Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from authcore.context import Authenticated, Context
from authcore.errors import ConfigurationError
from authcore.http import Cookie
from authcore.ports import counting
from authcore.services import events, tokens
from authcore.services.accounts import PLAIN, USER_COLUMNS, UserShape, users
from authcore.services.challenges import ChallengeKind
from authcore.services.ids import uuid7
from authcore.services.keys import mac
from authcore.services.point_read import PointRead
from authcore.tables import PERSONAL, Digest, Json, Key, UtcDateTime, metadata
from authcore.values import Value

Transport = Literal["cookie", "bearer"]
KEEP = timedelta(days=30)
"""How long sessions and their secrets stay after their end."""

sessions = Table(
    "authcore_session",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("user_id", Key(), nullable=False, index=True, info=PERSONAL),
    Column("epoch", Integer, nullable=False),
    Column("transport", Key(8), nullable=False),
    Column("aal", Integer, nullable=False),
    Column("amr", Json, nullable=False),
    Column("auth_time", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("revoked_at", UtcDateTime, nullable=True),
    Column("ip", String(64), nullable=True, info=PERSONAL),
    Column("user_agent", String(400), nullable=True, info=PERSONAL),
    Column("device_id", String(200), nullable=True, info=PERSONAL),
    Column("device_name", String(200), nullable=True, info=PERSONAL),
)
"""`expires_at` slides, `ends_at` does not. A session of an older `epoch` than its user's is over."""

access = Table(
    "authcore_access",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("session_id", Key(64), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

refresh = Table(
    "authcore_refresh",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("session_id", Key(64), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime, nullable=True),
    Column("nonce", Digest, nullable=True),
    Column("key_id", Key(16), nullable=True),
    Column("next_digest", Digest, nullable=True, index=True),
)


class SessionSettings(Value, frozen=True, kw_only=True):
    """How long sessions live and how they travel; every time is a `timedelta`."""

    transport: Literal["cookie", "bearer", "both"] = "both"
    access_ttl: timedelta = timedelta(minutes=15)
    refresh_ttl: timedelta = timedelta(days=30)
    cookie_ttl: timedelta = timedelta(days=7)
    absolute_ttl: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(seconds=10)
    on_reuse: Literal["family", "user"] = "family"
    fresh: timedelta = timedelta(minutes=5)
    fresh_to_end: bool = True
    cookie_refresh: bool = False
    touch_interval: timedelta = timedelta(seconds=60)
    reauthenticate: ChallengeKind

    def __post_init__(self) -> None:
        if self.transport not in ("cookie", "bearer", "both"):
            raise ConfigurationError("Sessions(transport=…) is one of 'cookie', 'bearer' and 'both'.")
        if self.on_reuse not in ("family", "user"):
            raise ConfigurationError("Sessions(on_reuse=…) is 'family' or 'user'.")
        for name in ("access_ttl", "refresh_ttl", "cookie_ttl", "absolute_ttl", "fresh"):
            _positive(name, getattr(self, name))
        for name in ("fresh_to_end", "cookie_refresh"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Sessions({name}=…) is True or False.")
        _short(self.grace)
        if self.cookie_refresh and self.transport == "bearer":
            raise ConfigurationError("Sessions(cookie_refresh=True) needs cookies: write transport='both' or 'cookie'.")
        if self.access_ttl > self.refresh_ttl:
            raise ConfigurationError("Sessions(access_ttl=…) cannot be longer than refresh_ttl.")
        if self.absolute_ttl < max(self.refresh_ttl, self.cookie_ttl):
            raise ConfigurationError("Sessions(absolute_ttl=…) cannot be shorter than refresh_ttl or cookie_ttl.")


def _positive(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta():
        raise ConfigurationError(f"Sessions({name}=…) is a positive timedelta, such as timedelta(minutes=15).")


def _short(grace: object) -> None:
    if not isinstance(grace, timedelta) or not timedelta() <= grace <= timedelta(minutes=5):
        raise ConfigurationError("Sessions(grace=…) lies between timedelta(0) (strict) and timedelta(minutes=5).")


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session as its owner sees it. The id is no credential. `amr` as in RFC 8176; `aal` as in NIST SP
    800-63B, and 0 where nobody proved anything.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    current: bool
    transport: Transport
    aal: int
    amr: list[str]
    auth_time: datetime
    ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    device_name: str | None = None


class Client(Value, frozen=True):
    """Where a session is used, as far as it is known."""

    ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    device_name: str | None = None


class Issued(Value, frozen=True):
    """Secrets of a session, known to the client alone. `max_age` is the cookie's, in seconds."""

    hidden: ClassVar = frozenset({"access", "refresh"})
    session: Session
    transport: Transport
    access: str
    access_expires: datetime
    refresh: str | None
    refresh_expires: datetime | None
    ends_at: datetime


class Draft(Value, frozen=True):
    """A session with its secrets, drawn before the transaction that stores them."""

    issued: Issued
    tenant: str
    user_id: str
    epoch: int


def access_kind(transport: Transport) -> tokens.Kind:
    """Answer the kind of the secret that opens routes: a bearer's never works as a cookie, nor the other way."""
    return "at" if transport == "bearer" else "st"


def draft(
    ctx: Context,
    *,
    user_id: str,
    epoch: int,
    transport: Transport,
    amr: Sequence[str],
    aal: int,
    client: Client,
    auth_time: datetime,
) -> Draft:
    """Draw a session's id and secrets."""
    settings, now = ctx.settings(SessionSettings), ctx.now()
    ends_at = now + settings.absolute_ttl
    sliding = settings.refresh_ttl if _pairs(settings, transport) else settings.cookie_ttl
    session = Session(
        id=uuid7(now, ctx.random, "session"),
        created_at=now,
        expires_at=min(now + sliding, ends_at),
        last_seen_at=now,
        current=True,
        transport=transport,
        aal=aal,
        amr=list(amr),
        auth_time=auth_time,
        ip=client.ip,
        user_agent=client.user_agent,
        device_id=client.device_id,
        device_name=client.device_name,
    )
    return Draft(secrets_for(ctx, session, ends_at), ctx.tenant.id, user_id, epoch)


def secrets_for(ctx: Context, session: Session, ends_at: datetime) -> Issued:
    """Draw fresh secrets for a session."""
    settings, now = ctx.settings(SessionSettings), ctx.now()
    pair = _pairs(settings, session.transport)
    return Issued(
        session=session,
        transport=session.transport,
        access=tokens.mint(ctx.random, access_kind(session.transport)),
        access_expires=min(now + settings.access_ttl, ends_at) if pair else ends_at,
        refresh=tokens.mint(ctx.random, "rt") if pair else None,
        refresh_expires=min(now + settings.refresh_ttl, ends_at) if pair else None,
        ends_at=ends_at,
    )


def _pairs(settings: SessionSettings, transport: Transport) -> bool:
    return transport == "bearer" or settings.cookie_refresh


# --- statements, built once ---

_SESSION_COLUMNS = [column for column in sessions.c if column.key not in ("tenant", "epoch")]
_live = and_(
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now_"),
    sessions.c.ends_at > bindparam("now_"),
    sessions.c.epoch == users.c.credential_epoch,
    users.c.disabled_at.is_(None),
)
_LOOKUP = PointRead(
    select(
        sessions.c.id,
        sessions.c.created_at,
        sessions.c.expires_at,
        sessions.c.last_seen_at,
        sessions.c.transport,
        sessions.c.aal,
        sessions.c.amr,
        sessions.c.auth_time,
        sessions.c.ip,
        sessions.c.user_agent,
        sessions.c.device_id,
        sessions.c.device_name,
        *USER_COLUMNS,
    )
    .select_from(
        access.join(sessions, sessions.c.id == access.c.session_id).join(users, users.c.id == sessions.c.user_id)
    )
    .where(
        access.c.digest == bindparam("digest_"),
        access.c.expires_at > bindparam("now_"),
        sessions.c.tenant == bindparam("tenant_"),
        _live,
    )
)
_INSERT_SESSION, _INSERT_ACCESS, _INSERT_REFRESH = insert(sessions), insert(access), insert(refresh)
_SESSION_WITH_USER = (
    select(*_SESSION_COLUMNS, sessions.c.tenant, sessions.c.epoch, users.c.credential_epoch, users.c.disabled_at)
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.id == bindparam("id_"), sessions.c.tenant == bindparam("tenant_"))
)
_LOCK_SESSION = _SESSION_WITH_USER.with_for_update(of=sessions)
_LIST = (
    select(*_SESSION_COLUMNS)
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.user_id == bindparam("user_"), sessions.c.tenant == bindparam("tenant_"), _live)
    .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
    .limit(500)
)
_of_user = and_(
    sessions.c.user_id == bindparam("user_"),
    sessions.c.tenant == bindparam("tenant_"),
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now_"),
)
_REVOKE_ONE = update(sessions).where(_of_user, sessions.c.id == bindparam("id_")).values(revoked_at=bindparam("now_"))
_REVOKE_OTHERS = (
    update(sessions).where(_of_user, sessions.c.id != bindparam("id_")).values(revoked_at=bindparam("now_"))
)
_REVOKE_ALL = update(sessions).where(_of_user).values(revoked_at=bindparam("now_"))
_REVOKE_ID = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("id_"),
        sessions.c.tenant == bindparam("tenant_"),
        sessions.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now_"))
)
_BY_ACCESS = select(access.c.session_id).where(access.c.digest == bindparam("digest_"))
_BY_REFRESH = select(refresh).where(refresh.c.digest == bindparam("digest_"), refresh.c.tenant == bindparam("tenant_"))
_TAKE_REFRESH = (
    update(refresh)
    .where(
        refresh.c.digest == bindparam("digest_"),
        refresh.c.tenant == bindparam("tenant_"),
        refresh.c.used_at.is_(None),
        refresh.c.expires_at > bindparam("now_"),
    )
    .values(
        used_at=bindparam("now_"),
        nonce=bindparam("nonce_"),
        key_id=bindparam("key_"),
        next_digest=bindparam("next_"),
    )
)
_END_GRACE = update(refresh).where(refresh.c.next_digest == bindparam("digest_")).values(nonce=None)
_SLIDE = (
    update(sessions)
    .where(sessions.c.id == bindparam("id_"), sessions.c.revoked_at.is_(None))
    .values(expires_at=bindparam("expires_"), last_seen_at=bindparam("now_"))
)
_SHORTEN_ACCESS = (
    update(access)
    .where(access.c.session_id == bindparam("id_"), access.c.expires_at > bindparam("until_"))
    .values(expires_at=bindparam("until_"))
)
_DROP_STALE_ACCESS = delete(access).where(
    access.c.session_id == bindparam("id_"), access.c.expires_at <= bindparam("now_")
)
_DROP_ACCESS = delete(access).where(access.c.session_id == bindparam("id_"))
_DROP_REFRESH = delete(refresh).where(refresh.c.session_id == bindparam("id_"))
_DROP_SESSION = delete(sessions).where(sessions.c.id == bindparam("id_"))
_OVER = (
    select(sessions.c.id)
    .where(
        or_(
            sessions.c.ends_at < bindparam("before_"),
            sessions.c.expires_at < bindparam("before_"),
            sessions.c.revoked_at < bindparam("before_"),
        )
    )
    .limit(bindparam("most_"))
)
_OLD_ACCESS, _OLD_REFRESH = (
    select(table.c.digest).where(table.c.expires_at < bindparam("before_")).limit(bindparam("most_"))
    for table in (access, refresh)
)
_DROP_ONE_ACCESS, _DROP_ONE_REFRESH = (
    delete(table).where(table.c.digest == bindparam("digest_")) for table in (access, refresh)
)
_STEP_UP = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("id_"),
        sessions.c.tenant == bindparam("tenant_"),
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > bindparam("now_"),
    )
    .values(
        auth_time=bindparam("auth_time_"),
        aal=bindparam("aal_"),
        amr=bindparam("amr_"),
        last_seen_at=bindparam("now_"),
    )
)
_CARRY_ON = update(sessions).where(sessions.c.id == bindparam("id_")).values(epoch=bindparam("epoch_"))


def lookup(tx: Connection, tenant: str, digest: bytes, now: datetime, shape: UserShape = PLAIN) -> Authenticated | None:
    """Answer who holds a live access secret: the one read of every guard."""
    row = _LOOKUP.row(tx, {"tenant_": tenant, "digest_": digest, "now_": now})
    if row is None:
        return None
    # By position: names cost as much again as the read, on every guarded request.
    id_, created, expires, seen, transport, aal, amr, auth_time, ip, agent, device, device_name, *user = row
    session = Session(
        id=id_,
        created_at=created,
        expires_at=expires,
        last_seen_at=seen,
        current=True,
        transport=transport,
        aal=aal,
        amr=amr,
        auth_time=auth_time,
        ip=ip,
        user_agent=agent,
        device_id=device,
        device_name=device_name,
    )
    return Authenticated(shape.user(*user), session, digest)


def _session_of(row: Any, *, current: bool) -> Session:
    return Session(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_seen_at=row.last_seen_at,
        current=current,
        transport=row.transport,
        aal=row.aal,
        amr=row.amr,
        auth_time=row.auth_time,
        ip=row.ip,
        user_agent=row.user_agent,
        device_id=row.device_id,
        device_name=row.device_name,
    )


def insert_draft(tx: Connection, made: Draft, replaces: bytes | None) -> None:
    """Store a session; the one that the browser held before ends in the same transaction (rule T7)."""
    session = made.issued.session
    if replaces is not None:
        old = tx.execute(_BY_ACCESS, {"digest_": replaces}).scalar_one_or_none()
        if old is not None:
            tx.execute(_REVOKE_ID, {"id_": old, "tenant_": made.tenant, "now_": session.created_at})
    tx.execute(
        _INSERT_SESSION,
        {
            "id": session.id,
            "tenant": made.tenant,
            "user_id": made.user_id,
            "epoch": made.epoch,
            "transport": session.transport,
            "aal": session.aal,
            "amr": session.amr,
            "auth_time": session.auth_time,
            "created_at": session.created_at,
            "last_seen_at": session.last_seen_at,
            "expires_at": session.expires_at,
            "ends_at": made.issued.ends_at,
            "revoked_at": None,
            "ip": session.ip,
            "user_agent": session.user_agent,
            "device_id": session.device_id,
            "device_name": session.device_name,
        },
    )
    _insert_secrets(tx, made.tenant, made.issued)


def _insert_secrets(tx: Connection, tenant: str, issued: Issued) -> None:
    access_digest = tokens.must_digest(issued.access, access_kind(issued.transport))
    tx.execute(
        _INSERT_ACCESS,
        {"digest": access_digest, "session_id": issued.session.id, "expires_at": issued.access_expires},
    )
    if issued.refresh is not None:
        _insert_refresh(tx, tenant, issued.session.id, tokens.must_digest(issued.refresh, "rt"), issued.refresh_expires)


def _insert_refresh(tx: Connection, tenant: str, session_id: str, digest: bytes, expires: datetime | None) -> None:
    row = {"digest": digest, "tenant": tenant, "session_id": session_id, "expires_at": expires}
    tx.execute(_INSERT_REFRESH, {**row, "used_at": None, "nonce": None, "key_id": None, "next_digest": None})


# --- rotation ---


class Rotation(Value, frozen=True):
    """All that one presentation of a refresh token needs, drawn before the transaction."""

    tenant: str
    digest: bytes
    now: datetime
    nonce: bytes
    key_id: str
    next_refresh: bytes
    next_access: bytes
    settings: SessionSettings
    event: events.Occurred
    transport: Transport


class Rotated(Value, frozen=True):
    """The presentation is honoured: derive the pair from the nonce. `at` is when the pair was made."""

    session: Session
    ends_at: datetime
    nonce: bytes
    key_id: str
    at: datetime


class RotationRefused(Value, frozen=True):
    """Unknown, expired or revoked; `reused` if it was theft, and this caller ended the family."""

    reused: bool = False
    user_id: str = ""
    session_id: str = ""


def derive(key: bytes, label: str, nonce: bytes, old: str, kind: tokens.Kind) -> str:
    """Answer the successor of a refresh token."""
    return tokens.spell(kind, mac(key, label.encode(), nonce, old.encode()))


@counting
def rotate(tx: Connection, turn: Rotation) -> Rotated | RotationRefused:
    """Lock the session, then take the token by compare-and-swap, and only then judge it (rules T2, T6).

    A step-up locks the session first as well: in the other order the two would wait for each other.
    """
    known = {"digest_": turn.digest, "tenant_": turn.tenant}
    row = tx.execute(_BY_REFRESH, known).one_or_none()
    if row is None:
        return RotationRefused()
    session = tx.execute(_LOCK_SESSION, {"id_": row.session_id, "tenant_": turn.tenant}).one_or_none()
    if session is None or not _is_live(session, turn.now):
        return RotationRefused()
    if session.transport != turn.transport:
        # T5: a browser's token in a body, or the other way, was taken from where it belongs.
        return _end_family(tx, turn, session, reused=True)
    taken = {"now_": turn.now, "nonce_": turn.nonce, "key_": turn.key_id, "next_": turn.next_refresh}
    if tx.execute(_TAKE_REFRESH, {**known, **taken}).rowcount:
        return _succeed(tx, turn, session)
    # Read again: what was read before the lock may be older than the winner.
    row = tx.execute(_BY_REFRESH, known).one_or_none()
    return RotationRefused() if row is None else _replay_or_end(tx, turn, row, session)


def _is_live(session: Any, now: datetime) -> bool:
    return (
        session.revoked_at is None
        and session.ends_at > now
        and session.epoch == session.credential_epoch
        and session.disabled_at is None
    )


def _succeed(tx: Connection, turn: Rotation, session: Any) -> Rotated:
    settings, now = turn.settings, turn.now
    expires = min(now + settings.refresh_ttl, session.ends_at)
    access_expires = min(now + settings.access_ttl, session.ends_at)
    tx.execute(_DROP_STALE_ACCESS, {"id_": session.id, "now_": now})
    tx.execute(_SHORTEN_ACCESS, {"id_": session.id, "until_": now + settings.grace})
    tx.execute(_INSERT_ACCESS, {"digest": turn.next_access, "session_id": session.id, "expires_at": access_expires})
    _insert_refresh(tx, turn.tenant, session.id, turn.next_refresh, expires)
    # The successor's own successor ends the parent's grace: from here on the parent is theft.
    tx.execute(_END_GRACE, {"digest_": turn.digest})
    tx.execute(_SLIDE, {"id_": session.id, "expires_": expires, "now_": now})
    slid = msgspec.structs.replace(_session_of(session, current=True), expires_at=expires, last_seen_at=now)
    return Rotated(slid, session.ends_at, turn.nonce, turn.key_id, now)


def _replay_or_end(tx: Connection, turn: Rotation, row: Any, session: Any) -> Rotated | RotationRefused:
    grace = turn.settings.grace
    if row.nonce is not None and grace and turn.now - row.used_at <= grace:
        return Rotated(_session_of(session, current=True), session.ends_at, row.nonce, row.key_id, row.used_at)
    # A token that was never used has merely expired: its family ends (S25), and nobody is accused.
    return _end_family(tx, turn, session, reused=row.used_at is not None)


def _end_family(tx: Connection, turn: Rotation, session: Any, *, reused: bool) -> RotationRefused:
    ended = tx.execute(_REVOKE_ID, {"id_": session.id, "tenant_": turn.tenant, "now_": turn.now}).rowcount
    if not (reused and ended):
        return RotationRefused()
    if turn.settings.on_reuse == "user":
        tx.execute(_REVOKE_ALL, {"user_": session.user_id, "tenant_": turn.tenant, "now_": turn.now})
    events.write(tx, turn.event, user_id=session.user_id, session_id=session.id)
    return RotationRefused(True, session.user_id, session.id)


# --- ending, sliding, stepping up ---


def touch(tx: Connection, session_id: str, expires: datetime, now: datetime) -> None:
    """Note that a session was used, and slide its end."""
    tx.execute(_SLIDE, {"id_": session_id, "expires_": expires, "now_": now})


def slid_end(settings: SessionSettings, session: Session, now: datetime) -> datetime:
    """Answer where a session that is used now ends, if it slides by use."""
    if _pairs(settings, session.transport):
        return session.expires_at
    return min(now + settings.cookie_ttl, session.created_at + settings.absolute_ttl)


def list_live(tx: Connection, tenant: str, user_id: str, now: datetime, current: str | None) -> list[Session]:
    """Answer a user's live sessions, the latest first, at most 500."""
    rows = tx.execute(_LIST, {"tenant_": tenant, "user_": user_id, "now_": now})
    return [_session_of(row, current=row.id == current) for row in rows]


def revoke(tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime) -> int:
    """End one live session of a user; answer 1, or 0 if there is none."""
    return tx.execute(_REVOKE_ONE, {"tenant_": tenant, "user_": user_id, "id_": session_id, "now_": now}).rowcount


def revoke_others(tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime) -> int:
    """End a user's sessions but one; answer how many."""
    return tx.execute(_REVOKE_OTHERS, {"tenant_": tenant, "user_": user_id, "id_": session_id, "now_": now}).rowcount


def revoke_all(tx: Connection, tenant: str, user_id: str, now: datetime) -> int:
    """End all of a user's sessions; answer how many."""
    return tx.execute(_REVOKE_ALL, {"tenant_": tenant, "user_": user_id, "now_": now}).rowcount


class EndedSession(Value, frozen=True):
    """A session that has ended, with when; `cookies` take it away from the browser that asked."""

    session: Session
    user_id: str
    revoked_at: datetime
    cookies: tuple[Cookie, ...] = ()


def end_by_id(tx: Connection, tenant: str, session_id: str, now: datetime) -> EndedSession | None:
    """End a session known by its id, and answer it; None if it is unknown or over."""
    if tx.execute(_REVOKE_ID, {"id_": session_id, "tenant_": tenant, "now_": now}).rowcount == 0:
        return None
    row = tx.execute(_SESSION_WITH_USER, {"id_": session_id, "tenant_": tenant}).one_or_none()
    return EndedSession(_session_of(row, current=False), row.user_id, now) if row else None


def end_by_digest(tx: Connection, tenant: str, digest: bytes, now: datetime) -> EndedSession | None:
    """End the session of an access or refresh secret, expired or not."""
    found = tx.execute(_BY_ACCESS, {"digest_": digest}).scalar_one_or_none()
    if found is None:
        row = tx.execute(_BY_REFRESH, {"digest_": digest, "tenant_": tenant}).one_or_none()
        found = row.session_id if row else None
    return end_by_id(tx, tenant, found, now) if found else None


def still_live(tx: Connection, tenant: str, session_id: str, now: datetime) -> bool:
    """Lock a session and tell whether it is live, now that nobody else can end it."""
    row = tx.execute(_LOCK_SESSION, {"id_": session_id, "tenant_": tenant}).one_or_none()
    return row is not None and _is_live(row, now) and row.expires_at > now


def step_up(tx: Connection, tenant: str, issued: Issued, now: datetime, epoch: int | None = None) -> bool:
    """Give a session new secrets and a new `auth_time`; the old secrets die here, the id stays (rule T7).

    `epoch` carries it over a change of credentials, which ends every other session of its user.
    """
    session = issued.session
    known = {"id_": session.id, "tenant_": tenant, "now_": now}
    proof = {"auth_time_": session.auth_time, "aal_": session.aal, "amr_": session.amr}
    if tx.execute(_STEP_UP, {**known, **proof}).rowcount == 0:
        return False
    tx.execute(_DROP_ACCESS, {"id_": session.id})
    tx.execute(_DROP_REFRESH, {"id_": session.id})
    if epoch is not None:
        tx.execute(_CARRY_ON, {"id_": session.id, "epoch_": epoch})
    _insert_secrets(tx, tenant, issued)
    return True


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` sessions that ended before a time, with their secrets; answer how many."""
    # One by one in the order of their ids, and the session first, as whoever else locks them does.
    ids = [{"id_": id_} for id_ in sorted(tx.execute(_OVER, {"before_": before, "most_": most}).scalars())]
    if ids:
        tx.execute(_DROP_SESSION, ids)
        tx.execute(_DROP_ACCESS, ids)
        tx.execute(_DROP_REFRESH, ids)
    return len(ids)


def clean_secrets(tx: Connection, before: datetime, most: int) -> int:
    """Remove secrets that expired before a time while their sessions live on, at most `most` of each kind."""
    removed = 0
    for found, drop in ((_OLD_ACCESS, _DROP_ONE_ACCESS), (_OLD_REFRESH, _DROP_ONE_REFRESH)):
        digests = sorted(tx.execute(found, {"before_": before, "most_": most}).scalars())
        if digests:
            tx.execute(drop, [{"digest_": digest} for digest in digests])
        removed += len(digests)
    return removed


def family(tx: Connection, tenant: str, digest: bytes) -> str | None:
    """Answer the id of the session that a refresh token belongs to."""
    row = tx.execute(_BY_REFRESH, {"digest_": digest, "tenant_": tenant}).one_or_none()
    return row.session_id if row else None
