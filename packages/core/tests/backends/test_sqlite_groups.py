"""Writers of one process share commits: each answer is durable, and a body that fails takes nothing with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url

from authcore.backends.sqlite import SqliteFile, _engine, _set_up_writer, immediate
from authcore.backends.sqlite_groups import GroupedWrites
from authcore.errors import Unavailable

INSERT = sa.text("INSERT INTO thing (name) VALUES (:name)")


class Opener:
    """Opens transactions on a file, slowly if told to, and counts them."""

    def __init__(self, path: Path) -> None:
        self.url = make_url(f"sqlite:///{path}")
        self.engine = _engine(self.url, sa.pool.QueuePool, _set_up_writer)
        self.opened = 0
        self.fleeting: list[bool] = []
        self.fails = False
        self.slow = 0.0

    @contextmanager
    def __call__(self, fleeting: bool = False) -> Iterator[Connection]:
        """Open one, and commit it at its end."""
        self.opened += 1
        self.fleeting.append(fleeting)
        with immediate(self.engine) as tx:
            yield tx
            time.sleep(self.slow)
            if self.fails:
                raise OSError("the disk is gone")


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """A file with an empty table."""
    made = Opener(tmp_path / "group.db")
    with made() as tx:
        tx.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    made.opened = 0
    made.fleeting.clear()
    yield made
    made.engine.dispose()


def put(name: str) -> Callable[[Connection], None]:
    """Answer a body that inserts a name."""
    return lambda tx: tx.execute(INSERT, {"name": name}) and None


def names(opener: Opener) -> set[str]:
    """Answer what is stored, as another connection sees it."""
    with opener.engine.connect() as tx:
        return set(tx.execute(sa.text("SELECT name FROM thing")).scalars())


def test_writers_who_wait_are_committed_together(opener: Opener) -> None:
    """Of forty writers at once many share a commit, and every answer is there."""
    writes = GroupedWrites(opener, patience=30)
    opener.slow = 0.005

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda number: writes.write(put(f"n{number}")), range(200)))

    assert names(opener) == {f"n{number}" for number in range(200)}
    assert opener.opened < 100


def test_a_lone_writer_waits_for_nobody(opener: Opener) -> None:
    """A write with nobody behind it is committed at once."""
    writes = GroupedWrites(opener, patience=5)

    for number in range(3):
        writes.write(put(f"n{number}"))
        assert f"n{number}" in names(opener)

    assert opener.opened == 3


def test_what_must_outlast_a_power_cut_never_joins_a_commit_that_does_not(opener: Opener) -> None:
    """A fleeting body may join a lasting transaction; a lasting one behind a fleeting one begins another."""
    for first, second, opened in ((True, False, [True, False]), (False, True, [False]), (True, True, [True])):
        writes = GroupedWrites(opener, patience=30)
        opener.fleeting.clear()
        inside, go_on = threading.Event(), threading.Event()

        def slow(tx: Connection, inside: threading.Event = inside, go_on: threading.Event = go_on) -> None:
            inside.set()
            go_on.wait(10)

        with ThreadPoolExecutor(2) as pool:
            early = pool.submit(writes.write, slow, fleeting=first)
            assert inside.wait(10)
            late = pool.submit(writes.write, put(f"{first}{second}"), fleeting=second)
            while writes._coming == 0:
                time.sleep(0.001)
            go_on.set()
            early.result(10), late.result(10)

        assert opener.fleeting == opened
        assert f"{first}{second}" in names(opener)


def test_what_fails_takes_nothing_with_it(opener: Opener) -> None:
    """A body that raises is rolled back alone, and raises what it raised."""
    writes = GroupedWrites(opener, patience=30)
    opener.slow = 0.005

    def once(number: int) -> str:
        def body(tx: Connection) -> None:
            put(f"n{number}")(tx)
            if number % 3 == 0:
                raise LookupError(str(number))

        try:
            writes.write(body)
        except LookupError as error:
            return f"refused {error}"
        return "kept"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(once, range(60)))

    assert names(opener) == {f"n{number}" for number in range(60) if number % 3}
    assert answers == [f"refused {number}" if number % 3 == 0 else "kept" for number in range(60)]


def test_a_body_may_have_savepoints_of_its_own(opener: Opener) -> None:
    """Store functions try an insert inside a savepoint, and go on where it is refused."""
    writes = GroupedWrites(opener, patience=5)
    writes.write(put("ada"))

    def body(tx: Connection) -> str:
        try:
            with tx.begin_nested():
                put("ada")(tx)
        except sa.exc.IntegrityError:
            put("bea")(tx)
            return "another"
        return "the same"

    assert writes.write(body) == "another"
    assert names(opener) == {"ada", "bea"}


def test_a_commit_that_fails_fails_for_everybody(opener: Opener) -> None:
    """Nobody is told of a write that was not committed."""
    writes = GroupedWrites(opener, patience=30)
    opener.slow, opener.fails = 0.005, True

    def once(number: int) -> type[BaseException] | None:
        try:
            writes.write(put(f"n{number}"))
        except OSError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(once, range(24)))

    assert answers == [OSError] * 24
    opener.fails = False
    writes.write(put("after"))
    assert names(opener) == {"after"}


def test_who_waits_too_long_is_refused_and_leaves_nothing_open(opener: Opener) -> None:
    """A writer's patience ends with Unavailable, and those whom it would have followed are committed all the same."""
    writes = GroupedWrites(opener, patience=0.1)
    inside, go_on = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        put("slow")(tx)
        inside.set()
        go_on.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(writes.write, slow)
        assert inside.wait(10)
        second = pool.submit(writes.write, put("late"))
        with pytest.raises(Unavailable):
            second.result(10)
        go_on.set()
        first.result(10)

    assert names(opener) == {"slow"}


