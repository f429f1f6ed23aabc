"""Sockets over a real server: serve an application, and be its client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from authcore import Auth, SignedIn

PASSWORD = "a passphrase of some length"
SOON = 10.0  # seconds that no step of a test takes


def free_port() -> int:
    """Answer a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: Any, port: int) -> Iterator[None]:
    """Serve an application in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + SOON
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(SOON)


@contextmanager
def without_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail for what a server logs as an error meanwhile."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def sign_up(auth: Auth, transport: Any = "bearer", email: str = "ada@example.com") -> SignedIn:
    """Sign somebody up."""
    signed = auth.blocking.password.sign_up(email=email, password=PASSWORD, transport=transport)
    assert isinstance(signed, SignedIn)
    return signed


def closed(client: ClientConnection) -> tuple[int, str]:
    """Answer how the server closed."""
    with pytest.raises(ConnectionClosed) as gone:
        client.recv(timeout=SOON)
    assert gone.value.rcvd is not None
    return gone.value.rcvd.code, gone.value.rcvd.reason


def refused(address: str, **how: Any) -> int:
    """Answer the status of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as answer, connect(address, **{"open_timeout": SOON, **how}):
        pass
    return answer.value.response.status_code


def bearer(token: str) -> dict[str, Any]:
    """Answer how a client offers a token."""
    return {"subprotocols": ["authcore.bearer", token], "open_timeout": SOON}


def watches_end(auth: Auth) -> None:
    """Wait until nothing is watched any more."""
    end = time.monotonic() + SOON
    while len(auth.backends.watches):
        assert time.monotonic() < end
        time.sleep(0.02)
