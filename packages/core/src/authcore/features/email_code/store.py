"""What happens inside transactions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from authcore.features.email_code.schemas import RememberedBrowser
from authcore.features.email_code.tables import remembered
from authcore.ports import counting
from authcore.services import accounts, challenges, events, revocations
from authcore.services.accounts import users
from authcore.services.challenges import Attempt, Refused
from authcore.services.events import Event, Occurred
from authcore.services.sessions import Transport
from authcore.values import Value

GRACE = timedelta(seconds=10)
"""Two tabs may present one token at a time: after so long, a token that has a successor is in two hands."""


class Presented(Value, frozen=True):
    """A remember token, and whose it is or must be."""

    hidden: ClassVar = frozenset({"digest", "device"})
    digest: bytes
    tenant: str
    user_id: str
    epoch: int
    transport: Transport
    device: bytes | None
    now: datetime


class Passed(Value, frozen=True):
    """The code was right; `told` holds what else became of it."""

    told: tuple[Event, ...]


class Refusal(Value, frozen=True):
    """The token spares nothing; `reused` if it had been replaced, and all tokens of the user have ended."""

    reused: bool = False


_GENERATION = revocations.generation()
_PRESENT = select(_GENERATION)
_mine = (remembered.c.tenant == bindparam("tenant_"), remembered.c.user_id == bindparam("user_"))
_SPEND = (
    update(remembered)
    .where(
        *_mine,
        remembered.c.digest == bindparam("digest_"),
        remembered.c.epoch == _GENERATION + bindparam("epoch_"),
        remembered.c.transport == bindparam("transport_"),
        or_(remembered.c.device.is_(None), remembered.c.device == bindparam("device_", type_=remembered.c.device.type)),
        remembered.c.spent_at.is_(None),
        remembered.c.expires_at > bindparam("now_"),
    )
    .values(spent_at=bindparam("now_"))
)
_BY_DIGEST = select(remembered).where(*_mine, remembered.c.digest == bindparam("digest_"))
_REPLACED = (
    update(remembered).where(*_mine, remembered.c.digest == bindparam("digest_")).values(replaced_at=bindparam("now_"))
)
_GIVE_BACK = (
    update(remembered)
    .where(*_mine, remembered.c.digest == bindparam("digest_"), remembered.c.replaced_at.is_(None))
    .values(spent_at=None)
)
_FORGET = delete(remembered).where(*_mine)
_INSERT = insert(remembered)
_LIVE = (
    select(remembered.c.created_at, remembered.c.expires_at, remembered.c.transport)
    .select_from(remembered.join(users, users.c.id == remembered.c.user_id))
    .where(
        *_mine,
        remembered.c.epoch == users.c.credential_epoch + _GENERATION,
        remembered.c.spent_at.is_(None),
        remembered.c.expires_at > bindparam("now_"),
    )
    .order_by(remembered.c.created_at.desc(), remembered.c.digest)
)
_OVER = select(remembered.c.digest).where(remembered.c.expires_at < bindparam("before_")).limit(bindparam("most_"))
_CLEAN = delete(remembered).where(remembered.c.digest == bindparam("digest_"))


@counting
def pass_code(tx: Connection, attempt: Attempt, user_id: str, verified: Occurred) -> Passed | None:
    """Spend the code; answer None if it was wrong. It proves the address of a user that had not proven it."""
    if isinstance(challenges.spend(tx, attempt), Refused):
        return None
    if not accounts.mark_verified(tx, user_id, attempt.now):
        return Passed(())
    return Passed((events.write(tx, verified),))


@counting
def spend(tx: Connection, shown: Presented, reused: Occurred) -> datetime | Refusal:
    """Spend a remember token, once, and answer its end.

    A token that was replaced long enough ago and is shown again is in two hands: all of the user's end.
    """
    known = {"tenant_": shown.tenant, "user_": shown.user_id, "digest_": shown.digest}
    bound = {"epoch_": shown.epoch, "transport_": shown.transport, "device_": shown.device, "now_": shown.now}
    won = tx.execute(_SPEND, {**known, **bound}).rowcount == 1
    row = tx.execute(_BY_DIGEST, known).one_or_none()
    if won and row is not None:
        expires_at: datetime = row.expires_at
        return expires_at
    if row is None or row.replaced_at is None or shown.now - row.replaced_at <= GRACE:
        return Refusal()
    tx.execute(_FORGET, {"tenant_": shown.tenant, "user_": shown.user_id})
    events.write(tx, reused)
    return Refusal(reused=True)


def keep(tx: Connection, made: Presented, expires_at: datetime, spent: bytes | None) -> None:
    """Store a token, and note that it replaces the one that was `spent` for it."""
    if spent is not None:
        known = {"tenant_": made.tenant, "user_": made.user_id, "digest_": spent}
        tx.execute(_REPLACED, {**known, "now_": made.now})
    tx.execute(
        _INSERT,
        {
            "digest": made.digest,
            "tenant": made.tenant,
            "user_id": made.user_id,
            "epoch": made.epoch + tx.execute(_PRESENT, {"tenant_": made.tenant}).scalar_one(),
            "transport": made.transport,
            "device": made.device,
            "created_at": made.now,
            "expires_at": expires_at,
            "spent_at": None,
            "replaced_at": None,
        },
    )


def give_back(tx: Connection, tenant: str, user_id: str, digest: bytes) -> None:
    """Let a token that was spent, and never replaced, be spent again."""
    tx.execute(_GIVE_BACK, {"tenant_": tenant, "user_": user_id, "digest_": digest})


def forget(tx: Connection, tenant: str, user_id: str, now: datetime) -> int:
    """Remove every remember token of a user; answer how many could still be used."""
    live = len(list_live(tx, tenant, user_id, now))
    tx.execute(_FORGET, {"tenant_": tenant, "user_": user_id})
    return live


def list_live(tx: Connection, tenant: str, user_id: str, now: datetime) -> list[RememberedBrowser]:
    """Answer the browsers that are spared the code, the latest first."""
    rows = tx.execute(_LIVE, {"tenant_": tenant, "user_": user_id, "now_": now})
    return [RememberedBrowser(row.created_at, row.expires_at, row.transport) for row in rows]


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` tokens that expired before a time; answer how many."""
    digests = sorted(tx.execute(_OVER, {"before_": before, "most_": most}).scalars())
    if digests:
        tx.execute(_CLEAN, [{"digest_": digest} for digest in digests])
    return len(digests)
