"""Redis for the tests: servers and a cluster of three on loopback, started and ended by the test, and its clients."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from authcore.backends.credentials.redis import RedisCredentialStore, RedisDenylist
from authcore.drive import run_blocking
from authcore.ports import Clock

NO_SERVER = "redis-server is not in PATH: install Redis, since these tests start servers of their own."
PATIENCE = 20.0  # seconds


def lack(sentence: str) -> NoReturn:
    """Skip with a sentence that says what to start; fail where everything should be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def once() -> Any:
    """Answer the retries that a client for single-use secrets has: none."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 0)


def once_awaited() -> Any:
    """Answer the same for an asyncio client."""
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Retry(NoBackoff(), 0)


def wait_for(happened: Callable[[], bool], what: str) -> None:
    """Wait until something has happened, for a bounded time."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE:g} seconds"
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Tell whether a server answers."""
    import redis

    client = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=once())
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()


class Server:
    """A redis-server of the test's own, which writes no file; `options` are its command line's."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port, self._folder, self._options = _free_port(), folder, options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            lack(NO_SERVER)
        fixed = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self._folder))
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen([program, *fixed, *self._options], stdout=log, stderr=log)
        wait_for(lambda: answers(self.url), "an answer of redis-server")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=PATIENCE)
            self._process = None

    def client(self, **how: Any) -> Any:
        """Answer a blocking client of this server."""
        import redis

        return redis.Redis.from_url(self.url, **{"retry": once(), **how})


@contextmanager
def server(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server."""
    running = Server(folder, *options)
    try:
        running.start()
        yield running
    finally:
        running.kill()


@contextmanager
def cluster(folder: Path) -> Iterator[list[Server]]:
    """Run a cluster of three primaries, whose slots lie in thirds."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "3000", "--cluster-require-full-coverage", "yes")
    servers = [Server(folder / f"node{number}", *options) for number in range(3)]
    try:
        for each in servers:
            each.start()
        _join(servers)
        yield servers
    finally:
        for each in servers:
            each.kill()


def _join(servers: list[Server]) -> None:
    clients = [each.client() for each in servers]
    thirds = [(0, 5460), (5461, 10922), (10923, 16383)]
    for client, third in zip(clients, thirds, strict=True):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", *third)
    for each in servers[1:]:
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", each.port)
    wait_for(lambda: all(_knows_all(client) for client in clients), "a cluster of three")
    for client in clients:
        client.close()


def _knows_all(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    slots = client.execute_command("CLUSTER SLOTS")
    ok = str(dict(info)["cluster_state"]) == "ok" if isinstance(info, dict) else b"cluster_state:ok" in info
    return ok and len(slots) == 3


def _free_port() -> int:
    """Answer a port that is free together with the one of a cluster's bus, 10000 above it."""
    for _ in range(200):
        port = random.randint(20_000, 30_000)
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port
    raise AssertionError("no two ports are free")


@dataclass(frozen=True)
class Side:
    """A client, and how what is written over it is run."""

    client: Any
    run: Callable[[Coroutine[Any, Any, Any]], Any]


class PerLoop:
    """An asyncio client for whichever loop runs: each loop has one, closed when `asyncio.run` ends the loop."""

    def __init__(self, url: str, clustered: bool = False) -> None:
        self._url, self._clustered = url, clustered
        self._kept: tuple[Any, AsyncGenerator[Any, None], asyncio.Future[Any]] | None = None

    async def get(self, name: str, /) -> Any:
        """Answer the value of a key."""
        return await (await self._client()).get(name)

    async def eval(self, script: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script."""
        return await (await self._client()).eval(script, numkeys, *keys_and_args)

    async def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._kept is None or self._kept[0] is not loop:
            opened = self._opened()
            self._kept = loop, opened, asyncio.ensure_future(anext(opened))
        return await self._kept[2]

    async def _opened(self) -> AsyncGenerator[Any, None]:
        # A loop that ends closes the generators that are open on it.
        import redis.asyncio

        kind = redis.asyncio.RedisCluster if self._clustered else redis.asyncio.Redis
        client = kind.from_url(self._url, retry=once_awaited())
        try:
            # A cluster's client that many use first at the same moment breaks its own connections.
            yield await client.initialize()
        finally:
            await client.aclose()


@contextmanager
def redis_store(request: pytest.FixtureRequest, clock: Clock, kind: str) -> Iterator[RedisCredentialStore]:
    """Make a store for the registry, over a client of a kind."""
    with redis_client(request, kind) as (client, prefix):
        yield RedisCredentialStore(client, prefix, clock)


@contextmanager
def redis_denylist(request: pytest.FixtureRequest, clock: Clock, kind: str) -> Iterator[RedisDenylist]:
    """Make a denylist, over a client of a kind."""
    with redis_client(request, kind) as (client, prefix):
        yield RedisDenylist(client, prefix, clock)


@contextmanager
def redis_client(request: pytest.FixtureRequest, kind: str) -> Iterator[tuple[Any, str]]:
    """Make a client of `single` or `cluster`, dash, `blocking` or `asyncio`, and a prefix of its own."""
    place, client = kind.split("-")
    single = place == "single"
    url = request.getfixturevalue("redis_url") if single else request.getfixturevalue("redis_cluster")[0].url
    prefix = f"authcore-test-{secrets.token_hex(6)}"
    if client == "asyncio":
        yield PerLoop(url, not single), prefix
    else:
        with side(client, url, not single) as made:
            yield made.client, prefix
    if single:
        clean(url, prefix)


@dataclass(frozen=True)
class Place:
    """A client, and a prefix that nobody else uses."""

    side: Side
    prefix: str

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run what is written over the client."""
        return self.side.run(work)

    def credentials(self, clock: Clock) -> RedisCredentialStore:
        """Answer a store of credentials."""
        return RedisCredentialStore(self.side.client, f"{self.prefix}:cred", clock)

    def denylist(self, clock: Clock) -> RedisDenylist:
        """Answer a denylist."""
        return RedisDenylist(self.side.client, f"{self.prefix}:dl", clock)


def clean(url: str, prefix: str) -> None:
    """Remove every key of a prefix, as only a test may: it walks through all keys."""
    import redis

    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            client.delete(key)


CLIENTS = ("blocking", "asyncio", "decoding")


@contextmanager
def side(kind: str, url: str, clustered: bool = False, **how: Any) -> Iterator[Side]:
    """Make a client: `blocking`, `asyncio`, or `decoding`, a blocking one that answers text."""
    import redis
    import redis.asyncio

    options = {"retry": once_awaited() if kind == "asyncio" else once(), **how}
    if kind == "asyncio":
        with asyncio.Runner() as runner:
            made = redis.asyncio.RedisCluster if clustered else redis.asyncio.Redis
            client = made.from_url(url, **options)
            try:
                yield Side(client, runner.run)
            finally:
                runner.run(client.aclose())
        return
    blocking = redis.RedisCluster if clustered else redis.Redis
    client = blocking.from_url(url, decode_responses=kind == "decoding", **options)
    try:
        yield Side(client, run_blocking)
    finally:
        client.close()
