"""WebSockets and streams that live as long as the session of who opened them.

A socket's one credential (rule R7) comes in the handshake, by the subprotocol `authcore.bearer`, a cookie or an
Authorization header, or in the first message; never in the query. What closes a socket: 4401 not signed in, or no
longer; 4403 not enough; 4408 no first message in time; 4400 anything malformed; 1013 the database does not answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from authcore import reports
from authcore.backends import sockets
from authcore.backends.sockets import Ended, Ending, Pipe, SocketClosed, Why
from authcore.backends.watches import names_of
from authcore.context import Authenticated, Context, Tenant
from authcore.decode import parse_json, to_struct
from authcore.errors import (
    AmbiguousCredentials,
    AuthError,
    BodyTooLarge,
    ConfigurationError,
    InvalidCredentials,
    InvalidJson,
    NotAuthenticated,
    OriginNotAllowed,
    Unavailable,
)
from authcore.http import Request
from authcore.protocols import asgi, websocket
from authcore.protocols.asgi import Message, Receive, Scope, Send
from authcore.protocols.websocket import BEARER
from authcore.route import Private, Requirement
from authcore.services import origin, transport
from authcore.services.accounts import User
from authcore.services.named_guards import Visit
from authcore.services.sessions import Session, SessionSettings
from authcore.services.subjects import Subject, subject_of

if TYPE_CHECKING:
    from authcore.app import AsyncCore, Auth

__all__ = [
    "BEARER",
    "Socket",
    "SocketClosed",
    "SocketGuard",
    "SocketRefused",
    "Subject",
    "UntilEnded",
    "authenticate_socket",
    "opened",
]

T = TypeVar("T")
FIRST_CAP = 16 * 1024  # bytes of the first message
CODES: dict[Why, int] = {"session_ended": 4401, "unavailable": 1013}
_SIGNED_IN = Requirement()


class SocketRefused(Exception):
    """A WebSocket is not opened: `close_code` is what closes it, `reason` the code of the failure.

    `close_code` is None where the client went away by itself.
    """

    def __init__(self, close_code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.close_code, self.reason = close_code, reason


class FirstMessage(Private, frozen=True, forbid_unknown_fields=True):
    """The first message of a client that sends its token there."""

    access_token: str


class Socket:
    """An open WebSocket whose session lives, for code that speaks ASGI; `subject` is who opened it.

    `user` and `session` are as they were when the ledger was last asked. Iterating answers what the client sends, text
    or bytes, until either side closes.
    """

    def __init__(self, scope: Scope, pipe: Pipe, watched: Watched) -> None:
        self.scope, self.subject = scope, watched.subject
        self._pipe, self._watched = pipe, watched

    @property
    def user(self) -> User:
        """Answer the user."""
        return self._watched.who.user

    @property
    def session(self) -> Session:
        """Answer the session."""
        return self._watched.who.session

    @property
    def as_asgi(self) -> tuple[dict[str, Any], Receive, Send]:
        """Answer scope, receive and send for an application, or a framework's object, that accepts the socket itself.

        The scope tells of no token; `scope["authcore"]` is this Socket.
        """
        return websocket.without_token(self.scope) | {"authcore": self}, self._pipe.receive_again, self._pipe.send_again

    async def receive(self) -> Message:
        """Answer the next ASGI message: a disconnect with 4401 where the session ended."""
        return await self._pipe.receive()

    async def send(self, message: Message) -> None:
        """Send an ASGI message; raise SocketClosed where the session ended."""
        await self._pipe.send(message)

    async def send_text(self, text: str) -> None:
        """Send text."""
        await self.send({"type": "websocket.send", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        await self.send({"type": "websocket.send", "bytes": data})

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send_text(json.dumps(value))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""
        await self.send({"type": "websocket.close", "code": code, "reason": reason})

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while (message := await self.receive())["type"] == "websocket.receive":
            text, data = message.get("text"), message.get("bytes")
            yield text if text is not None else data or b""


# --- opening ---


@asynccontextmanager
async def authenticate_socket(
    auth: Auth, scope: Scope, receive: Receive, send: Send, *, needs: Requirement = _SIGNED_IN, **settings: Any
) -> AsyncIterator[Socket]:
    """Open a WebSocket for who is signed in and meets the needs, and close it with 4401 when that session ends.

    It takes what `opened` takes. One that is refused is closed, and SocketRefused raised.
    """
    try:
        async with opened(auth, scope, receive, send, needs=needs, **settings) as socket:
            yield socket
    except SocketRefused as refused:
        if refused.close_code is not None:
            with suppress(OSError):
                await send({"type": "websocket.close", "code": refused.close_code, "reason": refused.reason})
        raise


@asynccontextmanager
async def opened(
    auth: Auth,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    needs: Requirement = _SIGNED_IN,
    first_message: float = 10.0,
    recheck: float = 30.0,
    subprotocols: Sequence[str] = (),
    disconnects: tuple[type[Exception], ...] = (),
) -> AsyncIterator[Socket]:
    """Open a WebSocket as `authenticate_socket` does; one that is refused is closed by who catches SocketRefused.

    `first_message` and `recheck` are seconds: how long a client may take to send its token, and how often the ledger is
    asked whether the session lives. `subprotocols` are the application's own, of which the first that the client offers
    is chosen. `disconnects` are what a framework raises where a client has gone. Raises ConfigurationError.
    """
    _check(needs, first_message, recheck)
    strict = msgspec.structs.replace(needs, csrf=True, redirect=None)
    door = _Door(auth.async_core(), scope, receive, send, strict, subprotocols, (OSError, *disconnects))
    try:
        watched = await door.enter(first_message, recheck)
    except AuthError as error:
        raise _refusal(error) from None
    pipe, normally = Pipe(receive, send, watched.ending, CODES), False
    gone: tuple[type[Exception], ...] = (Ended, SocketClosed, *disconnects)

    async def leave() -> None:
        watched.ending.close()
        await pipe.leave(normally=normally)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(leave)
        try:
            async with watched.ending.alive(sockets.LEAVING):
                yield Socket(scope, pipe, watched)
            normally = True
        except gone:
            if watched.ending.over is None:
                raise


class SocketGuard:
    """An ASGI application before another one, which gets only WebSockets that are authenticated, and all else.

    `scope["authcore"]` is the Socket. The application accepts as it always does; what it says with that is not sent.
    `settings` are those of `authenticate_socket`.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]], auth: Auth | Callable[[], Auth], **settings: Any) -> None:
        self._app, self._auth, self._settings = app, auth, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        auth = self._auth() if callable(self._auth) else self._auth
        with suppress(SocketRefused):
            async with authenticate_socket(auth, scope, receive, send, **self._settings) as socket:
                await self._app(*socket.as_asgi)


