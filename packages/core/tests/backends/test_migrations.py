"""The migrations make exactly the tables that the code declares, on each database, beside the application's own."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect, text
from sqlalchemy.engine import Connection

import authcore.backends.kv_sql  # noqa: F401 - registers its table
from authcore import ConfigurationError, migrations
from authcore.alembic import include_object
from authcore.backends.build import Backends
from authcore.backends.engines import parse_url
from authcore.tables import SCHEMA, VERSION_TABLE, metadata

Make = Callable[..., Backends]
SOURCE = Path(migrations.__file__).parents[1]
TOOL = Path(__file__).parents[4] / "tools" / "migration.py"


@pytest.fixture
def engine(shared_url: str) -> Iterator[Engine]:
    """Answer the application's own engine of a database without tables."""
    made = create_engine(parse_url(shared_url))
    _drop_all(made)
    yield made
    _drop_all(made)
    made.dispose()


def test_upgrade_makes_exactly_the_declared_tables(engine: Engine) -> None:
    """Over an application's connection, an upgrade from nothing leaves no difference, in either direction."""
    with engine.begin() as connection:
        migrations.upgrade(connection)

    with engine.connect() as connection:
        everything = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(everything, metadata) == []
        assert migrations.differences(connection) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, VERSION_TABLE}


def test_upgrade_and_create_tables_make_the_same(engine: Engine, make: Make, shared_url: str) -> None:
    """What the migrations make and what `create_tables()` makes reads back alike, to the names of keys and indexes."""
    with engine.begin() as connection:
        migrations.upgrade(connection)
    migrated = _reflected(engine)
    _drop_all(engine)

    make(shared_url).create_tables()

    assert _reflected(engine) == migrated


def test_downgrade_leaves_nothing(engine: Engine) -> None:
    """A downgrade to nothing takes every table away that an upgrade made."""
    with engine.begin() as connection:
        migrations.upgrade(connection)

    with engine.begin() as connection:
        command.downgrade(migrations.config(connection), "base")

    assert inspect(engine).get_table_names() == [VERSION_TABLE]


def test_an_upgrade_that_fails_changes_nothing(engine: Engine) -> None:
    """All of an upgrade is one transaction: what stands in its way leaves no table behind."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE authcore_user (id INTEGER)"))

    with pytest.raises(ConfigurationError, match="without a version"), engine.begin() as connection:
        migrations.upgrade(connection)

    assert inspect(engine).get_table_names() == ["authcore_user"]


def test_the_latest_migration_is_the_version_of_the_code() -> None:
    """There is one latest migration, and it is the one whose tables the code declares."""
    heads = ScriptDirectory.from_config(migrations.config()).get_heads()

    assert heads == [SCHEMA]


def test_upgrade_after_create_tables_has_nothing_to_do(engine: Engine, make: Make, shared_url: str) -> None:
    """`create_tables()` records the version of what it made, so that an upgrade begins there."""
    make(shared_url).create_tables()

    with engine.begin() as connection:
        before = migrations.upgrade(connection)

    assert before == SCHEMA


def test_upgrade_adopts_tables_without_a_version(engine: Engine) -> None:
    """Tables that somebody else made as the code declares them are taken as they are, and their version recorded."""
    with engine.begin() as connection:
        metadata.create_all(connection)

    with engine.begin() as connection:
        before = migrations.upgrade(connection)
        after = migrations.current(connection)

    assert (before, after) == (None, SCHEMA)


def test_create_tables_leaves_another_version_alone(engine: Engine, make: Make, shared_url: str) -> None:
    """Where another version is recorded, `create_tables()` makes nothing: a mixture could not be upgraded."""
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('0000')"))

    make(shared_url).create_tables()

    assert inspect(engine).get_table_names() == [VERSION_TABLE]


def test_an_unknown_version_is_refused(engine: Engine) -> None:
    """A database of a later release is told apart from one that can be upgraded, and left alone."""
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('9999')"))

    with pytest.raises(ConfigurationError, match="'9999'"), engine.begin() as connection:
        migrations.upgrade(connection)

    assert inspect(engine).get_table_names() == [VERSION_TABLE]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "DROP TABLE authcore_identity",
            ["missing table authcore_identity", "missing index ix_authcore_identity_"],
        ),
        ("DROP INDEX ix_authcore_effect_next_at", ["missing index ix_authcore_effect_next_at on authcore_effect"]),
        ("ALTER TABLE authcore_user ADD COLUMN extra INTEGER", ["unexpected column authcore_user.extra"]),
        ("ALTER TABLE authcore_session DROP COLUMN device_name", ["missing column authcore_session.device_name"]),
        ("CREATE INDEX extra ON authcore_user (tenant)", ["unexpected index extra on authcore_user"]),
    ],
    ids=["table", "index", "extra column", "column", "extra index"],
)
def test_drift_is_named(engine: Engine, change: str, said: list[str]) -> None:
    """A table, column or index too many or too few is named in words."""
    with engine.begin() as connection:
        migrations.upgrade(connection)
        connection.execute(text(change))

    with engine.connect() as connection:
        found = migrations.differences(connection)

    assert [entry[: len(expected)] for entry, expected in zip(sorted(found), sorted(said), strict=True)] == sorted(said)


def test_a_change_of_type_is_named(engine: Engine) -> None:
    """A column of another type or another nullability is named in words."""
    with engine.begin() as connection:
        migrations.upgrade(connection)
        connection.execute(text("DROP TABLE authcore_attempt"))
        wrong = "key VARCHAR(9) NOT NULL PRIMARY KEY, failures INTEGER, failed_at BIGINT NOT NULL"
        connection.execute(text(f"CREATE TABLE authcore_attempt ({wrong})"))
        connection.execute(text("CREATE INDEX ix_authcore_attempt_failed_at ON authcore_attempt (failed_at)"))

    with engine.connect() as connection:
        found = migrations.differences(connection)

    assert set(found) == {
        "authcore_attempt.key has another type",
        "authcore_attempt.failures has another nullable",
    }


def test_an_applications_own_tables_are_left_alone(engine: Engine) -> None:
    """authcore's migrations see no table but their own."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shop_order (id INTEGER)"))

        migrations.upgrade(connection)

        assert migrations.differences(connection) == []
    assert "shop_order" in inspect(engine).get_table_names()


