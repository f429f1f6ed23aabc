"""The reference: the core by itself, without any framework, under each of its three drives."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from authcore import (
    AsyncCore,
    Auth,
    Authenticated,
    AuthError,
    BlockingCore,
    Request,
    Requirement,
    Result,
    join_headers,
    requirement,
)
from authcore.errors import Conflict
from authcore.protocols import below
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode


@dataclass(frozen=True)
class OwnRoute:
    """A route of the application's own: what it asks, and whether it answers who asks."""

    needs: Requirement
    tells: bool = False

    def answer(self, who: Authenticated | None) -> Result:
        """Answer what the handler answers."""
        return _json({"email": who.user.email if who else None} if self.tells else {"done": True})


OWN: Mapping[tuple[str, str], OwnRoute] = {
    ("GET", "/app/hello"): OwnRoute(requirement(), tells=True),
    ("POST", "/app/act"): OwnRoute(requirement()),
    ("POST", "/app/hook"): OwnRoute(requirement(csrf=False)),
    ("GET", "/app/verified"): OwnRoute(requirement(verified=True), tells=True),
    ("GET", "/app/mfa"): OwnRoute(requirement(mfa=True), tells=True),
    ("GET", "/app/fresh"): OwnRoute(requirement(fresh="5m"), tells=True),
    ("GET", "/app/page"): OwnRoute(requirement(verified=True, redirect="/verify"), tells=True),
    ("GET", "/app/anybody"): OwnRoute(requirement(anonymous=True), tells=True),
    ("GET", "/app/scoped"): OwnRoute(requirement(scopes="read write"), tells=True),
    ("GET", "/app/api"): OwnRoute(requirement(guard="api"), tells=True),
    ("GET", "/app/optional"): OwnRoute(requirement(optional=True), tells=True),
}


def _json(value: object, status: int = 200) -> Result:
    return Result(status, json.dumps(value).encode(), headers=(("Content-Type", "application/json"),))


class _CoreDriver:
    """What the drives share: a request goes to the core below the prefix, else to the application's own routes."""

    name: str
    mode: Mode
    gaps: Mapping[str, str] = MappingProxyType({})
    auth: Auth

    def start(self, build: Build) -> Auth:
        """Mount the core."""
        self.auth = build.auth()
        return self.auth

    def stop(self) -> None:
        """Close the core's connections and threads."""
        self.auth.dispose()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        path = unquote(request.target.partition("?")[0], errors="replace")
        rest = below(path, self.auth.prefix)
        ours = Request(request.method, path, request.body, join_headers(request.headers), request.peer)
        result = self._own(ours) if rest is None else self._dispatch(_moved(ours, rest))
        return HttpResponse(result.status, tuple(_headers(result, request.method)), result.body)

    def _own(self, request: Request) -> Result:
        route = OWN.get((request.method, request.path))
        try:
            if request.path == "/app/open":
                who = self._twice(request)
                return _json({"email": who.user.email if who else None})
            if request.path == "/app/raise":
                raise Conflict()
            if route is None:
                return _json({"detail": "no such page"}, 404)
            return route.answer(self._authorize(request, route.needs))
        except AuthError as error:
            return self._failure(error)

    @abstractmethod
    def _dispatch(self, request: Request) -> Result: ...

    @abstractmethod
    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None: ...

    @abstractmethod
    def _twice(self, request: Request) -> Authenticated | None: ...

    @abstractmethod
    def _failure(self, error: AuthError) -> Result: ...


def _moved(request: Request, path: str) -> Request:
    return Request(request.method, path, request.body, request.headers, request.peer)


def _headers(result: Result, method: str) -> list[tuple[str, str]]:
    pairs = result.header_list()
    if result.status != 204 and method != "HEAD":
        pairs.append(("Content-Length", str(len(result.body))))
    return pairs


class CoreDriver(_CoreDriver):
    """The core under the blocking drive."""

    name = "core"
    mode: Mode = "blocking"

    @property
    def core(self) -> BlockingCore:
        """Answer the core."""
        return self.auth.blocking_core()

    def _dispatch(self, request: Request) -> Result:
        return self.core.dispatch(request)

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return self.core.authorize(request, needs)

    def _twice(self, request: Request) -> Authenticated | None:
        return self.core.authenticate(request)

    def _failure(self, error: AuthError) -> Result:
        return self.core.failure(error)


class ThreadsCoreDriver(_CoreDriver):
    """The core on an event loop, its flows in worker threads."""

    name = "core-threads"
    mode: Mode = "threads"

    def start(self, build: Build) -> Auth:
        """Mount the core, on a loop of its own."""
        self.runner = asyncio.Runner()
        return super().start(build)

    def stop(self) -> None:
        """Close the loop, and the core's connections and threads."""
        self.runner.close()
        super().stop()

    @property
    def core(self) -> AsyncCore:
        """Answer the core."""
        return self.auth.async_core()

    def _dispatch(self, request: Request) -> Result:
        return self.runner.run(self.core.dispatch(request))

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return self.runner.run(self.core.authorize(request, needs))

    def _twice(self, request: Request) -> Authenticated | None:
        return self.runner.run(self.core.authenticate(request))

    def _failure(self, error: AuthError) -> Result:
        return self.core.failure(error)


class AsyncioCoreDriver(ThreadsCoreDriver):
    """The core on an event loop, awaiting its ports; PostgreSQL alone."""

    name = "core-asyncio"
    mode: Mode = "asyncio"
