"""What the stores that hold credentials do beyond the contract: tables, sweeps, statements (S34, S54, S62)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stores import AwaitedTable, DictTable

from authcore.backends.credentials import memory
from authcore.backends.credentials.sql import CLEAN_ROWS, credentials, metadata
from authcore.credentials import (
    CredentialState,
    InvalidConfig,
    MemoryCredentialStore,
    SqlCredentialStore,
    TableCredentialStore,
)
from authcore.drive import run_blocking
from authcore.errors import Unavailable
from authcore.testing.ports import FrozenClock


def a_state(clock: FrozenClock, user_id: str = "ada", lives: float = 60, **more: Any) -> CredentialState:
    """Answer a state that lives for so many seconds."""
    end = clock.now() + timedelta(seconds=lives)
    return CredentialState(user_id=user_id, issued_at=clock.now(), expires_at=end, **more)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An application's own engine."""
    made = sa.create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    yield made
    made.dispose()


def test_the_table_is_made_at_the_first_use(engine: sa.Engine, clock: FrozenClock) -> None:
    """A store makes its one table, beside what the application has; with `create_tables=False` it makes none."""
    closed = SqlCredentialStore(engine, clock=clock, create_tables=False)
    with pytest.raises(Unavailable):
        run_blocking(closed.persist(a_state(clock)))
    assert sa.inspect(engine).get_table_names() == []

    run_blocking(SqlCredentialStore(engine, clock=clock).persist(a_state(clock)))

    assert sa.inspect(engine).get_table_names() == ["authcore_credential"]
    assert run_blocking(closed.persist(a_state(clock))) is not None


def test_an_application_may_make_the_table_itself(engine: sa.Engine, clock: FrozenClock) -> None:
    """The exported metadata is all that the store needs, with an index for users and one for what is over."""
    metadata.create_all(engine)

    store = SqlCredentialStore(engine, clock=clock, create_tables=False)

    assert run_blocking(store.retrieve(run_blocking(store.persist(a_state(clock))))) is not None
    indexed = {tuple(each["column_names"]) for each in sa.inspect(engine).get_indexes("authcore_credential")}
    assert indexed == {("user_id",), ("expires_at",)}


def test_a_row_is_known_by_a_digest(engine: sa.Engine, clock: FrozenClock) -> None:
    """T1: the primary key is the SHA-256 of the token, 32 bytes."""
    store = SqlCredentialStore(engine, clock=clock)
    token = run_blocking(store.persist(a_state(clock)))

    with engine.connect() as connection:
        digests = connection.execute(sa.select(credentials.c.digest)).scalars().all()

    assert [digest.hex() for digest in digests] == [store.credential_id(token)]


def test_ending_a_user_is_one_statement(engine: sa.Engine, clock: FrozenClock) -> None:
    """However many credentials a user has, one DELETE ends them, and the rows of others are not touched."""
    store = SqlCredentialStore(engine, clock=clock)
    for number in range(50):
        run_blocking(store.persist(a_state(clock, "ada" if number % 2 else "bob")))
    said: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))

    assert run_blocking(store.revoke_all_for_user("ada")) == 25

    assert len([each for each in said if each.startswith("DELETE")]) == 1
    assert len([each for each in said if each.startswith("SELECT")]) == 0


def test_cleaning_goes_by_parts(engine: sa.Engine, clock: FrozenClock) -> None:
    """S34: many expired rows go in several transactions, and all of them go; what lives stays."""
    store = SqlCredentialStore(engine, clock=clock)
    live = run_blocking(store.persist(a_state(clock, lives=600)))
    row = {"user_id": "ada", "kind": "access", "issued_at": clock.now(), "claims": {}, "metadata": {}}
    until = clock.now() + timedelta(seconds=1)
    with engine.begin() as tx:
        rows = [
            {"digest": number.to_bytes(32, "big"), "expires_at": until, **row} for number in range(2 * CLEAN_ROWS + 1)
        ]
        tx.execute(sa.insert(credentials), rows)
    clock.advance(1)

    assert run_blocking(store.clean_expired()) == 2 * CLEAN_ROWS + 1

    assert run_blocking(store.clean_expired()) == 0
    assert run_blocking(store.retrieve(live)) is not None


