"""Django's requests and responses in authcore's words, under WSGI and ASGI."""

from __future__ import annotations

from collections.abc import Container, Generator
from http.cookies import Morsel, SimpleCookie
from typing import Any, cast

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse

from authcore import Cookie, Request, Result
from authcore.http import BODY_CAP, BodyFault
from authcore.protocols import asgi, wsgi


def _request(request: HttpRequest, path: str, body: bytes = b"", fault: BodyFault | None = None) -> Request:
    # From what the server said: META joins repeated headers of ASGI as WSGI does, Cookie by ",".
    if isinstance(request, ASGIRequest):
        return asgi.request_of(cast(Any, request).scope, path, body, fault)
    return wsgi.request_of(cast(WSGIRequest, request).environ, path, body, fault)


def _body(request: HttpRequest) -> tuple[bytes, BodyFault | None]:
    """Answer the body, whether or not a middleware has read it, or why it could not be read whole."""
    if isinstance(request, WSGIRequest):
        # Django believes a chunked body to be empty, and leaves it in the server's hands.
        chunked = not request.environ.get("CONTENT_LENGTH")
        return wsgi.read_body(request.environ, request.environ["wsgi.input"].read if chunked else request.read)
    try:
        body = request.read(BODY_CAP + 1)
    except (OSError, ValueError):  # a middleware has closed it
        return b"", "broken"
    return (b"", "too_large") if len(body) > BODY_CAP else (body, None)


def _response(result: Result, method: str | None) -> HttpResponse:
    bodiless = result.status == 204 or method == "HEAD"
    response = Ready(b"" if bodiless else result.body, status=result.status)
    del response["Content-Type"]
    for name, value in result.headers:
        response[name] = f"{response[name]},{value}" if name in response else value
    if not bodiless:
        response["Content-Length"] = str(len(result.body))
    response.bodiless = bodiless
    response.cookies = Cookies()
    for cookie in result.cookies:
        response.cookies.add(cookie)
    return response


class Ready(HttpResponse):
    """A response of authcore's own.

    It may be awaited: under WSGI the `dispatch` of an async class is asked without a loop.
    """

    bodiless = False

    def has_header(self, header: str) -> bool:
        """Tell whether it has a header; where there is no body it claims a length, lest CommonMiddleware add one."""
        # RFC 9110 8.6: no Content-Length with a 204, nor with HEAD unless it is GET's.
        return (self.bodiless and header.lower() == "content-length") or super().has_header(header)

    def __await__(self) -> Generator[None, None, HttpResponse]:
        """Answer itself at once."""
        yield from ()
        return self


class Cookies(SimpleCookie):
    """A response's cookies, of which two may have one name."""

    def __init__(self) -> None:
        super().__init__()
        self._more: list[Morsel[str]] = []

    def add(self, cookie: Cookie) -> None:
        """Send one cookie more."""
        if cookie.name in self:
            self._more.append(Line(cookie))
        else:
            self[cookie.name] = Line(cookie)

    def values(self) -> Any:
        """Answer every cookie to send."""
        return [*super().values(), *self._more]


class Line(Morsel[str]):
    """A cookie as the core writes it."""

    def __init__(self, cookie: Cookie) -> None:
        super().__init__()
        self.set(cookie.name, cookie.value, cookie.value)
        self._line = cookie.header()

    def OutputString(self, attrs: Container[str] | None = None) -> str:  # noqa: N802 - the standard library's name
        """Answer the value of Set-Cookie."""
        return self._line

    def output(self, attrs: Container[str] | None = None, header: str = "Set-Cookie:") -> str:
        """Answer the line, or with an empty `header` its value."""
        return f"{header} {self._line}".lstrip()
