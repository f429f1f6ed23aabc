"""ASGI's scope and messages in authcore's words."""

from typing import Any

import pytest

from authcore.http import Cookie, Result
from authcore.protocols import asgi


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/auth/me", "", "/auth/me"),
        ("/shop/auth/me", "/shop", "/auth/me"),
        ("/shop/auth/me", "/shop/", "/auth/me"),
        ("/auth/me", "/shop", "/auth/me"),
        ("/shopping", "/shop", "/shopping"),
        ("/shop", "/shop", ""),
        ("/auth/me", "/", "/auth/me"),
    ],
)
def test_a_root_path_is_taken_away_where_it_stands(path: str, root: str, below: str) -> None:
    """Servers leave the root path in the path or take it away: both look the same after this."""
    assert asgi.path_of({"path": path, "root_path": root}) == below


def test_repeated_headers_are_joined() -> None:
    """Cookie lines are joined by a semicolon, all others by a comma, as WSGI's servers do."""
    scope = {
        "headers": [
            (b"cookie", b"a=1"),
            (b"x-forwarded-for", b" 192.0.2.1\t"),
            (b"Cookie", b"b=2"),
            (b"x-forwarded-for", b"192.0.2.2"),
            (b"user-agent", b"caf\xe9"),
        ]
    }

    assert asgi.headers_of(scope) == {
        "cookie": "a=1; b=2",
        "x-forwarded-for": "192.0.2.1,192.0.2.2",
        "user-agent": "caf\u00e9",
    }


@pytest.mark.parametrize(
    ("scope", "peer"),
    [
        ({"client": ("192.0.2.1", 1), "server": ("127.0.0.1", 80)}, "192.0.2.1"),
        ({"client": None, "server": ("/run/app.sock", None)}, "unix"),
        ({"client": None, "server": ("127.0.0.1", 80)}, None),
        ({"client": None, "server": None}, None),
        ({}, None),
    ],
)
def test_a_peer_without_an_address_is_a_unix_socket_only_if_the_server_is_one(scope: Any, peer: str | None) -> None:
    """A client without an address is trusted as "unix" only where the server says that it listens on one."""
    assert asgi.peer_of(scope) == peer


def test_a_handshake_is_a_connect() -> None:
    """A WebSocket's scope has no method; its Request is unsafe, so that its origin is asked for."""
    request = asgi.request_of({"type": "websocket", "headers": []}, "/live")

    assert request.method == "CONNECT"


@pytest.mark.parametrize(
    ("method", "status", "body", "length"),
    [
        ("GET", 200, b"{}", [(b"content-length", b"2")]),
        ("GET", 200, b"", [(b"content-length", b"0")]),
        ("HEAD", 200, b"", []),
        ("OPTIONS", 204, b"", []),
    ],
)
def test_a_length_stands_where_http_wants_one(method: str, status: int, body: bytes, length: list[Any]) -> None:
    """A 204 has none, and HEAD's would be that of GET's body (RFC 9110 8.6)."""
    assert asgi.response_headers(Result(status, body), method) == length


@pytest.mark.anyio
async def test_an_answer_is_two_messages() -> None:
    """Status and headers first, every cookie apart, then the body."""
    sent: list[Any] = []
    cookies = (Cookie("a", "1"), Cookie("b", "2"))

    async def send(message: Any) -> None:
        sent.append(message)

    await asgi.respond(Result(201, b"{}", cookies, (("X-A", "1"),)), "POST", send)

    start, body = sent
    assert (start["type"], start["status"]) == ("http.response.start", 201)
    assert [name for name, _ in start["headers"]] == [b"x-a", b"set-cookie", b"set-cookie", b"content-length"]
    assert body == {"type": "http.response.body", "body": b"{}"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("length", "waits"), [(b"65536", True), (b"65537", False), (b"9" * 18, False), (b"many", True)]
)
async def test_a_body_that_announces_too_much_is_not_waited_for(length: bytes, waits: bool) -> None:
    """What is announced beyond the cap is refused before anything of it is read."""
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"{}"}

    read = await asgi.read_body(receive, {"headers": [(b"content-length", length)]})

    assert (read, asked) == (((b"{}", None), 1) if waits else ((b"", "too_large"), 0))
