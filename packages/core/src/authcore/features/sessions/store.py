"""What happens inside transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.services import accounts, challenges, credentials, events, revocations, sessions
from authcore.services.accounts import EMAIL_PASSWORD, Account, NewUser, User, UserShape, users
from authcore.services.events import Event, Occurred, SessionsEnded
from authcore.services.sessions import EndedSession
from authcore.values import Value

_NAME = (
    update(users)
    .where(users.c.id == bindparam("id_"))
    .values(display_name=bindparam("name_"), updated_at=bindparam("now_"))
)


class Upsert(Value, frozen=True, kw_only=True):
    """A user who may be made, or whose profile may be written, drawn before the transaction. `new` None is known."""

    tenant: str
    email: str
    verified: bool
    display_name: str | None
    now: datetime
    new: NewUser | None
    born: tuple[Occurred, ...]
    proven: Occurred
    updated: Occurred


class Upserted(Value, frozen=True):
    """The account that stands there, and what happened to it."""

    account: Account
    told: tuple[Event, ...] = ()


def upsert(tx: Connection, made: Upsert, shape: UserShape) -> Upserted | None:
    """Make the user of an address, or bring the one that has it up to date; None if it is to be drawn again."""
    user_id = accounts.owner(tx, made.tenant, EMAIL_PASSWORD, made.email)
    if user_id is None and made.new is not None and _made(tx, made.new):
        return Upserted(made.new.account(), events.write_all(tx, made.born))
    # Of two at once, the other one may have made it.
    user_id = user_id or accounts.owner(tx, made.tenant, EMAIL_PASSWORD, made.email)
    if user_id is None:
        return None
    credentials.lock(tx, user_id)
    account = accounts.by_id(tx, made.tenant, user_id, shape)
    if account is None or account.disabled:
        return None if account is None else Upserted(account)
    happened = _brought_up(tx, made, account.user)
    account = accounts.by_id(tx, made.tenant, user_id, shape) or account
    return Upserted(account, events.write_all(tx, happened, user=account.user))


def _made(tx: Connection, new: NewUser) -> bool:
    try:
        with tx.begin_nested():
            return accounts.create(tx, new)
    except IntegrityError:  # somebody else made the user of the same address
        return False


def _brought_up(tx: Connection, made: Upsert, user: User) -> list[Occurred]:
    happened = []
    # A3: what nobody had proven goes when the address is proven.
    if made.verified and user.email == made.email and credentials.prove_mailbox(tx, user.id, made.now):
        happened.append(made.proven)
    if made.display_name is not None and made.display_name != user.display_name:
        tx.execute(_NAME, {"id_": user.id, "name_": made.display_name, "now_": made.now})
        revocations.changed(tx, user.id, made.now)
        happened.append(made.updated)
    return happened


def end_presented(tx: Connection, tenant: str, shown: Sequence[str | bytes], now: datetime) -> EndedSession | None:
    """End every session that was presented, by its id or a secret's digest; answer the first that ended here."""
    ended = [_end(tx, tenant, each, now) for each in shown]
    return next((session for session in ended if session is not None), None)


def _end(tx: Connection, tenant: str, shown: str | bytes, now: datetime) -> EndedSession | None:
    if isinstance(shown, str):
        return sessions.end_by_id(tx, tenant, shown, now)
    return sessions.end_by_digest(tx, tenant, shown, now)


def sign_out(
    tx: Connection,
    tenant: str,
    shown: Sequence[str | bytes],
    now: datetime,
    shape: UserShape,
    happened: Sequence[Occurred],
) -> tuple[EndedSession | None, Sequence[Event]]:
    """End what was presented; answer it with the events that tell whose it was."""
    ended = end_presented(tx, tenant, shown, now)
    account = None if ended is None else accounts.by_id(tx, tenant, ended.user_id, shape)
    if ended is None or account is None:
        return ended, ()
    return ended, events.write_all(tx, happened, user=account.user, session_id=ended.session.id)


def end_one(
    tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime, happened: Sequence[Occurred]
) -> tuple[int, Sequence[Event]]:
    """End one live session of a user; answer 1, or 0 if there is none, with the events."""
    return _told(tx, sessions.revoke(tx, tenant, user_id, session_id, now), happened)


def end_others(
    tx: Connection, tenant: str, user_id: str, session_id: str, now: datetime, happened: Sequence[Occurred]
) -> tuple[int, Sequence[Event]]:
    """End a user's sessions but one; answer how many, with the events."""
    return _told(tx, sessions.revoke_others(tx, tenant, user_id, session_id, now), happened)


def end_all(
    tx: Connection, tenant: str, user_id: str, now: datetime, happened: Sequence[Occurred]
) -> tuple[int, Sequence[Event]]:
    """End all of a user's sessions; answer how many, with the events."""
    return _told(tx, sessions.revoke_all(tx, tenant, user_id, now), happened)


def end_device(
    tx: Connection, tenant: str, user_id: str, device_id: str, now: datetime, happened: Sequence[Occurred]
) -> tuple[int, Sequence[Event]]:
    """End a user's sessions on one device; answer how many, with the events."""
    return _told(tx, sessions.revoke_device(tx, tenant, user_id, device_id, now), happened)


def bump_user(
    tx: Connection, tenant: str, user_id: str, now: datetime, happened: Sequence[Occurred]
) -> tuple[int, Sequence[Event]]:
    """Raise a user's epoch (rule T9); answer how many sessions that ended, with the events."""
    ended = sessions.count_of_user(tx, tenant, user_id, now)
    credentials.end(tx, user_id, now)
    return _told(tx, ended, happened)


def bump_all(tx: Connection, tenant: str | None, now: datetime, happened: Occurred) -> tuple[int, Event]:
    """Raise the epoch of a tenant, or of the application; answer how many sessions that ended, with the event.

    Remember tokens name the epoch they were made under. Sign-ins on their way end with their challenges.
    """
    ended = sessions.count(tx, tenant, now)
    revocations.raise_epoch(tx, tenant or "", now)
    challenges.end_depending(tx, tenant, now)
    return ended, events.write(tx, happened, count=ended)


def end_any(
    tx: Connection, tenant: str, session: str | bytes, now: datetime, happened: Sequence[Occurred]
) -> tuple[EndedSession | None, Sequence[Event]]:
    """End a session by its id, or by the digest of one of its secrets; answer it, with the events."""
    ended = _end(tx, tenant, session, now)
    if ended is None:
        return None, ()
    return ended, events.write_all(tx, happened, user_id=ended.user_id, count=1)


def _told(tx: Connection, ended: int, happened: Sequence[Occurred]) -> tuple[int, Sequence[Event]]:
    if not ended:
        return 0, ()
    return ended, tuple(
        events.write(tx, each, **({"count": ended} if isinstance(each.event, SessionsEnded) else {}))
        for each in happened
    )
