"""Opaque credentials in SQL: one row each, known by the SHA-256 of its token (rule T1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Column, MetaData, Table, bindparam, delete, insert, select, update
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql import Executable, Insert

from authcore.backends.credentials import states
from authcore.backends.schema import create_missing
from authcore.backends.sources import AsyncSource, DatabaseSource, Disposable, source_of
from authcore.backends.system import SystemClock, SystemRandom
from authcore.ports import Clock, Database, Randomness, Store
from authcore.services import demands
from authcore.stores import CredentialExists, CredentialMetadata, CredentialState, InvalidConfig, Listed
from authcore.tables import Digest, Json, Key, UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

P = ParamSpec("P")
R = TypeVar("R")
CLEAN_ROWS = 500
"""How many rows one transaction of `clean_expired` removes."""

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})
"""The table of `SqlCredentialStore`, apart from those of the rooms: give it to Alembic to make the table yourself."""

credentials = Table(
    "authcore_credential",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("user_id", Key(), nullable=False, index=True),
    Column("family", Key(), nullable=True),
    Column("kind", Key(), nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("rotated_at", UtcDateTime, nullable=True),
    Column("claims", Json, nullable=False),
    Column("metadata", Json, nullable=False),
)

_c = credentials.c
_its = _c.digest == bindparam("of_digest")
_alive = _c.expires_at > bindparam("now", type_=UtcDateTime)
_over = _c.expires_at <= bindparam("now", type_=UtcDateTime)
_of_user = _c.user_id == bindparam("of_user")
_COLUMNS = [column for column in _c if column.name != "digest"]

_GET = select(*_COLUMNS).where(_its, _alive)
_GET_LOCKED = _GET.with_for_update()
_LIST = select(_c.digest, *_COLUMNS).where(_of_user, _alive).order_by(_c.issued_at.desc(), _c.digest.desc())
_UPDATE = (
    update(credentials)
    .where(_its, _alive)
    .values({column: bindparam(f"new_{column.name}", type_=column.type) for column in _COLUMNS})
)
_END = delete(credentials).where(_its, _alive)
_END_FAMILY = delete(credentials).where(_of_user, _alive, _c.family == bindparam("of_family"))
_END_USER = delete(credentials).where(_of_user, _alive)
# In order, so that an index is read: statistics from before a day of sign-ins would have the whole table read.
_FIND_OVER = select(_c.digest).where(_over).order_by(_c.expires_at).limit(CLEAN_ROWS)
_DROP_OVER = delete(credentials).where(_its, _over)


class SqlCredentialStore:
    """A CredentialStore in one table of a SQL database, made at the first use unless `create_tables` is False.

    `database` is a URL, a SQLAlchemy Engine or an AsyncEngine. Over an AsyncEngine of a server it awaits the driver;
    over anything else its calls block, and `blocks` says so.
    """

    stateless: ClassVar[bool] = False

    def __init__(
        self,
        database: DatabaseSource | AsyncEngine | Engine | URL | str,
        *,
        clock: Clock | None = None,
        create_tables: bool = True,
        random: Randomness | None = None,
    ) -> None:
        demands.database(database)
        self._source = source_of(database, create_missing=False)
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._ready = not create_tables
        # What an application awaits elsewhere, it awaits here; a URL says nothing, and blocking costs half.
        self._awaits = not isinstance(database, str | URL | Engine) and isinstance(self._source, AsyncSource)
        self._made: Database | None = None
        # SQLite writes one after the other; a server's statement does not see what is committed while it runs.
        self._passes = 1 if getattr(self._source, "dialect", "") == "sqlite" else 2

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for the database in the calling thread."""
        return not self._awaits

    @property
    def awaits(self) -> bool:
        """Tell whether calls are awaited on an event loop."""
        return self._awaits

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Insert a credential and answer its token; raise InvalidToken for an expired state, CredentialExists."""
        now = self._clock.now()
        row = _row(states.kept(state, now, ttl))
        token = states.make(self._random, seed)
        made = await self._write(_persist, {"digest": states.known(token), **row}, now)
        if not made:
            raise CredentialExists.of(token)
        return token

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for, by one read of the primary key."""
        digest = states.digest(token)
        return None if digest is None else await self._read(_retrieve, digest, self._clock.now())

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and delete it: of many callers one gets it (rule T2)."""
        digest = states.digest(token)
        return None if digest is None else await self._write(_consume, digest, self._clock.now())

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Replace the state of a live token; answer the same token."""
        now, digest = self._clock.now(), states.digest(token)
        row = _row(states.kept(state, now))
        if digest is None or not await self._write(_replace, digest, row, now):
            return None
        return token

    async def revoke(self, token: str) -> bool:
        """Delete a live token; tell whether it was live."""
        digest = states.digest(token)
        if digest is None:
            return False
        return await self._write(_end, _END, {"of_digest": digest, "now": self._clock.now()}) == 1

    async def revoke_family(self, user_id: str, family: str) -> int:
        """Delete every live credential of a family; answer how many."""
        return await self._end_many(_END_FAMILY, {"of_user": user_id, "of_family": family})

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Delete every live credential of a user; answer how many were live."""
        return await self._end_many(_END_USER, {"of_user": user_id})

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer the live credentials of a user, the latest first."""
        return await self._read(_list, user_id, self._clock.now())

    def credential_id(self, token: str) -> str | None:
        """Answer the SHA-256 of a well-formed token, in hex."""
        return states.credential_id(token)

    async def clean_expired(self) -> int:
        """Delete what has expired, CLEAN_ROWS in a transaction; answer how many."""
        now, removed = self._clock.now(), 0
        while True:
            found, gone = await self._write(_clean, now)
            removed += gone
            if found < CLEAN_ROWS:
                return removed

    def dispose(self) -> None:
        """Close the connections that were opened here; an application's own engine stays open."""
        if isinstance(self._source, Disposable):
            self._source.dispose()

    async def _end_many(self, statement: Executable, values: dict[str, Any]) -> int:
        # A rotation that commits its successor while the statement runs is found by the second, which begins after the
        # first is committed: whoever commits later than that finds its own family gone (rule T9).
        ended = 0
        for _ in range(self._passes):
            ended += await self._write(_end, statement, {**values, "now": self._clock.now()})
        return ended

    @property
    def _db(self) -> Database:
        if self._made is None:
            if self._awaits and isinstance(self._source, AsyncSource):
                self._made = self._source.asyncio()
            else:
                self._made = self._source.blocking()
        return self._made

    async def _read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        await self._prepare()
        return await self._db.read(store, *args, **kwargs)

    async def _write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        await self._prepare()
        return await self._db.write(store, *args, **kwargs)

    async def _prepare(self) -> None:
        if not self._ready:
            await self._db.write(create_missing, metadata)
            self._ready = True


