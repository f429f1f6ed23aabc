"""The drivers that hold this adapter against the conformance suite.

`authcore_django.conformance:DjangoWsgiDriver` serves under WSGI, `DjangoAsgiDriver` under ASGI; both work on Django's
own connection to the suite's database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpRequest as DjangoRequest
from django.http import JsonResponse
from django.test.utils import override_settings
from django.urls import URLPattern, URLResolver, include, path
from sqlalchemy import make_url

from authcore import Auth
from authcore.errors import Conflict
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode
from authcore_conformance.servers import call_asgi, call_wsgi

ALIAS = "authcore_suite"


class DjangoWsgiDriver:
    """A Django project, called as a WSGI server calls it."""

    name = "django-wsgi"
    mode: Mode = "blocking"
    gaps: Mapping[str, str] = MappingProxyType({})
    max_age: int | None = None  # seconds that a connection is kept

    def start(self, build: Build) -> Auth:
        """Mount a fresh project."""
        if not settings.configured:
            key = "the suite's, of no use elsewhere"
            settings.configure(SECRET_KEY=key, INSTALLED_APPS=["authcore_django"], USE_TZ=True)
            django.setup()
        from authcore_django.settings import on_django, use

        database = connections.configure_settings({"default": {}, ALIAS: _database(build.database_url)})[ALIAS]
        connections.settings[ALIAS] = {**database, "CONN_MAX_AGE": self.max_age}
        self._auth = on_django(build.auth, ALIAS)
        self._override = override_settings(
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=["django.middleware.common.CommonMiddleware", "authcore_django.middleware.AuthcoreMiddleware"],
            ROOT_URLCONF=(path(f"{self._auth.prefix[1:]}/", include("authcore_django.urls")), *self._own_routes()),
        )
        self._override.enable()
        use(self._auth)
        self._serve()
        return self._auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the project answers."""
        return call_wsgi(self._wsgi, request)

    def stop(self) -> None:
        """Close the connections and threads, and bring the settings back."""
        from authcore_django.settings import use

        use(None)
        self._override.disable()
        connections[ALIAS].close()
        del connections[ALIAS]

    def _serve(self) -> None:
        self._wsgi = WSGIHandler()

    def _own_routes(self) -> list[URLPattern | URLResolver]:
        from authcore_django import current_user, require

        def tell(request: DjangoRequest) -> JsonResponse:
            user = current_user(request)
            again = current_user(request)
            return JsonResponse({"email": user.email if user and again else None})

        def done(request: DjangoRequest) -> JsonResponse:
            return JsonResponse({"done": True})

        def fail(request: DjangoRequest) -> JsonResponse:
            raise Conflict()

        return _routes(require, tell, done, fail)


class DjangoAsgiDriver(DjangoWsgiDriver):
    """A Django project, called as an ASGI server calls it, on an event loop of its own."""

    name = "django-asgi"
    mode: Mode = "threads"
    max_age = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the project answers."""
        return self._runner.run(call_asgi(self._asgi, request))

    def stop(self) -> None:
        """Close the loop as well."""
        super().stop()
        self._runner.close()

    def _serve(self) -> None:
        self._asgi, self._runner = ASGIHandler(), asyncio.Runner()

    def _own_routes(self) -> list[URLPattern | URLResolver]:
        from authcore_django import AuthcoreRequest, require

        async def tell(request: AuthcoreRequest) -> JsonResponse:
            user = await request.authcore.auser()
            again = await request.authcore.auser()
            return JsonResponse({"email": user.email if user and again else None})

        async def done(request: AuthcoreRequest) -> JsonResponse:
            return JsonResponse({"done": True})

        async def fail(request: AuthcoreRequest) -> JsonResponse:
            raise Conflict()

        return _routes(require, tell, done, fail)


def _routes(require: Any, tell: Any, done: Any, fail: Any) -> list[URLPattern | URLResolver]:
    return [
        path("app/hello", require()(tell)),
        path("app/act", require()(done)),
        path("app/hook", require(csrf=False)(done)),
        path("app/verified", require(verified=True)(tell)),
        path("app/mfa", require(mfa=True)(tell)),
        path("app/fresh", require(fresh="5m")(tell)),
        path("app/page", require(verified=True, redirect="/verify")(tell)),
        path("app/anybody", require(anonymous=True)(tell)),
        path("app/scoped", require(scopes="read write")(tell)),
        path("app/api", require(guard="api")(tell)),
        path("app/optional", require(optional=True)(tell)),
        path("app/open", tell),
        path("app/raise", fail),
    ]


def _database(text: str) -> dict[str, Any]:
    url = make_url(text)
    if url.get_backend_name() == "sqlite":
        options = {"transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or "",
        "PORT": url.port or "",
        "OPTIONS": dict(url.query),
    }
