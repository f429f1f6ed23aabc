"""WebSockets and streams that end with the session of who opened them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection

from authcore import Session, User
from authcore.realtime import Socket, Subject, UntilEnded, opened
from authcore_fastapi.guards import _Require, _visit, require
from authcore_fastapi.mount import current_auth

T = TypeVar("T")


class SignedInSocket(WebSocket):
    """A WebSocket that is accepted, whose session lives; `subject` is who opened it."""

    def __init__(self, socket: Socket) -> None:
        super().__init__(*socket.as_asgi)
        self._socket = socket

    @property
    def subject(self) -> Subject:
        """Answer who opened it."""
        return self._socket.subject

    @property
    def user(self) -> User:
        """Answer the user, as the ledger was last asked."""
        return self._socket.user

    @property
    def current_session(self) -> Session:
        """Answer the session, as the ledger was last asked; `session` is Starlette's own."""
        return self._socket.session


@asynccontextmanager
async def authenticate_socket(
    websocket: WebSocket,
    needs: _Require | None = None,
    *,
    first_message: float = 10.0,
    recheck: float = 30.0,
    subprotocols: Sequence[str] = (),
) -> AsyncIterator[SignedInSocket]:
    """Open a WebSocket for who is signed in and meets the needs, `require(mfa=True)`; close it when that session ends.

    It takes what `authcore.realtime.opened` takes. To the block, an ended session is a WebSocketDisconnect with 4401.
    """
    async with opened(
        current_auth(websocket),
        websocket.scope,
        websocket.receive,
        websocket.send,
        needs=(needs or require()).needs,
        first_message=first_message,
        recheck=recheck,
        subprotocols=subprotocols,
        disconnects=(WebSocketDisconnect,),
    ) as socket:
        live = SignedInSocket(socket)
        await live.accept()
        yield live


def until_ended(conn: HTTPConnection, stream: AsyncIterable[T] | None = None, recheck: float = 30.0) -> UntilEnded[T]:
    """Answer what a stream yields until the session of a request ends; without one, a block for `async with`."""
    return current_auth(conn).async_core().until_ended(_visit(conn), stream, recheck)
