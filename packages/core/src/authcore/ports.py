"""The ports: all that a flow may reach, in one readable file.

Each port has a blocking and an asyncio implementation. The blocking side's coroutines complete at once, so a flow over
blocking ports ends in one step. A flow never knows which side it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy.engine import Connection

from authcore.values import Value

P = ParamSpec("P")
R = TypeVar("R")

Store = Callable[Concatenate[Connection, P], R]
"""A plain function over a connection: what happens inside a transaction cannot await, and may be run again."""

REVOKED = "authcore.revoked"
"""Where a store function leaves, in `Connection.info`, what its transaction ends; see `Database.watch`."""

F = TypeVar("F", bound=Callable[..., Any])


def counting(store: F) -> F:
    """Mark a store function that counts attempts: it never joins a transaction that a refusal would roll back."""
    store.counting = True  # type: ignore[attr-defined]
    return store


FLEETING = "authcore_fleeting"
"""The execution option of a connection whose transaction need not outlast a power cut."""


def fleeting(store: F) -> F:
    """Mark a store function whose commit is not waited for: a power cut may take its last moment back.

    Other processes and nodes see it at once. It is for counts that lapse by themselves, never for what was revoked.
    """
    store.fleeting = True  # type: ignore[attr-defined]
    return store


class Database(Protocol):
    """A SQL database. Store functions are plain: `def by_email(tx, email)`."""

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run reads without a transaction around them (AUTOCOMMIT); raise Unavailable."""
        ...

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `store` in one transaction, again on a serialization failure (at most 3 times); raise Unavailable."""
        ...

    def watch(self, told: Callable[[Sequence[Any]], Awaitable[None]]) -> None:
        """Hand what a transaction left under REVOKED to `told`, once it is committed, before `write` answers."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once what was written is visible to others: at once, or after the caller's own
        transaction.
        """
        ...


class KeyValue(Protocol):
    """Keys with a time to live. Every operation touches keys one by one, so that a cluster can shard them.

    Keys are text up to 255 characters, values are bytes, times to live are seconds. Expired keys read as absent.
    """

    async def get(self, key: str) -> bytes | None:
        """Answer the value, or None."""
        ...

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Answer the value and remove it, atomically: of many callers one gets it."""
        ...

    async def compare_and_swap(self, key: str, expected: bytes | None, value: bytes, ttl: float) -> bool:
        """Set the value if the present one equals `expected` (None: absent); tell whether it was set."""
        ...

    async def increment(self, counts: Sequence[Count]) -> list[int]:
        """Add to each counter (made at 0, living `ttl` from its making) and answer the sums, each atomic by itself."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys."""
        ...


class Count(Value, frozen=True):
    """One counter to add `by` to; `by` 0 only reads."""

    key: str
    by: int
    ttl: float  # seconds


class Limiter(Protocol):
    """Counts of tries, each in a sliding window. The shipped one is over `KeyValue`; `Auth(limiter=…)` takes another.

    Keys are text up to 64 characters that name nobody. It raises Unavailable where it cannot count (rule O2).
    """

    async def hit(self, windows: Sequence[Window]) -> Sequence[Tally]:
        """Count one hit in each window and answer what is known of each, in their order.

        Of many contenders at most `allowance` are inside a window. All are counted, also when one is over.
        """
        ...

    async def clear(self, windows: Sequence[Window]) -> None:
        """Forget the hits of windows."""
        ...


class Window(Value, frozen=True):
    """`allowance` hits under `key` in any `seconds`; a hit past it is itself a hit, unless `counts_refused` is False.

    `steps` is how finely the window slides: hits are forgotten after `seconds` at the latest, by that part of it. With
    1 what the last window still covers may be estimated.
    """

    key: str
    allowance: int
    seconds: int
    counts_refused: bool = True
    steps: int = 1


class Tally(Value, frozen=True):
    """By how many hits a window is `past` its allowance, and the seconds to `wait`; both 0 while it is inside."""

    past: int
    wait: int


