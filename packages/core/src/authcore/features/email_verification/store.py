"""What happens inside transactions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from authcore.ports import counting
from authcore.services import accounts, challenges, credentials, events
from authcore.services.accounts import UserShape
from authcore.services.challenges import Attempt, Challenge, Refused, Spent
from authcore.services.events import Event, Occurred


@counting
def confirm(
    tx: Connection, attempt: Attempt, signed_in: str | None, happened: Occurred, shape: UserShape
) -> Event | None:
    """Spend a link or a code and note that its address is proven; answer the event, or None if it opens nothing.

    `signed_in` is the id of the user who sends it, if anybody is signed in.
    """
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            return _prove(tx, challenge, signed_in, happened, shape, attempt.now)


def _prove(
    tx: Connection, challenge: Challenge, signed_in: str | None, happened: Occurred, shape: UserShape, now: datetime
) -> Event | None:
    user_id = challenge.subject
    account = accounts.by_id(tx, challenge.tenant, user_id, shape)
    if account is None or account.user.email != challenge.recipient:
        return None
    challenges.end_earlier(tx, challenge)
    # Rule A3: whoever opens the mail without the account's session may be the victim of a stranger who signed up with
    # this address. What that stranger set goes before the account is the mailbox's.
    proven = accounts.mark_verified if user_id == signed_in else credentials.prove_mailbox
    return _told(tx, challenge.tenant, user_id, happened, shape) if proven(tx, user_id, now) else None


def mark(
    tx: Connection, tenant: str, user_id: str, now: datetime, happened: Occurred, shape: UserShape
) -> Event | None:
    """Note that the application itself knows the address to be the user's; None if it was noted before."""
    if not accounts.mark_verified(tx, user_id, now):
        return None
    return _told(tx, tenant, user_id, happened, shape)


def _told(tx: Connection, tenant: str, user_id: str, happened: Occurred, shape: UserShape) -> Event | None:
    account = accounts.by_id(tx, tenant, user_id, shape)
    return None if account is None else events.write(tx, happened, user=account.user)
