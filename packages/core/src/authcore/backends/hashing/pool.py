"""The pool that bounds hashing: at most so many at once, and what could not begin in time is refused (rule A7)."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

from authcore.backends import fork
from authcore.errors import Overloaded

R = TypeVar("R")
MAX_WAIT = 2.0  # seconds until a hash has to have begun (rule A7)
_FIRST_GUESS = 0.1  # seconds a hash, until one is measured
_WEIGHT = 0.2  # of the latest hash in the measured pace


def cores() -> int:
    """Answer on how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class HashPool:
    """At most `workers` hashes at once; what could not begin within 2 s at the measured pace is refused."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or cores()
        self._fixed = workers is not None
        self._executor = fork.Lazy(lambda: _executor(self._workers))
        self._mutex = fork.Mutex()
        self._pace = _FIRST_GUESS
        self._pending = 0
        fork.register(self)

    @property
    def workers(self) -> int:
        """Answer how many hashes run at once."""
        return self._workers

    def beside_loop(self) -> None:
        """Leave a processor to an event loop, unless the number of workers was given."""
        fewer = max(1, cores() - 1)
        if not self._fixed and fewer < self._workers:
            self._workers = fewer
            self.dispose()

    def submit(self, work: Callable[[], R]) -> Future[R]:
        """Queue `work`; raise Overloaded, with the seconds to wait in `Retry-After`."""
        self._admit()
        try:
            future = self._executor.get().submit(self._timed, work)
        except RuntimeError:
            self._leave()
            raise Overloaded from None  # the process is ending
        future.add_done_callback(lambda _: self._leave())
        return future

    def dispose(self) -> None:
        """Let the workers end what they have begun and what waits."""
        executor = self._executor.forget()
        if executor is not None:
            executor.shutdown(wait=False)

    def before_fork(self) -> None:
        """Leave the parent's threads alone."""

    def after_fork_in_child(self) -> None:
        """Start with nothing queued."""
        self._pending = 0

    def _admit(self) -> None:
        with self._mutex:
            ahead = max(0, self._pending + 1 - self._workers)
            wait = ahead * self._pace / self._workers
            if wait > MAX_WAIT:
                raise Overloaded(headers=(("Retry-After", str(math.ceil(wait))),))
            self._pending += 1

    def _leave(self) -> None:
        with self._mutex:
            self._pending = max(0, self._pending - 1)

    def _timed(self, work: Callable[[], R]) -> R:
        began = time.perf_counter()
        try:
            return work()
        finally:
            took = time.perf_counter() - began
            self._pace += _WEIGHT * (took - self._pace)


def _executor(workers: int) -> Executor:
    # A patched ThreadPoolExecutor runs greenlets: each hash would stop the whole hub.
    if _is_gevent():
        from gevent.threadpool import ThreadPoolExecutor as NativeThreads

        native: Executor = NativeThreads(workers)
        return native
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, thread_name_prefix="authcore-hash")


def _is_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
