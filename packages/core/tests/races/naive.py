"""Stores that read first and write after: what the races must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from authcore.services import challenges, sessions
from authcore.services.challenges import Attempt, Refused, Spent
from authcore.services.sessions import Rotation, RotationRefused


def rotate(tx: sa.Connection, turn: Rotation) -> Any:
    """Rotate a refresh token."""
    row = tx.execute(sessions._BY_REFRESH, {"digest_": turn.digest, "tenant_": turn.tenant}).one_or_none()
    if row is None or row.used_at is not None:
        return RotationRefused()
    known = {"used_at": turn.now, "nonce": turn.nonce, "key_id": turn.key_id, "next_digest": turn.next_refresh}
    tx.execute(sa.update(sessions.refresh).where(sessions.refresh.c.digest == turn.digest).values(**known))
    session = tx.execute(sessions._SESSION_WITH_USER, {"id_": row.session_id, "tenant_": turn.tenant}).one()
    return sessions._succeed(tx, turn, session)


def spend(tx: sa.Connection, attempt: Attempt) -> Spent | Refused:
    """Spend a challenge, by its link or by its code."""
    table, by_link = challenges.challenges, attempt.token is not None
    its = table.c.token_digest == attempt.token if by_link else table.c.id == attempt.id
    row = tx.execute(sa.select(table).where(its)).one_or_none()
    if row is None or row.spent_at is not None or row.expires_at <= attempt.now:
        return Refused()
    if not by_link and (row.attempts >= row.max_attempts or not attempt.matches(row)):
        return Refused()
    tx.execute(sa.update(table).where(table.c.id == row.id).values(spent_at=attempt.now))
    return Spent(challenges._of(row, attempt.kind))


def spend_checked(tx: sa.Connection, checked: Spent, now: datetime) -> bool:
    """Spend a challenge whose answer was found right before."""
    table = challenges.challenges
    its = table.c.id == checked.challenge.id
    if tx.execute(sa.select(table.c.spent_at).where(its)).scalar_one() is not None:
        return False
    tx.execute(sa.update(table).where(its).values(spent_at=now))
    return True


def _count_naively() -> None:
    # Nobody waits for whoever counts.
    sessions._LOCK_USER = sa.select(sa.literal(1))


def _rotate_naively() -> None:
    sessions.rotate = rotate


def _spend_naively() -> None:
    challenges.spend, challenges.spend_checked = spend, spend_checked


NAIVE: Mapping[str, Callable[[], None]] = {
    "count": _count_naively,
    "rotate": _rotate_naively,
    "spend": _spend_naively,
}
