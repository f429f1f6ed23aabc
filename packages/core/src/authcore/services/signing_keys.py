"""Keys that sign, in the database for many nodes: published before they sign, replaced without a pause.

A key is a row, its private half sealed under the application's secret. It verifies from the moment it stands there and
signs from `active_at`, which lies so far ahead that every node has read it by then. The key before it signs until then,
and verifies until the last token that it signed is over: so no request fails while keys change.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Integer, Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.errors import Conflict, NotFound
from authcore.ports import Clock, Database, Randomness
from authcore.services.jwt import JwtKey, make_private_key
from authcore.services.jwt_ring import JwtKeys
from authcore.services.keys import KeyRing
from authcore.services.seal import Unsealable, key_id, seal, unseal
from authcore.stores import InvalidConfig
from authcore.tables import Key, Sealed, UtcDateTime, metadata
from authcore.values import Value

AHEAD = timedelta(seconds=60)
"""How long a key is published before it signs: twice the time after which every node has read it."""
RELOAD = timedelta(seconds=30)
"""How old a node's view of the keys may become."""
RENEW = timedelta(seconds=5)
"""How often, at most, a key that is not known is looked for: strangers can name as many as they like."""
SLACK = timedelta(minutes=2)
"""How far the clocks of nodes may lie apart, and how late a node may learn of a key, together."""
LONGEST = timedelta(hours=24)
"""The longest life of a token, unless SigningKeys is told another."""
KEEP = timedelta(days=7)
"""How long a key stays listed after it has ended."""
_KIND = "signing-key"