def test_an_async_engine_of_a_server_is_awaited(engine: sa.Engine, clock: FrozenClock) -> None:
    """`blocks` follows what was given: an AsyncEngine of a server waits by itself, all else blocks."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    from sqlalchemy.ext.asyncio import create_async_engine

    awaited = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    assert SqlCredentialStore(engine).blocks is True
    assert SqlCredentialStore("postgresql://nobody@127.0.0.1:1/nothing").blocks is True
    assert SqlCredentialStore(awaited).blocks is False


@pytest.mark.parametrize("wrong", [{"user_id": "x" * 256}, {"kind": "x" * 256}, {"parent_credential_id": "x" * 256}])
def test_a_name_that_does_not_fit_is_refused(engine: sa.Engine, clock: FrozenClock, wrong: dict[str, str]) -> None:
    """What a column would cut off is refused, alike in each store."""
    state = a_state(clock, **wrong)

    for store in (
        MemoryCredentialStore(clock=clock),
        SqlCredentialStore(engine, clock=clock),
        TableCredentialStore(DictTable(), clock=clock),
    ):
        with pytest.raises(InvalidConfig):
            run_blocking(store.persist(state))


def test_a_time_without_a_zone_is_refused(clock: FrozenClock) -> None:
    """A naive time would be another one on every machine."""
    state = CredentialState(
        user_id="ada", issued_at=clock.now(), expires_at=clock.now().replace(tzinfo=None) + timedelta(days=1)
    )

    with pytest.raises(InvalidConfig, match="aware"):
        run_blocking(MemoryCredentialStore(clock=clock).persist(state))


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_seed_has_its_size(clock: FrozenClock, seed: bytes) -> None:
    """A seed of another size than 32 bytes is refused."""
    with pytest.raises(InvalidConfig, match="32 bytes"):
        run_blocking(MemoryCredentialStore(clock=clock).persist(a_state(clock), seed=seed))


def test_a_seed_serves_again_after_its_time(engine: sa.Engine, clock: FrozenClock) -> None:
    """What has expired holds no place, also while its row is still there."""
    for store in (
        MemoryCredentialStore(clock=clock),
        SqlCredentialStore(engine, clock=clock),
        TableCredentialStore(DictTable(), clock=clock),
    ):
        first = run_blocking(store.persist(a_state(clock, lives=1), seed=bytes(32)))
        clock.advance(1)

        assert run_blocking(store.persist(a_state(clock), seed=bytes(32))) == first
        assert run_blocking(store.retrieve(first)) is not None


def test_memory_forgets_what_has_expired(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """S54: nobody has to clean: a store that grows forgets what is over, credentials and users."""
    monkeypatch.setattr(memory, "_SWEEP_FROM", 10)
    store = MemoryCredentialStore(clock=clock)
    store._sweep_at = 10
    for round_ in range(20):
        for number in range(10):
            run_blocking(store.persist(a_state(clock, f"user {round_} {number}", lives=1)))
        clock.advance(1)

    assert len(store._held) <= 20
    assert len(store._of_user) == len(store._held)


def test_a_table_loses_the_expired_on_the_way(clock: FrozenClock) -> None:
    """S62: looking for an expired row deletes it; rows hold digests and JSON alone."""
    table = DictTable()
    store = TableCredentialStore(table, clock=clock)
    token = run_blocking(store.persist(a_state(clock, claims={"n": 1}, kind="magic.recovery")))
    (row,) = table.rows.values()
    assert token not in repr(row)
    assert (row["token"], row["kind"], row["claims"]) == (store.credential_id(token), "magic.recovery", {"n": 1})
    clock.advance(60)

    assert run_blocking(store.retrieve(token)) is None

    assert table.rows == {}


def test_a_table_says_whether_it_blocks() -> None:
    """Calls that are `async def` are awaited, all others block, unless the application knows better."""
    assert TableCredentialStore(DictTable()).blocks is True
    assert TableCredentialStore(AwaitedTable()).blocks is False
    assert TableCredentialStore(DictTable(), blocks=False).blocks is False
