"""From a plan to ports: which side each drive gets, what is refused, and that importing costs nothing."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from authcore.backends import engines
from authcore.backends.argon2 import AsyncHasher, BlockingHasher, ThreadHasher
from authcore.backends.build import Backends, DatabaseSource
from authcore.backends.database import AsyncDatabase, BlockingDatabase
from authcore.backends.inline import InlineReads
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.backends.web import AsyncHttp, BlockingHttp
from authcore.drive import AsyncHooks, BlockingHooks, Drive, FlowSuspended, ThreadHooks, run_blocking, run_in_thread
from authcore.errors import ConfigurationError
from authcore.ports import Count, Database, Ports
from authcore.testing.ports import FrozenClock, suspending

Make = Callable[..., Backends]


def test_each_drive_gets_its_sides(make: Make) -> None:
    """BLOCKING and THREADS share blocking sides, ASYNCIO has sides that await; hooks and hashing differ."""
    backends = make("postgresql://127.0.0.1/none")

    kinds = {drive: _kinds(backends.ports(drive)) for drive in Drive}

    assert kinds[Drive.BLOCKING] == (BlockingDatabase, BlockingHasher, BlockingHttp, BlockingHooks)
    assert kinds[Drive.THREADS] == (BlockingDatabase, ThreadHasher, BlockingHttp, ThreadHooks)
    assert kinds[Drive.ASYNCIO] == (AsyncDatabase, AsyncHasher, AsyncHttp, AsyncHooks)


def test_a_drives_ports_are_made_once(make: Make) -> None:
    """Asking again answers the same ports."""
    backends = make("sqlite://")

    assert backends.ports(Drive.BLOCKING) is backends.ports(Drive.BLOCKING)


def test_sqlite_has_no_asyncio_side(make: Make, sqlite_url: str) -> None:
    """The sentence says which drive to use instead."""
    for url in (sqlite_url, "sqlite://", sqlite_url.replace("sqlite:", "sqlite+aiosqlite:")):
        with pytest.raises(ConfigurationError, match="threads"):
            make(url).ports(Drive.ASYNCIO)


def test_a_flow_runs_under_threads(make: Make, sqlite_url: str) -> None:
    """A flow over blocking ports runs whole in one hop, and its hooks on the loop."""
    backends = make(sqlite_url, create_missing=True)
    ports = backends.ports(Drive.THREADS)

    async def flow() -> tuple[list[int], str]:
        sums = await ports.kv.increment([Count("flow", 1, 60)])
        return sums, await ports.hooks.call(_hook, "asked")

    assert asyncio.run(run_in_thread(flow(), backends.flow_hop)) == ([1], "asked, answered")


def test_counters_in_memory_are_one_for_all_drives(make: Make) -> None:
    """Whichever drive counts, it counts in the same place."""
    backends = make("sqlite://", key_value="memory")

    for drive in (Drive.BLOCKING, Drive.THREADS):
        sums = run_blocking(backends.ports(drive).kv.increment([Count("one", 1, 60)]))

    assert sums == [2]


def test_a_key_value_store_can_be_given(make: Make, clock: FrozenClock) -> None:
    """An application's own store is used as it is."""
    own = MemoryKeyValue(clock)

    assert make("sqlite://", key_value=own).ports(Drive.BLOCKING).kv is own


def test_an_unknown_key_value_store_is_refused(make: Make) -> None:
    """The sentence names what may be written."""
    with pytest.raises(ConfigurationError, match='"sql", "memory"'):
        make("sqlite://", key_value="redis")


@pytest.mark.parametrize("url", ["", "app.db", "://", "sqlite", "postgresql//x"])
def test_a_database_that_is_no_url_is_refused(make: Make, url: str) -> None:
    """The sentence shows what a URL looks like."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///app\.db"):
        make(url)


def test_a_timeout_that_is_no_number_is_refused(make: Make) -> None:
    """A wrong timeout is told when it is declared."""
    with pytest.raises(ConfigurationError, match="timeout=5"):
        make("sqlite:///app.db?timeout=soon")


def test_a_missing_driver_is_told_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the extra to install, before the first request."""
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"authcore\[postgres\]"):
        make("postgres://127.0.0.1/none")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg2://h/d", r"write postgresql:// alone, .* 'authcore\[postgres\]'"),
        ("postgresql+pg8000://h/d", r"write postgresql:// alone, .* 'authcore\[postgres\]'"),
        ("postgresql+asyncpg://h/d", "pip install 'asyncpg'"),
    ],
)
def test_every_missing_driver_is_told(make: Make, monkeypatch: pytest.MonkeyPatch, url: str, says: str) -> None:
    """O1: also a driver that authcore does not ship with, beside which there is one that it does."""
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=says):
        make(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+nothing://h/d", "write postgresql:// alone"),
        ("sqlite://host/app.db", "write sqlite:///app.db"),
        ("sqlite://ada:hunter2@/app.db", "write sqlite:///app.db"),
        ("sqlite:///app.db?mode=ro", r"\?mode=….*uri=true"),
        ("sqlite:///app.db?timeout=5&cache=shared", r"\?cache=…"),
    ],
)
def test_a_url_that_its_driver_would_not_understand_is_refused(url: str, says: str) -> None:
    """O1: what SQLAlchemy would raise, or pass over with a warning, at the first request is told at the declaration."""
    with pytest.raises(ConfigurationError) as caught:
        engines.check_driver(engines.parse_url(url))

    assert re.search(says, str(caught.value))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["sqlite:///app.db?timeout=5", "sqlite:///file:app.db?mode=ro&uri=true", "sqlite+pysqlite:///app.db"]
)
def test_what_sqlite_understands_is_left_alone(url: str) -> None:
    """Options of the driver, and of SQLite's own URIs, are the application's to choose."""
    assert engines.check_driver(engines.parse_url(url)).query == engines.make_url(url).query


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("postgres://h/d", "postgresql+psycopg"),
        ("postgresql://h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg"),
        ("sqlite+aiosqlite:///a.db", "sqlite"),
    ],
)
def test_a_url_gets_its_driver(written: str, driver: str) -> None:
    """The short names mean psycopg, and a driver that is named stays."""
    assert engines.parse_url(written).drivername == driver


