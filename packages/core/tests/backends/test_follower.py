"""What ended is known to every process within a second, over PostgreSQL, over Redis, and without either."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from redis_servers import Server, server, wait_for
from sqlalchemy import make_url

from authcore import Auth, AuthError, Password, Request, Sessions, requirement
from authcore.backends import follower as following
from authcore.backends.argon2 import CHEAP
from authcore.backends.build import Backends
from authcore.backends.follower import Follower
from authcore.backends.streams import RedisStream
from authcore.drive import Drive, run_blocking
from authcore.errors import ConfigurationError, Unavailable
from authcore.services import revocations
from authcore.services.revocations import ENDED, Revocation, Subject, subject

Make = Callable[..., Backends]
THREAD = "authcore-revocations"


def end(backends: Backends, *ids: str) -> float:
    """End sessions, as a transaction of this process; answer when it was committed."""
    ended = [Revocation("session", each) for each in ids]
    run_blocking(backends.ports(Drive.BLOCKING).db.write(revocations.write, ended, datetime.now(UTC)))
    return time.monotonic()


def knows(follower: Follower, session: str) -> bool:
    """Tell whether a table refuses a token of a session."""
    token = Subject(subject(session), "user", "tenant", "a stamp", 0, 0)
    return follower.table.judge(token, datetime.now(UTC)) == "ended"


def refuses(follower: Follower, ctx: Any, session: str) -> bool:
    """Tell what a guard does with a token of a session: it asks, where the table is not current."""
    if not follower.current():
        run_blocking(follower.catch_up(ctx))
    return knows(follower, session)


def context(backends: Backends) -> Any:
    """Answer what a guard reads over."""
    return SimpleNamespace(db=backends.ports(Drive.BLOCKING).db, now=lambda: datetime.now(UTC))


def threads() -> int:
    """Answer how many threads follow."""
    return sum(thread.name == THREAD for thread in threading.enumerate())


def streaming(follower: Follower) -> bool:
    """Tell whether the thread keeps the table, without anybody's reading."""
    return follower.current() and follower._reader.running


@pytest.fixture
def pair(make: Make, postgres_url: str) -> tuple[Backends, Backends]:
    """Two processes' backends over PostgreSQL; the second one follows."""
    one, other = make(postgres_url), make(postgres_url)
    one.create_tables()
    other.follower.current()
    wait_for(lambda: streaming(other.follower), "the stream")
    return one, other


# --- PostgreSQL ---

WRITER = """
import sys, time
from datetime import UTC, datetime
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.services import revocations
db = Backends(Plan(sys.argv[1])).ports(Drive.BLOCKING).db
for line in sys.stdin:
    run_blocking(db.write(revocations.write, [revocations.Revocation("session", line.strip())], datetime.now(UTC)))
    print(time.monotonic(), flush=True)
"""


