"""Asking for a reset: one answer and one cost, whatever the address or the number (rule A2)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from authcore.context import Context
from authcore.errors import ConfigurationError
from authcore.features.password_reset import mails
from authcore.features.password_reset.settings import USERS, BrokerSettings
from authcore.services import accounts, challenges, events, limits, mailed, phones, transport
from authcore.services.accounts import EMAIL_PASSWORD, PHONE, Account
from authcore.services.challenges import Challenge
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
    open_ = await mailed.earlier(ctx, broker.kind, subject, _side(ctx, via))
    waits = open_ is not None and not challenges.may_send(open_, ctx.now())
    if not waits and not await limits.allowed(ctx, *_allowances(broker, subject)):
        return Sent(await _withheld(ctx, broker, subject, via, open_), went_out=False)
    return await _start(ctx, broker, subject, via, account)


async def _start(ctx: Context, broker: BrokerSettings, subject: str, via: Transport, account: Account | None) -> Sent:
    void = account is None or account.disabled
    told = events.PasswordResetLinkSent(ctx.tenant.id, ctx.now(), subject)
    happened = events.occur(ctx, told, void=void) if broker.provider == EMAIL_PASSWORD else None
    started = await mailed.start(
        ctx,
        broker.kind,
        mails.composer(broker, account),
        subject=subject,
        recipient=subject,
        via=via,
        user_id=account.user.id if account else None,
        void=void,
        alone=True,
        happened=happened,
    )
    went_out = started.challenge.code is not None
    if went_out and happened is not None:
        await events.tell(ctx, happened)
    return Sent(started, went_out)


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


def _side(ctx: Context, via: Transport) -> str | None:
    # Which challenges a client may be answered again: those of browsers, or those that the id alone carries.
    return None if via == "bearer" else transport.binding_of(ctx) or ""


async def _withheld(
    ctx: Context, broker: BrokerSettings, subject: str, via: Transport, open_: Challenge | None
) -> Mailed:
    """Answer as if something had been sent; what was mailed before opens as long as it did (S74)."""
    binding, cookies = transport.ensure_binding(ctx, via)
    if open_ is None:
        # It stands nowhere, for no address: a row would end, or hide, a link that still opens.
        drawn = challenges.draft(
            ctx, broker.kind, subject=subject, recipient=subject, payload=None, bindings=(), void=True
        )
        return Mailed(replace(drawn, code=None, token=None), cookies)
    if binding is not None:
        open_ = await ctx.db.write(challenges.bind, open_, binding)
    return Mailed(open_, cookies)
