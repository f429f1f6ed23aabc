"""The benchmarks run: what they measure is read by people, on an idle machine, and never decides a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"
FAMILIES = {"drive", "import", "guard", "hash", "live sessions", "rotations", "sign-in", "token"}


@pytest.mark.alone
@pytest.mark.usefixtures("postgresql", "redis")
def test_a_quick_run_measures_every_family(tmp_path: Path) -> None:
    """`--quick` prints every figure and writes it down with its goal and whether it holds."""
    out = tmp_path / "build" / "bench.json"

    done = _run("--quick", "--out", str(out))

    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert {figure["name"].partition(":")[0] for figure in figures} == FAMILIES
    for figure in figures:
        assert list(figure) == ["name", "figure", "goal", "holds"]
        assert figure["name"] in done.stdout
        assert isinstance(figure["figure"], float)
        assert isinstance(figure["holds"], bool)
        assert figure["goal"] or figure["holds"]


@pytest.mark.alone
def test_an_unknown_family_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """A wrong option names the right ones, ends with status 2 and writes nothing."""
    out = tmp_path / "bench.json"

    done = _run("--only", "speed", "--out", str(out))

    assert done.returncode == 2
    assert "choose from" in done.stderr
    assert "drive_cost" in done.stderr
    assert not out.exists()


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), *options], capture_output=True, text=True, timeout=300, check=False
    )
