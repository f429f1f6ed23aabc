"""Writes that share one commit: a disk flushes some hundred times a second, and many writers wait for it at once.

Each body runs in its own thread and its own savepoint, one after the other on one connection. Whoever finds nobody
waiting behind commits for all; an answer is given once that has happened. A body that fails takes nothing with it.
Bodies that need not outlast a power cut are committed without a flush, unless they join one of those that do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from authcore.backends import fork
from authcore.errors import Unavailable

R = TypeVar("R")
Open = Callable[[bool], AbstractContextManager[Connection]]
"""Begins a transaction; the argument says whether it is fleeting."""

MOST = 64  # bodies in one commit
LONGEST = 0.02  # seconds that a transaction stays open for others: processes wait for it as well
_LOOK = 0.05  # seconds between looks for a group that its last writer has left alone


class _Group:
    """One open transaction, and the writers who wait for its end."""

    def __init__(self, opened: Open, fleeting: bool) -> None:
        self._stack = ExitStack()
        self.tx = self._stack.enter_context(opened(fleeting))
        self.fleeting = fleeting
        self._raw: Any = self.tx.connection.dbapi_connection
        self.over = threading.Event()
        self.failed: Exception | None = None
        self.kept = 0
        self._size = 0
        self._began = time.monotonic()

    def run(self, body: Callable[[Connection], R]) -> R:
        """Run one body in a savepoint of its own; raise Unavailable if the whole transaction is gone after it."""
        self._size += 1
        self._raw.execute("SAVEPOINT authcore_group")
        try:
            answer = body(self.tx)
        except BaseException:
            if not self.is_lost():
                self._raw.execute("ROLLBACK TO authcore_group")
                self._raw.execute("RELEASE authcore_group")
            raise
        if self.is_lost():
            raise _lost()
        self._raw.execute("RELEASE authcore_group")
        self.kept += 1
        return answer

    def is_lost(self) -> bool:
        """Tell whether SQLite has rolled everything back: of a full disk it takes the whole transaction."""
        return not self._raw.in_transaction

    def is_full(self) -> bool:
        """Tell whether the next writer begins another group."""
        return self.is_lost() or self._size >= MOST or time.monotonic() - self._began >= LONGEST

    def end(self) -> None:
        """Commit, and let everybody who waits go on."""
        # Until the commit has answered nobody is told that it did, whatever stops it.
        self.failed = _lost()
        lost = self.is_lost()
        try:
            self._stack.close()
        except Exception as error:
            self.failed = error
        else:
            self.failed = self.failed if lost else None
        finally:
            self.over.set()


def _lost() -> Unavailable:
    return Unavailable("SQLite has rolled the transaction back.")


class GroupedWrites:
    """The writes of one process to one file."""

    def __init__(self, opened: Open, patience: float) -> None:
        self._open = opened
        self._patience = patience
        self._turn = fork.Mutex()
        self._forget()
        fork.register(self)

    def _forget(self) -> None:
        self._group: _Group | None = None
        self._coming = 0
        self._counting = threading.Lock()

    def before_fork(self) -> None:
        """Leave everything to the parent."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's transaction and who waits for it."""
        fork.abandon(self._group)
        self._forget()

    def write(self, body: Callable[[Connection], R], *, fleeting: bool = False) -> R:
        """Run a body and answer once it is committed; raise what it raises, or what the commit does."""
        self._come(1)
        try:
            turn = self._turn.within(self._patience)
            turn.__enter__()
        except BaseException:
            self._come(-1)
            raise
        try:
            self._come(-1)
            group, answer = self._run(body, fleeting)
        finally:
            turn.__exit__(None, None, None)
        self._wait(group)
        if group.failed is not None:
            raise group.failed
        return answer

    def quiet(self) -> AbstractContextManager[None]:
        """Hold writers back meanwhile."""
        return self._turn

    def _come(self, by: int) -> int:
        with self._counting:
            self._coming += by
            return self._coming

    def _run(self, body: Callable[[Connection], R], fleeting: bool) -> tuple[_Group, R]:
        group = self._group
        if group is not None and group.fleeting and not fleeting:
            self._end(group)  # its commit flushes nothing
            group = None
        if group is None:
            group = self._group = _Group(self._open, fleeting)
        try:
            return group, group.run(body)
        finally:
            # A group in which nothing is kept has nobody who would wait for its end.
            if self._coming == 0 or group.is_full() or group.kept == 0:
                self._end(group)

    def _end(self, group: _Group) -> None:
        self._group = None
        group.end()

    def _wait(self, group: _Group) -> None:
        while not group.over.wait(_LOOK):
            # Whoever was to come next may have given up: then somebody who waits ends it.
            with self._turn:
                if self._group is group and (self._coming == 0 or group.is_full()):
                    self._end(group)
