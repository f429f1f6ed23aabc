"""The database port: transactions, retries and the one translation of failures, on every database and both sides."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.errors import ConfigurationError, Unavailable
from authcore.point_read import PointRead
from authcore.ports import Count, Ports, fleeting

Make = Callable[..., Backends]
metadata = MetaData()
notes = Table(
    "test_notes", metadata, Column("id", Integer, primary_key=True), Column("text", String(50), nullable=False)
)


@pytest.fixture
def noted(ports: Ports) -> Ports:
    """Answer ports over a database with two notes."""
    run_blocking(ports.db.write(_reset))
    return ports


def test_what_is_written_is_read(noted: Ports) -> None:
    """A committed write is seen by the next read, and the store's answer is handed through."""
    answer = run_blocking(noted.db.write(_set, 1, text="changed"))

    assert answer == 1
    assert run_blocking(noted.db.read(_text, 1)) == "changed"


def test_an_error_undoes_the_write(noted: Ports) -> None:
    """What a store function wrote before it raised is rolled back, and its own error passes unchanged."""
    with pytest.raises(LookupError, match="mine"):
        run_blocking(noted.db.write(_set_and_raise, LookupError("mine")))

    assert run_blocking(noted.db.read(_text, 1)) == "one"


def test_a_broken_constraint_passes_unchanged(noted: Ports) -> None:
    """Stores rely on IntegrityError to tell a taken name."""
    with pytest.raises(IntegrityError):
        run_blocking(noted.db.write(_add, 1, "again"))

    assert run_blocking(noted.db.read(_text, 1)) == "one"


def test_an_error_names_no_values(noted: Ports) -> None:
    """O3: the text of a database error carries none of the values that were written."""
    with pytest.raises(IntegrityError) as caught:
        run_blocking(noted.db.write(_add, 2, "canary-value"))

    assert "canary-value" not in str(caught.value)


def test_a_callback_is_called_at_once(noted: Ports) -> None:
    """Outside an application's own transaction what was written is visible already."""
    called: list[str] = []

    noted.db.after_commit(lambda: called.append("yes"))

    assert called == ["yes"]


def test_a_missing_table_names_the_command(make: Make, url: str) -> None:
    """A database without authcore's tables answers 503 with the command that makes them."""
    db = make(url).ports(Drive.BLOCKING).db

    with pytest.raises(Unavailable, match="authcore db upgrade") as caught:
        run_blocking(db.read(_run, "SELECT * FROM test_absent"))

    assert caught.value.status == 503


def test_a_missing_column_names_the_command(noted: Ports) -> None:
    """Tables of an older version answer 503 with the command that changes them."""
    with pytest.raises(Unavailable, match="authcore db upgrade"):
        run_blocking(noted.db.write(_run, "UPDATE test_notes SET absent = 1"))


def test_a_mistake_in_a_statement_is_no_outage(noted: Ports) -> None:
    """Wrong SQL is an error of the code, not a 503."""
    with pytest.raises(Exception, match="syntax") as caught:
        run_blocking(noted.db.read(_run, "SELEC 1"))

    assert not isinstance(caught.value, Unavailable)


def test_many_writers_lose_no_update(noted: Ports) -> None:
    """Read, add one, write: what a transaction read with a lock is still so when it writes."""
    run_blocking(noted.db.write(_set, 1, text="0"))

    _together(6, lambda _: [run_blocking(noted.db.write(_add_one)) for _ in range(10)])

    assert run_blocking(noted.db.read(_text, 1)) == "60"


def test_a_read_that_raised_leaves_no_old_snapshot(noted: Ports) -> None:
    """A result left half read by an error does not keep later reads at the past."""
    kept: list[Any] = []
    with pytest.raises(LookupError):
        run_blocking(noted.db.read(_half_read, kept))

    run_blocking(noted.db.write(_set, 1, text="after"))

    assert run_blocking(noted.db.read(_text, 1)) == "after"


def test_the_missing_tables_are_made_at_first_use(make: Make, url: str) -> None:
    """In development the first call makes the tables, from however many threads it comes."""
    kv = make(url, create_missing=True).ports(Drive.BLOCKING).kv
    key = os.urandom(8).hex()

    _together(6, lambda _: run_blocking(kv.increment([Count(key, 1, ttl=60)])))

    assert run_blocking(kv.increment([Count(key, 0, ttl=60)])) == [6]


