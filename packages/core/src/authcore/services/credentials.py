"""What ends when a credential changes (rule T9), and when a mailbox is proven some other way (rule A3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from authcore.services import accounts, challenges, passwords, revocations
from authcore.services.accounts import users

_EPOCH = (
    update(users)
    .where(users.c.id == bindparam("id_"))
    .values(credential_epoch=users.c.credential_epoch + 1, updated_at=bindparam("now_"))
)
_LOCK = select(users.c.credential_epoch).where(users.c.id == bindparam("id_")).with_for_update()
_READ = select(users.c.credential_epoch).where(users.c.id == bindparam("id_"))


def lock(tx: Connection, user_id: str) -> int | None:
    """Lock a user until the transaction ends and answer its epoch: of two changes at once, one sees the other."""
    found: int | None = tx.execute(_LOCK, {"id_": user_id}).scalar_one_or_none()
    return found


def bind_password(tx: Connection, tenant: str, user_id: str, digest: str, now: datetime, *, keep: int) -> int:
    """Store another password, and end what depended on the one before; answer the epoch, as `end` does.

    The failures at the account's addresses are forgotten, since the method is bound again (rule A6). `keep` is
    `PasswordPolicy.history`.
    """
    passwords.put(tx, user_id, digest, now, keep=keep)
    for provider, identifier in accounts.identifiers(tx, tenant, user_id):
        if provider == accounts.EMAIL_PASSWORD:
            passwords.forgive(tx, tenant, identifier)
    passwords.forgive(tx, tenant, user_id)  # where those of an account without an address are counted
    return end(tx, user_id, now)


def end(tx: Connection, user_id: str, now: datetime) -> int:
    """End every outstanding credential of a user; answer the epoch under which those to come are made.

    Sessions, refresh and remember tokens and sign-ins on their way remember the epoch they were made under, so one
    number ends them all. Open challenges that depend on the user end here. It stands in the transaction that changes
    the password, the factors or the account itself, whose own challenge is spent before.
    """
    tx.execute(_EPOCH, {"id_": user_id, "now_": now})
    challenges.end_of_user(tx, user_id, now)
    epoch: int = tx.execute(_READ, {"id_": user_id}).scalar_one()
    revocations.user_ended(tx, user_id, epoch, now)
    return epoch


def prove_mailbox(tx: Connection, user_id: str, now: datetime) -> bool:
    """Note that a user's address is proven by a mail that was answered; tell whether it was not before.

    What a stranger may have set while nobody had proven the address goes first (A3): the password, every session, and
    whatever else opens the account. An address or a phone that the stranger added is proven, and the stranger's.
    """
    if not accounts.mark_verified(tx, user_id, now):
        return False
    passwords.drop(tx, user_id)
    accounts.drop_further(tx, user_id)
    end(tx, user_id, now)
    return True
