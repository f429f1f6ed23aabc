"""What happens inside transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from authcore.services import accounts, events, sessions
from authcore.services.accounts import UserShape
from authcore.services.events import Event, Occurred, SessionsEnded
from authcore.services.sessions import EndedSession


def end_presented(tx: Connection, tenant: str, digests: list[bytes], now: datetime) -> EndedSession | None:
    """End the session of every secret that was presented; answer the first that ended here."""
    ended = [sessions.end_by_digest(tx, tenant, digest, now) for digest in digests]
    return next((session for session in ended if session is not None), None)


def sign_out(
    tx: Connection,
    tenant: str,
    digests: list[bytes],
    now: datetime,
    shape: UserShape,
    happened: Sequence[Occurred],
) -> tuple[EndedSession | None, Sequence[Event]]:
    """End what was presented; answer it with the events that tell whose it was."""
    ended = end_presented(tx, tenant, digests, now)
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


def end_any(
    tx: Connection, tenant: str, session: str | bytes, now: datetime, happened: Sequence[Occurred]
) -> tuple[EndedSession | None, Sequence[Event]]:
    """End a session by its id, or by the digest of one of its secrets; answer it, with the events."""
    if isinstance(session, str):
        ended = sessions.end_by_id(tx, tenant, session, now)
    else:
        ended = sessions.end_by_digest(tx, tenant, session, now)
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