def _row(state: CredentialState) -> dict[str, Any]:
    return {
        "user_id": state.user_id,
        "family": state.parent_credential_id,
        "kind": state.kind,
        "issued_at": state.issued_at,
        "expires_at": state.expires_at,
        "rotated_at": state.rotated_at,
        "claims": state.claims,
        "metadata": msgspec.to_builtins(state.metadata),
    }


def _state(row: Sequence[Any]) -> CredentialState:
    user_id, family, kind, issued_at, expires_at, rotated_at, claims, about = row
    return CredentialState(
        user_id=user_id,
        issued_at=issued_at,
        expires_at=expires_at,
        kind=kind,
        claims=claims,
        metadata=msgspec.convert(about, CredentialMetadata),
        parent_credential_id=family,
        rotated_at=rotated_at,
    )


def _persist(tx: Connection, row: dict[str, Any], now: datetime) -> bool:
    add = _inserting(tx)
    if tx.execute(add, row).rowcount == 1:
        return True
    # What has expired holds no place: its seed may be used again.
    if tx.execute(_DROP_OVER, {"of_digest": row["digest"], "now": now}).rowcount == 0:
        return False
    return tx.execute(add, row).rowcount == 1


def _retrieve(tx: Connection, digest: bytes, now: datetime) -> CredentialState | None:
    row = tx.execute(_GET, {"of_digest": digest, "now": now}).one_or_none()
    return None if row is None else _state(row)


def _consume(tx: Connection, digest: bytes, now: datetime) -> CredentialState | None:
    # The row is locked before it is read, so whoever comes second finds none; the deleted count decides (rule T2).
    row = tx.execute(_GET_LOCKED, {"of_digest": digest, "now": now}).one_or_none()
    if row is None or tx.execute(_END, {"of_digest": digest, "now": now}).rowcount != 1:
        return None
    return _state(row)


def _replace(tx: Connection, digest: bytes, row: dict[str, Any], now: datetime) -> bool:
    values = {f"new_{name}": value for name, value in row.items()}
    return tx.execute(_UPDATE, {"of_digest": digest, "now": now, **values}).rowcount == 1


def _end(tx: Connection, statement: Executable, values: dict[str, Any]) -> int:
    return tx.execute(statement, values).rowcount


def _list(tx: Connection, user_id: str, now: datetime) -> list[Listed]:
    rows = tx.execute(_LIST, {"of_user": user_id, "now": now}).all()
    return [Listed(row[0].hex(), _state(row[1:])) for row in rows]


def _clean(tx: Connection, now: datetime) -> tuple[int, int]:
    # In the order of the keys: two cleaners never wait for each other crosswise.
    digests = sorted(tx.execute(_FIND_OVER, {"now": now}).scalars())
    gone = sum(tx.execute(_DROP_OVER, {"of_digest": digest, "now": now}).rowcount for digest in digests)
    return len(digests), gone


def _inserting(tx: Connection) -> Insert:
    """Answer the INSERT that leaves a row alone which is there already, as each database spells it."""
    try:
        return _SPELLINGS[tx.dialect.name]()
    except KeyError:
        raise InvalidConfig(
            f"SqlCredentialStore knows SQLite, PostgreSQL and MariaDB, not {tx.dialect.name}."
        ) from None


@cache
def _sqlite() -> Insert:
    from sqlalchemy.dialects.sqlite import insert as insert_into

    return _counted(insert_into(credentials).on_conflict_do_nothing(index_elements=["digest"]))


@cache
def _postgresql() -> Insert:
    from sqlalchemy.dialects.postgresql import insert as insert_into

    return _counted(insert_into(credentials).on_conflict_do_nothing(index_elements=["digest"]))


@cache
def _mysql() -> Insert:
    return _counted(insert(credentials).prefix_with("IGNORE"))


def _counted(statement: Insert) -> Insert:
    # Of an INSERT, SQLAlchemy forgets the row count unless told.
    return statement.execution_options(preserve_rowcount=True)


_SPELLINGS: dict[str, Callable[[], Insert]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
}
