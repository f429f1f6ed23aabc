"""Reading bodies: the cap, chunked bodies, those that break off, and those that were read before."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Response

CAP = 64 * 1024
SIGN_IN = {"email": "nobody@example.com", "password": "a passphrase of some length"}


class Breaking:
    """A stream that ends, or raises, before all that was announced has come."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self._data, self._error = data, error

    def read(self, _size: int = -1) -> bytes:
        """Answer the data once, then the end or the error."""
        data, self._data = self._data, b""
        if not data and self._error is not None:
            raise self._error
        return data


def post(app: Flask, stream: Any, length: str | None, **environ: Any) -> Response:
    """Answer what the application answers to a POST of a raw stream."""
    made = EnvironBuilder("/auth/sign-in", method="POST", headers={"Content-Type": "application/json"}).get_environ()
    made["wsgi.input"] = stream
    made.pop("CONTENT_LENGTH", None)
    if length is not None:
        made["CONTENT_LENGTH"] = length
    chunks, status, headers = run_wsgi_app(app, {**made, "HTTP_ORIGIN": "http://localhost", **environ}, buffered=True)
    return Response(chunks, status, headers)


def code_of(answer: Response) -> tuple[int, Any]:
    """Answer the status and the code of a failure."""
    return answer.status_code, json.loads(answer.get_data())["error"]["code"]


def padded(size: int) -> bytes:
    """Answer a sign-in of exactly `size` bytes."""
    body = json.dumps(SIGN_IN).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_the_cap_is_read_whole(app: Flask) -> None:
    """64 KiB are allowed, to the byte."""
    answer = post(app, io.BytesIO(padded(CAP)), str(CAP))

    assert code_of(answer) == (401, "invalid_credentials")


@pytest.mark.parametrize("size", [CAP + 1, CAP + 2, 10 * CAP])
def test_an_announced_body_beyond_the_cap_is_refused_unread(app: Flask, size: int) -> None:
    """The announced length alone refuses a body."""
    stream = io.BytesIO(padded(size))

    answer = post(app, stream, str(size))

    assert code_of(answer) == (413, "body_too_large")
    assert stream.tell() == 0


@pytest.mark.parametrize(("size", "expected"), [(CAP, 401), (CAP + 1, 413), (CAP + 2, 413), (10 * CAP, 413)])
def test_a_chunked_body_is_capped_and_never_cut(app: Flask, size: int, expected: int) -> None:
    """A body without a length is read to one byte beyond the cap, and no more."""
    stream = io.BytesIO(padded(size))

    answer = post(app, stream, None, **{"wsgi.input_terminated": True})

    assert answer.status_code == expected
    assert stream.tell() <= CAP + 1


def test_without_length_and_end_there_is_no_body(app: Flask) -> None:
    """Where nothing says where a body ends, none is read: the server would wait for ever."""
    answer = post(app, Breaking(b"", AssertionError("read")), None)

    assert code_of(answer) == (400, "invalid_json")


@pytest.mark.parametrize("error", [None, OSError("reset"), ValueError("bad chunk"), RuntimeError("whatever")])
@pytest.mark.parametrize("length", ["1000", None])
def test_a_body_that_breaks_off_is_invalid(app: Flask, error: Exception | None, length: str | None) -> None:
    """A short read and whatever a server raises inside `read` are 400 `invalid_body`, never a 500."""
    stream = Breaking(json.dumps(SIGN_IN).encode(), error)

    answer = post(app, stream, length, **{"wsgi.input_terminated": True})

    ended_well = error is None and length is None
    assert code_of(answer) == ((401, "invalid_credentials") if ended_well else (400, "invalid_body"))


@pytest.mark.parametrize("length", ["-1", "+5", "1_0", "٣", "abc", "9" * 30])
def test_a_length_that_is_no_number_is_a_broken_body(app: Flask, length: str) -> None:
    """What some servers let through as Content-Length is never interpreted."""
    answer = post(app, io.BytesIO(padded(100)), length)

    assert answer.status_code in (400, 413)


def read_data() -> None:
    """Read the body as bytes."""
    request.get_data()


def read_json() -> None:
    """Read the body as JSON."""
    request.get_json(silent=True)


def touch_form() -> None:
    """Ask for form fields, which a JSON body has not."""
    assert not request.form


def touch_stream() -> None:
    """Ask for the stream without reading it."""
    assert request.stream


@pytest.mark.parametrize("hook", [read_data, read_json, touch_form, touch_stream])
def test_an_applications_hook_may_have_read_the_body(app: Flask, hook: Callable[[], None]) -> None:
    """What `before_request` has read is not lost."""
    app.before_request(hook)
    body = padded(100)

    answer = post(app, io.BytesIO(body), str(len(body)))

    assert code_of(answer) == (401, "invalid_credentials")


def test_an_applications_own_limit_is_its_own(app: Flask) -> None:
    """MAX_CONTENT_LENGTH of the application neither narrows nor widens the core's cap."""
    app.config["MAX_CONTENT_LENGTH"] = 10
    body = padded(100)

    answer = post(app, io.BytesIO(body), str(len(body)))

    assert code_of(answer) == (401, "invalid_credentials")


def test_the_body_can_be_read_after_the_core(app: Flask) -> None:
    """An `after_request` hook of the application still finds the body."""
    seen: list[bytes] = []

    @app.after_request
    def note(response: Any) -> Any:
        seen.append(request.get_data())
        return response

    body = padded(100)
    post(app, io.BytesIO(body), str(len(body)))

    assert seen == [body]
