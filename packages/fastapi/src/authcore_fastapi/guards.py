"""Guards of an application's own routes, and who is asking, as dependencies.

Annotations are values here, not text: an older FastAPI cannot resolve those of a callable object.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Depends, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authcore import Authenticated, ChallengeRequired, Request, Requirement, Session, SignedIn, User, requirement
from authcore.bindings import AsyncioCalls
from authcore.openapi import BEARER_SCHEME
from authcore.protocols import asgi
from authcore_fastapi.mount import current_auth

_ASKING = "authcore.asking"
Asking = tuple[Request, Authenticated | None]
AnyResponse = TypeVar("AnyResponse", bound=Response)


def _request(conn: HTTPConnection) -> Request:
    return asgi.request_of(conn.scope, asgi.path_of(conn.scope))


async def _asking(conn: HTTPConnection) -> Asking:
    """Answer a request, or a WebSocket's handshake, and who sends it: looked up once, however often it is asked."""
    asking: Asking | None = conn.scope.get(_ASKING)
    if asking is None:
        request = _request(conn)
        asking = conn.scope[_ASKING] = (request, await current_auth(conn).async_core().authenticate(request))
    return asking


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
    return await current_auth(conn).async_core().authorize(request, needs, who)


def require(**needs: Any) -> _Require:
    """Let only those call a route or open a WebSocket who are signed in and meet the needs; answer the User.

    It takes what `authcore.requirement` takes: `verified`, `mfa`, `fresh`, `csrf`. Write `Depends(require(mfa=True))`.
    A refusal is an AuthError; a WebSocket is closed with 1008.
    """
    return _Require(requirement(**needs))


current_user = require()
current_session = _CurrentSession(requirement())


async def optional_user(conn: HTTPConnection) -> User | None:
    """Answer who sends a request, or None."""
    _, who = await _asking(conn)
    return who.user if who else None


def calls(conn: HTTPConnection) -> AsyncioCalls:
    """Answer every flow as an awaitable, made for the current request: its session, cookies, address and tenant."""
    return current_auth(conn).asyncio.on(_request(conn))


def set_cookies(response: AnyResponse, outcome: SignedIn | ChallengeRequired) -> AnyResponse:
    """Add the cookies of an outcome to a response, and answer the response."""
    for cookie in outcome.cookies:
        response.headers.append("Set-Cookie", cookie.header())
    return response


CurrentUser = Annotated[User, Depends(current_user)]
CurrentSession = Annotated[Session, Depends(current_session)]
OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentCalls = Annotated[AsyncioCalls, Depends(calls)]
