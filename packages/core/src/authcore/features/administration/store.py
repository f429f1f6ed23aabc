"""What happens inside transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.features.administration.schemas import AccountInfo, State
from authcore.services import accounts, credentials, events, passwords, sessions
from authcore.services.accounts import ACCOUNT_COLUMNS, NewUser, UserShape, users
from authcore.services.events import Event, Occurred
from authcore.services.passwords import MAX_FAILURES, attempts

_PAGE = (
    select(users.c.id)
    .where(users.c.tenant == bindparam("tenant_"), users.c.id > bindparam("after_"))
    .order_by(users.c.id)
    .limit(bindparam("most_"))
)
_ACCOUNT = select(*ACCOUNT_COLUMNS).where(users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_PASSWORD = select(passwords.passwords.c.must_change).where(passwords.passwords.c.user_id == bindparam("user_"))
_FAILURES = select(attempts.c.failures).where(attempts.c.key == bindparam("key_"))
_mine = (users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_DISABLE = (
    update(users)
    .where(*_mine, users.c.disabled_at.is_(None))
    .values(disabled_at=bindparam("now_"), updated_at=bindparam("now_"))
)
_ENABLE = (
    update(users).where(*_mine, users.c.disabled_at.is_not(None)).values(disabled_at=None, updated_at=bindparam("now_"))
)


def info(tx: Connection, tenant: str, user_id: str, shape: UserShape) -> AccountInfo | None:
    """Answer what is known of an account."""
    row = tx.execute(_ACCOUNT, {"id_": user_id, "tenant_": tenant}).one_or_none()
    if row is None:
        return None
    found = tx.execute(_PASSWORD, {"user_": user_id}).one_or_none()
    return AccountInfo(
        user=shape.of(row),
        state=_state(tx, tenant, row, found),
        has_password=found is not None,
        identifiers=accounts.identifiers(tx, tenant, user_id),
        disabled_at=row.disabled_at,
        delete_at=row.delete_at,
    )


def _state(tx: Connection, tenant: str, row: Any, password: Any) -> State:
    if row.delete_at is not None:
        return "to_be_deleted"
    if row.disabled_at is not None:
        return "disabled"
    if password is not None and password.must_change is not None:
        return "compromised" if password.must_change == "compromised" else "must_change_password"
    if password is not None and _failures(tx, tenant, row.email or row.id) >= MAX_FAILURES:
        return "locked"
    if row.anonymous:
        return "anonymous"
    return "pending" if row.email is not None and row.email_verified_at is None else "active"


def _failures(tx: Connection, tenant: str, name: str) -> int:
    key = passwords.attempt_key(tenant, name)
    return tx.execute(_FAILURES, {"key_": key}).scalar_one_or_none() or 0


def page(tx: Connection, tenant: str, after: str, most: int, shape: UserShape) -> Sequence[AccountInfo]:
    """Answer the accounts after an id, in the order of ids."""
    ids = tx.execute(_PAGE, {"tenant_": tenant, "after_": after, "most_": most}).scalars().all()
    return [found for id_ in ids if (found := info(tx, tenant, id_, shape)) is not None]


def create(tx: Connection, new: NewUser, digest: str | None, happened: Occurred) -> bool:
    """Make a user, with a password where one is given; tell whether every identifier was free."""
    try:
        with tx.begin_nested():
            if not accounts.create(tx, new):
                return False
    except IntegrityError:
        return False
    if digest is not None:
        passwords.insert_first(tx, new.id, digest, new.created_at)
    if new.email is not None:
        passwords.forgive(tx, new.tenant, new.email)
    events.write(tx, happened)
    return True


def disable(tx: Connection, tenant: str, user_id: str, now: datetime, happened: Occurred) -> bool:
    """Disable an account and end all that depends on it (rule T9); tell whether it was enabled."""
    if tx.execute(_DISABLE, {"id_": user_id, "tenant_": tenant, "now_": now}).rowcount == 0:
        return False
    credentials.end(tx, user_id, now)
    events.write(tx, happened)
    return True


def enable(tx: Connection, tenant: str, user_id: str, now: datetime, happened: Occurred) -> bool:
    """Enable an account; tell whether it was disabled. What ended stays ended."""
    if tx.execute(_ENABLE, {"id_": user_id, "tenant_": tenant, "now_": now}).rowcount == 0:
        return False
    events.write(tx, happened)
    return True


def require_change(tx: Connection, user_id: str, happened: Occurred) -> bool:
    """Have a password changed at the next sign-in; tell whether there is one."""
    if not passwords.require_change(tx, user_id):
        return False
    events.write(tx, happened)
    return True


def compromised(tx: Connection, user_id: str, now: datetime, happened: Occurred) -> bool:
    """Let a password open nothing any more, and end all that depends on it; tell whether there is one."""
    if not passwords.mark_compromised(tx, user_id, now):
        return False
    events.write(tx, happened)
    return True


def end_sessions(
    tx: Connection, tenant: str, user_id: str, now: datetime, happened: Occurred
) -> tuple[int, Sequence[Event]]:
    """End a user's sessions, and whatever else a sign-in left behind; answer how many sessions, with the events."""
    ended = sessions.revoke_all(tx, tenant, user_id, now)
    credentials.end(tx, user_id, now)
    return ended, (events.write(tx, happened, count=ended),) if ended else ()
