"""`auth.blocking` and `auth.asyncio`: two typed bindings of the same flows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, overload

from authcore.calls import Asyncio, Blocking, Calls, M, call
from authcore.context import MAX_TENANT, Context, Tenant, is_tenant_id
from authcore.errors import ConfigurationError
from authcore.feature import Feature
from authcore.features.password import Password
from authcore.features.password.calls import PasswordCalls
from authcore.features.sessions import Sessions
from authcore.features.sessions.calls import BagCalls, SessionCalls
from authcore.http import Request
from authcore.services import events

if TYPE_CHECKING:
    from authcore.app import Auth
    from authcore.features.account import Account
    from authcore.features.account.calls import AccountCalls
    from authcore.features.administration import Administration
    from authcore.features.administration.calls import AdministrationCalls
    from authcore.features.anonymous import Anonymous
    from authcore.features.anonymous.calls import AnonymousCalls
    from authcore.features.audit import Audit
    from authcore.features.audit.calls import AuditCalls
    from authcore.features.code import Code
    from authcore.features.code.calls import CodeCalls
    from authcore.features.email_change import EmailChange
    from authcore.features.email_change.calls import EmailChangeCalls
    from authcore.features.email_code import EmailCode
    from authcore.features.email_code.calls import EmailCodeCalls
    from authcore.features.email_verification import EmailVerification
    from authcore.features.email_verification.calls import EmailVerificationCalls
    from authcore.features.magic_link import MagicLink
    from authcore.features.magic_link.calls import MagicLinkCalls
    from authcore.features.password_reset import PasswordReset
    from authcore.features.password_reset.calls import PasswordResetCalls

C = TypeVar("C", bound=Calls[Any])
Flow = Callable[[Context], Coroutine[Any, Any, Any]]


class EventCalls(Calls[M]):
    """`auth.blocking.events` and `auth.asyncio.events`."""

    dispatch = call(events.dispatch)


class BlockingCalls:
    """Every flow as a call that blocks. `on(request)` answers the same calls made for one request.

    `for_tenant(tenant)` answers them for a tenant; without either they are the default tenant's.
    """

    def __init__(self, auth: Auth, request: Request | None = None, tenant: Tenant | None = None) -> None:
        _check_whose(request, tenant)
        self._auth, self._request, self._tenant = auth, request, tenant

    def on(self, request: Request) -> BlockingCalls:
        """Answer the calls with a request: its session, cookies, address and tenant.

        Each raises OriginNotAllowed if another site may have made an unsafe request (rule R5).
        """
        return BlockingCalls(self._auth, request, self._tenant)

    def for_tenant(self, tenant: str | Tenant) -> BlockingCalls:
        """Answer the calls for a tenant, by its id or as `Auth(tenant=…)` answers it, from code without a request.

        With the id alone, mails link to the application's own site. Raises ConfigurationError for what can be no
        tenant, and beside `on(request)`, which takes the request's own.
        """
        return BlockingCalls(self._auth, self._request, _tenant(tenant))

    def _run(self, flow: Flow) -> Any:
        return self._auth.blocking_core().run(flow, self._request, self._tenant)

    @property
    def events(self) -> EventCalls[Blocking]:
        """Answer the calls about events."""
        return EventCalls(self._run)

    @property
    def sessions(self) -> SessionCalls[Blocking]:
        """Answer the calls about sessions."""
        return SessionCalls(self._run)

    @property
    def bag(self) -> BagCalls[Blocking]:
        """Answer the calls about the data bag of the request's session, or of its guest."""
        return BagCalls(self._run)

    @property
    def password(self) -> PasswordCalls[Blocking]:
        """Answer the calls about passwords."""
        return self[PasswordCalls[Blocking]]

    @property
    def password_reset(self) -> PasswordResetCalls[Blocking]:
        """Answer the calls about resetting forgotten passwords."""
        from authcore.features.password_reset.calls import PasswordResetCalls

        return self[PasswordResetCalls[Blocking]]

    @property
    def email_verification(self) -> EmailVerificationCalls[Blocking]:
        """Answer the calls about proving addresses."""
        from authcore.features.email_verification.calls import EmailVerificationCalls

        return self[EmailVerificationCalls[Blocking]]

    @property
    def email_change(self) -> EmailChangeCalls[Blocking]:
        """Answer the calls about changing addresses."""
        from authcore.features.email_change.calls import EmailChangeCalls

        return self[EmailChangeCalls[Blocking]]

    @property
    def email_code(self) -> EmailCodeCalls[Blocking]:
        """Answer the calls about codes at sign-in."""
        from authcore.features.email_code.calls import EmailCodeCalls

        return self[EmailCodeCalls[Blocking]]

    @property
    def magic_link(self) -> MagicLinkCalls[Blocking]:
        """Answer the calls about signing in by link."""
        from authcore.features.magic_link.calls import MagicLinkCalls

        return self[MagicLinkCalls[Blocking]]

    @property
    def code(self) -> CodeCalls[Blocking]:
        """Answer the calls about signing in by code."""
        from authcore.features.code.calls import CodeCalls

        return self[CodeCalls[Blocking]]

    @property
    def account(self) -> AccountCalls[Blocking]:
        """Answer the calls about a user's own account."""
        from authcore.features.account.calls import AccountCalls

        return self[AccountCalls[Blocking]]

    @property
    def anonymous(self) -> AnonymousCalls[Blocking]:
        """Answer the calls about users without an account."""
        from authcore.features.anonymous.calls import AnonymousCalls

        return self[AnonymousCalls[Blocking]]

    @property
    def administration(self) -> AdministrationCalls[Blocking]:
        """Answer the calls about looking after users."""
        from authcore.features.administration.calls import AdministrationCalls

        return self[AdministrationCalls[Blocking]]

    @property
    def audit(self) -> AuditCalls[Blocking]:
        """Answer the calls about what happened."""
        from authcore.features.audit.calls import AuditCalls

        return self[AuditCalls[Blocking]]

    @overload
    def __getitem__(self, room: type[C]) -> C: ...
    @overload
    def __getitem__(self, room: type[Password]) -> PasswordCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Sessions]) -> SessionCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[PasswordReset]) -> PasswordResetCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[EmailVerification]) -> EmailVerificationCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[EmailChange]) -> EmailChangeCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[EmailCode]) -> EmailCodeCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[MagicLink]) -> MagicLinkCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Code]) -> CodeCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Account]) -> AccountCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Anonymous]) -> AnonymousCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Administration]) -> AdministrationCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Audit]) -> AuditCalls[Blocking]: ...
    @overload
    def __getitem__(self, room: type[Feature]) -> Any: ...
    def __getitem__(self, room: Any) -> Any:
        """Answer the calls of a room: `auth.blocking[TheirRoom]`, or typed `auth.blocking[TheirCalls[Blocking]]`.

        Raises ConfigurationError for a room that is not enabled.
        """
        return calls_of(self._auth, room)(self._run)


