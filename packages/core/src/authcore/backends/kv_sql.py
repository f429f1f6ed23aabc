"""The key-value port over any SQL database: one table, no cleverness that one of the databases lacks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import BigInteger, Column, Table, bindparam, case, delete, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.sql import Executable, Insert

from authcore.point_read import Call, PointRead, PointWrite, scalars, together
from authcore.ports import FLEETING, Clock, Count, Database, Store, counting, fleeting
from authcore.tables import Blob, Key, UtcDateTime, metadata

P = ParamSpec("P")
R = TypeVar("R")
SWEEP_EVERY = 500  # writes of a process
SWEEP_ROWS = 200

table = Table(
    "authcore_kv",
    metadata,
    Column("key", Key(255), primary_key=True),
    Column("value", Blob(), nullable=True),
    Column("number", BigInteger, nullable=False, default=0, server_default="0"),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
_t = table.c
_of_key = _t.key == bindparam("of_key")
_alive = _t.expires_at > bindparam("now", type_=UtcDateTime)
_over = _t.expires_at <= bindparam("now", type_=UtcDateTime)

_GET = select(_t.value).where(_of_key, _alive)
_GET_LOCKED = _GET.with_for_update()
_DELETE = delete(table).where(_of_key)
_RENEW = update(table).values(value=bindparam("new_value"), number=0, expires_at=bindparam("until", type_=UtcDateTime))
_RENEW_OVER = _RENEW.where(_of_key, _over)
_RENEW_EQUAL = _RENEW.where(_of_key, _alive, _t.value == bindparam("expected"))
_NUMBER = PointRead(select(_t.number).where(_of_key, _alive))
# PostgreSQL commits this transaction without waiting for its log on the disk.
_UNFLUSHED = PointRead(select(func.set_config("synchronous_commit", "off", True).label("setting")))
_FIND_OVER = select(_t.key).where(_over).limit(SWEEP_ROWS)
_DELETE_OVER = delete(table).where(_of_key, _over)


class SqlKeyValue:
    """ports.KeyValue: what one node counts, every node counts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self._writes = itertools.count(1)

    async def get(self, key: str) -> bytes | None:
        """Answer the value, or None."""
        return await self._db.read(_get, key, self._clock.now())

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value."""
        now = self._clock.now()
        await self._write(_put, key, value, now + timedelta(seconds=ttl))

    async def take(self, key: str) -> bytes | None:
        """Answer the value and remove it: of many callers one gets it."""
        return await self._db.write(_take, key, self._clock.now())

    async def compare_and_swap(self, key: str, expected: bytes | None, value: bytes, ttl: float) -> bool:
        """Set the value if the present one equals `expected` (None: absent); tell whether it was set."""
        now = self._clock.now()
        until = now + timedelta(seconds=ttl)
        if expected is None:
            return await self._write(_add, key, value, now, until)
        return await self._write(_swap, key, expected, value, now, until)

    async def increment(self, counts: Sequence[Count]) -> list[int]:
        """Add to each counter and answer the sums."""
        now = self._clock.now()
        if any(count.by for count in counts):
            return await self._write(_increment, counts, now)
        return await self._db.read(_read_counts, counts, now)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys."""
        if keys:
            await self._db.write(_delete, keys)

    async def sweep(self) -> int:
        """Remove some of the rows whose time is over and answer how many."""
        return await self._db.write(_sweep, self._clock.now())

    async def _write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        answer = await self._db.write(store, *args, **kwargs)
        if next(self._writes) % SWEEP_EVERY == 0:
            await self.sweep()
        return answer


def _get(tx: Connection, key: str, now: datetime) -> bytes | None:
    return tx.execute(_GET, {"of_key": key, "now": now}).scalar_one_or_none()


def _put(tx: Connection, key: str, value: bytes, until: datetime) -> None:
    tx.execute(_statements(tx).put, {"key": key, "value": value, "number": 0, "expires_at": until})


def _take(tx: Connection, key: str, now: datetime) -> bytes | None:
    # The row is locked before it is read, so whoever comes second finds none (rule T2).
    value: bytes | None = tx.execute(_GET_LOCKED, {"of_key": key, "now": now}).scalar_one_or_none()
    if value is not None:
        tx.execute(_DELETE, {"of_key": key})
    return value


def _add(tx: Connection, key: str, value: bytes, now: datetime, until: datetime) -> bool:
    renewed = tx.execute(_RENEW_OVER, {"of_key": key, "now": now, "new_value": value, "until": until})
    if renewed.rowcount == 1:
        return True
    added = tx.execute(_statements(tx).add, {"key": key, "value": value, "number": 0, "expires_at": until})
    return added.rowcount == 1


def _swap(tx: Connection, key: str, expected: bytes, value: bytes, now: datetime, until: datetime) -> bool:
    values = {"of_key": key, "now": now, "expected": expected, "new_value": value, "until": until}
    return tx.execute(_RENEW_EQUAL, values).rowcount == 1


