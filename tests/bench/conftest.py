"""What the benchmarks need of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authcore_conformance.scratch import Databases


@pytest.fixture
def postgresql(tmp_path: Path) -> None:
    """Skip where there is no server (fail in CI)."""
    databases = Databases(tmp_path)
    databases.get("postgresql")
    databases.drop()


@pytest.fixture
def redis() -> None:
    """Skip where there is no server (fail in CI)."""
    driver = pytest.importorskip("redis", reason="the Redis driver is an extra")
    url = os.environ.get("AUTHCORE_TEST_REDIS", "redis://127.0.0.1:6379/0")
    try:
        with driver.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except driver.ConnectionError:
        sentence = "Redis is missing: start one (`redis-server`), and set AUTHCORE_TEST_REDIS to its URL."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
