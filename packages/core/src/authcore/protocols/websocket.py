"""A WebSocket's handshake (RFC 6455) in authcore's words: where a browser, which can send no header, puts its token."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from authcore.errors import AmbiguousCredentials, NotAuthenticated
from authcore.http import Request
from authcore.protocols.asgi import Scope

BEARER = "authcore.bearer"
"""The subprotocol behind which an access token is offered."""


def offered(scope: Scope) -> tuple[str, ...]:
    """Answer the subprotocols that a client offers, a token among them."""
    return tuple(scope.get("subprotocols") or ())


def own_of(scope: Scope) -> tuple[str, ...]:
    """Answer the subprotocols that are the application's own matter."""
    told = offered(scope)
    at = told.index(BEARER) if BEARER in told else len(told)
    return told[:at] + told[at + 2 :]


def token_of(scope: Scope) -> str | None:
    """Answer the token that stands behind `authcore.bearer`, None if that is not offered; raise NotAuthenticated."""
    told = offered(scope)
    if BEARER not in told:
        return None
    token = told[told.index(BEARER) + 1 :][:1]
    if told.count(BEARER) > 1 or not token:
        raise NotAuthenticated()
    return token[0]


def with_bearer(request: Request, token: str) -> Request:
    """Answer the handshake as if the token came in its header; raise AmbiguousCredentials where one is there (R7)."""
    if "authorization" in request.headers:
        raise AmbiguousCredentials()
    headers = {**request.headers, "authorization": f"Bearer {token}"}
    return Request(request.method, request.path, b"", headers, request.peer)


def check_query(scope: Scope) -> None:
    """Raise NotAuthenticated for a token in the address."""
    # RFC 9700 4.3.2: it stands in logs and histories. One that came so opens nothing, whatever comes beside it.
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    if any(name.lower() == "access_token" for name, _ in query):
        raise NotAuthenticated()


def without_token(scope: Scope) -> dict[str, Any]:
    """Answer a scope that tells an application of no token (rule O3)."""
    if BEARER not in offered(scope):
        return dict(scope)
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"sec-websocket-protocol"]
    return {**scope, "headers": headers, "subprotocols": list(own_of(scope))}
