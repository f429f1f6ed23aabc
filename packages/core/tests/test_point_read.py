"""Reads of one row: SQLite's short way answers what SQLAlchemy's answers, and whoever listens hears of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from authcore.point_read import PointRead, PointWrite, at_once, together
from authcore.tables import Digest, Json, Key, UtcDateTime

NOON = datetime(2030, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
ADA = {"id": "ada", "digest": b"\x00" * 32, "at": NOON, "gone": None, "list": ["pwd"], "flag": True, "count": 3}

metadata = sa.MetaData()
things = sa.Table(
    "thing",
    metadata,
    sa.Column("id", Key(), primary_key=True),
    sa.Column("digest", Digest),
    sa.Column("at", UtcDateTime),
    sa.Column("gone", UtcDateTime),
    sa.Column("list", Json),
    sa.Column("flag", sa.Boolean),
    sa.Column("count", sa.Integer),
)
BY_DIGEST = sa.select(things).where(
    things.c.digest == sa.bindparam("digest_"),
    things.c.at <= sa.bindparam("now_", type_=UtcDateTime()),
    sa.or_(things.c.gone.is_(None), things.c.gone > sa.bindparam("now_", type_=UtcDateTime())),
)
HERS = {"digest_": ADA["digest"], "now_": NOON}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file."""
    return tmp_path / "point.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    """An engine with one row, to which nobody listens."""
    made = sa.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    with made.connect() as tx:
        tx.exec_driver_sql("PRAGMA journal_mode=WAL")
        metadata.create_all(tx)
        tx.execute(sa.insert(things), ADA)
    yield made
    made.dispose()


def test_the_short_way_answers_the_same_values(engine: Engine) -> None:
    """Times, JSON, booleans, bytes and NULL come out of the driver as they come out of SQLAlchemy."""
    with engine.connect() as tx:
        expected = tx.execute(BY_DIGEST, HERS).one()

        found = PointRead(BY_DIGEST).row(tx, HERS)

    assert found is not None
    assert tuple(found) == tuple(expected) == tuple(ADA.values())
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_an_unknown_key_answers_none(engine: Engine) -> None:
    """No row is None."""
    with engine.connect() as tx:
        assert PointRead(BY_DIGEST).row(tx, {**HERS, "digest_": b"\x01" * 32}) is None


def test_on_sqlite_the_driver_gets_the_statement(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy executes nothing, which is what makes a guard fast."""
    executed: list[Any] = []
    monkeypatch.setattr(Connection, "execute", lambda self, statement, *_: executed.append(statement))

    with engine.connect() as tx:
        found = PointRead(BY_DIGEST).row(tx, HERS)

    assert found is not None
    assert executed == []


def test_a_listener_hears_the_read(engine: Engine) -> None:
    """An application that traces its engine's statements sees the guard's as well."""
    heard: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: heard.append(given[2]))

    with engine.connect() as tx:
        found = PointRead(BY_DIGEST).row(tx, HERS)

    assert found is not None
    assert len(heard) == 1


def test_tables_in_another_schema_are_found(engine: Engine, path: Path) -> None:
    """An engine that maps schemas keeps doing so."""
    with engine.connect() as tx:
        tx.exec_driver_sql(f"ATTACH '{path.with_name('other.db')}' AS other")
        mapped = tx.execution_options(schema_translate_map={None: "other"})
        metadata.create_all(mapped)

        assert PointRead(BY_DIGEST).row(mapped, HERS) is None


def test_what_the_driver_refuses_is_sqlalchemys_error(engine: Engine) -> None:
    """The ports translate SQLAlchemy's errors, so a missing table is one of them."""
    with engine.connect() as tx:
        metadata.drop_all(tx)

        with pytest.raises(OperationalError, match="no such table"):
            PointRead(BY_DIGEST).row(tx, HERS)


def test_a_read_leaves_no_snapshot_open(engine: Engine, path: Path) -> None:
    """After a read, found or not, another connection may empty the write-ahead log."""
    with engine.connect() as tx, sqlite3.connect(path) as other:
        for digest in (ADA["digest"], b"\x01" * 32):
            PointRead(BY_DIGEST).row(tx, {**HERS, "digest_": digest})
            other.execute("UPDATE thing SET count = count + 1")
            other.commit()

            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    other.close()


