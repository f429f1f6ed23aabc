"""The sides of a database server: pools of a process for blocking code, and of each running loop for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet, ref

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool

from authcore.backends import fork
from authcore.backends.engines import POOL, LazyEngine, server_settings
from authcore.ports import FLEETING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

R = TypeVar("R")


class Pooled:
    """The blocking side of a database server: AUTOCOMMIT reads and READ COMMITTED writes over one pool."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self.driver = url.get_driver_name()
        self._engine = LazyEngine(lambda: create_engine(url, **POOL, **server_settings(url)))
        # Its own engine is in READ COMMITTED already.
        self._pair = fork.Lazy(lambda: _Pair(self._engine.get(), self._engine.get()))

    def read(self, run: Callable[[Connection], R]) -> R:
        """Run outside a transaction."""
        with self._pair.get().reading.connect() as connection:
            return run(connection)

    def write(self, run: Callable[[Connection], R], *, fleeting: bool = False) -> R:
        """Run inside a transaction."""
        pair = self._pair.get()
        with (pair.fleeting if fleeting else pair.writing).begin() as tx:
            return run(tx)

    def write_apart(self, run: Callable[[Connection], R]) -> R:
        """Run like `write`, on a connection that is closed afterwards."""
        engine = create_engine(self._url, poolclass=NullPool, **server_settings(self._url))
        with engine.begin() as tx:
            return run(tx)

    def connect_apart(self) -> Connection:
        """Answer a connection in AUTOCOMMIT of its caller's own."""
        settings = {**server_settings(self._url), "isolation_level": "AUTOCOMMIT"}
        return create_engine(self._url, poolclass=NullPool, **settings).connect()

    def dispose(self) -> None:
        """Close every connection; those in use when this is called again."""
        self._engine.close_idle()


class PooledGiven:
    """An application's own engine for a database server."""

    def __init__(self, engine: Engine) -> None:
        self._given = engine
        self.driver = engine.dialect.driver
        self._pair = _Pair(engine, engine.execution_options(isolation_level="READ COMMITTED"))
        fork.register(self)

    def read(self, run: Callable[[Connection], R]) -> R:
        """Run outside a transaction."""
        with self._pair.reading.connect() as connection:
            return run(connection)

    def write(self, run: Callable[[Connection], R], *, fleeting: bool = False) -> R:
        """Run inside a transaction."""
        with (self._pair.fleeting if fleeting else self._pair.writing).begin() as tx:
            return run(tx)

    def write_apart(self, run: Callable[[Connection], R]) -> R:
        """Run like `write`, on a connection that is closed afterwards."""
        with self._pair.writing.connect() as connection:
            connection.detach()
            with connection.begin():
                return run(connection)

    def connect_apart(self) -> Connection:
        """Answer a connection in AUTOCOMMIT of its caller's own."""
        connection = self._pair.reading.connect()
        connection.detach()
        return connection

    def dispose(self) -> None:
        """Leave the engine open: it is the application's."""

    def before_fork(self) -> None:
        """Leave the parent's pool alone."""

    def after_fork_in_child(self) -> None:
        """Take another pool, as a child has to."""
        fork.abandon(self._given.pool)
        self._given.dispose(close=False)


def _fleeting(engine: Engine) -> dict[str, Any]:
    """Answer the options of transactions that need not outlast a power cut."""
    # Over psycopg such a one is a single statement, for which none has to be begun and ended.
    single = engine.dialect.driver == "psycopg" and "schema_translate_map" not in engine.get_execution_options()
    return {FLEETING: True, "isolation_level": "AUTOCOMMIT" if single else "READ COMMITTED"}


class _Pair:
    def __init__(self, engine: Engine, writing: Engine) -> None:
        self.writing = writing
        # Of two isolation levels on one engine after the other, SQLAlchemy takes the first.
        self.fleeting = engine.execution_options(**_fleeting(engine))
        # On the engine: asked for on a connection, it costs a round trip around each read.
        self.reading = engine.execution_options(isolation_level="AUTOCOMMIT")


class _AsyncPair:
    def __init__(self, engine: AsyncEngine) -> None:
        self.writing = engine.execution_options(isolation_level="READ COMMITTED")
        self.fleeting = engine.execution_options(**_fleeting(engine.sync_engine))
        self.reading = engine.execution_options(isolation_level="AUTOCOMMIT")


class GivenAsync:
    """An application's own AsyncEngine, on whatever loop it calls from."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._given = engine
        self._pair = _AsyncPair(engine)
        fork.register(self)

    def reading(self) -> AsyncEngine:
        """Answer the engine in AUTOCOMMIT."""
        return self._pair.reading

    def writing(self, *, fleeting: bool = False) -> AsyncEngine:
        """Answer the engine for transactions."""
        return self._pair.fleeting if fleeting else self._pair.writing

    def dispose(self) -> None:
        """Leave the engine open: it is the application's."""

    before_fork = dispose

    def after_fork_in_child(self) -> None:
        """Take another pool, as a child has to."""
        fork.abandon(self._given.sync_engine.pool)
        self._given.sync_engine.dispose(close=False)


class PerLoop:
    """An engine for each running loop: a pool's locks and sockets belong to the loop that made them."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._entries: list[_Entry] = []
        self._mutex = fork.Mutex()
        fork.register(self)

    def reading(self) -> AsyncEngine:
        """Answer the running loop's engine in AUTOCOMMIT."""
        return self._pair().reading

    def writing(self, *, fleeting: bool = False) -> AsyncEngine:
        """Answer the running loop's engine for transactions."""
        return self._pair().fleeting if fleeting else self._pair().writing

    def dispose(self) -> None:
        """Close every connection, without a farewell: no loop may be running."""
        entries, self._entries = self._entries, []
        for entry in entries:
            entry.close()

    def before_fork(self) -> None:
        """Leave the parent's loops alone."""

    def after_fork_in_child(self) -> None:
        """Start without an engine."""
        fork.abandon(self._entries)
        self._entries = []

    def _pair(self) -> _AsyncPair:
        loop = asyncio.get_running_loop()
        for entry in self._entries:
            if entry.loop() is loop:
                return entry.pair
        with self._mutex:
            self._sweep()
            entry = _Entry(loop, self._url)
            self._entries = [*self._entries, entry]
        return entry.pair

    def _sweep(self) -> None:
        gone = [entry for entry in self._entries if entry.is_over()]
        self._entries = [entry for entry in self._entries if entry not in gone]
        for entry in gone:
            entry.close()


class _Entry:
    def __init__(self, loop: asyncio.AbstractEventLoop, url: URL) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine

        self.loop = ref(loop)
        engine = create_async_engine(url, **POOL, **server_settings(url))
        self.pair = _AsyncPair(engine)
        self._open: WeakSet[Any] = WeakSet()
        event.listen(engine.sync_engine, "connect", self._connected)

    def is_over(self) -> bool:
        loop = self.loop()
        return loop is None or loop.is_closed()

    def close(self) -> None:
        # Closing properly would await on a loop that has ended.
        for driver in list(self._open):
            finish = getattr(driver, "terminate", None) or driver.pgconn.finish
            finish()

    def _connected(self, connection: Any, record: Any) -> None:
        self._open.add(connection.driver_connection)
