"""authcore in Bottle, and the driver that holds it against the suite."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from bottle import Bottle, HTTPResponse, request, response

from authcore import Auth, Authenticated, AuthError, Request, Result, User, requirement
from authcore.errors import Conflict
from authcore.protocols import below, wsgi
from authcore_conformance.driver import Build, HttpRequest, HttpResponse

Environ = dict[str, Any]
View = Callable[..., Any]
_AUTH, _ASKING = "authcore", "authcore.asking"


class AuthCore:
    """Mount authcore in front of an application: Bottle's router drops bytes that are no UTF-8, and adds headers."""

    name, api = "authcore", 2  # as Bottle asks of plugins

    def __init__(self, app: Bottle, auth: Auth) -> None:
        self.auth, self._wsgi = auth, app.wsgi
        app.config[_AUTH], app.wsgi = auth, self
        app.install(self)

    def __call__(self, environ: Environ, start_response: View) -> Iterable[bytes]:
        """Answer what stands below the prefix, and let the application answer the rest."""
        path = below(wsgi.path_of(environ), self.auth.prefix)
        if path is None:
            return self._wsgi(environ, start_response)
        result = self.auth.blocking_core().dispatch(_request(environ, path))
        headers = result.header_list()
        if result.status != 204 and environ["REQUEST_METHOD"] != "HEAD":
            headers.append(("Content-Length", str(len(result.body))))
        start_response(f"{result.status} Answered", headers)
        return [result.body]

    def apply(self, callback: View, _route: Any) -> View:
        """Answer an AuthError that escapes a view."""

        @wraps(callback)
        def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except AuthError as error:
                return _response(self.auth.blocking_core().failure(error))

        return answered


def require(**needs: Any) -> Callable[[View], View]:
    """Let only those call a view who are signed in and meet the needs."""
    asked = requirement(**needs)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            asking, who = _asking()
            request.app.config[_AUTH].blocking_core().authorize(asking, asked, who)
            return view(*args, **kwargs)

        return guarded

    return decorate


def current_user() -> User | None:
    """Answer who sends the current request, or None."""
    _, who = _asking()
    return who.user if who else None


def _asking() -> tuple[Request, Authenticated | None]:
    if _ASKING not in request.environ:
        asked = wsgi.request_of(request.environ, wsgi.path_of(request.environ))
        request.environ[_ASKING] = asked, request.app.config[_AUTH].blocking_core().authenticate(asked)
    found: tuple[Request, Authenticated | None] = request.environ[_ASKING]
    return found


def _request(environ: Environ, path: str) -> Request:
    return wsgi.request_of(environ, path, *wsgi.read_body(environ, environ["wsgi.input"].read))


def _response(result: Result) -> HTTPResponse:
    return HTTPResponse(result.body, result.status, result.header_list())


class BottleDriver:
    """A Bottle application, called as a WSGI server calls it."""

    name, mode = "bottle", "blocking"
    gaps: ClassVar[dict[str, str]] = {}

    def start(self, build: Build) -> Auth:
        """Mount a fresh application."""
        self.auth, self.app = build.auth(), Bottle()
        AuthCore(self.app, self.auth)
        self.app.get("/app/hello")(require()(_tell))
        self.app.post("/app/act")(require()(_done))
        self.app.post("/app/hook")(require(csrf=False)(_done))
        self.app.get("/app/verified")(require(verified=True)(_tell))
        self.app.get("/app/mfa")(require(mfa=True)(_tell))
        self.app.get("/app/fresh")(require(fresh="5m")(_tell))
        self.app.get("/app/open")(lambda: _tell() if current_user() else {"email": None})
        self.app.get("/app/raise")(_raise)
        return self.auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        started: list[Any] = []
        chunks = self.app(_environ(request), lambda *given: started.extend(given))
        body = b"" if request.method == "HEAD" else b"".join(chunks)
        return HttpResponse(int(started[0][:3]), tuple(started[1]), body)

    def stop(self) -> None:
        """Close the connections and threads."""
        self.auth.dispose()


def _tell() -> dict[str, Any]:
    user = current_user()
    return {"email": user.email if user else None}


def _done() -> dict[str, Any]:
    return {"done": True}


def _raise() -> None:
    response.set_cookie("of_the_application", "1")
    raise Conflict()


def _environ(sent: HttpRequest) -> Environ:
    path, _, query = sent.target.partition("?")
    found = {"REQUEST_METHOD": sent.method, "SCRIPT_NAME": "", "QUERY_STRING": query, "wsgi.errors": sys.stderr}
    found |= {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "wsgi.input": io.BytesIO(sent.body)}
    found |= {"REMOTE_ADDR": "" if sent.peer == "unix" else sent.peer, "SERVER_PROTOCOL": "HTTP/1.1"}
    found |= {"SERVER_NAME": "app.example", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}
    if sent.body:
        found["CONTENT_LENGTH"] = str(len(sent.body))
    for name, value in sent.headers:
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        if "_" not in name:
            found[key] = f"{found[key]},{value}" if key in found else value
    return found
