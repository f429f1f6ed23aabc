"""What tells a process that something ended on another one: a bell to wait for, and a way to read what rang it.

A bell carries nothing. Whoever hears it reads the rows, and reads them as well where it was silent for a while: a bell
that is lost costs time, never a revocation.
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Protocol, TypeVar, runtime_checkable

from sqlalchemy import text
from sqlalchemy.engine import Connection

from authcore.backends import fork
from authcore.drive import run_blocking
from authcore.errors import ConfigurationError
from authcore.ports import Database
from authcore.reports import is_due
from authcore.services.revocations import CHANNEL

R = TypeVar("R")
_log = logging.getLogger("authcore.revocations")
GATHER = 0.05  # seconds between two readings, however often it rings
UNHEARD = 5000  # milliseconds after which a connection that answers nothing is given up
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between attempts to subscribe again
REDIS_CHANNEL = "authcore:revocation"


class Line(Protocol):
    """An open stream, used by one thread."""

    def wait(self, seconds: float) -> None:
        """Return when something ended elsewhere, and at the latest after `seconds`."""
        ...

    def read(self, store: Callable[..., R], *args: Any) -> R:
        """Answer what a store function reads."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


@runtime_checkable
class Stream(Protocol):
    """What `Auth(stream=…)` takes: how processes tell each other that something ended."""

    def open(self, database: Callable[[], Database], release: Callable[[], None]) -> Line:
        """Answer an open line; `release` closes what the thread has open of the database."""
        ...

    def ring(self) -> None:
        """Tell the others, after a commit; never wait, never raise."""
        ...


class _Pace:
    """The first ring is heard at once, those that follow together."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def keep(self) -> None:
        """Wait until another reading is due."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + GATHER


class _Reading:
    """A line's reading, over the database port."""

    def __init__(self, database: Callable[[], Database], release: Callable[[], None]) -> None:
        self._database, self._release = database, release

    def read(self, store: Callable[..., R], *args: Any) -> R:
        """Answer what a store function reads; raise Unavailable."""
        return run_blocking(self._database().read(store, *args))

    def close(self) -> None:
        """Let go of the connection."""
        self._release()


# --- without a stream ---


class Polling:
    """No bell but the process's own: what others end is found by looking."""

    def __init__(self) -> None:
        self._bell = threading.Event()
        fork.register(self)

    def open(self, database: Callable[[], Database], release: Callable[[], None]) -> Line:
        """Answer a line that looks every time."""
        return _PollingLine(self._bell, database, release)

    def ring(self) -> None:
        """Let this process look at once."""
        self._bell.set()

    def before_fork(self) -> None:
        """Do nothing: a bell is not shared."""

    def after_fork_in_child(self) -> None:
        """Take another bell: its lock may have been held."""
        self._bell = threading.Event()


class _PollingLine(_Reading):
    def __init__(self, bell: threading.Event, *how: Any) -> None:
        super().__init__(*how)
        self._bell = bell

    def wait(self, seconds: float) -> None:
        self._bell.wait(seconds)
        self._bell.clear()


# --- PostgreSQL ---


