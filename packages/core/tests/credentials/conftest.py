"""What the tests of credential stores share: Redis over each client, single and as a cluster of the tests' own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from redis_servers import CLIENTS, Place, Server, clean, cluster, server, side


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Three nodes on loopback."""
    pytest.importorskip("redis", reason="the Redis driver is an extra")
    with cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the test's own, which it may stop."""
    pytest.importorskip("redis", reason="the Redis driver is an extra")
    with server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=[f"{place}-{kind}" for place in ("single", "cluster") for kind in CLIENTS])
def redis_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each kind of client, of one server and of a cluster, with a prefix of the test's own, whose keys go away."""
    place, kind = request.param.split("-")
    single = place == "single"
    url = request.getfixturevalue("redis_url") if single else request.getfixturevalue("redis_cluster")[0].url
    prefix = f"authcore-test-{secrets.token_hex(6)}"
    with side(kind, url, not single) as made:
        yield Place(made, prefix)
    if single:
        clean(url, prefix)


POSTGRES = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(scope="session")
def credentials_database() -> Iterator[sa.URL]:
    """A database of this run's own on the server of AUTHCORE_TEST_POSTGRES."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    server = sa.make_url(POSTGRES).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(
        server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, connect_args={"connect_timeout": 3}
    )
    name = f"authcore_credentials_{secrets.token_hex(6)}"
    try:
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
            # Nothing here has to outlast a power cut, and a disk flushes some hundred times a second.
            connection.execute(sa.text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    except sa.exc.OperationalError:
        sentence = "PostgreSQL is missing: start one, and set AUTHCORE_TEST_POSTGRES to its URL."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    yield server.set(database=name)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
