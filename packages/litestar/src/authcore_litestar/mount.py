"""The mount: one catch-all under the prefix hands every method and path to the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from litestar import HttpMethod, Request, Response, route
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException, NotFoundException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.exceptions.responses import create_exception_response
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler, WebsocketRouteHandler
from litestar.plugins import CLIPlugin, InitPlugin
from litestar.plugins.base import ReceiveRoutePlugin
from litestar.response.base import ASGIResponse
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ExceptionHandlersMap, Receive, Scope, Send

from authcore import Auth, AuthError, ConfigurationError, Result, join_headers
from authcore.http import BODY_CAP, BodyFault
from authcore.protocols import asgi, below
from authcore.route import check_parentheses
from authcore_litestar import openapi
from authcore_litestar.guards import OWN, WRITE, OwnRoute, current_auth, dependencies, require
from authcore_litestar.signals import Emitter

if TYPE_CHECKING:
    from click import Group

AnyRequest = Request[Any, Any, Any]


class AuthCore(InitPlugin, ReceiveRoutePlugin, openapi.Named, CLIPlugin):
    """Mount authcore in a Litestar application: `Litestar(plugins=[AuthCore(auth)])`.

    `app.state.authcore` is the `Auth`. Its routes and schemas stand in the application's own document, an AuthError
    that escapes a handler is answered with its code and status, and `litestar authcore` is the command line. Raises
    ConfigurationError where the application has an AuthCore already, or a handler of its own below the prefix.
    """

    def __init__(self, auth: Auth) -> None:
        _check(auth)
        self.auth = auth
        self._guarded = openapi.Guarded()
        self._emitter = Emitter()

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the mount, the dependencies, the handlers of errors and the document."""
        if any(_is_own(handler) for handler in app_config.route_handlers):
            raise ConfigurationError("This application has an AuthCore already: write plugins=[AuthCore(auth)] once.")
        app_config.state["authcore"] = self.auth
        app_config.route_handlers.append(_mount(self.auth.prefix))
        app_config.dependencies = {**dependencies(), **app_config.dependencies}
        self._emitter.install(app_config, self.auth)
        own = dict(app_config.exception_handlers)
        app_config.exception_handlers = {AuthError: _fail, **own, 405: _no_such_method(own)}
        if app_config.openapi_config is not None:
            app_config.openapi_config = openapi.merged(app_config.openapi_config, self.auth, self._guarded)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Note which of the application's operations are guarded, and refuse what would stand before the mount."""
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [cast(Any, route).route_handler]
        for handler in handlers:
            self._refuse(route.path, handler)
        if isinstance(route, HTTPRoute):
            self._guarded.note(route)

    def _refuse(self, path: str, handler: BaseRouteHandler) -> None:
        # The router prefers what is more particular, and would hand a path of authcore's to the application.
        shadows = below(path, self.auth.prefix) is not None and not isinstance(handler, WebsocketRouteHandler)
        if shadows and not _is_own(handler):
            raise ConfigurationError(
                f"{handler} stands at {path}, and all below {self.auth.prefix} is authcore's: move it, or set "
                "Auth(prefix=…)."
            )
        if any(getattr(guard, "func", guard) is require for guard in handler.resolve_guards()):
            check_parentheses([handler], WRITE)

    def on_cli_init(self, cli: Group) -> None:
        """Add authcore's commands to `litestar`."""
        from authcore.cli import bound

        cli.add_command(bound(self.auth), "authcore")


def _check(auth: object) -> None:
    if not isinstance(auth, Auth):
        given = type(auth).__name__
        raise ConfigurationError(f"AuthCore takes an Auth, not {given}: write Litestar(plugins=[AuthCore(auth)]).")


def _is_own(handler: Any) -> bool:
    return getattr(handler, "opt", {}).get(OWN) is OwnRoute


def _mount(prefix: str) -> HTTPRouteHandler:
    @route(
        [prefix, prefix + "/{authcore_rest:path}"],
        name="authcore",
        http_method=list(HttpMethod),
        status_code=200,
        include_in_schema=False,
        request_max_body_size=BODY_CAP,
        # The core checks origins itself, and its routes are the way to a session.
        opt={OWN: OwnRoute, "exclude_from_csrf": True, "exclude_from_auth": True},
    )
    async def serve(request: AnyRequest) -> Response[bytes]:
        return await _serve(request)

    return serve


async def _serve(request: AnyRequest) -> Response[bytes]:
    auth = current_auth(request.app)
    path = below(_path(request.scope), auth.prefix)
    if path is None:  # the router forgives leading slashes, the core does not
        raise NotFoundException
    read = await _read(request) if auth.router.takes_body(request.method, path) else ()
    return _response(await auth.async_core().dispatch(asgi.request_of(cast(asgi.Scope, request.scope), path, *read)))


async def _read(request: AnyRequest) -> tuple[bytes, BodyFault | None]:
    try:
        return await request.body(), None
    except RequestEntityTooLarge:
        return b"", "too_large"
    except HTTPException:  # the client is gone, or what it announced is no length
        return b"", "broken"


def _path(scope: Scope) -> str:
    # The router has normalised `path` ("/auth//me" reads "/auth/me"); the core wants what was sent.
    raw = scope.get("raw_path")
    path = unquote(raw.split(b"?")[0]) if raw else scope["path"]
    return asgi.path_of({**scope, "path": path})


def _response(result: Result) -> Response[bytes]:
    return _Response(result)


class _Response(Response[bytes]):
    """An answer of the core: every header as it says, each cookie in a line of its own."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.body, status_code=result.status, headers=join_headers(result.headers))
        self._set_cookies = [("set-cookie", cookie.header()) for cookie in result.cookies]

    def to_asgi_response(
        self, app: Any, request: AnyRequest, *, headers: Mapping[str, str] | None = None, **_given: Any
    ) -> ASGIResponse:
        """Answer the response as it is sent; `headers` are what the application sends with all of its own."""
        lines = {**(headers or {}), **self.headers}
        return ASGIResponse(
            body=self.content,
            headers=[*lines.items(), *self._set_cookies],
            cookies=self.cookies,
            status_code=self.status_code,
            is_head_response=request.method == "HEAD",
        )


def _fail(request: AnyRequest, error: AuthError) -> Response[bytes]:
    return _response(current_auth(request.app).async_core().failure(error))


def _no_such_method(own: ExceptionHandlersMap) -> Any:
    """Let the core answer methods of which the router has never heard, under the prefix alone."""

    def answer(request: AnyRequest, error: HTTPException) -> Response[Any]:
        auth = current_auth(request.app)
        if below(_path(request.scope), auth.prefix) is not None:
            return _Late(b"")
        for kind in (405, *type(error).__mro__):
            if kind in own:
                return own[cast(Any, kind)](request, error)
        return create_exception_response(request, error)

    return answer


class _Late(Response[bytes]):
    """An answer that the core has yet to give: handlers of exceptions cannot await it."""

    def to_asgi_response(self, app: Any, request: AnyRequest, **_given: Any) -> ASGIResponse:
        """Answer what asks the core once it is sent."""
        return _Asking(request)


class _Asking(ASGIResponse):
    def __init__(self, request: AnyRequest) -> None:
        super().__init__()
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _serve(self._request)
        await answer.to_asgi_response(None, self._request)(scope, receive, send)
