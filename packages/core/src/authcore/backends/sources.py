"""Where the data stands: each source answers the sides of the database port that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from sqlalchemy import MetaData
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import SingletonThreadPool

from authcore.backends.database import (
    AsyncDatabase,
    AsyncSide,
    BlockingDatabase,
    BlockingSide,
    TablesOnce,
    create_apart,
    run_apart,
)
from authcore.backends.engines import asyncio_url, blocking_url, check_driver, is_sqlite_memory, parse_url
from authcore.backends.inline import InlineReader, InlineReads
from authcore.backends.servers import GivenAsync, PerLoop, Pooled, PooledGiven
from authcore.backends.sqlite import SqliteFile, SqliteGiven, SqliteMemory
from authcore.backends.streams import PostgresStream, Stream
from authcore.errors import ConfigurationError, Unavailable
from authcore.ports import Database
from authcore.tables import metadata as shipped

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

R = TypeVar("R")


@runtime_checkable
class DatabaseSource(Protocol):
    """A database; an adapter may bring one of its own."""

    def blocking(self) -> Database:
        """Answer the side for the drives BLOCKING and THREADS."""
        ...

    def inline(self) -> InlineReads | None:
        """Answer reads that may run on an event loop, or None."""
        ...

    def create_tables(self, metadata: MetaData) -> None:
        """Make the missing tables on a connection that is closed afterwards."""
        ...


@runtime_checkable
class AsyncSource(Protocol):
    """A source that has a side for the drive ASYNCIO as well."""

    def asyncio(self) -> Database:
        """Answer the side for the drive ASYNCIO."""
        ...


@runtime_checkable
class Migratable(Protocol):
    """A source whose schema is authcore's to change, not a framework's."""

    dialect: str

    def apart(self, run: Callable[[Connection], R], *, existing: bool) -> R:
        """Run in one transaction on a connection that is closed afterwards; raise Unavailable.

        `existing` refuses to make a database that is not there.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A source whose server tells of what others commit."""

    def stream(self) -> Stream | None:
        """Answer what to listen to, or None with a driver that cannot listen; raise ConfigurationError without one."""
        ...


@runtime_checkable
class Releasing(Protocol):
    """A source that opens a connection for each thread."""

    def release(self) -> None:
        """Close what the calling thread has open."""
        ...


@runtime_checkable
class Disposable(Protocol):
    """Something to close."""

    def dispose(self) -> None:
        """Close what is open."""
        ...


class Sqlite:
    """SQLite: no asyncio side, since its driver would only hide a thread."""

    dialect = "sqlite"

    def __init__(self, side: BlockingSide, create_missing: bool) -> None:
        self._side = side
        self._tables = TablesOnce(shipped) if create_missing else None
        self._database = BlockingDatabase(side, self._tables)

    def blocking(self) -> Database:
        """Answer the blocking side."""
        return self._database

    def inline(self) -> InlineReads | None:
        """Answer None: another connection would not see the data, or not have the application's settings."""
        return None

    def create_tables(self, metadata: MetaData) -> None:
        """Make the missing tables; raise Unavailable."""
        create_apart(self._side, metadata)

    def apart(self, run: Callable[[Connection], R], *, existing: bool) -> R:
        """Run in one transaction on a connection that is closed afterwards; raise Unavailable."""
        return run_apart(self._side, run)

    def dispose(self) -> None:
        """Close every connection."""
        self._side.dispose()


class SqliteWithInline(Sqlite):
    """A SQLite file that authcore opens itself."""

    def __init__(self, url: URL, create_missing: bool) -> None:
        super().__init__(SqliteFile(url), create_missing)
        self._name = url.database or ""
        self._inline = InlineReader(url, self._tables)

    def inline(self) -> InlineReads:
        """Answer reads on a connection of the loop's own."""
        return self._inline

    def apart(self, run: Callable[[Connection], R], *, existing: bool) -> R:
        """Run in one transaction on a connection that is closed afterwards; raise Unavailable."""
        # Connecting would leave an empty file behind.
        if existing and not self._name.startswith("file:") and not Path(self._name).exists():
            raise Unavailable(f"There is no database {self._name} yet: `authcore db upgrade` makes it.")
        return super().apart(run, existing=existing)

    def dispose(self) -> None:
        """Close every connection."""
        super().dispose()
        self._inline.dispose()


