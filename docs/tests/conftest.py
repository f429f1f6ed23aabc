"""How a piece of the documentation is run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], str]:
    """Run a program in an interpreter and a folder of its own, with warnings as errors, and answer what it printed."""

    def run_program(program: str) -> str:
        shutil.copy(Path(__file__).parent / "walkthrough.py", tmp_path)
        file = tmp_path / "program.py"
        file.write_text(program, encoding="utf-8")
        command = [sys.executable, "-W", "error", "-X", "dev", str(file)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_program
