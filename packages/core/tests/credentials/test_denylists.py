"""Denylists in memory and in SQL: each id until its end, and one caller who was first (S58)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.pool import NullPool

from authcore import Auth
from authcore.backends.credentials import denylists
from authcore.backends.credentials.denylists import CLEAN_ROWS, MemoryDenylist, SqlDenylist, denied
from authcore.drive import Drive
from authcore.drive import run_blocking as run
from authcore.errors import Unavailable
from authcore.stores import Denylist
from authcore.testing.ports import FrozenClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def sql(any_database: str, clock: FrozenClock) -> Iterator[SqlDenylist]:
    """The one in SQL."""
    made = SqlDenylist(any_database, clock=clock)
    yield made
    made.dispose()


@pytest.fixture(params=["memory", "sql"])
def denylist(request: pytest.FixtureRequest, sql: SqlDenylist, clock: FrozenClock) -> Denylist:
    """Each denylist on the test's clock; the one in SQL on each database."""
    return MemoryDenylist(clock=clock) if request.param == "memory" else sql


def test_what_is_denied_is_denied_until_its_end(denylist: Denylist, clock: FrozenClock) -> None:
    """S58: `has` is lazy: at its end an entry counts no longer, whether anything removed it or not."""
    assert run(denylist.has("one")) is False

    assert run(denylist.add("one", clock.now() + MINUTE)) is True

    assert run(denylist.has("one")) is True
    assert run(denylist.has("One")) is False
    clock.advance(59.999999)
    assert run(denylist.has("one")) is True
    clock.advance(0.000001)
    assert run(denylist.has("one")) is False


def test_the_first_is_told_so(denylist: Denylist, clock: FrozenClock) -> None:
    """T2: the second add of an id is False, until the entry has lapsed."""
    assert [run(denylist.add("one", clock.now() + MINUTE)) for _ in range(3)] == [True, False, False]
    clock.advance(60)

    assert [run(denylist.add("one", clock.now() + MINUTE)) for _ in range(2)] == [True, False]


def test_a_later_end_counts(denylist: Denylist, clock: FrozenClock) -> None:
    """An entry is prolonged and never shortened."""
    begun = clock.now()
    run(denylist.add("one", begun + MINUTE))
    run(denylist.add("one", begun + 3 * MINUTE))
    run(denylist.add("one", begun + 2 * MINUTE))

    clock.advance(179)
    assert run(denylist.has("one"))
    clock.advance(1)
    assert not run(denylist.has("one"))


def test_what_is_over_needs_no_entry(denylist: Denylist, clock: FrozenClock) -> None:
    """Nobody is first at an id whose time has passed."""
    assert run(denylist.add("one", clock.now())) is False
    assert run(denylist.has("one")) is False
    assert run(denylist.cleanup()) == 0


def test_cleanup_answers_how_many(denylist: Denylist, clock: FrozenClock) -> None:
    """S58: `cleanup` removes what has lapsed and nothing else, and tells the number."""
    for number in range(7):
        run(denylist.add(f"id {number}", clock.now() + timedelta(seconds=number + 1)))
    clock.advance(3)

    assert [run(denylist.cleanup()), run(denylist.cleanup())] == [3, 0]

    assert [run(denylist.has(f"id {number}")) for number in range(7)] == [False] * 3 + [True] * 4


def test_any_text_is_an_id(denylist: Denylist, clock: FrozenClock) -> None:
    """An id is a text of any length, and no two are one."""
    for id_ in ("", "x" * 5000, "ä ☃ \ud800", "'; DROP TABLE authcore_denied; --", "\u0000"):
        assert run(denylist.add(id_, clock.now() + MINUTE))
        assert run(denylist.has(id_))
        assert not run(denylist.has(id_ + "x"))


def test_of_many_contenders_one_is_first(denylist: Denylist, clock: FrozenClock) -> None:
    """T2: 24 threads add one id, fresh or lapsed: one is told True."""
    for lapsed in (False, True) * 4:
        id_ = secrets.token_hex(4)
        if lapsed:
            run(denylist.add(id_, clock.now() + timedelta(microseconds=1)))
            clock.advance(1)
        until = clock.now() + MINUTE
        with ThreadPoolExecutor(24) as pool:
            told = list(pool.map(lambda _, id_=id_, until=until: run(denylist.add(id_, until)), range(24)))
        assert told.count(True) == 1


