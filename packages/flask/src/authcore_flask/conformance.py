"""The driver that holds this adapter against the conformance suite: `authcore_flask.conformance:FlaskDriver`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Flask

from authcore import Auth
from authcore.errors import Conflict
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode
from authcore_conformance.servers import call_wsgi
from authcore_flask import AuthCore, current_user, require


class FlaskDriver:
    """A Flask application, called as a WSGI server calls it."""

    name = "flask"
    mode: Mode = "blocking"
    gaps: Mapping[str, str] = MappingProxyType({})

    def start(self, build: Build) -> Auth:
        """Mount a fresh application."""
        self._auth, self._app = build.auth(), Flask("authcore_suite")
        AuthCore(self._app, self._auth)
        _add_own_routes(self._app)
        return self._auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        return call_wsgi(self._app.wsgi_app, request)

    def stop(self) -> None:
        """Close the connections and threads."""
        self._auth.dispose()


def _add_own_routes(app: Flask) -> None:
    tell, done = _tell, lambda: {"done": True}
    app.add_url_rule("/app/hello", "hello", require()(tell))
    app.add_url_rule("/app/act", "act", require()(done), methods=["POST"])
    app.add_url_rule("/app/hook", "hook", require(csrf=False)(done), methods=["POST"])
    app.add_url_rule("/app/verified", "verified", require(verified=True)(tell))
    app.add_url_rule("/app/mfa", "mfa", require(mfa=True)(tell))
    app.add_url_rule("/app/fresh", "fresh", require(fresh="5m")(tell))
    app.add_url_rule("/app/page", "page", require(verified=True, redirect="/verify")(tell))
    app.add_url_rule("/app/anybody", "anybody", require(anonymous=True)(tell))
    app.add_url_rule("/app/scoped", "scoped", require(scopes="read write")(tell))
    app.add_url_rule("/app/api", "api", require(guard="api")(tell))
    app.add_url_rule("/app/optional", "optional", require(optional=True)(_open))
    app.add_url_rule("/app/open", "open", _open, methods=["GET", "POST"])
    app.add_url_rule("/app/raise", "raise", _raise)


def _tell() -> dict[str, Any]:
    return {"email": current_user.email}


def _open() -> dict[str, Any]:
    return {"email": current_user.email if bool(current_user) else None}


def _raise() -> dict[str, Any]:
    raise Conflict()
