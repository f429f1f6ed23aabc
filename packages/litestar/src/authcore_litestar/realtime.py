"""WebSockets and streams that end with the session of who opened them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect, WebSocketException

from authcore import Session, User
from authcore.realtime import Socket, SocketRefused, Subject, UntilEnded, opened
from authcore_litestar.guards import Connection, _Require, _visit, current_auth, require

T = TypeVar("T")
_AWAY = 1001  # RFC 6455 7.4.1: the client goes away


class SignedInSocket(WebSocket[User, Session, Any]):
    """A WebSocket that is accepted, whose session lives: `subject`, `user` and `auth` are who opened it."""

    __slots__ = ("subject",)

    def __init__(self, socket: Socket) -> None:
        scope, receive, send = socket.as_asgi
        super().__init__(
            cast(Any, scope | {"user": socket.user, "auth": socket.session}), cast(Any, receive), cast(Any, send)
        )
        self.subject: Subject = socket.subject


@asynccontextmanager
async def authenticate_socket(
    websocket: WebSocket[Any, Any, Any],
    needs: _Require | None = None,
    *,
    first_message: float = 10.0,
    recheck: float = 30.0,
    subprotocols: Sequence[str] = (),
) -> AsyncIterator[SignedInSocket]:
    """Open a WebSocket for who is signed in and meets the needs, `require(mfa=True)`; close it when that session ends.

    It takes what `authcore.realtime.opened` takes. To the block, an ended session is a WebSocketDisconnect with 4401.
    """
    opening = opened(
        current_auth(websocket.app),
        cast(Any, websocket.scope),
        cast(Any, websocket.receive),
        cast(Any, websocket.send),
        needs=(needs or require()).needs,
        first_message=first_message,
        recheck=recheck,
        subprotocols=subprotocols,
        disconnects=(WebSocketDisconnect,),
    )
    try:
        async with opening as socket:
            live = SignedInSocket(socket)
            await live.accept()
            yield live
    except SocketRefused as refused:  # Litestar closes by what is raised
        raise WebSocketException(detail=refused.reason, code=refused.close_code or _AWAY) from None


def until_ended(conn: Connection, stream: AsyncIterable[T] | None = None, recheck: float = 30.0) -> UntilEnded[T]:
    """Answer what a stream yields until the session of a request ends; without one, a block for `async with`."""
    return current_auth(conn.app).async_core().until_ended(_visit(conn.scope), stream, recheck)
