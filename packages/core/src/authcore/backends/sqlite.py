"""The blocking sides of SQLite: a file, a database in memory, and an application's own engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from authcore.backends import fork
from authcore.backends.engines import LazyEngine
from authcore.backends.failures import is_busy
from authcore.backends.sqlite_groups import GroupedWrites
from authcore.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

R = TypeVar("R")
Run = Callable[[Connection], R]

BUSY_TIMEOUT = 5.0  # seconds that a connection, or a thread at the process lock, waits for another writer
"""A URL may say otherwise: `sqlite:///app.db?timeout=1`."""


class SqliteFile:
    """One file: reads on a connection of each thread's own, writes one by one, and committed together."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._readers = ThreadConnections(lambda: _engine(url, NullPool, _set_up_reader))
        self._writer = LazyEngine(lambda: _engine(url, QueuePool, _set_up_writer))
        self._counter = LazyEngine(lambda: _engine(url, QueuePool, _set_up_counter))
        # BEGIN IMMEDIATE: a plain BEGIN that turns to writing fails at once, whatever the timeout.
        self._writes = GroupedWrites(self._begun, patience(url))

    def read(self, run: Run[R]) -> R:
        """Run outside a transaction, on a connection that refuses writes."""
        return self._readers.run(run)

    def write(self, run: Run[R], *, fleeting: bool = False) -> R:
        """Run inside a transaction, and answer once it is committed."""
        return self._writes.write(run, fleeting=fleeting)

    def write_apart(self, run: Run[R]) -> R:
        """Run like `write`, on a connection that is closed afterwards."""
        with immediate(_engine(self._url, NullPool, _set_up_writer)) as tx:
            return run(tx)

    def dispose(self) -> None:
        """Close every connection."""
        self._readers.dispose()
        with self._writes.quiet():
            self._writer.close_idle()
            self._counter.close_idle()

    def _begun(self, fleeting: bool) -> AbstractContextManager[Connection]:
        return immediate((self._counter if fleeting else self._writer).get())


class SqliteMemory:
    """A database in memory for tests: one connection that all threads take turns at.

    Memory has no socket and no lock on a file, so the child of a fork goes on with a copy.
    """

    def __init__(self, url: URL) -> None:
        self._engine = _engine(url, StaticPool, _set_up_memory)
        self._turn = fork.Mutex()
        self._patience = patience(url)

    def read(self, run: Run[R]) -> R:
        """Run outside a transaction."""
        with self._turn.within(self._patience), self._engine.connect() as connection:
            return run(connection)

    def write(self, run: Run[R], *, fleeting: bool = False) -> R:
        """Run inside a transaction."""
        with self._turn.within(self._patience), immediate(self._engine) as tx:
            return run(tx)

    write_apart = write

    def dispose(self) -> None:
        """Close the connection, and with it the database."""
        self._engine.dispose()


class SqliteGiven:
    """An application's own engine: its pool and its settings, but never its way to begin a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._given = engine
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._one_connection = isinstance(engine.pool, StaticPool)
        self._turn = fork.Mutex()
        self._patience = patience(engine.url)
        fork.register(self)

    def read(self, run: Run[R]) -> R:
        """Run outside a transaction."""
        if self._one_connection:
            with self._turn.within(self._patience), self._engine.connect() as connection:
                return run(connection)
        with self._engine.connect() as connection:
            return run(connection)

    def write(self, run: Run[R], *, fleeting: bool = False) -> R:
        """Run inside BEGIN IMMEDIATE."""
        with self._turn.within(self._patience), immediate(self._engine) as tx:
            return run(tx)

    write_apart = write

    def dispose(self) -> None:
        """Leave the engine open: it is the application's."""

    def before_fork(self) -> None:
        """Leave the parent's pool alone."""

    def after_fork_in_child(self) -> None:
        """Take another pool, unless all data lives in the one connection."""
        if not self._one_connection:
            fork.abandon(self._given.pool)
            self._given.dispose(close=False)