def test_what_the_disk_refuses_is_not_answered(opener: Opener) -> None:
    """SQLite rolls the whole transaction back where the disk is full: then nobody of the group is told of a success."""
    writes = GroupedWrites(opener, patience=30)
    inside, go_on = threading.Event(), threading.Event()

    def first(tx: Connection) -> None:
        put("first")(tx)
        inside.set()
        go_on.wait(10)

    def too_much(tx: Connection) -> None:
        tx.exec_driver_sql("PRAGMA max_page_count=1")
        tx.execute(INSERT, {"name": "x" * 5_000_000})

    with ThreadPoolExecutor(3) as pool:
        early = pool.submit(writes.write, first)
        assert inside.wait(10)
        late = pool.submit(writes.write, too_much)
        while writes._coming == 0:
            time.sleep(0.001)
        go_on.set()
        with pytest.raises(sa.exc.OperationalError):
            late.result(10)
        with pytest.raises(Unavailable):
            early.result(10)

    assert names(opener) == set()


def test_a_commit_that_is_stopped_is_not_answered(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops the thread that commits, those who wait for it are not told that it did."""
    writes = GroupedWrites(opener, patience=30)
    inside, go_on = threading.Event(), threading.Event()

    def first(tx: Connection) -> None:
        put("first")(tx)
        inside.set()
        go_on.wait(10)

    class Stopped(BaseException):
        pass

    def stop(_seconds: float) -> None:
        raise Stopped

    with ThreadPoolExecutor(3) as pool:
        early = pool.submit(writes.write, first)
        assert inside.wait(10)
        late = pool.submit(writes.write, put("late"))
        while writes._coming == 0:
            pass
        monkeypatch.setattr(time, "sleep", stop)
        go_on.set()
        with pytest.raises(Stopped):
            late.result(10)
        with pytest.raises(Unavailable):
            early.result(10)


CHILD = """
import sys, threading
from sqlalchemy import text
from sqlalchemy.engine import make_url
from authcore.backends.sqlite import SqliteFile

side, lock = SqliteFile(make_url(sys.argv[1])), threading.Lock()
insert = text("INSERT INTO thing (name) VALUES (:name)")

def work(thread):
    for number in range(100_000):
        name = f"{thread}-{number}"
        side.write(lambda tx: tx.execute(insert, {"name": name}))
        with lock:
            print(name, flush=True)

for thread in range(8):
    threading.Thread(target=work, args=(thread,)).start()
"""


def test_what_was_answered_outlives_the_process(opener: Opener) -> None:
    """A process that is killed has lost nothing that it had answered."""
    command = [sys.executable, "-c", CHILD, opener.url.render_as_string()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        answered = [child.stdout.readline().strip() for _ in range(200)]
        child.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in child.stdout.read().split("\n")[:-1]]

    assert set(answered) <= names(opener)


def test_reads_see_what_a_write_has_answered(tmp_path: Path) -> None:
    """A thread that was answered finds its row."""
    side = SqliteFile(make_url(f"sqlite:///{tmp_path / 'side.db'}"))
    side.write(lambda tx: tx.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)"))

    def once(number: int) -> Any:
        side.write(put(f"n{number}"))
        found = sa.text("SELECT count(*) FROM thing WHERE name = :name")
        return side.read(lambda tx: tx.execute(found, {"name": f"n{number}"}).scalar())

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(once, range(80)))

    assert seen == [1] * 80
    side.dispose()
