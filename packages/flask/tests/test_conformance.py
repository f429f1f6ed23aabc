"""The adapter passes the conformance suite."""

import pytest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_adapter_passes_whole(pytester: pytest.Pytester, database: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    result = pytester.runpytest_subprocess(
        *("--pyargs", "authcore_conformance.suite", "-q", "-W", "error", "-p", "no:cacheprovider"),
        *("--authcore-driver", "authcore_flask.conformance:FlaskDriver", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}
