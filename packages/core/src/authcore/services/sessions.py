"""Sessions: opaque secrets, stored as SHA-256; rotation that forgives a lost answer and nothing else (rules T1–T7).

A successor is derived, not stored: HMAC(key, label, nonce, old token). The old row keeps the random nonce
while the grace lasts,
so any node answers the same pair, and neither the database nor the key alone yields a token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from authcore.context import Authenticated, Context
from authcore.decode import convert
from authcore.errors import ConfigurationError
from authcore.http import Cookie
from authcore.point_read import Call, PointRead, PointWrite, at_once, together
from authcore.ports import counting
from authcore.services import events, lifetimes, revocations, session_options, tokens
from authcore.services.accounts import PLAIN, USER_COLUMNS, UserShape, users
from authcore.services.challenges import ChallengeKind
from authcore.services.ids import uuid7
from authcore.services.keys import mac
from authcore.services.lifetimes import Limit
from authcore.services.revocations import LONGEST, Revocation
from authcore.services.strategies import checked, is_stateless
from authcore.stores import MaxConcurrentReached
from authcore.tables import PERSONAL, Digest, Json, Key, UtcDateTime, metadata
from authcore.values import Value

Transport = Literal["cookie", "bearer"]
C = TypeVar("C", bound=msgspec.Struct)
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
    Column("generation", Integer, nullable=False),
    Column("stamp", Key(32), nullable=False),
    Column("ip", String(64), nullable=True, info=PERSONAL),
    Column("user_agent", String(400), nullable=True, info=PERSONAL),
    Column("device_id", String(200), nullable=True, info=PERSONAL),
    Column("device_name", String(200), nullable=True, info=PERSONAL),
    Column("fingerprint", String(200), nullable=True, info=PERSONAL),
    Column("scopes", Json, nullable=True),
    Column("claims", Json, nullable=True, info=PERSONAL),
    Column("persistent", Boolean, nullable=False),
)
"""`expires_at` slides, `ends_at` does not. A session of an older `epoch` than its user's, or an older `generation` than
its tenant's, is over. `stamp` names the secrets that open it: another one at each step-up. `persistent` says whether
its cookies outlive the browser.
"""

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
    ttl: timedelta = timedelta(days=7)
    sliding: bool = True
    idle_timeout: timedelta | None = None
    absolute_ttl: timedelta = timedelta(days=90)
    rotation: Literal["sliding", "always", "none"] = "sliding"
    grace: timedelta = lifetimes.GRACE
    on_reuse: Literal["family", "user"] = "family"
    on_rotation_reuse: Callable[[Any], Any] | None = None
    max_sessions: int | None = None
    on_limit: Literal["reject", "evict_oldest"] = "reject"
    fresh: timedelta = timedelta(minutes=5)
    fresh_to_end: bool = True
    cookie_refresh: bool = False
    touch_interval: timedelta = timedelta(seconds=60)
    cookie: Any = "sql"
    bearer: Any = "sql"
    remember_me: Literal["always", "never", "ask"] = "always"
    header: str | None = None
    place: Callable[[str], Any] | None = None
    claims: type[msgspec.Struct] | None = None
    bag_size: int = 16 * 1024
    reauthenticate: ChallengeKind

    def __post_init__(self) -> None:
        if self.transport not in ("cookie", "bearer", "both"):
            raise ConfigurationError("Sessions(transport=…) is one of 'cookie', 'bearer' and 'both'.")
        for name in ("fresh_to_end", "cookie_refresh"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Sessions({name}=…) is True or False.")
        lifetimes.check(self)
        session_options.check(self)
        if self.cookie_refresh and self.transport == "bearer":
            raise ConfigurationError("Sessions(cookie_refresh=True) needs cookies: write transport='both' or 'cookie'.")
        _strategies(self)


def _strategies(settings: SessionSettings) -> None:
    for name in ("cookie", "bearer"):
        msgspec.structs.force_setattr(settings, name, checked(name, getattr(settings, name)))
    if is_stateless(settings.cookie) and not settings.cookie_refresh:
        raise ConfigurationError(
            "Sessions(cookie=…): a cookie that says everything itself lives as long as access_ttl and is renewed by "
            "/refresh: write cookie_refresh=True beside it."
        )
    if (is_stateless(settings.cookie) or is_stateless(settings.bearer)) and settings.access_ttl > LONGEST:
        raise ConfigurationError(
            "Sessions(access_ttl=…) is at most timedelta(hours=24) for tokens that no store holds."
        )


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session as its owner sees it. The id is no credential. `amr` as in RFC 8176; `aal` as in NIST SP
    800-63B, and 0 where nobody proved anything. `scopes` (RFC 6749 3.3) and `claims` are what the application's own
    code gave it; None is a session of its user's whole power. One that is not `persistent` ends in a browser when that
    is closed. `device` is the user agent by a readable name, `place` what the application makes of the address: both
    are told where sessions are listed, `device` in every answer of a route.
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
    fingerprint: str | None = None
    scopes: list[str] | None = None
    claims: dict[str, Any] | None = None
    persistent: bool = True
    device: str | None = None
    place: str | None = None

    def claims_as(self, kind: type[C]) -> C:
        """Answer `claims` as a struct; raise `msgspec.ValidationError` for what an earlier declaration stored."""
        return convert(self.claims or {}, kind)


class Client(Value, frozen=True):
    """Where a session is used, as far as it is known."""

    ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    device_name: str | None = None
    fingerprint: str | None = None


class Issued(Value, frozen=True):
    """Secrets of a session, known to the client alone.

    `stamp` names them in the ledger. Where another store than the ledger holds access credentials (`elsewhere`),
    `access` is what its token is made from, until `access.hand_over` puts the token in its place.
    """

    hidden: ClassVar = frozenset({"access", "refresh"})
    session: Session
    transport: Transport
    access: str
    access_expires: datetime
    refresh: str | None
    refresh_expires: datetime | None
    ends_at: datetime
    stamp: str
    at: datetime
    elsewhere: bool = False


class Draft(Value, frozen=True):
    """A session with its secrets, drawn before the transaction that stores them."""

    issued: Issued
    tenant: str
    user_id: str
    epoch: int
    limit: Limit | None = None


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
    persistent: bool = True,
    scopes: list[str] | None = None,
    claims: dict[str, Any] | None = None,
) -> Draft:
    """Draw a session's id and secrets."""
    settings, now = ctx.settings(SessionSettings), ctx.now()
    ends_at = lifetimes.absolute_end(settings, transport, now)
    session = Session(
        id=uuid7(now, ctx.random, "session"),
        created_at=now,
        expires_at=lifetimes.unused_end(settings, transport, now, ends_at),
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
        fingerprint=client.fingerprint,
        persistent=persistent,
        scopes=scopes,
        claims=claims,
    )
    issued = secrets_for(ctx, session, ends_at)
    return Draft(issued, ctx.tenant.id, user_id, epoch, lifetimes.limit(settings))