def _check(needs: Requirement, first_message: float, recheck: float) -> None:
    if needs.optional:
        raise ConfigurationError(
            "authenticate_socket(…) opens for who is signed in: leave out optional=True, "
            "and accept a socket that is anybody's without it."
        )
    for name, value in (("first_message", first_message), ("recheck", recheck)):
        if not value > 0:
            raise ConfigurationError(f"authenticate_socket({name}={value!r}): write seconds above nothing.")


def _refusal(error: AuthError) -> SocketRefused:
    if error.status == 503:
        if isinstance(error, Unavailable):
            reports.unavailable(error)
        return SocketRefused(1013, error.code)
    if type(error) in (NotAuthenticated, InvalidCredentials):
        return SocketRefused(4401, error.code)
    return SocketRefused(4403 if error.status in (401, 403) else 4400, error.code)


class Watched:
    """Who is signed in behind something open, as the ledger knew it when it was last asked."""

    def __init__(self, core: AsyncCore, visit: Visit, who: Authenticated, tenant: Tenant, recheck: float) -> None:
        self.who, self.subject = who, subject_of(who, tenant)
        self._core, self._visit, self._tenant = core, visit, tenant
        self._stamp: bytes | None = None
        names = names_of(who.session.id, who.user.id, tenant.id)
        self.ending = Ending(core.auth.backends.watches, names, self.ask, recheck)

    async def ask(self) -> bool:
        """Tell whether the session lives; raise Unavailable."""
        session_id = self.subject.session_id
        who = await self._core.still(self._visit.request, self._tenant, self._visit.guard, session_id)
        if who is None or (session_id and self._stamp not in (None, who.credential)):
            # T7, T9: what was opened with a secret that a step-up or a change has replaced ends with it.
            return False
        self.who, self._stamp = who, who.credential
        return True


async def _watched(core: AsyncCore, visit: Visit, who: Authenticated, recheck: float) -> Watched:
    """Watch a session, and ask for it once more: it may have ended before that began. Raises NotAuthenticated."""
    watched = Watched(core, visit, who, await core.tenant_of(visit.request), recheck)
    with ExitStack() as undo:
        undo.callback(watched.ending.close)
        if not await watched.ask():
            raise NotAuthenticated()
        undo.pop_all()
    return watched


