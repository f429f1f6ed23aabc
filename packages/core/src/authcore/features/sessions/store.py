"""What happens inside transactions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from authcore.services import challenges, outbox, sessions
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect
from authcore.services.sessions import EndedSession


def end_presented(tx: Connection, tenant: str, digests: list[bytes], now: datetime) -> EndedSession | None:
    """End the session of every secret that was presented; answer the first that ended here."""
    ended = [sessions.end_by_digest(tx, tenant, digest, now) for digest in digests]
    return next((session for session in ended if session is not None), None)


def start(tx: Connection, challenge: Challenge, key: tuple[str, bytes], mail: Effect) -> None:
    """Store a challenge and its mail."""
    challenges.insert_row(tx, challenge, *key)
    outbox.enqueue(tx, mail)


def resend(tx: Connection, challenge: Challenge, now: datetime, key: tuple[str, bytes], mail: Effect) -> bool:
    """Put a fresh code under the same id and mail it; tell whether this caller won."""
    if not challenges.send_again(tx, challenge, now, *key):
        return False
    outbox.enqueue(tx, mail)
    return True
