"""The key-value port inside one process: for tests, and for applications that run as one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from authcore.backends import fork
from authcore.errors import Unavailable
from authcore.ports import Clock, Count

MAX_KEYS = 200_000
_SWEEP_INTERVAL = timedelta(seconds=1)


@dataclass(slots=True)
class _Entry:
    expires_at: datetime
    value: bytes | None = None
    number: int = 0


class MemoryKeyValue:
    """ports.KeyValue: each process counts for itself, so four workers allow four times what a limit says.

    It holds at most `max_keys`. Full, it raises Unavailable (rule O2): forgetting a counter lifts its limit.
    """

    def __init__(self, clock: Clock, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._entries: dict[str, _Entry] = {}
        self._mutex = fork.Mutex()
        self._swept_at = clock.now()

    async def get(self, key: str) -> bytes | None:
        """Answer the value, or None."""
        with self._mutex:
            entry = self._alive(key, self._clock.now())
            return entry.value if entry else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value."""
        with self._mutex:
            self._set(key, value, ttl, self._clock.now())

    async def take(self, key: str) -> bytes | None:
        """Answer the value and remove it: of many callers one gets it."""
        with self._mutex:
            entry = self._alive(key, self._clock.now())
            if entry is None or entry.value is None:
                return None
            del self._entries[key]
            return entry.value

    async def compare_and_swap(self, key: str, expected: bytes | None, value: bytes, ttl: float) -> bool:
        """Set the value if the present one equals `expected` (None: absent); tell whether it was set."""
        with self._mutex:
            now = self._clock.now()
            entry = self._alive(key, now)
            fits = entry is None if expected is None else entry is not None and entry.value == expected
            if fits:
                self._set(key, value, ttl, now)
            return fits

    async def increment(self, counts: Sequence[Count]) -> list[int]:
        """Add to each counter and answer the sums."""
        with self._mutex:
            now = self._clock.now()
            for count in counts:
                if count.by:
                    self._add(count, now)
            alive = [self._alive(count.key, now) for count in counts]
            return [entry.number if entry else 0 for entry in alive]

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys."""
        with self._mutex:
            for key in keys:
                self._entries.pop(key, None)

    def _alive(self, key: str, now: datetime) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.expires_at > now else None

    def _set(self, key: str, value: bytes, ttl: float, now: datetime) -> None:
        self._make_room(key, now)
        self._entries[key] = _Entry(now + timedelta(seconds=ttl), value)

    def _add(self, count: Count, now: datetime) -> None:
        entry = self._alive(count.key, now)
        if entry is None:
            self._make_room(count.key, now)
            entry = self._entries[count.key] = _Entry(now + timedelta(seconds=count.ttl))
        entry.number += count.by
        entry.value = None

    def _make_room(self, key: str, now: datetime) -> None:
        if key in self._entries or len(self._entries) < self._max_keys:
            return
        # At most one sweep a second: when nothing is over, each walk through all keys would be in vain.
        if abs(now - self._swept_at) >= _SWEEP_INTERVAL:
            self._swept_at = now
            self._entries = {key: entry for key, entry in self._entries.items() if entry.expires_at > now}
        if len(self._entries) >= self._max_keys:
            raise Unavailable
