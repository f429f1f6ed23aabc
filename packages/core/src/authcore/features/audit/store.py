"""What is read of the events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql import ColumnElement

from authcore.features.audit.schemas import AuditEntry
from authcore.services import accounts
from authcore.services.journal import events, pseudonym_of
from authcore.values import Value

_LATEST = select(
    events.c.id,
    events.c.at,
    events.c.tenant,
    events.c.name,
    events.c.outcome,
    events.c.who,
    events.c.subject,
    events.c.session_id,
    events.c.ip,
    events.c.agent,
    events.c.data,
).order_by(events.c.at.desc(), events.c.id.desc())


class Whose(Value, frozen=True):
    """Whom events are asked about: a user's id, or an address with its digest under each key."""

    user_id: str | None
    email: str | None
    digests: tuple[bytes, ...]


def latest(
    tx: Connection, tenant: str, *, user: Whose | None, name: str | None, since: datetime | None, limit: int
) -> list[AuditEntry]:
    """Answer the latest events, the earliest of them first."""
    wanted = [events.c.tenant == tenant]
    if user is not None:
        wanted.append(_about(tx, tenant, user))
    if name is not None:
        wanted.append(events.c.name == name)
    if since is not None:
        wanted.append(events.c.at >= since)
    rows = tx.execute(_LATEST.where(*wanted).limit(limit)).all()
    return [_entry(*row) for row in reversed(rows)]


def _about(tx: Connection, tenant: str, user: Whose) -> ColumnElement[bool]:
    user_id = user.user_id
    if user.email is not None:
        user_id = accounts.owner(tx, tenant, accounts.EMAIL_PASSWORD, user.email)
    pseudonym = pseudonym_of(tx, user_id) if user_id else None
    # Nobody's pseudonym is empty: who has none is found by the address alone.
    return or_(events.c.who == (pseudonym or ""), events.c.subject.in_(user.digests))


def _entry(
    id_: str,
    at: datetime,
    tenant: str,
    name: str,
    outcome: str,
    who: str | None,
    subject: bytes | None,
    session_id: str | None,
    ip: str | None,
    agent: str | None,
    data: dict[str, object] | None,
) -> AuditEntry:
    digest = subject.hex() if subject else None
    return AuditEntry(id_, at, tenant, name, outcome, who, digest, session_id, ip, agent, data or {})
