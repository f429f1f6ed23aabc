"""What happens inside the transaction that replaces a password."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from authcore.services import accounts, challenges, credentials, events, passwords
from authcore.services.accounts import Account, UserShape
from authcore.services.challenges import Spent
from authcore.services.events import Event, Occurred
from authcore.values import Value


class Replacement(Value, frozen=True):
    """All that the transaction needs. `keep` is the policy's history; `provider` asks that the account still is known
    by the address or phone, which a broker with users of its own does not.
    """

    hidden = frozenset({"digest"})
    checked: Spent
    digest: str
    now: datetime
    keep: int
    provider: str | None
    shape: UserShape
    verified: Occurred
    reset: Occurred


class Replaced(Value, frozen=True):
    """The account under its next epoch, and what is to be told."""

    account: Account
    happened: Sequence[Event]


def replace(tx: Connection, given: Replacement) -> Replaced | None:
    """Spend what was checked and store the password; None if either is no longer what it was then.

    Everything that the earlier password opened ends here (rule T9), and failures counted against it are forgotten:
    the method is bound again (rule A6).
    """
    challenge, now = given.checked.challenge, given.now
    if not challenges.spend_checked(tx, given.checked, now):
        return None
    account = _owner(tx, given)
    if account is None:
        return None
    user_id, told = account.user.id, []
    # A3: what a stranger set before anybody had proven the mailbox goes first, its history as well.
    proven = challenge.recipient == account.user.email and credentials.prove_mailbox(tx, user_id, now)
    passwords.put(tx, user_id, given.digest, now, keep=given.keep)
    for _, identifier in accounts.identifiers(tx, challenge.tenant, user_id):
        passwords.forgive(tx, challenge.tenant, identifier)
    passwords.forgive(tx, challenge.tenant, user_id)  # where those of an account without an address are counted
    credentials.end(tx, user_id, now)
    after = accounts.by_id(tx, challenge.tenant, user_id, given.shape) or account
    if proven:
        told.append(events.write(tx, given.verified, user=after.user))
    told.append(events.write(tx, given.reset, user=after.user))
    return Replaced(after, told)


def _owner(tx: Connection, given: Replacement) -> Account | None:
    challenge = given.checked.challenge
    account = accounts.by_id(tx, challenge.tenant, challenge.user_id or "", given.shape)
    if account is None or account.disabled:
        return None
    if given.provider is None:
        return account
    owner = accounts.owner(tx, challenge.tenant, given.provider, challenge.subject)
    return account if owner == account.user.id else None
