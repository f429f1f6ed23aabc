"""WebSockets and streams that end with the session of who opened them.

Django itself serves no WebSocket: `AuthcoreSocketMiddleware` stands before what does, in the project's asgi.py, be that
a router of Channels, a consumer, or any ASGI application.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar, overload

from django.http import HttpRequest

from authcore.realtime import SocketGuard, UntilEnded
from authcore_django.guards import auth_of
from authcore_django.settings import get_auth

T = TypeVar("T")


class AuthcoreSocketMiddleware(SocketGuard):
    """Let only WebSockets through whose senders are signed in, and close them when those sessions end.

    `scope["authcore"]` is the Socket, with `subject`, `user` and `session`. To a consumer, the end of the session is a
    disconnect with 4401. It takes `needs=authcore.requirement(…)`, and what `authcore.realtime.opened` takes.
    """

    def __init__(self, inner: Callable[..., Awaitable[Any]], **settings: Any) -> None:
        super().__init__(inner, get_auth, **settings)


@overload
def until_ended(request: HttpRequest, stream: AsyncIterable[T], recheck: float = 30.0) -> UntilEnded[T]: ...
@overload
def until_ended(request: HttpRequest, stream: Iterable[T], recheck: float = 30.0) -> Iterator[T]: ...
def until_ended(request: HttpRequest, stream: Any, recheck: float = 30.0) -> Any:
    """Answer what a stream yields, async or not, until the session of a request ends: for StreamingHttpResponse."""
    visit = auth_of(request).visit
    if isinstance(stream, AsyncIterable):
        return get_auth().async_core().until_ended(visit, stream, recheck)
    return get_auth().blocking_core().until_ended(visit, stream, recheck)
