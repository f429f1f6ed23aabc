"""One node's table of what ended, kept no older than a second.

Where there is a stream, a thread keeps the table, and a guard asks nobody. Else, and while the stream is lost, whoever
asks reads on where the table is older than half a second. Numbers of rows are given before their transactions commit,
so each reading begins far enough back for a row that came late.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from authcore.backends import fork
from authcore.backends.reader import Reader
from authcore.backends.streams import Line, Polling, Stream
from authcore.backends.system import SystemClock
from authcore.context import Context
from authcore.errors import ConfigurationError
from authcore.ports import Clock, Database
from authcore.services import revocations
from authcore.services.revocations import Kind, Revocation, Revoked

_log = logging.getLogger("authcore.revocations")
FRESH = 0.5  # seconds for which a reading on demand counts as current
HELD = 0.9  # seconds for which one of the thread does, which reads every 0.4
IDLE = 60.0  # seconds after which a thread that nobody asks ends
SLOWEST = 900.0  # seconds that a transaction of an application's own may take before its rows are heard of too late
SKEW = 300.0  # seconds by which the clocks of nodes may differ
FAR_BACK = 30.0  # seconds between two readings that begin so far back


class Row(Protocol):
    """One thing that ended, as a listener is told of it.

    `kind` is "session" (`value` is the stamp that it keeps, "" where it ended), "user" (its epoch), "tenant" (its
    generation; the application's is of the tenant "") or "changed"; `subject` is the SHA-256 of the id, in hexadecimal.
    """

    seq: int
    kind: Kind
    subject: str
    value: str
    at: datetime


Told = Callable[[Sequence[Row]], None]


class Listening:
    """A listener's handle."""

    def __init__(self, follower: Follower, told: Told) -> None:
        self._follower = follower
        self.told = told

    def close(self) -> None:
        """Tell it no more."""
        self._follower.dismiss(self)


class Follower:
    """The table, how far it has read, and who is told. Nothing runs before the first question."""

    def __init__(
        self,
        database: Callable[[], Database] | None = None,
        stream: Callable[[], Stream | None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self.table = Revoked()
        self._database, self._find_stream, self._release = database, stream, release
        self._clock = clock or SystemClock()
        self._near, self._far = _Trail(revocations.SETTLED), _Trail(SLOWEST)
        self._far_at = float("-inf")
        self._known: set[int] = set()
        self._confirmed = self._asked = float("-inf")
        self._mutex = fork.Mutex()
        self._listeners: tuple[Listening, ...] = ()
        self._untold: deque[Row] = deque()
        self._stream: Stream | None = None
        self._streams: bool | None = None
        self._reader = Reader(self)

    # --- asking ---

    def current(self) -> bool:
        """Tell whether the table lacks nothing that was committed longer than a second ago; start the stream."""
        self._asked = now = time.monotonic()
        if self._reader.running:
            return now - self._confirmed <= HELD
        if self._streams is not False:
            self._begin()
        return now - self._confirmed <= FRESH

    async def catch_up(self, ctx: Context) -> None:
        """Read on; raise Unavailable."""
        began, now = time.monotonic(), ctx.now()
        rows = await ctx.db.read(revocations.since, self._floor(began), now - revocations.KEEP)
        self.take(rows, began, now)

    # --- being told ---

    def listen(self, told: Callable[[Sequence[Row]], None]) -> Listening:
        """Call a function with what this process learns from here on, each row once, in the thread of the stream.

        Without a stream the thread looks every 0.4 seconds. What was learned before is in `table`. A function that
        raises stands in the log, and harms nobody.
        """
        listening = Listening(self, told)
        with self._mutex:
            self._listeners = (*self._listeners, listening)
        self._settle()
        self._reader.start()
        return listening

    def dismiss(self, listening: Listening) -> None:
        """Tell a listener no more."""
        with self._mutex:
            self._listeners = tuple(each for each in self._listeners if each is not listening)

    def ring(self) -> None:
        """Tell other processes, after a commit of this one."""
        self._settle()
        if self._stream is not None:
            self._stream.ring()

    def stop(self) -> None:
        """End the thread; the next question starts it again."""
        self._reader.stop()

    # --- taking in ---

    def take(self, rows: Sequence[Any], began: float, now: datetime) -> None:
        """Take in what a reading answered that began at a time of the monotonic clock."""
        with self._mutex:
            fresh = [row for row in rows if row.seq not in self._known]
            self._known.update(row.seq for row in fresh)
            for row in fresh:
                self.table.apply(row.kind, row.subject, row.value, row.at)
            if self._listeners:
                self._untold.extend(fresh)
            self._go_on(fresh, began, now)
            self._confirmed = max(self._confirmed, began)

    def apply(self, ended: Sequence[Revocation], now: datetime) -> None:
        """Take in at once what this process has committed itself."""
        with self._mutex:
            for each in ended:
                self.table.apply(each.kind, revocations.subject(each.subject), each.value, now)

    def _floor(self, began: float) -> int:
        return self._far.floor if began - self._far_at >= FAR_BACK else self._near.floor

    def _go_on(self, fresh: Sequence[Any], began: float, now: datetime) -> None:
        if began - self._far_at >= FAR_BACK:
            self._far_at = began
        self._near.note(began, now, fresh)
        if self._far.note(began, now, fresh):
            self._known = {seq for seq in self._known if seq > self._far.floor}
            self.table.forget(now - revocations.KEEP)

    # --- the thread's work ---

    def open_line(self) -> Line:
        """Answer a line of the stream, or one that looks."""
        if self._stream is None or self._database is None:
            raise ConfigurationError("There is no database to follow.")
        return self._stream.open(self._database, self._release)

    def keep_up(self, line: Line) -> None:
        """Read on over a line."""
        began, now = time.monotonic(), self._clock.now()
        self.take(line.read(revocations.since, self._floor(began), now - revocations.KEEP), began, now)

    def tell(self) -> None:
        """Hand on what was learned since, each row once."""
        with self._mutex:
            rows, listeners = tuple(self._untold), self._listeners
            self._untold.clear()
        for listening in listeners if rows else ():
            try:
                listening.told(rows)
            except Exception:
                _log.exception("A listener of revocations failed.")

    def is_wanted(self) -> bool:
        """Tell whether anybody listens, or asked in the last minute where there is a stream."""
        return bool(self._listeners) or (self._streams is True and time.monotonic() - self._asked <= IDLE)

    def _begin(self) -> None:
        self._settle()
        if self._streams:
            self._reader.start()

    def _settle(self) -> None:
        if self._streams is not None:
            return
        try:
            found = self._find_stream()
        except ConfigurationError:  # no driver that can listen
            found = None
        self._stream, self._streams = found or Polling(), found is not None


class _Trail:
    """The number behind which nothing is missing: the highest that was read longer ago than transactions take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, int]] = deque()
        self._begun = False
        self.floor = 0

    def note(self, began: float, now: datetime, fresh: Sequence[Any]) -> bool:
        """Note what a reading found; tell whether the floor rose."""
        before = self.floor
        if fresh:
            self._begin(now, fresh)
            self._seen.append((began, fresh[-1].seq))
        while self._seen and began - self._seen[0][0] >= self._seconds:
            self.floor = max(self.floor, self._seen.popleft()[1])
        return self.floor > before

    def _begin(self, now: datetime, rows: Sequence[Any]) -> None:
        # Of the rows of a day that a process finds as it starts, the old ones need not be read again.
        if not self._begun:
            self._begun = True
            settled = now - timedelta(seconds=self._seconds + SKEW)
            self.floor = max((row.seq for row in rows if row.at < settled), default=0)