def secrets_for(ctx: Context, session: Session, ends_at: datetime) -> Issued:
    """Draw fresh secrets for a session, from whose making it has its whole time to be used again."""
    settings, now = ctx.settings(SessionSettings), ctx.now()
    pair = lifetimes.pairs(settings, session.transport)
    expires_at = lifetimes.unused_end(settings, session.transport, now, ends_at)
    return Issued(
        session=msgspec.structs.replace(session, expires_at=expires_at),
        transport=session.transport,
        access=tokens.mint(ctx.random, access_kind(session.transport)),
        access_expires=min(now + settings.access_ttl, ends_at) if pair else ends_at,
        refresh=tokens.mint(ctx.random, "rt") if pair else None,
        refresh_expires=min(now + settings.refresh_ttl, ends_at) if pair else None,
        ends_at=ends_at,
        stamp=ctx.random.bytes(8, "stamp").hex(),
        at=now,
        elsewhere=session.transport in ctx.runtime.stored,
    )


# --- statements, built once ---

_SESSION_COLUMNS = [column for column in sessions.c if column.key not in ("tenant", "epoch")]
_GENERATION = revocations.generation()
_live = and_(
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now_"),
    sessions.c.ends_at > bindparam("now_"),
    sessions.c.epoch == users.c.credential_epoch,
    sessions.c.generation == _GENERATION,
    users.c.disabled_at.is_(None),
)
_SNAPSHOT = (
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
    sessions.c.fingerprint,
    sessions.c.scopes,
    sessions.c.claims,
    sessions.c.persistent,
    *USER_COLUMNS,
)
_LOOKUP = PointRead(
    select(*_SNAPSHOT)
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
_LEDGER = PointRead(
    select(sessions.c.epoch, sessions.c.generation, sessions.c.stamp, sessions.c.ends_at, *_SNAPSHOT)
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.id == bindparam("id_"), sessions.c.tenant == bindparam("tenant_"), _live)
)
_INSERT_SESSION = insert(sessions)
_INSERT_ACCESS, _INSERT_REFRESH = PointWrite(insert(access)), PointWrite(insert(refresh))
_PRESENT = select(_GENERATION)
_STANDING = select(
    *_SESSION_COLUMNS,
    sessions.c.tenant,
    sessions.c.epoch,
    users.c.credential_epoch,
    users.c.disabled_at,
    _GENERATION.label("present_generation"),
)
_SESSION_WITH_USER = _STANDING.select_from(sessions.join(users, users.c.id == sessions.c.user_id)).where(
    sessions.c.id == bindparam("id_"), sessions.c.tenant == bindparam("tenant_")
)
_PRESENTED = PointRead(
    _STANDING.add_columns(refresh.c.used_at)
    .select_from(
        refresh.join(sessions, sessions.c.id == refresh.c.session_id).join(users, users.c.id == sessions.c.user_id)
    )
    .where(
        refresh.c.digest == bindparam("digest_"),
        refresh.c.tenant == bindparam("tenant_"),
        sessions.c.tenant == bindparam("tenant_"),
    )
    .with_for_update(of=sessions)
)
_LOCK_SESSION = _SESSION_WITH_USER.with_for_update(of=sessions)
_LIST = (
    select(*_SESSION_COLUMNS)
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.user_id == bindparam("user_"), sessions.c.tenant == bindparam("tenant_"), _live)
    .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
    .limit(500)
)
_LOCK_USER = select(users.c.id).where(users.c.id == bindparam("user_")).with_for_update()
_HELD = (
    select(sessions.c.id)
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.user_id == bindparam("user_"), sessions.c.tenant == bindparam("tenant_"), _live)
    .order_by(sessions.c.created_at, sessions.c.id)
)
_of_user = and_(
    sessions.c.user_id == bindparam("user_"),
    sessions.c.tenant == bindparam("tenant_"),
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now_"),
)
_ENDING = select(sessions.c.id).where(_of_user)
_REVOKE_ONE = update(sessions).where(_of_user, sessions.c.id == bindparam("id_")).values(revoked_at=bindparam("now_"))
_REVOKE_OTHERS = (
    update(sessions).where(_of_user, sessions.c.id != bindparam("id_")).values(revoked_at=bindparam("now_"))
)
_REVOKE_ALL = update(sessions).where(_of_user).values(revoked_at=bindparam("now_"))
_of_device = and_(_of_user, sessions.c.device_id == bindparam("device_"))
_ENDING_ON_DEVICE = select(sessions.c.id).where(_of_device)
_REVOKE_DEVICE = update(sessions).where(_of_device).values(revoked_at=bindparam("now_"))
_COUNT = (
    select(func.count())
    .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
    .where(sessions.c.tenant == bindparam("tenant_"), _live)
)
_COUNT_OF_USER = _COUNT.where(sessions.c.user_id == bindparam("user_"))
_TENANTS = select(sessions.c.tenant).distinct()
_REVOKE_ID = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("id_"),
        sessions.c.tenant == bindparam("tenant_"),
        sessions.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now_"))
)
_OWNER = select(sessions.c.user_id).where(sessions.c.id == bindparam("id_"))
_BY_ACCESS = select(access.c.session_id).where(access.c.digest == bindparam("digest_"))
_BY_REFRESH = select(refresh).where(refresh.c.digest == bindparam("digest_"), refresh.c.tenant == bindparam("tenant_"))
_TAKE_REFRESH = PointWrite(
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
_END_GRACE = PointWrite(update(refresh).where(refresh.c.next_digest == bindparam("digest_")).values(nonce=None))
_KEEP_REFRESH = (
    update(refresh)
    .where(
        refresh.c.digest == bindparam("digest_"),
        refresh.c.tenant == bindparam("tenant_"),
        refresh.c.used_at.is_(None),
        refresh.c.expires_at > bindparam("now_"),
    )
    .values(expires_at=bindparam("expires_"))
)
# What was idle too long, or has expired, is not brought back by the use that finds it.
_NOTE = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("id_"),
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > bindparam("now_"),
        sessions.c.ends_at > bindparam("now_"),
    )
    .values(last_seen_at=bindparam("now_"))
)
_SLIDE = PointWrite(_NOTE.values(expires_at=bindparam("expires_")))
_SHORTEN_ACCESS = PointWrite(
    update(access)
    .where(access.c.session_id == bindparam("id_"), access.c.expires_at > bindparam("until_"))
    .values(expires_at=bindparam("until_"))
)
_DROP_STALE_ACCESS = PointWrite(
    delete(access).where(access.c.session_id == bindparam("id_"), access.c.expires_at <= bindparam("now_"))
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
        expires_at=bindparam("expires_"),
        stamp=bindparam("stamp_"),
    )
)
_CARRY_ON = update(sessions).where(sessions.c.id == bindparam("id_")).values(epoch=bindparam("epoch_"))


