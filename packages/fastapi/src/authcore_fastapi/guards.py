"""Guards of an application's own routes, and who is asking, as dependencies.

Annotations are values here, not text: an older FastAPI cannot resolve those of a callable object.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Never, Protocol, TypeVar

from fastapi import Depends, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authcore import Auth, Authenticated, Cookie, Request, Requirement, Session, User, requirement
from authcore.bindings import AsyncioCalls
from authcore.openapi import BEARER_SCHEME
from authcore.protocols import asgi
from authcore.route import check_parentheses
from authcore_fastapi.mount import current_auth

_ASKING = "authcore.asking"
_WRITE = "Depends(require()), or Depends(require(mfa=True))"
Asking = tuple[Request, Authenticated | None]
AnyResponse = TypeVar("AnyResponse", bound=Response)


def _request(conn: HTTPConnection) -> Request:
    return asgi.request_of(conn.scope, asgi.path_of(conn.scope))


async def _asking(conn: HTTPConnection) -> Asking:
    """Answer a request, or a WebSocket's handshake, and who sends it: looked up once, however often it is asked."""
    auth, known = current_auth(conn), _known(conn)
    if auth not in known:
        request = _request(conn)
        known[auth] = (request, await auth.async_core().authenticate(request))
    return known[auth]


def _known(conn: HTTPConnection) -> dict[Auth, Asking]:
    # A mounted sub-application with an Auth of its own copies the outer one's scope, and must not take over its user.
    known: dict[Auth, Asking] = conn.scope.setdefault(_ASKING, {})
    return known


class _Guard(SecurityBase):
    """A dependency that shows a padlock; the document adds the cookie beside the bearer token."""

    model: ClassVar[HTTPBearer] = HTTPBearer()  # type: ignore[misc]
    scheme_name: ClassVar[str] = BEARER_SCHEME  # type: ignore[misc]


@dataclass(frozen=True)
class _Require(_Guard):
    """Answer the user who meets the needs. Equal requirements are one dependency, which a test can override."""

    needs: Requirement

    async def __call__(self, conn: HTTPConnection) -> User:
        return (await _authorized(conn, self.needs)).user


@dataclass(frozen=True)
class _CurrentSession(_Guard):
    needs: Requirement

    async def __call__(self, conn: HTTPConnection) -> Session:
        return (await _authorized(conn, self.needs)).session


async def _authorized(conn: HTTPConnection, needs: Requirement) -> Authenticated:
    request, who = await _asking(conn)
    auth = current_auth(conn)
    authorized = await auth.async_core().authorize(request, needs, who)
    _known(conn)[auth] = (request, authorized)
    return authorized


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
    anonymous: bool = False,
    csrf: bool = True,
    redirect: str | None = None,
) -> _Require:
    """Let only those call a route or open a WebSocket who are signed in and meet the needs; answer the User.

    It takes what `authcore.requirement` takes, and raises ConfigurationError as that does. Write
    `Depends(require(mfa=True))`. A refusal is an AuthError; a WebSocket is closed with 1008.
    """
    check_parentheses(given, _WRITE)
    return _Require(
        requirement(verified=verified, mfa=mfa, fresh=fresh, anonymous=anonymous, csrf=csrf, redirect=redirect)
    )


current_user = require()
current_session = _CurrentSession(requirement())


async def optional_user(conn: HTTPConnection) -> User | None:
    """Answer who sends a request, or None; None too for an unsafe one that another site may have made."""
    _, who = await _asking(conn)
    return who.user if who else None


def calls(conn: HTTPConnection) -> AsyncioCalls:
    """Answer every flow as an awaitable, made for the current request: its session, cookies, address and tenant.

    Like the mounted routes they raise OriginNotAllowed where another site may have made an unsafe request.
    """
    return current_auth(conn).asyncio.on(_request(conn))


class HasCookies(Protocol):
    """An outcome of a flow that hands cookies to a browser, or takes them away: SignedIn, EndedSession."""

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
