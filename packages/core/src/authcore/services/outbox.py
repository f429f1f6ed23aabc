"""What must happen outside, written in the transaction that decides it, and done later under one idempotency key."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

import msgspec
from msgspec.structs import replace
from sqlalchemy import Boolean, Column, Integer, Select, Table, and_, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from authcore.context import Context, Runtime
from authcore.decode import convert
from authcore.reports import one_line
from authcore.services import languages
from authcore.services.ids import uuid7
from authcore.services.seal import Unsealable, seal, unseal
from authcore.tables import PERSONAL, Key, Sealed, UtcDateTime, metadata
from authcore.values import Value

_log = logging.getLogger("authcore.outbox")

effects = Table(
    "authcore_effect",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("kind", Key(32), nullable=False),
    Column("key", Key(64), nullable=False, unique=True),
    Column("void", Boolean, nullable=False),
    Column("payload", Sealed, nullable=True, info=PERSONAL),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=True, index=True),
    Column("lease", Key(64), nullable=True),
    Column("done_at", UtcDateTime, nullable=True, index=True),
)
"""`void` rows belong to addresses without an account: written and wiped like all others, and never sent (rule A2).
`next_at` is null once there is nothing left to do."""

BATCH = 20
LEASE = timedelta(seconds=60)  # longer than a mailer may take for one mail
MAX_ATTEMPTS = 12
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(hours=1)
KEEP = timedelta(days=7)
KEEP_GIVEN_UP = timedelta(days=30)
"""How long what could not be sent stays for people to see: it names somebody, and nobody gets it any more."""


class MailPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be rendered when it is sent (S92); its idempotency key is the effect's.

    `to` is the recipient and `username` its display name, given only for an address that is proven: who signs up writes
    both, and would have the site mail any text to anybody. `template` replaces the kind's own, `data` goes to the
    templates and `metadata` to the mailer. `locale` is the user's language, by default the request's. `base_url` and
    `brand` are the tenant's, whose request is over by then.
    """

    kind: str
    to: str
    template: str | None = None
    code: str | None = None
    token: str | None = None
    url: str | None = None
    expires_at: datetime | None = None
    username: str | None = None
    locale: str | None = None
    base_url: str | None = None
    brand: dict[str, str] = {}
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        # Rule O3: a code or a link must not reach a log or a report of locals.
        return f"MailPayload(kind={self.kind!r})"

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Answer what no log may show of it."""
        fragment = (self.url or "").partition("#")[2]
        # A name of a letter or two would blank the whole line.
        name = self.username if len(self.username or "") > 3 else None
        return (self.to, self.code, self.token, self.url, fragment, name)


class SmsPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A text message to be rendered when it is sent (S90); its fields are those of a mail."""

    kind: str
    to: str
    code: str
    expires_at: datetime
    user_id: str | None = None
    locale: str | None = None
    base_url: str | None = None
    brand: dict[str, str] = {}
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"SmsPayload(kind={self.kind!r})"

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """Answer what no log may show of it."""
        return (self.to, self.code)


Payload = MailPayload | SmsPayload
_PAYLOADS: dict[str, type[Payload]] = {"mail": MailPayload, "sms": SmsPayload}


class Effect(Value, frozen=True):
    """A row of the table, drawn and sealed before the transaction."""

    hidden: ClassVar = frozenset({"payload"})
    id: str
    tenant: str
    kind: str
    key: str
    void: bool
    payload: bytes
    created_at: datetime


class Sender(Protocol):
    """Do one effect outside, under its idempotency key; raising means that it is tried again later."""

    async def __call__(self, key: str, tenant: str, payload: Any, /) -> None: ...


def mail(ctx: Context, payload: MailPayload, *, void: bool = False) -> Effect:
    """Answer the effect that sends a mail; `void` makes the same row for an address that gets none."""
    return _effect(ctx, "mail", payload, void)


