"""What the races share: a database of each test's own, on a real server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

SERVER = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
_NUMBERS = itertools.count()


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A database of this test's own on the server of AUTHCORE_TEST_POSTGRES."""
    with _database() as url:
        yield url


@pytest.fixture(scope="module")
def kept_postgresql() -> Iterator[str]:
    """A database of this module's own on the server of AUTHCORE_TEST_POSTGRES."""
    with _database() as url:
        yield url


@contextmanager
def _database() -> Iterator[str]:
    server = sa.make_url(SERVER).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"authcore_races_{os.getpid()}_{next(_NUMBERS)}"
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        sentence = "PostgreSQL is missing: start one, and set AUTHCORE_TEST_POSTGRES to its URL."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