signing_keys = Table(
    "authcore_signing_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", Key(128), nullable=False, unique=True),
    Column("algorithm", Key(16), nullable=False),
    Column("private_key", Sealed, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("active_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=True, index=True),
)
"""`number` counts up by one, so of two nodes that make a key at once one is first. `private_key` is PKCS 8, sealed.
From `expires_at` on a key verifies nothing; the one that signs has none."""

_t = signing_keys.c
_now = bindparam("now_", type_=UtcDateTime)
_ALL = select(signing_keys).order_by(_t.number.desc())
_USED = _ALL.where(or_(_t.expires_at.is_(None), _t.expires_at > _now))
_LAST = select(func.max(_t.number))
_INSERT = insert(signing_keys)
_REPLACE = update(signing_keys).where(_t.expires_at.is_(None)).values(expires_at=bindparam("until_", type_=UtcDateTime))
_RETIRE = (
    update(signing_keys)
    .where(_t.kid == bindparam("kid_"), or_(_t.expires_at.is_(None), _t.expires_at > _now))
    .values(expires_at=_now)
)
_SEAL = (
    update(signing_keys)
    .where(_t.number == bindparam("number_"), _t.private_key == bindparam("before_"))
    .values(private_key=bindparam("sealed_"))
)
_OVER = select(_t.number).where(_t.expires_at < bindparam("before_", type_=UtcDateTime)).limit(bindparam("most_"))
_DROP = delete(signing_keys).where(_t.number == bindparam("number_"))


class SigningKey(Value, frozen=True, kw_only=True):
    """One row. `expires_at` None: it signs, or will from `active_at` on."""

    hidden = frozenset({"private_key"})
    number: int
    kid: str
    algorithm: str
    private_key: bytes
    created_at: datetime
    active_at: datetime
    expires_at: datetime | None = None


class MadeKey(Value, frozen=True, kw_only=True):
    """A key that is to be published: drawn and sealed before the transaction, which may run twice."""

    hidden = frozenset({"private_key"})
    kid: str
    algorithm: str
    private_key: bytes


class SigningKeys:
    """A KeySource over the table, for one database: what `JwtReader`, `JwtCredentialStore` and `Jwt` take as `keys`.

    `algorithm` is that of keys to come: ES256, ES384, ES512, EdDSA, RS… or PS…. `longest` is the longest life of a
    token that they sign. The first key is made at the first use.
    """

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        random: Randomness,
        clock: Clock,
        *,
        algorithm: str = "ES256",
        longest: timedelta = LONGEST,
        blocks: bool = True,
    ) -> None:
        self._db = db
        self._keys = keys
        self._random = random
        self._clock = clock
        self._algorithm = algorithm
        self.longest = longest
        self.blocks = blocks
        self._view: _View | None = None
        self._parsed: dict[str, JwtKey] = {}

    def known(self, now: datetime) -> JwtKeys | None:
        """Answer the ring as it was read at most RELOAD ago, or None."""
        view = self._view
        return view.ring if view is not None and view.lasts(now) else None

    async def ring(self) -> JwtKeys:
        """Answer the ring, read anew where it is too old or its signing key changes; raise Unavailable."""
        now = self._clock.now()
        return self.known(now) or await self._load(now)

    async def renewed(self) -> JwtKeys | None:
        """Answer the ring read anew, or None if that was done within RENEW; raise Unavailable."""
        now = self._clock.now()
        if self._view is not None and abs(now - self._view.read_at) < RENEW:
            return None
        return await self._load(now)

    async def rotate(self, *, at_once: bool = False) -> SigningKey:
        """Publish another key, which signs after AHEAD; answer its row. Raises Conflict if somebody else did just now.

        `at_once` it signs from this moment: another node then refuses its tokens until it has looked for the key, for
        up to RENEW.
        """
        now = self._clock.now()
        made = make(self._keys, self._random, self._algorithm)
        active_at = now if at_once else now + AHEAD
        row = await self._db.write(publish, made, now, active_at, active_at + self.longest + SLACK)
        self._view = None
        return row

    async def retire(self, kid: str) -> None:
        """End a key at once, and every token that it signed: other nodes follow within RELOAD.

        Raises NotFound for an unknown or ended one, Conflict for one that signs or will: rotate first.
        """
        await self._db.write(retire, kid, self._clock.now())
        self._view = None

    async def _load(self, now: datetime) -> JwtKeys:
        rows = await self._db.read(used, now)
        if not any(row.expires_at is None for row in rows):
            rows = list(await self._first(now))
        await self._seal_anew(rows)
        before = self._view
        view = _View(rows, self._ring(rows, now), now)
        # The same keys stay the same ring, so that what was verified with them stays known.
        if before is not None and before.same(view):
            view.ring = before.ring
        self._view = view
        return view.ring

    async def _first(self, now: datetime) -> Sequence[SigningKey]:
        made = make(self._keys, self._random, self._algorithm)
        return await self._db.write(publish_first, made, now)

    async def _seal_anew(self, rows: Sequence[SigningKey]) -> None:
        # Once the application's secret has changed, nothing may be left that only the old one opens.
        newest = self._keys.ids()[0]
        for row in rows:
            if key_id(row.private_key) != newest and (inside := _unsealed(self._keys, row)) is not None:
                await self._db.write(_seal_row, row, seal(self._keys, self._random, _KIND, inside))

    def _ring(self, rows: Sequence[SigningKey], now: datetime) -> JwtKeys:
        signing = signer(rows, now)
        # Parsing a private key takes longer than signing with it.
        parsed = {row.kid: self._parsed.get(row.kid) or opened(self._keys, row) for row in rows}
        self._parsed = {kid: key for kid, key in parsed.items() if key is not None}
        if signing.kid not in self._parsed:
            raise InvalidConfig(
                "The signing key was sealed under a secret that is gone: put that back as secret=[new, old], "
                "or end the key by `authcore keys rotate --now`."
            )
        return JwtKeys(list(self._parsed.values()), signer=signing.kid)


class _View:
    """What a node has read: the rows, the ring of them, and until when both are good."""

    def __init__(self, rows: Sequence[SigningKey], ring: JwtKeys, now: datetime) -> None:
        self.ring = ring
        self.read_at = now
        coming = [at for row in rows for at in (row.active_at, row.expires_at) if at is not None and at > now]
        self.until = min([now + RELOAD, *coming])

    def lasts(self, now: datetime) -> bool:
        """Tell whether nothing has changed by itself since then; a clock set back asks again."""
        return self.read_at <= now < self.until

    def same(self, other: _View) -> bool:
        """Tell whether another view has the same keys and signs with the same."""
        return self.ring.kids == other.ring.kids and self.ring.signer.kid == other.ring.signer.kid


