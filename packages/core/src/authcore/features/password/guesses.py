"""What stands between a guesser and an account: buckets, pauses that grow, and the lockout that is a setting (rule A6).

Everything is keyed by the address as typed, so an account that there is not costs and answers the same (rule A2).
"""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import RateLimited
from authcore.features.password.settings import PasswordSettings
from authcore.ports import Count
from authcore.services import events, limits, pauses
from authcore.services.address import client_of
from authcore.services.limits import Hit

_HERE, _IN_A_ROW, _ACCOUNT = "sign_in.account_address", "sign_in_row.account_address", "sign_in.account"
_FIRST, _BUDGET = "sign_in_first.account_address", "hash.share"


async def begin(ctx: Context, email: str) -> None:
    """Count one try at a password, before anything is hashed; raise RateLimited (told as Lockout) or Overloaded."""
    if not ctx.app.limits.on:
        return
    try:
        await _begin(ctx, email)
    except RateLimited:
        await events.emit(ctx, events.Lockout(ctx.tenant.id, ctx.now(), email))
        raise


async def forgive(ctx: Context, email: str) -> None:
    """Forget, after a success, the tries at this account from this address, and no others."""
    if not ctx.app.limits.on:
        return
    await limits.clear(ctx, Hit(_HERE, email), Hit(_IN_A_ROW, email))
    if ctx.settings(PasswordSettings).lockout is not None:
        await ctx.kv.delete([_tries(ctx, email), _lock(ctx, email)])


async def _begin(ctx: Context, email: str) -> None:
    locked = await pauses.left(ctx, _lock(ctx, email)) if ctx.settings(PasswordSettings).lockout else 0
    hits = [Hit(name, email) for name in (_HERE, _IN_A_ROW, _ACCOUNT, _FIRST, "sign_in.address", _BUDGET)]
    tallies = dict(zip((hit.bucket for hit in hits), await limits.tally(ctx, *hits), strict=True))
    past = tallies.pop(_IN_A_ROW).past
    over = {name: tally.wait for name, tally in tallies.items() if tally.wait}
    limits.refuse(_without_strangers(ctx, email, over), at_least=locked)
    await _slow_down(ctx, email, past)
    await _lock_out(ctx, email)


def _without_strangers(ctx: Context, email: str, over: dict[str, int]) -> dict[str, int]:
    """Answer what refuses this client, of what strangers can fill.

    It asks nothing that only an account that exists could answer, such as where its sessions were (rule A2).
    """
    own = ctx.who is not None and email in (ctx.who.user.email, ctx.who.user.id)
    spared = {_BUDGET} if own else set()
    if own or not over.keys() >= {_ACCOUNT, _FIRST}:
        spared |= {_ACCOUNT, _FIRST}
    return {name: wait for name, wait in over.items() if name not in spared}


async def _slow_down(ctx: Context, email: str, past: int) -> None:
    if not past:
        return
    pause = min(limits.FIRST_PAUSE * 2 ** min(past - 1, 30), limits.LONGEST_PAUSE)
    wait = await pauses.take(ctx, f"{limits.key(ctx, Hit(_IN_A_ROW, email))}:pause", pause)
    if wait:
        raise RateLimited.after(wait)


async def _lock_out(ctx: Context, email: str) -> None:
    """Let `max_attempts` pass, then none until `decay` is over: reserved before the password is looked at."""
    rule = ctx.settings(PasswordSettings).lockout
    if rule is None:
        return
    seconds = int(rule.decay.total_seconds())
    most = rule.max_attempts * client_of(ctx.request, ctx.app.trusted_proxies).factor
    [tries] = await ctx.kv.increment([Count(_tries(ctx, email), 1, seconds)])
    if tries >= most:
        await pauses.take(ctx, _lock(ctx, email), seconds)
    if tries > most:
        raise RateLimited.after(seconds)


def _tries(ctx: Context, email: str) -> str:
    return f"{limits.key(ctx, Hit(_HERE, email))}:tries"


def _lock(ctx: Context, email: str) -> str:
    return f"{limits.key(ctx, Hit(_HERE, email))}:lock"
