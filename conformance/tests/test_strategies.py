"""Wherever access credentials live, everything that depends on them behaves alike."""

from __future__ import annotations

import os
import socket

import pytest
from sqlalchemy import make_url

from authcore_conformance.strategies import REDIS

pytest_plugins = ["pytester"]

TOUCHED = [
    *("guards", "password_change", "sessions", "sessions_lifetimes", "sessions_limits", "sessions_options"),
    *("sessions_reauthenticate", "sessions_refresh", "sessions_rotation", "tenants", "tokens"),
]
"""The modules of the suite in which a credential is made, shown or ended in a way of its own."""
ADAPTERS = [
    "authcore_flask.conformance:FlaskDriver",
    "authcore_fastapi.conformance:FastAPIDriver",
    "authcore_litestar.conformance:LitestarDriver",
    "authcore_django.conformance:DjangoWsgiDriver",
]


def run(pytester: pytest.Pytester, driver: str, strategy: str, *modules: str) -> None:
    """Run modules of the suite under a strategy, and see all of them pass."""
    result = pytester.runpytest_subprocess(
        *("-q", "-n", "2", "-W", "error", "-p", "no:cacheprovider", "--authcore-driver", driver),
        *("--authcore-strategy", strategy, "--pyargs"),
        *(f"authcore_conformance.suite.test_{module}" for module in modules),
    )
    assert result.ret == pytest.ExitCode.OK
    assert set(result.parseoutcomes()) == {"passed"}


@pytest.mark.parametrize("strategy", ["redis", "jwt"])
def test_behaviour_is_the_same_under(pytester: pytest.Pytester, strategy: str) -> None:
    """S53: no behaviour over HTTP tells where access credentials live: one store that holds them, one that does not."""
    if strategy == "redis":
        _needs_redis()

    run(pytester, "authcore_conformance.core_driver:CoreDriver", strategy, *TOUCHED)


@pytest.mark.parametrize("driver", ADAPTERS)
def test_no_adapter_confuses_signed_tokens(pytester: pytest.Pytester, driver: str) -> None:
    """T5: with signed access tokens too, the matrix of tokens and places has successes on its diagonal alone."""
    run(pytester, driver, "jwt", "tokens_matrix")


def _needs_redis() -> None:
    url = make_url(os.environ.get("AUTHCORE_TEST_REDIS", REDIS))
    try:
        socket.create_connection((url.host or "127.0.0.1", url.port or 6379), timeout=3).close()
    except OSError:
        if os.environ.get("CI") == "true":
            pytest.fail("Redis is missing.")
        pytest.skip("Redis is missing: start one, and set AUTHCORE_TEST_REDIS to its URL.")
