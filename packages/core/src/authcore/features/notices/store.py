"""What happens inside transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.features.notices.tables import known_devices
from authcore.services import events, outbox
from authcore.services.events import Event, Occurred
from authcore.services.outbox import Effect
from authcore.services.sessions import Client, sessions

_SESSION = select(sessions.c.ip, sessions.c.user_agent, sessions.c.device_id, sessions.c.device_name).where(
    sessions.c.id == bindparam("id_"), sessions.c.tenant == bindparam("tenant_")
)
_SEEN = (
    update(known_devices)
    .where(
        known_devices.c.user_id == bindparam("user_"),
        known_devices.c.digest.in_(bindparam("digests_", expanding=True)),
    )
    .values(last_seen_at=bindparam("now_"))
)
_ANY = select(known_devices.c.digest).where(known_devices.c.user_id == bindparam("user_")).limit(1)
_INSERT = insert(known_devices)
_later = known_devices.alias("later")
# The last device that was seen stays, however long ago: else the next one would be taken for the account's first.
_OVER = (
    select(known_devices.c.user_id, known_devices.c.digest)
    .where(
        known_devices.c.last_seen_at < bindparam("before_"),
        exists().where(
            _later.c.user_id == known_devices.c.user_id, _later.c.last_seen_at > known_devices.c.last_seen_at
        ),
    )
    .limit(bindparam("most_"))
)
_CLEAN = delete(known_devices).where(
    known_devices.c.user_id == bindparam("user_"), known_devices.c.digest == bindparam("digest_")
)


def client_of(tx: Connection, tenant: str, session_id: str) -> Client | None:
    """Answer where a session was made."""
    row = tx.execute(_SESSION, {"id_": session_id, "tenant_": tenant}).one_or_none()
    return Client(row.ip, row.user_agent, row.device_id, row.device_name) if row else None


def meet(
    tx: Connection, user_id: str, digests: Sequence[bytes], now: datetime, happened: Occurred, notice: Effect | None
) -> Event | None:
    """Note that a user's device was seen; of one that is not known, nor the account's first, write event and mail."""
    if tx.execute(_SEEN, {"user_": user_id, "digests_": list(digests), "now_": now}).rowcount:
        return None
    is_first = tx.execute(_ANY, {"user_": user_id}).first() is None
    if not add(tx, user_id, digests[0], now) or is_first:
        return None
    if notice is not None:
        outbox.enqueue(tx, notice)
    return events.write(tx, happened)


def add(tx: Connection, user_id: str, digest: bytes, now: datetime) -> bool:
    """Note a device that was not known; tell whether it was noted here, as one of two sign-ins at a time does."""
    seen = {"first_seen_at": now, "last_seen_at": now}
    try:
        with tx.begin_nested():
            tx.execute(_INSERT, {"user_id": user_id, "digest": digest, **seen})
    except IntegrityError:
        return False
    return True


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` devices that were not seen since a time; answer how many."""
    rows = sorted(tx.execute(_OVER, {"before_": before, "most_": most}).all())
    if rows:
        tx.execute(_CLEAN, [{"user_": user_id, "digest_": digest} for user_id, digest in rows])
    return len(rows)
