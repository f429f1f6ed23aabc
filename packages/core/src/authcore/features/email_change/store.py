"""What happens inside transactions.

An address that was left is kept as an identity of the provider "email_reserved" until nobody can come back to it: there
is no moment at which somebody else could take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.errors import NotAuthenticated
from authcore.ports import counting
from authcore.services import accounts, challenges, credentials, events, outbox, passwords, sessions
from authcore.services.accounts import EMAIL_PASSWORD, EMAIL_RESERVED, PHONE, User, UserShape, identities, users
from authcore.services.challenges import Attempt, Challenge, Refused, Spent
from authcore.services.events import Event, Occurred
from authcore.services.outbox import Effect
from authcore.services.sessions import Issued
from authcore.values import Value

_mine = (
    identities.c.tenant == bindparam("tenant_"),
    identities.c.identifier == bindparam("identifier_"),
    identities.c.user_id == bindparam("user_"),
)
_TURN = (
    update(identities)
    .where(*_mine, identities.c.provider == bindparam("from_"))
    .values(provider=bindparam("to_"), created_at=bindparam("now_"))
)
_RESERVED_AT = select(identities.c.created_at).where(*_mine, identities.c.provider == EMAIL_RESERVED)
_since = (
    identities.c.tenant == bindparam("tenant_"),
    identities.c.user_id == bindparam("user_"),
    identities.c.created_at >= bindparam("since_"),
)
_RELEASE = delete(identities).where(*_since, identities.c.provider == EMAIL_RESERVED)
_DROP = delete(identities).where(
    *_since, identities.c.provider == bindparam("provider_"), identities.c.identifier != bindparam("but_")
)
_OVER = (
    select(identities.c.tenant, identities.c.identifier)
    .where(identities.c.provider == EMAIL_RESERVED, identities.c.created_at < bindparam("before_"))
    .limit(bindparam("most_"))
)
_RELEASE_ONE = delete(identities).where(
    identities.c.tenant == bindparam("tenant_"),
    identities.c.provider == EMAIL_RESERVED,
    identities.c.identifier == bindparam("identifier_"),
    identities.c.created_at < bindparam("before_"),
)
_MOVE = (
    update(users)
    .where(users.c.id == bindparam("user_"))
    .values(email=bindparam("email_"), email_verified_at=bindparam("now_"), updated_at=bindparam("now_"))
)
_FORGET_PHONE = update(users).where(users.c.id == bindparam("user_")).values(phone=None)
_STAY = update(users).where(users.c.id == bindparam("user_"), users.c.delete_at.is_not(None)).values(delete_at=None)
_END_UNDOS = (
    update(challenges.challenges)
    .where(
        challenges.challenges.c.tenant == bindparam("tenant_"),
        challenges.challenges.c.purpose == bindparam("purpose_"),
        challenges.challenges.c.subject == bindparam("user_"),
        challenges.challenges.c.created_at >= bindparam("since_"),
        challenges.challenges.c.spent_at.is_(None),
    )
    .values(spent_at=bindparam("now_"))
)


class Undo(Value, frozen=True):
    """The challenge by which the old address takes the change back, with the code's digest that its row wants."""

    hidden: ClassVar = frozenset({"key"})
    challenge: Challenge
    key: tuple[str, bytes]


class Back(Value, frozen=True):
    """Everything that an undo needs, drawn before its transaction."""

    attempt: Attempt
    mails: tuple[Effect, ...]
    undone: Occurred
    stays: Occurred


class Change(Value, frozen=True):
    """Everything that a change needs, drawn before its transaction.

    `undo` is None where the old address was never proven, or is left for one that is older still: `since` is when that
    one was left.
    """

    hidden: ClassVar = frozenset({"issued"})
    attempt: Attempt
    user: User
    epoch: int
    issued: Issued
    undo: Undo | None
    since: datetime | None
    mail: Effect | None
    changed: Occurred
    verified: Occurred
    undo_purpose: str


def reserved_at(tx: Connection, tenant: str, user_id: str, email: str) -> datetime | None:
    """Answer when a user left an address that it may still come back to."""
    found: datetime | None = tx.execute(
        _RESERVED_AT, {"tenant_": tenant, "user_": user_id, "identifier_": email}
    ).scalar_one_or_none()
    return found


# --- changing ---


