"""Every store that the tests of the orchestrator run over: a name, and how to make it.

Another store is one line: a function of (the test's request, its clock) that yields the store, and the drive it needs.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from redis_servers import redis_store

from authcore.backends.credentials.sql import metadata
from authcore.credentials import (
    CredentialManager,
    CredentialStore,
    Denylist,
    JwtCredentialStore,
    MemoryCredentialStore,
    MemoryDenylist,
    SealedCredentialStore,
    SqlCredentialStore,
    SqlDenylist,
    TableCredentialStore,
)
from authcore.drive import run_blocking
from authcore.errors import AuthError
from authcore.ports import Clock
from authcore.testing.ports import FrozenClock
from authcore_conformance.ports.running import Subject

SECRET = "one secret of these tests, long enough"
Maker = Callable[[pytest.FixtureRequest, Clock], Any]


class DictTable:
    """An application's own table: a dict with a lock around each call."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def insert_one(self, row: Mapping[str, Any], /) -> None:
        """Insert a row; raise KeyError."""
        with self._lock:
            if row["token"] in self.rows:
                raise KeyError(row["token"])
            self.rows[row["token"]] = dict(row)

    def find_one(self, where: Mapping[str, Any], /) -> dict[str, Any] | None:
        """Answer a row, or None."""
        return next(iter(self.find_many(where)), None)

    def find_many(self, where: Mapping[str, Any], /) -> list[dict[str, Any]]:
        """Answer every row that matches."""
        with self._lock:
            return [_copy(row) for row in self.rows.values() if where.items() <= row.items()]

    def replace_one(self, where: Mapping[str, Any], row: Mapping[str, Any], /) -> int:
        """Replace a row; answer how many."""
        with self._lock:
            if where["token"] not in self.rows:
                return 0
            self.rows[where["token"]] = dict(row)
            return 1

    def delete_one(self, token: str, /) -> int:
        """Delete by primary key; answer how many."""
        with self._lock:
            return 0 if self.rows.pop(token, None) is None else 1

    def delete_many(self, where: Mapping[str, Any], /) -> int:
        """Delete every row that matches; answer how many."""
        with self._lock:
            gone = [token for token, row in self.rows.items() if where.items() <= row.items()]
            for token in gone:
                del self.rows[token]
            return len(gone)


def _copy(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "claims": dict(row["claims"]), "metadata": dict(row["metadata"])}


class AwaitedTable:
    """The same table by calls that are awaited, and that let others go first."""

    def __init__(self) -> None:
        self._table = DictTable()

    async def _call(self, name: str, *args: Any) -> Any:
        await asyncio.sleep(0)
        return getattr(self._table, name)(*args)

    async def insert_one(self, row: Mapping[str, Any], /) -> Any:
        """Insert a row; raise KeyError."""
        return await self._call("insert_one", row)

    async def find_one(self, where: Mapping[str, Any], /) -> Any:
        """Answer a row, or None."""
        return await self._call("find_one", where)

    async def find_many(self, where: Mapping[str, Any], /) -> Any:
        """Answer every row that matches."""
        return await self._call("find_many", where)

    async def replace_one(self, where: Mapping[str, Any], row: Mapping[str, Any], /) -> Any:
        """Replace a row; answer how many."""
        return await self._call("replace_one", where, row)

    async def delete_one(self, token: str, /) -> Any:
        """Delete by primary key; answer how many."""
        return await self._call("delete_one", token)

    async def delete_many(self, where: Mapping[str, Any], /) -> Any:
        """Delete every row that matches; answer how many."""
        return await self._call("delete_many", where)


