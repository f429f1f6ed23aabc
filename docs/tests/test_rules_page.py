"""Every rule that the code names stands on the page of rules."""

from __future__ import annotations

import re
from pathlib import Path

from pages import ROOT

_NAMED = re.compile(r"(?<![\w+#&-])[RTAO][1-9][0-9]?(?=[\s:;,.)–-])")
_ROW = re.compile(r"^\| ([RTAO][0-9]+) \|", re.MULTILINE)


def named(file: Path) -> set[str]:
    """Answer the rules that a file names."""
    return set(_NAMED.findall(file.read_text(encoding="utf-8")))


def test_every_rule_that_is_named_is_told() -> None:
    """Code, tests and suite name no rule that readers cannot look up."""
    folders = ("packages", "conformance", "examples", "tests", "benchmarks")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    told = set(_ROW.findall((ROOT / "docs" / "rules.md").read_text(encoding="utf-8")))

    unknown = {str(file.relative_to(ROOT)): rules for file in files if (rules := named(file) - told)}

    assert len(told) > 30
    assert unknown == {}
