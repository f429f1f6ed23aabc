"""People who sign up while the mail server is away, and while a worker dies, all get in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "hundred_users.py"
USERS = 20

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("postgresql")]


def test_no_mail_is_lost_while_the_mail_server_is_away(tmp_path: Path) -> None:
    """All answers are 200, 202 or a 503 that then succeeds, and each mail comes under one key."""
    seen = _run(tmp_path)

    assert seen["inside"] == USERS, seen
    assert seen["answers"].keys() <= {"200", "202", "503 with Retry-After"}
    assert (seen["answers"]["202"], seen["answers"]["200"]) == (USERS, 2 * USERS)
    assert (seen["effects"], seen["lost"], seen["under_two_keys"], seen["broken"]) == (USERS, 0, 0, 0)
    assert seen["holds"]


@pytest.mark.skipif(sys.platform != "linux", reason="the worker to kill is found in /proc")
def test_no_mail_is_lost_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    """What a killed worker was about to send is sent by another one, and everybody gets in."""
    seen = _run(tmp_path, "--kill")

    assert seen["inside"] == USERS, seen
    assert seen["effects"] >= USERS
    assert seen["lost"] == 0
    assert seen["holds"]


def _run(folder: Path, *options: str) -> dict[str, Any]:
    out = folder / "seen.json"
    done = subprocess.run(
        [sys.executable, str(RUN), "--users", str(USERS), "--stop", "2", "--out", str(out), *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert out.exists(), done.stderr
    seen: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert done.returncode == (0 if seen["holds"] else 1)
    return seen
