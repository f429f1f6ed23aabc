"""Ending much at once, from server code: a device's sessions, or everything by an epoch."""

from __future__ import annotations

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import NotFound
from authcore.features.sessions import store
from authcore.services import accounts, events, sessions

_ONE = "bump_epoch(…) takes one of user_id=…, tenant=True (or the id of a tenant) and application=True."


async def revoke_device(ctx: Context, user_id: str, device_id: str) -> int:
    """End a user's sessions on the device that its client named at sign-in; answer how many. Server code only."""
    if not is_storable(user_id) or not is_storable(device_id):
        return 0
    happened = events.occur_all(ctx, events.SessionsEnded(ctx.tenant.id, ctx.now(), user_id, 0))
    ended, told = await ctx.db.write(store.end_device, ctx.tenant.id, user_id, device_id, ctx.now(), happened)
    await events.tell_all(ctx, told)
    return ended


async def bump_epoch(
    ctx: Context,
    *,
    user_id: str | None = None,
    tenant: bool | str = False,
    application: bool = False,
    dry_run: bool = False,
) -> int:
    """End everything at once that was made before: of a user, a tenant or the whole application; answer how many
    live sessions that ends. Server code only.

    Sessions, refresh and remember tokens, tokens of every store, sign-ins on their way and open challenges that depend
    on somebody's credentials end in one transaction. Who is signed out signs in again as before: passwords and other
    factors stay. `tenant=True` is the tenant of the context. `dry_run` counts and changes nothing. Raises NotFound for
    an unknown user, TypeError unless exactly one of the three is given.
    """
    if sum((user_id is not None, tenant is not False, application)) != 1:
        raise TypeError(_ONE)
    if user_id is not None:
        return await _bump_user(ctx, user_id, dry_run)
    whose = None if application else ctx.tenant.id if tenant is True else str(tenant)
    if whose == "":
        raise TypeError(_ONE)  # the name under which rows keep the application
    return await _bump_all(ctx, whose, dry_run)


async def _bump_user(ctx: Context, user_id: str, dry_run: bool) -> int:
    tenant, now = ctx.tenant.id, ctx.now()
    if not is_storable(user_id) or await ctx.db.read(accounts.by_id, tenant, user_id, ctx.app.user) is None:
        raise NotFound("There is no such user.")
    if dry_run:
        return await ctx.db.read(sessions.count_of_user, tenant, user_id, now)
    happened = events.occur_all(ctx, events.SessionsEnded(tenant, now, user_id, 0))
    ended, told = await ctx.db.write(store.bump_user, tenant, user_id, now, happened)
    await events.tell_all(ctx, told)
    return ended


async def _bump_all(ctx: Context, tenant: str | None, dry_run: bool) -> int:
    if dry_run:
        return await ctx.db.read(sessions.count, tenant, ctx.now())
    event = events.EpochBumped(
        tenant or ctx.tenant.id, ctx.now(), scope="application" if tenant is None else "tenant", count=0
    )
    ended, told = await ctx.db.write(store.bump_all, tenant, ctx.now(), events.occur(ctx, event))
    await events.tell(ctx, told)
    return ended
