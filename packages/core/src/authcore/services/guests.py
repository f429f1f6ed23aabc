"""Users without an account: who one is, and what becomes of it at a sign-up or a sign-in.

A sign-up makes the guest's own row the account (`accounts.create`). A sign-in to another account ends the guest: the
transaction that makes the session retires it, once, and what it had is moved after the commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.services import accounts, bags, challenges, erasure, events, guard
from authcore.services.accounts import Guest, NewUser, User
from authcore.services.challenges import Attempt
from authcore.services.events import Event, Occurred
from authcore.values import Value

_log = logging.getLogger("authcore.guests")


class GuestSettings(Value, frozen=True):
    """What the application does with guests. `merge` is a hook of (anonymous user, user); `keep` is the clean-up's."""

    merge: Callable[[User, User], Any] | None
    keep: timedelta


async def present(ctx: Context) -> Guest | None:
    """Answer the guest whose session the request carries; None where the application has no guests."""
    if GuestSettings not in ctx.runtime.settings:
        return None
    who = ctx.who or await guard.authenticate(ctx)
    if who is None or not who.user.anonymous:
        return None
    return await ctx.db.read(accounts.guest, ctx.tenant.id, who.user.id, ctx.app.user)


async def answering(ctx: Context, attempt: Attempt) -> Guest | None:
    """Answer the guest who answers a challenge.

    Login CSRF: whoever follows a link that a stranger asked for would hand over what it has to the stranger's account.
    A link moves it in the browser that asked alone; a code is typed where it was asked for.
    """
    guest = await present(ctx)
    return guest if guest is not None and await _asked_here(ctx, attempt) else None


async def brings_bag(ctx: Context, attempt: Attempt) -> bool:
    """Tell whether the browser's data bag may go to whom a challenge signs in, for `answering`'s reason."""
    return bags.carried(ctx) is None or await _asked_here(ctx, attempt)


async def _asked_here(ctx: Context, attempt: Attempt) -> bool:
    if attempt.token is None:
        return True
    challenge = await ctx.db.read(challenges.find_for, attempt)
    return challenge is not None and attempt.binding in challenge.bindings


def born(ctx: Context, new: NewUser) -> tuple[Event, ...]:
    """Answer the events of a user that is made."""
    user = new.user()
    registered = events.Registered(ctx.tenant.id, ctx.now(), user)
    if new.guest is None:
        return (registered,)
    return (events.AnonymousUpgraded(ctx.tenant.id, ctx.now(), user, user.id), registered)


class Leaving(Value, frozen=True):
    """A guest who signs in to another account, drawn before the transaction that makes the session."""

    guest: Guest
    user: User
    happened: Occurred


async def leaving(ctx: Context, user_id: str | None, user: User) -> Leaving | None:
    """Answer the guest who began a sign-in, if the request that ends it carries the guest's session too."""
    guest = await present(ctx) if user_id is not None else None
    if guest is None or guest.user.id != user_id:
        return None
    event = events.AnonymousUpgraded(ctx.tenant.id, ctx.now(), user, guest.user.id)
    return Leaving(guest, user, events.occur(ctx, event))


def retire(tx: Connection, leaving: Leaving, now: datetime) -> bool:
    """End the guest; tell whether this sign-in did: of two at once, one."""
    if not accounts.retire(tx, leaving.guest, now):
        return False
    events.write(tx, leaving.happened)
    return True


async def leave(ctx: Context, leaving: Leaving) -> None:
    """Hand what a retired guest had to the application, for the account that it signed in to, and erase the guest.

    A hook that fails takes no sign-in back and is not called again; the guest's data then stays until the clean-up.
    """
    await events.tell(ctx, leaving.happened)
    if await _merged(ctx, leaving.guest.user, leaving.user):
        await erasure.erase(ctx, leaving.guest.user.id)


async def _merged(ctx: Context, guest: User, user: User) -> bool:
    merge = ctx.settings(GuestSettings).merge
    if merge is None:
        return True
    try:
        await ctx.hooks.call(merge, guest, user)
    except Exception:
        _log.exception("Anonymous(merge=…) failed: user %s was not merged into %s.", guest.id, user.id)
        return False
    return True
