"""What happens inside transactions."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from sqlalchemy import bindparam, case, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.features.password.settings import MAX_FAILURES
from authcore.features.password.tables import attempts, passwords
from authcore.ports import counting
from authcore.services import accounts, challenges, events, outbox
from authcore.services.accounts import EMAIL_PASSWORD, Account, NewUser, identities, users
from authcore.services.challenges import Attempt, Challenge, Refused, Spent
from authcore.tables import UtcDateTime
from authcore.values import Value

NOBODYS = timedelta(days=1)
"""After so long without a failure, the failures of an address that has no account count from 1 again."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

_CREDENTIAL = (
    select(
        users.c.id,
        users.c.email,
        users.c.email_verified_at,
        users.c.display_name,
        users.c.anonymous,
        users.c.created_at,
        users.c.updated_at,
        users.c.credential_epoch,
        users.c.disabled_at,
        passwords.c.digest,
    )
    .select_from(
        identities.join(users, users.c.id == identities.c.user_id).join(passwords, passwords.c.user_id == users.c.id)
    )
    .where(
        identities.c.tenant == bindparam("tenant_"),
        identities.c.provider == EMAIL_PASSWORD,
        identities.c.identifier == bindparam("email_"),
    )
)
_FAILURES = select(attempts.c.failures).where(attempts.c.key == bindparam("key_"))
_DIGEST = select(passwords.c.digest).where(passwords.c.user_id == bindparam("user_"))
_INSERT_PASSWORD, _INSERT_ATTEMPT = insert(passwords), insert(attempts)
# MySQL assigns from left to right and reads what it has assigned: the failures first, as the columns stand.
_COUNT = (
    update(attempts)
    .where(attempts.c.key == bindparam("key_"))
    .values(
        failures=case(
            (attempts.c.failed_at < bindparam("since_", type_=UtcDateTime), 1), else_=attempts.c.failures + 1
        ),
        failed_at=bindparam("now_"),
    )
)
_FORGIVE = delete(attempts).where(attempts.c.key == bindparam("key_"))
_STALE = (
    select(attempts.c.key)
    .where(attempts.c.failed_at < bindparam("before_"), attempts.c.failures < MAX_FAILURES)
    .limit(bindparam("most_"))
)
_CLEAN = delete(attempts).where(
    attempts.c.key == bindparam("key_"),
    attempts.c.failed_at < bindparam("before_"),
    attempts.c.failures < MAX_FAILURES,
)
_REHASH = (
    update(passwords)
    .where(passwords.c.user_id == bindparam("user_"), passwords.c.digest == bindparam("old_"))
    .values(digest=bindparam("new_"), updated_at=bindparam("now_"))
)


class Credential(Value, frozen=True):
    """What is known of an address: the account with its digest, if any, and its consecutive failures."""

    hidden: ClassVar = frozenset({"digest"})
    account: Account | None
    digest: str | None
    failures: int


def attempt_key(tenant: str, email: str) -> bytes:
    """Answer the key under which failures of an address are counted."""
    return hashlib.sha256(f"{tenant}\0{email}".encode()).digest()


def credential(tx: Connection, tenant: str, email: str) -> Credential:
    """Answer what is known of an address."""
    failures = tx.execute(_FAILURES, {"key_": attempt_key(tenant, email)}).scalar_one_or_none() or 0
    row = tx.execute(_CREDENTIAL, {"tenant_": tenant, "email_": email}).one_or_none()
    if row is None:
        return Credential(None, None, failures)
    account = Account(accounts.user_of(row), row.credential_epoch, row.disabled_at is not None)
    return Credential(account, row.digest, failures)


def digest_of(tx: Connection, user_id: str) -> str | None:
    """Answer the digest of a user's password."""
    found: str | None = tx.execute(_DIGEST, {"user_": user_id}).scalar_one_or_none()
    return found


@counting
def count_failure(tx: Connection, tenant: str, email: str, now: datetime, *, owned: bool) -> None:
    """Count a failure: for an address with an account all in a row, for one without those of a day (rule A6)."""
    known = {"key_": attempt_key(tenant, email), "now_": now, "since_": _EVER if owned else now - NOBODYS}
    if tx.execute(_COUNT, known).rowcount:
        return
    try:
        with tx.begin_nested():
            tx.execute(_INSERT_ATTEMPT, {"key": known["key_"], "failures": 1, "failed_at": now})
    except IntegrityError:
        tx.execute(_COUNT, known)


def forgive(tx: Connection, tenant: str, email: str) -> bool:
    """Forget the failures of an address; tell whether there were any."""
    return tx.execute(_FORGIVE, {"key_": attempt_key(tenant, email)}).rowcount == 1


def clean_attempts(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` counts without a failure since a time; answer how many.

    A password that rests stays so: only its owner's binding, or the application, ends that (rule A6).
    """
    keys = sorted(tx.execute(_STALE, {"before_": before, "most_": most}).scalars())
    if keys:
        tx.execute(_CLEAN, [{"key_": key, "before_": before} for key in keys])
    return len(keys)


def rehash(tx: Connection, user_id: str, old: str, new: str, now: datetime) -> None:
    """Replace a digest by one with the present parameters, unless the password changed meanwhile."""
    tx.execute(_REHASH, {"user_": user_id, "old_": old, "new_": new, "now_": now})


def insert_password(tx: Connection, user_id: str, digest: str, now: datetime) -> None:
    """Store a user's first password."""
    tx.execute(_INSERT_PASSWORD, {"user_id": user_id, "digest": digest, "created_at": now, "updated_at": now})


def register(tx: Connection, new: NewUser, digest: str, mail: outbox.Effect | None, event: events.EventRow) -> bool:
    """Make a user with a password at once; tell whether the address was free."""
    try:
        with tx.begin_nested():
            if not accounts.create(tx, new):
                return False
    except IntegrityError:
        return False
    insert_password(tx, new.id, digest, new.created_at)
    # A6: what strangers guessed before there was a password is none of its failures.
    forgive(tx, new.tenant, new.email)
    if mail is not None:
        outbox.enqueue(tx, mail)
    events.record(tx, event, user_id=new.id)
    return True


def pend(tx: Connection, challenge: Challenge, key: tuple[str, bytes], mail: outbox.Effect) -> None:
    """Store a pending registration and its mail: the same rows, whether the address has an account or not."""
    challenges.insert_row(tx, challenge, *key)
    outbox.enqueue(tx, mail)


@counting
def verify(tx: Connection, attempt: Attempt, new: NewUser, digest: str, event: events.EventRow) -> bool:
    """Spend the code and make the user in one transaction; tell whether both were done."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return False
        case Spent():
            return register(tx, new, digest, None, event)


def resend(tx: Connection, challenge: Challenge, now: datetime, key: tuple[str, bytes], mail: outbox.Effect) -> bool:
    """Put a fresh code under the same id and mail it; tell whether this caller won."""
    if not challenges.send_again(tx, challenge, now, *key):
        return False
    outbox.enqueue(tx, mail)
    return True