def test_a_relative_file_stays_where_it_was_declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that changes its directory afterwards opens the same file."""
    monkeypatch.chdir(tmp_path)

    assert engines.parse_url("sqlite:///app.db").database == str(tmp_path / "app.db")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "sqlite:///file:x?mode=memory&uri=true"],
)
def test_a_database_in_memory_is_shared_by_threads(make: Make, url: str) -> None:
    """However it is written, all threads see the one database in memory."""
    backends = make(url)
    backends.create_tables()
    kv = backends.ports(Drive.BLOCKING).kv

    async def in_threads() -> list[Any]:
        hop = backends.flow_hop
        return await asyncio.gather(*(hop(lambda: run_blocking(kv.increment([Count("n", 1, 60)]))) for _ in range(20)))

    assert sorted(total for [total] in asyncio.run(in_threads())) == list(range(1, 21))


def test_an_adapters_own_source_is_used(make: Make) -> None:
    """What answers `blocking`, `inline` and `create_tables` is a database; without an asyncio side it says so."""
    own = _Own(make("sqlite://"))
    backends = make(own, create_missing=True)

    backends.create_tables()
    sums = run_blocking(backends.ports(Drive.BLOCKING).kv.increment([Count("own", 1, 60)]))

    assert isinstance(own, DatabaseSource)
    assert (sums, own.created) == ([1], ["authcore_kv"])
    with pytest.raises(ConfigurationError, match="threads"):
        backends.ports(Drive.ASYNCIO)


async def test_a_flow_works_when_its_ports_wait(make: Make, postgres_url: str, clock: FrozenClock) -> None:
    """Suspending ports answer what the ports under them answer, and really suspend."""
    backends = make(postgres_url, clock=clock)
    backends.create_tables()
    for drive in (Drive.BLOCKING, Drive.ASYNCIO):
        ports = suspending(backends.ports(drive))

        digest = await ports.hasher.hash("correct horse")
        match = await ports.hasher.verify(digest, "correct horse")
        await ports.kv.put("waits", b"v", ttl=60)
        swapped = await ports.kv.compare_and_swap("waits", b"v", b"w", ttl=60)
        taken = await ports.kv.take("waits")
        await ports.kv.delete(["waits"])

        assert (match.needs_rehash, swapped, taken, await ports.kv.get("waits")) == (False, True, b"w", None)
        assert ports.hasher.salt(ports.hasher.dummy()) != ports.hasher.salt(digest)
    with pytest.raises(FlowSuspended):
        run_blocking(suspending(backends.ports(Drive.BLOCKING)).kv.get("waits"))


def test_importing_the_backends_loads_no_driver() -> None:
    """No driver, no HTTP client and no hash library is loaded before it is used, nor does declaring load one."""
    source = (
        "import sys, json, authcore.backends.build as b, authcore.backends.mail;"
        "b.Backends(b.Plan('postgresql://h/d')); b.Backends(b.Plan('sqlite:///app.db'));"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, text=True)

    loaded = set(json.loads(ended.stdout))

    assert loaded.isdisjoint({"psycopg", "sqlite3", "httpx2", "argon2", "smtplib", "aiosqlite", "gevent"})


def test_a_plan_shows_no_password(make: Make) -> None:
    """O3: the repr of a plan leaves the database's URL out."""
    from authcore.backends.build import Plan

    assert "secret" not in repr(Plan("postgresql://user:secret@h/d"))


def _kinds(ports: Ports) -> tuple[type, ...]:
    return type(ports.db), type(ports.hasher), type(ports.http), type(ports.hooks)


async def _hook(text: str) -> str:
    await asyncio.sleep(0)
    return f"{text}, answered"


class _Own:
    def __init__(self, inner: Backends) -> None:
        self._inner = inner
        self.created: list[str] = []

    def blocking(self) -> Database:
        return self._inner.ports(Drive.BLOCKING).db

    def inline(self) -> InlineReads | None:
        return None

    def create_tables(self, metadata: MetaData) -> None:
        self.created = [name for name in metadata.tables if name == "authcore_kv"]
        self._inner.create_tables()