def test_processes_that_start_together_make_the_tables_once(make: Make, shared_url: str) -> None:
    """Several processes may meet an empty database at the same moment."""
    _drop_all(shared_url)
    started = [_starter(shared_url) for _ in range(3)]
    for process in started:
        process.stdout.readline()

    for process in started:
        process.stdin.close()
    said = [process.stderr.read() for process in started]

    assert said == [b""] * 3
    assert [process.wait() for process in started] == [0, 0, 0]
    for process in started:
        process.stdout.close()
        process.stderr.close()
    kv = make(shared_url).ports(Drive.BLOCKING).kv
    assert run_blocking(kv.increment([Count("starts", 0, 60)])) == [3]


@pytest.mark.parametrize("failing", [1, 3])
def test_a_transaction_that_met_another_is_run_again(noted: Ports, failing: int) -> None:
    """A serialization failure or a deadlock runs the body again, and only what the last run wrote stands."""
    runs: list[int] = []

    answer = run_blocking(noted.db.write(_conflict, runs, failing))

    assert (answer, len(runs)) == ("done", failing + 1)
    assert run_blocking(noted.db.read(_text, 1)) == f"run {failing + 1}"


def test_a_transaction_is_run_again_at_most_three_times(noted: Ports) -> None:
    """What always conflicts ends in a 503 and leaves nothing written."""
    runs: list[int] = []

    with pytest.raises(Unavailable):
        run_blocking(noted.db.write(_conflict, runs, 99))

    assert len(runs) == 4
    assert run_blocking(noted.db.read(_text, 1)) == "one"