def test_another_process_is_heard_at_once(
    pair: tuple[Backends, Backends], postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """T9: what another process commits is in this one's table within a second, and nobody here has asked."""
    follower = pair[1].follower
    taken = []
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, postgres_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for number in range(5):
            writer.stdin.write(f"remote-{number}\n")
            writer.stdin.flush()
            wait_for(lambda: knows(follower, f"remote-{number}"), "the revocation")  # noqa: B023
            seen = time.monotonic()
            taken.append(max(0.0, seen - float(writer.stdout.readline())))  # one clock for the whole machine
        writer.stdin.close()

    with capsys.disabled():
        print(f"\nPostgreSQL: heard after {', '.join(f'{1000 * each:.0f}' for each in taken)} ms")
    assert max(taken) <= 1.0


@pytest.mark.parametrize("kind", ["url", "engine", "async engine", "asyncpg url"])
def test_every_way_to_name_a_server_streams(make: Make, postgres_url: str, kind: str) -> None:
    """An Engine and an AsyncEngine of the application's are listened over as a URL is."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine: Any = postgres_url
    if kind == "asyncpg url":
        pytest.importorskip("asyncpg")
        engine = url.set(drivername="postgresql+asyncpg")
    elif kind != "url":
        engine = sa.create_engine(url) if kind == "engine" else _async_engine(url)
    writer, backends = make(postgres_url), make(engine)
    writer.create_tables()

    backends.follower.current()
    wait_for(lambda: streaming(backends.follower), "the stream")
    committed = end(writer, f"by {kind}")
    wait_for(lambda: knows(backends.follower, f"by {kind}"), "the revocation")

    assert time.monotonic() - committed <= 1.0
    backends.dispose()
    if kind == "engine":
        assert engine.pool.checkedout() == 0
        engine.dispose()


def _async_engine(url: Any) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(url)


def test_a_killed_connection_costs_no_revocation(
    pair: tuple[Backends, Backends], postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard asks for itself meanwhile; the stream comes back, and the outage stands in the log once."""
    one, other = pair
    ctx = context(one)
    with caplog.at_level(logging.WARNING, "authcore.revocations"):
        kill_connections(postgres_url)
        for number in range(40):
            committed = end(one, f"dark-{number}")
            while not refuses(other.follower, ctx, f"dark-{number}"):
                assert time.monotonic() - committed <= 1.0
            time.sleep(0.02)
        wait_for(lambda: streaming(other.follower), "the stream")

    committed = end(one, "back again")
    wait_for(lambda: knows(other.follower, "back again"), "the revocation")
    assert time.monotonic() - committed <= 1.0
    assert [record.message.partition(" (")[0] for record in caplog.records] == ["The stream of revocations is lost"]


def kill_connections(url: str) -> None:
    """End every connection to a database but this one."""
    engine = sa.create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


class Proxy:
    """A way to a server that can be frozen, as by a firewall that forgot the connection, or cut."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self._target = (target.host or "127.0.0.1", target.port or 5432)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = target.set(host="127.0.0.1", port=self._listening.getsockname()[1])
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Let nothing through, and close nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let everything through."""
        self._flowing.set()

    def refuse(self) -> None:
        """Cut every connection, and each that comes."""
        self._refusing = True
        self._cut(self._open)

    def accept(self) -> None:
        """Carry connections again."""
        self._refusing = False

    def close(self) -> None:
        """Cut every connection, and take no other."""
        self._flowing.set()
        self._cut([self._listening, *self._open])

    def _cut(self, connections: Sequence[socket.socket]) -> None:
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._refusing:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, drain: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                drain.sendall(data)
        with suppress(OSError):
            drain.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Put a proxy before a server."""
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()


def test_a_half_open_connection_is_not_trusted(make: Make, postgres_url: str) -> None:
    """A table that hears nothing is not current after a second, what was ended is refused, and it comes back."""
    writer = make(postgres_url)
    writer.create_tables()
    with proxied(postgres_url) as proxy:
        backends = make(proxy.url.render_as_string(hide_password=False))
        backends.follower.current()
        wait_for(lambda: streaming(backends.follower), "the stream")

        proxy.freeze()
        frozen = time.monotonic()
        end(writer, "unheard")
        wait_for(lambda: not backends.follower.current(), "doubt")
        doubted = time.monotonic() - frozen
        refused = refuses(backends.follower, context(writer), "unheard")
        proxy.thaw()
        time.sleep(1.0)
        wait_for(lambda: streaming(backends.follower), "the stream")

        assert doubted <= 1.0
        assert refused
        backends.dispose()


def test_a_store_that_is_down_is_unavailable(make: Make, postgres_url: str) -> None:
    """O2: the table is not current, and who asks is told that nothing answers."""
    make(postgres_url).create_tables()
    with proxied(postgres_url) as proxy:
        backends = make(proxy.url.render_as_string(hide_password=False))
        ctx = context(backends)
        backends.follower.current()
        wait_for(lambda: streaming(backends.follower), "the stream")
    wait_for(lambda: not backends.follower.current(), "doubt")

    with pytest.raises(Unavailable):
        refuses(backends.follower, ctx, "anybody")


def test_a_row_that_is_committed_late_is_not_missed(pair: tuple[Backends, Backends], postgres_url: str) -> None:
    """Of two transactions, the one that drew the smaller number commits last."""
    follower = pair[1].follower
    engine = sa.create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as slow, engine.connect() as fast:
        revocations.write(slow, [Revocation("session", "slow")], datetime.now(UTC))
        revocations.write(fast, [Revocation("session", "fast")], datetime.now(UTC))
        fast.commit()
        wait_for(lambda: knows(follower, "fast"), "the faster one")
        time.sleep(0.6)
        assert not knows(follower, "slow")
        slow.commit()
        committed = time.monotonic()
        wait_for(lambda: knows(follower, "slow"), "the slower one")

    assert time.monotonic() - committed <= 1.0


def test_a_transaction_of_minutes_is_not_missed(make: Make, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an application's own transaction takes longer than others do, a reading from far back finds its row."""
    now = [1000.0]
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: now[0]))
    backends = make(postgres_url, stream="off")
    backends.create_tables()
    follower, ctx = Follower(), context(backends)
    engine = sa.create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)

    with engine.connect() as slow:
        revocations.write(slow, [Revocation("session", "very slow")], datetime.now(UTC))
        end(backends, "first")
        for _ in range(100):  # five minutes
            now[0] += 3.0
            run_blocking(follower.catch_up(ctx))
        end(backends, "second")
        run_blocking(follower.catch_up(ctx))
        slow.commit()
    for _ in range(int(following.FAR_BACK / 3.0) + 1):
        now[0] += 3.0
        run_blocking(follower.catch_up(ctx))

    assert [knows(follower, each) for each in ("first", "second", "very slow")] == [True, True, True]


