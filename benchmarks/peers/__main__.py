"""Print what authcore and its peers reach on the same framework and store, and write it to `build/bench-peers.json`.

`python -m peers [--framework NAME] [--credential session|jwt|refresh] [--store NAME] [--list] [--quick] [--out FILE]`,
from the folder `benchmarks`, in the environment of `requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from figure import Figure

from peers.goals import figures
from peers.measure import Row, forget, measure
from peers.table import CREDENTIALS, FRAMEWORKS, STORES, TARGETS, Target

OUT = Path(__file__).resolve().parents[2] / "build" / "bench-peers.json"
ROUNDS, SECONDS = 3, 3.0
QUICK = (1, 0.4)
PEERS = {
    "fastapi_users": "fastapi-users",
    "flask_security": "Flask-Security",
    "allauth": "django-allauth",
    "rest_framework_simplejwt": "djangorestframework-simplejwt",
    "advanced_alchemy": "advanced-alchemy",
}
BENEATH = ("flask", "django", "fastapi", "litestar", "sqlalchemy", "redis", "gunicorn", "uvicorn")
COLUMNS = {
    "rate": ("a second", 0, True),
    "of_bare": ("of bare", 2, True),
    "of_framework": ("framework", 2, False),
    "of_peer": ("× peer", 2, True),
    "of_statements": ("of two", 2, True),
}
"""What each figure is called above its column, its decimals, and whether a goal may stand beside it."""
HEAD = "  ".join(f"{title:>9}{' goal  ' if judged else ''}" for title, _, judged in COLUMNS.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; answer 0 if every figure with a goal holds, else 1, and 2 if a peer is not there; 0 for a quick run."""
    options = _options(arguments)
    chosen = sorted((target for target in TARGETS if _wanted(target, options)), key=_place)
    if options.list:
        print("\n".join(_line(target) for target in chosen))
        return 0
    absent = [name for module, name in PEERS.items() if find_spec(module) is None]
    if absent and any(target.side == "peer" for target in chosen):
        print(f"{', '.join(absent)} not installed: `make bench-peers` makes the environment.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # databases and servers go as well
    print(f"{_machine()}\n\n{HEAD}", flush=True)
    rows: list[Row] = []
    try:
        for _, group in groupby(chosen, key=_place):
            found = measure(group, *(QUICK if options.quick else (ROUNDS, options.seconds)))
            print(_table(found), flush=True)
            rows += found
            _write(rows, options.out)
    finally:
        if any(target.store == "redis" for target in chosen):
            forget()
    return 0 if options.quick or all(_holds(row, rows) for row in rows) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peers", description="Measure authcore beside its peers.", allow_abbrev=False)
    parser.add_argument("--framework", choices=FRAMEWORKS, help="one of the four")
    parser.add_argument("--credential", choices=CREDENTIALS, help="one kind")
    parser.add_argument("--store", choices=STORES, help="one of the three")
    parser.add_argument("--list", action="store_true", help="name the targets, and measure nothing")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="for one measurement")
    parser.add_argument("--quick", action="store_true", help="see that everything runs; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=OUT, help="the file for the figures, as JSON")
    return parser.parse_args(arguments)


def _wanted(target: Target, options: argparse.Namespace) -> bool:
    asked = (options.framework, options.credential, options.store)
    return all(part in (None, own) for part, own in zip(asked, target.group, strict=True))


def _place(target: Target) -> tuple[int, int, int]:
    framework, credential, store = target.group
    return CREDENTIALS.index(credential), FRAMEWORKS.index(framework), STORES.index(store)


def _line(target: Target) -> str:
    return f"{target.framework:9} {target.credential:8} {target.store:10}  {target.name}"


def _machine() -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in (*PEERS.values(), *BENEATH))
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    parser = "httptools" if find_spec("httptools") else "h11"
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
        f"{versions} on {loop} and {parser}"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "–"


def _table(rows: list[Row]) -> str:
    """Answer a group for people, the fastest first."""
    lines = ["\n" + ", ".join(rows[0].target.group)]
    for row in sorted(rows, key=lambda row: -row.rate):
        found = figures(row, rows)
        cells = "  ".join(_cells(found.get(name), *shape) for name, shape in COLUMNS.items())
        missed = "" if _holds(row, rows) else "MISSED  "
        lines.append(f"{cells}  {missed}{row.target.name}")
    return "\n".join(lines)


def _cells(figure: Figure | None, _title: str, places: int, judged: bool) -> str:
    number = f"{figure.figure:9.{places}f}" if figure else " " * 9
    goal = (figure.goal or "") if figure else ""
    return f"{number} {goal:6}" if judged else number


def _holds(row: Row, rows: list[Row]) -> bool:
    return all(figure.holds for figure in figures(row, rows).values())


def _write(rows: list[Row], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    records = [_record(row, rows) for row in rows]
    out.write_text(json.dumps(records, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _record(row: Row, rows: list[Row]) -> dict[str, Any]:
    target = row.target
    return {
        "framework": target.framework,
        "credential": target.credential,
        "store": target.store,
        "side": target.side,
        "name": target.name,
        "figures": {name: asdict(figure) for name, figure in figures(row, rows).items()},
    }


if __name__ == "__main__":
    sys.exit(main())