class AsyncioCalls:
    """Every flow as a call to await. `on(request)` answers the same calls made for one request.

    `for_tenant(tenant)` answers them for a tenant; without either they are the default tenant's.
    """

    def __init__(self, auth: Auth, request: Request | None = None, tenant: Tenant | None = None) -> None:
        _check_whose(request, tenant)
        self._auth, self._request, self._tenant = auth, request, tenant

    def on(self, request: Request) -> AsyncioCalls:
        """Answer the calls with a request: its session, cookies, address and tenant.

        Each raises OriginNotAllowed if another site may have made an unsafe request (rule R5).
        """
        return AsyncioCalls(self._auth, request, self._tenant)

    def for_tenant(self, tenant: str | Tenant) -> AsyncioCalls:
        """Answer the calls for a tenant, by its id or as `Auth(tenant=…)` answers it, from code without a request.

        With the id alone, mails link to the application's own site. Raises ConfigurationError for what can be no
        tenant, and beside `on(request)`, which takes the request's own.
        """
        return AsyncioCalls(self._auth, self._request, _tenant(tenant))

    def _run(self, flow: Flow) -> Any:
        return self._auth.async_core().run(flow, self._request, self._tenant)

    @property
    def events(self) -> EventCalls[Asyncio]:
        """Answer the calls about events."""
        return EventCalls(self._run)

    @property
    def sessions(self) -> SessionCalls[Asyncio]:
        """Answer the calls about sessions."""
        return SessionCalls(self._run)

    @property
    def bag(self) -> BagCalls[Asyncio]:
        """Answer the calls about the data bag of the request's session, or of its guest."""
        return BagCalls(self._run)

    @property
    def password(self) -> PasswordCalls[Asyncio]:
        """Answer the calls about passwords."""
        return self[PasswordCalls[Asyncio]]

    @property
    def password_reset(self) -> PasswordResetCalls[Asyncio]:
        """Answer the calls about resetting forgotten passwords."""
        from authcore.features.password_reset.calls import PasswordResetCalls

        return self[PasswordResetCalls[Asyncio]]

    @property
    def email_verification(self) -> EmailVerificationCalls[Asyncio]:
        """Answer the calls about proving addresses."""
        from authcore.features.email_verification.calls import EmailVerificationCalls

        return self[EmailVerificationCalls[Asyncio]]

    @property
    def email_change(self) -> EmailChangeCalls[Asyncio]:
        """Answer the calls about changing addresses."""
        from authcore.features.email_change.calls import EmailChangeCalls

        return self[EmailChangeCalls[Asyncio]]

    @property
    def email_code(self) -> EmailCodeCalls[Asyncio]:
        """Answer the calls about codes at sign-in."""
        from authcore.features.email_code.calls import EmailCodeCalls

        return self[EmailCodeCalls[Asyncio]]

    @property
    def magic_link(self) -> MagicLinkCalls[Asyncio]:
        """Answer the calls about signing in by link."""
        from authcore.features.magic_link.calls import MagicLinkCalls

        return self[MagicLinkCalls[Asyncio]]

    @property
    def code(self) -> CodeCalls[Asyncio]:
        """Answer the calls about signing in by code."""
        from authcore.features.code.calls import CodeCalls

        return self[CodeCalls[Asyncio]]

    @property
    def account(self) -> AccountCalls[Asyncio]:
        """Answer the calls about a user's own account."""
        from authcore.features.account.calls import AccountCalls

        return self[AccountCalls[Asyncio]]

    @property
    def anonymous(self) -> AnonymousCalls[Asyncio]:
        """Answer the calls about users without an account."""
        from authcore.features.anonymous.calls import AnonymousCalls

        return self[AnonymousCalls[Asyncio]]

    @property
    def administration(self) -> AdministrationCalls[Asyncio]:
        """Answer the calls about looking after users."""
        from authcore.features.administration.calls import AdministrationCalls

        return self[AdministrationCalls[Asyncio]]

    @property
    def audit(self) -> AuditCalls[Asyncio]:
        """Answer the calls about what happened."""
        from authcore.features.audit.calls import AuditCalls

        return self[AuditCalls[Asyncio]]

    @overload
    def __getitem__(self, room: type[C]) -> C: ...
    @overload
    def __getitem__(self, room: type[Password]) -> PasswordCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Sessions]) -> SessionCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[PasswordReset]) -> PasswordResetCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[EmailVerification]) -> EmailVerificationCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[EmailChange]) -> EmailChangeCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[EmailCode]) -> EmailCodeCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[MagicLink]) -> MagicLinkCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Code]) -> CodeCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Account]) -> AccountCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Anonymous]) -> AnonymousCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Administration]) -> AdministrationCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Audit]) -> AuditCalls[Asyncio]: ...
    @overload
    def __getitem__(self, room: type[Feature]) -> Any: ...
    def __getitem__(self, room: Any) -> Any:
        """Answer the calls of a room: `auth.asyncio[TheirRoom]`, or typed `auth.asyncio[TheirCalls[Asyncio]]`.

        Raises ConfigurationError for a room that is not enabled.
        """
        return calls_of(self._auth, room)(self._run)


def _tenant(given: Any) -> Tenant:
    found = given if isinstance(given, Tenant) else Tenant(given)
    if not is_tenant_id(found.id):
        raise ConfigurationError(
            f"for_tenant(…) takes a Tenant, or its id of 1 to {MAX_TENANT} printable characters, "
            'such as auth.blocking.for_tenant("acme").'
        )
    return found


def _check_whose(request: Request | None, tenant: Tenant | None) -> None:
    if request is not None and tenant is not None:
        raise ConfigurationError(
            "on(request) takes the request's own tenant: write on(request) alone, or for_tenant(…) without a request, "
            'such as auth.blocking.for_tenant("acme").'
        )


def calls_of(auth: Auth, key: Any) -> Callable[[Callable[[Flow], Any]], Any]:
    """Answer the calls of a room that is enabled, by its class or theirs; raise ConfigurationError for another."""
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
