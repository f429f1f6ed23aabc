"""Tell whether the time of an answer tells who has an account (rule A2): the table, and status 0 if none of it does.

`python benchmarks/timing.py [--adapter flask|fastapi|…] [--database sqlite|postgresql] [--samples N] [--only ROW]
[--broken dummy|write] [--out FILE]`

Each row asks the same thing of addresses with an account and of addresses without, by turns in random order, over one
connection that is kept, and compares the two heaps of times. AUC is the chance that an answer about a known address
took longer than one about an unknown address: 0.5 tells nothing, 0 and 1 tell everything.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import probes
import separation
import targets
from keep_alive import Line
from probes import Probe

LEAST, MOST = 0.45, 0.55
SAMPLES = 1000  # answers an arm
SLOW_SAMPLES = 250  # answers an arm where each costs a hash as shipped
FEW = 20  # addresses an arm where each is asked about many times
WARM_UP = 30  # answers an arm that are not counted


@dataclass(frozen=True, slots=True)
class Row:
    """One measured row; times in milliseconds."""

    database: str
    name: str
    samples: int
    auc: float
    low: float
    high: float
    known: float
    unknown: float

    @property
    def holds(self) -> bool:
        """Tell whether the times of the two arms are as good as one."""
        return LEAST <= self.auc <= MOST

    def line(self) -> str:
        """Answer the row for people."""
        return (
            f"{self.database:10}  {self.name:32}  {self.samples:5}  {self.auc:.3f}  {self.low:.3f}–{self.high:.3f}  "
            f"{self.known:8.3f}  {self.unknown:8.3f}  {'' if self.holds else 'TELLS'}".rstrip()
        )


HEAD = f"{'database':10}  {'row':32}  {'n/arm':>5}  {'AUC':5}  {'95 %':11}  {'known ms':>8}  {'unknown':>8}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; answer 0 if every AUC lies within its bounds, else 1."""
    given = _options(arguments)
    print(f"{given.adapter}, load {os.getloadavg()[0]:.1f}{', broken: ' + given.broken if given.broken else ''}")
    print(HEAD, flush=True)
    rows = []
    for database in [given.database] if given.database else targets.DATABASES:
        for row in _measured(given, database):
            print(row.line(), flush=True)
            rows.append(row)
    if given.out:
        told = [{**asdict(row), "holds": row.holds} for row in rows]
        given.out.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(row.holds for row in rows) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tell whether times tell who has an account.", allow_abbrev=False)
    parser.add_argument("--adapter", choices=("flask", "fastapi", "django", "litestar"), default="fastapi")
    parser.add_argument("--database", choices=targets.DATABASES, help="one of the two")
    parser.add_argument("--samples", type=int, default=SAMPLES, metavar="N", help="answers an arm")
    parser.add_argument("--only", action="append", choices=[probe.name for probe in probes.PROBES], metavar="ROW")
    parser.add_argument("--broken", choices=tuple(probes.SHOWN_BY), help="measure what is broken on purpose")
    parser.add_argument("--out", type=Path, help="a file for the rows, as JSON")
    return parser.parse_args(arguments)


def _measured(given: argparse.Namespace, database: str) -> Iterator[Row]:
    """Measure every row on one database, at each cost of a hash on a target of its own."""
    names = given.only or (probes.SHOWN_BY[given.broken] if given.broken else [probe.name for probe in probes.PROBES])
    asked = [probe for probe in probes.PROBES if probe.name in names]
    for cost in dict.fromkeys(probe.cost for probe in asked):
        rows = [probe for probe in asked if probe.cost == cost]
        samples = given.samples if cost == "cheap" else min(given.samples, SLOW_SAMPLES)
        options = ("--adapter", given.adapter, "--hash", cost, "--usernames")
        with targets.served(database, *options, broken=given.broken) as target:
            accounts = FEW if all(probe.again for probe in rows) else WARM_UP + samples
            people = probes.people(target, accounts, cost=cost)
            for probe in rows:
                yield _row(database, probe, samples, target, people)


def _row(
    database: str, probe: Probe, samples: int, target: targets.Target, people: tuple[Sequence[str], Sequence[str]]
) -> Row:
    if probe.resting:
        probes.let_rest(target, [name for arm in people for name in arm])
    took = _times(probe, target.port, *(_turns(names, samples, probe) for names in people))
    found = separation.of(*took)
    medians = [1000 * median(arm) for arm in took]
    figures = [round(figure, 4) for figure in (found.area, found.low, found.high, *medians)]
    return Row(database, probe.name, samples, *figures)


Turns = tuple[Sequence[str], Sequence[str]]
"""The names that are asked about before the counting, and in it."""


def _turns(names: Sequence[str], samples: int, probe: Probe) -> Turns:
    if not probe.again:
        return names[:WARM_UP], names[WARM_UP:]
    # Failures by either name of an account are counted as one: of 100 its password would rest.
    few = names[-FEW:] if probe.field == "username" else names[:FEW]
    return few, [few[number % FEW] for number in range(samples)]


def _times(probe: Probe, port: int, known: Turns, unknown: Turns) -> tuple[list[float], list[float]]:
    """Answer the seconds that each answer took: of the known addresses, and of the unknown ones."""
    took: tuple[list[float], list[float]] = ([], [])
    line = Line(port, probe.pause)
    gc.disable()
    try:
        for _, name in _by_turns(known[0], unknown[0]):
            line.ask(probe.request(name), probe.status)
        for arm, name in _by_turns(known[1], unknown[1]):
            took[arm].append(line.ask(probe.request(name), probe.status))
    finally:
        gc.enable()
        line.close()
    return took


def _by_turns(known: Sequence[str], unknown: Sequence[str]) -> list[tuple[int, str]]:
    """Answer both arms in random order, so that whatever else the machine does hits both alike."""
    turns = [(0, name) for name in known] + [(1, name) for name in unknown]
    random.shuffle(turns)
    return turns


if __name__ == "__main__":
    sys.exit(main())
