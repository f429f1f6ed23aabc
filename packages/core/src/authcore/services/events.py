"""What happened: a closed list of typed events, kept as rows and told to listeners."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Table, insert
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.services.accounts import User
from authcore.services.ids import uuid7
from authcore.tables import PERSONAL, Json, Key, UtcDateTime, metadata
from authcore.values import Value

_log = logging.getLogger("authcore.events")

events = Table(
    "authcore_event",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("name", Key(64), nullable=False),
    Column("user_id", Key(), nullable=True, index=True, info=PERSONAL),
    Column("session_id", Key(64), nullable=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("data", Json, nullable=True, info=PERSONAL),
)
_INSERT = insert(events)


class Event(msgspec.Struct, frozen=True):
    """Something that happened at `at`, in a tenant."""

    tenant: str
    at: datetime


class Registered(Event, frozen=True):
    """A user was made."""

    user: User


class Verified(Event, frozen=True):
    """A user's address was proven."""

    user: User


class Attempting(Event, frozen=True):
    """Somebody tries to sign in."""

    email: str


class Failed(Event, frozen=True):
    """A sign-in was refused."""

    email: str


class Lockout(Event, frozen=True):
    """A sign-in was refused because of too many attempts."""

    email: str


class Login(Event, frozen=True):
    """A session was made."""

    user: User
    session_id: str


class Logout(Event, frozen=True):
    """A user ended the session that asked."""

    user_id: str
    session_id: str


class SessionsEnded(Event, frozen=True):
    """Sessions of a user were ended from elsewhere."""

    user_id: str
    count: int


class RefreshReused(Event, frozen=True):
    """A replaced refresh token was presented: its family has ended."""

    user_id: str
    session_id: str


EVENTS: tuple[type[Event], ...] = (
    Attempting,
    Failed,
    Lockout,
    Login,
    Logout,
    RefreshReused,
    Registered,
    SessionsEnded,
    Verified,
)


class EventRow(Value, frozen=True):
    """An event as it is kept, drawn before the transaction that writes it."""

    id: str
    tenant: str
    name: str
    at: datetime


def draft(ctx: Context, kind: type[Event]) -> EventRow:
    """Draw the row's id and time."""
    now = ctx.now()
    return EventRow(uuid7(now, ctx.random, "event"), ctx.tenant.id, kind.__name__, now)


def record(
    tx: Connection, row: EventRow, *, user_id: str | None, session_id: str | None = None, data: Any = None
) -> None:
    """Keep an event, in the transaction in which it happens."""
    known = {"id": row.id, "tenant": row.tenant, "name": row.name, "at": row.at}
    tx.execute(_INSERT, {**known, "user_id": user_id, "session_id": session_id, "data": data})


async def emit(ctx: Context, event: Event) -> None:
    """Tell the listeners, after the commit; one that fails harms nobody and stands in the log."""
    for listener in ctx.runtime.listeners.get(type(event), ()):
        try:
            await ctx.hooks.call(listener, event)
        except Exception:
            _log.exception("A listener of %s failed.", type(event).__name__)
