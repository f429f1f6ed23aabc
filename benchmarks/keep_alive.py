"""One client that keeps its connection, and tells how long each answer took."""

from __future__ import annotations

import socket
import time

from load import END, length


class Line:
    """A connection to a port of loopback. `pause` is how long it waits before each request, in seconds."""

    def __init__(self, port: int, pause: float = 0.0) -> None:
        self._port, self._pause = port, pause
        self._socket: socket.socket | None = None

    def ask(self, request: bytes, status: int) -> float:
        """Send a request; answer the seconds until its answer was whole. Raise ConnectionError for another status."""
        time.sleep(self._pause)
        line = self._socket or self._connect()
        began = time.perf_counter()
        line.sendall(request)
        answer = _whole(line)
        took = time.perf_counter() - began
        if not answer.startswith(b"HTTP/1.1 %d" % status):
            raise ConnectionError(f"the server answered {answer!r}")
        if b"connection: close" in answer.lower():
            self.close()
        return took

    def _connect(self) -> socket.socket:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _whole(line: socket.socket) -> bytes:
    got, wanted = b"", 0
    while not wanted or len(got) < wanted:
        chunk = line.recv(65536)
        if not chunk:
            raise ConnectionError(f"the server closed in the middle of an answer: {got!r}")
        got += chunk
        if not wanted and END in got:
            wanted = length(got)
    return got
