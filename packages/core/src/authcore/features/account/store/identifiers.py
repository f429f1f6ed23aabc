"""Adding, moving and removing the addresses and the number by which a tenant knows a user.

Who loses one may have signed in by it, elsewhere: so every other session ends with it (rule T9).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.errors import NotAuthenticated, field_error
from authcore.features.account.errors import EmailsTooNew, LastIdentifier, PrimaryEmail
from authcore.ports import counting
from authcore.services import accounts, challenges, credentials, events, outbox, passwords, revocations, sessions
from authcore.services.accounts import EMAIL_PASSWORD, PHONE, USERNAME, User, UserShape, identities, users
from authcore.services.challenges import Attempt, Refused, Spent
from authcore.services.events import Event, Occurred
from authcore.services.outbox import Effect
from authcore.services.sessions import Issued
from authcore.values import Value

_EMAILS = (
    select(identities.c.identifier, identities.c.created_at)
    .where(
        identities.c.tenant == bindparam("tenant_"),
        identities.c.user_id == bindparam("user_"),
        identities.c.provider == EMAIL_PASSWORD,
    )
    .order_by(identities.c.created_at, identities.c.identifier)
)
_mine = (users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_MOVE = (
    update(users)
    .where(*_mine)
    .values(email=bindparam("email_"), email_verified_at=bindparam("now_"), updated_at=bindparam("now_"))
)
_SET_PHONE = update(users).where(*_mine).values(phone=bindparam("phone_"), updated_at=bindparam("now_"))
_about = challenges.challenges.c
_FORGET = delete(challenges.challenges).where(
    _about.tenant == bindparam("tenant_"),
    or_(_about.subject == bindparam("it_"), _about.recipient == bindparam("it_")),
)


def emails(tx: Connection, tenant: str, user_id: str) -> Sequence[Any]:
    """Answer a user's addresses as rows of (identifier, created_at), the oldest first."""
    return tx.execute(_EMAILS, {"tenant_": tenant, "user_": user_id}).all()


def may_sign_in(tx: Connection, tenant: str, user_id: str) -> bool:
    """Tell whether a user is known by anything that opens the account: a name alone needs its password."""
    known = {provider for provider, _ in accounts.identifiers(tx, tenant, user_id)}
    if known & {EMAIL_PASSWORD, PHONE}:
        return True
    return USERNAME in known and passwords.digest_of(tx, user_id) is not None


class Change(Value, frozen=True, kw_only=True):
    """A change of what names a user, drawn before its transaction.

    `issued` carries on the session that asks where all others end. `told` are mails by which addresses hear of it.
    """

    hidden: ClassVar = frozenset({"issued"})
    tenant: str
    user: User
    now: datetime
    issued: Issued
    happened: Occurred
    told: Sequence[Effect] = ()


class Changed(Value, frozen=True):
    """The user after it; `carried` tells that the session has other secrets."""

    user: User
    event: Event
    carried: bool = False


# --- addresses ---


@counting
def add_email(tx: Connection, attempt: Attempt, change: Change, most: int, shape: UserShape) -> Changed | None:
    """Spend the link or the code and let the address open the account; None if it opens nothing, or is taken."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            pass
    _lock(tx, change)
    full = len(emails(tx, change.tenant, change.user.id)) >= most
    if full or not _take(tx, change, EMAIL_PASSWORD, challenge.recipient):
        return None
    for mail in change.told:
        outbox.enqueue(tx, mail)
    # A6: what strangers guessed at the address before it was this user's is none of its failures.
    passwords.forgive(tx, change.tenant, challenge.recipient)
    return _changed(tx, change, shape, email=challenge.recipient)


def make_primary(tx: Connection, change: Change, email: str, shape: UserShape) -> Changed:
    """Move the user's first address to another of its own; raise InvalidFields for any other."""
    _lock(tx, change)
    before = _user(tx, change, shape)
    if email not in {row.identifier for row in emails(tx, change.tenant, before.id)}:
        raise field_error("email", "unknown", "This is none of your addresses.")
    if before.email is not None and before.email != email and not before.email_verified:
        # Nobody has proven it: as a further address it would pass for proven.
        accounts.drop_identity(tx, change.tenant, EMAIL_PASSWORD, before.email, before.id)
    tx.execute(_MOVE, {"id_": before.id, "tenant_": change.tenant, "email_": email, "now_": change.now})
    # A6: failures count at the first address, as many at this one as there were at the one before.
    passwords.carry(tx, change.tenant, before.email or before.id, email)
    for mail in change.told:
        outbox.enqueue(tx, mail)
    return _changed(tx, change, shape, old_email=before.email)


