"""Reading bodies: the cap, bodies in pieces, and clients that go away or say what is not so."""

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar, Request

from authcore import Auth
from authcore_litestar import AuthCore

CAP = 64 * 1024
JSON = [("Content-Type", "application/json"), ("Origin", "http://app.localhost"), ("Host", "app.localhost")]
Ask = Callable[..., Any]


def padded(size: int) -> bytes:
    """Answer a sign-in of exactly `size` bytes."""
    body = b'{"email": "nobody@example.com", "password": "a passphrase of some length"}'
    return body + b" " * (size - len(body))


def chunked(body: bytes, size: int = 10_000) -> list[dict[str, Any]]:
    """Answer the messages of a body that comes in pieces."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]


@pytest.mark.parametrize("size", [1, 7, 1000, CAP])
async def test_a_body_in_pieces_is_joined(app: Litestar, ask: Ask, size: int) -> None:
    """However a body is cut, the core reads all of it."""
    answer = await ask(app, "POST", "/auth/sign-in", JSON, chunked(padded(CAP if size > 7 else 200), size))

    assert answer.code == (401, "invalid_credentials")


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_is_read_up_to_the_cap(app: Litestar, ask: Ask, size: int, announced: bool) -> None:
    """64 KiB are allowed, to the byte, whether their length is announced or not."""
    body = padded(CAP + size)
    headers = [*JSON, ("Content-Length", str(len(body)))] if announced else JSON

    answer = await ask(app, "POST", "/auth/sign-in", headers, chunked(body))

    assert answer.code == ((413, "body_too_large") if size else (401, "invalid_credentials"))


async def test_an_endless_body_is_not_read_on(app: Litestar, ask: Ask) -> None:
    """Once the cap is passed nothing more is taken from the server."""
    body = chunked(padded(100 * CAP), CAP)

    answer = await ask(app, "POST", "/auth/sign-in", JSON, body)

    assert answer.code == (413, "body_too_large")
    assert len(body) == 98


async def test_a_length_beyond_the_cap_is_believed(app: Litestar, ask: Ask) -> None:
    """Who announces too much is refused before anything is read."""
    body = chunked(padded(CAP), CAP)

    answer = await ask(app, "POST", "/auth/sign-in", [*JSON, ("Content-Length", str(100 * CAP))], body)

    assert answer.code == (413, "body_too_large")
    assert len(body) == 1


async def test_a_body_that_breaks_off_changes_nothing(app: Litestar, ask: Ask) -> None:
    """A client that goes before its body has come is a failure of the core's, never a 500."""
    body = [{"type": "http.request", "body": b'{"email":', "more_body": True}]

    answer = await ask(app, "POST", "/auth/sign-in", JSON, body)

    assert answer.code == (400, "invalid_body")


async def test_a_length_that_is_no_number_is_no_server_error(app: Litestar, ask: Ask) -> None:
    """A broken Content-Length is the core's 400."""
    answer = await ask(app, "POST", "/auth/sign-in", [*JSON, ("Content-Length", "many")], b"{}")

    assert answer.code == (400, "invalid_body")


async def test_a_body_that_a_hook_has_read_is_read_again(auth: Auth, ask: Ask) -> None:
    """An application's `before_request` may look at the body first."""
    seen = []

    async def look(request: Request[Any, Any, Any]) -> None:
        seen.append(len(await request.body()))

    app = Litestar(plugins=[AuthCore(auth)], before_request=look)

    answer = await ask(app, "POST", "/auth/sign-in", JSON, padded(100))

    assert (answer.code, seen) == ((401, "invalid_credentials"), [100])


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("POST", "/auth/nowhere", 404), ("PUT", "/auth/sign-in", 405), ("GET", "/auth/health", 200)],
)
async def test_a_body_that_nobody_reads_is_not_read(
    app: Litestar, ask: Ask, method: str, path: str, expected: int
) -> None:
    """Where no body is read the answer comes before it."""
    body = chunked(padded(200), 100)

    answer = await ask(app, method, path, [*JSON, ("Content-Length", "200")], body)

    assert (answer.status, len(body)) == (expected, 2)