class PostgresStream:
    """LISTEN on a connection of its own, which also reads: a pool that is all taken delays nothing."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def open(self, database: Callable[[], Database], release: Callable[[], None]) -> Line:
        """Answer a line that listens; raise what the driver raises."""
        run_blocking(database().read(_nothing))  # in development, this makes the tables
        connection = self._connect()
        try:
            return _PostgresLine(connection)
        except BaseException:
            connection.close()
            raise

    def ring(self) -> None:
        """Do nothing: the transaction that ends something notifies."""


def _nothing(tx: Connection) -> None: ...


class _PostgresLine:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        self._pace = _Pace()
        _give_up_unheard(self._driver)
        connection.execute(text(f"LISTEN {CHANNEL}"))

    def wait(self, seconds: float) -> None:
        if list(self._driver.notifies(timeout=seconds, stop_after=1)):
            self._pace.keep()

    def read(self, store: Callable[..., R], *args: Any) -> R:
        return store(self._connection, *args)

    def close(self) -> None:
        self._connection.close()


def _give_up_unheard(driver: Any) -> None:
    # A connection that a firewall forgot looks open for two hours.
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    with suppress(OSError), closing(socket.socket(fileno=os.dup(driver.fileno()))) as same:
        same.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD)


# --- Redis ---


class RedisStream:
    """Redis pub/sub over an application's own client, which blocks: `RedisStream(redis.Redis(…))`.

    For databases without LISTEN, and where one connection more a process is unwanted. What is published is empty; a
    Redis that is away makes a revocation up to half a second slower, and loses none. Raises ConfigurationError.
    """

    def __init__(self, client: Any, channel: str = REDIS_CHANNEL) -> None:
        _check(client, channel)
        self._client, self._channel = client, channel
        self._mutex = fork.Mutex()
        self._rung = self._busy = False
        fork.register(self)

    def __repr__(self) -> str:
        return f"RedisStream(channel={self._channel!r})"

    def open(self, database: Callable[[], Database], release: Callable[[], None]) -> Line:
        """Answer a line that subscribes at its first use."""
        return _RedisLine(self._client, self._channel, database, release)

    def ring(self) -> None:
        """Publish, in a thread of its own: neither a request nor an event loop waits for it."""
        with self._mutex:
            self._rung = True
            if self._busy:
                return  # one is on its way, and goes again
            self._busy = True
        try:
            threading.Thread(target=self._publish, name="authcore-ring", daemon=True).start()
        except RuntimeError:  # no thread can be made: others look by themselves
            self._busy = False

    def before_fork(self) -> None:
        """Do nothing: a thread is not carried over."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread."""
        self._rung = self._busy = False

    def _publish(self) -> None:
        while self._is_rung():
            try:
                self._client.publish(self._channel, b"")
            except Exception as error:
                _warn("Redis could not be told that something ended", error)

    def _is_rung(self) -> bool:
        with self._mutex:
            self._busy, self._rung = self._rung, False
            return self._busy


class _RedisLine(_Reading):
    """Rows are read in the thread that waits here; another one hears, so that no slow Redis delays a reading."""

    def __init__(self, client: Any, channel: str, *how: Any) -> None:
        super().__init__(*how)
        self._bell, self._pace = threading.Event(), _Pace()
        self._ear = _Ear(client, channel, self._bell)

    def wait(self, seconds: float) -> None:
        if self._bell.wait(seconds):
            self._bell.clear()
            self._pace.keep()

    def close(self) -> None:
        self._ear.close()
        super().close()


class _Ear:
    """A thread that is subscribed, and subscribes again now and then where that failed."""

    def __init__(self, client: Any, channel: str, bell: threading.Event) -> None:
        self._client, self._channel, self._bell = client, channel, bell
        self._stopping = threading.Event()
        self._failed = 0
        self._thread = threading.Thread(target=self._listen, name="authcore-redis", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; one that waits for a Redis that is away ends by itself."""
        self._stopping.set()
        self._thread.join(1.0)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            subscription = None
            try:
                subscription = self._client.pubsub(ignore_subscribe_messages=True)
                subscription.subscribe(self._channel)
                self._hear(subscription)
            except Exception as error:  # of whatever client
                _warn("The Redis stream of revocations is lost, and the database is looked at instead", error)
                self._stopping.wait(PAUSES[min(self._failed, len(PAUSES) - 1)])
                self._failed += 1
            finally:
                _close_quietly(subscription)

    def _hear(self, subscription: Any) -> None:
        while not self._stopping.is_set():
            if subscription.get_message(timeout=0.4) is not None:
                self._bell.set()
            self._failed = 0


def _close_quietly(subscription: Any) -> None:
    if subscription is not None:
        with suppress(Exception):
            subscription.close()


def _warn(what: str, error: Exception) -> None:
    told = f"{what} ({type(error).__name__})."  # without its words, which may hold a password (rule O3)
    if is_due(told):
        _log.warning("%s", told)


def _check(client: Any, channel: object) -> None:
    needed = ("publish", "pubsub", "execute_command")
    if isinstance(client, type) or not all(callable(getattr(client, name, None)) for name in needed):
        raise ConfigurationError("RedisStream(…) takes a client of redis-py, such as redis.Redis(host='127.0.0.1').")
    if inspect.iscoroutinefunction(client.execute_command):
        raise ConfigurationError(
            "RedisStream(…) takes a client that blocks, redis.Redis(…), not one of redis.asyncio: "
            "it is used in a thread of its own, so no event loop waits."
        )
    if not isinstance(channel, str) or not channel:
        raise ConfigurationError("RedisStream(channel=…) is text, such as 'authcore:revocation'.")
