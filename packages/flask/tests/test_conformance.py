"""The adapter passes the conformance suite."""

import os

import pytest

pytest_plugins = ["pytester"]


# What the second database adds is told once, on the interpreter that all else runs on.
DATABASES = os.environ.get("AUTHCORE_TEST_DATABASES", "sqlite postgresql").split()


@pytest.mark.parametrize("database", DATABASES)
def test_the_adapter_passes_whole(pytester: pytest.Pytester, database: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    result = pytester.runpytest_subprocess(
        *("--pyargs", "authcore_conformance.suite", "-q", "-n", "2", "-W", "error", "-p", "no:cacheprovider"),
        *("--authcore-driver", "authcore_flask.conformance:FlaskDriver", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}
