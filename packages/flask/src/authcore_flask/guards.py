"""Guards of an application's own views, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Never, ParamSpec, Protocol, TypeVar, cast

from flask import Response, current_app, g, request
from werkzeug.local import LocalProxy

from authcore import Auth, Authenticated, Cookie, Request, Requirement, Session, User, requirement
from authcore.bindings import BlockingCalls
from authcore.protocols import wsgi
from authcore.route import check_parentheses
from authcore_flask.mount import current_auth

P = ParamSpec("P")
R = TypeVar("R")
AnyResponse = TypeVar("AnyResponse", bound=Response)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request of the application's own, and who sends it: looked up once, however often it is asked."""

    auth: Auth
    environ: dict[str, Any]
    request: Request
    who: Authenticated | None


def _asking() -> _Asking:
    asking: _Asking | None = g.get("_authcore")
    auth, environ = current_auth(), request.environ
    # `g` outlives a request where an application context was pushed by hand: the environ tells requests apart.
    if asking is None or asking.environ is not environ or asking.auth is not auth:
        asked = _request()
        asking = g._authcore = _Asking(auth, environ, asked, auth.blocking_core().authenticate(asked))
    return asking


def _authorize(needs: Requirement) -> None:
    asking = _asking()
    who = asking.auth.blocking_core().authorize(asking.request, needs, asking.who)
    g._authcore = replace(asking, who=who)


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


def require(
    *given: Never,
    verified: bool = False,
    mfa: bool = False,
    fresh: timedelta | str | None = None,
    anonymous: bool = False,
    csrf: bool = True,
    redirect: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only those call a view, sync or async, who are signed in and meet the needs.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. A refusal is an AuthError.
    """
    check_parentheses(given, "@require()")
    asked = requirement(verified=verified, mfa=mfa, fresh=fresh, anonymous=anonymous, csrf=csrf, redirect=redirect)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            _authorize(asked)
            call = current_app.ensure_sync(view) if iscoroutinefunction(view) else view
            return cast(R, call(*args, **kwargs))

        return guarded

    return decorate


def calls() -> BlockingCalls:
    """Answer every flow as a Python call, made for the current request: its session, cookies, address and tenant.

    Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
    """
    return current_auth().blocking.on(_request())


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, EndedSession."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies | None) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response; None is the outcome of no sign-out."""
    for cookie in outcome.cookies if outcome else ():
        response.headers.add("Set-Cookie", cookie.header())
    return response
