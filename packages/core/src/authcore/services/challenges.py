"""Single-use secrets that are mailed: made, sent again, and spent exactly once (rules T1, T2, A13).

A challenge has an unguessable id, a short code and, where its kind has one, a link token. The code is stored
as an HMAC under a
server key, since a million plain hashes are nothing; the token as SHA-256. An attempt is reserved before the
code is compared.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import Boolean, Column, Integer, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import ConfigurationError, InvalidChallenge
from authcore.ports import counting
from authcore.services import limits, tokens
from authcore.services.keys import mac
from authcore.services.limits import Hit
from authcore.services.seal import Unsealable, seal, unseal
from authcore.tables import IDENTIFIER, PERSONAL, Digest, Json, Key, Sealed, UtcDateTime, metadata
from authcore.values import Value

MAX_BINDINGS = 5
KEEP = timedelta(days=7)
"""How long challenges stay after they expired."""

challenges = Table(
    "authcore_challenge",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("purpose", Key(64), nullable=False),
    Column("subject", Key(), nullable=False, index=True, info=IDENTIFIER),
    Column("user_id", Key(), nullable=True, index=True, info=PERSONAL),
    Column("recipient", Key(), nullable=False, info=IDENTIFIER),
    Column("code_digest", Digest, nullable=True),
    Column("code_key", Key(16), nullable=True),
    Column("token_digest", Digest, nullable=True, unique=True),
    Column("bindings", Json, nullable=False),
    Column("void", Boolean, nullable=False),
    Column("payload", Sealed, nullable=True, info=PERSONAL),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("code_until", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("spent_at", UtcDateTime, nullable=True),
)
"""`subject` is what the challenge is about: a canonical address before there is a user, a user id after.
`user_id` is whose credentials it depends on: it ends with them (rule T9). The code opens until `code_until`, the link
until `expires_at`.
`bindings` are the digests of the browsers that hold it; empty under bearer, where the id alone carries it."""


class ChallengeKind(Value, frozen=True):
    """What one kind of mailed secret is: each has its own values (S4, S5, S10, S70, S72)."""

    purpose: str
    kind: str = "email_code"
    mail: str = ""
    length: int = 6  # digits
    ttl: timedelta = timedelta(minutes=10)
    min_send_interval: timedelta = timedelta(seconds=60)
    max_attempts: int = 5
    max_sends: int = 5
    link_ttl: timedelta | None = None  # None mails no link

    @property
    def lives(self) -> timedelta:
        """Answer how long the challenge can be answered, by code or by link."""
        return max(self.ttl, self.link_ttl or self.ttl)


def code_kind(
    owner: str,
    *,
    purpose: str,
    mail: str,
    code_length: int,
    code_ttl: timedelta,
    min_send_interval: timedelta,
    max_attempts: int,
    link_ttl: timedelta | None = None,
    kind: str = "email_code",
) -> ChallengeKind:
    """Answer the kind of code that a room's settings ask for; raise ConfigurationError naming the room, `owner`.

    With `link_ttl`, 5 minutes to 7 days, the same mail carries a link.
    """
    _number(owner, "code_length", code_length, 6, 12)
    _number(owner, "max_attempts", max_attempts, 1, 10)
    _time(owner, "code_ttl", code_ttl, timedelta(minutes=1), timedelta(hours=1), "timedelta(hours=1)")
    _time(owner, "min_send_interval", min_send_interval, timedelta(seconds=1), code_ttl, "code_ttl")
    if link_ttl is not None:
        _time(owner, "link_ttl", link_ttl, timedelta(minutes=5), timedelta(days=7), "timedelta(days=7)")
    return ChallengeKind(
        purpose=purpose,
        mail=mail,
        length=code_length,
        ttl=code_ttl,
        min_send_interval=min_send_interval,
        max_attempts=max_attempts,
        link_ttl=link_ttl,
        kind=kind,
    )


def _number(owner: str, name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{owner}({name}={value!r}) is a whole number between {least} and {most}.")


def _time(owner: str, name: str, value: object, least: timedelta, most: timedelta, told: str) -> None:
    if not isinstance(value, timedelta) or not least <= value <= most:
        shortest = f"timedelta(seconds={int(least.total_seconds())})"
        raise ConfigurationError(f"{owner}({name}=…) lies between {shortest} and {told}.")


class Challenge(Value, frozen=True):
    """A challenge as the flow that made it sees it. `code` and `token` are None when nothing was sent this time."""

    hidden: ClassVar = frozenset({"sealed", "code", "token"})
    id: str
    kind: ChallengeKind
    tenant: str
    subject: str
    recipient: str
    void: bool
    bindings: tuple[str, ...]
    sealed: bytes | None
    created_at: datetime
    sent_at: datetime
    code_until: datetime
    expires_at: datetime
    user_id: str | None = None
    code: str | None = None
    token: str | None = None
    shows: bool = False  # its secrets to the client: `Auth(dev_secrets_in_answers=True)` alone

    @property
    def token_digest(self) -> bytes | None:
        """Answer what is stored of the link's token."""
        return None if self.token is None else tokens.must_digest(self.token, "ln")

    @property
    def code_minutes(self) -> int:
        """Answer how long the code beside a link opens, for the mail that tells both."""
        return max(1, round((self.code_until - self.sent_at).total_seconds() / 60))


class ChallengeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A challenge as clients see it. `resend_after` is in seconds.

    `dev_code` and `dev_token` are what was mailed, in development with `Auth(dev_secrets_in_answers=True)` (S78).
    """

    id: str
    kind: str
    methods: list[str]
    expires_at: datetime
    resend_after: int
    hint: str | None = None
    dev_code: str | None = None
    dev_token: str | None = None

    def __repr__(self) -> str:
        return f"ChallengeView(id={self.id!r}, kind={self.kind!r})"


def draft(
    ctx: Context,
    kind: ChallengeKind,
    *,
    subject: str,
    recipient: str,
    payload: Any,
    bindings: Sequence[str],
    void: bool = False,
    user_id: str | None = None,
) -> Challenge:
    """Draw everything random about a challenge, before the transaction; it ends with the credentials of `user_id`."""
    now = ctx.now()
    return Challenge(
        id=tokens.mint(ctx.random, "ch"),
        kind=kind,
        tenant=ctx.tenant.id,
        subject=subject,
        recipient=recipient,
        void=void,
        bindings=tuple(bindings),
        sealed=seal(ctx.app.keys, ctx.random, f"challenge/{kind.purpose}", payload),
        created_at=now,
        sent_at=now,
        code_until=now + kind.ttl,
        expires_at=now + kind.lives,
        user_id=user_id,
        code=draw_code(ctx, kind),
        token=draw_token(ctx, kind),
        shows=ctx.app.dev_secrets_in_answers,
    )


def draw_code(ctx: Context, kind: ChallengeKind) -> str:
    """Answer a code of decimal digits; 16 random bytes leave no bias that counts."""
    number = int.from_bytes(ctx.random.bytes(16, f"code/{kind.purpose}"), "big")
    return str(number % 10**kind.length).zfill(kind.length)


def draw_token(ctx: Context, kind: ChallengeKind) -> str | None:
    """Answer the token of a link, or None for a kind without one."""
    return None if kind.link_ttl is None else tokens.mint(ctx.random, "ln")


def code_digest(ctx: Context, challenge_id: str, code: str) -> tuple[str, bytes]:
    """Answer the key id and the HMAC under which a code is stored."""
    key_id, key = ctx.app.keys.current("code")
    return key_id, mac(key, challenge_id.encode(), code.encode())


_INSERT = insert(challenges)
_BY_ID = select(challenges).where(
    challenges.c.id == bindparam("id_"),
    challenges.c.tenant == bindparam("tenant_"),
    challenges.c.purpose == bindparam("purpose_"),
)
_PENDING = (
    select(challenges)
    .where(
        challenges.c.tenant == bindparam("tenant_"),
        challenges.c.purpose == bindparam("purpose_"),
        challenges.c.subject == bindparam("subject_"),
        challenges.c.spent_at.is_(None),
        challenges.c.code_until > bindparam("now_"),
        # Whoever may ask for a code can use up its attempts: the next mail must carry one that opens.
        or_(challenges.c.attempts < challenges.c.max_attempts, challenges.c.sent_at > bindparam("since_")),
    )
    .order_by(challenges.c.created_at.desc())
    .limit(20)
)
_open = (
    challenges.c.id == bindparam("id_"),
    challenges.c.tenant == bindparam("tenant_"),
    challenges.c.purpose == bindparam("purpose_"),
    challenges.c.spent_at.is_(None),
    challenges.c.expires_at > bindparam("now_"),
)
_BY_ID_OPEN = select(challenges).where(*_open)
_BY_TOKEN = select(challenges).where(
    challenges.c.token_digest == bindparam("token_"),
    challenges.c.tenant == bindparam("tenant_"),
    challenges.c.purpose == bindparam("purpose_"),
    challenges.c.spent_at.is_(None),
    challenges.c.expires_at > bindparam("now_"),
    challenges.c.void.is_(False),
)
_RESERVE = (
    update(challenges)
    .where(*_open, challenges.c.code_until > bindparam("now_"), challenges.c.attempts < challenges.c.max_attempts)
    .values(attempts=challenges.c.attempts + 1)
)
_SPEND = update(challenges).where(*_open).values(spent_at=bindparam("now_"))
_SEND_AGAIN = (
    update(challenges)
    .where(
        *_open,
        challenges.c.code_until > bindparam("now_"),
        challenges.c.sent_at == bindparam("sent_"),
        challenges.c.sends < bindparam("most_"),
    )
    .values(
        token_digest=bindparam("token_"),
        code_digest=bindparam("digest_"),
        code_key=bindparam("key_"),
        sent_at=bindparam("now_"),
        sends=challenges.c.sends + 1,
    )
)
_SPEND_CHECKED = (
    update(challenges).where(*_open, challenges.c.sent_at == bindparam("sent_")).values(spent_at=bindparam("now_"))
)
_GIVE_BACK = (
    update(challenges)
    .where(challenges.c.id == bindparam("id_"), challenges.c.attempts > 0)
    .values(attempts=challenges.c.attempts - 1)
)
_BIND = update(challenges).where(challenges.c.id == bindparam("id_")).values(bindings=bindparam("bindings_"))
_END_ALL = (
    update(challenges)
    .where(
        challenges.c.tenant == bindparam("tenant_"),
        challenges.c.purpose == bindparam("purpose_"),
        challenges.c.subject == bindparam("subject_"),
        challenges.c.spent_at.is_(None),
    )
    .values(spent_at=bindparam("now_"))
)
_END_OF_USER = (
    update(challenges)
    .where(challenges.c.user_id == bindparam("user_"), challenges.c.spent_at.is_(None))
    .values(spent_at=bindparam("now_"))
)
_END_DEPENDING = (
    update(challenges)
    .where(challenges.c.user_id.is_not(None), challenges.c.spent_at.is_(None))
    .values(spent_at=bindparam("now_"))
)
_END_OF_TENANT = _END_DEPENDING.where(challenges.c.tenant == bindparam("tenant_"))
_END_PURPOSE = (
    update(challenges)
    .where(
        challenges.c.tenant == bindparam("tenant_"),
        challenges.c.purpose == bindparam("purpose_"),
        challenges.c.subject == bindparam("subject_"),
        challenges.c.id != bindparam("but_"),
        challenges.c.spent_at.is_(None),
    )
    .values(spent_at=bindparam("now_"))
)
_HOLD = (
    select(challenges.c.id)
    .where(
        challenges.c.tenant == bindparam("tenant_"),
        challenges.c.purpose == bindparam("purpose_"),
        challenges.c.subject == bindparam("subject_"),
        challenges.c.spent_at.is_(None),
    )
    .order_by(challenges.c.id)
    .with_for_update()
)
_EXPIRED = select(challenges.c.id).where(challenges.c.expires_at < bindparam("before_")).limit(bindparam("most_"))
_CLEAN = delete(challenges).where(challenges.c.id == bindparam("id_"))


def insert_row(tx: Connection, challenge: Challenge, key_id: str, digest: bytes) -> None:
    """Store a drafted challenge."""
    tx.execute(
        _INSERT,
        {
            "id": challenge.id,
            "tenant": challenge.tenant,
            "purpose": challenge.kind.purpose,
            "subject": challenge.subject,
            "recipient": challenge.recipient,
            "code_digest": digest,
            "code_key": key_id,
            "token_digest": challenge.token_digest,
            "user_id": challenge.user_id,
            "bindings": list(challenge.bindings),
            "void": challenge.void,
            "payload": challenge.sealed,
            "attempts": 0,
            "max_attempts": challenge.kind.max_attempts,
            "sends": 1,
            "created_at": challenge.created_at,
            "sent_at": challenge.sent_at,
            "code_until": challenge.code_until,
            "expires_at": challenge.expires_at,
            "spent_at": None,
        },
    )


def find(tx: Connection, tenant: str, kind: ChallengeKind, challenge_id: str) -> Challenge | None:
    """Answer a challenge by its id, whatever its state."""
    row = tx.execute(_BY_ID, {"id_": challenge_id, "tenant_": tenant, "purpose_": kind.purpose}).one_or_none()
    return _of(row, kind) if row else None


def find_open(tx: Connection, tenant: str, kind: ChallengeKind, challenge_id: str, now: datetime) -> Challenge | None:
    """Answer a challenge that is neither spent nor expired."""
    known = {"id_": challenge_id, "tenant_": tenant, "purpose_": kind.purpose, "now_": now}
    row = tx.execute(_BY_ID_OPEN, known).one_or_none()
    return _of(row, kind) if row else None


def pending(tx: Connection, tenant: str, kind: ChallengeKind, subject: str, now: datetime) -> list[Challenge]:
    """Answer the open challenges about a subject, the latest first.

    One that is out of attempts is among them until another mail may be sent.
    """
    known = {"tenant_": tenant, "purpose_": kind.purpose, "subject_": subject, "now_": now}
    rows = tx.execute(_PENDING, {**known, "since_": now - kind.min_send_interval})
    return [_of(row, kind) for row in rows]


class Spent(Value, frozen=True):
    """The code or the link was right; it is spent, unless it was only checked."""

    challenge: Challenge


class Refused(Value, frozen=True):
    """Unknown, expired, used, bound to another browser, out of attempts, or wrong: counted, and not told."""


class Attempt(Value, frozen=True):
    """What a client answers to a challenge, with all that the transaction needs to judge it.

    By code it has the challenge's `id`, by link the digest of its `token`.
    """

    hidden: ClassVar = frozenset({"code", "token"})
    tenant: str
    kind: ChallengeKind
    id: str
    code: str
    binding: str | None
    now: datetime
    keys: Any
    subject: str | None = None
    token: bytes | None = None
    bound: bool = False  # a link that opens only in the browser that asked for it

    def matches(self, row: Any) -> bool:
        """Tell whether it is about the expected subject, the browser holds it, and the code is right."""
        key = self.keys.get(row.code_key, "code")
        if self.subject not in (None, row.subject):
            return False
        if key is None or (row.bindings and self.binding not in row.bindings):
            return False
        # The comparison is made for a void challenge too, so that it takes as long.
        right = hmac.compare_digest(mac(key, self.id.encode(), _bytes(self.code)), row.code_digest)
        return right and not row.void


def _bytes(code: str) -> bytes:
    # What callers hand over from bodies of their own may hold a lone surrogate: a wrong code, no crash.
    return code.encode("utf-8", "surrogatepass")


@counting
def spend(tx: Connection, attempt: Attempt) -> Spent | Refused:
    """Reserve an attempt, then compare, then spend: each a conditional UPDATE, decided by its row count."""
    found = check(tx, attempt)
    if isinstance(found, Refused):
        return found
    known = {"id_": found.challenge.id, "tenant_": attempt.tenant, "purpose_": attempt.kind.purpose}
    return found if tx.execute(_SPEND, {**known, "now_": attempt.now}).rowcount else Refused()


@counting
def check(tx: Connection, attempt: Attempt) -> Spent | Refused:
    """Judge an answer and leave the challenge as it is; a code that is only checked counts as an attempt too."""
    if attempt.token is not None:
        return _check_link(tx, attempt)
    known = {
        "id_": attempt.id,
        "tenant_": attempt.tenant,
        "purpose_": attempt.kind.purpose,
        "now_": attempt.now,
    }
    if tx.execute(_RESERVE, known).rowcount == 0:
        return Refused()
    row = tx.execute(_BY_ID, {key: known[key] for key in ("id_", "tenant_", "purpose_")}).one()
    return Spent(_of(row, attempt.kind)) if attempt.matches(row) else Refused()


def spend_checked(tx: Connection, checked: Spent, now: datetime) -> bool:
    """Spend a challenge whose answer `check` found right; tell whether it is still open, under the code it had then."""
    challenge = checked.challenge
    known = {"id_": challenge.id, "tenant_": challenge.tenant, "purpose_": challenge.kind.purpose, "now_": now}
    return tx.execute(_SPEND_CHECKED, {**known, "sent_": challenge.sent_at}).rowcount == 1


def give_back(tx: Connection, checked: Spent) -> None:
    """Uncount the attempt of a code that `check` found right and that is not spent after all."""
    tx.execute(_GIVE_BACK, {"id_": checked.challenge.id})


def _check_link(tx: Connection, attempt: Attempt) -> Spent | Refused:
    known = {"token_": attempt.token, "tenant_": attempt.tenant, "purpose_": attempt.kind.purpose, "now_": attempt.now}
    row = tx.execute(_BY_TOKEN, known).one_or_none()
    if row is None or attempt.subject not in (None, row.subject):
        return Refused()
    if attempt.bound and attempt.binding not in row.bindings:
        return Refused()
    return Spent(_of(row, attempt.kind))


async def attempt(
    ctx: Context,
    kind: ChallengeKind,
    challenge_id: str,
    code: str,
    binding: str | None,
    *,
    subject: str | None = None,
    named: str | None = None,
) -> Attempt:
    """Count the attempt against the address and the account, and answer what `spend` needs.

    A `subject` refuses challenges about anything else, and leaves them unspent. `named` is who the client says it is,
    where it does: attempts count for it also if it has no challenge (rule A2).

    Raises RateLimited, and InvalidChallenge for an id that cannot be one.
    """
    if tokens.digest(challenge_id, "ch") is None:
        raise InvalidChallenge()
    found = await ctx.db.read(find, ctx.tenant.id, kind, challenge_id)
    account = f"{kind.purpose}\0{found.subject if found else named or challenge_id}"
    await limits.count(ctx, Hit("code.address"), Hit("code.account_address", account))
    # Only what this client may still try: else one stranger would fill the bucket that the owner needs too.
    await limits.count(ctx, Hit("code.account", account))
    clean = re.sub(r"[\s-]", "", code)
    return Attempt(ctx.tenant.id, kind, challenge_id, clean, binding, ctx.now(), ctx.app.keys, subject)


async def attempt_link(
    ctx: Context,
    kind: ChallengeKind,
    token: str,
    *,
    subject: str | None = None,
    binding: str | None = None,
    bound: bool = False,
) -> Attempt:
    """Count the attempt against the client's address, and answer what `spend` and `check` need.

    `bound` refuses the link in any browser but those that hold the challenge. Raises RateLimited, and InvalidChallenge
    for a text that cannot be a token.
    """
    digest = tokens.digest(token, "ln")
    await limits.count(ctx, Hit("link.address"))
    if digest is None:
        raise InvalidChallenge()
    return Attempt(ctx.tenant.id, kind, "", "", binding, ctx.now(), ctx.app.keys, subject, digest, bound)


def find_for(tx: Connection, attempt: Attempt) -> Challenge | None:
    """Answer the challenge that an answer is about: by its link only while that opens, by its id in any state."""
    if attempt.token is None:
        return find(tx, attempt.tenant, attempt.kind, attempt.id)
    found = _check_link(tx, attempt)
    return found.challenge if isinstance(found, Spent) else None


def send_again(tx: Connection, challenge: Challenge, sent_at: datetime, key_id: str, digest: bytes) -> bool:
    """Put the fresh code and link of a `renewed` challenge under the same id, attempts kept; tell whether this caller
    won. `sent_at` is when the earlier ones were sent.
    """
    done = tx.execute(
        _SEND_AGAIN,
        {
            "id_": challenge.id,
            "tenant_": challenge.tenant,
            "purpose_": challenge.kind.purpose,
            "now_": challenge.sent_at,
            "sent_": sent_at,
            "most_": challenge.kind.max_sends,
            "digest_": digest,
            "key_": key_id,
            "token_": challenge.token_digest,
        },
    )
    return done.rowcount == 1


def renewed(ctx: Context, challenge: Challenge) -> Challenge:
    """Answer the challenge with a fresh code and link, to be stored by `send_again`."""
    code, token = draw_code(ctx, challenge.kind), draw_token(ctx, challenge.kind)
    shows = ctx.app.dev_secrets_in_answers
    return replace(challenge, code=code, token=token, sent_at=ctx.now(), shows=shows)


def may_send(challenge: Challenge, now: datetime) -> bool:
    """Tell whether the interval since the last mail has passed (S14)."""
    return now - challenge.sent_at >= challenge.kind.min_send_interval


def bind(tx: Connection, challenge: Challenge, binding: str) -> Challenge:
    """Let one more browser hold the challenge, at most 5; the oldest gives way."""
    if binding in challenge.bindings:
        return challenge
    held = (*challenge.bindings, binding)[-MAX_BINDINGS:]
    tx.execute(_BIND, {"id_": challenge.id, "bindings_": list(held)})
    return replace(challenge, bindings=held)


def end_all(tx: Connection, tenant: str, purpose: str, subject: str, now: datetime) -> int:
    """End every open challenge of a purpose about a subject; answer how many.

    Those of other purposes stay: what a mailbox may undo is not for another flow to end.
    """
    known = {"tenant_": tenant, "purpose_": purpose, "subject_": subject, "now_": now}
    return tx.execute(_END_ALL, known).rowcount


def end_of_user(tx: Connection, user_id: str, now: datetime) -> int:
    """End every open challenge that depends on a user's credentials (rule T9); answer how many."""
    return tx.execute(_END_OF_USER, {"user_": user_id, "now_": now}).rowcount


