"""What is open while a session lives, by the names that rows of revocations give it: one listener for all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from authcore.backends import fork
from authcore.services.revocations import ENDED, subject
from authcore.values import Value

T = TypeVar("T")
_APPLICATION = subject("")
Told = Callable[[Sequence[Any]], None]


class Names(Value, frozen=True):
    """What rows call a session, its user and its tenant: digests. None is a session that no row names."""

    session: str | None
    user: str
    tenant: str


def names_of(session_id: str, user_id: str, tenant_id: str) -> Names:
    """Answer the digests of three ids; a session without an id is one that the ledger does not have."""
    return Names(subject(session_id) if session_id else None, subject(user_id), subject(tenant_id))


class Watch(Protocol):
    """Something open. It is told in whatever thread reads the stream."""

    names: Names

    def end(self) -> None:
        """Learn that the session ended."""
        ...

    def doubt(self) -> None:
        """Learn that the session may have ended: the ledger knows."""
        ...


class Handle(Protocol):
    """What listening answers."""

    def close(self) -> None:
        """Listen no more."""
        ...


class Watches:
    """The registry of a process. It listens while something is open, and never in a thread of its own."""

    def __init__(self, listen: Callable[[Told], Handle]) -> None:
        self._listen = listen
        self._mutex = fork.Mutex()
        self._handle: Handle | None = None
        self._clear()
        fork.register(self)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, watch: Watch) -> None:
        """Tell `watch` from here on; ask the ledger after this, for what ended before."""
        with self._mutex:
            self._all.add(watch)
            for index, name in self._places(watch):
                index.setdefault(name, set()).add(watch)
            if self._handle is None:
                self._handle = self._listen(self._told)

    def remove(self, watch: Watch) -> None:
        """Tell it no more."""
        with self._mutex:
            self._all.discard(watch)
            for index, name in self._places(watch):
                _drop(index, name, watch)
            if not self._all and self._handle is not None:
                self._handle.close()
                self._handle = None

    def before_fork(self) -> None:
        """Do nothing: what is open stays the parent's."""

    def after_fork_in_child(self) -> None:
        """Forget what is open in the parent, and its listener, whose thread is not in this process."""
        fork.abandon((self._all, self._handle))
        if self._handle is not None:
            self._handle.close()
        self._handle = None
        self._clear()

    def _clear(self) -> None:
        self._all: set[Watch] = set()
        self._sessions: dict[str, set[Watch]] = {}
        self._users: dict[str, set[Watch]] = {}
        self._tenants: dict[str, set[Watch]] = {}

    def _places(self, watch: Watch) -> list[tuple[dict[str, set[Watch]], str]]:
        names = watch.names
        places = [(self._users, names.user), (self._tenants, names.tenant)]
        return places if names.session is None else [(self._sessions, names.session), *places]

    def _told(self, rows: Sequence[Any]) -> None:
        for row in rows:
            if row.kind == "session" and row.value == ENDED:
                for watch in self._found(self._sessions, row.subject):
                    watch.end()
            else:
                for watch in self._concerned(row):
                    watch.doubt()

    def _concerned(self, row: Any) -> tuple[Watch, ...]:
        if row.kind == "session":
            return self._found(self._sessions, row.subject)
        if row.kind != "tenant":
            return self._found(self._users, row.subject)
        if row.subject == _APPLICATION:
            with self._mutex:
                return tuple(self._all)
        return self._found(self._tenants, row.subject)

    def _found(self, index: dict[str, set[Watch]], name: str) -> tuple[Watch, ...]:
        with self._mutex:
            return tuple(index.get(name, ()))


def _drop(index: dict[str, set[Watch]], name: str, watch: Watch) -> None:
    found = index.get(name)
    if found is not None:
        found.discard(watch)
        if not found:
            del index[name]


class Flag:
    """A watch that is looked at between two items of a stream, without an event loop."""

    def __init__(self, watches: Watches, names: Names, ask: Callable[[], object | None], recheck: float) -> None:
        self.names = names
        self._watches, self._ask, self._recheck = watches, ask, recheck
        self._over, self._doubted = False, True
        self._asked = time.monotonic()
        watches.add(self)

    def end(self) -> None:
        """Learn that the session ended."""
        self._over = True

    def doubt(self) -> None:
        """Learn that the session may have ended."""
        self._doubted = True

    def lives(self) -> bool:
        """Tell whether the session lives; ask the ledger at first, in doubt, and each `recheck` seconds."""
        now = time.monotonic()
        if not self._over and (self._doubted or now - self._asked >= self._recheck):
            self._doubted, self._asked = False, now
            self._over = self._ask() is None
        return not self._over

    def close(self) -> None:
        """Be told no more."""
        self._watches.remove(self)


def while_lives(stream: Iterable[T], watched: Callable[[], Flag]) -> Iterator[T]:
    """Answer what a stream yields while its session lives; nothing is watched before the first item is asked for."""
    flag = watched()
    try:
        for item in stream:
            if not flag.lives():
                return
            yield item
    finally:
        flag.close()
        close = getattr(stream, "close", None)
        if close is not None:
            close()
