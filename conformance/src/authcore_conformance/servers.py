"""What a server does between the socket and an application: WSGI (PEP 3333) and ASGI 3, for drivers.

A driver whose framework speaks either calls its application through here, and decides nothing of its own.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from authcore_conformance.driver import HttpRequest, HttpResponse

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
HOST, SOCKET = "app.example", "/run/app.sock"


# --- WSGI ---


def call_wsgi(app: WsgiApp, request: HttpRequest) -> HttpResponse:
    """Answer what a WSGI application answers; with HEAD no body goes out."""
    started: list[Any] = []
    parts: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
        started[:] = [int(status[:3]), tuple(headers)]
        return parts.append

    answer = app(environ_of(request), start_response)
    try:
        parts.extend(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()
    status, headers = started
    return HttpResponse(status, headers, b"" if request.method == "HEAD" else b"".join(parts))


def environ_of(request: HttpRequest) -> dict[str, Any]:
    """Answer the environ of a request: the path's bytes as latin-1, no REMOTE_ADDR on a Unix socket."""
    path, _, query = request.target.partition("?")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "" if request.peer == "unix" else request.peer,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **_header_keys(request),
    }


def _header_keys(request: HttpRequest) -> dict[str, str]:
    """Answer the headers as WSGI servers hand them over: repeated ones joined, names with an underscore dropped."""
    found: dict[str, str] = {"CONTENT_LENGTH": str(len(request.body))} if request.body else {}
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        if "_" not in name:
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


# --- ASGI ---


async def call_asgi(app: AsgiApp, request: HttpRequest) -> HttpResponse:
    """Answer what an ASGI application answers; with HEAD no body goes out."""
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else await asyncio.Event().wait()  # the client stays

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope_of(request), receive, send)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in sent[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return HttpResponse(sent[0]["status"], headers, b"" if request.method == "HEAD" else body)


def scope_of(request: HttpRequest) -> dict[str, Any]:
    """Answer the scope of a request: names of headers in lower case, no client on a Unix socket."""
    path, _, query = request.target.partition("?")
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
    if request.body:
        headers.append((b"content-length", b"%d" % len(request.body)))
    on_unix = request.peer == "unix"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "https",
        "method": request.method,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": headers,
        "client": None if on_unix else (request.peer, 12345),
        "server": (SOCKET, None) if on_unix else (HOST, 443),
        "state": {},
    }
