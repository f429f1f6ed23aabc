"""Guards of an application's own views, and who is asking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Never, Protocol, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator

from authcore import Authenticated, AuthError, Cookie, Request, Requirement, Session, User, Visit, requirement
from authcore.bindings import AsyncioCalls, BlockingCalls
from authcore.calls import Asyncio, Blocking
from authcore.guards import GuardCalls
from authcore.route import check_parentheses
from authcore_django.settings import get_auth
from authcore_django.wire import Line, Ready, _request, _response

View = TypeVar("View", bound=Callable[..., Any])
AnyResponse = TypeVar("AnyResponse", bound=HttpResponse)


class RequestAuth:
    """`request.authcore`: who sends a request, looked up once and only if somebody asks."""

    __slots__ = ("_django", "_visit")

    def __init__(self, request: HttpRequest) -> None:
        self._django = request
        self._visit: Visit | None = None

    @property
    def visit(self) -> Visit:
        """Answer the request in authcore's words, with who sends it as far as somebody asked."""
        self._visit = self._visit or Visit(_request(self._django, self._django.path_info))
        return self._visit

    @property
    def request(self) -> Request:
        """Answer the request in authcore's words."""
        return self.visit.request

    @property
    def asked(self) -> bool:
        """Tell whether anybody has asked who sends the request."""
        return self._visit is not None and bool(self._visit.known)

    @property
    def who(self) -> Authenticated | None:
        """Answer user and session, or None; on an event loop raise RuntimeError unless they are known already."""
        if self.visit.asked:
            return self.visit.who
        if on_loop():
            raise RuntimeError(
                "request.authcore.user reads the database, which would stop the event loop: "
                "write `await request.authcore.auser()`, or asession(), in async code."
            )
        return get_auth().blocking_core().who(self.visit)

    async def awho(self) -> Authenticated | None:
        """Answer user and session, or None."""
        return await get_auth().async_core().who(self.visit)

    def authorize(self, needs: Requirement) -> None:
        """Let who sends the request in, who is known from then on; raise AuthError."""
        get_auth().blocking_core().admit(self.visit, needs)

    async def aauthorize(self, needs: Requirement) -> None:
        """Let who sends the request in, who is known from then on; raise AuthError."""
        await get_auth().async_core().admit(self.visit, needs)

    def guard(self, name: str | None = None) -> GuardCalls[Blocking]:
        """Answer a guard for this request: `guard("api").user()`, `.attempt(…)`, `.login(…)`, `.logout()`.

        Without a name it is the one that let the request in, else the default one. Raises ConfigurationError for one
        that is not there.
        """
        return get_auth().blocking_core().guard(self.visit, name)

    def aguard(self, name: str | None = None) -> GuardCalls[Asyncio]:
        """Answer a guard for this request, whose calls are awaited: `await aguard("api").user()`."""
        return get_auth().async_core().guard(self.visit, name)

    @property
    def user(self) -> User | None:
        """Answer who sends the request, or None."""
        return self.who.user if self.who else None

    @property
    def session(self) -> Session | None:
        """Answer the session of the request, or None."""
        return self.who.session if self.who else None

    async def auser(self) -> User | None:
        """Answer who sends the request, or None."""
        who = await self.awho()
        return who.user if who else None

    async def asession(self) -> Session | None:
        """Answer the session of the request, or None."""
        who = await self.awho()
        return who.session if who else None

    @property
    def calls(self) -> BlockingCalls:
        """Answer every flow as a Python call that blocks, made for this request.

        Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
        """
        return get_auth().blocking.on(self.request)

    @property
    def acalls(self) -> AsyncioCalls:
        """Answer every flow as a Python call to await, made for this request, as `calls` does."""
        return get_auth().asyncio.on(self.request)


class SignedInAuth(RequestAuth):
    """`request.authcore` behind a guard, for annotations: somebody is signed in."""

    if TYPE_CHECKING:

        @property
        def user(self) -> User:
            """Answer who sends the request."""

        @property
        def session(self) -> Session:
            """Answer the session of the request."""

        async def auser(self) -> User:
            """Answer who sends the request."""

        async def asession(self) -> Session:
            """Answer the session of the request."""


class AuthcoreRequest(HttpRequest):
    """A request behind the middleware, for annotations: `authcore.user` is a User or None."""

    authcore: RequestAuth


class AuthenticatedRequest(AuthcoreRequest):
    """A request behind `@require()`, for annotations: `authcore.user` is a User."""

    authcore: SignedInAuth


def on_loop() -> bool:
    """Tell whether this thread runs an event loop, which nothing here may stop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def auth_of(request: HttpRequest) -> RequestAuth:
    """Answer `request.authcore`, also without the middleware."""
    if not hasattr(request, "authcore"):
        cast(AuthcoreRequest, request).authcore = RequestAuth(request)
    return cast(AuthcoreRequest, request).authcore


@overload
def current_user(request: AuthenticatedRequest) -> User: ...
@overload
def current_user(request: HttpRequest) -> User | None: ...
def current_user(request: HttpRequest) -> User | None:
    """Answer who sends a request, or None."""
    return auth_of(request).user


@overload
def current_session(request: AuthenticatedRequest) -> Session: ...
@overload
def current_session(request: HttpRequest) -> Session | None: ...
def current_session(request: HttpRequest) -> Session | None:
    """Answer the session of a request, or None."""
    return auth_of(request).session


def guard(request: HttpRequest, name: str | None = None) -> GuardCalls[Blocking]:
    """Answer a guard for a request, as `request.authcore.guard(name)` does."""
    return auth_of(request).guard(name)


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
) -> Callable[[View], View]:
    """Let only those call a view who are signed in and meet the needs: a function, sync or async, or a class.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. Others get the core's
    refusal.
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

    def decorate(view: View) -> View:
        if isinstance(view, type):
            return cast(View, method_decorator(decorate, name="dispatch")(view))
        return cast(View, _guarded(view, asked))

    return decorate


def _guarded(view: Callable[..., Any], needs: Requirement) -> Callable[..., Any]:
    @wraps(view)
    async def aguarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        auth = auth_of(request)
        try:
            await auth.aauthorize(needs)
        except AuthError as error:
            return failure(request, error)
        answer = view(request, *args, **kwargs)
        return _varied(await answer if isawaitable(answer) else answer)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if on_loop():  # `dispatch` of an async class is a plain function
            return aguarded(request, *args, **kwargs)
        auth = auth_of(request)
        try:
            auth.authorize(needs)
        except AuthError as error:
            return failure(request, error)
        return _varied(view(request, *args, **kwargs))

    return aguarded if iscoroutinefunction(view) else guarded


def _varied(answer: Any) -> Any:
    # A cache, Django's own among them, must not hand one person's page to another.
    if isinstance(answer, HttpResponseBase) and not isinstance(answer, Ready):
        patch_vary_headers(answer, get_auth().credential_headers)
    return answer


def varied(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """Answer a response, marked as one that depends on its sender if somebody asked who that is."""
    if auth_of(request).asked:
        _varied(answer)
    return answer


def failure(request: HttpRequest, error: AuthError) -> HttpResponse:
    """Answer an error as the core does."""
    return _response(get_auth().blocking_core().failure(error), request.method)


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, Attempt, EndedSession."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies | None) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response; None is the outcome of no sign-out."""
    for cookie in outcome.cookies if outcome else ():
        response.cookies[cookie.name] = Line(cookie)
    return response
