"""`auth.blocking` and `auth.asyncio`: two typed bindings of the same flows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, overload

from authcore.calls import Asyncio, Blocking, Calls
from authcore.context import Context
from authcore.errors import ConfigurationError
from authcore.feature import Feature
from authcore.features.password import Password
from authcore.features.password.calls import PasswordCalls
from authcore.features.sessions import Sessions
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
        """Answer the calls with a request: its session, cookies, address and tenant.

        Each raises OriginNotAllowed if another site may have made an unsafe request (rule R5).
        """
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

    @overload
    def __getitem__(self, room: type[C]) -> C: ...
    @overload
    def __getitem__(self, room: type[Password]) -> PasswordCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Sessions]) -> SessionCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Feature]) -> Any: ...
    def __getitem__(self, room: Any) -> Any:
        """Answer the calls of a room: `auth.blocking[TheirRoom]`, or typed `auth.blocking[TheirCalls[Blocking]]`.

        Raises ConfigurationError for a room that is not enabled.
        """
        return _calls_of(self._auth, room)(self._run)


class AsyncioCalls:
    """Every flow as a call to await. `on(request)` answers the same calls made for one request."""

    def __init__(self, auth: Auth, request: Request | None = None) -> None:
        self._auth, self._request = auth, request

    def on(self, request: Request) -> AsyncioCalls:
        """Answer the calls with a request: its session, cookies, address and tenant.

        Each raises OriginNotAllowed if another site may have made an unsafe request (rule R5).
        """
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

    @overload
    def __getitem__(self, room: type[C]) -> C: ...
    @overload
    def __getitem__(self, room: type[Password]) -> PasswordCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Sessions]) -> SessionCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Feature]) -> Any: ...
    def __getitem__(self, room: Any) -> Any:
        """Answer the calls of a room: `auth.asyncio[TheirRoom]`, or typed `auth.asyncio[TheirCalls[Asyncio]]`.

        Raises ConfigurationError for a room that is not enabled.
        """
        return _calls_of(self._auth, room)(self._run)


def _calls_of(auth: Auth, key: Any) -> Callable[[Callable[[Flow], Any]], Any]:
    kind = getattr(key, "__origin__", key)
    if not isinstance(kind, type) or not issubclass(kind, Feature | Calls):
        raise ConfigurationError(
            "Python calls are asked for by the room's class, such as auth.blocking[Password], "
            f"not by a value of type {type(key).__name__}."
        )
    for feature in auth.features:
        if isinstance(feature, kind) or feature.calls is kind:
            return _its_calls(feature)
    raise ConfigurationError(
        f"{_room(kind)} is not enabled: write Auth(features=[{_room(kind)}()]), beside the others."
    )


def _its_calls(feature: Feature) -> type[Calls[Any]]:
    if feature.calls is None:
        raise ConfigurationError(f"{type(feature).__name__} has no Python calls.")
    return feature.calls


def _room(kind: type[Any]) -> str:
    """Answer the name of the room that calls belong to, among those that are imported."""
    rooms = [Feature]
    for room in rooms:  # which grows
        if room.calls is kind:
            return room.__name__
        rooms += room.__subclasses__()
    return kind.__name__
