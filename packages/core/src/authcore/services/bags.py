"""Data bags: a little JSON that hangs on a session, or on a browser that nobody has signed in to yet (S51).

A guest's bag is known by the digest of a secret in a cookie of its own. A sign-in moves it to the session that is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Column, Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.context import Context
from authcore.http import Cookie
from authcore.services import cookies, tokens
from authcore.services.json_values import size
from authcore.services.sessions import Draft, access, sessions
from authcore.tables import PERSONAL, Digest, Json, Key, UtcDateTime, metadata
from authcore.values import Value

KEEP = timedelta(0)
"""A bag goes with what it hung on, at the next clean-up."""
HELD = "bag"
"""Where the calls of one request find the bag that an earlier one of them made: see `Context.memory`."""

bags = Table(
    "authcore_session_data",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("user_id", Key(), nullable=True, index=True, info=PERSONAL),
    Column("digest", Digest, nullable=True, unique=True),
    Column("data", Json, nullable=False, info=PERSONAL),
    Column("updated_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("expires_at", UtcDateTime, nullable=True, index=True),
)
"""`id` is the session's, or a guest bag's own; `digest` and `expires_at` are a guest bag's alone."""


class Place(Value, frozen=True, kw_only=True):
    """Where a bag is: at a session, or with a guest. `fresh` is the guest's secret that the browser has yet to get."""

    hidden: ClassVar = frozenset({"fresh"})
    id: str
    tenant: str
    user_id: str | None = None
    digest: bytes | None = None
    fresh: str | None = None


class Full(Value, frozen=True):
    """What was put does not fit."""


_READ = select(bags.c.data).where(bags.c.id == bindparam("id_"), bags.c.tenant == bindparam("tenant_"))
_LOCK = _READ.with_for_update()
_OF_GUEST = select(bags.c.id, bags.c.data).where(
    bags.c.digest == bindparam("digest_"), bags.c.tenant == bindparam("tenant_"), bags.c.expires_at > bindparam("now_")
)
_TAKE = _OF_GUEST.with_for_update()
_INSERT = insert(bags)
_WRITE = (
    update(bags)
    .where(bags.c.id == bindparam("id_"))
    .values(data=bindparam("data_"), updated_at=bindparam("now_"), expires_at=bindparam("expires_"))
)
_DROP = delete(bags).where(bags.c.id == bindparam("id_"), bags.c.tenant == bindparam("tenant_"))
_DROP_ONE = delete(bags).where(bags.c.id == bindparam("id_"))
_RENAME = (
    update(bags)
    .where(bags.c.digest == bindparam("digest_"), bags.c.tenant == bindparam("tenant_"))
    .values(id=bindparam("id_"), digest=bindparam("fresh_"))
)
_REPLACED = select(sessions.c.id, sessions.c.user_id).where(
    sessions.c.id == bindparam("id_"),
    sessions.c.tenant == bindparam("tenant_"),
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now_"),
)
_BY_ACCESS = select(access.c.session_id).where(access.c.digest == bindparam("digest_"))
_OVER = (
    select(bags.c.id)
    .select_from(bags.outerjoin(sessions, sessions.c.id == bags.c.id))
    .where(
        or_(
            bags.c.expires_at < bindparam("before_"),
            and_(bags.c.digest.is_(None), sessions.c.id.is_(None)),
            and_(
                bags.c.digest.is_(None),
                or_(
                    sessions.c.revoked_at < bindparam("before_"),
                    sessions.c.expires_at < bindparam("before_"),
                    sessions.c.ends_at < bindparam("before_"),
                ),
            ),
        )
    )
    .limit(bindparam("most_"))
)

Change = Callable[[dict[str, Any]], dict[str, Any]]


def guest(tx: Connection, tenant: str, digest: bytes, now: datetime) -> str | None:
    """Answer the id of a guest's bag, by the digest of its secret."""
    row = tx.execute(_OF_GUEST, {"digest_": digest, "tenant_": tenant, "now_": now}).one_or_none()
    return row.id if row else None


def read(tx: Connection, place: Place) -> dict[str, Any]:
    """Answer what is in a bag."""
    return tx.execute(_READ, {"id_": place.id, "tenant_": place.tenant}).scalar_one_or_none() or {}


def change(
    tx: Connection, place: Place, changed: Change, now: datetime, expires: datetime | None, most: int
) -> Full | None:
    """Change what is in a bag, made if there is none: of changes at a time each sees those before it."""
    known = {"id_": place.id, "tenant_": place.tenant}
    data = tx.execute(_LOCK, known).scalar_one_or_none()
    if data is None:
        made = changed({})
        if size(made) > most:
            return Full()
        if _inserted(tx, place, made, now, expires):
            return None
        data = tx.execute(_LOCK, known).scalar_one_or_none() or {}  # somebody's came first
    made = changed(data)
    # What only becomes smaller always fits: a bag may be larger than a setting that was lowered since.
    if size(made) > max(most, size(data) - 1):
        return Full()
    tx.execute(_WRITE, {"id_": place.id, "data_": made, "now_": now, "expires_": expires})
    return None


