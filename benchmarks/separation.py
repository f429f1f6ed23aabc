"""How well two heaps of numbers can be told apart: the area under the ROC curve, which is Mann-Whitney's U by pairs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, variance

WITHIN = 1.96  # standard errors to each side of 95 %


@dataclass(frozen=True, slots=True)
class Area:
    """An area with its 95 % interval."""

    area: float
    low: float
    high: float


def of(one: Sequence[float], other: Sequence[float]) -> Area:
    """Answer the chance that a number of `one` is larger than a number of `other`, a tie counting half.

    The interval is DeLong's (Biometrics 44, 1988): the variance of how each number stands among those of the other
    heap.
    """
    above = _placements(one, other)
    below = [1 - placement for placement in _placements(other, one)]
    area = mean(above)
    error = sqrt(variance(above) / len(above) + variance(below) / len(below))
    return Area(area, max(0.0, area - WITHIN * error), min(1.0, area + WITHIN * error))


def _placements(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Answer for each number of `one` which part of `other` is smaller."""
    ranked = sorted(other)
    return [(bisect_left(ranked, number) + bisect_right(ranked, number)) / 2 / len(ranked) for number in one]
