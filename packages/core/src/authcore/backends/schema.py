"""The schema of a database: made whole where there is none; another version is left to `authcore db upgrade`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select, text
from sqlalchemy.engine import Connection

from authcore.tables import SCHEMA, VERSION_TABLE, shipped
from authcore.tables import metadata as ours

# Held while tables are made, so that processes that start together make them one after the other.
_LOCK = {
    "postgresql": text("SELECT pg_advisory_xact_lock(7022364301936292453)"),
    "mysql": text("SELECT GET_LOCK('authcore_tables', 30)"),
    "mariadb": text("SELECT GET_LOCK('authcore_tables', 30)"),
}
_UNLOCK = {
    "mysql": text("DO RELEASE_LOCK('authcore_tables')"),
    "mariadb": text("DO RELEASE_LOCK('authcore_tables')"),
}

version = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""What Alembic keeps its place in, under the name that it gives it."""


@contextmanager
def alone(tx: Connection) -> Iterator[None]:
    """Let no other process change the schema meanwhile."""
    name = tx.dialect.name
    if name in _LOCK:
        tx.execute(_LOCK[name])
    yield
    if name in _UNLOCK:
        tx.execute(_UNLOCK[name])


def recorded(tx: Connection) -> str | None:
    """Answer the version that the database records, or None."""
    if not inspect(tx).has_table(VERSION_TABLE):
        return None
    return tx.execute(select(version.c.version_num)).scalar_one_or_none()


def record(tx: Connection, number: str) -> None:
    """Record the version of a schema that was not made by migrations."""
    version.create(tx, checkfirst=True)
    tx.execute(insert(version).values(version_num=number))


def present(tx: Connection) -> set[str]:
    """Answer which of the shipped tables the database has."""
    return set(inspect(tx).get_table_names()) & set(shipped().tables)


def create_missing(tx: Connection, metadata: MetaData) -> None:
    """Make the tables that are missing, one process at a time."""
    with alone(tx):
        if metadata is ours:
            _create_shipped(tx)
        else:
            metadata.create_all(tx)


def _create_shipped(tx: Connection) -> None:
    found = recorded(tx)
    # Half of another version's tables is what `authcore db upgrade` could not start from.
    if found not in (None, SCHEMA):
        return
    fresh = found is None and not present(tx)
    shipped().create_all(tx)
    if fresh:
        record(tx, SCHEMA)
