"""The client: a process of its own that keeps connections busy and tells how fast they were answered.

It reads a plan as JSON from its input and writes what it saw as JSON. Sockets and epoll alone, so that the server is
the slower of the two: a request is bytes that were made before, and of an answer only the end is looked for.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import Any

END = b"\r\n\r\n"
TOKEN = "{token}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, over how many connections, how long. The first `warm_up` seconds are not counted.

    With `tokens` there is a connection for each, and one request whose body says `TOKEN` where it goes: each next
    request carries what the answer before holds under `named` ("data.token" is a token inside an object).
    """

    port: int
    requests: list[str]
    connections: int = 8
    seconds: float = 1.0
    warm_up: float = 0.2
    tokens: list[str] = field(default_factory=list)
    named: str = ""


@dataclass(slots=True)
class Seen:
    """What was answered: when the counting began and should end, and how long each answer took, in seconds."""

    counts_from: float
    until: float
    took: list[float] = field(default_factory=list)
    last: float = 0.0

    def note(self, began: float, now: float) -> None:
        """Count one answer; the first one counts even if it is late."""
        if self.counts_from <= now and (now < self.until or not self.took):
            self.took.append(now - began)
            self.last = now

    def over(self) -> bool:
        """Tell whether the time has passed and something was answered."""
        return bool(self.took) and perf_counter() >= self.until

    def told(self) -> dict[str, float]:
        """Answer the rate a second, and latencies in milliseconds."""
        took = sorted(self.took)
        rate = len(took) / (max(self.until, self.last) - self.counts_from)
        return {"rate": rate, "p50": 1000 * took[len(took) // 2], "p99": 1000 * took[int(len(took) * 0.99)]}


class Chain:
    """Requests that each spend the token which the answer before brought."""

    def __init__(self, request: str, token: str, named: str) -> None:
        head, _, self._body = request.partition("\r\n\r\n")
        kept = [line for line in head.split("\r\n") if not line.lower().startswith("content-length:")]
        self._head = "\r\n".join(kept)
        self._token, self._path = token, named.split(".")

    def __next__(self) -> bytes:
        body = self._body.replace(TOKEN, self._token)
        return f"{self._head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def go_on(self, answer: bytes) -> None:
        """Take the next token out of an answer."""
        found = json.loads(answer[answer.index(END) :])
        for name in self._path:
            found = found[name]
        self._token = found


class Connection:
    """One client: it sends, waits for the whole answer, and sends again."""

    def __init__(self, port: int, requests: Any, selector: selectors.BaseSelector, seen: Seen) -> None:
        self._port, self._requests, self._selector, self._seen = port, requests, selector, seen
        self._socket: socket.socket | None = None

    def ask(self) -> None:
        """Send the next request, over the old socket if the server has kept it."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._got, self._wanted = b"", 0
        self._began = perf_counter()
        self._socket.sendall(next(self._requests))

    def hear(self) -> None:
        """Read what has come; once the answer is whole, note it and ask again."""
        assert self._socket is not None
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionError(f"the server closed in the middle of an answer: {self._got!r}")
        self._got += chunk
        if not self._wanted and END in self._got:
            self._wanted = length(self._got)
        if self._wanted and len(self._got) >= self._wanted:
            self._note()
            self.ask()

    def _note(self) -> None:
        if not self._got.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"the server answered {self._got!r}")
        self._seen.note(self._began, perf_counter())
        if isinstance(self._requests, Chain):
            self._requests.go_on(self._got)
        if b"onnection: close" in self._got:
            self.close()

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None


def _requests(plan: Plan) -> list[Any]:
    """Answer what each connection sends."""
    if plan.tokens:
        return [Chain(plan.requests[0], token, plan.named) for token in plan.tokens]
    return [cycle(text.encode() for text in plan.requests)] * plan.connections


def length(answer: bytes) -> int:
    """Answer how many bytes an answer has in all, by its head."""
    head = answer[: answer.index(END)].lower()
    start = head.index(b"content-length:") + 15
    return len(head) + len(END) + int(head[start:].split(b"\r\n", 1)[0])


def run(plan: Plan) -> dict[str, float]:
    """Keep every connection busy until the time is over."""
    selector = selectors.DefaultSelector()
    began = perf_counter()
    seen = Seen(began + plan.warm_up, began + plan.warm_up + plan.seconds)
    connections = [Connection(plan.port, requests, selector, seen) for requests in _requests(plan)]
    for connection in connections:
        connection.ask()
    while not seen.over():
        for key, _ in selector.select(0.05):
            key.data.hear()
    for connection in connections:
        connection.close()
    return seen.told()


if __name__ == "__main__":
    print(json.dumps(run(Plan(**json.load(sys.stdin)))))
