"""The reference passes the suite whole; its other drives are those of the adapters."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

DRIVES = [("CoreDriver", "postgresql")]


@pytest.mark.parametrize(("driver", "database"), DRIVES)
def test_the_core_passes_whole(pytester: pytest.Pytester, driver: str, database: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    result = pytester.runpytest_subprocess(
        *("--pyargs", "authcore_conformance.suite", "-q", "-n", "2", "-W", "error", "-p", "no:cacheprovider"),
        *("--authcore-driver", f"authcore_conformance.core_driver:{driver}", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] > 400
