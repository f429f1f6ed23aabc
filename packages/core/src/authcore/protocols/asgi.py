"""ASGI 3 in authcore's words: a scope becomes a Request, a Result becomes messages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from authcore.http import BODY_CAP, BodyFault, Request, Result, join_headers

_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def path_of(scope: Scope) -> str:
    """Answer the decoded path below `root_path`, whether the server left that in the path or took it away."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    inside = root and (path == root or path.startswith(root + "/"))
    return path[len(root) :] if inside else path


def headers_of(scope: Scope) -> dict[str, str]:
    """Answer the headers by lower-case name, repeated ones joined."""
    return join_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])


def peer_of(scope: Scope) -> str | None:
    """Answer the peer's address, "unix" for a Unix socket, None where the server does not say."""
    client, server = scope.get("client"), scope.get("server")
    if client:
        return str(client[0])
    # ASGI 3: a server on a Unix socket names itself (path, None), and its clients have no address.
    return "unix" if server and server[1] is None else None


def request_of(scope: Scope, path: str, body: bytes = b"", fault: BodyFault | None = None) -> Request:
    """Answer the Request; `path` stands below the mount prefix.

    A WebSocket's handshake is a CONNECT (RFC 8441): unlike a GET it opens something, and browsers send it from any site
    with cookies, so the core asks it for its origin.
    """
    return Request(scope.get("method", "CONNECT"), path, body, headers_of(scope), peer_of(scope), fault)


async def read_body(receive: Receive, scope: Scope | None = None) -> tuple[bytes, BodyFault | None] | None:
    """Answer the body, or why it was not read whole, or None if the client is gone.

    Of a `scope` that announces more than the cap nothing is awaited.
    """
    if scope is not None and _announced(scope) > BODY_CAP:
        return b"", "too_large"
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_CAP:
            return b"", "too_large"
        if not message.get("more_body", False):
            return b"".join(chunks), None


def _announced(scope: Scope) -> int:
    found = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(found) if _LENGTH.match(found) else 0


def response_headers(result: Result, method: str) -> list[tuple[bytes, bytes]]:
    """Answer every header to send.

    RFC 9110 8.6: no Content-Length with a 204, nor with HEAD, whose length would be that of GET's body.
    """
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in result.header_list()]
    if result.status != 204 and method != "HEAD":
        pairs.append((b"content-length", b"%d" % len(result.body)))
    return pairs


async def respond(result: Result, method: str, send: Send) -> None:
    """Send the whole answer."""
    headers = response_headers(result, method)
    await send({"type": "http.response.start", "status": result.status, "headers": headers})
    await send({"type": "http.response.body", "body": result.body})
