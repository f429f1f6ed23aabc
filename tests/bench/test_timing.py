"""The harness of rule A2 notices what it is there for. A small difference is judged by people, on an idle machine."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FEW = 20  # answers an arm


def test_two_heaps_that_are_alike_and_two_that_are_apart() -> None:
    """The area is the share of pairs in which the first number is larger, a tie counting half."""
    area = _load("separation").of

    alike, above, mixed = area([1, 2, 3], [3, 2, 1]), area([4, 5], [1, 2]), area([1, 3], [2, 2])
    one = [1.0, 2.0, 2.0, 7.0, 3.0]
    other = [2.0, 0.0, 3.0]

    assert alike.area == mixed.area == 0.5
    assert (above.area, above.low, above.high) == (1, 1, 1)
    assert area(one, other).area == pytest.approx(sum((a > b) + (a == b) / 2 for a in one for b in other) / 15)
    assert alike.low < 0.5 < alike.high


@pytest.mark.alone
def test_a_missing_dummy_hash_shows(tmp_path: Path) -> None:
    """Where no hash is made for an unknown address, its answer comes tens of milliseconds sooner, and status is 1."""
    done, [row] = _run(tmp_path, "--database", "sqlite", "--broken", "dummy", "--only", "sign-in at the default cost")

    assert done.returncode == 1, done.stderr
    assert row["auc"] > 0.8
    assert row["low"] > 0.55
    assert "TELLS" in done.stdout


@pytest.mark.alone
@pytest.mark.usefixtures("postgresql")
def test_a_write_for_known_users_only_shows(tmp_path: Path) -> None:
    """Where a reset is stored for accounts alone, its commit shows, and status is 1."""
    done, [row] = _run(tmp_path, "--database", "postgresql", "--broken", "write")

    assert done.returncode == 1, done.stderr
    assert row["auc"] > 0.7
    assert row["low"] > 0.55


@pytest.mark.alone
def test_a_run_measures_what_it_is_told(tmp_path: Path) -> None:
    """Each row has both arms, an area inside its interval, and its verdict; status says whether all hold."""
    asked = ("sign-in", "sign-up", "magic-link request, again")

    done, rows = _run(
        tmp_path, "--adapter", "flask", "--database", "sqlite", *(o for n in asked for o in ("--only", n))
    )

    assert [row["name"] for row in rows] == list(asked), done.stderr
    for row in rows:
        assert row["samples"] == FEW
        assert 0 <= row["low"] <= row["auc"] <= row["high"] <= 1
        assert row["known"] > 0 < row["unknown"]
        assert row["holds"] == (0.45 <= row["auc"] <= 0.55)
    assert done.returncode == (0 if all(row["holds"] for row in rows) else 1)


def _run(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    out = folder / "rows.json"
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "timing.py"), "--samples", str(FEW), "--out", str(out), *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done, json.loads(out.read_text(encoding="utf-8")) if out.exists() else []


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
