"""Guards of an application's own routes, and who is asking, as dependencies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar, cast

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
    requirement,
)
from authcore.bindings import AsyncioCalls
from authcore.protocols import asgi

try:
    from litestar.di import NamedDependency
except ImportError:  # an older Litestar knows a dependency by the parameter's name alone
    _T = TypeVar("_T")
    NamedDependency = Annotated[_T, None]  # type: ignore[misc]

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
Asking = tuple[Request, Authenticated | None]
AnyResponse = TypeVar("AnyResponse", bound=Response[Any])

CurrentUser = NamedDependency[User]
CurrentSession = NamedDependency[Session]
OptionalUser = NamedDependency[User | None]
CurrentCalls = NamedDependency[AsyncioCalls]

OWN = "authcore"  # the key in a handler's `opt` that tells authcore's own routes
_ASKING = "authcore.asking"
_LOOKING_UP = "authcore.looking_up"


def current_auth(app: Litestar) -> Auth:
    """Answer the `Auth` of an application."""
    auth: Auth | None = app.state.get("authcore")
    if auth is None:
        raise ConfigurationError("This application has no AuthCore: write Litestar(plugins=[AuthCore(auth)]).")
    return auth


def _request(scope: Scope) -> Request:
    return asgi.request_of(cast(asgi.Scope, scope), asgi.path_of(cast(asgi.Scope, scope)))


async def _asking(scope: Scope) -> Asking:
    """Answer a request, or a WebSocket's handshake, and who sends it: looked up once, however often it is asked."""
    known = cast(dict[str, Any], scope)
    if _ASKING not in known:
        # Litestar resolves dependencies side by side: whoever comes second waits for the first.
        async with known.setdefault(_LOOKING_UP, asyncio.Lock()):
            if _ASKING not in known:
                await _look_up(scope)
    asking: Asking = known[_ASKING]
    return asking


async def _look_up(scope: Scope) -> None:
    request = _request(scope)
    _tell(scope, (request, await current_auth(scope["litestar_app"]).async_core().authenticate(request)))


def _tell(scope: Scope, asking: Asking) -> None:
    """Keep the look-up, where `request.user` and `request.auth` find it as well."""
    who = asking[1]
    told = {_ASKING: asking, "user": who.user if who else None, "auth": who.session if who else None}
    cast(dict[str, Any], scope).update(told)


async def _authorized(scope: Scope, needs: Requirement) -> Authenticated:
    try:
        request, who = await _asking(scope)
        return await current_auth(scope["litestar_app"]).async_core().authorize(request, needs, who)
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
        if OWN not in handler.opt:
            await _authorized(connection.scope, self.needs)


def require(**needs: Any) -> _Require:
    """Let only those call a route or open a WebSocket who are signed in and meet the needs: `guards=[require()]`.

    It takes what `authcore.requirement` takes: `verified`, `mfa`, `fresh`, `csrf`. A refusal is an AuthError;
    a WebSocket is closed with 1008. Behind it `request.user` is the User and `request.auth` the Session.
    """
    return _Require(requirement(**needs))


async def current_user(scope: Scope) -> User:
    """Answer who sends a request; raise NotAuthenticated."""
    return (await _authorized(scope, Requirement())).user


async def current_session(scope: Scope) -> Session:
    """Answer the session of a request; raise NotAuthenticated."""
    return (await _authorized(scope, Requirement())).session


async def optional_user(scope: Scope) -> User | None:
    """Answer who sends a request, or None."""
    _, who = await _asking(scope)
    return who.user if who else None


async def calls(scope: Scope) -> AsyncioCalls:
    """Answer every flow as an awaitable, made for the current request: its session, cookies, address and tenant."""
    return current_auth(scope["litestar_app"]).asyncio.on(_request(scope))


def dependencies() -> dict[str, Provide]:
    """Answer the dependencies by the names under which handlers ask for them."""
    return {
        "current_user": Provide(current_user),
        "current_session": Provide(current_session),
        "optional_user": Provide(optional_user),
        "current_calls": Provide(calls),
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
    """An outcome of a flow that hands cookies to a browser, such as SignedIn."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response."""
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
        for cookie in outcome.cookies
    ]
    return response
