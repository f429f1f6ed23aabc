"""The mount: one route before all others hands every method and path under the prefix to the core."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response, WebSocket
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketState

from authcore import Auth, AuthError, ConfigurationError, Request, Result
from authcore.protocols import asgi, below
from authcore.realtime import SocketRefused
from authcore_fastapi import openapi, structs

structs.speak_pydantic()


class AuthCore:
    """Mount authcore in a FastAPI application.

    `app.state.authcore` is the `Auth`. Its routes and schemas stand in the application's own document, and an AuthError
    that escapes a handler is answered with its code and status. Raises ConfigurationError where the application has an
    AuthCore already.
    """

    def __init__(self, app: FastAPI, auth: Auth) -> None:
        _check(app, auth)
        app.state.authcore = auth
        # First: an application's own "/{path:path}" would win over a route that is appended.
        app.router.routes.insert(0, _Mount(auth))
        app.add_exception_handler(AuthError, _fail)
        app.add_exception_handler(SocketRefused, _refuse)
        openapi.merge_into(app, auth)


def _check(app: object, auth: object) -> None:
    if not isinstance(app, FastAPI) or not isinstance(auth, Auth):
        given = f"{type(app).__name__} and {type(auth).__name__}"
        raise ConfigurationError(f"AuthCore takes a FastAPI and an Auth, not {given}: write AuthCore(app, auth).")
    if any(isinstance(route, _Mount) for route in app.router.routes):
        raise ConfigurationError("This application has an AuthCore already: write AuthCore(app, auth) once.")


class _Mount(BaseRoute):
    """Everything under the prefix, whatever the method."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Answer a full match for the prefix itself and all below it."""
        if scope["type"] != "http" or below(asgi.path_of(scope), self._auth.prefix) is None:
            return Match.NONE, {}
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing is sent to a client that has gone."""
        request = await _request(scope, receive, self._auth)
        if request is not None:
            await asgi.respond(await self._auth.async_core().dispatch(request), request.method, send)


def current_auth(conn: HTTPConnection) -> Auth:
    """Answer the `Auth` of the application that serves a request."""
    auth: Auth | None = getattr(conn.scope["app"].state, "authcore", None)
    if auth is None:
        raise ConfigurationError("This application has no AuthCore: write AuthCore(app, auth) where it is made.")
    return auth


async def _request(scope: Scope, receive: Receive, auth: Auth) -> Request | None:
    path = below(asgi.path_of(scope), auth.prefix) or ""
    if not auth.router.takes_body(scope["method"], path):
        return asgi.request_of(scope, path)
    read = await asgi.read_body(receive, scope)
    return asgi.request_of(scope, path, *read) if read else None


def _response(result: Result, method: str) -> Response:
    response = Response(result.body, result.status)
    response.raw_headers = asgi.response_headers(result, method)
    return response


async def _fail(conn: Any, error: Any) -> Any:
    """Answer an AuthError; close a WebSocket as RFC 6455 7.4.1 says: 1008, against a policy."""
    if isinstance(conn, WebSocket):
        return await _close(conn, 1008, error.code)
    return _response(current_auth(conn).async_core().failure(error), conn.scope["method"])


async def _refuse(conn: Any, refused: Any) -> None:
    """Close a WebSocket that `authenticate_socket` refuses."""
    if refused.close_code is not None:
        await _close(conn, refused.close_code, refused.reason)


async def _close(conn: WebSocket, code: int, reason: str) -> None:
    if conn.application_state is not WebSocketState.DISCONNECTED:
        await conn.close(code=code, reason=reason)