def lookup(tx: Connection, tenant: str, digest: bytes, now: datetime, shape: UserShape = PLAIN) -> Authenticated | None:
    """Answer who holds a live access secret: the one read of every guard."""
    row = _LOOKUP.row(tx, {"tenant_": tenant, "digest_": digest, "now_": now})
    return None if row is None else _who(row, digest, shape)


class Entry(Value, frozen=True):
    """A live session as the ledger has it, with what tokens of other stores must say about it."""

    who: Authenticated
    epoch: int
    generation: int
    stamp: str
    ends_at: datetime


def ledger(tx: Connection, tenant: str, session_id: str, now: datetime, shape: UserShape) -> Entry | None:
    """Answer a live session, known by its id, or None."""
    row = _LEDGER.row(tx, {"tenant_": tenant, "id_": session_id, "now_": now})
    if row is None:
        return None
    epoch, generation, stamp, ends_at, *snapshot = row
    return Entry(_who(snapshot, b"", shape), epoch, generation, stamp, ends_at)


def _who(row: Sequence[Any], digest: bytes, shape: UserShape) -> Authenticated:
    # By position: names cost as much again as the read, on every guarded request.
    (
        id_,
        created,
        expires,
        seen,
        transport,
        aal,
        amr,
        auth_time,
        ip,
        agent,
        device,
        device_name,
        fingerprint,
        scopes,
        claims,
        persistent,
        *user,
    ) = row
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
        fingerprint=fingerprint,
        scopes=scopes,
        claims=claims,
        persistent=persistent,
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
        fingerprint=row.fingerprint,
        scopes=row.scopes,
        claims=row.claims,
        persistent=row.persistent,
    )


