"""Reading bodies: the cap, bodies in pieces, and clients that go away."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi import FastAPI

CAP = 64 * 1024
SIGN_IN = {"email": "nobody@example.com", "password": "a passphrase of some length"}
GONE = {"type": "http.disconnect"}


def padded(size: int) -> bytes:
    """Answer a sign-in of exactly `size` bytes."""
    body = json.dumps(SIGN_IN).encode()
    return body + b" " * (size - len(body))


def pieces(body: bytes, size: int, *, last: bool = True) -> list[dict[str, Any]]:
    """Answer the messages that bring a body in pieces."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return [*messages, {"type": "http.request"}] if last else messages


async def post(
    app: FastAPI,
    messages: Iterable[dict[str, Any]],
    method: str = "POST",
    path: str = "/auth/sign-in",
    length: int | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Answer what the application sends, and how many messages it did not take."""
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"origin", b"http://localhost"), (b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    if length is not None:
        scope["headers"].append((b"content-length", str(length).encode()))
    await app(scope, receive, send)
    return sent, len(waiting)


def status_of(sent: list[dict[str, Any]]) -> int:
    """Answer the status of an answer."""
    return int(sent[0]["status"])


@pytest.mark.anyio
@pytest.mark.parametrize("size", [1, 7, 1000, CAP])
async def test_a_body_in_pieces_is_joined(app: FastAPI, size: int) -> None:
    """However a body is cut, the core reads all of it."""
    sent, _ = await post(app, pieces(padded(CAP if size > 7 else 200), size))

    assert status_of(sent) == 401


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "expected"), [(CAP, 401), (CAP + 1, 413), (CAP + 2, 413), (10 * CAP, 413)])
async def test_a_body_is_capped_and_never_cut(app: FastAPI, size: int, expected: int) -> None:
    """64 KiB are allowed, to the byte, and one byte more is refused."""
    sent, _ = await post(app, pieces(padded(size), 16 * 1024))

    assert status_of(sent) == expected


@pytest.mark.anyio
async def test_an_endless_body_is_not_read_on(app: FastAPI) -> None:
    """Once the cap is passed nothing more is taken from the server."""
    sent, left = await post(app, pieces(padded(100 * CAP), CAP))

    assert status_of(sent) == 413
    assert left == 99


@pytest.mark.anyio
@pytest.mark.parametrize("before", [0, 1, 2])
async def test_a_client_that_goes_away_gets_nothing(app: FastAPI, before: int) -> None:
    """`http.disconnect` ends the request without a word and without an error."""
    messages = pieces(padded(300), 100, last=False)[:before]

    sent, _ = await post(app, [*messages, GONE])

    assert sent == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "length", "expected"),
    [
        ("POST", "/auth/sign-in", 100 * CAP, 413),
        ("POST", "/auth/nowhere", 10, 404),
        ("PUT", "/auth/sign-in", 10, 405),
        ("GET", "/auth/health", 10, 200),
    ],
)
async def test_a_body_that_nobody_reads_is_not_waited_for(
    app: FastAPI, method: str, path: str, length: int, expected: int
) -> None:
    """Announced beyond the cap, or to where no body is read: the answer comes before the body."""
    sent, _ = await post(app, [], method=method, path=path, length=length)

    assert status_of(sent) == expected