@contextmanager
def memory(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """Memory."""
    yield MemoryCredentialStore(clock=clock)


@contextmanager
def table(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """An application's own table."""
    yield TableCredentialStore(DictTable(), clock=clock)


@contextmanager
def awaited_table(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """An application's own table, awaited."""
    yield TableCredentialStore(AwaitedTable(), clock=clock)


@contextmanager
def sqlite(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """A SQLite file."""
    file = request.getfixturevalue("tmp_path") / f"{secrets.token_hex(6)}.db"
    store = SqlCredentialStore(f"sqlite:///{file}", clock=clock)
    yield store
    store.dispose()


@contextmanager
def sqlite_memory(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """SQLite in memory."""
    store = SqlCredentialStore("sqlite://", clock=clock)
    yield store
    store.dispose()


@contextmanager
def postgresql(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """PostgreSQL by its blocking driver."""
    url = _emptied(request.getfixturevalue("credentials_database"))
    store = SqlCredentialStore(url.render_as_string(hide_password=False), clock=clock)
    yield store
    store.dispose()


@contextmanager
def postgresql_awaited(request: pytest.FixtureRequest, clock: Clock) -> Iterator[CredentialStore]:
    """PostgreSQL by native awaits, over the application's own engine."""
    url = _emptied(request.getfixturevalue("credentials_database"))
    from sqlalchemy.ext.asyncio import create_async_engine

    yield SqlCredentialStore(create_async_engine(url, poolclass=sa.NullPool), clock=clock)


def _emptied(url: sa.URL) -> sa.URL:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    metadata.drop_all(engine)
    engine.dispose()
    return url


STORES: Mapping[str, tuple[Maker, str]] = {
    "memory": (memory, "blocking"),
    "table": (table, "blocking"),
    "table-awaited": (awaited_table, "asyncio"),
    "sqlite": (sqlite, "blocking"),
    "sqlite-memory": (sqlite_memory, "blocking"),
    "postgresql": (postgresql, "blocking"),
    "postgresql-awaited": (postgresql_awaited, "asyncio"),
    "redis": (partial(redis_store, kind="single-blocking"), "blocking"),
    "redis-awaited": (partial(redis_store, kind="single-asyncio"), "asyncio"),
    "redis-cluster": (partial(redis_store, kind="cluster-blocking"), "blocking"),
    "redis-cluster-awaited": (partial(redis_store, kind="cluster-asyncio"), "asyncio"),
}
"""Every store by name: how to make it empty, and the drive that its tests run under."""


@contextmanager
def jwt(request: pytest.FixtureRequest, clock: Clock, denylist: Denylist | None) -> Iterator[CredentialStore]:
    """JWTs, which nobody keeps."""
    pytest.importorskip("jwt", reason="PyJWT is an extra")
    yield JwtCredentialStore(secret=SECRET, denylist=denylist, clock=clock)


@contextmanager
def sealed(request: pytest.FixtureRequest, clock: Clock, denylist: Denylist | None) -> Iterator[CredentialStore]:
    """Sealed tokens, which nobody keeps."""
    yield SealedCredentialStore(key=bytes(range(32)), denylist=denylist, clock=clock)


@contextmanager
def denied_in_memory(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Denylist]:
    """A denylist in memory."""
    yield MemoryDenylist(clock=clock)


@contextmanager
def denied_in_sql(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Denylist]:
    """A denylist in a SQLite file."""
    file = request.getfixturevalue("tmp_path") / f"{secrets.token_hex(6)}.db"
    denylist = SqlDenylist(f"sqlite:///{file}", clock=clock)
    yield denylist
    denylist.dispose()


class Stateless(NamedTuple):
    """A store that holds nothing, the denylist of its manager, and whether the store has it too."""

    store: Any
    denylist: Any
    shared: bool


STATELESS: Mapping[str, Stateless] = {
    "jwt": Stateless(jwt, denied_in_memory, shared=False),
    "jwt-memory": Stateless(jwt, denied_in_memory, shared=True),
    "jwt-sql": Stateless(jwt, denied_in_sql, shared=True),
    "sealed": Stateless(sealed, denied_in_memory, shared=False),
    "sealed-memory": Stateless(sealed, denied_in_memory, shared=True),
    "sealed-sql": Stateless(sealed, denied_in_sql, shared=True),
}
"""Stores that hold nothing: a manager over them has a denylist, and one that the store shares serves both (S42)."""


class Held:
    """An empty store, its clock, and how its flows are run: alone, or by many callers at once."""

    def __init__(
        self, store: CredentialStore, clock: FrozenClock, drive: Any, denylist: Denylist | None = None
    ) -> None:
        self.store = store
        self.denylist = denylist
        self.clock = clock
        self._drive = drive
        self._runner = asyncio.Runner() if drive == "asyncio" else None

    def run(self, flow: Coroutine[Any, Any, Any]) -> Any:
        """Answer what a flow answers."""
        return run_blocking(flow) if self._runner is None else self._runner.run(flow)

    def at_once(self, callers: int, work: Callable[[int], Coroutine[Any, Any, Any]]) -> list[Any]:
        """Answer what each of many callers got, or the AuthError that it got."""

        async def told(number: int) -> Any:
            try:
                return await work(number)
            except AuthError as error:
                return error

        return self.run(Subject(self.store, self.clock, self._drive).at_once(callers, told))

    def manager(self, **settings: Any) -> CredentialManager:
        """Answer a manager over the store, with a secret of the tests' own."""
        made = {"store": self.store, "secret": SECRET, "clock": self.clock, "denylist": self.denylist}
        return CredentialManager(**{**made, **settings})

    def close(self) -> None:
        """Close the loop."""
        if self._runner is not None:
            self._runner.close()


@contextmanager
def held(name: str, request: pytest.FixtureRequest) -> Iterator[Held]:
    """Make the store of a name."""
    clock = FrozenClock()
    with _holding(name, request, clock) if name in STORES else _bare(name, request, clock) as made:
        yield made
        made.close()


@contextmanager
def _holding(name: str, request: pytest.FixtureRequest, clock: FrozenClock) -> Iterator[Held]:
    maker, drive = STORES[name]
    with maker(request, clock) as store:
        yield Held(store, clock, drive)


@contextmanager
def _bare(name: str, request: pytest.FixtureRequest, clock: FrozenClock) -> Iterator[Held]:
    make, deny, shared = STATELESS[name]
    with deny(request, clock) as denylist, make(request, clock, denylist if shared else None) as store:
        yield Held(store, clock, "blocking", denylist)
