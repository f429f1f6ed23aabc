"""The ports: all that a flow may reach, in one readable file.

Each port has a blocking and an asyncio implementation. The blocking side's coroutines complete at once, so a flow over
blocking ports ends in one step. A flow never knows which side it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy.engine import Connection

from authcore.values import Value

P = ParamSpec("P")
R = TypeVar("R")

Store = Callable[Concatenate[Connection, P], R]
"""A plain function over a connection: what happens inside a transaction cannot await, and may be run again."""

F = TypeVar("F", bound=Callable[..., Any])


def counting(store: F) -> F:
    """Mark a store function that counts attempts: it never joins a transaction that a refusal would roll back."""
    store.counting = True  # type: ignore[attr-defined]
    return store


class Database(Protocol):
    """A SQL database. Store functions are plain: `def by_email(tx, email)`."""

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run reads without a transaction around them (AUTOCOMMIT); raise Unavailable."""
        ...

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `store` in one transaction, again on a serialization failure (at most 3 times); raise Unavailable."""
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


class Hasher(Protocol):
    """Slow password hashing, in a bounded pool, never on an event loop."""

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Answer the encoded digest, with a salt of 16 random bytes unless given; raise Overloaded."""
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


class PasswordMatch(Value, frozen=True):
    """The password is right; `needs_rehash` if the digest's parameters are not the present ones."""

    needs_rehash: bool


class PasswordMismatch(Exception):
    """The password is not the digest's, or the digest is not readable."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, typed: what a mailer, a callable or a test sees.

    `kind` is the closed name of what it is for; `text` and `html` are rendered; `key` is the idempotency key,
    the same at every try.
    """

    kind: str
    to: str
    sender: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    key: str
    template: str
    preview: str = field(default="", repr=False)  # it repeats the code
    code: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Mailer(Protocol):
    """Hand a mail over; raising means that it is tried again later under the same key."""

    def send(self, mail: Mail) -> Awaitable[None] | None:
        """Send one mail. It runs in the sender's own thread, so it may block."""
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


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one drive, bound together."""

    db: Database
    kv: KeyValue
    hasher: Hasher
    http: Http
    clock: Clock
    random: Randomness
    hooks: Hooks
