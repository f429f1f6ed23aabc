"""Events as rows: who by a pseudonym, what, when, from where, with what outcome, and nothing secret (rule O3).

A user's pseudonym is random and stands in a table of its own, from which it goes with the account: the rows stay, and
name nobody. Addresses of people are kept as HMACs under a key of the application, whether there is an account or not.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlalchemy import Column, String, Table, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.context import Context
from authcore.services.address import client_of
from authcore.services.ids import uuid7
from authcore.services.keys import KeyRing, mac
from authcore.tables import PERSONAL, Digest, Json, Key, UtcDateTime, metadata
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.services.events import Event

KEEP = timedelta(days=365)
"""How long events stay, unless the audit room says otherwise."""

events = Table(
    "authcore_event",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("name", Key(64), nullable=False),
    Column("outcome", Key(8), nullable=False),
    Column("who", Key(64), nullable=True, index=True),
    Column("subject", Digest, nullable=True, index=True),
    Column("key_id", Key(16), nullable=True),
    Column("session_id", Key(64), nullable=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("ip", String(64), nullable=True, info=PERSONAL),
    Column("agent", Key(32), nullable=True, info=PERSONAL),
    Column("data", Json, nullable=True),
)
"""`who` is a pseudonym, `subject` the HMAC of an e-mail address or a phone under the key `key_id`."""

pseudonyms = Table(
    "authcore_pseudonym",
    metadata,
    Column("user_id", Key(), primary_key=True, info=PERSONAL),
    Column("pseudonym", Key(64), nullable=False, unique=True),
)

_USERS = frozenset({"user", "user_id"})
_SUBJECTS = frozenset({"email", "phone"})
_KEYED = frozenset({"old_email"})
_PLAIN = frozenset({"count", "scope"})
FIELDS = frozenset({"tenant", "at", "session_id", "anonymous_id"}) | _USERS | _SUBJECTS | _KEYED | _PLAIN
"""The fields of events that a row knows how to keep; any other one is left out of it."""

_INSERT, _INSERT_PSEUDONYM = insert(events), insert(pseudonyms)
_PSEUDONYM = select(pseudonyms.c.pseudonym).where(pseudonyms.c.user_id == bindparam("user_"))
_ERASE = delete(pseudonyms).where(pseudonyms.c.user_id == bindparam("user_"))
_OF_USER = (
    select(events.c.at, events.c.name, events.c.outcome, events.c.session_id, events.c.ip, events.c.agent)
    .where(events.c.who == bindparam("who_"))
    .order_by(events.c.at.desc(), events.c.id.desc())
    .limit(1000)
)
_OLD = select(events.c.id).where(events.c.at < bindparam("before_")).limit(bindparam("most_"))
_FORGET = update(events).where(events.c.subject == bindparam("subject_")).values(subject=None, key_id=None)
_DROP = delete(events).where(events.c.id == bindparam("id_"))


class JournalSettings(Value, frozen=True, kw_only=True):
    """The audit room is enabled: every event is kept. `ip` says how much of a client's address is."""

    ip: Literal["truncated", "full", "none"] = "truncated"


class Pen(Value, frozen=True):
    """What a row needs that its event does not hold, drawn before the transaction."""

    hidden: ClassVar = frozenset({"key"})
    id: str
    pseudonym: str
    key_id: str
    key: bytes
    session_id: str | None
    ip: str | None
    agent: str | None
    kept: bool
    erases: bool


def is_kept(ctx: Context) -> bool:
    """Tell whether every event becomes a row."""
    return JournalSettings in ctx.runtime.settings


def draw(ctx: Context, *, kept: bool, erases: bool = False) -> Pen:
    """Draw a row's id and a pseudonym, and note where the request comes from."""
    key_id, key = ctx.app.keys.current("audit")
    agent = ctx.request.headers.get("user-agent") if ctx.request else None
    return Pen(
        id=uuid7(ctx.now(), ctx.random, "event"),
        pseudonym=urlsafe_b64encode(ctx.random.bytes(18, "pseudonym")).decode(),
        key_id=key_id,
        key=key,
        session_id=ctx.who.session.id if ctx.who else None,
        ip=_ip(ctx),
        agent=family(agent) if agent else None,
        kept=kept,
        erases=erases,
    )


def _ip(ctx: Context) -> str | None:
    kept = ctx.settings(JournalSettings).ip if is_kept(ctx) else "truncated"
    address = None if kept == "none" else client_of(ctx.request, ctx.app.trusted_proxies).address
    return truncated(address) if address and kept == "truncated" else address


