"""Guards of an application's own views, and who is asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, Never, ParamSpec, Protocol, TypeVar, cast

from flask import Response, current_app, request
from werkzeug.local import LocalProxy

from authcore import Auth, Cookie, Session, User, Visit, requirement
from authcore.bindings import BlockingCalls
from authcore.calls import Blocking
from authcore.guards import GuardCalls
from authcore.protocols import wsgi
from authcore.route import check_parentheses
from authcore_flask.mount import current_auth

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
AnyResponse = TypeVar("AnyResponse", bound=Response)


class _Asking(NamedTuple):
    """One request of the application's own, and who sends it: looked up once, however often it is asked."""

    auth: Auth
    visit: Visit


def _asking() -> _Asking:
    # The request itself, once: each look through Flask's proxy costs as much as what it looks at.
    asked: Any = cast("LocalProxy[Any]", request)._get_current_object()
    auth, asking = current_auth(), cast("_Asking | None", getattr(asked, "_authcore", None))
    if asking is None or asking.auth is not auth:
        environ = asked.environ
        asking = asked._authcore = _Asking(auth, Visit(wsgi.request_of(environ, wsgi.path_of(environ))))
    return asking


def _user() -> User | None:
    asking = _asking()
    who = asking.auth.blocking_core().who(asking.visit)
    return who.user if who else None


def _session() -> Session | None:
    asking = _asking()
    who = asking.auth.blocking_core().who(asking.visit)
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
    scopes: str | Sequence[str] = (),
    guard: str | Sequence[str] | None = None,
    optional: bool = False,
    anonymous: bool = False,
    csrf: bool = True,
    redirect: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only those call a view, sync or async, who are signed in and meet the needs.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. A refusal is an AuthError.
    """
    check_parentheses(given, "@require()")
    asked = requirement(
        verified=verified,
        mfa=mfa,
        fresh=fresh,
        scopes=scopes,
        guard=guard,
        optional=optional,
        anonymous=anonymous,
        csrf=csrf,
        redirect=redirect,
    )

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        suspends = iscoroutinefunction(view)

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            asking = _asking()
            asking.auth.blocking_core().admit(asking.visit, asked)
            call = current_app.ensure_sync(view) if suspends else view
            return cast(R, call(*args, **kwargs))

        return guarded

    return decorate


def guard(name: str | None = None) -> GuardCalls[Blocking]:
    """Answer a guard for the current request: `guard("api").user()`, `.attempt(…)`, `.login(…)`, `.logout()`.

    Without a name it is the one that let the request in, else the default one. Raises ConfigurationError for one that
    is not there.
    """
    asking = _asking()
    return asking.auth.blocking_core().guard(asking.visit, name)


def calls() -> BlockingCalls:
    """Answer every flow as a Python call, made for the current request: its session, cookies, address and tenant.

    Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
    """
    return current_auth().blocking.on(_asking().visit.request)


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, Attempt, EndedSession."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies | None) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response; None is the outcome of no sign-out."""
    for cookie in outcome.cookies if outcome else ():
        response.headers.add("Set-Cookie", cookie.header())
    return response


def until_ended(stream: Iterable[T], recheck: float = 30.0) -> Iterator[T]:
    """Answer what a stream yields until the session of the current request ends: `Response(until_ended(events()))`.

    It is looked at before each item; the ledger is asked at first, and where `recheck` seconds passed since. Raises
    NotAuthenticated.
    """
    asking = _asking()
    return asking.auth.blocking_core().until_ended(asking.visit, stream, recheck)
