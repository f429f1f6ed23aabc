"""Reading bodies: the cap, chunked bodies, those that break off, and those that a middleware has read before."""

import asyncio
import io
import json
import threading
from typing import Any

import pytest
from sqlalchemy import Engine, event

CAP = 64 * 1024
JSON = [("Host", "testserver"), ("Origin", "http://testserver"), ("Content-Type", "application/json")]
Ask = Any
Declare = Any


class Breaking(io.RawIOBase):
    """A stream that ends, or raises, before all that was announced has come."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self._data, self._error = data, error

    def read(self, _size: int = -1) -> bytes:
        """Answer the data once, then the end or the error."""
        data, self._data = self._data, b""
        if not data and self._error is not None:
            raise self._error
        return data


def padded(size: int) -> bytes:
    """Answer a sign-in of exactly `size` bytes."""
    body = json.dumps({"email": "nobody@example.com", "password": "a passphrase of some length"}).encode()
    return body + b" " * (size - len(body))


def in_pieces(body: bytes, size: int = 10_000) -> list[dict[str, Any]]:
    """Answer the ASGI messages of a body that comes bit by bit."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    last = len(pieces) - 1
    return [{"type": "http.request", "body": piece, "more_body": i < last} for i, piece in enumerate(pieces)]


def send(ask: Ask, body: bytes, *, chunked: bool) -> Any:
    """Answer what the project answers to a sign-in, its length announced or not."""
    if ask.mode == "asgi":
        length = [] if chunked else [("Content-Length", str(len(body)))]
        return ask("POST", "/auth/sign-in", [*JSON, *length], in_pieces(body))
    if not chunked:
        return ask("POST", "/auth/sign-in", JSON, body)
    extra = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return ask("POST", "/auth/sign-in", JSON, **extra)


@pytest.mark.parametrize("size", [CAP, CAP + 1, 10 * CAP])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("reader", [None, "ReadsBody", "ReadsForm"])
def test_a_body_is_read_up_to_the_cap(ask: Ask, declare: Declare, size: int, chunked: bool, reader: str | None) -> None:
    """64 KiB are allowed, to the byte, announced or chunked, whether or not a middleware has looked at them first."""
    from authcore_project.settings import MIDDLEWARE

    declare(MIDDLEWARE=[*([f"authcore_project.middleware.{reader}"] if reader else []), *MIDDLEWARE])

    answer = send(ask, padded(size), chunked=chunked)

    assert answer.code == ((401, "invalid_credentials") if size == CAP else (413, "body_too_large"))


def test_a_form_is_refused_whoever_read_it(ask: Ask, declare: Declare) -> None:
    """A multipart form that a middleware has parsed is the core's 415."""
    from authcore_project.settings import MIDDLEWARE

    declare(MIDDLEWARE=["authcore_project.middleware.ReadsForm", *MIDDLEWARE])
    form = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na\r\n--x--\r\n'
    kind = [("Origin", "http://testserver"), ("Content-Type", "multipart/form-data; boundary=x")]
    headers = kind if ask.mode == "wsgi" else [*kind, ("Content-Length", str(len(form)))]

    answer = ask("POST", "/auth/sign-in", headers, form)

    assert answer.status in (400, 415)
    assert answer.json["error"]["code"] in ("unsupported_media_type", "invalid_body")


@pytest.mark.parametrize("error", [None, OSError("gone"), ValueError("bad chunk")])
def test_a_body_that_breaks_off_changes_nothing(wsgi: Ask, error: Exception | None) -> None:
    """A stream that ends early, or raises, is a failure of the core's, never a 500."""
    stream = {"wsgi.input": Breaking(b'{"email":', error), "CONTENT_LENGTH": "80"}

    answer = wsgi("POST", "/auth/sign-in", JSON, **stream)

    assert answer.code == (400, "invalid_body")
    assert answer.all("Connection") == ["close"]


def test_a_chunked_body_that_breaks_off_changes_nothing(wsgi: Ask) -> None:
    """A server that raises inside a chunked body is answered alike."""
    stream = {"wsgi.input": Breaking(b"{", OSError("bad chunk")), "wsgi.input_terminated": True}

    answer = wsgi("POST", "/auth/sign-in", JSON, **stream)

    assert answer.status == 400


def test_a_length_that_is_no_number_is_no_server_error(wsgi: Ask) -> None:
    """A broken Content-Length is the core's 400."""
    answer = wsgi("POST", "/auth/sign-in", JSON, CONTENT_LENGTH="many")

    assert answer.code == (400, "invalid_body")


def test_repeated_headers_reach_the_core_apart(ask: Ask) -> None:
    """Two cookies of one name in two lines are refused, as in one (rules R1, R6)."""
    headers = [("Cookie", "authcore_session=a"), ("Cookie", "authcore_session=b")]

    answer = ask("GET", "/auth/me", headers)

    assert answer.code == (400, "ambiguous_credentials")


async def test_a_client_that_goes_away_undoes_nothing(project: str, declare: Declare) -> None:
    """Django cancels a view when its client hangs up: what the worker has begun, such as a count, is committed."""
    from asgiref.sync import sync_to_async
    from asgiref.testing import ApplicationCommunicator
    from django.apps import apps
    from django.core.handlers.asgi import ASGIHandler
    from django.db import connections

    declare(database_alias=project, hashing=None)  # a hash that takes its time
    body = json.dumps({"email": "ada@example.com", "password": "a passphrase of some length"}).encode()
    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/auth/sign-in", "query_string": b"", "headers": headers}
    attempts = apps.get_model("authcore", "Attempt")._base_manager.using(project)
    begun = threading.Event()

    def counted() -> list[int]:
        found = [row.failures for row in attempts.all()]
        connections[project].close()  # the worker thread's
        return found

    def note(*_statement: Any) -> None:
        begun.set()

    client = ApplicationCommunicator(ASGIHandler(), {**scope, "asgi": {"version": "3.0"}, "client": ("203.0.113.9", 1)})
    event.listen(Engine, "before_cursor_execute", note)
    try:
        await client.send_input({"type": "http.request", "body": body})
        await asyncio.to_thread(begun.wait, 10)
        await client.send_input({"type": "http.disconnect"})
        await client.wait()
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert await sync_to_async(counted)() == [1]