# --- memory ---


def test_a_full_memory_refuses_instead_of_forgetting(clock: FrozenClock) -> None:
    """O2: to forget an id would let a revoked token live again; what has lapsed makes room."""
    denylist = MemoryDenylist(clock=clock, size=3)
    for number in range(3):
        run(denylist.add(str(number), clock.now() + timedelta(seconds=number + 1)))

    with pytest.raises(Unavailable):
        run(denylist.add("more", clock.now() + MINUTE))
    assert run(denylist.add("2", clock.now() + MINUTE)) is False
    clock.advance(1)
    assert run(denylist.add("more", clock.now() + MINUTE)) is True


def test_lapsed_entries_leave_the_memory_when_they_are_asked_for(clock: FrozenClock) -> None:
    """S58: `has` forgets what it finds lapsed."""
    denylist = MemoryDenylist(clock=clock)
    run(denylist.add("one", clock.now() + MINUTE))
    clock.advance(60)

    assert not run(denylist.has("one"))
    assert run(denylist.cleanup()) == 0


# --- SQL ---


def test_nodes_share_it(any_database: str, clock: FrozenClock) -> None:
    """S42: what one node denies, another one refuses; both made the table at their first use."""
    nodes = [SqlDenylist(any_database, clock=clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda node: run(node.has("one")), nodes)) == [False] * 4

    run(nodes[0].add("one", clock.now() + MINUTE))

    assert [run(node.has("one")) for node in nodes] == [True] * 4
    for node in nodes:
        node.dispose()


def test_the_table_names_nobody(sql: SqlDenylist, clock: FrozenClock) -> None:
    """T1: a row holds a digest and a time."""
    run(sql.add("session-7731", clock.now() + MINUTE))

    [row] = run(run(sql._db()).read(lambda tx: tx.execute(select(denied)).all()))

    assert len(row.digest) == 32
    assert b"7731" not in row.digest


def test_cleanup_goes_on_past_one_transaction(sql: SqlDenylist, clock: FrozenClock) -> None:
    """S58: however many have lapsed, one call removes them, a transaction for each CLEAN_ROWS."""
    rows = [{"digest": number.to_bytes(32, "big"), "expires_at": clock.now()} for number in range(CLEAN_ROWS * 2 + 1)]
    run(sql.has("one"))
    run(run(sql._db()).write(lambda tx: tx.execute(denied.insert(), rows) and None))

    assert [run(sql.cleanup()), run(sql.cleanup())] == [CLEAN_ROWS * 2 + 1, 0]


def test_the_table_may_be_the_applications_to_make(tmp_path: Path, clock: FrozenClock) -> None:
    """With `create_tables=False` it is missing until `denylists.metadata` makes it, and says so."""
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}", poolclass=NullPool)
    denylist = SqlDenylist(engine, clock=clock, create_tables=False)
    with pytest.raises(Unavailable):
        run(denylist.has("one"))
    assert inspect(engine).get_table_names() == []

    denylists.metadata.create_all(engine)

    assert run(denylist.has("one")) is False


def test_the_port_of_an_auth_serves_it(auth: Any, clock: FrozenClock) -> None:
    """The database of an Auth is one that it takes, beside the tables of the rooms."""
    made: Auth = auth()
    denylist = SqlDenylist(made.runtime(Drive.BLOCKING).ports.db, clock=clock)

    assert run(denylist.add("one", clock.now() + MINUTE))
    assert run(denylist.has("one"))
    assert denylist.blocks is True


def test_an_async_engine_is_awaited(any_database: str, clock: FrozenClock) -> None:
    """Over an AsyncEngine of a server nothing blocks the loop; SQLite has no such driver and says that it blocks."""
    pytest.importorskip("greenlet", reason="the extra authcore[asyncio] is not installed")
    if any_database.startswith("sqlite"):
        assert SqlDenylist(any_database).blocks is True
        return
    from sqlalchemy.ext.asyncio import create_async_engine

    async def life() -> list[bool]:
        engine = create_async_engine(any_database, poolclass=NullPool)
        denylist = SqlDenylist(engine, clock=clock)
        assert denylist.blocks is False
        until = clock.now() + MINUTE
        told = [await denylist.add("one", until), await denylist.add("one", until), await denylist.has("one")]
        await engine.dispose()
        return told

    assert anyio.run(life) == [True, False, True]