def insert_draft(tx: Connection, made: Draft, replaces: bytes | str | None) -> int:
    """Store a session; the one that the browser held before ends in the same transaction (rule T7).

    `replaces` is the digest of that one's secret, or its id. Answers how many others ended to make room; raises
    MaxConcurrentReached where none may, and the transaction that it rolls back has stored nothing.
    """
    session = made.issued.session
    if made.limit is not None:
        # Whoever signs in as the same user waits here: what is counted below stays so until the commit.
        tx.execute(_LOCK_USER, {"user_": made.user_id})
    if isinstance(replaces, bytes):
        replaces = tx.execute(_BY_ACCESS, {"digest_": replaces}).scalar_one_or_none()
    if replaces is not None:
        _end_id(tx, made.tenant, replaces, session.created_at)
    evicted = 0 if made.limit is None else _make_room(tx, made, made.limit)
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
            "generation": tx.execute(_PRESENT, {"tenant_": made.tenant}).scalar_one(),
            "stamp": made.issued.stamp,
            "ip": session.ip,
            "user_agent": session.user_agent,
            "device_id": session.device_id,
            "device_name": session.device_name,
            "fingerprint": session.fingerprint,
            "scopes": session.scopes,
            "claims": session.claims,
            "persistent": session.persistent,
        },
    )
    _insert_secrets(tx, made.tenant, made.issued)
    return evicted