@counting
def confirm(tx: Connection, change: Change, shape: UserShape) -> tuple[User, Sequence[Event]] | None:
    """Spend the link or the code and give the user its other address; None if it opens nothing, or it is taken."""
    spent = challenges.spend(tx, change.attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            pass
    tenant, user, now = challenge.tenant, change.user, change.attempt.now
    # T9: an undo, or a reset, that was faster has ended this session: it must not be carried over that.
    if credentials.lock(tx, user.id) != change.epoch or not _take(tx, tenant, user.id, challenge.recipient, now):
        return None
    _leave(tx, tenant, change, now)
    tx.execute(_MOVE, {"user_": user.id, "email_": challenge.recipient, "now_": now})
    # A6: what strangers guessed at the address before it was this user's is none of its failures.
    passwords.forgive(tx, tenant, challenge.recipient)
    epoch = credentials.end(tx, user.id, now)
    if not sessions.step_up(tx, tenant, change.issued, now, epoch):
        # Ended meanwhile: whoever ended it wants nothing of it to happen any more.
        raise NotAuthenticated()
    return _told(tx, tenant, change, shape)


def _take(tx: Connection, tenant: str, user_id: str, email: str, now: datetime) -> bool:
    """Let the tenant know the user by an address; tell whether it was the user's already, or free."""
    if _turn(tx, tenant, user_id, email, now, EMAIL_RESERVED, EMAIL_PASSWORD):
        return True
    holder = accounts.holder(tx, tenant, EMAIL_PASSWORD, email)
    if holder is not None:
        return holder == user_id
    try:
        with tx.begin_nested():
            accounts.add_identity(tx, tenant, EMAIL_PASSWORD, email, user_id, now)
    except IntegrityError:
        return False
    return True


def _turn(tx: Connection, tenant: str, user_id: str, email: str, now: datetime, before: str, after: str) -> bool:
    known = {"tenant_": tenant, "user_": user_id, "identifier_": email, "now_": now}
    return tx.execute(_TURN, {**known, "from_": before, "to_": after}).rowcount == 1


def _leave(tx: Connection, tenant: str, change: Change, now: datetime) -> None:
    """Let go of the old address: reserved where it may be come back to."""
    old = change.user.email
    if change.undo is not None and old is not None:
        _turn(tx, tenant, change.user.id, old, now, EMAIL_PASSWORD, EMAIL_RESERVED)
        challenges.insert_row(tx, change.undo.challenge, *change.undo.key)
    elif old is not None:
        accounts.drop_identity(tx, tenant, EMAIL_PASSWORD, old, change.user.id)
    if change.since is not None:
        _end_undos(tx, tenant, change.user.id, change.undo_purpose, change.since, now)
    if change.mail is not None:
        outbox.enqueue(tx, change.mail)


def _told(tx: Connection, tenant: str, change: Change, shape: UserShape) -> tuple[User, Sequence[Event]]:
    account = accounts.by_id(tx, tenant, change.user.id, shape)
    if account is None:
        raise NotAuthenticated()
    user = account.user
    changed = events.write(tx, change.changed, user=user, old_email=change.user.email)
    return user, (changed, events.write(tx, change.verified, user=user))


# --- taking it back ---


@counting
def undo(tx: Connection, back: Back, shape: UserShape) -> tuple[User, Sequence[Event]] | None:
    """Spend the old address's link and give the account back to it; None if it opens nothing."""
    spent = challenges.spend(tx, back.attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            return _restore(tx, challenge, back, shape)


def _restore(tx: Connection, challenge: Challenge, back: Back, shape: UserShape) -> tuple[User, Sequence[Event]] | None:
    tenant, user_id, email, now = challenge.tenant, challenge.subject, challenge.recipient, back.attempt.now
    credentials.lock(tx, user_id)
    account = accounts.by_id(tx, tenant, user_id, shape)
    if account is None or not _take(tx, tenant, user_id, email, now):
        return None
    # Whoever changed the address may have left more ways in, or may have made them first: what is no older than the old
    # address's time to undo goes.
    _drop_later(tx, tenant, user_id, email, challenge.created_at - challenge.kind.lives)
    if account.user.email not in (None, email):
        accounts.drop_identity(tx, tenant, EMAIL_PASSWORD, account.user.email or "", user_id)
    _end_undos(tx, tenant, user_id, challenge.kind.purpose, challenge.created_at, now)
    tx.execute(_MOVE, {"user_": user_id, "email_": email, "now_": now})
    # An account that is to be deleted changes no address: the deletion was asked for after the change.
    stays = tx.execute(_STAY, {"user_": user_id}).rowcount == 1
    if not passwords.mark_compromised(tx, user_id, now):
        credentials.end(tx, user_id, now)
    for mail in back.mails:
        outbox.enqueue(tx, mail)
    return _told_back(tx, tenant, user_id, (back.undone, back.stays) if stays else (back.undone,), shape)


def _told_back(
    tx: Connection, tenant: str, user_id: str, happened: Sequence[Occurred], shape: UserShape
) -> tuple[User, Sequence[Event]] | None:
    restored = accounts.by_id(tx, tenant, user_id, shape)
    return None if restored is None else (restored.user, events.write_all(tx, happened, user=restored.user))


def _drop_later(tx: Connection, tenant: str, user_id: str, email: str, since: datetime) -> None:
    known = {"tenant_": tenant, "user_": user_id, "since_": since, "but_": email}
    tx.execute(_DROP, {**known, "provider_": EMAIL_PASSWORD})
    if tx.execute(_DROP, {**known, "provider_": PHONE}).rowcount:
        tx.execute(_FORGET_PHONE, {"user_": user_id})


def _end_undos(tx: Connection, tenant: str, user_id: str, purpose: str, since: datetime, now: datetime) -> None:
    """End what addresses of a later time could undo, and release them: the oldest address has the last word."""
    known = {"tenant_": tenant, "user_": user_id, "since_": since}
    tx.execute(_END_UNDOS, {**known, "purpose_": purpose, "now_": now})
    tx.execute(_RELEASE, known)


def release_old(tx: Connection, before: datetime, most: int) -> int:
    """Release at most `most` addresses that were left before a time; answer how many."""
    rows = tx.execute(_OVER, {"before_": before, "most_": most}).all()
    known = sorted((row.tenant, row.identifier) for row in rows)
    if known:
        tx.execute(
            _RELEASE_ONE,
            [{"tenant_": tenant, "identifier_": email, "before_": before} for tenant, email in known],
        )
    return len(known)
