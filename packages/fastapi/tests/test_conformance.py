"""The adapter passes the conformance suite, under both of its drives."""

import pytest

pytest_plugins = ["pytester"]

DRIVES = [("FastAPIDriver", "sqlite"), ("FastAPIAsyncioDriver", "postgresql")]


@pytest.mark.parametrize(("driver", "database"), DRIVES)
def test_the_adapter_passes_whole(pytester: pytest.Pytester, driver: str, database: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    result = pytester.runpytest_subprocess(
        *("--pyargs", "authcore_conformance.suite", "-q", "-n", "2", "-W", "error", "-p", "no:cacheprovider"),
        *("--authcore-driver", f"authcore_fastapi.conformance:{driver}", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}
