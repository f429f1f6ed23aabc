"""Write docs/states.md from states_page.md and the suite's table; `--check` exits 1 if the page differs."""

from __future__ import annotations

import sys
from pathlib import Path

from authcore_conformance.suite.test_account_states import STATES, TABLE, WAYS, State, cells

PAGE = Path(__file__).parent.parent / "docs" / "states.md"
TEXT = Path(__file__).with_suffix(".md")


def words(outcome: str) -> str:
    """Answer an outcome, its code as code."""
    status, _, code = outcome.partition(" ")
    return f"{status} `{code}`" if status.isdigit() and code else outcome


def row(way: str, state: str) -> str:
    """Answer a way's row in the table of a state."""
    before, within = cells(way)[state]
    return f"| {way} | {words(before)} | {words(within)} |\n"


def section(name: str, state: State) -> str:
    """Answer what is told of a state."""
    head = f"## {name}\n\n{state.means[:1].upper()}{state.means[1:]}.\n\n"
    table = "| way in | asked for before | asked for in it |\n|---|---|---|\n"
    return head + table + "".join(row(way, name) for way in TABLE)


def page() -> str:
    """Answer the page's text."""
    ways = "".join(f"| {name} | {way.means} |\n" for name, way in WAYS.items())
    states = "\n".join(section(name, state) for name, state in STATES.items())
    return TEXT.read_text(encoding="utf-8").replace("{{WAYS}}\n", ways + "\n").replace("{{STATES}}\n", states)


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