def _make_room(tx: Connection, made: Draft, limit: Limit) -> int:
    """End the oldest sessions, by `created_at`, so that one more is not too many; answer how many."""
    now = made.issued.session.created_at
    held = tx.execute(_HELD, {"tenant_": made.tenant, "user_": made.user_id, "now_": now}).scalars().all()
    excess = len(held) + 1 - limit.most
    if excess <= 0:
        return 0
    if not limit.evicts:
        raise MaxConcurrentReached()
    return sum(revoke(tx, made.tenant, made.user_id, id_, now) for id_ in held[:excess])


def _insert_secrets(tx: Connection, tenant: str, issued: Issued) -> None:
    if not issued.elsewhere:
        access_digest = tokens.must_digest(issued.access, access_kind(issued.transport))
        known = {"digest": access_digest, "session_id": issued.session.id}
        _INSERT_ACCESS.run(tx, {**known, "expires_at": issued.access_expires})
    if issued.refresh is not None:
        digest = tokens.must_digest(issued.refresh, "rt")
        _INSERT_REFRESH.run(tx, _refresh_row(tenant, issued.session.id, digest, issued.refresh_expires))


def _refresh_row(tenant: str, session_id: str, digest: bytes, expires: datetime | None) -> dict[str, Any]:
    row = {"digest": digest, "tenant": tenant, "session_id": session_id, "expires_at": expires}
    return {**row, "used_at": None, "nonce": None, "key_id": None, "next_digest": None}


# --- rotation ---


class Rotation(Value, frozen=True):
    """All that one presentation of a refresh token needs, drawn before the transaction."""

    tenant: str
    digest: bytes
    now: datetime
    nonce: bytes
    key_id: str
    next_refresh: bytes
    next_access: bytes | None  # None where another store holds access credentials
    settings: SessionSettings
    event: events.Occurred
    transport: Transport


class Rotated(Value, frozen=True):
    """The presentation is honoured: derive the pair from the nonce. `at` is when the pair was made.

    With `stays` the access token alone is derived, and the refresh token is good again.
    """

    session: Session
    ends_at: datetime
    nonce: bytes
    key_id: str
    at: datetime
    stamp: str
    stays: bool = False


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
    keeps = turn.settings.rotation == "none"
    taken = {"now_": turn.now, "nonce_": turn.nonce, "key_": turn.key_id, "next_": turn.next_refresh}
    # A session that is judged to be over below is so for ever: that its token is taken as well changes nothing.
    take: Sequence[Call] = () if keeps else ((_TAKE_REFRESH, {**known, **taken}),)
    found, *took = together(tx, (_PRESENTED, known), *take)
    session = None if found is None else SimpleNamespace(**dict(zip(_PRESENTED.names, found, strict=True)))
    if session is None or not _is_live(session, turn.now):
        return RotationRefused()
    if session.transport != turn.transport:
        # T5: a browser's token in a body, or the other way, was taken from where it belongs.
        return _end_family(tx, turn, session, reused=True)
    if session.expires_at <= turn.now:
        # Idle for too long, or expired with its latest token.
        return _end_family(tx, turn, session, reused=session.used_at is not None)
    if keeps:
        return _keep(tx, turn, session)
    if took[0]:
        return _succeed(tx, turn, session)
    # Read again: what was read before the lock may be older than the winner.
    row = tx.execute(_BY_REFRESH, known).one_or_none()
    return RotationRefused() if row is None else _replay_or_end(tx, turn, row, session)


def _is_live(session: Any, now: datetime) -> bool:
    return (
        session.revoked_at is None
        and session.ends_at > now
        and session.epoch == session.credential_epoch
        and session.generation == session.present_generation
        and session.disabled_at is None
    )


