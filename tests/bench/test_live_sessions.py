"""The benchmark of many live sessions measures each act beside each number of sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "live_sessions.py"
ACTS = ["list", "revoke all", "clean up"]

pytestmark = pytest.mark.alone


def _curves(out: Path, store: str) -> list[dict[str, object]]:
    command = [sys.executable, str(RUN), "--quick", "--store", store, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, object]] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize("store", ["sqlite", "postgresql", "redis"])
def test_each_act_has_a_curve(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> None:
    """On each store the three acts are measured at three numbers of sessions, and every one took its time."""
    if store == "postgresql":
        request.getfixturevalue("postgresql")
    if store == "redis":
        request.getfixturevalue("redis")

    curves = _curves(tmp_path / "curves.json", store)

    assert [(curve["store"], curve["act"]) for curve in curves] == [(store, act) for act in ACTS]
    for curve in curves:
        assert isinstance(curve["microseconds"], list)
        assert len(curve["microseconds"]) == 3
        assert min(curve["microseconds"]) > 0
