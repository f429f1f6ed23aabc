"""`auth.blocking` and `auth.asyncio`: two typed bindings of the same flows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from authcore.calls import Asyncio, Blocking, Calls
from authcore.context import Context
from authcore.errors import ConfigurationError
from authcore.features.password.calls import PasswordCalls
from authcore.features.sessions.calls import SessionCalls
from authcore.http import Request

if TYPE_CHECKING:
    from authcore.app import Auth

C = TypeVar("C", bound=Calls[Any])
Flow = Callable[[Context], Coroutine[Any, Any, Any]]


class BlockingCalls:
    """Every flow as a call that blocks. `on(request)` answers the same calls made for one request."""

    def __init__(self, auth: Auth, request: Request | None = None) -> None:
        self._auth, self._request = auth, request

    def on(self, request: Request) -> BlockingCalls:
        """Answer the calls with a request: its session, cookies, address and tenant."""
        return BlockingCalls(self._auth, request)

    def _run(self, flow: Flow) -> Any:
        return self._auth.blocking_core().run(flow, self._request)

    @property
    def sessions(self) -> SessionCalls[Blocking]:
        """Answer the calls about sessions."""
        return SessionCalls(self._run)

    @property
    def password(self) -> PasswordCalls[Blocking]:
        """Answer the calls about passwords."""
        return self[PasswordCalls[Blocking]]

    def __getitem__(self, calls: type[C]) -> C:
        """Answer the calls of any room, by their type: `auth.blocking[TheirCalls[Blocking]]`."""
        return calls(_enabled(self._auth, calls, self._run))


class AsyncioCalls:
    """Every flow as a call to await. `on(request)` answers the same calls made for one request."""

    def __init__(self, auth: Auth, request: Request | None = None) -> None:
        self._auth, self._request = auth, request

    def on(self, request: Request) -> AsyncioCalls:
        """Answer the calls with a request: its session, cookies, address and tenant."""
        return AsyncioCalls(self._auth, request)

    def _run(self, flow: Flow) -> Any:
        return self._auth.async_core().run(flow, self._request)

    @property
    def sessions(self) -> SessionCalls[Asyncio]:
        """Answer the calls about sessions."""
        return SessionCalls(self._run)

    @property
    def password(self) -> PasswordCalls[Asyncio]:
        """Answer the calls about passwords."""
        return self[PasswordCalls[Asyncio]]

    def __getitem__(self, calls: type[C]) -> C:
        """Answer the calls of any room, by their type: `auth.asyncio[TheirCalls[Asyncio]]`."""
        return calls(_enabled(self._auth, calls, self._run))


def _enabled(auth: Auth, calls: Any, run: Callable[[Flow], Any]) -> Callable[[Flow], Any]:
    kind = getattr(calls, "__origin__", calls)
    if not any(feature.calls is kind for feature in auth.features):
        raise ConfigurationError(f"No enabled feature has {kind.__name__}: add its room to Auth(features=[…]).")
    return run