@counting
@fleeting
def _increment(tx: Connection, counts: Sequence[Count], now: datetime) -> list[int]:
    adding = _rows(counts, now)
    statements = _statements(tx)
    unflushed: list[Call] = []
    if tx.dialect.name == "postgresql" and tx.get_execution_options().get(FLEETING):
        unflushed.append((_UNFLUSHED, {}))
    if statements.sum is not None:
        sums = _in_one(tx, statements.sum, adding, counts, now, unflushed)
        if sums is not None:
            return sums
    together(tx, *unflushed, *((statements.increment, row) for row in adding))
    return _read_counts(tx, counts, now)


def _in_one(
    tx: Connection,
    add: PointRead,
    adding: Sequence[dict[str, Any]],
    counts: Sequence[Count],
    now: datetime,
    unflushed: Sequence[Call],
) -> list[int] | None:
    """Add and read in one statement, which is one transaction, where the driver has a way for that; else None."""
    keys = {row["key"] for row in adding}
    others = [count for count in counts if count.key not in keys]
    writes: list[Call] = [(add, row) for row in adding]
    found = scalars(tx, writes, [*_numbers(others, now), *unflushed])
    if found is None:
        return None
    sums = dict(zip([*(row["key"] for row in adding), *(count.key for count in others)], found, strict=False))
    return [sums[count.key] or 0 for count in counts]


def _rows(counts: Sequence[Count], now: datetime) -> list[dict[str, Any]]:
    """Answer what is added to each counter, in the order of the keys.

    In that order two calls that share two keys never wait for each other crosswise.
    """
    added: dict[str, int] = {}
    for count in counts:
        if count.by:
            added[count.key] = added.get(count.key, 0) + count.by
    until = {count.key: now + timedelta(seconds=count.ttl) for count in counts}
    return [
        {"key": key, "value": None, "number": added[key], "expires_at": until[key], "now": now} for key in sorted(added)
    ]


def _read_counts(tx: Connection, counts: Sequence[Count], now: datetime) -> list[int]:
    return [row[0] if row else 0 for row in together(tx, *_numbers(counts, now))]


def _numbers(counts: Sequence[Count], now: datetime) -> list[Call]:
    return [(_NUMBER, {"of_key": count.key, "now": now}) for count in counts]


def _delete(tx: Connection, keys: Sequence[str]) -> None:
    tx.execute(_DELETE, [{"of_key": key} for key in sorted(keys)])


def _sweep(tx: Connection, now: datetime) -> int:
    keys = sorted(tx.execute(_FIND_OVER, {"now": now}).scalars())
    if keys:
        tx.execute(_DELETE_OVER, [{"of_key": key, "now": now} for key in keys])
    return len(keys)


class _Statements:
    """What each database spells its own way."""

    def __init__(self, put: Executable, add: Executable, increment: Executable, sum_: PointRead | None = None) -> None:
        self.put = put
        self.add = add
        self.increment = PointWrite(increment)
        self.sum = sum_
        """The same, returning the sum; None where it is read inside the transaction."""


def _statements(tx: Connection) -> _Statements:
    return _SPELLINGS[tx.dialect.name]()


def _on_conflict(insert_into: Callable[..., Any], *, returns: bool) -> _Statements:
    row = insert_into(table)
    sums = {"number": _sum(row.excluded.number), "expires_at": _until(row.excluded.expires_at), "value": None}
    fresh = {name: row.excluded[name] for name in ("value", "number", "expires_at")}
    increment = row.on_conflict_do_update(index_elements=["key"], set_=sums)
    return _Statements(
        put=row.on_conflict_do_update(index_elements=["key"], set_=fresh),
        add=_counted(row.on_conflict_do_nothing(index_elements=["key"])),
        increment=increment,
        sum_=PointRead(increment.returning(_t.number)) if returns else None,
    )


@cache
def _sqlite() -> _Statements:
    from sqlalchemy.dialects.sqlite import insert as insert_into

    return _on_conflict(insert_into, returns=False)  # it does so from 3.35 on


@cache
def _postgresql() -> _Statements:
    from sqlalchemy.dialects.postgresql import insert as insert_into

    return _on_conflict(insert_into, returns=True)


@cache
def _mysql() -> _Statements:
    from sqlalchemy.dialects.mysql import insert as insert_into

    row = insert_into(table)
    # MySQL assigns from left to right and reads what it has assigned: the number first, the time after it.
    sums = [
        ("number", _sum(row.inserted.number)),
        ("expires_at", _until(row.inserted.expires_at)),
        ("value", None),
    ]
    fresh = [(name, row.inserted[name]) for name in ("value", "number", "expires_at")]
    return _Statements(
        put=row.on_duplicate_key_update(fresh),
        add=_counted(insert(table).prefix_with("IGNORE")),
        increment=row.on_duplicate_key_update(sums),
    )


def _counted(statement: Insert) -> Insert:
    # Of an INSERT, SQLAlchemy forgets the row count unless told.
    return statement.execution_options(preserve_rowcount=True)


def _sum(by: Any) -> Any:
    return case((_over, by), else_=_t.number + by)


def _until(until: Any) -> Any:
    return case((_over, until), else_=_t.expires_at)


_SPELLINGS: dict[str, Callable[[], _Statements]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
}
