"""Reading what happened."""

from __future__ import annotations

from datetime import datetime

from authcore.context import Context
from authcore.decode import is_storable
from authcore.features.audit import store
from authcore.features.audit.schemas import AuditEntry
from authcore.services import journal
from authcore.services.accounts import canonical_email

MOST = 1000  # rows in one answer


async def list_entries(
    ctx: Context,
    *,
    user: str | None = None,
    name: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
    tenant: str | None = None,
) -> list[AuditEntry]:
    """Answer the latest events, the earliest of them first, at most 1000; for server code, never for a route.

    `user` is an id, or an e-mail address: then also what happened to the address while it had no account. `since` is
    aware; `tenant` is an id, by default that of the request. Raises InvalidFields.
    """
    whose = ctx.tenant.id if tenant is None else tenant
    subjects = _subjects(ctx, whose, user) if user else None
    texts = [text for text in (user, name, tenant) if text is not None]
    if not all(is_storable(text) for text in texts):
        return []
    return await ctx.db.read(store.latest, whose, user=subjects, name=name, since=since, limit=max(1, min(limit, MOST)))


def _subjects(ctx: Context, tenant: str, user: str) -> store.Whose:
    if "@" not in user:
        return store.Whose(user, None, ())
    email = canonical_email(user)
    keys = ctx.app.keys.all("audit")
    return store.Whose(None, email, tuple(journal.keyed(key, tenant, email) for key in keys))