def end_depending(tx: Connection, tenant: str | None, now: datetime) -> int:
    """End every open challenge of a tenant, or of them all, that depends on somebody's credentials; answer how many."""
    if tenant is None:
        return tx.execute(_END_DEPENDING, {"now_": now}).rowcount
    return tx.execute(_END_OF_TENANT, {"tenant_": tenant, "now_": now}).rowcount


def hold_all(tx: Connection, challenge: Challenge) -> None:
    """Lock every open challenge of the same purpose about the same subject, in one order.

    It stands before a spend that ends the others, where several may be open: two at once would wait for each other.
    """
    known = {"tenant_": challenge.tenant, "purpose_": challenge.kind.purpose, "subject_": challenge.subject}
    tx.execute(_HOLD, known).all()


def end_earlier(tx: Connection, challenge: Challenge) -> int:
    """End every other open challenge of the same purpose about the same subject; answer how many."""
    known = {"tenant_": challenge.tenant, "purpose_": challenge.kind.purpose, "subject_": challenge.subject}
    return tx.execute(_END_PURPOSE, {**known, "but_": challenge.id, "now_": challenge.created_at}).rowcount


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` challenges that expired before a time; answer how many."""
    ids = sorted(tx.execute(_EXPIRED, {"before_": before, "most_": most}).scalars())
    if ids:
        tx.execute(_CLEAN, [{"id_": id_} for id_ in ids])
    return len(ids)


def payload(ctx: Context, challenge: Challenge) -> Any:
    """Answer what the challenge carries; raise InvalidChallenge if its key is gone."""
    try:
        return unseal(ctx.app.keys, f"challenge/{challenge.kind.purpose}", challenge.sealed or b"")
    except Unsealable:
        raise InvalidChallenge() from None


def view(challenge: Challenge, now: datetime, *, hint: str | None = None) -> ChallengeView:
    """Answer the challenge as clients see it."""
    wait = challenge.sent_at + challenge.kind.min_send_interval - now
    return ChallengeView(
        id=challenge.id,
        kind=challenge.kind.kind,
        methods=[challenge.kind.kind],
        expires_at=challenge.code_until,
        resend_after=max(0, -int(-wait.total_seconds() // 1)),
        hint=hint,
        dev_code=challenge.code if challenge.shows else None,
        dev_token=challenge.token if challenge.shows else None,
    )


def mask_email(address: str) -> str:
    """Answer a hint made from what the caller sent: `a***@example.com`."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}***@{domain}"


def _of(row: Any, kind: ChallengeKind) -> Challenge:
    return Challenge(
        id=row.id,
        kind=kind,
        tenant=row.tenant,
        subject=row.subject,
        recipient=row.recipient,
        void=row.void,
        bindings=tuple(row.bindings),
        sealed=row.payload,
        created_at=row.created_at,
        sent_at=row.sent_at,
        code_until=row.code_until,
        expires_at=row.expires_at,
        user_id=row.user_id,
    )
