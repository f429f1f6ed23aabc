"""Denylists in memory and in SQL: ids of what was ended before its time, each until it would have ended (S58)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, Table, bindparam, delete, insert, select, update
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import IntegrityError

from authcore.backends import fork
from authcore.backends.database import AsyncDatabase
from authcore.backends.schema import create_missing
from authcore.backends.sources import AsyncSource, DatabaseSource, Disposable, source_of
from authcore.backends.system import SystemClock
from authcore.errors import Unavailable
from authcore.ports import Clock, Database
from authcore.services import demands
from authcore.tables import Digest, UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

MAX_DENIED = 1_000_000  # ids of one process, about 200 MB
CLEAN_ROWS = 500
"""How many rows one transaction of `cleanup` removes."""

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})
"""The table of `SqlDenylist`, apart from those of the rooms: give it to Alembic to make the table yourself."""

denied = Table(
    "authcore_denied",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
"""`digest` is the SHA-256 of the id: an id may be of any length, and a copy of the table names nothing."""

_of_digest = denied.c.digest == bindparam("digest_")
_alive = denied.c.expires_at > bindparam("now_", type_=UtcDateTime)
_over = denied.c.expires_at <= bindparam("now_", type_=UtcDateTime)
_HAS = select(denied.c.expires_at).where(_of_digest, _alive)
_INSERT = insert(denied)
_TO = {"expires_at": bindparam("until_", type_=UtcDateTime)}
_RENEW = update(denied).where(_of_digest, _over).values(_TO)
_PROLONG = update(denied).where(_of_digest, denied.c.expires_at < bindparam("until_", type_=UtcDateTime)).values(_TO)
_FIND_OVER = select(denied.c.digest).where(_over).limit(CLEAN_ROWS)
_DELETE_OVER = delete(denied).where(_of_digest, _over)


class MemoryDenylist:
    """A Denylist of this process alone: for tests, and for applications that run as one process.

    It holds at most `size` ids that have not lapsed. Full, it raises Unavailable (rule O2): to forget one would let a
    revoked token live again.
    """

    blocks = False

    def __init__(self, *, clock: Clock | None = None, size: int = MAX_DENIED) -> None:
        self._clock = clock or SystemClock()
        self._size = size
        self._until: dict[str, datetime] = {}
        self._mutex = fork.Mutex()

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Deny an id until a time; of many callers the first is told True. A later time than the present one counts.

        An id whose time is over needs no entry: the answer is False.
        """
        with self._mutex:
            now = self._clock.now()
            if expires_at <= now:
                return False
            present = self._until.get(id_)
            if present is None and len(self._until) >= self._size:
                self._sweep(now)
                if len(self._until) >= self._size:
                    raise Unavailable
            first = present is None or present <= now
            self._until[id_] = expires_at if first or present is None else max(present, expires_at)
            return first

    async def has(self, id_: str) -> bool:
        """Tell whether an id is denied; one that has lapsed is forgotten."""
        until = self._until.get(id_)
        if until is None:
            return False
        if until > self._clock.now():
            return True
        with self._mutex:
            if self._until.get(id_) == until:
                del self._until[id_]
        return False

    async def cleanup(self) -> int:
        """Forget what has lapsed; answer how many."""
        with self._mutex:
            return self._sweep(self._clock.now())

    def _sweep(self, now: datetime) -> int:
        alive = {id_: until for id_, until in self._until.items() if until > now}
        removed = len(self._until) - len(alive)
        self._until = alive
        return removed


class SqlDenylist:
    """A Denylist in one table of a SQL database, made at the first use unless `create_tables` is False.

    What one node denies, every node denies. `database` is a URL, an Engine or AsyncEngine, or a database port. Over an
    AsyncEngine of a server it awaits the driver; over anything else its calls block, and `blocks` says so. Call
    `cleanup` now and then: what has lapsed denies nothing, and stays until then.
    """

    def __init__(
        self,
        database: Database | DatabaseSource | AsyncEngine | Engine | URL | str,
        *,
        clock: Clock | None = None,
        create_tables: bool = True,
    ) -> None:
        demands.database(database)
        self._source = _source(database)
        self._clock = clock or SystemClock()
        self._ready = not create_tables
        self._awaits = isinstance(database, AsyncDatabase) or (
            not isinstance(database, str | URL | Engine) and isinstance(self._source, AsyncSource)
        )
        self._made: Database | None = None

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for the database in the calling thread."""
        return not self._awaits

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Deny an id until a time; of many callers the first is told True. A later time than the present one counts.

        An id whose time is over needs no entry: the answer is False. Raises Unavailable.
        """
        now = self._clock.now()
        if expires_at <= now:
            return False
        return await (await self._db()).write(_add, _digest(id_), expires_at, now)

    async def has(self, id_: str) -> bool:
        """Tell whether an id is denied; raise Unavailable."""
        return await (await self._db()).read(_has, _digest(id_), self._clock.now())

    async def cleanup(self) -> int:
        """Remove what has lapsed, CLEAN_ROWS in a transaction; answer how many. Raises Unavailable."""
        db, now, removed = await self._db(), self._clock.now(), 0
        while True:
            found, gone = await db.write(_clean, now)
            removed += gone
            if found < CLEAN_ROWS:
                return removed

    def dispose(self) -> None:
        """Close the connections that were opened here; an application's own engine stays open."""
        if isinstance(self._source, Disposable):
            self._source.dispose()

    async def _db(self) -> Database:
        if self._made is None:
            self._made = self._port()
        if not self._ready:
            await self._made.write(create_missing, metadata)
            self._ready = True
        return self._made

    def _port(self) -> Database:
        if not isinstance(self._source, DatabaseSource):
            return self._source
        if self._awaits and isinstance(self._source, AsyncSource):
            return self._source.asyncio()
        return self._source.blocking()


def _source(database: Any) -> DatabaseSource | Database:
    if not isinstance(database, DatabaseSource) and hasattr(database, "after_commit"):
        port: Database = database
        return port
    return source_of(database, create_missing=False)


def _clean(tx: Connection, now: datetime) -> tuple[int, int]:
    # In the order of the keys: two cleaners never wait for each other crosswise.
    found = sorted(tx.execute(_FIND_OVER, {"now_": now}).scalars())
    gone = sum(tx.execute(_DELETE_OVER, {"digest_": digest, "now_": now}).rowcount for digest in found)
    return len(found), gone


def _add(tx: Connection, digest: bytes, until: datetime, now: datetime) -> bool:
    values = {"digest_": digest, "until_": until}
    if tx.execute(_RENEW, {**values, "now_": now}).rowcount == 1:
        return True
    try:
        # The unique key decides who is first (rule T2).
        with tx.begin_nested():
            tx.execute(_INSERT, {"digest": digest, "expires_at": until})
    except IntegrityError:
        tx.execute(_PROLONG, values)
        return False
    return True


def _has(tx: Connection, digest: bytes, now: datetime) -> bool:
    return tx.execute(_HAS, {"digest_": digest, "now_": now}).scalar_one_or_none() is not None


def _digest(id_: str) -> bytes:
    return hashlib.sha256(id_.encode(errors="surrogatepass")).digest()
