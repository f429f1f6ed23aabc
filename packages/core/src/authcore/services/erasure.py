"""All that is stored of one person: read out for them, and removed with the account.

A table says by its columns what it holds: `user_id` names whose row it is, `info=PERSONAL` what is about a person. Rows
of a `user_id` go with the account; so do rows whose `info=IDENTIFIER` column holds one of the account's addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Column, Delete, Select, Table, bindparam, delete, select
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.services import accounts, credentials, events, journal, outbox, passwords, revocations, sessions
from authcore.services.accounts import users
from authcore.services.seal import Unsealable, unseal
from authcore.tables import Sealed, shipped


def _tables() -> Iterator[Table]:
    # Every shipped table: a room that was switched off may have left rows behind.
    yield from shipped().sorted_tables


@cache
def _owned() -> tuple[Table, ...]:
    return tuple(table for table in _tables() if "user_id" in table.c)


@cache
def _reads() -> tuple[tuple[Table, Select[Any]], ...]:
    owned = ((table, table.c.user_id) for table in _owned())
    whole = ((users, users.c.id), *owned)
    return tuple(
        (table, select(*columns).where(owner == bindparam("user_")).order_by(*table.primary_key.columns))
        for table, owner in whole
        if (columns := [column for column in table.c if _is_told(column)])
    )


def _is_told(column: Column[Any]) -> bool:
    return bool(column.info.get("personal")) and column.type is not Sealed and column.name != "user_id"


@cache
def _deletes() -> tuple[Delete, ...]:
    return tuple(delete(table).where(table.c.user_id == bindparam("user_")) for table in _owned())


@cache
def _by_identifier() -> tuple[Delete, ...]:
    columns = [column for table in _tables() for column in table.c if column.info.get("identifier")]
    # Of the own tenant alone: another one knows somebody else, or nobody, by the same address.
    return tuple(
        delete(column.table).where(column == bindparam("identifier_"), column.table.c.tenant == bindparam("tenant_"))
        for column in columns
    )


_OF_SESSIONS = tuple(
    delete(table).where(
        table.c.session_id.in_(select(sessions.sessions.c.id).where(sessions.sessions.c.user_id == bindparam("user_")))
    )
    for table in (sessions.access, sessions.refresh)
)
_SESSION_IDS = select(sessions.sessions.c.id).where(sessions.sessions.c.user_id == bindparam("user_"))
_USER = delete(users).where(users.c.id == bindparam("user_"), users.c.tenant == bindparam("tenant_"))


def read(tx: Connection, user_id: str) -> dict[str, list[dict[str, Any]]]:
    """Answer everything personal that is stored of a user, by table without its prefix; sealed secrets are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table, statement in _reads():
        if rows := tx.execute(statement, {"user_": user_id}).mappings().all():
            found[table.name.removeprefix("authcore_")] = [dict(row) for row in rows]
    if told := journal.of_user(tx, user_id):
        found["event"] = told
    return found


def remove(tx: Connection, tenant: str, user_id: str) -> bool:
    """Remove every row of a user; tell whether there was one. What waits in the outbox is `unsent`'s to find."""
    if accounts.by_id(tx, tenant, user_id, accounts.PLAIN) is None:
        return False
    known = known_as(tx, tenant, user_id)
    for name in (*known, user_id):
        passwords.forgive(tx, tenant, name)
    ids = tx.execute(_SESSION_IDS, {"user_": user_id}).scalars().all()
    for statement in _OF_SESSIONS:
        tx.execute(statement, {"user_": user_id})
    # Challenges that hang on one session are about "<user>:<session>".
    about = [*known, user_id, *(f"{user_id}:{session_id}" for session_id in ids)]
    for statement in _by_identifier():
        for text in about:
            tx.execute(statement, {"identifier_": text, "tenant_": tenant})
    for statement in _deletes():
        tx.execute(statement, {"user_": user_id})
    return tx.execute(_USER, {"user_": user_id, "tenant_": tenant}).rowcount == 1


def known_as(tx: Connection, tenant: str, user_id: str) -> list[str]:
    """Answer every address and name by which a tenant knows a user."""
    return [identifier for _, identifier in accounts.identifiers(tx, tenant, user_id)]


async def unsent(ctx: Context, to: Iterable[str]) -> int:
    """Remove what the outbox still holds for addresses; answer how much. Their mails are sealed, so each is opened."""
    addresses = frozenset(to)
    waiting = await ctx.db.read(outbox.waiting, ctx.tenant.id)
    mine = [id_ for id_, payload in waiting if _recipient(ctx, payload) in addresses]
    return await ctx.db.write(outbox.drop, mine) if mine else 0


def _recipient(ctx: Context, payload: bytes) -> str | None:
    try:
        to: str | None = unseal(ctx.app.keys, "effect", payload).get("to")
    except Unsealable:
        return None
    return to


async def erase(ctx: Context, user_id: str, *, due: datetime | None = None) -> bool:
    """Remove a user with everything that is stored of it; tell whether there was one.

    Audit rows stay, and name nobody: the pseudonym goes with the account. `due` spares an account that is not to be
    deleted by then: its owner may just have cancelled.
    """
    happened = events.occur(ctx, events.UserDeleted(ctx.tenant.id, ctx.now(), user_id))
    addresses = await ctx.db.read(known_as, ctx.tenant.id, user_id)
    traces = journal.subjects(ctx.app.keys, ctx.tenant.id, addresses)
    if not await ctx.db.write(_erase, ctx.tenant.id, user_id, happened, due, traces):
        return False
    await unsent(ctx, addresses)
    await events.tell(ctx, happened)
    return True


def _erase(
    tx: Connection, tenant: str, user_id: str, happened: events.Occurred, due: datetime | None, traces: list[bytes]
) -> bool:
    credentials.lock(tx, user_id)  # of two at once, one finds nothing any more
    account = accounts.by_id(tx, tenant, user_id, accounts.PLAIN)
    if account is None or (due is not None and (account.delete_at is None or account.delete_at > due)):
        return False
    events.write(tx, happened)
    revocations.user_ended(tx, user_id, revocations.GONE, happened.event.at)
    journal.forget(tx, traces)
    return remove(tx, tenant, user_id)
