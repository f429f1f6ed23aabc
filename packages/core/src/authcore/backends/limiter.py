"""The limiter over a key-value store: each window is a few counters, one for each of its steps.

A window of one step has two counters: the present one, and the part of the previous one that it still covers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from authcore.ports import Clock, Count, KeyValue, Tally, Window

ROUNDED = 1e-6
"""So much of a hit is rounding: else who came back after the very second that was told would be refused again."""


class KeyValueLimiter:
    """ports.Limiter: exact in what it lets pass, whatever the number of contenders, as its store adds atomically."""

    def __init__(self, kv: KeyValue, clock: Clock) -> None:
        self._kv = kv
        self._clock = clock

    async def hit(self, windows: Sequence[Window]) -> list[Tally]:
        """Count one hit in each window, all at once, and answer what is known of each."""
        now = self._clock.now().timestamp()
        counters = [_counters(window, now) for window in windows]
        sums = iter(await self._kv.increment([count for each in counters for count in each]))
        tallies = [
            _tally(window, now, [next(sums) for _ in each]) for window, each in zip(windows, counters, strict=True)
        ]
        await self._forget(
            each[0]
            for window, each, tally in zip(windows, counters, tallies, strict=True)
            if tally.wait and not window.counts_refused
        )
        return tallies

    async def clear(self, windows: Sequence[Window]) -> None:
        """Forget the hits of windows."""
        now = self._clock.now().timestamp()
        await self._kv.delete([count.key for window in windows for count in _counters(window, now)])

    async def _forget(self, counts: Iterable[Count]) -> None:
        undone = [Count(count.key, -1, count.ttl) for count in counts]
        if undone:
            await self._kv.increment(undone)


def _counters(window: Window, now: float) -> list[Count]:
    """Answer the counters of a window, the latest first: that one counts, the others are read."""
    step = window.seconds / window.steps
    index, ttl = int(now // step), window.seconds + step
    ages = range(max(2, window.steps))
    return [Count(f"{window.key}:{index - age}", 0 if age else 1, ttl) for age in ages]


def _tally(window: Window, now: float, sums: Sequence[int]) -> Tally:
    return _estimated(window, now, *sums) if window.steps == 1 else _stepped(window, now, sums)


def _stepped(window: Window, now: float, sums: Sequence[int]) -> Tally:
    past = sum(sums) - window.allowance
    if past <= 0:
        return Tally(0, 0)
    step = window.seconds / window.steps
    left = past if window.counts_refused else past - 1
    for age in reversed(range(window.steps)):
        left -= sums[age]
        if left < 0:
            return Tally(past, math.ceil((window.steps - age) * step - now % step))
    return Tally(past, window.seconds)


def _estimated(window: Window, now: float, current: int, previous: int) -> Tally:
    passed = now % window.seconds
    past = current + previous * (1 - passed / window.seconds) - window.allowance
    if past <= ROUNDED:
        return Tally(0, 0)
    return Tally(math.ceil(past - ROUNDED), max(1, _wait(window, passed, current, previous)))


def _wait(window: Window, passed: float, current: int, previous: int) -> int:
    """Answer the seconds after which one more hit is inside the allowance, if there is none until then."""
    seconds, room = window.seconds, window.allowance - 1
    if current <= room and previous:
        return math.ceil(seconds * (1 - (room - current) / previous) - passed)
    return math.ceil(seconds - passed + seconds * max(0.0, 1 - room / current))