class Server:
    """A database server: two sides, each with a pool of its own, made when it is asked for."""

    def __init__(
        self,
        dialect: str,
        blocking: Callable[[], BlockingSide],
        asyncio: Callable[[], AsyncSide],
        create_missing: bool,
    ) -> None:
        self.dialect = dialect
        self._make_blocking = blocking
        self._make_asyncio = asyncio
        self._tables = TablesOnce(shipped) if create_missing else None

    def blocking(self) -> Database:
        """Answer the blocking side; raise ConfigurationError without a driver for it."""
        return BlockingDatabase(self._blocking, self._tables)

    def asyncio(self) -> Database:
        """Answer the asyncio side; raise ConfigurationError without a driver for it."""
        return AsyncDatabase(self._asyncio, self._tables)

    def inline(self) -> InlineReads | None:
        """Answer None: a server may take its time."""
        return None

    def stream(self) -> Stream | None:
        """Answer LISTEN of PostgreSQL over psycopg, or None."""
        side = self._blocking
        if self.dialect != "postgresql" or not isinstance(side, Pooled | PooledGiven) or side.driver != "psycopg":
            return None
        return PostgresStream(side.connect_apart)

    def create_tables(self, metadata: MetaData) -> None:
        """Make the missing tables; raise Unavailable."""
        create_apart(self._blocking, metadata)

    def apart(self, run: Callable[[Connection], R], *, existing: bool) -> R:
        """Run in one transaction on a connection that is closed afterwards; raise Unavailable."""
        return run_apart(self._blocking, run)

    def dispose(self) -> None:
        """Close every connection."""
        for name in ("_blocking", "_asyncio"):
            if name in self.__dict__:
                self.__dict__[name].dispose()

    @cached_property
    def _blocking(self) -> BlockingSide:
        return self._make_blocking()

    @cached_property
    def _asyncio(self) -> AsyncSide:
        return self._make_asyncio()


def source_of(database: DatabaseSource | AsyncEngine | Engine | URL | str, create_missing: bool) -> DatabaseSource:
    """Answer the source for what a setting names; raise ConfigurationError. Nothing is opened."""
    if isinstance(database, DatabaseSource):
        return database
    if isinstance(database, Engine):
        return _of_engine(database, create_missing)
    if isinstance(database, str | URL):
        return _of_url(parse_url(database), create_missing)
    return _of_async_engine(database, create_missing)


def _of_url(url: URL, create_missing: bool) -> DatabaseSource:
    if url.get_backend_name() != "sqlite":
        check_driver(url)
        name = url.get_backend_name()
        return Server(name, lambda: Pooled(blocking_url(url)), lambda: PerLoop(asyncio_url(url)), create_missing)
    if is_sqlite_memory(url):
        return Sqlite(SqliteMemory(url), create_missing)
    return SqliteWithInline(url, create_missing)


def _of_engine(engine: Engine, create_missing: bool) -> DatabaseSource:
    _check_given(engine)
    name = engine.dialect.name
    if name != "sqlite":
        return Server(name, partial(PooledGiven, engine), lambda: PerLoop(asyncio_url(engine.url)), create_missing)
    if isinstance(engine.pool, SingletonThreadPool):
        raise ConfigurationError(
            "database is an engine whose every thread has a database in memory of its own: "
            "make it with poolclass=StaticPool, or give sqlite:// instead."
        )
    return Sqlite(SqliteGiven(engine), create_missing)


def _check_given(engine: Engine) -> None:
    # SQLAlchemy would let that level win over the one that a transaction asks for.
    if "isolation_level" in engine.get_execution_options():
        raise ConfigurationError(
            "database is an engine with an isolation level among its execution options, which would outdo authcore's: "
            "give the engine that it was made from, or write create_engine(…, isolation_level=…)."
        )


def _of_async_engine(engine: AsyncEngine, create_missing: bool) -> DatabaseSource:
    _check_given(engine.sync_engine)
    name = engine.dialect.name
    if name == "sqlite":
        return _of_url(parse_url(engine.url), create_missing)
    return Server(name, lambda: Pooled(blocking_url(engine.url)), partial(GivenAsync, engine), create_missing)
