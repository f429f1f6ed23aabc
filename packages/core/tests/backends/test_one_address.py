"""Four processes behind one address behave as one: revoked on one, refused on all, whatever keeps the credentials."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from node import STRATEGIES, declare

NODE = Path(__file__).parent / "node.py"
PROCESSES = 4
PATIENCE = 90  # seconds in which all of them are up, on a machine that does much else
AT_ONCE: dict[str, list[str]] = {
    "sql": ["sign_out", "raise_epoch", "end_tenant"],
    "redis": ["sign_out", "raise_epoch"],  # it does not know who belongs to a tenant: that is a matter of the table
    "jwt": [],
    "sealed": [],
}
"""What is refused from the very next request on, by strategy."""
ADA = {"email": "ada@example.com", "password": "three quiet herons wade", "transport": "bearer"}


class Address:
    """The one address, as a client sees it; it takes another connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, int, Any]:
        """Answer which process answered, its status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"content-type": "application/json"} if body is not None else {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        said = (int(answer.headers["X-Process"]), answer.status, json.loads(answer.read() or b"null"))
        connection.close()
        return said

    def everywhere(self, token: str) -> dict[int, int]:
        """Ask until each process has answered about a token; answer their statuses."""
        seen: dict[int, int] = {}
        until = time.monotonic() + PATIENCE
        while len(seen) < PROCESSES:
            assert time.monotonic() < until, f"only {len(seen)} processes answered"
            process, status, _ = self.send("GET", "/orders", token=token)
            seen[process] = status
        return seen


@contextmanager
def nodes(*arguments: str) -> Iterator[Address]:
    """Run the processes over one listening socket."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        listening.setblocking(True)
        descriptor = listening.fileno()
        command = [sys.executable, str(NODE), str(descriptor), *arguments]
        running = [subprocess.Popen(command, pass_fds=[descriptor]) for _ in range(PROCESSES)]
        try:
            yield Address(listening.getsockname()[1])
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(10)


@pytest.fixture(params=sorted(STRATEGIES))
def strategy(request: pytest.FixtureRequest) -> str:
    """Answer each strategy that processes can share."""
    return str(request.param)


@pytest.fixture
def arguments(strategy: str, postgres_url: str, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Answer what a process is told: the database with its tables, the strategy, and a prefix of its own in Redis."""
    url = str(request.getfixturevalue("redis_url")) if strategy == "redis" else ""
    prefix = f"authcore-address-{secrets.token_hex(6)}"
    auth = declare(postgres_url, strategy, url, prefix)
    auth.create_tables()
    auth.dispose()
    yield [postgres_url, strategy, url, prefix]
    if url:
        import redis

        client = redis.Redis.from_url(url)
        for key in client.scan_iter(match=f"{prefix}*"):
            client.delete(key)
        client.close()


@pytest.fixture
def ada(postgres_url: str) -> dict[str, str]:
    """Answer a fresh account's credentials."""
    return {**ADA, "email": f"{secrets.token_hex(6)}@example.com"}


Ending = Callable[[Address, dict[str, Any], list[str]], None]


def sign_out(address: Address, session: dict[str, Any], arguments: list[str]) -> None:
    """End the session where a request of it happens to arrive."""
    assert address.send("POST", "/sign-out", {}, session["access_token"])[1] in (200, 204)


def raise_epoch(address: Address, session: dict[str, Any], arguments: list[str]) -> None:
    """End everything of the user in a process that serves nobody, as the command does."""
    auth = declare(*arguments)
    assert auth.blocking.sessions.bump_epoch(user_id=session["user"]["id"]) >= 1
    auth.dispose()


def end_tenant(address: Address, session: dict[str, Any], arguments: list[str]) -> None:
    """End everything of the tenant."""
    auth = declare(*arguments)
    assert auth.blocking.sessions.bump_epoch(tenant=True) >= 1
    auth.dispose()


def last_accepted(address: Address, token: str, seconds: float) -> float | None:
    """Send a token for a while; answer how long after the beginning the last request was sent that it opened."""
    began, last = time.monotonic(), None
    while (sent := time.monotonic() - began) <= seconds:
        if address.send("GET", "/orders", token=token)[1] == 200:
            last = sent
    return last


def test_what_one_process_ends_all_refuse(
    strategy: str, arguments: list[str], ada: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """T9: a stateful credential is refused from the next request on, a token by itself within a second, everywhere."""
    taken: dict[str, float | None] = {}
    with nodes(*arguments) as address:
        address.send("POST", "/sign-up", ada)
        endings: list[Ending] = [sign_out, raise_epoch, end_tenant]
        for ending in endings:
            session = address.send("POST", "/sign-in", ada)[2]
            token = session["access_token"]
            assert set(address.everywhere(token).values()) == {200}

            ending(address, session, arguments)
            taken[ending.__name__] = last_accepted(address, token, 1.8)
            assert set(address.everywhere(token).values()) == {401}

    with capsys.disabled():
        told = ", ".join(f"{name} {_spelled(each)}" for name, each in taken.items())
        print(f"\n{strategy}, {PROCESSES} processes, last accepted after the end: {told}")
    assert [name for name in AT_ONCE[strategy] if taken[name] is not None] == []
    assert max(each or 0.0 for each in taken.values()) <= 1.0


def _spelled(seconds: float | None) -> str:
    return "never" if seconds is None else f"{1000 * seconds:.0f} ms"
