"""Write docs/coverage.md: each feature by its id, with the tests whose docstrings name it.

    python tools/coverage_page.py            write the page
    python tools/coverage_page.py --check    exit 1 if it differs, if a feature has no test, or a test names no feature

A test names what it shows: "… (S14)", or "(S72–S76)" for a range.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FEATURES = Path(__file__).with_name("features.toml")
TARGET = ROOT / "docs" / "coverage.md"
SUITE = ROOT / "conformance" / "src" / "authcore_conformance" / "suite"
OTHERS = [ROOT / "packages" / "core" / "tests", *(ROOT / "packages").glob("*/tests"), ROOT / "tests", ROOT / "docs"]
OTHERS += [ROOT / "conformance" / "tests"]
_ID = re.compile(r"\bS(\d{1,3})(?:\s*[-–]\s*S(\d{1,3}))?\b")
_HEAD = """\
# What is shown, and by which test

Made by `tools/coverage_page.py` from the docstrings of the tests, and compared with them. Tests of the conformance
suite run against every adapter; the others show what no client can see.
"""


def features() -> dict[str, dict[str, str]]:
    """Answer the features by section and id."""
    return tomllib.loads(FEATURES.read_text(encoding="utf-8"))


def named(text: str) -> Iterator[str]:
    """Yield each id that a docstring names, those inside ranges too."""
    for first, last in _ID.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"S{number}"


def tests(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (place, docstring) of every test below a folder; a module's docstring counts for its first test."""
    for path in sorted(folder.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        found = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"]
        for node in found:
            yield f"{path.relative_to(folder)}::{node.name}", ast.get_docstring(node) or ""


def shown() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Answer the tests by id: those of the suite, and the others."""
    suite, others = defaultdict(list), defaultdict(list)
    for place, text in tests(SUITE):
        for id_ in named(text):
            suite[id_].append(place)
    for folder in dict.fromkeys(OTHERS):
        for place, text in tests(folder):
            for id_ in named(text):
                others[id_].append(f"{folder.relative_to(ROOT)}/{place}")
    return suite, others


def page() -> str:
    """Answer the page."""
    suite, others = shown()
    lines = [_HEAD]
    for section, entries in features().items():
        lines += [f"## {section.capitalize()}", "", "| id | feature | shown by |", "|---|---|---|"]
        lines += [f"| {id_} | {text} | {_places(suite[id_], others[id_])} |" for id_, text in entries.items()]
        lines.append("")
    return "\n".join(lines)


def _places(suite: list[str], others: list[str]) -> str:
    # A few of each: the page is read by people. The suite's come first.
    return "<br>".join(f"`{place}`" for place in [*dict.fromkeys(suite)][:4] + [*dict.fromkeys(others)][:2])


def faults() -> list[str]:
    """Answer what is wrong: features without a test, ids that are no feature."""
    suite, others = shown()
    named_by = {id_ for id_, places in (*suite.items(), *others.items()) if places}
    known = {id_ for entries in features().values() for id_ in entries}
    missing = [f"{id_} has no test that names it" for id_ in sorted(known - named_by)]
    return missing + [f"{id_} is named by a test and is no feature" for id_ in sorted(named_by - known)]


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        TARGET.write_text(page(), encoding="utf-8")
        return 0
    wrong = faults()
    if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != page():
        wrong.append(f"{TARGET.relative_to(ROOT)} is not what the tests say: run {Path(__file__).relative_to(ROOT)}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
