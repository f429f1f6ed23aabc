"""The page of states is what the suite's table says."""

from __future__ import annotations

import subprocess
import sys

from pages import ROOT

from authcore_conformance.suite.test_account_states import STATES, WAYS

PAGE = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")


def test_the_page_is_written_from_the_table() -> None:
    """docs/states.md is what tools/states_page.py writes."""
    command = [sys.executable, str(ROOT / "tools" / "states_page.py"), "--check"]

    assert subprocess.run(command, check=False).returncode == 0


def test_every_way_stands_in_every_state() -> None:
    """Each state has a section, and in it a row for each way in."""
    sections = PAGE.split("\n## ")
    names = [section.partition("\n")[0] for section in sections[2:]]

    assert names == list(STATES)
    for section in sections[2:]:
        assert [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")][1:] == [
            f"| {way}" for way in WAYS
        ]
