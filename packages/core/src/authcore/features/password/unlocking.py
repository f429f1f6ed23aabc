"""Letting a password that rests after 100 failures work again: by a mailed link, or by the application (rule A6)."""

from __future__ import annotations

from datetime import timedelta

from authcore.context import Context
from authcore.errors import InvalidChallenge
from authcore.features.password import mails, store
from authcore.features.password.store import Credential
from authcore.services import accounts, challenges, events, limits, mailed
from authcore.services.challenges import ChallengeKind
from authcore.services.limits import Hit
from authcore.services.passwords import MAX_FAILURES

UNLOCK = ChallengeKind(
    purpose="unlock",
    mail="unlock",
    ttl=timedelta(days=1),
    min_send_interval=timedelta(hours=6),
    link_ttl=timedelta(days=1),
)


async def offer(ctx: Context, found: Credential) -> None:
    """Mail the owner of a password that rests a link, once in six hours; an unknown name gets the same rows.

    `found` is what was known before the failure that was just counted.
    """
    if found.failures + 1 < MAX_FAILURES or not await limits.allowed(ctx, Hit("unlock.account", found.key)):
        return
    account = found.account
    void = account is None or account.disabled or account.user.email is None
    await mailed.start(
        ctx,
        UNLOCK,
        mails.unlock,
        subject=found.key,
        recipient=found.key,
        via="bearer",  # the owner's mail opens in another browser than the one that failed
        user_id=account.user.id if account is not None else None,
        void=void,
    )


async def unlock_by_link(ctx: Context, *, token: str) -> None:
    """Spend the link of an unlock mail and forget the failures; raise InvalidChallenge, RateLimited.

    It changes neither the password nor the windows of `rate_limited`, which pass by themselves.
    """
    attempt = await challenges.attempt_link(ctx, UNLOCK, token)
    happened = events.occur(ctx, events.AccountUnlocked)
    event = await ctx.db.write(store.unlock_by_link, attempt, happened, ctx.app.user)
    if event is None:
        raise InvalidChallenge()
    await events.tell(ctx, event)


async def unlock(ctx: Context, *, email: str) -> bool:
    """Let a password that rests after 100 failures work again; tell whether failures were counted. Server code only.

    It forgets the failures of the address, whoever caused them, and changes neither the password nor the windows of
    `rate_limited`, which pass by themselves. Raises InvalidFields.
    """
    address = accounts.canonical_email(email)
    happened = events.occur(ctx, events.AccountUnlocked)
    forgiven, event = await ctx.db.write(store.unlock, ctx.tenant.id, address, happened, ctx.app.user)
    if event is not None:
        await events.tell(ctx, event)
    return forgiven
