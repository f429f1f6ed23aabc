"""The adapter passes the conformance suite whole; by native awaits what an adapter translates."""

import pytest

pytest_plugins = ["pytester"]

RUNS = {
    "whole": ("LitestarDriver", "sqlite", ["authcore_conformance.suite"]),
    "awaited": (
        "LitestarAsyncioDriver",
        "postgresql",
        [f"authcore_conformance.suite.test_{module}" for module in ("guards", "sessions", "transport")],
    ),
}


@pytest.mark.parametrize("run", RUNS)
def test_the_adapter_passes_whole(pytester: pytest.Pytester, run: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    driver, database, modules = RUNS[run]
    result = pytester.runpytest_subprocess(
        *("-q", "-n", "2", "-W", "error", "-p", "no:cacheprovider", "--pyargs", *modules),
        *("--authcore-driver", f"authcore_litestar.conformance:{driver}", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}