def _keep(tx: Connection, turn: Rotation, session: Any) -> Rotated | RotationRefused:
    """Make an access token; the refresh token stays and slides (RFC 6749 section 6)."""
    known = {"digest_": turn.digest, "tenant_": turn.tenant, "now_": turn.now}
    expires = min(turn.now + turn.settings.refresh_ttl, session.ends_at)
    if tx.execute(_KEEP_REFRESH, {**known, "expires_": expires}).rowcount:
        return _go_on(tx, turn, session, stays=True)
    row = tx.execute(_BY_REFRESH, {"digest_": turn.digest, "tenant_": turn.tenant}).one_or_none()
    return RotationRefused() if row is None else _replay_or_end(tx, turn, row, session)


def _succeed(tx: Connection, turn: Rotation, session: Any) -> Rotated:
    expires = min(turn.now + turn.settings.refresh_ttl, session.ends_at)
    return _go_on(
        tx,
        turn,
        session,
        (_INSERT_REFRESH, _refresh_row(turn.tenant, session.id, turn.next_refresh, expires)),
        # The successor's own successor ends the parent's grace: from here on the parent is theft.
        (_END_GRACE, {"digest_": turn.digest}),
    )


def _go_on(tx: Connection, turn: Rotation, session: Any, *writes: Call, stays: bool = False) -> Rotated:
    settings, now, id_ = turn.settings, turn.now, session.id
    expires = lifetimes.unused_end(settings, session.transport, now, session.ends_at)
    slide = (_SLIDE, {"id_": id_, "expires_": expires, "now_": now})
    at_once(tx, *writes, *_next_access(turn, session), slide)
    slid = msgspec.structs.replace(_session_of(session, current=True), expires_at=expires, last_seen_at=now)
    return Rotated(slid, session.ends_at, turn.nonce, turn.key_id, now, session.stamp, stays)


def _next_access(turn: Rotation, session: Any) -> Sequence[Call]:
    if turn.next_access is None:
        return ()
    settings, now, id_ = turn.settings, turn.now, session.id
    ends = min(now + settings.access_ttl, session.ends_at)
    return (
        (_DROP_STALE_ACCESS, {"id_": id_, "now_": now}),
        (_SHORTEN_ACCESS, {"id_": id_, "until_": now + lifetimes.forgives(settings)}),
        (_INSERT_ACCESS, {"digest": turn.next_access, "session_id": id_, "expires_at": ends}),
    )


def _replay_or_end(tx: Connection, turn: Rotation, row: Any, session: Any) -> Rotated | RotationRefused:
    grace = lifetimes.forgives(turn.settings)
    if row.nonce is not None and grace and turn.now - row.used_at <= grace:
        slid = _session_of(session, current=True)
        return Rotated(slid, session.ends_at, row.nonce, row.key_id, row.used_at, session.stamp)
    # A token that was never used has merely expired: its family ends (S25), and nobody is accused.
    return _end_family(tx, turn, session, reused=row.used_at is not None)


def _end_family(tx: Connection, turn: Rotation, session: Any, *, reused: bool) -> RotationRefused:
    ended = _end_id(tx, turn.tenant, session.id, turn.now, session.user_id)
    if not (reused and ended):
        return RotationRefused()
    if turn.settings.on_reuse == "user":
        revoke_all(tx, turn.tenant, session.user_id, turn.now)
    events.write(tx, turn.event, user_id=session.user_id, session_id=session.id)
    return RotationRefused(True, session.user_id, session.id)


# --- ending, sliding, stepping up ---


def touch(tx: Connection, session_id: str, expires: datetime | None, now: datetime) -> bool:
    """Note that a session was used, and slide its end where its use does that; tell whether it was not over."""
    if expires is None:
        return tx.execute(_NOTE, {"id_": session_id, "now_": now}).rowcount > 0
    return _SLIDE.run(tx, {"id_": session_id, "expires_": expires, "now_": now}) > 0


def list_live(tx: Connection, tenant: str, user_id: str, now: datetime, current: str | None) -> list[Session]:
    """Answer a user's live sessions, the latest first, at most 500."""
    rows = tx.execute(_LIST, {"tenant_": tenant, "user_": user_id, "now_": now})
    return [_session_of(row, current=row.id == current) for row in rows]


