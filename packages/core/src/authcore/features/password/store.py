"""What happens inside transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from sqlalchemy import bindparam, case, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.ports import counting
from authcore.services import accounts, challenges, credentials, events, outbox, sessions
from authcore.services.accounts import (
    ACCOUNT_COLUMNS,
    EMAIL_PASSWORD,
    Account,
    NewUser,
    UserShape,
    asked,
    owner_or_anybody,
    users,
)
from authcore.services.challenges import Attempt, Refused, Spent
from authcore.services.events import Occurred
from authcore.services.passwords import (
    MAX_FAILURES,
    attempt_key,
    attempts,
    digest_of,
    forgive,
    insert_first,
    passwords,
)
from authcore.services.sessions import Issued
from authcore.tables import UtcDateTime
from authcore.values import Value

USER = "user"
"""Stands for a provider where a credential is asked for by the user's id."""
NOBODYS = timedelta(days=1)
"""After so long without a failure, the failures of an address that has no account count from 1 again."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

_OF_USER = select(*ACCOUNT_COLUMNS, passwords.c.digest, passwords.c.must_change, passwords.c.changed_at).select_from(
    users.join(passwords, passwords.c.user_id == users.c.id)
)
_BY_USER = _OF_USER.where(users.c.tenant == bindparam("tenant_"), users.c.id == bindparam("identifier_"))
_BY_NAME = select(
    *ACCOUNT_COLUMNS, passwords.c.digest, passwords.c.must_change, passwords.c.changed_at, asked.c.owner
).select_from(owner_or_anybody.outerjoin(passwords, passwords.c.user_id == users.c.id))
_FAILURES = select(attempts.c.failures).where(attempts.c.key == bindparam("key_"))
_INSERT_ATTEMPT = insert(attempts)
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


class Credential(Value, frozen=True):
    """What is known of a name: the account with its digest, if any, and its consecutive failures.

    Those are counted under `key`: the account's own, so that further names buy no more guesses, or the name where there
    is no account (rule A6).
    """

    hidden: ClassVar = frozenset({"digest"})
    account: Account | None
    digest: str | None
    failures: int
    key: str
    must_change: str | None = None
    changed_at: datetime | None = None


def credential(tx: Connection, tenant: str, name: str, shape: UserShape, provider: str = EMAIL_PASSWORD) -> Credential:
    """Answer what is known of an address, or of a name of another `provider`; the work is one for all (rule A2)."""
    known = {"tenant_": tenant, "identifier_": name, "provider_": provider}
    row = tx.execute(_BY_USER if provider == USER else _BY_NAME, known).one_or_none()
    account = None if row is None else accounts.account_of(row, shape)
    if row is None or row.digest is None or (provider != USER and row.owner is None):
        return Credential(None, None, _failures(tx, tenant, name), name)
    key = row.email or row.id
    return Credential(account, row.digest, _failures(tx, tenant, key), key, row.must_change, row.changed_at)


def _failures(tx: Connection, tenant: str, key: str) -> int:
    return tx.execute(_FAILURES, {"key_": attempt_key(tenant, key)}).scalar_one_or_none() or 0


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


def clean_attempts(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` counts without a failure since a time; answer how many.

    A password that rests stays so: only its owner's binding, or the application, ends that (rule A6).
    """
    keys = sorted(tx.execute(_STALE, {"before_": before, "most_": most}).scalars())
    if keys:
        tx.execute(_CLEAN, [{"key_": key, "before_": before} for key in keys])
    return len(keys)


def unlock(
    tx: Connection, tenant: str, email: str, happened: Occurred, shape: UserShape
) -> tuple[bool, events.Event | None]:
    """Forget the failures of an address; answer whether there were any, and the event if it has an account."""
    forgiven = forgive(tx, tenant, email)
    account = credential(tx, tenant, email, shape).account
    if not forgiven or account is None:
        return forgiven, None
    return True, events.write(tx, happened, user=account.user)


@counting
def unlock_by_link(tx: Connection, attempt: Attempt, happened: Occurred, shape: UserShape) -> events.Event | None:
    """Spend an unlock link and forget the failures of its address; answer the event, or None if it opens nothing."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return None
        case Spent(challenge=challenge):
            forgive(tx, challenge.tenant, challenge.subject)
            account = credential(tx, challenge.tenant, challenge.subject, shape).account
            return None if account is None else events.write(tx, happened, user=account.user)


def register(
    tx: Connection, new: NewUser, digest: str, mail: outbox.Effect | None, happened: Sequence[Occurred]
) -> bool:
    """Make a user with a password at once; tell whether the address was free."""
    try:
        with tx.begin_nested():
            if not accounts.create(tx, new):
                return False
    except IntegrityError:
        return False
    insert_first(tx, new.id, digest, new.created_at)
    # A6: what strangers guessed before there was a password is none of its failures.
    forgive(tx, new.tenant, new.email or "")
    if mail is not None:
        outbox.enqueue(tx, mail)
    events.write_all(tx, happened)
    return True


@counting
def verify(tx: Connection, attempt: Attempt, new: NewUser, digest: str, happened: Sequence[Occurred]) -> bool:
    """Spend the code and make the user in one transaction; tell whether both were done."""
    spent = challenges.spend(tx, attempt)
    match spent:
        case Refused():
            return False
        case Spent():
            return register(tx, new, digest, None, happened)


class Binding(Value, frozen=True):
    """A password that takes the place of another, drawn before the transaction.

    `epoch` is the user's when it was proven who asks; `issued` carries on the session that asked, if one did.
    """

    hidden: ClassVar = frozenset({"digest"})
    tenant: str
    user_id: str
    digest: str
    now: datetime
    keep: int
    epoch: int | None
    issued: Issued | None = None


def change(tx: Connection, made: Binding, happened: Occurred) -> bool:
    """Replace the password; tell whether what allowed it still holds."""
    if not _holds(tx, made):
        return False
    _bind(tx, made)
    events.write(tx, happened)
    return True


@counting
def change_by_code(tx: Connection, attempt: Attempt, made: Binding, happened: Occurred) -> bool:
    """Spend the code and replace the password by the pending one; tell whether both were done."""
    if not _holds(tx, made) or isinstance(challenges.spend(tx, attempt), Refused):
        return False
    _bind(tx, made)
    events.write(tx, happened)
    return True


@counting
def renew(tx: Connection, attempt: Attempt, made: Binding, happened: Occurred) -> int | None:
    """Spend the challenge and replace the password; answer the epoch under which the sign-in goes on, or None."""
    if not _holds(tx, made) or isinstance(challenges.spend(tx, attempt), Refused):
        return None
    epoch = _bind(tx, made)
    events.write(tx, happened)
    return epoch


def set_first(tx: Connection, made: Binding, happened: Occurred) -> bool:
    """Store a first password; tell whether there was none and what allowed it still holds."""
    return digest_of(tx, made.user_id) is None and change(tx, made, happened)


def _holds(tx: Connection, made: Binding) -> bool:
    """Lock the user and tell whether nothing changed since (rule T9): of two changes at once, one comes too late."""
    epoch = credentials.lock(tx, made.user_id)
    if epoch is None or made.epoch not in (None, epoch):
        return False
    return made.issued is None or sessions.still_live(tx, made.tenant, made.issued.session.id, made.now)


def _bind(tx: Connection, made: Binding) -> int:
    epoch = credentials.bind_password(tx, made.tenant, made.user_id, made.digest, made.now, keep=made.keep)
    if made.issued is not None:
        sessions.step_up(tx, made.tenant, made.issued, made.now, epoch)
    return epoch
