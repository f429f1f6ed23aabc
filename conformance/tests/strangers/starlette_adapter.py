"""authcore in plain Starlette, and the driver that holds it against the suite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ClassVar, cast

from starlette import requests
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from authcore import Auth, AuthError, Request, Result, User, Visit, requirement
from authcore.errors import Conflict
from authcore.protocols import asgi, below
from authcore_conformance.driver import Build, HttpRequest, HttpResponse
from authcore_conformance.servers import call_asgi

Endpoint = Callable[[requests.Request], Awaitable[Response]]


class AuthCore:
    """Mount authcore in a Starlette application, before all of its own routes."""

    def __init__(self, app: Starlette, auth: Auth) -> None:
        app.state.authcore = auth
        app.router.routes.insert(0, _CatchAll(auth))
        app.add_exception_handler(AuthError, _fail)


class _CatchAll(BaseRoute):
    """Everything below the prefix, whatever the method."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match what stands below the prefix."""
        ours = scope["type"] == "http" and below(asgi.path_of(scope), self.auth.prefix) is not None
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the core answers, and nothing to a client that is gone."""
        request = await _request(scope, receive, self.auth.prefix)
        if request is not None:
            await asgi.respond(await self.auth.async_core().dispatch(request), request.method, send)


def require(**needs: Any) -> Callable[[Endpoint], Endpoint]:
    """Let only those call an endpoint who are signed in and meet the needs."""
    asked = requirement(**needs)

    def decorate(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: requests.Request) -> Response:
            await request.app.state.authcore.async_core().admit(_visit(request), asked)
            return await endpoint(request)

        return guarded

    return decorate


async def current_user(request: requests.Request) -> User | None:
    """Answer who sends a request, or None."""
    who = await request.app.state.authcore.async_core().who(_visit(request))
    return who.user if who else None


def _visit(request: requests.Request) -> Visit:
    if not hasattr(request.state, "visit"):
        request.state.visit = Visit(asgi.request_of(request.scope, asgi.path_of(request.scope)))
    return cast(Visit, request.state.visit)


async def _request(scope: Scope, receive: Receive, prefix: str) -> Request | None:
    read = await asgi.read_body(receive, scope)
    return asgi.request_of(scope, below(asgi.path_of(scope), prefix) or "", *read) if read else None


def _response(result: Result, method: str) -> Response:
    response = Response(result.body, result.status)
    response.raw_headers = asgi.response_headers(result, method)
    return response


def _fail(request: requests.Request, error: Exception) -> Response:
    return _response(request.app.state.authcore.async_core().failure(error), request.method)


class StarletteDriver:
    """A Starlette application, called as an ASGI server calls it, on an event loop of its own."""

    name, mode = "starlette", "threads"
    gaps: ClassVar[dict[str, str]] = {}

    def start(self, build: Build) -> Auth:
        """Mount a fresh application."""
        self.auth, self.runner = build.auth(), asyncio.Runner()
        self.app = Starlette(routes=_own_routes())
        AuthCore(self.app, self.auth)
        return self.auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        return self.runner.run(call_asgi(self.app, request))

    def stop(self) -> None:
        """Close the loop, the connections and the threads."""
        self.runner.close()
        self.auth.dispose()


def _own_routes() -> list[Route]:
    return [
        Route("/app/hello", require()(_tell)),
        Route("/app/act", require()(_done), methods=["POST"]),
        Route("/app/hook", require(csrf=False)(_done), methods=["POST"]),
        Route("/app/verified", require(verified=True)(_tell)),
        Route("/app/mfa", require(mfa=True)(_tell)),
        Route("/app/fresh", require(fresh="5m")(_tell)),
        Route("/app/page", require(verified=True, redirect="/verify")(_tell)),
        Route("/app/anybody", require(anonymous=True)(_tell)),
        Route("/app/scoped", require(scopes="read write")(_tell)),
        Route("/app/api", require(guard="api")(_tell)),
        Route("/app/optional", require(optional=True)(_tell)),
        Route("/app/open", _open, methods=["GET", "POST"]),
        Route("/app/raise", _raise),
    ]


async def _tell(request: requests.Request) -> Response:
    user = await current_user(request)
    return JSONResponse({"email": user.email if user else None})


async def _open(request: requests.Request) -> Response:
    await current_user(request)
    return await _tell(request)


async def _done(_request: requests.Request) -> Response:
    return JSONResponse({"done": True})


async def _raise(_request: requests.Request) -> Response:
    raise Conflict()
