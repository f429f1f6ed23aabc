"""The extension: one catch-all under the prefix hands every method and path to the core."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask, Response, abort, current_app, request
from werkzeug.datastructures import Headers
from werkzeug.routing import BaseConverter, MapAdapter, Rule
from werkzeug.wsgi import get_input_stream

from authcore import Auth, AuthError, ConfigurationError, Request, Result
from authcore.http import BODY_CAP
from authcore.protocols import below, wsgi
from authcore_flask import signals

NAME = "authcore"


class AuthCore:
    """Mount authcore in Flask applications: `AuthCore(app, auth)`, or `init_app` where a factory makes the application.

    It keeps nothing of an application: `app.extensions["authcore"]` is the `Auth` mounted there, so that one extension
    object serves several applications, each with an `Auth` of its own where that is wanted.
    """

    def __init__(self, app: Flask | None = None, auth: Auth | None = None) -> None:
        self._auth = auth
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, auth: Auth | None = None) -> None:
        """Mount the routes of `auth`, else of the constructor's; raise ConfigurationError without either, and where the
        application has an AuthCore already.
        """
        mounted = auth or self._auth
        if mounted is None:
            raise ConfigurationError("AuthCore has no Auth: write AuthCore(app, auth), or init_app(app, auth).")
        _check(app, mounted)
        app.extensions[NAME] = mounted
        app.view_functions[NAME] = _serve
        app.url_map.converters["authcore_rest"] = _Rest
        for path in (mounted.prefix, mounted.prefix + "/<authcore_rest:rest>"):
            rule = Rule(path, endpoint=NAME, methods=None, merge_slashes=False)
            app.url_map.add(rule)
        _stand_first(app, mounted.prefix, rule)
        app.register_error_handler(AuthError, _fail)
        app.cli.add_command(_Commands(mounted))
        signals.send_from(app, mounted)


def _check(app: object, auth: object) -> None:
    if not isinstance(app, Flask) or not isinstance(auth, Auth):
        given = f"{type(app).__name__} and {type(auth).__name__}"
        raise ConfigurationError(f"AuthCore takes a Flask and an Auth, not {given}: write AuthCore(app, auth).")
    if NAME in app.extensions:
        raise ConfigurationError("This application has an AuthCore already: write AuthCore(app, auth) once.")


def _stand_first(app: Flask, prefix: str, rule: Rule) -> None:
    """Let the mount win over rules of the application's own below the prefix: Flask prefers what is more particular."""
    adapt = app.create_url_adapter

    def create_url_adapter(asked: Any) -> MapAdapter | None:
        adapter = adapt(asked)
        if adapter is not None and asked is not None and below(wsgi.path_of(asked.environ), prefix) is not None:
            _match_always(adapter, rule)
        return adapter

    app.create_url_adapter = create_url_adapter  # type: ignore[assignment, method-assign]


def _match_always(adapter: MapAdapter, rule: Rule) -> None:
    match = adapter.match

    def first(path_info: str | None = None, *args: Any, **kwargs: Any) -> Any:
        return (rule, {}) if path_info is None else match(path_info, *args, **kwargs)

    adapter.match = first  # type: ignore[method-assign]


class _Rest(BaseConverter):
    """All that follows the prefix: leading slashes and newlines too, which `path` does not match."""

    regex = "(?s:.*)"
    part_isolating = False


class _Commands(click.Command):
    """`flask authcore …`: the commands load when one is run, since they bring what a server never needs."""

    def __init__(self, auth: Auth) -> None:
        super().__init__(NAME, help="Look after the application's authentication.")
        self._auth = auth

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Hand over to authcore's own group."""
        from authcore.cli import bound

        return bound(self._auth).make_context(*args, **kwargs)


def current_auth() -> Auth:
    """Answer the `Auth` of the current application."""
    auth: Auth | None = current_app.extensions.get(NAME)
    if auth is None:
        raise ConfigurationError("This application has no AuthCore: write AuthCore(app, auth) where it is made.")
    return auth


def _serve(rest: str = "") -> Response:
    auth = current_auth()
    path = below(wsgi.path_of(request.environ), auth.prefix)
    if path is None:  # the URL map forgives leading slashes, the core does not
        abort(404)
    return _response(auth.blocking_core().dispatch(_request(path)))


def _request(path: str) -> Request:
    body, fault = wsgi.read_body(request.environ, _read)
    return wsgi.request_of(request.environ, path, body, fault)


def _read(_size: int) -> bytes:
    if "stream" not in vars(request):
        # One byte more than the cap: at the cap itself a longer chunked body would end without a word.
        request.stream = get_input_stream(request.environ, max_content_length=BODY_CAP + 1)
    # Through `get_data`, since an application's `before_request` may have read the body already.
    return request.get_data(parse_form_data=False)


def _response(result: Result) -> Response:
    response = Response(result.body, result.status)
    response.headers = Headers(result.header_list())
    # RFC 9110 8.6: the length to a HEAD would be that of GET's body.
    response.automatically_set_content_length = request.method != "HEAD"
    return response


def _fail(error: AuthError) -> Response:
    return _response(current_auth().blocking_core().failure(error))
