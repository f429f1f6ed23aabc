"""The page on tests: its program runs, and its test passes with its conftest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pages import ROOT, blocks

PROGRAM, CONFTEST, TEST = blocks((ROOT / "docs" / "testing.md").read_text(encoding="utf-8"))


def test_the_program_runs(run: Callable[[str], str]) -> None:
    """A life by calls, with a mailbox to read and a clock to move."""
    run(f"{PROGRAM}\nauth.dispose()")


def test_the_fixtures_serve_a_test(tmp_path: Path) -> None:
    """The page's conftest and test are a suite that passes, with warnings as errors."""
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_app.py").write_text(TEST, encoding="utf-8")

    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-c", "/dev/null", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
