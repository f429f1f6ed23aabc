"""The comparison with other libraries: its table, how it judges, and that it runs where they are not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
JUDGE = """
import json, sys
from dataclasses import replace
from peers.goals import figures
from peers.measure import Row
from peers.table import TARGETS

def row(side, reads_user, *rates, bare=()):
    [first, *_] = [each for each in TARGETS if each.group == ("django", "session", "postgresql") and each.side == side]
    return Row(replace(first, reads_user=reads_user), rates, bare)

ours = row("authcore", True, 300.0, 320.0, bare=(600.0, 640.0))
rows = [ours, row("peer", True, 100.0, 110.0), row("peer", False, 900.0, 900.0), row("bare", False, 1000.0, 1000.0)]
found = figures(ours, rows)
slow = figures(replace(ours, rates=(200.0, 200.0)), rows)
told = {name: [figure.figure, figure.goal, figure.holds] for name, figure in found.items()}
print(json.dumps([told, slow["of_peer"].holds]))
"""


def test_every_target_stands_once_beside_the_bare_framework() -> None:
    """Each line of the table is another one, and each group of guards has its framework without anything."""
    lines = _peers("--list").stdout.splitlines()
    groups = {tuple(line.split()[:3]) for line in lines}
    bare = {tuple(line.split()[:3]) for line in lines if line.endswith("  bare")}

    assert [line for line, times in Counter(lines).items() if times > 1] == []
    assert bare == {group for group in groups if group[1] != "refresh"}
    assert {group for group in groups if ("authcore" in " ".join(_named(lines, group)))} == groups


def test_what_is_installed_is_pinned() -> None:
    """The environment of the peers is the same tomorrow."""
    lines = (BENCHMARKS / "peers" / "requirements.txt").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line and not line.startswith("#") and "==" not in line] == []


def test_a_row_is_judged_by_rounds_and_beside_those_that_read_as_much() -> None:
    """The peer that reads no user is no rival of a session; medians are of each round's ratio."""
    done = subprocess.run(
        [sys.executable, "-c", JUDGE], cwd=BENCHMARKS, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    told, slow_holds = json.loads(done.stdout)
    assert told == {
        "rate": [310.0, None, True],
        "of_bare": [0.5, None, True],
        "of_framework": [0.31, None, True],
        "of_peer": [round((3.0 + 320 / 110) / 2, 3), "≥ 3", False],
    }
    assert not slow_holds


@pytest.mark.skipif(find_spec("fastapi_users") is not None, reason="the peers are installed here")
def test_absent_peers_are_named_in_a_sentence(tmp_path: Path) -> None:
    """Without the peers' environment nothing is measured, and the sentence says what makes it."""
    done = _peers("--framework", "flask", "--out", str(tmp_path / "out.json"))

    assert done.returncode == 2
    assert "fastapi-users" in done.stderr
    assert "make bench-peers" in done.stderr
    assert not (tmp_path / "out.json").exists()


@pytest.mark.alone
def test_refreshes_are_chained_and_written_down(tmp_path: Path) -> None:
    """Where no peer stands in a group it runs without them: each refresh spends the token of the one before."""
    out = tmp_path / "out.json"

    done = _peers("--framework", "flask", "--credential", "refresh", "--store", "sqlite", "--quick", "--out", str(out))

    assert done.returncode == 0, done.stderr
    [row] = json.loads(out.read_text(encoding="utf-8"))
    assert (row["side"], row["figures"]["rate"]["goal"]) == ("authcore", "≥ 1000")
    assert row["figures"]["rate"]["figure"] > 0
    assert row["name"] in done.stdout


def _named(lines: list[str], group: tuple[Any, ...]) -> list[str]:
    return [line for line in lines if tuple(line.split()[:3]) == group]


def _peers(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "peers", *options],
        cwd=BENCHMARKS,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
