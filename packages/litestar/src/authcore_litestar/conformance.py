"""The drivers that hold this adapter against the conformance suite.

`authcore_litestar.conformance:LitestarDriver` runs flows in worker threads, `LitestarAsyncioDriver` by native awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from litestar import Litestar, Request, get, post
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import Scope

from authcore import Auth, User
from authcore.errors import Conflict
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode
from authcore_conformance.servers import AsgiApp, call_asgi
from authcore_litestar import AuthCore, CurrentUser, OptionalUser, optional_user, require


class LitestarDriver:
    """A Litestar application, called as an ASGI server calls it, on an event loop of its own."""

    name = "litestar"
    mode: Mode = "threads"
    gaps: Mapping[str, str] = MappingProxyType({})

    def start(self, build: Build) -> Auth:
        """Mount a fresh application."""
        self._auth, self._runner = build.auth(), asyncio.Runner()
        self._app = Litestar(_own_routes(), plugins=[AuthCore(self._auth)], openapi_config=None)
        return self._auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        return self._runner.run(call_asgi(cast(AsgiApp, self._app), request))

    def stop(self) -> None:
        """Close the loop, the connections and the threads."""
        self._runner.close()
        self._auth.dispose()


class LitestarAsyncioDriver(LitestarDriver):
    """The same application, its flows awaited on the loop; PostgreSQL alone."""

    name = "litestar-asyncio"
    mode: Mode = "asyncio"


def _own_routes() -> list[HTTPRouteHandler]:
    return [
        get("/app/hello", guards=[require()])(_tell),
        post("/app/act", status_code=200, guards=[require()])(_done),
        post("/app/hook", status_code=200, guards=[require(csrf=False)])(_done),
        get("/app/verified", guards=[require(verified=True)])(_tell),
        get("/app/mfa", guards=[require(mfa=True)])(_tell),
        get("/app/fresh", guards=[require(fresh="5m")])(_tell),
        get("/app/page", guards=[require(verified=True, redirect="/verify")])(_tell),
        get("/app/anybody", guards=[require(anonymous=True)])(_anybody),
        get("/app/scoped", guards=[require(scopes="read write")])(_tell),
        get("/app/api", guards=[require(guard="api")])(_anybody),
        get("/app/optional", guards=[require(optional=True)])(_optional),
        get("/app/open", dependencies={"again": Provide(_again)})(_open),
        post("/app/open", status_code=200, dependencies={"again": Provide(_again)})(_open),
        get("/app/raise")(_raise),
    ]


async def _tell(current_user: CurrentUser) -> dict[str, Any]:
    return {"email": current_user.email}


async def _anybody(request: Request[User, Any, Any]) -> dict[str, Any]:
    return {"email": request.user.email}


async def _optional(request: Request[User | None, Any, Any]) -> dict[str, Any]:
    return {"email": request.user.email if request.user else None}


async def _done() -> dict[str, Any]:
    return {"done": True}


async def _again(scope: Scope) -> User | None:
    # Of its own: what Litestar's injection has resolved for a request it does not ask for again.
    return await optional_user(scope)


async def _open(optional_user: OptionalUser, again: OptionalUser) -> dict[str, Any]:
    return {"email": optional_user.email if optional_user and again else None}


async def _raise() -> dict[str, Any]:
    raise Conflict()