class Hasher(Protocol):
    """Slow password hashing, in a bounded pool, never on an event loop."""

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Answer the encoded digest; raise Overloaded.

        The salt is random, unless one is given that is as long as the present parameters have it.
        """
        ...

    async def verify(self, digest: str, password: str) -> PasswordMatch:
        """Answer what is known of a right password; raise PasswordMismatch, or Overloaded."""
        ...

    def dummy(self, like: str | None = None) -> str:
        """Answer a digest of an unknowable password that costs what `like` costs, by default a fresh one (rule A2)."""
        ...

    def salt(self, digest: str) -> bytes:
        """Answer the salt inside an encoded digest."""
        ...

    def knows(self, digest: str) -> bool:
        """Tell whether a digest, brought from elsewhere perhaps, is one that a password can be checked against."""
        ...


class PasswordMatch(Value, frozen=True):
    """The password is right; `needs_rehash` if the digest's parameters are not the present ones."""

    needs_rehash: bool


class PasswordMismatch(Exception):
    """The password is not the digest's, or the digest is not readable."""


class Inline(Value, frozen=True):
    """A picture inside a mail, which its HTML names as `cid:<cid>`."""

    hidden: ClassVar = frozenset({"data"})
    cid: str
    content_type: str  # such as "image/png"
    data: bytes


class Mail(Value, frozen=True):
    """One mail, typed: what a mailer, a callable or a test sees (S74, S77, S89, S92).

    `kind` is the closed name of what it is for, `event` its name among S89's ("recovery.magic_link"), or None;
    `text` and `html` are rendered in `locale`; `key` is the idempotency key, the same at every try. `data` is what the
    templates got, `metadata` what the room adds for a mailer. `username` is the display name of whom it is for.
    """

    hidden: ClassVar = frozenset({"code", "data", "html", "preview", "text", "token", "url"})
    kind: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    key: str
    template: str
    preview: str = ""  # it repeats the code
    code: str | None = None
    url: str | None = None
    token: str | None = None
    expires_at: datetime | None = None
    metadata: Mapping[str, Any] = {}
    event: str | None = None
    locale: str = "en"
    username: str | None = None
    data: Mapping[str, Any] = {}
    inline: tuple[Inline, ...] = ()


class Mailer(Protocol):
    """Hand a mail over; raising means that it is tried again later under the same key."""

    def send(self, mail: Mail) -> Awaitable[None] | None:
        """Send one mail. It runs in the sender's own thread, so it may block."""
        ...


class Sms(Value, frozen=True):
    """One text message, typed (S90): `text` is what to send, `key` the idempotency key, the same at every try."""

    hidden: ClassVar = frozenset({"code", "text"})
    kind: str
    to: str
    text: str
    key: str
    code: str | None = None
    ttl: float = 0.0  # seconds for which the code is valid, counted from this try
    expires_at: datetime | None = None
    event: str | None = None
    user_id: str | None = None
    locale: str = "en"
    metadata: Mapping[str, Any] = {}


class SmsSender(Protocol):
    """Hand a text message over; raising means that it is tried again later under the same key."""

    def send(self, sms: Sms) -> Awaitable[None] | None:
        """Send one message. It runs in the sender's own thread, so it may block."""
        ...


class HttpAnswer(Value, frozen=True):
    """An answer from a server that authcore asked."""

    hidden: ClassVar = frozenset({"body"})
    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """Ask other servers: https only, no redirects, private addresses refused unless allowed (rule A10)."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Send one request with a time limit; raise Unavailable."""
        ...


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Answer the time, aware, in UTC."""
        ...


class Randomness(Protocol):
    """Unpredictable bytes, by label so that a seeded source can keep a substream for each."""

    def bytes(self, size: int, label: str) -> bytes:
        """Answer `size` random bytes for `label`."""
        ...


class Hooks(Protocol):
    """Call an application's own function, sync or async, where the drive allows it."""

    async def call(self, hook: Callable[..., Any], /, *args: Any) -> Any:
        """Answer what the hook answers; under a blocking drive raise, naming the hook, if it suspends."""
        ...


class Ports(Value, frozen=True):
    """The ports of one drive, bound together."""

    db: Database
    kv: KeyValue
    limiter: Limiter
    hasher: Hasher
    http: Http
    clock: Clock
    random: Randomness
    hooks: Hooks
