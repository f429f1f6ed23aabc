"""Print each figure beside its goal, and write them to `build/bench.json`.

`python benchmarks/run.py [--only FAMILY] [--quick] [--out FILE]`
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import drive_cost
import guard
import hashes
import import_time
import live_sessions
import rotations
import sign_in
import token_cost
from figure import QUICK, THOROUGH, Figure

from authcore.backends.argon2 import cores

OUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
FAMILIES = {
    "drive_cost": drive_cost,
    "import_time": import_time,
    "guard": guard,
    "hashes": hashes,
    "live_sessions": live_sessions,
    "rotations": rotations,
    "sign_in": sign_in,
    "token_cost": token_cost,
}
MEASURED = ("flask", "django", "fastapi", "litestar", "sqlalchemy", "gunicorn", "uvicorn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; answer 0 if every figure holds, else 1. A quick run judges nothing: it answers 0."""
    options = _options(arguments)
    effort = QUICK if options.quick else THOROUGH
    print(_machine(), flush=True)
    figures: list[Figure] = []
    for name in [options.only] if options.only else FAMILIES:
        for figure in FAMILIES[name].measure(effort):
            print(_line(figure), flush=True)
            figures.append(figure)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(figure) for figure in figures], indent=2, ensure_ascii=False) + "\n")
    return 0 if options.quick or all(figure.holds for figure in figures) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print each figure beside its goal.", allow_abbrev=False)
    parser.add_argument("--only", choices=FAMILIES, help="one family of figures")
    parser.add_argument("--quick", action="store_true", help="see that everything runs; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=OUT, help="the file for the figures, as JSON")
    return parser.parse_args(arguments)


def _machine() -> str:
    """Tell what the figures depend on."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in MEASURED)
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    parser = "httptools" if find_spec("httptools") else "h11"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"Python {platform.python_version()}, {cores()} processors{load}\n"
        f"{versions} on {loop} and {parser}\n\n{'figure':>9}  {'goal':8}"
    )


def _line(figure: Figure) -> str:
    goal = figure.goal or "–"
    return f"{figure.figure:9.3f}  {goal:8}  {'' if figure.holds else 'MISSED  '}{figure.name}"


if __name__ == "__main__":
    sys.exit(main())
