"""One lazy thread of a process that keeps up with a stream; it ends by itself where nobody wants it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Protocol

from authcore.backends import fork
from authcore.backends.streams import Line

_log = logging.getLogger("authcore.revocations")
EVERY = 0.4  # seconds between two readings, at the most
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to open a line again
PATIENCE = 5.0  # seconds that stopping waits for the thread


class Work(Protocol):
    """What the thread does."""

    def open_line(self) -> Line:
        """Answer an open line."""
        ...

    def keep_up(self, line: Line) -> None:
        """Read on."""
        ...

    def tell(self) -> None:
        """Call who listens."""
        ...

    def is_wanted(self) -> bool:
        """Tell whether anybody still wants it."""
        ...


class Reader:
    """The thread: made at the first `start`, forgotten in a forked child, made again at the next `start`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._run: _Run | None = None
        self._mutex = fork.Mutex()
        fork.register(self)

    @property
    def running(self) -> bool:
        """Tell whether there is a thread."""
        return self._run is not None

    def start(self) -> None:
        """Start the thread, unless there is one."""
        with self._mutex:
            if self._run is not None:
                return
            run = _Run()
            # A daemon: an application that ends does not wait for it.
            run.thread = threading.Thread(target=self._follow, args=(run,), name="authcore-revocations", daemon=True)
            with suppress(RuntimeError):  # no thread can be made: the table is read on demand
                run.thread.start()
                self._run = run

    def stop(self) -> None:
        """End the thread, and wait for it."""
        with self._mutex:
            run, self._run = self._run, None
        if run is not None:
            run.stopping.set()
            if run.thread is not threading.current_thread():
                run.thread.join(PATIENCE)

    def before_fork(self) -> None:
        """Do nothing: a thread is not carried over."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread, and keep its line unclosed: the socket is the parent's."""
        fork.abandon(self._run)
        self._run = None

    def _follow(self, run: _Run) -> None:
        while not self._is_over(run):
            try:
                if run.line is None:
                    run.line = self._work.open_line()
                self._work.keep_up(run.line)
                self._work.tell()
                run.failed = 0
                run.line.wait(EVERY)
            except Exception as error:  # whatever a driver raises: guards ask by themselves meanwhile
                self._lose(run, error)
        _close(run)

    def _lose(self, run: _Run, error: Exception) -> None:
        if run.failed == 0:
            # Without the words of the driver, which may hold a password (rule O3).
            reason = type(error.__cause__ or error).__name__
            _log.warning("The stream of revocations is lost (%s): guards ask the database until it is back.", reason)
        _close(run)
        self._work.tell()
        run.stopping.wait(PAUSES[min(run.failed, len(PAUSES) - 1)])
        run.failed += 1

    def _is_over(self, run: _Run) -> bool:
        with self._mutex:
            if run.stopping.is_set():
                return True
            if self._work.is_wanted():
                return False
            self._run = None
            return True


class _Run:
    """One life of the thread."""

    thread: threading.Thread

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.line: Line | None = None
        self.failed = 0


def _close(run: _Run) -> None:
    line, run.line = run.line, None
    if line is not None:
        with suppress(Exception):
            line.close()
