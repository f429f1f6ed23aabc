"""Scheduling the end of an account, and taking that back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from authcore.features.account.settings import CANCEL
from authcore.ports import counting
from authcore.services import accounts, challenges, credentials, events, outbox
from authcore.services.accounts import User, UserShape, users
from authcore.services.challenges import Attempt, Challenge, Refused, Spent
from authcore.services.events import Event, Occurred
from authcore.services.outbox import Effect
from authcore.values import Value

_mine = (users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_SCHEDULE = (
    update(users)
    .where(*_mine, users.c.delete_at.is_(None))
    .values(delete_at=bindparam("at_"), updated_at=bindparam("now_"))
)
_KEEP = update(users).where(*_mine, users.c.delete_at.is_not(None)).values(delete_at=None, updated_at=bindparam("now_"))
_DUE = (
    select(users.c.tenant, users.c.id)
    .where(users.c.delete_at <= bindparam("now_"))
    .order_by(users.c.delete_at)
    .limit(bindparam("most_"))
)


class Cancel(Value, frozen=True):
    """The challenge that cancels a deletion, with what its row wants, and the message that carries it."""

    hidden: ClassVar = frozenset({"key"})
    challenge: Challenge
    key: tuple[str, bytes]
    message: Effect


class Ending(Value, frozen=True, kw_only=True):
    """The end of an account, drawn before its transaction; without a way to tell the owner there is no `cancel`."""

    tenant: str
    user: User
    now: datetime
    delete_at: datetime
    cancel: Cancel | None
    happened: Occurred


@counting
def confirm(tx: Connection, attempt: Attempt, ending: Ending) -> Event | None:
    """Spend what confirms it and schedule the end; None if it opens nothing."""
    return None if isinstance(challenges.spend(tx, attempt), Refused) else schedule(tx, ending)


def schedule(tx: Connection, ending: Ending) -> Event | None:
    """Let nothing sign in any more, and everything end that does (rule T9); None if the account is going already."""
    times = {"at_": ending.delete_at, "now_": ending.now}
    if tx.execute(_SCHEDULE, {"id_": ending.user.id, "tenant_": ending.tenant, **times}).rowcount == 0:
        return None
    credentials.end(tx, ending.user.id, ending.now)
    if ending.cancel is not None:
        challenges.insert_row(tx, ending.cancel.challenge, *ending.cancel.key)
        # One of an earlier deletion may lie in the mailbox of somebody who had the account meanwhile.
        challenges.end_earlier(tx, ending.cancel.challenge)
        outbox.enqueue(tx, ending.cancel.message)
    return events.write(tx, ending.happened)


@counting
def cancel(tx: Connection, attempt: Attempt, happened: Occurred, shape: UserShape) -> Event | None:
    """Spend what cancels it and let the account stay; None if it opens nothing."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            return keep(tx, challenge.tenant, challenge.subject, attempt.now, happened, shape)


def keep(
    tx: Connection, tenant: str, user_id: str, now: datetime, happened: Occurred, shape: UserShape
) -> Event | None:
    """Let an account stay that was to go, and end what would cancel it again; None if there is none."""
    if tx.execute(_KEEP, {"id_": user_id, "tenant_": tenant, "now_": now}).rowcount == 0:
        return None
    challenges.end_all(tx, tenant, CANCEL, user_id, now)
    account = accounts.by_id(tx, tenant, user_id, shape)
    return None if account is None else events.write(tx, happened, user=account.user)


def due(tx: Connection, now: datetime, most: int) -> Sequence[Any]:
    """Answer the accounts whose time has come, as rows of (tenant, id)."""
    return tx.execute(_DUE, {"now_": now, "most_": most}).all()
