"""The drivers that hold this adapter against the conformance suite.

`authcore_fastapi.conformance:FastAPIDriver` runs flows in worker threads, `FastAPIAsyncioDriver` by native awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from authcore import Auth, User
from authcore.errors import Conflict
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode
from authcore_conformance.servers import call_asgi
from authcore_fastapi import AuthCore, CurrentUser, OptionalUser, require

AnyUser = Annotated[User, Depends(require(anonymous=True))]
ApiUser = Annotated[User, Depends(require(guard="api"))]
MaybeUser = Annotated[User | None, Depends(require(optional=True))]


class FastAPIDriver:
    """A FastAPI application, called as an ASGI server calls it, on an event loop of its own."""

    name = "fastapi"
    mode: Mode = "threads"
    gaps: Mapping[str, str] = MappingProxyType({})

    def start(self, build: Build) -> Auth:
        """Mount a fresh application."""
        self._auth, self._app, self._runner = build.auth(), FastAPI(), asyncio.Runner()
        AuthCore(self._app, self._auth)
        _add_own_routes(self._app)
        return self._auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        return self._runner.run(call_asgi(self._app, request))

    def stop(self) -> None:
        """Close the loop, the connections and the threads."""
        self._runner.close()
        self._auth.dispose()


class FastAPIAsyncioDriver(FastAPIDriver):
    """The same application, its flows awaited on the loop; PostgreSQL alone."""

    name = "fastapi-asyncio"
    mode: Mode = "asyncio"


def _add_own_routes(app: FastAPI) -> None:
    app.get("/app/hello")(_tell)
    app.post("/app/act", dependencies=[Depends(require())])(_done)
    app.post("/app/hook", dependencies=[Depends(require(csrf=False))])(_done)
    app.get("/app/verified", dependencies=[Depends(require(verified=True))])(_tell)
    app.get("/app/mfa", dependencies=[Depends(require(mfa=True))])(_tell)
    app.get("/app/fresh", dependencies=[Depends(require(fresh="5m"))])(_tell)
    app.get("/app/page", dependencies=[Depends(require(verified=True, redirect="/verify"))])(_tell)
    app.get("/app/anybody")(_anybody)
    app.get("/app/scoped", dependencies=[Depends(require(scopes="read write"))])(_tell)
    app.get("/app/api")(_api)
    app.get("/app/optional")(_optional)
    app.api_route("/app/open", methods=["GET", "POST"])(_open)
    app.get("/app/raise")(_raise)


async def _tell(user: CurrentUser) -> dict[str, Any]:
    return {"email": user.email}


async def _anybody(user: AnyUser) -> dict[str, Any]:
    return {"email": user.email}


async def _api(user: ApiUser) -> dict[str, Any]:
    return {"email": user.email}


async def _optional(user: MaybeUser) -> dict[str, Any]:
    return {"email": user.email if user else None}


async def _done() -> dict[str, Any]:
    return {"done": True}


async def _open(user: OptionalUser, again: OptionalUser) -> dict[str, Any]:
    return {"email": user.email if user and again else None}


async def _raise() -> None:
    raise Conflict()