def sms(ctx: Context, payload: SmsPayload, *, void: bool = False) -> Effect:
    """Answer the effect that sends a text message; `void` makes the same row for a number that gets none."""
    return _effect(ctx, "sms", payload, void)


def _effect(ctx: Context, kind: str, payload: Payload, void: bool) -> Effect:
    now = ctx.now()
    key = urlsafe_b64encode(ctx.random.bytes(24, "effect")).decode()
    whole = replace(
        payload,
        locale=payload.locale or languages.of_request(ctx),
        base_url=ctx.tenant.base_url,
        brand=dict(ctx.tenant.brand or {}),
    )
    sealed = seal(ctx.app.keys, ctx.random, "effect", whole)
    return Effect(uuid7(now, ctx.random, "effect-id"), ctx.tenant.id, kind, key, void, sealed, now)


_INSERT = insert(effects)
_DUE = select(effects.c.id).where(effects.c.next_at <= bindparam("now_")).order_by(effects.c.next_at).limit(BATCH)
_LEASE = (
    update(effects)
    .where(effects.c.id == bindparam("id_"), effects.c.next_at <= bindparam("now_"))
    .values(lease=bindparam("lease_"), next_at=bindparam("until_"), attempts=effects.c.attempts + 1)
)
# In the order in which they were decided: of two codes for one mailbox the later one is the one that opens.
_LEASED = select(effects).where(effects.c.lease == bindparam("lease_")).order_by(effects.c.created_at)
_mine = and_(effects.c.id == bindparam("id_"), effects.c.lease == bindparam("lease_"))
_HOLD = update(effects).where(_mine).values(next_at=bindparam("until_"))
_DONE = update(effects).where(_mine).values(done_at=bindparam("now_"), next_at=None, lease=None, payload=None)
_AGAIN = update(effects).where(_mine).values(next_at=bindparam("next_"), lease=None)
_WAITING = select(effects.c.id, effects.c.payload).where(
    effects.c.tenant == bindparam("tenant_"), effects.c.payload.is_not(None)
)
_OLD = select(effects.c.id).where(effects.c.done_at < bindparam("before_")).limit(bindparam("most_"))
_GIVEN_UP = (
    select(effects.c.id)
    .where(effects.c.next_at.is_(None), effects.c.done_at.is_(None), effects.c.created_at < bindparam("before_"))
    .limit(bindparam("most_"))
)
_CLEAN = delete(effects).where(effects.c.id == bindparam("id_"))


def enqueue(tx: Connection, effect: Effect) -> None:
    """Write the effect in the transaction that decides it."""
    tx.execute(
        _INSERT,
        {
            "id": effect.id,
            "tenant": effect.tenant,
            "kind": effect.kind,
            "key": effect.key,
            "void": effect.void,
            "payload": effect.payload,
            "attempts": 0,
            "created_at": effect.created_at,
            "next_at": effect.created_at,
            "lease": None,
            "done_at": None,
        },
    )


def wake(ctx: Context) -> None:
    """Wake the sender once the effect can be seen."""
    ctx.db.after_commit(ctx.runtime.wake_sender)


def due(tx: Connection, now: datetime) -> bool:
    """Tell whether any effect waits."""
    return tx.execute(_DUE, {"now_": now}).first() is not None


def claim(tx: Connection, lease: str, now: datetime) -> Sequence[Any]:
    """Lease due effects to one sender: the conditional UPDATE decides, so no two senders hold one row."""
    for (effect_id,) in tx.execute(_DUE, {"now_": now}).all():
        tx.execute(_LEASE, {"id_": effect_id, "now_": now, "lease_": lease, "until_": now + LEASE})
    return tx.execute(_LEASED, {"lease_": lease}).all()


def hold(tx: Connection, effect_id: str, lease: str, until: datetime) -> bool:
    """Extend the lease; tell whether it is still this sender's."""
    return tx.execute(_HOLD, {"id_": effect_id, "lease_": lease, "until_": until}).rowcount == 1


