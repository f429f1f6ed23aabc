"""Databases of the suite's own: one for each worker, emptied between tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, delete, event, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import OperationalError

import authcore.backends.build  # noqa: F401 - the tables that a backend brings stand in the metadata as well
from authcore.tables import shipped

metadata = shipped()

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"


class Scratch:
    """One database with authcore's tables, at `url`."""

    def __init__(self, url: URL) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.engine = _engine(url)
        metadata.create_all(self.engine)

    def clear(self) -> None:
        """Empty every table."""
        statements = [str(delete(table).compile(self.engine)) for table in reversed(metadata.sorted_tables)]
        with self.engine.begin() as tx:
            if self.engine.dialect.name == "postgresql":
                tx.exec_driver_sql("; ".join(statements))  # in one trip
                return
            for statement in statements:
                tx.exec_driver_sql(statement)


class Databases:
    """The scratch databases of one worker, made when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Scratch] = {}
        self._name = f"authcore_suite_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"

    def get(self, kind: str) -> Scratch:
        """Answer the scratch database of a kind, emptied; skip the test where there is no server (fail in CI)."""
        if kind not in self._made:
            self._made[kind] = Scratch(self._sqlite() if kind == "sqlite" else self._postgresql())
        self._made[kind].clear()
        return self._made[kind]

    def drop(self) -> None:
        """Let go of all of them."""
        for scratch in self._made.values():
            scratch.engine.dispose()
        if "postgresql" in self._made:
            _on_server(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _sqlite(self) -> URL:
        return make_url(f"sqlite:///{self._folder / 'authcore.db'}")

    def _postgresql(self) -> URL:
        if not _answers():
            _absent()
        _on_server(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
        _on_server(f'CREATE DATABASE "{self._name}"')
        # Nothing here has to outlast a power cut, and a disk flushes some hundred times a second.
        _on_server(f'ALTER DATABASE "{self._name}" SET synchronous_commit TO off')
        return _server().set(database=self._name)


def _server() -> URL:
    return make_url(os.environ.get("AUTHCORE_TEST_POSTGRES", POSTGRES))


def _on_server(statement: str) -> None:
    engine = create_engine(_driven(_server()), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _answers() -> bool:
    try:
        _on_server("SELECT 1")
    except OperationalError:
        return False
    return True


def _absent() -> None:
    sentence = "PostgreSQL does not answer: start it, or say in AUTHCORE_TEST_POSTGRES where it is."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def _driven(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


def _engine(url: URL) -> Engine:
    engine = create_engine(_driven(url), poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _begin_immediate(connection: Connection) -> None:
    # Reading first and writing later, as a plain BEGIN does, fails at once beside another writer.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
