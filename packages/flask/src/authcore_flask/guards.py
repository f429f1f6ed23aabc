"""Guards of an application's own views, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

from flask import Response, current_app, g, request
from werkzeug.local import LocalProxy

from authcore import Authenticated, ChallengeRequired, Request, Session, SignedIn, User, requirement
from authcore.bindings import BlockingCalls
from authcore.protocols import wsgi
from authcore_flask.mount import current_auth

P = ParamSpec("P")
R = TypeVar("R")
AnyResponse = TypeVar("AnyResponse", bound=Response)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request of the application's own, and who sends it: looked up once, however often it is asked."""

    environ: dict[str, Any]
    request: Request
    who: Authenticated | None


def _asking() -> _Asking:
    asking: _Asking | None = g.get("_authcore")
    # `g` outlives a request where an application context was pushed by hand: the environ tells requests apart.
    if asking is None or asking.environ is not request.environ:
        asked = _request()
        asking = g._authcore = _Asking(request.environ, asked, current_auth().blocking_core().authenticate(asked))
    return asking


def _request() -> Request:
    return wsgi.request_of(request.environ, wsgi.path_of(request.environ))


def _user() -> User | None:
    who = _asking().who
    return who.user if who else None


def _session() -> Session | None:
    who = _asking().who
    return who.session if who else None


current_user = cast(User, LocalProxy(_user))
"""Who sends the current request. Signed out it stands for None: falsy, and equal to None."""

current_session = cast(Session, LocalProxy(_session))
"""The session of the current request. Signed out it stands for None: falsy, and equal to None."""


def require(**needs: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only those call a view, sync or async, who are signed in and meet the needs.

    It takes what `authcore.requirement` takes: `verified`, `mfa`, `fresh`, `csrf`. A refusal is an AuthError.
    """
    asked = requirement(**needs)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            asking = _asking()
            current_auth().blocking_core().authorize(asking.request, asked, asking.who)
            call = current_app.ensure_sync(view) if iscoroutinefunction(view) else view
            return cast(R, call(*args, **kwargs))

        return guarded

    return decorate


def calls() -> BlockingCalls:
    """Answer every flow as a Python call, made for the current request: its session, cookies, address and tenant."""
    return current_auth().blocking.on(_request())


def set_cookies(response: AnyResponse, outcome: SignedIn | ChallengeRequired) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response."""
    for cookie in outcome.cookies:
        response.headers.add("Set-Cookie", cookie.header())
    return response
