"""The driver that holds this adapter against the conformance suite: `authcore_flask.conformance:FlaskDriver`."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.test import run_wsgi_app

from authcore import Auth
from authcore.errors import Conflict
from authcore_conformance.driver import Build, HttpRequest, HttpResponse, Mode
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
        chunks, status, headers = run_wsgi_app(self._app.wsgi_app, _environ(request), buffered=True)
        return HttpResponse(int(status[:3]), tuple(headers.to_wsgi_list()), b"".join(chunks))

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
    app.add_url_rule("/app/open", "open", _open)
    app.add_url_rule("/app/raise", "raise", _raise)


def _tell() -> dict[str, Any]:
    return {"email": current_user.email}


def _open() -> dict[str, Any]:
    return {"email": current_user.email if bool(current_user) else None}


def _raise() -> dict[str, Any]:
    raise Conflict()


def _environ(request: HttpRequest) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "app.example",
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