def write(tx: Connection, pen: Pen, event: Event, outcome: str) -> None:
    """Keep an event; after the event that ends an account, its pseudonym is gone."""
    user_id = _user_of(event)
    if pen.kept:
        tx.execute(_INSERT, _row(tx, pen, event, user_id, outcome))
    if pen.erases and user_id is not None:
        tx.execute(_ERASE, {"user_": user_id})


def _row(tx: Connection, pen: Pen, event: Event, user_id: str | None, outcome: str) -> dict[str, Any]:
    subject = next((text for name in sorted(_SUBJECTS) if (text := getattr(event, name, None))), None)
    return {
        "id": pen.id,
        "tenant": event.tenant,
        "name": type(event).__name__,
        "outcome": outcome,
        "who": None if user_id is None else _pseudonym(tx, user_id, pen),
        "subject": None if subject is None else keyed(pen.key, event.tenant, subject),
        "key_id": None if subject is None else pen.key_id,
        "session_id": getattr(event, "session_id", None) or pen.session_id,
        "at": event.at,
        "ip": pen.ip,
        "agent": pen.agent,
        "data": _data(tx, pen, event) or None,
    }


def _data(tx: Connection, pen: Pen, event: Event) -> dict[str, Any]:
    """Answer what else the event holds, each value with its class."""
    found: dict[str, Any] = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if value is None:
            continue
        if name in _PLAIN:
            found[name] = {"value": value, "class": "none"}
        elif name in _KEYED:
            found[name] = {"value": keyed(pen.key, event.tenant, value).hex(), "class": "keyed"}
    return found


def _user_of(event: Event) -> str | None:
    user = getattr(event, "user", None)
    return user.id if user is not None else getattr(event, "user_id", None)


def _pseudonym(tx: Connection, user_id: str, pen: Pen) -> str:
    """Answer the user's pseudonym, made at its first event."""
    found = pseudonym_of(tx, user_id)
    if found is not None or pen.erases:
        return found or pen.pseudonym
    try:
        with tx.begin_nested():
            tx.execute(_INSERT_PSEUDONYM, {"user_id": user_id, "pseudonym": pen.pseudonym})
    except IntegrityError:  # another transaction made it meanwhile
        return pseudonym_of(tx, user_id) or pen.pseudonym
    return pen.pseudonym


def pseudonym_of(tx: Connection, user_id: str) -> str | None:
    """Answer a user's pseudonym, or None if no row is about it."""
    found: str | None = tx.execute(_PSEUDONYM, {"user_": user_id}).scalar_one_or_none()
    return found


def of_user(tx: Connection, user_id: str) -> list[dict[str, Any]]:
    """Answer what of a person stands in the rows of a user, the latest 1000, for its export."""
    pseudonym = pseudonym_of(tx, user_id)
    rows = tx.execute(_OF_USER, {"who_": pseudonym}).mappings().all() if pseudonym else []
    return [dict(row) for row in rows]


def keyed(key: bytes, tenant: str, subject: str) -> bytes:
    """Answer the HMAC under which an e-mail address or a phone stands in a row."""
    return mac(key, b"subject", tenant.encode(), subject.encode())


def subjects(keys: KeyRing, tenant: str, names: Iterable[str]) -> list[bytes]:
    """Answer how addresses and phones stand in rows, under every key that still opens anything."""
    return [keyed(key, tenant, name) for key in keys.all("audit") for name in names]


def forget(tx: Connection, digests: Iterable[bytes]) -> None:
    """Let rows be about nobody: also under a key, an address is found by whoever can guess it."""
    for digest in digests:
        tx.execute(_FORGET, {"subject_": digest})


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` events from before a time; answer how many."""
    ids = [{"id_": id_} for id_ in sorted(tx.execute(_OLD, {"before_": before, "most_": most}).scalars())]
    if ids:
        tx.execute(_DROP, ids)
    return len(ids)


def truncated(address: str) -> str:
    """Answer the network of an address: the first 24 bits of IPv4, the first 48 of IPv6."""
    return str(ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


# In this order: most browsers also name those that they descend from.
_FAMILIES = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-", "Python"),
    ("okhttp/", "okhttp"),
)


def family(agent: str) -> str:
    """Answer the family of a user agent, of a closed list: its full text tells single browsers apart."""
    return next((name for part, name in _FAMILIES if part in agent), "other")