def make(keys: KeyRing, random: Randomness, algorithm: str) -> MadeKey:
    """Answer a fresh key, sealed; raise InvalidKey for an algorithm without a private key."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = make_private_key(algorithm)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    kid = JwtKey.private(private, algorithm).kid
    return MadeKey(kid=kid, algorithm=algorithm, private_key=seal(keys, random, _KIND, {"kid": kid, "pem": pem}))


def opened(keys: KeyRing, row: SigningKey) -> JwtKey | None:
    """Answer the key of a row, or None if it was sealed under a secret that is gone."""
    inside = _unsealed(keys, row)
    return None if inside is None else JwtKey.private(inside["pem"], row.algorithm, kid=row.kid)


def listed(tx: Connection) -> list[SigningKey]:
    """Answer every key, the newest first."""
    return [SigningKey(**row) for row in tx.execute(_ALL).mappings()]


def used(tx: Connection, now: datetime) -> list[SigningKey]:
    """Answer the keys that verify, the newest first."""
    return [SigningKey(**row) for row in tx.execute(_USED, {"now_": now}).mappings()]


def signer(rows: Sequence[SigningKey], now: datetime) -> SigningKey:
    """Answer the newest key that is active; before any is, the oldest."""
    return next((row for row in rows if row.active_at <= now), rows[-1])


def publish(tx: Connection, made: MadeKey, now: datetime, active_at: datetime, until: datetime) -> SigningKey:
    """Store a key that signs from `active_at` on; those before it verify until `until`. Raises Conflict."""
    return _publish(tx, _last(tx), made, now, active_at, until)


def publish_first(tx: Connection, made: MadeKey, now: datetime) -> list[SigningKey]:
    """Store a key that signs at once where none signs; answer the keys that verify, whoever was first."""
    # Read before it is asked whether one signs: who commits in between is seen then, who does later took this number.
    last = _last(tx)
    if not any(row.expires_at is None for row in used(tx, now)):
        with suppress(Conflict), tx.begin_nested():
            _publish(tx, last, made, now, now, now + LONGEST)
    return used(tx, now)


def retire(tx: Connection, kid: str, now: datetime) -> None:
    """End a key at once; raise NotFound, or Conflict for one that signs or will."""
    rows = used(tx, now)
    if kid not in [row.kid for row in rows]:
        raise NotFound(f"There is no key {kid} that verifies: `authcore keys list` shows them.")
    if kid in (signer(rows, now).kid, *(row.kid for row in rows if row.expires_at is None)):
        raise Conflict("This key signs, or will: put another in its place first, by `authcore keys rotate --now`.")
    tx.execute(_RETIRE, {"kid_": kid, "now_": now})


def clean(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most `most` keys that ended before a time; answer how many."""
    numbers = sorted(tx.execute(_OVER, {"before_": before, "most_": most}).scalars())
    if numbers:
        tx.execute(_DROP, [{"number_": number} for number in numbers])
    return len(numbers)


def _last(tx: Connection) -> int:
    return tx.execute(_LAST).scalar() or 0


def _publish(
    tx: Connection, last: int, made: MadeKey, now: datetime, active_at: datetime, until: datetime
) -> SigningKey:
    tx.execute(_REPLACE, {"until_": until})
    row = SigningKey(
        number=last + 1,
        kid=made.kid,
        algorithm=made.algorithm,
        private_key=made.private_key,
        created_at=now,
        active_at=active_at,
    )
    try:
        with tx.begin_nested():
            tx.execute(_INSERT, {name: getattr(row, name) for name in SigningKey.__struct_fields__})
    except IntegrityError:
        raise Conflict("Somebody else has changed the keys just now: look at them, then try again.") from None
    return row


def _unsealed(keys: KeyRing, row: SigningKey) -> dict[str, Any] | None:
    try:
        inside: dict[str, Any] = unseal(keys, _KIND, row.private_key)
    except Unsealable:
        return None
    # A row that was given another's private half signs nothing.
    return inside if inside["kid"] == row.kid else None


def _seal_row(tx: Connection, row: SigningKey, sealed: bytes) -> None:
    tx.execute(_SEAL, {"number_": row.number, "before_": row.private_key, "sealed_": sealed})