class ThreadConnections:
    """One open connection a thread, without a check-out from a pool; closed when the thread ends.

    Nothing stays open over a fork: SQLite's own book of the locks on a file is copied with it, and a child that
    believes in its parent's locks waits for ever, or lets another process take the WAL from under it.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._engine = fork.Lazy(make)
        self._mine = _Mine()
        self._all: WeakSet[_Held] = WeakSet()
        self._opening = fork.Mutex()
        fork.register(self)

    def run(self, run: Run[R]) -> R:
        """Run on this thread's connection."""
        held = self._mine.held or self._open()
        with held.lock:
            if held.connection.closed:
                return self._run_again(run)
            try:
                return run(held.connection)
            except Exception:
                # A result that the traceback keeps half read would hold this connection at an old snapshot.
                held.close()
                raise

    def dispose(self) -> None:
        """Close every thread's connection, once its read has ended."""
        for held in list(self._all):
            held.close_within(fork.QUIET)

    before_fork = dispose

    def after_fork_in_child(self) -> None:
        """Start without connections."""
        fork.abandon((self._mine, list(self._all)))
        self._mine, self._all = _Mine(), WeakSet()

    def _run_again(self, run: Run[R]) -> R:
        self._mine.held = None
        return self.run(run)

    def _open(self) -> _Held:
        engine = self._engine.get()
        with self._opening:
            held = self._mine.held = _Held(engine.connect())
            self._all.add(held)
        return held


class _Held:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.lock = threading.RLock()
        self._process = os.getpid()

    def close(self) -> None:
        self.connection.close()

    def close_within(self, seconds: float) -> None:
        if self.lock.acquire(timeout=seconds):
            try:
                self.close()
            finally:
                self.lock.release()

    def __del__(self) -> None:
        # A fork clears other threads' variables in the child: closing there would act on the parent's file.
        if os.getpid() == self._process:
            # Collected in one go with its connection, it may find that the driver has closed that already.
            with suppress(ProgrammingError):
                self.close()
        else:
            fork.abandon(self.connection)


class _Mine(threading.local):
    held: _Held | None = None


@contextmanager
def immediate(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write from its start, on an engine in AUTOCOMMIT."""
    with engine.begin() as tx:
        tx.exec_driver_sql("BEGIN IMMEDIATE")
        yield tx


def inline_engine(url: URL) -> Engine:
    """Make the engine of reads on an event loop: it never waits and never writes."""
    return _engine(url, NullPool, _set_up_inline, timeout=0.0)


def patience(url: URL) -> float:
    """Answer the seconds to wait for another writer."""
    given = url.query.get("timeout")
    try:
        return float(given) if isinstance(given, str) else BUSY_TIMEOUT
    except ValueError:
        raise ConfigurationError("database has a timeout that is no number: write ?timeout=5, in seconds.") from None


def _engine(
    url: URL, pool: type[Any], set_up: Callable[[sqlite3.Connection], None], timeout: float | None = None
) -> Engine:
    engine = create_engine(
        url,
        poolclass=pool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # rule O3: an error's text carries no e-mail address and no digest
        connect_args={"timeout": patience(url) if timeout is None else timeout, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, record: object) -> None:
        set_up(connection)

    return engine


def _set_up_writer(connection: sqlite3.Connection) -> None:
    _ensure_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")  # NORMAL may lose the last revocations at a power cut
    connection.execute("PRAGMA foreign_keys=ON")


def _set_up_counter(connection: sqlite3.Connection) -> None:
    _ensure_wal(connection)
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        connection.execute("PRAGMA synchronous=NORMAL")  # no flush: the next one of a writer's takes it to the disk


def _set_up_reader(connection: sqlite3.Connection) -> None:
    _ensure_wal(connection)
    connection.execute("PRAGMA query_only=ON")


def _set_up_inline(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only=ON")


def _set_up_memory(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _ensure_wal(connection: sqlite3.Connection) -> None:
    import sqlite3

    # Changing the mode ignores the busy timeout: a fresh file that several processes open needs some tries.
    deadline = time.monotonic() + BUSY_TIMEOUT
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return  # a file system without shared memory stays as it is
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
