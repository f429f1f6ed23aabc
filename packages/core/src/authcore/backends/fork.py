"""One hook for the process: what a fork copies must neither be used nor closed by the child (rule O5)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet

from authcore.errors import Unavailable

T = TypeVar("T")
QUIET = 5.0  # seconds that a fork waits for what other threads are in the middle of


class ForkAware(Protocol):
    """Something that holds connections or threads."""

    def before_fork(self) -> None:
        """Close what lies idle, so that there is less to copy; runs in the parent, while every Mutex is held."""
        ...

    def after_fork_in_child(self) -> None:
        """Forget what the parent made, without closing it."""
        ...


_known: WeakSet[ForkAware] = WeakSet()
_mutexes: WeakSet[Mutex] = WeakSet()
_lock = threading.Lock()
_abandoned: list[object] = []


def register(thing: ForkAware) -> None:
    """Tell `thing` of every fork for as long as it lives."""
    with _lock:
        _known.add(thing)


def abandon(thing: object) -> None:
    """Keep `thing` alive and untouched: a collected pool would say goodbye on the parent's own sockets."""
    _abandoned.append(thing)


class Mutex:
    """A lock that a fork waits for, so that it copies nothing half done, and that the child finds open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forking = False
        with _lock:
            _mutexes.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Hold the lock; raise Unavailable if others hold it for longer than `seconds`."""
        if not self._lock.acquire(timeout=seconds):
            raise Unavailable from TimeoutError(f"other writes of this process took longer than {seconds:g} seconds")
        try:
            yield
        finally:
            self._lock.release()

    def hold_for_fork(self) -> None:
        """Wait for the lock, but not for ever: the forking thread may hold it itself."""
        self._forking = self._lock.acquire(timeout=QUIET)

    def release_in_parent(self) -> None:
        """Give the lock back."""
        if self._forking:
            self._forking = False
            self._lock.release()

    def renew_in_child(self) -> None:
        """Make the lock anew: its holder is not in this process."""
        self._forking = False
        self._lock = threading.Lock()


class Lazy(Generic[T]):
    """A value made at its first use, once in each process."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._value: T | None = None
        self._mutex = Mutex()
        register(self)

    def get(self) -> T:
        """Answer the value, made by the first of many threads."""
        if self._value is None:
            with self._mutex:
                if self._value is None:
                    self._value = self._make()
        return self._value

    def made(self) -> T | None:
        """Answer the value if it is made."""
        return self._value

    def forget(self) -> T | None:
        """Answer the value if it is made, and make another at the next use."""
        value, self._value = self._value, None
        return value

    def before_fork(self) -> None:
        """Leave the parent's value as it is."""

    def after_fork_in_child(self) -> None:
        """Drop the parent's value, untouched."""
        abandon(self.forget())


def _before() -> None:
    _lock.acquire()
    for mutex in list(_mutexes):
        mutex.hold_for_fork()
    for thing in list(_known):
        thing.before_fork()


def _after_in_parent() -> None:
    for mutex in list(_mutexes):
        mutex.release_in_parent()
    _lock.release()


def _after_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    for mutex in list(_mutexes):
        mutex.renew_in_child()
    for thing in list(_known):
        thing.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
