"""The port beside Django: what it leaves alone, what it says when the database is away, and how its tables are made."""

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from authcore import ConfigurationError
from authcore.drive import run_blocking
from authcore.errors import Unavailable
from authcore.tables import metadata

Ask = Any
Declare = Any
Post = Any


def port() -> Any:
    """Answer the port of the project's Auth."""
    from authcore_django import get_auth

    return get_auth().blocking_core().runtime.ports.db


def one(tx: Any) -> int:
    """Answer 1, by way of the database."""
    return int(tx.execute(text("SELECT 1")).scalar_one())


def test_djangos_connection_is_left_as_it_was(project: str) -> None:
    """Reading and writing open nothing, close nothing, and change neither autocommit nor Django's own functions."""
    wrapper = connections[project]
    wrapper.ensure_connection()
    before = wrapper.connection

    for _ in range(3):
        run_blocking(port().read(one))
        run_blocking(port().write(one))

    assert wrapper.connection is before
    assert wrapper.get_autocommit()
    if wrapper.vendor == "sqlite":
        assert wrapper.transaction_mode == "IMMEDIATE"
        with wrapper.cursor() as cursor:
            assert cursor.execute("SELECT 12 REGEXP '1'").fetchone() == (1,)  # Django's takes numbers
    else:
        assert before._notice_handlers == []


def test_the_projects_own_mode_of_transactions_comes_back(declare: Declare, bare: str) -> None:
    """A write begins immediately; the application's transactions stay as its settings say."""
    declare(database_alias=bare)

    run_blocking(port().write(one))

    assert connections[bare].transaction_mode is None


