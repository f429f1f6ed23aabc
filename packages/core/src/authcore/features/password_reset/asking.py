"""Asking for a reset: one answer and one cost, whatever the address or the number (rule A2)."""

from __future__ import annotations

from collections.abc import Sequence

from authcore.context import Context
from authcore.errors import ConfigurationError
from authcore.features.password_reset import mails
from authcore.features.password_reset.settings import USERS, BrokerSettings
from authcore.services import accounts, events, limits, mailed, phones
from authcore.services.accounts import EMAIL_PASSWORD, PHONE, Account
from authcore.services.limits import Hit
from authcore.services.mailed import Mailed
from authcore.services.sessions import Transport
from authcore.values import Value


class Sent(Value, frozen=True):
    """The challenge that is answered, and whether it was mailed this time, or would have been to an account."""

    mailed: Mailed
    went_out: bool


async def send(ctx: Context, broker: BrokerSettings, subject: str, via: Transport) -> Sent:
    """Send what resets to a canonical address or number; inside the interval, and past the allowance, nothing.

    An account that has no password may get its first one so: who reads the mailbox is its owner (S72).
    Raises RateLimited for a client that asks too often.
    """
    await limits.count(ctx, *_load(broker))
    account = await _account(ctx, broker, subject)
    void = account is None or account.disabled
    told = events.PasswordResetLinkSent(ctx.tenant.id, ctx.now(), subject)
    happened = events.occur(ctx, told, void=void) if broker.provider == EMAIL_PASSWORD else None
    asked = await mailed.ask(
        ctx,
        broker.kind,
        mails.composer(broker, account),
        subject=subject,
        recipient=subject,
        via=via,
        allowances=_allowances(broker, subject),
        user_id=account.user.id if account else None,
        void=void,
        happened=happened,
    )
    went_out = asked.challenge.code is not None
    if went_out and happened is not None:
        await events.tell(ctx, happened)
    return Sent(asked, went_out)


async def _account(ctx: Context, broker: BrokerSettings, subject: str) -> Account | None:
    if broker.user_provider is None:
        return await ctx.db.read(accounts.by_identifier, ctx.tenant.id, subject, ctx.app.user, broker.provider)
    found = await ctx.hooks.call(broker.user_provider, subject)
    if found is not None and not isinstance(found, str):
        raise ConfigurationError(f"Broker({broker.name!r}: user_provider answers a user's id, a str, or None.")
    return await ctx.db.read(accounts.by_id, ctx.tenant.id, found or "", ctx.app.user)


def _load(broker: BrokerSettings) -> Sequence[Hit]:
    return [Hit("reset.address"), Hit("sms.address")] if broker.provider == PHONE else [Hit("reset.address")]


def _allowances(broker: BrokerSettings, subject: str) -> Sequence[Hit]:
    account = subject if broker.name == USERS else f"{broker.name}\0{subject}"
    paid = phones.hits(subject) if broker.provider == PHONE else ()
    return [Hit("reset.account", account, broker.max_requests), *paid]
