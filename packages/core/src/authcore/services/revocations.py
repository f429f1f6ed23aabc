"""What ended, and what changed: the rows by which every node knows it within a second.

A row stands in the transaction that ends something. Each node keeps a table of its own (`Revoked`) and reads on from
where it was, when a bell rings and at the latest after half a second; so a guard on a token that says everything itself
asks nobody, and refuses what ended. Subjects are digests: a row names nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    ScalarSelect,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.ports import REVOKED
from authcore.tables import Key, UtcDateTime, metadata
from authcore.values import Value

Kind = Literal["session", "user", "changed", "tenant"]
CHANNEL = "authcore_revocation"
"""What PostgreSQL notifies on, and Redis publishes to."""
KEEP = timedelta(hours=25)
"""How long rows stay: longer than any token lives that says everything itself."""
LONGEST = timedelta(hours=24)
"""The longest life of such a token."""
GONE = 2**31 - 1
"""The epoch of a user who is no more."""
SETTLED = 30.0  # seconds after which no earlier transaction can still bring a row with a smaller number
ENDED = ""
"""The stamp of a session none of whose secrets opens anything any more."""

revocations = Table(
    "authcore_revocation",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", Key(8), nullable=False),
    Column("subject", Key(64), nullable=False),
    Column("value", Key(32), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)
"""`value` is the stamp that a session keeps, a user's epoch, or the generation of a tenant ("" is the application)."""

epochs = Table(
    "authcore_epoch",
    metadata,
    Column("tenant", Key(64), primary_key=True),
    Column("epoch", Integer, nullable=False),
)
"""The generation that began when everything of a tenant, or of the application (""), was last ended at once."""


class Revocation(Value, frozen=True):
    """One thing that ended. `user_id` is for stores of other kinds, and is not written down."""

    kind: Kind
    subject: str
    value: str = ENDED
    user_id: str | None = None


_INSERT = insert(revocations)
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', '')")
_SINCE = (
    select(revocations.c.seq, revocations.c.kind, revocations.c.subject, revocations.c.value, revocations.c.at)
    .where(revocations.c.seq > bindparam("floor_"), revocations.c.at > bindparam("after_"))
    .order_by(revocations.c.seq)
)
_OLD = (
    select(revocations.c.seq)
    .where(revocations.c.at < bindparam("before_"))
    .order_by(revocations.c.seq)
    .limit(bindparam("most_"))
)
_DROP = delete(revocations).where(revocations.c.seq == bindparam("seq_"))


def write(tx: Connection, ended: Sequence[Revocation], now: datetime) -> None:
    """Write down what this transaction ends; every node is told once it is committed."""
    if not ended:
        return
    rows = [{"kind": each.kind, "subject": subject(each.subject), "value": each.value, "at": now} for each in ended]
    tx.execute(_INSERT, rows)
    if tx.dialect.name == "postgresql":
        tx.execute(_NOTIFY)
    tx.info.setdefault(REVOKED, []).extend(ended)


def changed(tx: Connection, user_id: str, now: datetime) -> None:
    """Write down that what tokens say about a user is old."""
    write(tx, [Revocation("changed", user_id, user_id=user_id)], now)


def user_ended(tx: Connection, user_id: str, epoch: int, now: datetime) -> None:
    """Write down that all tokens of a user from before an epoch open nothing."""
    write(tx, [Revocation("user", user_id, str(epoch), user_id=user_id)], now)


def subject(id_: str) -> str:
    """Answer the digest by which rows name a session, a user or a tenant."""
    return hashlib.sha256(id_.encode()).hexdigest()


