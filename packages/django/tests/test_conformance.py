"""The adapter passes the conformance suite, under WSGI and under ASGI."""

import os

import pytest

pytest_plugins = ["pytester"]

DRIVERS = {"wsgi": "DjangoWsgiDriver", "asgi": "DjangoAsgiDriver"}
MODES = [os.environ["AUTHCORE_TEST_DJANGO"]] if "AUTHCORE_TEST_DJANGO" in os.environ else list(DRIVERS)


# What the second database adds is told once, under WSGI.
DATABASES = os.environ.get("AUTHCORE_TEST_DATABASES", "sqlite postgresql").split()


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("mode", MODES)
def test_the_adapter_passes_whole(pytester: pytest.Pytester, mode: str, database: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    result = pytester.runpytest_subprocess(
        *(
            "--pyargs",
            "authcore_conformance.suite",
            "-q",
            "-n",
            "2",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:django",
        ),
        *("--authcore-driver", f"authcore_django.conformance:{DRIVERS[mode]}", "--authcore-database", database),
    )

    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}
