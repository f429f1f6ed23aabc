"""Guards of an application's own routes, and who is asking, as dependencies.

Annotations are values here, not text: an older FastAPI cannot resolve those of a callable object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Never, Protocol, TypeVar

from fastapi import Depends, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authcore import Auth, Authenticated, Cookie, Request, Requirement, Session, User, Visit, requirement
from authcore.bindings import AsyncioCalls
from authcore.calls import Asyncio
from authcore.guards import GuardCalls
from authcore.openapi import BEARER_SCHEME
from authcore.protocols import asgi
from authcore.route import check_parentheses
from authcore_fastapi.mount import current_auth

_ASKING = "authcore.asking"
_WRITE = "Depends(require()), or Depends(require(mfa=True))"
AnyResponse = TypeVar("AnyResponse", bound=Response)


def _request(conn: HTTPConnection) -> Request:
    return asgi.request_of(conn.scope, asgi.path_of(conn.scope))


def _visit(conn: HTTPConnection) -> Visit:
    """Answer a request, or a WebSocket's handshake: who sends it is looked up once, however often it is asked."""
    auth = current_auth(conn)
    # A mounted sub-application with an Auth of its own copies the outer one's scope, and must not take over its user.
    known: dict[Auth, Visit] = conn.scope.setdefault(_ASKING, {})
    if auth not in known:
        known[auth] = Visit(_request(conn))
    return known[auth]


class _Guard(SecurityBase):
    """A dependency that shows a padlock; the document adds the cookie beside the bearer token."""

    model: ClassVar[HTTPBearer] = HTTPBearer()  # type: ignore[misc]
    scheme_name: ClassVar[str] = BEARER_SCHEME  # type: ignore[misc]


@dataclass(frozen=True)
class _Require(_Guard):
    """Answer the user who meets the needs. Equal requirements are one dependency, which a test can override."""

    needs: Requirement

    async def __call__(self, conn: HTTPConnection) -> User | None:
        who = await _admitted(conn, self.needs)
        return who.user if who else None


@dataclass(frozen=True)
class _CurrentSession(_Guard):
    needs: Requirement

    async def __call__(self, conn: HTTPConnection) -> Session | None:
        who = await _admitted(conn, self.needs)
        return who.session if who else None


async def _admitted(conn: HTTPConnection, needs: Requirement) -> Authenticated | None:
    return await current_auth(conn).async_core().admit(_visit(conn), needs)


class _Unwritten:
    """What FastAPI finds in the signature of a `require` without parentheses, while it declares the route."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        check_parentheses([cls], _WRITE)


def require(
    *given: Annotated[Never, _Unwritten],
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
    """Let only those call a route or open a WebSocket who are signed in and meet the needs; answer the User, or None
    where `optional=True` lets nobody in.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. Write
    `Depends(require(mfa=True))`. A refusal is an AuthError; a WebSocket is closed with 1008.
    """
    check_parentheses(given, _WRITE)
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


current_user = require()
current_session = _CurrentSession(requirement())


async def optional_user(conn: HTTPConnection) -> User | None:
    """Answer who sends a request, or None; None too for an unsafe one that another site may have made."""
    who = await current_auth(conn).async_core().who(_visit(conn))
    return who.user if who else None


def guard(conn: HTTPConnection, name: str | None = None) -> GuardCalls[Asyncio]:
    """Answer a guard for a request: `await guard(request, "api").user()`, `.attempt(…)`, `.login(…)`, `.logout()`.

    Without a name it is the one that let the request in, else the default one. Raises ConfigurationError for one that
    is not there.
    """
    return current_auth(conn).async_core().guard(_visit(conn), name)


@dataclass(frozen=True)
class _CurrentGuard:
    name: str | None

    async def __call__(self, conn: HTTPConnection) -> GuardCalls[Asyncio]:
        return guard(conn, self.name)


def current_guard(name: str | None = None) -> _CurrentGuard:
    """Answer the dependency that is a guard of the current request: `Depends(current_guard("api"))`."""
    return _CurrentGuard(name)


def calls(conn: HTTPConnection) -> AsyncioCalls:
    """Answer every flow as an awaitable, made for the current request: its session, cookies, address and tenant.

    Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
    """
    return current_auth(conn).asyncio.on(_visit(conn).request)


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, Attempt, EndedSession."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """Answer the cookies to set."""
        ...


def set_cookies(response: AnyResponse, outcome: HasCookies | None) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response; None is the outcome of no sign-out."""
    for cookie in outcome.cookies if outcome else ():
        response.headers.append("Set-Cookie", cookie.header())
    return response


CurrentUser = Annotated[User, Depends(current_user)]
CurrentSession = Annotated[Session, Depends(current_session)]
OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentCalls = Annotated[AsyncioCalls, Depends(calls)]
CurrentGuard = Annotated[GuardCalls[Asyncio], Depends(current_guard())]
