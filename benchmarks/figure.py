"""Figures and their goals, and how long to measure them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number beside what it should be; without a goal it holds."""

    name: str
    figure: float
    goal: str | None = None
    holds: bool = True


def at_least(name: str, figure: float, goal: float) -> Figure:
    """Answer a figure that should not be smaller than its goal."""
    return Figure(name, round(figure, 3), f"≥ {goal:g}", figure >= goal)


def at_most(name: str, figure: float, goal: float) -> Figure:
    """Answer a figure that should not be larger than its goal."""
    return Figure(name, round(figure, 3), f"≤ {goal:g}", figure <= goal)


def under(name: str, figure: float, goal: float) -> Figure:
    """Answer a figure that should be smaller than its goal."""
    return Figure(name, round(figure, 3), f"< {goal:g}", figure < goal)


def told(name: str, figure: float) -> Figure:
    """Answer a figure that nobody asks to be large or small: it explains another one."""
    return Figure(name, round(figure, 3))


@dataclass(frozen=True, slots=True)
class Effort:
    """How often each figure is measured, and how long, as a part of what is usual."""

    rounds: int
    part: float

    def seconds(self, usual: float) -> float:
        """Answer how long one measurement takes."""
        return usual * self.part

    def users(self, usual: int) -> int:
        """Answer how many people take part."""
        return max(1, round(usual * self.part))


THOROUGH = Effort(rounds=9, part=1.0)
QUICK = Effort(rounds=1, part=0.2)


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for a database, and remove it."""
    with TemporaryDirectory(prefix="authcore-bench-") as folder:
        yield Path(folder)
