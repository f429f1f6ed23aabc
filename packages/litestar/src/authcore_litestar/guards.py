"""Guards of an application's own routes, and who is asking, as dependencies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Never, Protocol, TypeAlias, TypeVar, cast

from litestar import Litestar, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie as ResponseCookie
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from authcore import (
    Auth,
    Authenticated,
    AuthError,
    ConfigurationError,
    Cookie,
    Request,
    Requirement,
    Session,
    User,
    Visit,
    requirement,
)
from authcore.bindings import AsyncioCalls
from authcore.calls import Asyncio
from authcore.guards import GuardCalls
from authcore.protocols import asgi
from authcore.route import check_parentheses

try:
    from litestar.di import NamedDependency
    from litestar.params import SkipValidation
except ImportError:  # an older Litestar knows a dependency by the parameter's name alone
    from litestar.params import Dependency

    _T = TypeVar("_T")
    NamedDependency = Annotated[_T, None]  # type: ignore[misc]
    SkipValidation = Annotated[_T, Dependency(skip_validation=True)]  # type: ignore[misc]

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
AnyResponse = TypeVar("AnyResponse", bound=Response[Any])

# Litestar would refuse an application's own type of user in the place of a `User`, of which it is a kind.
CurrentUser = NamedDependency[SkipValidation[User]]
CurrentSession = NamedDependency[Session]
OptionalUser = NamedDependency[SkipValidation[User | None]]
CurrentCalls = NamedDependency[AsyncioCalls]
CurrentGuard = NamedDependency[GuardCalls[Asyncio]]

_log = logging.getLogger("authcore")
OWN = "authcore.own"  # the key in a handler's `opt` under which OwnRoute tells authcore's own routes
_ASKING = "authcore.asking"
_LOOKING_UP = "authcore.looking_up"
WRITE = "guards=[require()], or guards=[require(mfa=True)]"


class OwnRoute:
    """Marks authcore's own handler, by identity: whatever an application writes into an `opt` is something else."""


def current_auth(app: Litestar) -> Auth:
    """Answer the `Auth` of an application."""
    auth: Auth | None = app.state.get("authcore")
    if auth is None:
        told = "This application has no AuthCore: write Litestar(plugins=[AuthCore(auth)])."
        _log.error(told)  # outside its debug mode Litestar keeps an exception to itself
        raise ConfigurationError(told)
    return auth


def _request(scope: Scope) -> Request:
    return asgi.request_of(cast(asgi.Scope, scope), asgi.path_of(cast(asgi.Scope, scope)))


def _visit(scope: Scope) -> Visit:
    """Answer a request, or a WebSocket's handshake: who sends it is looked up once, however often it is asked."""
    auth = current_auth(scope["litestar_app"])
    # A mounted application with an Auth of its own is handed the outer one's scope, and must not take over its user.
    known: dict[Auth, Visit] = cast(dict[str, Any], scope).setdefault(_ASKING, {})
    if auth not in known:
        known[auth] = Visit(_request(scope))
    return known[auth]


async def _asking(scope: Scope) -> Authenticated | None:
    """Answer who sends a request."""
    visit, core = _visit(scope), current_auth(scope["litestar_app"]).async_core()
    async with _lock(scope):
        return _tell(scope, await core.who(visit))


def _lock(scope: Scope) -> asyncio.Lock:
    # Litestar resolves dependencies side by side: whoever comes second waits for the first.
    lock: asyncio.Lock = cast(dict[str, Any], scope).setdefault(_LOOKING_UP, asyncio.Lock())
    return lock


def _tell(scope: Scope, who: Authenticated | None) -> Authenticated | None:
    """Put who asks where `request.user` and `request.auth` find it as well."""
    told = {"user": who.user if who else None, "auth": who.session if who else None}
    cast(dict[str, Any], scope).update(told)
    return who


