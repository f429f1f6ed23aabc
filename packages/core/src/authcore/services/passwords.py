"""Passwords as they are stored: what sign-in, change, reset and import share.

Whoever stores a password ends what depended on the earlier one by `credentials.end` in the same transaction (rule T9).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Column, Integer, String, Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection

from authcore.tables import PERSONAL, Digest, Key, UtcDateTime, metadata
from authcore.values import Value

MAX_FAILURES = 100  # consecutive; then the method rests until it is bound again, NIST SP 800-63B-4 3.2.2

passwords = Table(
    "authcore_password",
    metadata,
    Column("user_id", Key(), primary_key=True, info=PERSONAL),
    Column("digest", String(512), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("must_change", Key(16), nullable=True),
)
"""`updated_at` moves with the digest, `changed_at` with the password. `must_change` is null, "required" (sign-in asks
for another one) or "compromised" (it opens nothing; only a reset helps)."""

history = Table(
    "authcore_password_history",
    metadata,
    Column("user_id", Key(), primary_key=True, info=PERSONAL),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(512), nullable=False),
    Column("replaced_at", UtcDateTime, nullable=False),
)
"""Digests of the passwords that a user had before, as many as `Password(history=…)` keeps, counted up."""

attempts = Table(
    "authcore_attempt",
    metadata,
    Column("key", Digest, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False, index=True),
)
"""Consecutive failures by address, known or not: the key is a digest of tenant and address, so both cost the
same write.
"""

_DIGEST = select(passwords.c.digest).where(passwords.c.user_id == bindparam("user_"))
_LOCKED = _DIGEST.with_for_update()
_INSERT = insert(passwords)
_SET = (
    update(passwords)
    .where(passwords.c.user_id == bindparam("user_"))
    .values(digest=bindparam("new_"), updated_at=bindparam("now_"), changed_at=bindparam("now_"), must_change=None)
)
_REHASH = (
    update(passwords)
    .where(passwords.c.user_id == bindparam("user_"), passwords.c.digest == bindparam("old_"))
    .values(digest=bindparam("new_"), updated_at=bindparam("now_"))
)
_LAST = select(func.max(history.c.number)).where(history.c.user_id == bindparam("user_"))
_REMEMBER = insert(history)
_FORGET_ALL = delete(history).where(history.c.user_id == bindparam("user_"))
_FORGET = delete(history).where(history.c.user_id == bindparam("user_"), history.c.number <= bindparam("upto_"))
_EARLIER = (
    select(history.c.digest)
    .where(history.c.user_id == bindparam("user_"))
    .order_by(history.c.number.desc())
    .limit(bindparam("most_"))
)
_MARK = update(passwords).where(passwords.c.user_id == bindparam("user_")).values(must_change=bindparam("mark_"))
_REQUIRE = (
    update(passwords)
    .where(
        passwords.c.user_id == bindparam("user_"),
        or_(passwords.c.must_change.is_(None), passwords.c.must_change == "required"),
    )
    .values(must_change="required")
)
_STATE = select(passwords.c.must_change, passwords.c.changed_at).where(passwords.c.user_id == bindparam("user_"))
_DROP = delete(passwords).where(passwords.c.user_id == bindparam("user_"))
_FORGIVE = delete(attempts).where(attempts.c.key == bindparam("key_"))
_CARRY = update(attempts).where(attempts.c.key == bindparam("key_")).values(key=bindparam("new_"))


class PasswordState(Value, frozen=True):
    """What must happen to a password, and since when it is the one."""

    must_change: str | None
    changed_at: datetime


def attempt_key(tenant: str, email: str) -> bytes:
    """Answer the key under which failures of an address are counted."""
    return hashlib.sha256(f"{tenant}\0{email}".encode()).digest()


def digest_of(tx: Connection, user_id: str) -> str | None:
    """Answer the digest of a user's password."""
    found: str | None = tx.execute(_DIGEST, {"user_": user_id}).scalar_one_or_none()
    return found


def insert_first(tx: Connection, user_id: str, digest: str, now: datetime) -> None:
    """Store a user's first password; raise IntegrityError if there is one."""
    times = {"created_at": now, "updated_at": now, "changed_at": now}
    tx.execute(_INSERT, {"user_id": user_id, "digest": digest, **times, "must_change": None})


def put(tx: Connection, user_id: str, digest: str, now: datetime, *, keep: int = 0) -> None:
    """Store a password, the first or another one; `keep` that many of those before it (`PasswordPolicy.history`)."""
    old = tx.execute(_LOCKED, {"user_": user_id}).scalar_one_or_none()
    if tx.execute(_SET, {"user_": user_id, "new_": digest, "now_": now}).rowcount == 0:
        insert_first(tx, user_id, digest, now)
    elif old is not None:
        _remember(tx, user_id, old, now, keep)


def _remember(tx: Connection, user_id: str, digest: str, now: datetime, keep: int) -> None:
    number = (tx.execute(_LAST, {"user_": user_id}).scalar_one_or_none() or 0) + 1
    if keep:
        tx.execute(_REMEMBER, {"user_id": user_id, "number": number, "digest": digest, "replaced_at": now})
    tx.execute(_FORGET, {"user_": user_id, "upto_": number - keep})


def used(tx: Connection, user_id: str, most: int) -> list[str]:
    """Answer the digest of a user's password, and of at most `most` before it, the latest first."""
    present = digest_of(tx, user_id)
    earlier = tx.execute(_EARLIER, {"user_": user_id, "most_": most}).scalars() if most else ()
    return [digest for digest in (present, *earlier) if digest is not None]


def state(tx: Connection, user_id: str) -> PasswordState | None:
    """Answer what is known of a user's password beside its digest; None without one."""
    row = tx.execute(_STATE, {"user_": user_id}).one_or_none()
    return PasswordState(row.must_change, row.changed_at) if row else None


def require_change(tx: Connection, user_id: str) -> bool:
    """Let the next sign-in by password ask for another one; tell whether there is a password.

    One that is marked as compromised stays so: it opens nothing at all.
    """
    return tx.execute(_REQUIRE, {"user_": user_id}).rowcount == 1


def mark_compromised(tx: Connection, user_id: str, now: datetime) -> bool:
    """Let a password open nothing any more, until a reset replaces it; tell whether there is one.

    Everything that was opened with it ends here (rule T9).
    """
    from authcore.services import credentials  # which stands on this module

    if tx.execute(_MARK, {"user_": user_id, "mark_": "compromised"}).rowcount == 0:
        return False
    credentials.end(tx, user_id, now)
    return True


def rehash(tx: Connection, user_id: str, old: str, new: str, now: datetime) -> None:
    """Replace a digest by one with the present parameters, unless the password changed meanwhile."""
    tx.execute(_REHASH, {"user_": user_id, "old_": old, "new_": new, "now_": now})


def drop(tx: Connection, user_id: str) -> bool:
    """Remove a user's password, with those before it; tell whether there was one."""
    tx.execute(_FORGET_ALL, {"user_": user_id})
    return tx.execute(_DROP, {"user_": user_id}).rowcount == 1


def forgive(tx: Connection, tenant: str, email: str) -> bool:
    """Forget the failures of an address, as a newly bound password does (rule A6); tell whether there were any."""
    return tx.execute(_FORGIVE, {"key_": attempt_key(tenant, email)}).rowcount == 1


def carry(tx: Connection, tenant: str, before: str, after: str) -> None:
    """Count the failures of an address at another one, which takes its place."""
    forgive(tx, tenant, after)
    tx.execute(_CARRY, {"key_": attempt_key(tenant, before), "new_": attempt_key(tenant, after)})
