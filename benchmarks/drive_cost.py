"""What a flow costs over the plain calls it stands for, when no event loop runs it."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from figure import Effort, Figure, under

from authcore.drive import run_blocking

DEPTH = 5
CALLS = 20_000  # a measurement


async def _flow(depth: int) -> int:
    return depth if depth == 1 else await _flow(depth - 1)


def _plain(depth: int) -> int:
    return depth if depth == 1 else _plain(depth - 1)


def measure(effort: Effort) -> list[Figure]:
    """Drive a flow of five coroutines, one inside the other, beside five functions."""
    rounds = range(effort.rounds * 3)
    over = median(_driven() - _called() for _ in rounds)
    return [under("drive: a 5-deep flow under run_blocking, µs over the plain calls", over, 3.0)]


def _driven() -> float:
    began = perf_counter()
    for _ in range(CALLS):
        run_blocking(_flow(DEPTH))
    return (perf_counter() - began) / CALLS * 1e6


def _called() -> float:
    began = perf_counter()
    for _ in range(CALLS):
        _plain(DEPTH)
    return (perf_counter() - began) / CALLS * 1e6
