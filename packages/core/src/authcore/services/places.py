"""Where an account has had sessions: what tells its owner from a stranger before anything is proven (rule A6)."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.services.accounts import EMAIL_PASSWORD, identities
from authcore.services.address import SHARED, client_of, key_of
from authcore.services.sessions import sessions

MOST = 200
"""Of so many addresses, the latest, somebody is known again. Sessions stay 30 days after their end."""

_ADDRESSES = (
    select(sessions.c.ip)
    .select_from(identities.join(sessions, sessions.c.user_id == identities.c.user_id))
    .where(
        identities.c.tenant == bindparam("tenant_"),
        identities.c.provider == EMAIL_PASSWORD,
        identities.c.identifier == bindparam("email_"),
        sessions.c.ip.is_not(None),
    )
    .order_by(sessions.c.created_at.desc())
    .limit(MOST)
)


async def is_known(ctx: Context, email: str) -> bool:
    """Tell whether the client is where the account of this address has had a session, or is signed in to it.

    Read the same for an address without an account (rule A2).
    """
    client = client_of(ctx.request, ctx.app.trusted_proxies)
    addresses = await ctx.db.read(_addresses, ctx.tenant.id, email)
    if ctx.who is not None and ctx.who.user.email == email:
        return True
    # Who cannot be told apart is not known: else one session would let everybody past.
    return client.key != SHARED and client.key in {key_of(address) for address in addresses}


def _addresses(tx: Connection, tenant: str, email: str) -> list[str]:
    return list(tx.execute(_ADDRESSES, {"tenant_": tenant, "email_": email}).scalars())
