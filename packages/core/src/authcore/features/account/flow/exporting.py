"""Reading out all that is stored of a person."""

from __future__ import annotations

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import NotFound
from authcore.features.account.schemas import ExportBody
from authcore.route import FRESH
from authcore.services import accounts, erasure, guard, limits
from authcore.services.limits import Hit


async def export(ctx: Context, *, user_id: str) -> ExportBody:
    """Answer everything personal that is stored of a user, without digests and sealed secrets. Server code only.

    Raises NotFound.
    """
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user) if is_storable(user_id) else None
    if account is None:
        raise NotFound("There is no such user.")
    data = await ctx.db.read(erasure.read, user_id)
    return ExportBody(exported_at=ctx.now(), user=account.user, data=data)


async def export_own(ctx: Context) -> ExportBody:
    """Answer the same of who asks; raise NotAuthenticated, ReauthenticationRequired, RateLimited."""
    who = guard.enforce(ctx, ctx.who, FRESH)
    await limits.count(ctx, Hit("export.account", who.user.id))
    return await export(ctx, user_id=who.user.id)
