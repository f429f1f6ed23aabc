"""Ending one's account: asked for, confirmed, then a time in which it can be kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from authcore.context import Context, Tenant
from authcore.decode import is_storable
from authcore.errors import InvalidChallenge, NotFound
from authcore.features.account import mails
from authcore.features.account.flow import asking
from authcore.features.account.store import leaving as store
from authcore.features.account.store.leaving import Cancel, Ending
from authcore.route import FRESH
from authcore.services import accounts, challenges, erasure, events, guard, limits, mailed, outbox
from authcore.services.accounts import Account, User
from authcore.services.challenges import ChallengeKind, ChallengeView
from authcore.services.events import Event
from authcore.services.limits import Hit
from authcore.services.sign_in import ChallengeRequired
from authcore.values import Value


class Leaving(Value, frozen=True):
    """An account that will go at `delete_at`, until when the challenge cancels it; or that is gone."""

    status: Literal["scheduled", "deleted"]
    delete_at: datetime
    challenge: ChallengeView | None = None


# --- asking and confirming ---


async def request(ctx: Context) -> ChallengeRequired | Leaving:
    """Mail who asks a link and a code that confirm the end of the account; where none is asked for, schedule it.

    An account that can be reached nowhere is not asked. Raises NotAuthenticated, ReauthenticationRequired,
    RateLimited.
    """
    who = guard.enforce(ctx, ctx.who, FRESH)
    account = await asking.account(ctx, who.user.id)
    await limits.count(ctx, Hit("deletion.account", who.user.id))
    to = _reached_at(ctx, account.user)
    if to is None or not asking.settings(ctx).confirm_deletion:
        return await _leave(ctx, account)
    begun = await mailed.start(
        ctx,
        _asked_at(ctx, to),
        mails.secret("deletion", account.locale),
        subject=who.user.id,
        recipient=to,
        user_id=who.user.id,
        via=who.session.transport,
    )
    return ChallengeRequired(begun.view(ctx), begun.cookies)


def _asked_at(ctx: Context, to: str) -> ChallengeKind:
    kind = asking.settings(ctx).deletion
    return kind if "@" in to else replace(kind, kind="sms_code")


async def confirm(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> Leaving:
    """Spend the link or the code and schedule the end of the account; every session ends (rule T9).

    Raises InvalidFields, InvalidChallenge, RateLimited.
    """
    kind = asking.settings(ctx).deletion
    attempt = await mailed.attempt(ctx, kind, token=token, challenge_id=challenge_id, code=code)
    found, _ = await mailed.held(ctx, attempt)
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, found.subject, ctx.app.user)
    if account is None:
        raise InvalidChallenge()
    ending = _ending(ctx, account)
    return await _left(ctx, ending, await ctx.db.write(store.confirm, attempt, ending))


async def _leave(ctx: Context, account: Account) -> Leaving:
    ending = _ending(ctx, account)
    return await _left(ctx, ending, await ctx.db.write(store.schedule, ending))


async def _left(ctx: Context, ending: Ending, event: Event | None) -> Leaving:
    if event is None:
        raise InvalidChallenge()
    outbox.wake(ctx)
    await events.tell(ctx, event)
    if not asking.settings(ctx).grace:
        # Should this break off, the clean-up finds an account whose time has come.
        await erasure.erase(ctx, ending.user.id)
        return Leaving("deleted", ending.delete_at)
    cancel = ending.cancel
    view = challenges.view(cancel.challenge, ctx.now()) if cancel is not None else None
    return Leaving("scheduled", ending.delete_at, view)


def _ending(ctx: Context, account: Account) -> Ending:
    user, now = account.user, ctx.now()
    return Ending(
        tenant=ctx.tenant.id,
        user=user,
        now=now,
        delete_at=now + asking.settings(ctx).grace,
        cancel=_cancel(ctx, account),
        happened=events.occur(ctx, events.DeletionRequested(ctx.tenant.id, now, user)),
    )


def _cancel(ctx: Context, account: Account) -> Cancel | None:
    kind, to = asking.settings(ctx).cancel, _reached_at(ctx, account.user)
    if kind is None or to is None:
        return None
    # Without `user_id`: the account's credentials end here, and this one is what brings it back.
    made = challenges.draft(ctx, kind, subject=account.user.id, recipient=to, payload={}, bindings=())
    message = mails.secret("deletion_scheduled", account.locale)(ctx, made)
    return Cancel(made, challenges.code_digest(ctx, made.id, made.code or ""), message)


def _reached_at(ctx: Context, user: User) -> str | None:
    if user.email is not None:
        return user.email
    return user.phone if asking.settings(ctx).texts and isinstance(user.phone, str) else None


# --- keeping ---


async def cancel(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> User:
    """Spend the link or the code and let the account stay; nobody is signed in by it.

    Raises InvalidFields, InvalidChallenge, RateLimited.
    """
    kind = asking.settings(ctx).cancel
    if kind is None:
        raise InvalidChallenge()
    attempt = await mailed.attempt(ctx, kind, token=token, challenge_id=challenge_id, code=code)
    happened = events.occur(ctx, events.DeletionCancelled)
    return await _kept(ctx, await ctx.db.write(store.cancel, attempt, happened, ctx.app.user))


async def withdraw(ctx: Context, *, user_id: str) -> User:
    """Let an account stay that was to go, in its owner's name. Server code only; raises NotFound."""
    happened = events.occur(ctx, events.DeletionCancelled)
    if not is_storable(user_id):
        raise NotFound("There is no such user.")
    event = await ctx.db.write(store.keep, ctx.tenant.id, user_id, ctx.now(), happened, ctx.app.user)
    if event is None:
        raise NotFound("There is no such account that was to go.")
    return await _kept(ctx, event)


async def _kept(ctx: Context, event: Event | None) -> User:
    if not isinstance(event, events.DeletionCancelled):
        raise InvalidChallenge()
    await events.tell(ctx, event)
    return event.user


# --- going ---


async def sweep(ctx: Context, most: int) -> int:
    """Erase at most `most` accounts whose time has come, of every tenant; answer how many."""
    now, gone = ctx.now(), 0
    for row in await ctx.db.read(store.due, now, most):
        gone += await erasure.erase(Context(ctx.runtime, Tenant(row.tenant)), row.id, due=now)
    return gone