def finish(tx: Connection, effect_id: str, lease: str, now: datetime) -> None:
    """Note that the effect is done, and wipe its payload."""
    tx.execute(_DONE, {"id_": effect_id, "lease_": lease, "now_": now})


def postpone(tx: Connection, effect_id: str, lease: str, next_at: datetime | None) -> None:
    """Give the lease back; None gives up and keeps the row for people to see."""
    tx.execute(_AGAIN, {"id_": effect_id, "lease_": lease, "next_": next_at})


def waiting(tx: Connection, tenant: str) -> list[tuple[str, bytes]]:
    """Answer what a tenant's outbox still holds, as (id, sealed payload), for whom it names to be forgotten."""
    return [(row.id, row.payload) for row in tx.execute(_WAITING, {"tenant_": tenant})]


def drop(tx: Connection, ids: Sequence[str]) -> int:
    """Remove effects, sent or not; answer how many."""
    return sum(tx.execute(_CLEAN, {"id_": id_}).rowcount for id_ in ids)


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` rows of what was done before a time; answer how many."""
    return _remove(tx, _OLD, before, most)


def clean_given_up(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` rows of what was decided before a time and could not be sent; answer how many."""
    return _remove(tx, _GIVEN_UP, before, most)


def _remove(tx: Connection, over: Select[tuple[str]], before: datetime, most: int) -> int:
    ids = sorted(tx.execute(over, {"before_": before, "most_": most}).scalars())
    if ids:
        tx.execute(_CLEAN, [{"id_": id_} for id_ in ids])
    return len(ids)


async def deliver(runtime: Runtime, send: Sender) -> int:
    """Claim what is due, do it, and answer how many effects were claimed."""
    ports = runtime.ports
    if not await ports.db.read(due, ports.clock.now()):
        return 0
    lease = urlsafe_b64encode(ports.random.bytes(24, "lease")).decode()
    rows = await ports.db.write(claim, lease, ports.clock.now())
    for row in rows:
        await _deliver_one(runtime, send, row, lease)
    return len(rows)


async def _deliver_one(runtime: Runtime, send: Sender, row: Any, lease: str) -> None:
    ports = runtime.ports
    # The mails before it took their time: a lease that ran out meanwhile may be another sender's by now.
    if not await ports.db.write(hold, row.id, lease, ports.clock.now() + LEASE):
        return
    payload: Payload | None = None
    try:
        if not row.void:
            payload = convert(unseal(runtime.app.keys, "effect", row.payload), _PAYLOADS[row.kind])
            await _send_in_time(runtime, send, row, payload)
    except Unsealable:
        _log.error("Effect %s was sealed under a key that is gone; it cannot be sent.", row.id)
        await ports.db.write(postpone, row.id, lease, None)
    except Exception as error:
        _log.warning("Effect %s failed at try %d: %s", row.id, row.attempts, _told(error, payload))
        await ports.db.write(postpone, row.id, lease, _next_try(ports.clock.now(), row.attempts))
    else:
        await ports.db.write(finish, row.id, lease, ports.clock.now())


async def _send_in_time(runtime: Runtime, send: Sender, row: Any, payload: Payload) -> None:
    if payload.expires_at is not None and payload.expires_at <= runtime.ports.clock.now():
        _log.warning("Effect %s is not sent: what it carries has expired.", row.id)
        return
    await send(row.key, row.tenant, payload)


def _told(error: Exception, payload: Payload | None) -> str:
    """Answer what went wrong without anything of the mail (rule O3): mailers put what they got into what they raise."""
    if payload is None:
        return type(error).__name__
    return one_line(f"{type(error).__name__}: {error}", payload.secrets)


def _next_try(now: datetime, attempts: int) -> datetime | None:
    if attempts >= MAX_ATTEMPTS:
        return None
    pause: timedelta = FIRST_PAUSE * 2 ** (attempts - 1)
    return now + min(pause, LONGEST_PAUSE)