def _inserted(tx: Connection, place: Place, data: dict[str, Any], now: datetime, expires: datetime | None) -> bool:
    row = {"id": place.id, "tenant": place.tenant, "user_id": place.user_id, "digest": place.digest}
    try:
        with tx.begin_nested():
            tx.execute(_INSERT, {**row, "data": data, "updated_at": now, "expires_at": expires})
    except IntegrityError:
        return False
    return True


def drop(tx: Connection, place: Place) -> None:
    """Remove a bag with all that is in it."""
    tx.execute(_DROP, {"id_": place.id, "tenant_": place.tenant})


def rename(tx: Connection, tenant: str, digest: bytes, fresh: bytes, id_: str) -> bool:
    """Give a guest's bag another id and secret (rule T7); tell whether this caller did."""
    known = {"digest_": digest, "tenant_": tenant}
    return tx.execute(_RENAME, {**known, "fresh_": fresh, "id_": id_}).rowcount == 1


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` bags that were over before a time; answer how many."""
    ids = [{"id_": id_} for id_ in sorted(tx.execute(_OVER, {"before_": before, "most_": most}).scalars())]
    if ids:
        tx.execute(_DROP_ONE, ids)
    return len(ids)


# --- at sign-in ---


class Moving(Value, frozen=True):
    """What a sign-in brings along: the bag of the browser, and whose session it may go on from."""

    digest: bytes | None
    replaced: bytes | str | None
    guest: str | None
    most: int


def move(tx: Connection, moving: Moving, made: Draft) -> None:
    """Hand a session that is made what the browser had before: its guest's bag, and that of the session it replaces.

    A replaced session hands over to the same user, or to the one that its guest becomes, and to nobody else: browsers
    are shared. Its own keys go before a guest's; what no longer fits stays behind.
    """
    session, now = made.issued.session, made.issued.session.created_at
    found = _of_replaced(tx, moving, made, now)
    taken = None
    if moving.digest is not None:
        known = {"digest_": moving.digest, "tenant_": made.tenant, "now_": now}
        taken = tx.execute(_TAKE, known).one_or_none()
    if taken is not None:
        tx.execute(_DROP_ONE, {"id_": taken.id})
        found = _merged(found, taken.data.items(), moving.most)
    if found:
        place = Place(id=session.id, tenant=made.tenant, user_id=made.user_id)
        _inserted(tx, place, found, now, None)


def _of_replaced(tx: Connection, moving: Moving, made: Draft, now: datetime) -> dict[str, Any]:
    replaced = moving.replaced
    if isinstance(replaced, bytes):
        replaced = tx.execute(_BY_ACCESS, {"digest_": replaced}).scalar_one_or_none()
    if replaced is None:
        return {}
    known = {"id_": replaced, "tenant_": made.tenant}
    row = tx.execute(_REPLACED, {**known, "now_": now}).one_or_none()
    if row is None or row.user_id not in (made.user_id, moving.guest):
        return {}
    data = tx.execute(_LOCK, known).scalar_one_or_none() or {}
    tx.execute(_DROP, known)
    return dict(data)


def _merged(own: Mapping[str, Any], more: Iterable[tuple[str, Any]], most: int) -> dict[str, Any]:
    merged, total = dict(own), size(own)
    for key, value in more:
        added = size({key: value})  # with its braces, in the place of a comma
        if key not in merged and total + added <= most:
            merged[key] = value
            total += added
    return merged


def of_session(ctx: Context, user_id: str, session_id: str) -> Place:
    """Answer where a session's bag is."""
    return Place(id=session_id, tenant=ctx.tenant.id, user_id=user_id)


def hold(ctx: Context, place: Place) -> None:
    """Let later calls for the same request find a bag that the request itself does not name."""
    ctx.memory[HELD] = place


def carried(ctx: Context) -> bytes | None:
    """Answer the digest of the guest bag's secret that the request carries, or made; None if it has none."""
    held: Place | None = ctx.memory.get(HELD)
    if held is not None:
        return held.digest
    value = cookies.read(ctx.app, ctx.request, "bag")
    return tokens.digest(value, "bg") if value else None


def cleared(ctx: Context) -> tuple[Cookie, ...]:
    """Answer what takes a guest's bag away from the browser that sent it, or that gets it by this very answer."""
    held: Place | None = ctx.memory.get(HELD)
    if held is not None and held.fresh is not None:
        return (cookies.clear(ctx.app, "bag"),)
    return cookies.clear_carried(ctx.app, ctx.request, "bag")
