"""Where a password is hashed: in a thread of the pool alone, beside no loop, with no transaction open (rule A7)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from authcore import Auth, Password
from authcore.backends.argon2 import CHEAP, HashParameters
from authcore.errors import InvalidCredentials, Overloaded
from authcore.tables import metadata

EMAIL, RIGHT, WRONG = "ada@example.com", "three quiet herons wade", "four loud herons wade"
OTHER = HashParameters(memory_kib=16, time_cost=1)


class Places:
    """What was true at the moment of each hash."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.threads: list[str] = []
        self.loops: list[bool] = []
        self.transactions: list[bool] = []

    def note(self) -> None:
        """Look around, from the thread that is about to hash."""
        self.threads.append(threading.current_thread().name)
        self.loops.append(_beside_a_loop())
        self.transactions.append(self.in_transaction())

    def in_transaction(self) -> bool:
        """Tell whether any connection to the database has a transaction open."""
        if self._url.get_backend_name() == "sqlite":
            return self._locked()
        engine = create_engine(self._url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.connect() as tx:
            open_ones = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            return bool(tx.execute(open_ones).scalar_one())

    def _locked(self) -> bool:
        with closing(sqlite3.connect(self._url.database or "", timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            other.execute("ROLLBACK")
            return False


def _beside_a_loop() -> bool:
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return True
    return False


@pytest.fixture(
    params=[
        ("blocking", "sqlite_url"),
        ("threads", "sqlite_url"),
        ("blocking", "postgres_url"),
        ("threads", "postgres_url"),
        ("asyncio", "postgres_url"),
    ],
    ids="-".join,
)
def ground(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each drive on each database that it has a driver for."""
    drive, database = request.param
    return drive, request.getfixturevalue(database)


@pytest.fixture
def places(ground: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Places:
    """Look around at each hash that is made or compared, and let it be."""
    seen = Places(ground[1])
    monkeypatch.setattr(HashParameters, "derive", _noting(HashParameters.derive, seen))
    return seen


def _noting(function: Callable[..., Any], seen: Places) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        seen.note()
        return function(*args, **kwargs)

    return noted


@pytest.fixture
def made(ground: tuple[str, str]) -> Iterator[tuple[Callable[..., Auth], Any]]:
    """Make applications over one empty database, and call them under the drive."""
    drive, url = ground
    async_drive = "asyncio" if drive == "asyncio" else "threads"
    auths: list[Auth] = []

    def make(hashing: HashParameters = CHEAP) -> Auth:
        room = Password(require_code=False)
        given: dict[str, Any] = {"dev_mode": True, "secret": "a secret of these tests, long enough", "mailer": print}
        given |= {"database": url, "outbox": "external", "async_drive": async_drive}
        auths.append(Auth(features=[room], hashing=hashing, **given))
        return auths[-1]

    with asyncio.Runner() as runner:

        def call(auth: Auth, name: str, **given: Any) -> Any:
            if drive == "blocking":
                return getattr(auth.blocking.password, name)(**given)

            async def awaited() -> Any:
                return await getattr(auth.asyncio.password, name)(**given)

            return runner.run(awaited())

        yield (make, call)
        _empty(auths[0])
        for auth in auths:
            auth.dispose()


def _empty(auth: Auth) -> None:
    from authcore.drive import Drive, run_blocking

    db = auth.backends.ports(Drive.BLOCKING).db
    run_blocking(db.write(lambda tx: [tx.execute(table.delete()) for table in metadata.sorted_tables]))


def test_a_hash_is_made_outside(made: Any, places: Places) -> None:
    """A7: signing up, in, failing and rehashing: each hash in a worker of the pool, no loop, no transaction."""
    make, call = made
    auth, costlier = make(), make(OTHER)

    call(auth, "sign_up", email=EMAIL, password=RIGHT)
    call(auth, "sign_in", email=EMAIL, password=RIGHT)
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(InvalidCredentials):
            call(auth, "sign_in", email=email, password=WRONG)
    call(costlier, "sign_in", email=EMAIL, password=RIGHT)

    assert len(places.threads) == 6  # the last sign-in hashes anew
    assert all(name.startswith("authcore-hash") for name in places.threads)
    assert not any(places.loops)
    assert not any(places.transactions)


def test_an_open_transaction_is_seen(made: Any, places: Places) -> None:
    """The measure itself works: what a store function does inside a transaction is seen as such."""
    from authcore.drive import Drive, run_blocking

    make, _ = made
    auth = make()
    auth.create_tables()

    def busy(tx: Any) -> bool:
        tx.execute(text("SELECT 1"))
        return places.in_transaction()

    assert run_blocking(auth.backends.ports(Drive.BLOCKING).db.write(busy))
    assert not places.in_transaction()


def test_a_full_pool_is_a_refusal_that_leaves_nothing(made: Any) -> None:
    """A7: what could not begin in time is `overloaded` at once, with the seconds to wait; nobody was signed up."""
    make, call = made
    auth = make()
    auth.create_tables()
    leave = threading.Event()
    waiting = _fill(auth.backends._pool, leave)
    try:
        with pytest.raises(Overloaded) as caught:
            call(auth, "sign_up", email=EMAIL, password=RIGHT)
    finally:
        leave.set()
    for future in waiting:
        future.result(30)

    assert (caught.value.status, caught.value.code) == (503, "overloaded")
    assert int(dict(caught.value.headers)["Retry-After"]) > 0
    with pytest.raises(InvalidCredentials):
        call(auth, "sign_in", email=EMAIL, password=RIGHT)


def _fill(pool: Any, leave: threading.Event) -> list[Any]:
    waiting = []
    with suppress(Overloaded):
        for _ in range(1000):
            waiting.append(pool.submit(lambda: leave.wait(30)))
    assert 0 < len(waiting) < 1000
    return waiting
