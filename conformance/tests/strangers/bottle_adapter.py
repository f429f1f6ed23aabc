"""authcore in Bottle, and the driver that holds it against the suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ClassVar

from bottle import Bottle, HTTPResponse, request, response

from authcore import Auth, Authenticated, AuthError, Request, Result, User, requirement
from authcore.errors import Conflict
from authcore.protocols import below, wsgi
from authcore_conformance.driver import Build, HttpRequest, HttpResponse
from authcore_conformance.servers import call_wsgi

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
            who = request.app.config[_AUTH].blocking_core().authorize(asking, asked, who)
            request.environ[_ASKING] = asking, who
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
        self.app.get("/app/page")(require(verified=True, redirect="/verify")(_tell))
        self.app.get("/app/anybody")(require(anonymous=True)(_tell))
        self.app.get("/app/scoped")(require(scopes="read write")(_tell))
        self.app.get("/app/api")(require(guard="api")(_tell))
        self.app.get("/app/optional")(require(optional=True)(_tell))
        self.app.route("/app/open", ["GET", "POST"])(_open)
        self.app.get("/app/raise")(_raise)
        return self.auth

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer what the application answers."""
        return call_wsgi(self.app, request)

    def stop(self) -> None:
        """Close the connections and threads."""
        self.auth.dispose()


def _tell() -> dict[str, Any]:
    user = current_user()
    return {"email": user.email if user else None}


def _open() -> dict[str, Any]:
    current_user()
    return _tell()


def _done() -> dict[str, Any]:
    return {"done": True}


def _raise() -> None:
    response.set_cookie("of_the_application", "1")
    raise Conflict()