def remove_email(tx: Connection, change: Change, email: str, settling: timedelta, shape: UserShape) -> Changed:
    """Let an address open the account no more; raise InvalidFields, PrimaryEmail, EmailsTooNew."""
    _lock(tx, change)
    user = _user(tx, change, shape)
    since = {row.identifier: row.created_at for row in emails(tx, change.tenant, user.id)}
    if email not in since:
        raise field_error("email", "unknown", "This is none of your addresses.")
    if email == user.email:
        raise PrimaryEmail()
    left = [at for other, at in since.items() if other != email]
    # Whoever stole a session adds an address of its own: the owner's stays good for some days at least.
    if all(at > since[email] and change.now - at < settling for at in left):
        raise EmailsTooNew()
    accounts.drop_identity(tx, change.tenant, EMAIL_PASSWORD, email, user.id)
    _lose(tx, change, email)
    for mail in change.told:
        outbox.enqueue(tx, mail)
    return _changed(tx, change, shape, carried=True, email=email)


# --- the number ---


@counting
def set_phone(tx: Connection, attempt: Attempt, change: Change, shape: UserShape) -> Changed | None:
    """Spend the code and let the number be the user's; None if it opens nothing, or the number is taken."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            pass
    _lock(tx, change)
    old, number = _phone(tx, change, shape), challenge.recipient
    if old == number or not _take(tx, change, PHONE, number):
        return None
    if old is not None:
        accounts.drop_identity(tx, change.tenant, PHONE, old, change.user.id)
        _lose(tx, change, old)
    _write_phone(tx, change, number)
    return _changed(tx, change, shape, carried=old is not None)


def drop_phone(tx: Connection, change: Change, shape: UserShape) -> Changed | None:
    """Let the number be the user's no more; None if there is none. Raises LastIdentifier."""
    _lock(tx, change)
    old = _phone(tx, change, shape)
    if old is None:
        return None
    accounts.drop_identity(tx, change.tenant, PHONE, old, change.user.id)
    if not may_sign_in(tx, change.tenant, change.user.id):
        raise LastIdentifier()
    _lose(tx, change, old)
    _write_phone(tx, change, None)
    return _changed(tx, change, shape, carried=True)


def _phone(tx: Connection, change: Change, shape: UserShape) -> str | None:
    phone = _user(tx, change, shape).phone
    return phone if isinstance(phone, str) else None


def _write_phone(tx: Connection, change: Change, phone: str | None) -> None:
    tx.execute(_SET_PHONE, {"id_": change.user.id, "tenant_": change.tenant, "phone_": phone, "now_": change.now})


# --- what they share ---


def _lock(tx: Connection, change: Change) -> None:
    if credentials.lock(tx, change.user.id) is None:
        raise NotAuthenticated()
    # T9: an undo, or a reset, that was faster has ended this session: it must not be carried over that.
    if not sessions.still_live(tx, change.tenant, change.issued.session.id, change.now):
        raise NotAuthenticated()


def _user(tx: Connection, change: Change, shape: UserShape) -> User:
    account = accounts.by_id(tx, change.tenant, change.user.id, shape)
    if account is None:
        raise NotAuthenticated()
    return account.user


def _take(tx: Connection, change: Change, provider: str, identifier: str) -> bool:
    if accounts.holder(tx, change.tenant, provider, identifier) is not None:
        return False
    try:
        with tx.begin_nested():
            accounts.add_identity(tx, change.tenant, provider, identifier, change.user.id, change.now)
    except IntegrityError:
        return False
    return True


def _lose(tx: Connection, change: Change, identifier: str) -> None:
    """End what was sent to an identifier, and every session but the one that asks (rule T9)."""
    tx.execute(_FORGET, {"tenant_": change.tenant, "it_": identifier})
    epoch = credentials.end(tx, change.user.id, change.now)
    if not sessions.step_up(tx, change.tenant, change.issued, change.now, epoch):
        raise NotAuthenticated()


def _changed(tx: Connection, change: Change, shape: UserShape, *, carried: bool = False, **found: Any) -> Changed:
    user = _user(tx, change, shape)
    revocations.changed(tx, user.id, change.now)
    return Changed(user, events.write(tx, change.happened, user=user, **found), carried)
