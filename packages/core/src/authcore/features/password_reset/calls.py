"""The room's flows as Python calls."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Generic, overload

from authcore.calls import Asyncio, Blocking, Calls, M, Runner, call
from authcore.features.password_reset import brokers, flow
from authcore.features.password_reset.schemas import PasswordResetStatus
from authcore.features.password_reset.settings import USERS


class BrokerCalls(Generic[M]):
    """The calls of one broker: `auth.blocking.password_reset.broker("staff")`."""

    def __init__(self, run: Runner, name: str) -> None:
        self._run, self._name = run, name

    @overload
    def send_reset_link(self: BrokerCalls[Blocking], email: str) -> PasswordResetStatus: ...
    @overload
    def send_reset_link(self: BrokerCalls[Asyncio], email: str) -> Awaitable[PasswordResetStatus]: ...
    def send_reset_link(self: BrokerCalls[Any], email: str) -> Any:
        """Mail the broker's link to the owner of an address; answer RESET_LINK_SENT or RESET_THROTTLED, whoever it is.

        Raises InvalidFields, PasswordDisabled, RateLimited.
        """
        return self._run(lambda ctx: brokers.send_reset_link(ctx, self._name, email))

    @overload
    def token_exists(self: BrokerCalls[Blocking], email: str, token: str) -> bool: ...
    @overload
    def token_exists(self: BrokerCalls[Asyncio], email: str, token: str) -> Awaitable[bool]: ...
    def token_exists(self: BrokerCalls[Any], email: str, token: str) -> Any:
        """Tell whether a token of this broker opens, and was mailed to this address; nothing is spent.

        Raises InvalidFields, PasswordDisabled, RateLimited.
        """
        return self._run(lambda ctx: brokers.token_exists(ctx, self._name, email, token))

    @overload
    def reset(
        self: BrokerCalls[Blocking],
        email: str,
        token: str,
        new_password: str,
        password_confirmation: str | None = None,
    ) -> PasswordResetStatus: ...
    @overload
    def reset(
        self: BrokerCalls[Asyncio],
        email: str,
        token: str,
        new_password: str,
        password_confirmation: str | None = None,
    ) -> Awaitable[PasswordResetStatus]: ...
    def reset(
        self: BrokerCalls[Any], email: str, token: str, new_password: str, password_confirmation: str | None = None
    ) -> Any:
        """Replace the password by a token of this broker; answer PASSWORD_RESET or TOKEN_INVALID.

        Raises InvalidFields for the password, PasswordDisabled, RateLimited, Overloaded.
        """
        return self._run(lambda ctx: brokers.reset(ctx, self._name, email, token, new_password, password_confirmation))


class PasswordResetCalls(Calls[M]):
    """`auth.blocking.password_reset` and `auth.asyncio.password_reset`."""

    request = call(flow.request)
    check = call(flow.check)
    complete = call(flow.complete)

    def broker(self, name: str = USERS) -> BrokerCalls[M]:
        """Answer the calls of a broker; each raises ConfigurationError if there is none of that name."""
        return BrokerCalls(self._run, name)