# --- writes ---

ADD = PointWrite(sa.insert(things))
CLEAR = PointWrite(
    sa.update(things).where(things.c.id == sa.bindparam("id_")).values(gone=None, count=sa.bindparam("count_"))
)
NOBODYS = {"id_": "nobody", "count_": 1}
DORA = {**ADA, "id": "dora", "digest": b"\x02" * 32, "list": [], "count": 4}
BEA = {**ADA, "id": "bea", "digest": b"\x01" * 32, "gone": NOON}


@pytest.fixture(params=["sqlite", "sqlite heard", "postgresql", "postgresql heard"])
def writing(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Engine]:
    """An engine of each way: the short ones, and those to which somebody listens."""
    database, _, heard = request.param.partition(" ")
    made = engine if database == "sqlite" else sa.create_engine(request.getfixturevalue("postgres_url"))
    if heard:
        sa.event.listen(made, "before_cursor_execute", lambda *_: None)
    if database == "sqlite":
        yield made
        return
    metadata.create_all(made)
    yield made
    metadata.drop_all(made)
    made.dispose()


def test_writes_together_are_those_one_by_one(writing: Engine) -> None:
    """What is handed to the driver at once is what SQLAlchemy would have written."""
    with writing.begin() as tx:
        together(tx, (ADD, BEA), (CLEAR, {"id_": "bea", "count_": 7}))

    with writing.connect() as tx:
        row = tx.execute(sa.select(things).where(things.c.id == "bea")).mappings().one()
    assert dict(row) == {**BEA, "gone": None, "count": 7}


def test_writes_at_once_are_those_one_by_one(writing: Engine) -> None:
    """Names of parameters that several share keep the value of each, and what changes nothing stops nothing."""
    with writing.begin() as tx:
        ADD.run(tx, BEA)
        at_once(tx, (ADD, {**BEA, "id": "cleo"}), (CLEAR, {"id_": "bea", "count_": 7}), (CLEAR, NOBODYS), (ADD, DORA))

    with writing.connect() as tx:
        rows = tx.execute(sa.select(things.c.id, things.c.count, things.c.list).where(things.c.id != "ada"))
        found = {row.id: (row.count, row.list) for row in rows}
    assert found == {"bea": (7, ["pwd"]), "cleo": (3, ["pwd"]), "dora": (4, [])}


def test_answers_come_in_the_order_of_what_was_asked(writing: Engine) -> None:
    """Reads and writes of one trip see what went before them, and each answers what it would alone."""
    mine = PointRead(BY_DIGEST)
    asked = {"digest_": BEA["digest"], "now_": NOON}
    with writing.begin() as tx:
        answers = together(tx, (mine, asked), (ADD, {**BEA, "gone": None}), (mine, asked), (CLEAR, NOBODYS))

    assert answers[0] is None
    assert dict(zip(mine.names, answers[2], strict=True)) == {**BEA, "gone": None}
    assert answers[3] == 0


def test_a_write_tells_how_many_rows_it_met(writing: Engine) -> None:
    """The count of rows decides a compare-and-swap."""
    with writing.begin() as tx:
        ADD.run(tx, BEA)
        assert CLEAR.run(tx, {"id_": "bea", "count_": 1}) == 1
        assert CLEAR.run(tx, {"id_": "nobody", "count_": 1}) == 0


def test_what_a_driver_raises_is_raised_as_sqlalchemy_does(writing: Engine) -> None:
    """A row that is there already is an IntegrityError, whichever way the statement went, and says no value."""
    with writing.begin() as tx:
        ADD.run(tx, BEA)

    acts: tuple[Callable[[Connection], Any], ...] = (
        lambda tx: ADD.run(tx, BEA),
        lambda tx: together(tx, (ADD, {**BEA, "id": "cleo"}), (ADD, BEA)),
        lambda tx: at_once(tx, (ADD, {**BEA, "id": "cleo"}), (ADD, BEA)),
    )
    for act in acts:
        with pytest.raises(sa.exc.IntegrityError), writing.begin() as tx:
            act(tx)
