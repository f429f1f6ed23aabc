"""Accepting an invitation."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.services import accounts, challenges, credentials, events, passwords
from authcore.services.accounts import EMAIL_PASSWORD, Account, NewUser, UserShape
from authcore.services.challenges import Spent
from authcore.services.events import Event, Occurred
from authcore.values import Value


class Acceptance(Value, frozen=True, kw_only=True):
    """The invitation as it was checked, and the user to be made, drawn before the transaction."""

    hidden: ClassVar = frozenset({"digest"})
    checked: Spent
    provider: str
    new: NewUser
    digest: str | None
    now: datetime
    shape: UserShape
    born: tuple[Occurred, ...]
    verified: Occurred


class Accepted(Value, frozen=True):
    """The account, whether it was made here, and what is to be told."""

    account: Account
    made: bool
    happened: tuple[Event, ...] = ()


def note(tx: Connection, happened: Occurred) -> None:
    """Keep that somebody was invited."""
    events.write(tx, happened)


def accept(tx: Connection, given: Acceptance) -> Accepted | None:
    """Spend the invitation and make the user; whoever has an account by now enters that one. None if it opens nothing.

    Every other invitation of the same address or number ends.
    """
    challenge = given.checked.challenge
    challenges.hold_all(tx, challenge)
    if not challenges.spend_checked(tx, given.checked, given.now):
        return None
    challenges.end_earlier(tx, challenge)
    if _made(tx, given.new):
        return Accepted(given.new.account(), True, _register(tx, given))
    user_id = accounts.owner(tx, challenge.tenant, given.provider, challenge.recipient)
    return None if user_id is None else _enter(tx, given, user_id)


def _made(tx: Connection, new: NewUser) -> bool:
    try:
        with tx.begin_nested():
            return accounts.create(tx, new)
    except IntegrityError:  # somebody else's proof of the same identifier came first
        return False


def _register(tx: Connection, given: Acceptance) -> tuple[Event, ...]:
    user = given.new.user()
    if given.digest is not None:
        passwords.insert_first(tx, user.id, given.digest, given.now)
    # A6: what strangers guessed before there was an account is none of its failures.
    passwords.forgive(tx, given.new.tenant, user.email or user.id)
    born = events.write_all(tx, given.born)
    return (*born, events.write(tx, given.verified, user=user)) if user.email_verified else born


def _enter(tx: Connection, given: Acceptance, user_id: str) -> Accepted | None:
    tenant, recipient = given.new.tenant, given.checked.challenge.recipient
    account = accounts.by_id(tx, tenant, user_id, given.shape)
    # T9: the invitation is older than the account, so it cannot have ended with its credentials when they changed.
    if account is None or account.disabled or account.epoch != 0:
        return None
    if given.provider != EMAIL_PASSWORD or account.user.email != recipient:
        return Accepted(account, False)
    # A3: what a stranger may have set while nobody had proven the mailbox goes first.
    if not credentials.prove_mailbox(tx, user_id, given.now):
        return Accepted(account, False)
    fresh = accounts.by_id(tx, tenant, user_id, given.shape) or account
    return Accepted(fresh, False, (events.write(tx, given.verified, user=fresh.user),))