class _Door:
    """One handshake."""

    def __init__(
        self,
        core: AsyncCore,
        scope: Scope,
        receive: Receive,
        send: Send,
        needs: Requirement,
        subprotocols: Sequence[str],
        disconnects: tuple[type[Exception], ...],
    ) -> None:
        self._core, self._scope, self._receive, self._send = core, scope, receive, send
        self._needs, self._own, self._gone = needs, subprotocols, disconnects
        self._accepted = False

    async def enter(self, first_message: float, recheck: float) -> Watched:
        """Accept who is let in; raise AuthError, SocketRefused."""
        if (message := await self._receive())["type"] != "websocket.connect":
            if message["type"] == "websocket.disconnect":
                raise SocketRefused(None, "disconnected")
            raise RuntimeError("This WebSocket is accepted already: leave that to authenticate_socket.")
        visit, who = await self._known(first_message)
        watched = await _watched(self._core, visit, who, recheck)
        with ExitStack() as undo:
            undo.callback(watched.ending.close)
            await self._accept()
            undo.pop_all()
        return watched

    async def _known(self, first_message: float) -> tuple[Visit, Authenticated]:
        request = asgi.request_of(self._scope, asgi.path_of(self._scope))
        origin.check_host(self._core.runtime.app, request)
        websocket.check_query(self._scope)
        token = websocket.token_of(self._scope)
        request = request if token is None else websocket.with_bearer(request, token)
        given = self._presented(request)
        if token is not None and (given is None or given.via != "bearer"):
            raise AmbiguousCredentials() if given else NotAuthenticated()
        # A browser names the origin of every WebSocket: a cookie without one is some other client's.
        if given is not None and given.via == "cookie" and "origin" not in request.headers:
            raise OriginNotAllowed()
        visit = Visit(request)
        try:
            return visit, await self._admitted(visit)
        except NotAuthenticated as error:
            if given is not None or type(error) is not NotAuthenticated or not self._takes_tokens(visit):
                raise
        visit = Visit(websocket.with_bearer(request, await self._first(first_message)))
        return visit, await self._admitted(visit)

    def _presented(self, request: Request) -> transport.Presented | None:
        return transport.presented(Context(self._core.runtime, request=request))

    async def _admitted(self, visit: Visit) -> Authenticated:
        who = await self._core.admit(visit, self._needs)
        if who is None:
            raise NotAuthenticated()
        return who

    def _takes_tokens(self, visit: Visit) -> bool:
        asked = self._core.guards.asked(self._needs, visit)
        settings: SessionSettings = self._core.runtime.settings[SessionSettings]
        return settings.transport != "cookie" and any("bearer" in named.via for named in asked)

    async def _first(self, seconds: float) -> str:
        await self._accept()
        message = await sockets.within(seconds, self._receive)
        if message is None:
            raise SocketRefused(4408, "first_message_timeout")
        if message["type"] != "websocket.receive":
            raise SocketRefused(None, "disconnected")
        text = message.get("text")
        if not isinstance(text, str):
            raise InvalidJson()
        raw = text.encode("utf-8", "replace")
        if len(raw) > FIRST_CAP:
            raise BodyTooLarge()
        return to_struct(parse_json(raw), FirstMessage).access_token

    async def _accept(self) -> None:
        if self._accepted:
            return
        self._accepted = True
        try:
            await self._send({"type": "websocket.accept", "subprotocol": self._chosen(), "headers": []})
        except self._gone:
            raise SocketRefused(None, "disconnected") from None

    def _chosen(self) -> str | None:
        offered = websocket.own_of(self._scope)
        own = next((each for each in self._own if each in offered), None)
        return own or (BEARER if BEARER in websocket.offered(self._scope) else None)


# --- streams ---


class UntilEnded(Generic[T]):
    """A stream, or a block, that lasts as long as the session of who sends a request.

    `async for item in …` ends where the session does; what is being made then is cancelled. `async with …` cancels what
    its block awaits, and raises NotAuthenticated. Both raise it for who is not signed in: guard the route.
    """

    def __init__(self, core: AsyncCore, visit: Visit, stream: AsyncIterable[T] | None, recheck: float) -> None:
        self._core, self._visit, self._stream, self._recheck = core, visit, stream, recheck
        self._stack = AsyncExitStack()

    async def _begun(self) -> Watched:
        who = await self._core.who(self._visit)
        if who is None:
            raise NotAuthenticated()
        return await _watched(self._core, self._visit, who, self._recheck)

    async def __aiter__(self) -> AsyncIterator[T]:
        if self._stream is None:
            raise ConfigurationError("until_ended(…) without a stream is a block: write `async with`.")
        iterator = aiter(self._stream)
        async with AsyncExitStack() as stack:
            if isinstance(iterator, AsyncGenerator):
                stack.push_async_callback(iterator.aclose)
            ending = (await self._begun()).ending
            stack.callback(ending.close)
            while (item := await _next(iterator, ending)) is not _OVER:
                yield item

    async def __aenter__(self) -> Subject:
        watched = await self._begun()
        self._stack.callback(watched.ending.close)
        await self._stack.enter_async_context(_or_refused(watched.ending))
        return watched.subject

    async def __aexit__(self, *raised: Any) -> bool | None:
        swallowed: bool | None = await self._stack.__aexit__(*raised)
        return swallowed


_OVER: Any = object()


async def _next(iterator: AsyncIterator[T], ending: Ending) -> T:
    """Answer the next item, or _OVER."""
    item: T = _OVER
    if ending.over is None:
        with suppress(Ended):
            async with ending.alive():
                item = await anext(iterator, _OVER)
    return _OVER if ending.over is not None else item


@asynccontextmanager
async def _or_refused(ending: Ending) -> AsyncIterator[None]:
    try:
        async with ending.alive():
            yield
    except Ended:
        raise NotAuthenticated() from None
