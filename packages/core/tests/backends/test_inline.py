"""Reads on an event loop's own thread: they answer or say that they would wait."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection, make_url

from authcore.backends.build import Backends
from authcore.backends.inline import WouldBlock
from authcore.drive import Drive, run_blocking
from authcore.errors import Unavailable

Make = Callable[..., Backends]


def test_a_read_sees_what_was_committed(make: Make, sqlite_url: str) -> None:
    """An inline read sees each write as soon as it is committed."""
    backends = make(sqlite_url)
    backends.create_tables()
    inline, kv = backends.inline(), backends.ports(Drive.BLOCKING).kv

    seen = []
    for number in range(3):
        run_blocking(kv.put(str(number), b"v", ttl=60))
        seen.append(inline.read(_count))

    assert seen == [1, 2, 3]


def test_a_read_goes_on_beside_a_writer(make: Make, sqlite_url: str) -> None:
    """A write of another process does not make a read wait: it sees what was committed before."""
    backends = make(sqlite_url)
    backends.create_tables()

    with _other(sqlite_url) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM authcore_kv")

        assert backends.inline().read(_count) == 0


def test_a_read_that_would_wait_says_so_at_once(make: Make, sqlite_url: str) -> None:
    """While a file is locked against readers, the caller is told in time to take a thread."""
    backends = make(sqlite_url)
    backends.create_tables()
    backends.dispose()

    with _other(sqlite_url) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM authcore_kv")
        began = time.monotonic()
        with pytest.raises(WouldBlock):
            backends.inline().read(_count)
        took = time.monotonic() - began

    assert took < 0.5
    assert backends.inline().read(_count) == 0


def test_a_read_cannot_write(make: Make, sqlite_url: str) -> None:
    """The loop's connection refuses to write, so that the loop never waits for a disk's flush."""
    backends = make(sqlite_url)
    backends.create_tables()

    with pytest.raises(Unavailable):
        backends.inline().read(_delete)


def test_tables_are_not_made_on_the_loop(make: Make, sqlite_url: str) -> None:
    """Where missing tables are made at first use, the first read takes a thread."""
    backends = make(sqlite_url, create_missing=True)
    inline = backends.inline()

    with pytest.raises(WouldBlock):
        inline.read(_count)
    by_thread = run_blocking(backends.ports(Drive.THREADS).db.read(_count))

    assert (by_thread, inline.read(_count)) == (0, 0)


def test_missing_tables_name_the_command(make: Make, sqlite_url: str) -> None:
    """An inline read translates failures as any other read does."""
    with pytest.raises(Unavailable, match="authcore db upgrade"):
        make(sqlite_url).inline().read(_count)


def test_each_thread_reads_on_its_own_connection(make: Make, sqlite_url: str) -> None:
    """Two loops in two threads share no connection."""
    backends = make(sqlite_url)
    backends.create_tables()
    inline = backends.inline()
    seen = [inline.read(id), inline.read(id)]

    thread = threading.Thread(target=lambda: seen.append(inline.read(id)))
    thread.start()
    thread.join()

    assert seen[0] == seen[1] != seen[2]


def test_only_a_file_is_read_inline(make: Make) -> None:
    """A database in memory has one connection and a server may take its time: neither is read on a loop."""
    assert make("sqlite://").inline() is None
    assert make("postgresql://127.0.0.1/none").inline() is None


def _count(tx: Connection) -> int:
    return int(tx.execute(text("SELECT count(*) FROM authcore_kv")).scalar_one())


def _delete(tx: Connection) -> None:
    tx.execute(text("DELETE FROM authcore_kv"))


@contextmanager
def _other(url: str) -> Iterator[sqlite3.Connection]:
    other = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    try:
        yield other
    finally:
        other.close()