def since(tx: Connection, floor: int, after: datetime) -> Sequence[Any]:
    """Answer the rows behind a number, and later than a time."""
    return tx.execute(_SINCE, {"floor_": floor, "after_": after}).all()


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` rows from before a time; answer how many."""
    old = tx.execute(_OLD, {"before_": before, "most_": most}).scalars().all()
    if old:
        tx.execute(_DROP, [{"seq_": seq} for seq in old])
    return len(old)


class Subject(Value, frozen=True):
    """What a token says about itself, as rows name it."""

    session: str
    user: str
    tenant: str
    stamp: str
    epoch: int
    generation: int


Verdict = Literal["live", "changed", "ended"]


class Revoked:
    """The table of one node: what ended, and whose data changed, by digest."""

    def __init__(self) -> None:
        self._stamps: dict[str, tuple[str, datetime]] = {}
        self._epochs: dict[str, int] = {}
        self._generations: dict[str, int] = {}
        self._changed: dict[str, datetime] = {}
        self._ages: dict[tuple[Kind, str], datetime] = {}
        self._application = subject("")

    def __len__(self) -> int:
        return len(self._ages)

    def judge(self, token: Subject, made: datetime) -> Verdict:
        """Tell whether a token that was made at a time still opens something, and whether its snapshot is old."""
        stamp, at = self._stamps.get(token.session, (token.stamp, made))
        # A token made since may be under a later stamp that this node has not heard of: the ledger knows.
        if stamp != token.stamp and (stamp == ENDED or made < at):
            return "ended"
        if self._epochs.get(token.user, 0) > token.epoch:
            return "ended"
        if self._generations and self.generation(token.tenant) > token.generation:
            return "ended"
        changed = self._changed.get(token.user)
        return "changed" if stamp != token.stamp or (changed is not None and changed >= made) else "live"

    def generation(self, tenant: str) -> int:
        """Answer the generation in which tokens of a tenant, by its digest, must be made, as far as rows tell."""
        return max(self._generations.get(self._application, 0), self._generations.get(tenant, 0))

    def apply(self, kind: Kind, subject_: str, value: str, at: datetime) -> None:
        """Take one row in; of the same row again nothing comes."""
        if kind == "session":
            # An end is final; of two secrets the later one stays, in whatever order they are heard of.
            held = self._stamps.get(subject_)
            if held is None or value == ENDED or (held[0] != ENDED and at >= held[1]):
                self._stamps[subject_] = (value, at)
        elif kind == "user":
            self._epochs[subject_] = max(int(value), self._epochs.get(subject_, 0))
        elif kind == "tenant":
            self._generations[subject_] = max(int(value), self._generations.get(subject_, 0))
        else:
            self._changed[subject_] = max(at, self._changed.get(subject_, at))
        self._ages[kind, subject_] = max(at, self._ages.get((kind, subject_), at))

    def forget(self, before: datetime) -> None:
        """Drop what is older than any token that it could refuse."""
        for kind, subject_ in [key for key, at in self._ages.items() if at < before]:
            del self._ages[kind, subject_]
            kept: dict[str, Any] = getattr(self, _KEPT[kind])
            kept.pop(subject_, None)


_KEPT: dict[Kind, str] = {"session": "_stamps", "user": "_epochs", "tenant": "_generations", "changed": "_changed"}


# --- everything at once ---

_HIGHEST = select(func.coalesce(func.max(epochs.c.epoch), literal_column("0")))
_LOCK = update(epochs).where(epochs.c.tenant == bindparam("tenant_")).values(epoch=epochs.c.epoch)
_RAISE = update(epochs).where(epochs.c.tenant == bindparam("tenant_")).values(epoch=bindparam("epoch_"))
_BEGIN = insert(epochs)


def raise_epoch(tx: Connection, tenant: str, now: datetime) -> int:
    """End everything of a tenant, or of the application (""), that was made before; answer the epoch from here on.

    It is higher than every other: a node whose table has forgotten the earlier ones still refuses what is older.
    """
    _hold(tx, "")  # one at a time: of two at once, each would end what the other lets begin
    _hold(tx, tenant)
    epoch: int = tx.execute(_HIGHEST).scalar_one() + 1
    tx.execute(_RAISE, {"tenant_": tenant, "epoch_": epoch})
    write(tx, [Revocation("tenant", tenant, str(epoch))], now)
    return epoch


def _hold(tx: Connection, tenant: str) -> None:
    if tx.execute(_LOCK, {"tenant_": tenant}).rowcount:
        return
    try:
        with tx.begin_nested():
            tx.execute(_BEGIN, {"tenant": tenant, "epoch": 0})
    except IntegrityError:  # another one was first
        tx.execute(_LOCK, {"tenant_": tenant})


def generation() -> ScalarSelect[Any]:
    """Answer the expression for the generation in which sessions of the tenant `:tenant_` are made."""
    # Written out: what is bound would be bound anew in each of the statements that hold this.
    whose = or_(epochs.c.tenant == literal_column("''"), epochs.c.tenant == bindparam("tenant_"))
    return select(func.coalesce(func.max(epochs.c.epoch), literal_column("0"))).where(whose).scalar_subquery()
