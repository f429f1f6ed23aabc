"""Several processes behind one address, each of which can be replaced, and clients that never stop asking."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from rotating_node import ORIGIN, VARIABLE

NODE = Path(__file__).parent / "rotating_node.py"
PATIENCE = 60  # seconds in which a process is up, on a machine that does much else
PAUSE = 0.05  # seconds between a client's turns, in which a process that starts gets on
DONE = (200, 201)
PASSWORD = "three quiet herons wade"


@dataclass(frozen=True)
class Answer:
    """What a client got: from which process, and what."""

    process: int
    status: int
    body: Any
    cookies: Mapping[str, str]


class Fleet:
    """Processes that take connections of one socket."""

    def __init__(self, listening: socket.socket, told: Mapping[str, Any], size: int) -> None:
        self._listening = listening
        self.port = listening.getsockname()[1]
        self.running = [self._start(told) for _ in range(size)]

    def _start(self, told: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        descriptor = self._listening.fileno()
        return subprocess.Popen(
            [sys.executable, str(NODE), str(descriptor)],
            pass_fds=[descriptor],
            env={**os.environ, VARIABLE: json.dumps(told)},
        )

    def replace(self, number: int, told: Mapping[str, Any]) -> int:
        """End one process when it has answered what it took, and start another in its place; answer its id."""
        self.running[number].terminate()
        assert self.running[number].wait(PATIENCE) == 0
        self.running[number] = self._start(told)
        self.await_all()
        return self.running[number].pid

    def replace_each(self, told: Mapping[str, Any]) -> None:
        """Replace one process after the other."""
        for number in range(len(self.running)):
            self.replace(number, told)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        jar: Mapping[str, str] | None = None,
    ) -> Answer:
        """Answer a request of a program, or with a `jar` of a browser, over a connection of its own."""
        headers = {"content-type": "application/json"} if body is not None else {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if jar is not None:
            headers.update(origin=ORIGIN, cookie="; ".join(f"{name}={value}" for name, value in jar.items()))
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = json.loads(answer.read() or b"null")
        finally:
            connection.close()
        cookies = SimpleCookie()
        for line in answer.headers.get_all("set-cookie") or []:
            cookies.load(line)
        kept = {name: each.value for name, each in cookies.items()}
        return Answer(int(answer.headers["X-Process"]), answer.status, said, kept)

    def everywhere(self, method: str, path: str, **how: Any) -> list[Answer]:
        """Ask until each process has answered; answer what each of them said first."""
        seen: dict[int, Answer] = {}
        until = time.monotonic() + PATIENCE
        while not {each.pid for each in self.running} <= seen.keys():
            assert time.monotonic() < until, f"only {len(seen)} processes answered"
            answer = self.send(method, path, **how)
            seen.setdefault(answer.process, answer)
        return list(seen.values())

    def await_all(self) -> None:
        """Wait until each process answers."""
        self.everywhere("GET", "/orders")

    def close(self) -> None:
        """End every process."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def fleet(told: Mapping[str, Any], size: int = 4) -> Iterator[Fleet]:
    """Run processes that are all declared alike."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        made = Fleet(listening, told, size)
        try:
            made.await_all()
            yield made
        finally:
            made.close()


class Refused(Exception):
    """A request failed; it is noted already."""


@dataclass
class Load:
    """What clients asked for, and each request that failed."""

    fleet: Fleet
    asked: Counter[str] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)
    failures: list[tuple[str, int, Any]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    @property
    def requests(self) -> int:
        """Answer how many requests were answered."""
        return sum(self.asked.values())

    def ask(self, method: str, path: str, body: Any = None, *, expected: Container[int] = DONE, **how: Any) -> Answer:
        """Send a request that must succeed; note it, and raise Refused if it does not."""
        what = f"{method} {path}{' by cookie' if 'jar' in how else ''}"
        try:
            answer = self.fleet.send(method, path, body, **how)
        except (OSError, HTTPException) as error:
            self.fail(what, 0, repr(error))
        with self._mutex:
            self.asked[what] += 1
            self.processes.add(answer.process)
        if answer.status not in expected:
            self.fail(what, answer.status, answer.body)
        return answer

    def fail(self, what: str, status: int, said: Any) -> None:
        """Note a failure and raise Refused."""
        self.failures.append((what, status, said))
        raise Refused(what)

    @contextmanager
    def of(self, *clients: Callable[[], None]) -> Iterator[None]:
        """Let each client begin again and again, until the block ends."""
        threads = [threading.Thread(target=self._repeat, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(PATIENCE)

    def _repeat(self, client: Callable[[], None]) -> None:
        while not self._over.wait(PAUSE):
            with suppress(Refused):
                client()

    def go_on(self, requests: int) -> None:
        """Wait until so many more requests were answered."""
        goal, until = self.requests + requests, time.monotonic() + PATIENCE
        while self.requests < goal:
            assert time.monotonic() < until, "the clients are stuck"
            time.sleep(0.005)


def person() -> dict[str, str]:
    """Answer a fresh account's credentials, for a client that wants tokens."""
    return {"email": f"{secrets.token_hex(6)}@example.com", "password": PASSWORD, "transport": "bearer"}


def kid(token: str) -> str:
    """Answer which key a token names."""
    head = token.split(".")[0]
    return str(json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])