def test_a_deadlock_ends_well(make: Make, postgres_url: str) -> None:
    """Two transactions that lock two rows crosswise both end with their rows written."""
    db = _noted(make(postgres_url))
    met = threading.Barrier(2)

    def crosswise(number: int) -> None:
        run_blocking(db.write(_both, [1, 2] if number else [2, 1], met, [True]))

    _together(2, crosswise)

    assert [run_blocking(db.read(_text, number)) for number in (1, 2)] == ["one++", "two++"]


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_restarted_server_is_not_noticed(make: Make, postgres_url: str, method: str) -> None:
    """A connection that died in the pool is replaced, and the call is answered."""
    db = _noted(make(postgres_url))
    run_blocking(db.write(_text, 1))
    run_blocking(db.read(_text, 1))
    _cut_connections(postgres_url)

    assert run_blocking(getattr(db, method)(_text, 1)) == "one"


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_restarted_server_is_not_noticed_past_sqlalchemy(
    make: Make, postgres_url: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the driver is asked directly and every connection of the pool has died, the first call that finds out lets
    go of all of them, and logs nothing.
    """
    db = _noted(make(postgres_url))
    met = threading.Barrier(3)
    _together(3, lambda _: run_blocking(db.read(_meet, met)))
    _cut_connections(postgres_url)

    assert [run_blocking(getattr(db, method)(_text_at_once, 1)) for _ in range(3)] == [["one"]] * 3
    assert caplog.text == ""


async def test_a_restarted_server_is_not_noticed_past_sqlalchemy_on_a_loop(make: Make, postgres_url: str) -> None:
    """Under asyncio too, what asks the driver directly lets go of a pool that has died."""
    db = _noted(make(postgres_url), Drive.ASYNCIO)
    await asyncio.gather(*(db.read(_text_at_once, 1) for _ in range(3)))
    _cut_connections(postgres_url)

    assert [await db.read(_text_at_once, 1) for _ in range(3)] == [["one"]] * 3
    _cut_connections(postgres_url)
    assert await db.write(_text_at_once, 1) == ["one"]


async def test_a_restarted_server_is_not_noticed_on_a_loop(make: Make, postgres_url: str) -> None:
    """Under asyncio too a dead connection is replaced."""
    db = _noted(make(postgres_url), Drive.ASYNCIO)
    await db.read(_text, 1)
    _cut_connections(postgres_url)

    assert await db.read(_text, 1) == "one"
    _cut_connections(postgres_url)
    assert await db.write(_text, 1) == "one"


async def test_asyncio_reads_and_writes(make: Make, postgres_url: str) -> None:
    """The asyncio side runs the same store functions, in the same kind of transaction."""
    db = _noted(make(postgres_url), Drive.ASYNCIO)

    with pytest.raises(LookupError):
        await db.write(_set_and_raise, LookupError())
    with pytest.raises(IntegrityError):
        await db.write(_add, 1, "again")
    await db.write(_set, 2, text="changed")

    assert [await db.read(_text, number) for number in (1, 2)] == ["one", "changed"]


async def test_asyncio_runs_a_conflict_again(make: Make, postgres_url: str) -> None:
    """Retries are alike on both sides."""
    db = _noted(make(postgres_url), Drive.ASYNCIO)
    runs: list[int] = []

    answer = await db.write(_conflict, runs, 2)

    assert (answer, len(runs)) == ("done", 3)


async def test_asyncio_translates_failures(make: Make, postgres_url: str) -> None:
    """Failures are translated alike on both sides."""
    there = make(postgres_url).ports(Drive.ASYNCIO).db
    nowhere = make("postgresql://127.0.0.1:1/none").ports(Drive.ASYNCIO).db

    with pytest.raises(Unavailable, match="authcore db upgrade"):
        await there.read(_run, "SELECT * FROM test_absent")
    with pytest.raises(Unavailable):
        await nowhere.write(_run, "SELECT 1")


async def test_asyncio_makes_missing_tables(make: Make, postgres_url: str) -> None:
    """The tables are made at first use, also when many tasks come first together."""
    _drop_all(postgres_url)
    kv = make(postgres_url, create_missing=True).ports(Drive.ASYNCIO).kv

    sums = await asyncio.gather(*(kv.increment([Count("tasks", 1, 60)]) for _ in range(5)))

    assert sorted(total for [total] in sums) == [1, 2, 3, 4, 5]


def test_each_loop_has_an_engine_of_its_own(make: Make, postgres_url: str) -> None:
    """One backends object serves loop after loop, and what an ended loop left open is closed."""
    db = _noted(make(postgres_url), Drive.ASYNCIO)

    async def two_at_once() -> list[Any]:
        return await asyncio.gather(db.read(_pid), db.read(_pid))

    pids = [pid for _ in range(3) for pid in asyncio.run(two_at_once())]

    assert len(set(pids)) == 6
    assert _alive(postgres_url, pids[:4]) == 0


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_server_that_does_not_answer_is_unavailable(make: Make, method: str) -> None:
    """O2: connection refused is a 503 with Retry-After, caused by the driver's own error."""
    db = make("postgresql://127.0.0.1:1/none").ports(Drive.BLOCKING).db

    with pytest.raises(Unavailable) as caught:
        run_blocking(getattr(db, method)(_run, "SELECT 1"))

    assert caught.value.headers == (("Retry-After", "2"),)
    assert isinstance(caught.value.__cause__, OperationalError)


def test_an_option_that_the_driver_does_not_know_is_unavailable(make: Make, postgres_url: str) -> None:
    """O2: a mistake in the URL that shows when connecting is told in the driver's words, and is no crash."""
    db = make(f"{postgres_url}?bogus=1").ports(Drive.BLOCKING).db

    with pytest.raises(Unavailable) as caught:
        run_blocking(db.read(_run, "SELECT 1"))

    assert 'invalid connection option "bogus"' in str(caught.value.__cause__)


def test_making_tables_on_a_server_that_does_not_answer_is_unavailable(make: Make, tmp_path: Path) -> None:
    """The command line gets the same one error."""
    for url in ("postgresql://127.0.0.1:1/none", f"sqlite:///{tmp_path}/absent/app.db"):
        with pytest.raises(Unavailable):
            make(url).create_tables()


def test_an_exhausted_pool_is_unavailable(make: Make, postgres_url: str) -> None:
    """A request that gets no connection in time is answered 503."""
    engine = create_engine(_psycopg(postgres_url), pool_size=1, max_overflow=0, pool_timeout=0.1)
    db = make(engine).ports(Drive.BLOCKING).db

    with engine.connect(), pytest.raises(Unavailable):
        run_blocking(db.read(_run, "SELECT 1"))

    engine.dispose()


def test_a_file_that_is_no_database_is_unavailable(make: Make, tmp_path: Path) -> None:
    """O2: a damaged file is a 503, not a stack trace."""
    (tmp_path / "app.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    db = make(f"sqlite:///{tmp_path / 'app.db'}").ports(Drive.BLOCKING).db

    with pytest.raises(Unavailable):
        run_blocking(db.read(_run, "SELECT 1"))


def test_a_locked_file_is_waited_for(make: Make, sqlite_url: str) -> None:
    """A write waits for another process's write to end."""
    db = _noted(make(sqlite_url))
    other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.rollback).start()

    run_blocking(db.write(_set, 1, text="after"))

    assert run_blocking(db.read(_text, 1)) == "after"
    other.close()


def test_a_file_locked_for_too_long_is_unavailable(make: Make, sqlite_url: str) -> None:
    """A write that waited its time in vain is a 503, while reads go on."""
    db = _noted(make(f"{sqlite_url}?timeout=0.05"))
    other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        run_blocking(db.write(_set, 1, text="never"))

    assert run_blocking(db.read(_text, 1)) == "one"
    other.close()


def test_a_thread_waits_for_its_turn_only_so_long(make: Make, sqlite_url: str) -> None:
    """A write behind a slow one of the same process is a 503 after its time."""
    db = _noted(make(f"{sqlite_url}?timeout=0.05"))
    inside, leave = threading.Event(), threading.Event()
    slow = threading.Thread(target=lambda: run_blocking(db.write(_linger, inside, leave)))
    slow.start()
    inside.wait()

    with pytest.raises(Unavailable):
        run_blocking(db.write(_set, 1, text="never"))

    leave.set()
    slow.join()


def test_sqlite_is_set_up_to_lose_nothing(make: Make, sqlite_url: str) -> None:
    """Writes go to a WAL that is synced in full, with foreign keys on; reads cannot write."""
    db = make(sqlite_url).ports(Drive.BLOCKING).db

    pragmas = [run_blocking(db.write(_pragma, name)) for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert pragmas == ["wal", 2, 1]
    with pytest.raises(Unavailable):
        run_blocking(db.read(_run, "CREATE TABLE test_forbidden (id INTEGER)"))


def test_without_a_wal_every_commit_is_flushed(make: Make, tmp_path: Path) -> None:
    """A file system without shared memory keeps no WAL, and what is not flushed there may break the whole file."""
    db = make(f"sqlite:///file:{tmp_path / 'dot.db'}?vfs=unix-dotfile&uri=true").ports(Drive.BLOCKING).db
    count = fleeting(lambda tx: [_pragma(tx, name) for name in ("journal_mode", "synchronous")])

    assert run_blocking(db.write(count)) == ["delete", 2]


def test_only_what_may_be_lost_is_committed_without_a_flush(make: Make, sqlite_url: str) -> None:
    """A marked store function writes to the same WAL, which is not synced for it; the next one is synced again."""
    db = make(sqlite_url).ports(Drive.BLOCKING).db

    modes = [run_blocking(db.write(each, "synchronous")) for each in (fleeting(partial(_pragma)), _pragma)]

    assert modes == [1, 2]


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("drive", ["blocking", "asyncio", "a given engine", "a given engine for asyncio"])
def test_postgresql_does_not_wait_for_its_log_where_it_counts(
    make: Make, postgres_url: str, drive: str, heard: bool
) -> None:
    """The counters' transaction alone is committed without a flush, all at once, and everybody sees the sums."""
    make(postgres_url, create_missing=True).create_tables()
    key = f"{drive} {heard}"

    async def counted() -> tuple[Any, ...]:
        ports, engine, given = _driven(make, postgres_url, drive)
        if heard:
            event.listen(engine, "before_cursor_execute", lambda *_: None)
        await ports.db.write(_note_commits)
        assert await ports.db.write(fleeting(_commits_itself))
        sums = [await ports.kv.increment([Count(key, 2, 60), Count("none", 0, 60)]) for _ in range(2)]
        sums.append(await ports.kv.increment([Count(f"{key} {number}", number, 60) for number in (3, 1, 2)]))
        await ports.kv.put(key, b"lasts", 60)
        commits = await ports.db.read(_noted_commits)
        if given is not None:
            await given.dispose()
        return sums, commits

    sums, commits = asyncio.run(counted())

    assert sums == [[2, 0], [4, 0], [3, 1, 2]]
    assert [setting for setting, _ in commits] == ["off"] * 5 + ["on"]
    assert len({transaction for _, transaction in commits}) == 4


def _driven(make: Make, url: str, drive: str) -> tuple[Ports, Engine, AsyncEngine | None]:
    """Answer ports over PostgreSQL, the engine below them, and the one to dispose on the loop."""
    asynchronous = Drive.ASYNCIO if drive.endswith("asyncio") else Drive.BLOCKING
    if drive == "a given engine for asyncio":
        given = create_async_engine(_psycopg(url))
        return make(given).ports(asynchronous), given.sync_engine, given
    if drive == "a given engine":
        engine = create_engine(_psycopg(url), poolclass=NullPool)
        return make(engine).ports(asynchronous), engine, None
    ports = make(url).ports(asynchronous)
    side: Any = ports.db._side  # type: ignore[attr-defined]
    return ports, side.writing().sync_engine if asynchronous is Drive.ASYNCIO else side._pair.get().writing, None


def _commits_itself(tx: Connection) -> bool:
    return bool(tx.connection.driver_connection.autocommit)  # type: ignore[union-attr]


def _note_commits(tx: Connection) -> None:
    """Have every commit of the counters' table say whether it waits for the log."""
    for statement in (
        "DROP TABLE IF EXISTS test_commits",
        "CREATE TABLE test_commits (number serial, setting text, transaction bigint DEFAULT txid_current())",
        "CREATE OR REPLACE FUNCTION test_commit() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO test_commits (setting) VALUES (current_setting('synchronous_commit')); "
        "RETURN NULL; END $$",
        "DROP TRIGGER IF EXISTS test_commit ON authcore_kv",
        "CREATE CONSTRAINT TRIGGER test_commit AFTER INSERT OR UPDATE ON authcore_kv DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION test_commit()",
    ):
        tx.exec_driver_sql(statement)


def _noted_commits(tx: Connection) -> list[Any]:
    return list(tx.exec_driver_sql("SELECT setting, transaction FROM test_commits ORDER BY number"))


def test_many_first_openings_of_a_fresh_file_succeed(make: Make, tmp_path: Path) -> None:
    """Turning WAL on ignores the busy timeout; opening the same fresh file at once works all the same."""
    for turn in range(8):
        url = f"sqlite:///{tmp_path / str(turn)}.db"
        each = [make(url).ports(Drive.BLOCKING).db for _ in range(6)]

        modes = _together(6, lambda number, each=each: run_blocking(each[number].read(_pragma, "journal_mode")))

        assert modes == ["wal"] * 6


def test_a_thread_that_ends_closes_its_connection(make: Make, sqlite_url: str) -> None:
    """Connections of threads that came and went do not pile up."""
    db = _noted(make(sqlite_url))
    counts = []

    for _ in range(20):
        _together(3, lambda _: run_blocking(db.read(_text, 1)))
        counts.append(_open_files(sqlite_url))

    # SQLite itself keeps a closed file's descriptor while another connection of the process holds a lock on it.
    assert max(counts) <= 12, counts


def test_what_is_dropped_undisposed_ends_without_a_word(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are collected together with what held them leave no traceback on standard error."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def use() -> None:
        backends: Any = Backends(Plan(sqlite_url))
        backends.create_tables()
        run_blocking(backends.ports(Drive.BLOCKING).db.read(lambda tx: tx.execute(select(literal(1))).all()))
        backends.itself = backends  # as an application's parts refer to each other

    use()
    gc.collect()

    assert [str(each.exc_value) for each in told] == []


def test_disposing_closes_the_connections_of_every_thread(make: Make, sqlite_url: str) -> None:
    """After dispose nothing is open, whichever thread had opened it; the next call opens again."""
    backends = make(sqlite_url)
    db = _noted(backends)
    done, leave = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: (run_blocking(db.read(_text, 1)), done.set(), leave.wait()))
    other.start()
    done.wait()

    backends.dispose()
    left = _open_files(sqlite_url)

    assert left == 0
    assert run_blocking(db.read(_text, 1)) == "one"
    leave.set()
    other.join()


def test_nothing_is_opened_before_the_first_call(make: Make, shared_url: str) -> None:
    """O5: declaring opens no file and no socket."""
    files = len(os.listdir("/proc/self/fd"))

    backends = make(shared_url)
    for drive in (Drive.BLOCKING, Drive.THREADS):
        backends.ports(drive)
    backends.inline()

    assert len(os.listdir("/proc/self/fd")) == files


def test_making_tables_leaves_nothing_open(make: Make, shared_url: str) -> None:
    """create_tables uses a connection of its own and closes it."""
    before = len(os.listdir("/proc/self/fd"))

    make(shared_url).create_tables()

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", ["file", "static", "postgresql"])
def test_an_applications_own_engine_is_used(
    make: Make, kind: str, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    """An Engine that the application made serves reads and writes, and stays open when authcore ends."""
    engine = _own_engine(kind, sqlite_url, request)
    backends = make(engine)
    backends.create_tables()
    db = _noted(backends)

    run_blocking(db.write(_set, 1, text="changed"))
    with pytest.raises(LookupError):
        run_blocking(db.write(_set_and_raise, LookupError()))
    _together(4, lambda _: run_blocking(db.read(_text, 1)))
    backends.dispose()

    with engine.connect() as connection:
        assert _text(connection, 1) == "changed"
    engine.dispose()


def test_an_engine_with_a_database_per_thread_is_refused(make: Make) -> None:
    """In memory, an engine has to share its one connection between threads."""
    with pytest.raises(ConfigurationError, match="StaticPool"):
        make(create_engine("sqlite://"))


def test_an_engine_whose_options_say_how_to_isolate_is_refused(make: Make, sqlite_url: str, postgres_url: str) -> None:
    """Under such an option every write would be committed statement by statement, or under another level."""
    for made in (create_engine(sqlite_url), create_engine(_psycopg(postgres_url))):
        with pytest.raises(ConfigurationError, match="isolation level among its execution options"):
            make(made.execution_options(isolation_level="AUTOCOMMIT"))
    options = {"isolation_level": "SERIALIZABLE"}
    with pytest.raises(ConfigurationError, match="isolation level among its execution options"):
        make(create_async_engine(_psycopg(postgres_url), execution_options=options))


async def test_an_applications_own_async_engine_is_used(make: Make, postgres_url: str) -> None:
    """An AsyncEngine serves asyncio as it is, and blocking code by an engine of the same URL."""
    engine = create_async_engine(_psycopg(postgres_url))
    backends = make(engine)
    blocking = _noted(backends)

    await backends.ports(Drive.ASYNCIO).db.write(_set, 1, text="changed")

    assert run_blocking(blocking.read(_text, 1)) == "changed"
    backends.dispose()
    async with engine.connect() as connection:
        assert await connection.run_sync(_text, 1) == "changed"
    await engine.dispose()


async def test_an_applications_own_engine_serves_asyncio_by_its_url(make: Make, postgres_url: str) -> None:
    """A blocking Engine names the database; the asyncio side opens it with a driver of its own."""
    engine = create_engine(_psycopg(postgres_url))
    backends = make(engine)
    _noted(backends)

    assert await backends.ports(Drive.ASYNCIO).db.read(_text, 2) == "two"
    engine.dispose()


def test_writes_on_a_server_read_what_is_committed(make: Make, postgres_url: str) -> None:
    """Transactions are READ COMMITTED, also where the application's engine is set otherwise."""
    engine = create_engine(_psycopg(postgres_url), isolation_level="SERIALIZABLE")
    for database in (postgres_url, engine):
        db = make(database).ports(Drive.BLOCKING).db

        assert run_blocking(db.write(_run, "SHOW transaction_isolation")) == "read committed"
    engine.dispose()


def test_reads_on_a_server_have_no_transaction(make: Make, postgres_url: str) -> None:
    """Two statements of one read see each other's neighbours: there is no snapshot and no BEGIN."""
    db = make(postgres_url).ports(Drive.BLOCKING).db

    numbers = run_blocking(db.read(_two_transactions))

    assert numbers[0] != numbers[1]


def _reset(tx: Connection) -> None:
    metadata.drop_all(tx)
    metadata.create_all(tx)
    tx.execute(insert(notes), [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}])


def _noted(backends: Backends, drive: Drive = Drive.BLOCKING) -> Any:
    run_blocking(backends.ports(Drive.BLOCKING).db.write(_reset))
    return backends.ports(drive).db


def _text(tx: Connection, number: int) -> str:
    return str(tx.execute(select(notes.c.text).where(notes.c.id == number)).scalar_one())


def _set(tx: Connection, number: int, *, text: str) -> int:
    return tx.execute(update(notes).where(notes.c.id == number).values(text=text)).rowcount


def _add(tx: Connection, number: int, text: str) -> None:
    tx.execute(insert(notes), {"id": number, "text": text})


def _add_one(tx: Connection) -> None:
    found = int(tx.execute(select(notes.c.text).where(notes.c.id == 1).with_for_update()).scalar_one())
    _set(tx, 1, text=str(found + 1))


def _set_and_raise(tx: Connection, error: Exception) -> None:
    _set(tx, 1, text="undone")
    raise error


def _half_read(tx: Connection, kept: list[Any]) -> None:
    result = tx.execute(select(notes.c.id))
    kept.append(result)
    result.fetchone()
    raise LookupError


def _run(tx: Connection, statement: str) -> Any:
    return tx.execute(text(statement)).scalar()


def _pragma(tx: Connection, name: str) -> Any:
    return tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def _pid(tx: Connection) -> int:
    return int(tx.execute(text("SELECT pg_backend_pid() FROM pg_sleep(0.05)")).scalar_one())


def _linger(tx: Connection, inside: threading.Event, leave: threading.Event) -> None:
    inside.set()
    leave.wait(10)


def _two_transactions(tx: Connection) -> list[int]:
    return [int(tx.execute(text("SELECT txid_current()")).scalar_one()) for _ in range(2)]


class _Conflict(Exception):
    sqlstate = "40001"


def _conflict(tx: Connection, runs: list[int], failing: int) -> str:
    runs.append(1)
    _set(tx, 1, text=f"run {len(runs)}")
    if len(runs) <= failing:
        raise OperationalError("UPDATE", None, _Conflict())
    return "done"


def _both(tx: Connection, order: list[int], met: threading.Barrier, first: list[bool]) -> None:
    for number in order:
        tx.execute(update(notes).where(notes.c.id == number).values(text=notes.c.text + "+"))
        if first and first.pop():
            met.wait(10)


def _together(threads: int, act: Callable[[int], Any]) -> list[Any]:
    answers: list[Any] = [None] * threads
    start = threading.Barrier(threads)

    def one(number: int) -> None:
        start.wait()
        answers[number] = act(number)

    running = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return answers


def _psycopg(url: str) -> Any:
    return make_url(url).set(drivername="postgresql+psycopg")


def _own_engine(kind: str, sqlite_url: str, request: pytest.FixtureRequest) -> Engine:
    if kind == "postgresql":
        return create_engine(_psycopg(request.getfixturevalue("postgres_url")))
    if kind == "static":
        return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    return create_engine(sqlite_url)


STARTER = """
import sys
from authcore.backends import kv_sql
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.ports import Count

backends = Backends(Plan(sys.argv[1], create_missing=True))
kv = backends.ports(Drive.BLOCKING).kv
print("ready", flush=True)
sys.stdin.read()
run_blocking(kv.increment([Count("starts", 1, 60)]))
backends.dispose()
"""


def _starter(url: str) -> Any:
    command = [sys.executable, "-W", "error", "-c", STARTER, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _drop_all(url: str) -> None:
    from authcore.tables import metadata as shipped

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as tx:
        shipped.drop_all(tx)
    engine.dispose()


_TEXT = PointRead(select(notes.c.text).where(notes.c.id == bindparam("id_")))


def _text_at_once(tx: Connection, number: int) -> Any:
    return _TEXT.row(tx, {"id_": number})


def _meet(tx: Connection, met: threading.Barrier) -> None:
    tx.execute(select(literal(1)))
    met.wait(10)


def _cut_connections(url: str) -> None:
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    _ask(url, f"SELECT pg_terminate_backend(pid) {others}")


def _alive(url: str, pids: list[int]) -> int:
    # The server notices a closed socket a moment later.
    query = f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({', '.join(map(str, pids))})"
    for _ in range(50):
        if _ask(url, query) == 0:
            return 0
        threading.Event().wait(0.05)
    return int(_ask(url, query))


def _ask(url: str, query: str) -> Any:
    engine = create_engine(_psycopg(url))
    with engine.connect() as connection:
        answer = connection.execute(text(query)).scalar()
    engine.dispose()
    return answer


def _open_files(url: str) -> int:
    path = make_url(url).database or ""
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return sum(link.startswith(path) for link in links)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"database": "nobody_made_this"}, "nobody_made_this"), ({"host": "127.0.0.1", "port": 1}, "refused")],
    ids=["unknown", "unreachable"],
)
def test_tables_that_cannot_be_made_are_told_with_the_cause(
    make: Make, postgres_url: str, settings: dict[str, Any], says: str
) -> None:
    """An application that makes its tables as it starts ends with the driver's reason, and without a password."""
    url = make_url(postgres_url).set(password="hunter2", **settings)

    with pytest.raises(Unavailable, match=f"The database does not answer: .*{says}") as caught:
        make(url).create_tables()

    assert "hunter2" not in str(caught.value)