async def _authorized(scope: Scope, needs: Requirement) -> Authenticated | None:
    try:
        visit, core = _visit(scope), current_auth(scope["litestar_app"]).async_core()
        async with _lock(scope):
            return _tell(scope, await core.admit(visit, needs))
    except AuthError as error:
        if scope["type"] == ScopeType.HTTP:
            raise
        raise WebSocketException(detail=error.code, code=1008) from error  # RFC 6455 7.4.1: against a policy


@dataclass(frozen=True)
class _Require:
    """A guard."""

    needs: Requirement

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        # Guards of an application or a router add up, and would ask for a session on the way to one.
        if handler.opt.get(OWN) is not OwnRoute:
            await _authorized(connection.scope, self.needs)


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
) -> _Require:
    """Let only those call a route or open a WebSocket who are signed in and meet the needs: `guards=[require()]`.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. A refusal is an AuthError;
    a WebSocket is closed with 1008. Behind it `request.user` is the User and `request.auth` the Session, and both
    are None for nobody, whom `optional=True` lets in.
    """
    check_parentheses(given, WRITE)
    return _Require(
        requirement(
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
    )


async def current_user(scope: Scope) -> User:
    """Answer who sends a request; raise NotAuthenticated."""
    return _somebody(await _authorized(scope, Requirement())).user


async def current_session(scope: Scope) -> Session:
    """Answer the session of a request; raise NotAuthenticated."""
    return _somebody(await _authorized(scope, Requirement())).session


def _somebody(who: Authenticated | None) -> Authenticated:
    assert who is not None  # noqa: S101 - nobody is let in by `optional=True` alone
    return who


async def optional_user(scope: Scope) -> User | None:
    """Answer who sends a request, or None; None too for an unsafe one that another site may have made."""
    who = await _asking(scope)
    return who.user if who else None


def guard(connection: Connection, name: str | None = None) -> GuardCalls[Asyncio]:
    """Answer a guard for a request: `await guard(request, "api").user()`, `.attempt(…)`, `.login(…)`, `.logout()`.

    Without a name it is the one that let the request in, else the default one. Raises ConfigurationError for one that
    is not there.
    """
    return _guard(connection.scope, name)


def _guard(scope: Scope, name: str | None) -> GuardCalls[Asyncio]:
    return current_auth(scope["litestar_app"]).async_core().guard(_visit(scope), name)


@dataclass(frozen=True)
class _CurrentGuard:
    name: str | None

    def __call__(self, scope: Scope) -> GuardCalls[Asyncio]:
        return _guard(scope, self.name)


def current_guard(name: str | None = None) -> Provide:
    """Answer the dependency that is a guard of the current request: `dependencies={"api": current_guard("api")}`."""
    return Provide(_CurrentGuard(name), sync_to_thread=False)


async def calls(scope: Scope) -> AsyncioCalls:
    """Answer every flow as an awaitable, made for the current request: its session, cookies, address and tenant.

    Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
    """
    return current_auth(scope["litestar_app"]).asyncio.on(_visit(scope).request)


def dependencies() -> dict[str, Provide]:
    """Answer the dependencies by the names under which handlers ask for them."""
    return {
        "current_user": Provide(current_user),
        "current_session": Provide(current_session),
        "optional_user": Provide(optional_user),
        "current_calls": Provide(calls),
        "current_guard": current_guard(),
    }


class SignedInMiddleware(ASGIMiddleware):
    """Look up who is asking before every route below it, for those who read `request.user` without a guard.

    Signed out, `request.user` and `request.auth` are None. The application puts it where it wants it: `middleware=[…]`.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Look up, then go on."""
        await _asking(scope)
        await next_app(scope, receive, send)


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, Attempt, EndedSession."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies | None) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response; None is the outcome of no sign-out."""
    response.cookies += [
        ResponseCookie(
            key=cookie.name,
            value=cookie.value,
            max_age=cookie.max_age,
            path=cookie.path,
            domain=cookie.domain,
            secure=cookie.secure,
            httponly=True,
            samesite=cast(Any, cookie.same_site.lower()),
        )
        for cookie in (outcome.cookies if outcome else ())
    ]
    return response
