"""Users without an account, as it is told: let in, and removed once nobody can be them any more."""

from __future__ import annotations

from dataclasses import replace

from authcore.context import Context, Tenant
from authcore.features.anonymous import store
from authcore.features.anonymous.errors import AlreadySignedIn
from authcore.services import accounts, admission, erasure, guard, limits
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.guests import GuestSettings
from authcore.services.limits import Hit
from authcore.services.sessions import Transport
from authcore.services.sign_in import Outcome, Proof

NOTHING = Proof((), aal=0)
"""Who has no account has shown nothing: below the lowest level of NIST SP 800-63B."""


async def sign_in(
    ctx: Context,
    *,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Make a user without an account, and its session.

    Raises AlreadySignedIn, InvalidFields, SignUpClosed, RateLimited.
    """
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    if ctx.who is not None or await guard.authenticate(ctx) is not None:
        raise AlreadySignedIn()
    await limits.count(ctx, Hit("anonymous.address"))
    new = await admission.new_user(ctx, way="anonymous")
    await ctx.db.write(accounts.create, new)
    return await pipeline.complete(
        ctx, new.account(), NOTHING, via=via, device_id=device_id, device_name=device_name, remember_me=remember_me
    )


async def sweep(ctx: Context, most: int) -> int:
    """Erase at most `most` guests whose last session has been over for as long as `keep`; answer how many."""
    before = ctx.now() - ctx.settings(GuestSettings).keep
    gone = await ctx.db.read(store.gone, before, most)
    for tenant, user_id in gone:
        await erasure.erase(replace(ctx, tenant=Tenant(tenant)), user_id)
    return len(gone)