def revoke(tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime) -> int:
    """End one live session of a user; answer 1, or 0 if there is none."""
    known = {"tenant_": tenant, "user_": user_id, "id_": session_id, "now_": now}
    ended = tx.execute(_REVOKE_ONE, known).rowcount
    if ended:
        _write_ended(tx, [session_id], user_id, now)
    return ended


def revoke_others(tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime) -> int:
    """End a user's sessions but one; answer how many."""
    known = {"tenant_": tenant, "user_": user_id, "now_": now}
    ids = [id_ for id_ in tx.execute(_ENDING, known).scalars() if id_ != session_id]
    ended = tx.execute(_REVOKE_OTHERS, {**known, "id_": session_id}).rowcount
    _write_ended(tx, ids, user_id, now)
    return ended


def revoke_all(tx: Connection, tenant: str, user_id: str, now: datetime) -> int:
    """End all of a user's sessions; answer how many."""
    known = {"tenant_": tenant, "user_": user_id, "now_": now}
    ids = tx.execute(_ENDING, known).scalars().all()
    ended = tx.execute(_REVOKE_ALL, known).rowcount
    _write_ended(tx, ids, user_id, now)
    return ended


def revoke_device(tx: Connection, tenant: str, user_id: str, device_id: str, now: datetime) -> int:
    """End a user's sessions on one device; answer how many."""
    known = {"tenant_": tenant, "user_": user_id, "device_": device_id, "now_": now}
    ids = tx.execute(_ENDING_ON_DEVICE, known).scalars().all()
    ended = tx.execute(_REVOKE_DEVICE, known).rowcount
    _write_ended(tx, ids, user_id, now)
    return ended


def count_of_user(tx: Connection, tenant: str, user_id: str, now: datetime) -> int:
    """Answer how many sessions of a user live."""
    count: int = tx.execute(_COUNT_OF_USER, {"tenant_": tenant, "user_": user_id, "now_": now}).scalar_one()
    return count


def count(tx: Connection, tenant: str | None, now: datetime) -> int:
    """Answer how many sessions of a tenant live, or of them all."""
    tenants = tx.execute(_TENANTS).scalars().all() if tenant is None else [tenant]
    return sum(tx.execute(_COUNT, {"tenant_": each, "now_": now}).scalar_one() for each in tenants)


def _end_id(tx: Connection, tenant: str, session_id: str, now: datetime, user_id: str | None = None) -> int:
    ended = tx.execute(_REVOKE_ID, {"id_": session_id, "tenant_": tenant, "now_": now}).rowcount
    if ended:
        _write_ended(tx, [session_id], user_id, now)
    return ended


def _write_ended(
    tx: Connection, ids: Sequence[str], user_id: str | None, now: datetime, stamp: str = revocations.ENDED
) -> None:
    if user_id is None and ids:
        user_id = tx.execute(_OWNER, {"id_": ids[0]}).scalar_one_or_none()
    revocations.write(tx, [Revocation("session", id_, stamp, user_id) for id_ in ids], now)


class EndedSession(Value, frozen=True):
    """A session that has ended, with when; `cookies` take it away from the browser that asked."""

    session: Session
    user_id: str
    revoked_at: datetime
    cookies: tuple[Cookie, ...] = ()


def end_by_id(tx: Connection, tenant: str, session_id: str, now: datetime) -> EndedSession | None:
    """End a session known by its id, and answer it; None if it is unknown or over."""
    row = tx.execute(_SESSION_WITH_USER, {"id_": session_id, "tenant_": tenant}).one_or_none()
    if row is None or not _end_id(tx, tenant, session_id, now, row.user_id):
        return None
    return EndedSession(_session_of(row, current=False), row.user_id, now)


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
    given = {"stamp_": issued.stamp, "expires_": session.expires_at}
    if tx.execute(_STEP_UP, {**known, **proof, **given}).rowcount == 0:
        return False
    tx.execute(_DROP_ACCESS, {"id_": session.id})
    tx.execute(_DROP_REFRESH, {"id_": session.id})
    if epoch is not None:
        tx.execute(_CARRY_ON, {"id_": session.id, "epoch_": epoch})
    _write_ended(tx, [session.id], None, now, issued.stamp)
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