def test_a_connection_that_died_is_opened_again(
    postgres: str, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read, and a write of its own, outlive a restart of the server under a kept connection."""
    declare(database_alias=postgres)
    answers = []

    for run in (port().read, port().write):
        run_blocking(run(one))
        kill(postgres)
        answers.append(run_blocking(run(one)))

    assert answers == [1, 1]


def test_a_connection_that_died_inside_a_transaction_is_a_failure(postgres: str, declare: Declare) -> None:
    """What the application had written is gone with it, so nothing is run again."""
    declare(database_alias=postgres)

    def work() -> None:
        run_blocking(port().read(one))
        kill(postgres)
        run_blocking(port().write(one))

    with pytest.raises(Unavailable), transaction.atomic(using=postgres):
        work()

    assert run_blocking(port().read(one)) == 1


def kill(alias: str) -> None:
    """End the thread's connection from the server's side."""
    from authcore_project.settings import SERVER

    pid = connections[alias].connection.info.backend_pid
    engine = create_engine(SERVER.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    engine.dispose()


def test_a_database_that_is_away_is_a_503(ask: Ask, declare: Declare) -> None:
    """Nobody listens: the answer says when to come back, and nothing about the database."""
    declare(database_alias="away")

    answer = ask("GET", "/auth/health")

    assert answer.code == (503, "unavailable")
    assert answer.all("Retry-After") == ["2"]
    assert b"127.0.0.1" not in answer.body


def test_missing_tables_are_a_503_that_names_the_command(ask: Ask, declare: Declare, unmigrated: str) -> None:
    """A project that was not migrated says what to run."""
    declare(database_alias=unmigrated)

    answer = ask("GET", "/auth/session", [("Authorization", "Bearer ac1_at_" + "A" * 43)])

    assert answer.code == (503, "unavailable")
    assert "manage.py migrate authcore" in answer.json["error"]["message"]


def test_create_tables_migrates(declare: Declare, unmigrated: str, ask: Ask) -> None:
    """`create_tables()` runs the migrations, so that `migrate` has nothing left to do, and closes the connection."""
    from authcore_django import get_auth

    declare(database_alias=unmigrated)

    get_auth().create_tables()

    assert connections[unmigrated].connection is None
    assert ask("GET", "/auth/session").status == 200
    call_command("migrate", "authcore", database=unmigrated, check_unapplied=True, verbosity=0)


@pytest.mark.parametrize(("alias_", "says"), [("other", "speaks SQLite and PostgreSQL"), ("none", "does not have")])
def test_a_database_that_cannot_be_used_is_named(declare: Declare, alias_: str, says: str) -> None:
    """An unknown alias, and a database that authcore does not speak, are said so."""
    from authcore_django import get_auth

    declare(database_alias=alias_)

    with pytest.raises(ConfigurationError, match=says):
        get_auth()


def test_an_engine_of_its_own_works_beside_django(ask: Ask, declare: Declare, tmp_path: Any) -> None:
    """With a URL in AUTHCORE["database"] authcore opens its own connections, and hops to its own threads."""
    from authcore_django import get_auth

    declare(database=f"sqlite:///{tmp_path}/own.db")
    get_auth().create_tables()

    answer = ask("GET", "/auth/health")

    assert answer.status == 200
    assert get_auth().backends.inline() is not None


def test_the_senders_thread_hands_its_connection_back(postgres: str, declare: Declare, post: Post) -> None:
    """A mail goes out from the thread, which keeps no connection that would hold the database open."""
    from authcore.backends.mail import MemoryMailer

    mailer = MemoryMailer()
    declare(database_alias=postgres, outbox="thread", mailer=mailer, features=["authcore.Password"])
    post("/auth/sign-up", {"email": "ada@example.com", "password": "a passphrase of some length"})

    wait_for(lambda: len(mailer.mails) == 1)
    connections[postgres].close()

    wait_for(lambda: clients_of(postgres) == 0)


def wait_for(what: Any) -> None:
    """Wait until something is so, at most 10 seconds."""
    until = time.monotonic() + 10
    while not what():
        assert time.monotonic() < until, "it did not happen within 10 s"
        time.sleep(0.05)


def clients_of(alias: str) -> int:
    """Answer how many connections a database has."""
    from authcore_project.settings import SERVER

    engine = create_engine(SERVER.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        name = connections[alias].settings_dict["NAME"]
        found = connection.execute(text("SELECT count(*) FROM pg_stat_activity WHERE datname = :n"), {"n": name})
        number = int(found.scalar_one())
    engine.dispose()
    return number


@pytest.mark.parametrize(
    "options",
    [{"server_side_binding": True}, {"pool": {"min_size": 1, "max_size": 4}}, {"isolation_level": 4}],
    ids=["server-side binding", "pool", "serializable"],
)
def test_djangos_options_of_postgresql_are_fit(
    postgres: str,
    declare: Declare,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    ask: Ask,
    post: Post,
    sign_up: Any,
) -> None:
    """Other cursors, a pool and a stricter isolation make no difference to anybody who signs in."""
    monkeypatch.setitem(connections.settings[postgres], "OPTIONS", options)
    given = {**connections.settings[postgres], "OPTIONS": options}
    monkeypatch.setitem(connections.settings, "fit", given)
    declare(database_alias="fit")
    try:
        credential = sign_up()
        wrong = post("/auth/sign-in", {"email": "ada@example.com", "password": "another passphrase"})
        found = [ask("GET", target, [credential]).status for target in ("/hello", "/ahello", "/auth/sessions")]
    finally:
        wrapper = connections["fit"]
        wrapper.close()
        if "pool" in options:
            wrapper.close_pool()
        del connections["fit"]

    assert wrong.code == (401, "invalid_credentials")
    assert found == [200, 200, 200]


def test_children_of_a_fork_answer(tmp_path: Path) -> None:
    """A server that has loaded and used the project before it forks, as gunicorn --preload does, is served by all."""
    program = Path(__file__).parent / "preload.py"
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(program), str(tmp_path)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == {"parent": 202, "children": [0, 0], "again": 401, "mailed": True}


# --- the schema ---


def shape(url: Any) -> dict[str, Any]:
    """Answer what matters about authcore's tables in a database: columns, keys, indexes and constraints."""
    engine = create_engine(url)
    inspector = inspect(engine)
    found = {name: table_shape(inspector, name) for name in inspector.get_table_names() if name in metadata.tables}
    engine.dispose()
    return found


def table_shape(inspector: Any, table: str) -> dict[str, Any]:
    """Answer what matters about one table."""
    uniques = inspector.get_unique_constraints(table)
    indexes = [index for index in inspector.get_indexes(table) if not index.get("duplicates_constraint")]
    return {
        "columns": {column["name"]: column_shape(column) for column in inspector.get_columns(table)},
        "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
        "uniques": sorted((unique["name"], unique["column_names"]) for unique in uniques),
        "indexes": sorted((index["name"], index["column_names"], bool(index["unique"])) for index in indexes),
    }


def column_shape(column: Any) -> tuple[str, bool, str | None]:
    """Answer the type, whether it may be null, and the default, however they are spelled."""
    default = column["default"] and column["default"].strip("'()").partition("'")[0]
    if column.get("identity") or default == "nextval(":
        default = "the next number"  # PostgreSQL has two ways to count
    return str(column["type"]).upper(), column["nullable"], default


def test_the_migrations_make_authcores_own_tables(alias: str, tmp_path: Any) -> None:
    """Names, types, nullability, defaults, keys, indexes and constraints are those of `create_all`."""
    from authcore_project.settings import DATABASES, SERVER

    name = DATABASES[alias]["NAME"]
    if alias == "default":
        django, own = make_url(f"sqlite:///{name}"), make_url(f"sqlite:///{tmp_path}/own.db")
    else:
        django = SERVER.set(drivername="postgresql+psycopg", database=name)
        own = django.update_query_dict({"options": "-csearch_path=own"})
        run(django, "CREATE SCHEMA own")
    engine = create_engine(own)
    metadata.create_all(engine)
    engine.dispose()

    try:
        assert shape(django) == shape(own)
        assert shape(django).keys() == metadata.tables.keys()
    finally:
        if alias == "postgres":
            run(django, "DROP SCHEMA own CASCADE")


def run(url: Any, statement: str) -> None:
    """Run one statement."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_every_shipped_table_has_a_model(models_source: str) -> None:
    """`models.py` is what the tool writes from the tables, and no migration is missing."""
    from authcore_django import models

    assert Path(models.__file__).read_text() == models_source
    call_command("makemigrations", "authcore", check_changes=True, verbosity=0)


@pytest.fixture
def models_source() -> str:
    """Answer what the tool writes."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("authcore_django_tool", Path(__file__).parents[1] / "tools" / "models.py")
    assert spec is not None
    assert spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    source: str = tool.source()
    return source


def test_revocations_are_followed_on_a_connection_that_is_closed_again(project: str) -> None:
    """A listener's thread reads over a connection of Django's that is its own, and takes it down when it ends."""
    from authcore.services import revocations
    from authcore_django import get_auth

    wrapper = connections[project]
    wrapper.ensure_connection()
    before, told, opened = wrapper.connection, [], []

    def listener(rows: Any) -> None:
        told.extend(row.kind for row in rows)
        opened.append(connections[project])

    follower = get_auth().backends.follower
    listening = follower.listen(listener)
    run_blocking(port().write(revocations.write, [revocations.Revocation("changed", "ada")], datetime.now(UTC)))
    until = time.monotonic() + 10
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    listening.close()
    follower.stop()

    assert told == ["changed"]
    assert wrapper.connection is before
    assert opened[0] is not wrapper
    assert opened[0].connection is None


def test_guards_over_djangos_connection_read_on_demand(project: str) -> None:
    """No thread is made where nobody listens."""
    from authcore_django import get_auth

    follower = get_auth().backends.follower
    follower.current()

    assert not any(thread.name == "authcore-revocations" for thread in threading.enumerate())