def test_an_applications_own_migrations_leave_authcore_alone(engine: Engine) -> None:
    """With `include_object`, an application's autogenerate proposes to drop none of authcore's tables; without, all."""
    theirs = MetaData()
    Table("shop_order", theirs, Column("id", Integer, primary_key=True))
    with engine.begin() as connection:
        migrations.upgrade(connection)

    with engine.connect() as connection:
        kept = _proposed(connection, theirs, include_object=include_object)
        unguarded = _proposed(connection, theirs)

    assert kept == {("add_table", "shop_order")}
    assert {("remove_table", name) for name in (*metadata.tables, VERSION_TABLE)} <= unguarded


def test_an_application_may_still_drop_its_own(engine: Engine) -> None:
    """`include_object` hides no table of the application's."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shop_order (id INTEGER)"))

    with engine.connect() as connection:
        proposed = _proposed(connection, MetaData(), include_object=include_object)

    assert proposed == {("remove_table", "shop_order")}


def test_an_application_may_declare_authcores_tables_as_its_own(engine: Engine) -> None:
    """Tables of authcore in the application's metadata are compared as any other, with `include_object` too."""
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(text("ALTER TABLE authcore_user ADD COLUMN extra INTEGER"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": include_object})
        found = compare_metadata(context, metadata)

    assert [entry[0] for entry in found] == ["remove_column"]


def test_upgrades_that_run_at_once_make_one_schema(make: Make, shared_url: str, engine: Engine) -> None:
    """Of several processes that upgrade at once one makes the tables, and the others find them."""
    program = (
        "import sys; from authcore import migrations; from authcore.backends.build import Backends, Plan;"
        "print(Backends(Plan(sys.argv[1])).migratable().apart(migrations.upgrade, existing=False))"
    )
    running = [
        Popen([sys.executable, "-c", program, shared_url], stdout=PIPE, stderr=PIPE, text=True) for _ in range(4)
    ]

    ended = [process.communicate(timeout=60) for process in running]

    assert sorted(ended) == sorted([("None\n", ""), *[(f"{SCHEMA}\n", "")] * 3])


def _proposed(connection: Connection, theirs: MetaData, **options: Any) -> set[tuple[str, str]]:
    context = MigrationContext.configure(connection, opts=options)
    found = [entry for entry in compare_metadata(context, theirs) if entry[0] in ("add_table", "remove_table")]
    return {(kind, table.name) for kind, table in found}


def _reflected(engine: Engine) -> dict[str, Any]:
    found = inspect(engine)
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted(map(str, found.get_indexes(table))),
            sorted(map(str, found.get_unique_constraints(table))),
        )
        for table in found.get_table_names()
    }


def _drop_all(engine: Engine) -> None:
    reflected = MetaData()
    reflected.reflect(engine)
    reflected.drop_all(engine)


def test_the_shipped_migration_is_what_the_tool_writes(tmp_path: Path) -> None:
    """What is generated is generated again: the tables, the tool and the file that ships tell one story."""
    shutil.copytree(SOURCE, tmp_path / "authcore", ignore=shutil.ignore_patterns("__pycache__"))
    program = f"import runpy; print(runpy.run_path({str(TOOL)!r})['_write']('0001', 'The tables'))"
    versions = tmp_path / "authcore" / "migrations" / "versions"
    (versions / "0001_the_tables.py").unlink()

    subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=60,
    )

    shipped = SOURCE / "migrations" / "versions" / "0001_the_tables.py"
    assert _statements(versions / "0001_the_tables.py") == _statements(shipped)


def _statements(path: Path) -> list[str]:
    """Answer what the migration does, without its docstring, its imports and its format."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kept = [node for node in body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    return [ast.unparse(node) for node in kept]
