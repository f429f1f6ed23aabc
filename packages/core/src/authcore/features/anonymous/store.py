"""What happens inside transactions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, bindparam, exists, or_, select
from sqlalchemy.engine import Connection

from authcore.services.accounts import users
from authcore.services.sessions import sessions

_lately = and_(
    sessions.c.user_id == users.c.id,
    sessions.c.epoch == users.c.credential_epoch,
    or_(sessions.c.revoked_at.is_(None), sessions.c.revoked_at >= bindparam("before_")),
    sessions.c.expires_at >= bindparam("before_"),
    sessions.c.ends_at >= bindparam("before_"),
)
_GONE = (
    select(users.c.tenant, users.c.id)
    .where(
        users.c.anonymous.is_(True),
        users.c.updated_at < bindparam("before_"),
        ~exists(select(sessions.c.id).where(_lately)),
    )
    .order_by(users.c.id)
    .limit(bindparam("most_"))
)


def gone(tx: Connection, before: datetime, most: int) -> list[tuple[str, str]]:
    """Answer at most `most` guests whom nobody could have been since a time, each as (tenant, id)."""
    rows = tx.execute(_GONE, {"before_": before, "most_": most})
    return [(row.tenant, row.id) for row in rows]