def test_what_was_read_is_not_read_for_ever(make: Make, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute later a reading begins behind what was read; a quarter of an hour later each one does."""
    now = [1000.0]
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: now[0]))
    backends = make(sqlite_url)
    backends.create_tables()
    end(backends, *(f"session-{number}" for number in range(20)))
    follower, read = Follower(), []

    class Counting:
        async def read(self, store: Any, *args: Any) -> Any:
            rows = await backends.ports(Drive.BLOCKING).db.read(store, *args)
            read.append(len(rows))
            return rows

    ctx: Any = SimpleNamespace(db=Counting(), now=lambda: datetime.now(UTC))
    for step in (0.0, 0.5, 31.0, 0.5, 0.5, 900.0, 31.0, 31.0):
        now[0] += step
        run_blocking(follower.catch_up(ctx))

    assert read[:3] == [20, 20, 20]
    assert read[3:5] == [0, 0]
    assert read[-1] == 0


# --- who is told ---


@pytest.mark.parametrize("where", ["postgresql", "file"])
def test_a_listener_is_told_of_each_row_once(make: Make, request: pytest.FixtureRequest, where: str) -> None:
    """What guards read meanwhile is told as well, in the thread, and each row once; after `close` nothing is."""
    url = request.getfixturevalue("postgres_url" if where == "postgresql" else "sqlite_url")
    one, other = make(url), make(url)
    one.create_tables()
    told: list[tuple[int, str, str, str]] = []
    inside: set[str] = set()

    def listener(rows: Sequence[Any]) -> None:
        inside.add(threading.current_thread().name)
        told.extend((row.seq, row.kind, row.subject, row.value) for row in rows)

    listening = other.follower.listen(listener)
    for number in range(10):
        end(one, f"{where}-{number}")
        run_blocking(other.follower.catch_up(context(one)))
    end(other, f"{where}-own")
    names = {subject(f"{where}-{number}") for number in range(10)} | {subject(f"{where}-own")}
    wait_for(lambda: names <= {each[2] for each in told}, "the rows")
    listening.close()
    time.sleep(0.1)
    before = len(told)
    end(one, f"{where}-after")
    time.sleep(0.6)

    mine = [each for each in told if each[2] in names]
    assert len(mine) == len(names)
    assert {(kind, value) for _, kind, _, value in mine} == {("session", ENDED)}
    assert inside == {THREAD}
    assert len(told) == before


def test_a_listener_that_fails_harms_nobody(make: Make, sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The others are told, later rows too, and it stands in the log."""
    backends = make(sqlite_url)
    backends.create_tables()
    told: list[Any] = []

    def fail(rows: Sequence[Any]) -> None:
        raise RuntimeError("no")

    backends.follower.listen(fail)
    backends.follower.listen(told.extend)
    end(backends, "one")
    wait_for(lambda: len(told) == 1, "the first")
    end(backends, "two")
    wait_for(lambda: len(told) == 2, "the second")

    assert "A listener of revocations failed." in caplog.text
    backends.dispose()


def test_a_file_needs_no_thread(make: Make, sqlite_url: str) -> None:
    """Without a stream, and with `off`, nothing runs: who asks reads."""
    backends = make(sqlite_url)
    backends.create_tables()
    end(backends, "here")

    assert refuses(backends.follower, context(backends), "here")
    assert not backends.follower._reader.running


# --- the thread's life ---


def test_a_thread_that_nobody_asks_ends(pair: tuple[Backends, Backends], monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by itself, and the next question starts another one."""
    one, other = pair
    monkeypatch.setattr(following, "IDLE", 0.3)
    wait_for(lambda: not other.follower._reader.running, "the end")
    wait_for(lambda: threads() == 0, "the thread's end")
    time.sleep(1.0)
    end(one, "while nobody asked")

    assert refuses(other.follower, context(one), "while nobody asked")
    wait_for(lambda: streaming(other.follower), "the stream")


def test_a_thread_that_is_listened_to_stays(pair: tuple[Backends, Backends], monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener keeps it, though nobody asks."""
    monkeypatch.setattr(following, "IDLE", 0.1)
    told: list[Any] = []
    listening = pair[1].follower.listen(told.extend)
    time.sleep(1.2)
    before = len(told)
    end(pair[0], "for the listener")

    wait_for(lambda: len(told) > before, "the row")
    listening.close()
    wait_for(lambda: threads() == 0, "the thread's end")


def test_disposing_ends_the_thread(pair: tuple[Backends, Backends]) -> None:
    """No thread is left, and the next question starts one again."""
    other = pair[1]
    other.dispose()

    assert threads() == 0
    other.follower.current()
    wait_for(lambda: streaming(other.follower), "the stream")


FORKING = """
import json, os, signal, sys, time
from datetime import UTC, datetime
from sqlalchemy import create_engine, text
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.services import revocations
from authcore.services.revocations import Revocation, Subject, subject

backends = Backends(Plan(sys.argv[1]))
backends.create_tables()

def settle():
    until = time.monotonic() + 10
    while not (backends.follower.current() and backends.follower._reader.running) and time.monotonic() < until:
        time.sleep(0.01)

def knows(session):
    settle()
    until = time.monotonic() + 1.5
    token = Subject(subject(session), "u", "t", "x", 0, 0)
    while time.monotonic() < until:
        if backends.follower.table.judge(token, datetime.now(UTC)) == "ended":
            return True
        time.sleep(0.01)
    return False

def end(session):
    run_blocking(backends.ports(Drive.BLOCKING).db.write(
        revocations.write, [Revocation("session", session)], datetime.now(UTC)))

def listener():
    settle()  # what the parent has confirmed counts in the child as well, until its own line is open
    while backends.follower._reader._run.line is None:
        time.sleep(0.01)
    return backends.follower._reader._run.line._driver.info.backend_pid

settle()
parent = listener()
ours, theirs = os.pipe()
process = os.fork()
if process == 0:
    signal.alarm(30)
    settle()
    own = listener()
    os.write(theirs, json.dumps([own, os.getpid()]).encode())
    seen = [knows("from the parent")]
    end("from the child")
    os.write(theirs, (chr(10) + json.dumps(seen)).encode())
    backends.dispose()
    os._exit(0)
os.close(theirs)
child = json.loads(os.read(ours, 1000))
end("from the parent")
said = json.loads(os.read(ours, 1000).decode().strip())
heard = knows("from the child")
code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
same = listener() == parent
backends.dispose()
print(json.dumps({"listeners": [parent, child[0]], "child": said, "parent": heard, "code": code, "same": same}))
"""


def test_a_fork_follows_by_itself(postgres_url: str) -> None:
    """O5: the child listens on a connection of its own, and the parent's goes on unharmed."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, postgres_url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    seen = json.loads(ended.stdout)
    assert seen["listeners"][0] != seen["listeners"][1]
    assert (seen["child"], seen["parent"], seen["code"], seen["same"]) == ([True], True, 0, True)


def test_no_thread_is_made_before_the_first_question(make: Make, postgres_url: str) -> None:
    """O5: neither declaring, nor ports, nor writing starts it."""
    backends = make(postgres_url)
    backends.create_tables()
    end(backends, "early")

    assert not backends.follower._reader.running


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
from datetime import UTC, datetime
import gevent
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.services import revocations

one, other = Backends(Plan(sys.argv[1])), Backends(Plan(sys.argv[1]))
one.create_tables()
turns, until = 0, time.monotonic() + 1.0
while time.monotonic() < until:
    other.follower.current()
    turns += 1
    gevent.sleep(0.001)
before = len(other.follower.table)
ended = [revocations.Revocation("session", "greenlet")]
run_blocking(one.ports(Drive.BLOCKING).db.write(revocations.write, ended, datetime.now(UTC)))
until = time.monotonic() + 1.0
while len(other.follower.table) == before and time.monotonic() < until:
    gevent.sleep(0.001)
print(json.dumps({"turns": turns, "heard": len(other.follower.table) - before}))
one.dispose()
other.dispose()
"""


def test_greenlets_go_on_while_the_stream_waits(postgres_url: str) -> None:
    """Under gevent the thread is a greenlet, and waits as one."""
    pytest.importorskip("gevent")
    command = [sys.executable, "-c", GREENLETS, postgres_url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    seen = json.loads(ended.stdout)
    assert seen["heard"] == 1
    assert seen["turns"] > 50


# --- what guards make of it ---


def declared(database: Any, **settings: Any) -> Auth:
    """Answer an application whose bearer tokens say everything themselves."""
    pytest.importorskip("jwt", reason="PyJWT is an extra")
    features = [Password(require_code=False), Sessions(bearer="jwt")]
    fixed = {"dev_mode": True, "secret": "a secret of these tests, long enough", "hashing": CHEAP, "limits": False}
    return Auth(database=database, features=features, outbox="external", **{**fixed, **settings})


def post(auth: Auth, path: str, body: dict[str, str]) -> Any:
    """Answer the body of an answer to a POST."""
    request = Request("POST", path, json.dumps(body).encode(), {"content-type": "application/json"}, "203.0.113.7")
    return json.loads(auth.blocking_core().dispatch(request).body or b"null")


def guarded(auth: Auth, token: str) -> int:
    """Answer what the guard of an application's own route says of a token."""
    request = Request("GET", "/orders", b"", {"authorization": f"Bearer {token}"}, "203.0.113.7")
    try:
        auth.blocking_core().authorize(request, requirement())
    except AuthError as error:
        return error.status
    return 200


def ada() -> dict[str, str]:
    """Answer somebody who signs up."""
    email = f"{secrets.token_hex(6)}@example.com"
    return {"email": email, "password": "three quiet herons wade", "transport": "bearer"}


def test_a_guard_asks_nobody(postgres_url: str) -> None:
    """A token is believed, and one that another process ended refused, without a statement of the guard's."""
    engine = sa.create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    asked: list[str] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if threading.current_thread().name != THREAD:
            asked.append(statement)

    auth, other = declared(engine), declared(postgres_url)
    auth.create_tables()
    tokens = post(auth, "/sign-up", ada())
    follower = auth.backends.follower
    follower.current()
    wait_for(lambda: streaming(follower), "the stream")
    guarded(auth, tokens["access_token"])
    asked.clear()

    accepted = [guarded(auth, tokens["access_token"]) for _ in range(50)]
    other.blocking.sessions.revoke_session(tokens["session"]["id"])
    wait_for(lambda: knows(follower, tokens["session"]["id"]), "the revocation")
    refused = guarded(auth, tokens["access_token"])

    assert (set(accepted), refused) == ({200}, 401)
    assert asked == []
    auth.dispose()
    other.dispose()
    engine.dispose()


def test_a_guard_lets_nobody_in_while_the_store_is_down(postgres_url: str) -> None:
    """O2: a token that was believed a second ago is answered 503, and is believed again once the store is back."""
    with proxied(postgres_url) as proxy:
        auth = declared(proxy.url.render_as_string(hide_password=False))
        auth.create_tables()
        token = post(auth, "/sign-up", ada())["access_token"]
        assert guarded(auth, token) == 200
        wait_for(lambda: streaming(auth.backends.follower), "the stream")

        proxy.refuse()
        wait_for(lambda: not auth.backends.follower.current(), "doubt")
        down = guarded(auth, token)
        proxy.accept()
        wait_for(lambda: streaming(auth.backends.follower), "the stream")
        back = guarded(auth, token)

        assert (down, back) == (503, 200)
        auth.dispose()


# --- Redis ---


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    """A Redis of this test's own."""
    pytest.importorskip("redis", reason="the Redis driver is an extra")
    with server(tmp_path / "redis") as running:
        yield running


def redis_pair(make: Make, redis: Server, url: str) -> tuple[Backends, Backends]:
    """Answer two processes' backends over a file, with Redis between them; the second one follows."""
    one, other = (make(url, stream=RedisStream(redis.client())) for _ in range(2))
    one.create_tables()
    other.follower.current()
    wait_for(lambda: streaming(other.follower), "the stream")
    wait_for(lambda: redis.client().pubsub_numsub("authcore:revocation")[0][1] == 1, "the subscription")
    return one, other


def test_redis_tells_at_once(make: Make, redis: Server, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """T9: a database without LISTEN has a bell too."""
    one, other = redis_pair(make, redis, sqlite_url)
    taken = []
    for number in range(5):
        committed = end(one, f"session-{number}")
        wait_for(lambda: knows(other.follower, f"session-{number}"), "the revocation")  # noqa: B023
        taken.append(time.monotonic() - committed)

    with capsys.disabled():
        print(f"\nRedis: heard after {', '.join(f'{1000 * each:.0f}' for each in taken)} ms")
    assert max(taken) <= 1.0
    assert sorted(taken)[2] <= 0.3  # the bell, not the look every 0.4 seconds


def test_redis_that_is_killed_costs_no_revocation(
    make: Make, redis: Server, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The table stays current without it, nothing is raised to who ends a session, and its return is noticed."""
    one, other = redis_pair(make, redis, sqlite_url)
    with caplog.at_level(logging.WARNING, "authcore.revocations"):
        redis.kill()
        for number in range(5):
            committed = end(one, f"dark-{number}")
            while not refuses(other.follower, context(one), f"dark-{number}"):
                assert time.monotonic() - committed <= 1.0
                time.sleep(0.01)
        assert streaming(other.follower)
        wait_for(lambda: "could not be told" in caplog.text, "the line of the log")
        redis.start()
        wait_for(lambda: redis.client().pubsub_numsub("authcore:revocation")[0][1] == 1, "the subscription")

    assert sum("could not be told" in record.message for record in caplog.records) == 1
    committed = end(one, "back again")
    wait_for(lambda: knows(other.follower, "back again"), "the revocation")
    assert time.monotonic() - committed <= 1.0
    one.dispose()
    other.dispose()
    assert threads() == 0


class Stuck:
    """A client of a Redis that never answers."""

    def __init__(self) -> None:
        self.published = 0
        self.answer = threading.Event()

    def publish(self, channel: str, message: bytes) -> int:
        """Never come back."""
        self.published += 1
        self.answer.wait(20)
        return 0

    def pubsub(self, **how: Any) -> Any:
        """Never come back."""
        self.answer.wait(20)
        raise ConnectionError

    def execute_command(self, *parts: Any) -> Any:
        """Never come back."""
        self.answer.wait(20)


def test_no_event_loop_waits_for_redis(make: Make, postgres_url: str) -> None:
    """Ending sessions on a loop, natively, takes no longer where Redis hangs; one thread waits, not one each."""
    stuck = Stuck()
    backends = make(postgres_url, stream=RedisStream(stuck))
    backends.create_tables()

    async def end_some() -> float:
        db = backends.ports(Drive.ASYNCIO).db
        await db.read(revocations.since, 0, datetime.now(UTC))
        slowest = 0.0
        for number in range(20):
            began = time.monotonic()
            await db.write(revocations.write, [Revocation("session", f"stuck-{number}")], datetime.now(UTC))
            slowest = max(slowest, time.monotonic() - began)
        return slowest

    slowest = asyncio.run(end_some())
    ringing = sum(thread.name == "authcore-ring" for thread in threading.enumerate())
    backends.follower.current()
    wait_for(lambda: streaming(backends.follower), "readings without Redis")
    wait_for(lambda: knows(backends.follower, "stuck-19"), "the revocation")

    assert slowest < 5.0
    assert (stuck.published, ringing) == (1, 1)
    stuck.answer.set()
    wait_for(lambda: stuck.published == 2, "the one that was waited for")


@pytest.mark.parametrize(
    ("client", "channel", "said"),
    [
        (object(), "c", "client of redis-py"),
        (None, "c", "client of redis-py"),
        ("redis://127.0.0.1", "c", "client of redis-py"),
        (Stuck, "c", "client of redis-py"),
        (Stuck(), "", "channel"),
        (Stuck(), 5, "channel"),
    ],
)
def test_what_is_no_client_is_refused(client: Any, channel: Any, said: str) -> None:
    """A sentence says what to give."""
    with pytest.raises(ConfigurationError, match=said):
        RedisStream(client, channel)


def test_a_client_for_asyncio_is_refused() -> None:
    """It would be used in a thread, where no loop runs."""
    redis = pytest.importorskip("redis.asyncio", reason="the Redis driver is an extra")

    with pytest.raises(ConfigurationError, match=r"redis\.asyncio"):
        RedisStream(redis.Redis())
