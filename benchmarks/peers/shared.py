"""What every application here has: where its stores are, who signs in, and where the client gets a credential."""

from __future__ import annotations

import os
from typing import Any

from apps import EMAIL, PREFIX, REDIS, database_url
from sqlalchemy import make_url

WHO = EMAIL.format(0)
LONG = "a secret of the benchmarks, known to all, of sixty-four bytes...."  # what HS256 asks for, and more
HOUR = 3600  # seconds; longer than a run
CREDENTIAL, REFRESH = "/credential", "/token/refresh"
"""The routes that answer the headers, or the tokens, of somebody who is signed in, and that rotate a refresh token."""


def driven(*, sqlite: str = "", postgresql: str = "psycopg") -> str:
    """Answer the database's URL with a driver."""
    url = make_url(database_url())
    name = url.get_backend_name()
    driver = sqlite if name == "sqlite" else postgresql
    return url.set(drivername=f"{name}+{driver}" if driver else name).render_as_string(hide_password=False)


def redis_url() -> str:
    """Answer where the Redis is."""
    return os.environ[REDIS]


def key_prefix() -> str:
    """Answer how the run's keys begin."""
    return os.environ[PREFIX]


def bearer(token: str) -> dict[str, Any]:
    """Answer a credential that travels as a bearer token."""
    return {"headers": {"Authorization": f"Bearer {token}"}}
