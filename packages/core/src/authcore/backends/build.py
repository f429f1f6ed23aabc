"""From a plan to the ports of each drive. Building opens nothing: each port opens at its first use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL, Engine

from authcore.backends.argon2 import STANDARD, AsyncHasher, BlockingHasher, HashPool, ThreadHasher
from authcore.backends.credentials.choice import memory, store_of
from authcore.backends.executors import ThreadHop
from authcore.backends.follower import Follower
from authcore.backends.hashing.choice import Hashing
from authcore.backends.hashing.cost import Parameters
from authcore.backends.inline import InlineReads
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.backends.kv_sql import SqlKeyValue
from authcore.backends.limiter import KeyValueLimiter
from authcore.backends.sources import (
    AsyncSource,
    DatabaseSource,
    Disposable,
    Migratable,
    Releasing,
    Streaming,
    source_of,
)
from authcore.backends.streams import Stream
from authcore.backends.system import SystemClock, SystemRandom
from authcore.backends.watches import Watches
from authcore.backends.web import AsyncHttp, BlockingHttp
from authcore.drive import AsyncHooks, BlockingHooks, Drive, Hop, ThreadHooks, offloaded
from authcore.errors import ConfigurationError
from authcore.ports import Clock, Database, Hasher, Hooks, KeyValue, Limiter, Ports, Randomness
from authcore.tables import shipped

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from authcore.context import AppSettings
    from authcore.services.revocations import Revocation
    from authcore.stores import CredentialStore

__all__ = ["Backends", "DatabaseSource", "Plan"]

FLOW_WORKERS = 16
GUARD_WORKERS = 4


@dataclass(frozen=True)
class Plan:
    """What the ports are made of.

    `database` is a URL, an application's own Engine or AsyncEngine, or a DatabaseSource. `key_value` "memory"
    counts in each process for itself. `hash_workers` None: one a processor, and one less beside an event loop.
    `stream` "auto" listens where the database can, "off" nowhere.
    """

    database: str | URL | Engine | AsyncEngine | DatabaseSource = field(repr=False)
    key_value: str | KeyValue = "sql"
    limiter: Limiter | None = None
    hashing: Hashing | Parameters = STANDARD
    hash_workers: int | None = None
    clock: Clock = field(default_factory=SystemClock)
    random: Randomness = field(default_factory=SystemRandom)
    create_missing: bool = False
    private_hosts: bool = False
    stream: str | Stream = "auto"


class Backends:
    """The ports of one Auth, for whichever drives are asked for."""

    flow_hop: Hop
    guard_hop: Hop

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._source = source_of(plan.database, plan.create_missing)
        self._key_value = _key_value(plan)
        self._pool = HashPool(plan.hash_workers)
        self._http = BlockingHttp(plan.private_hosts)
        self._async_http = AsyncHttp(plan.private_hosts)
        self._ports: dict[Drive, Ports] = {}
        self._flow_hop = ThreadHop(FLOW_WORKERS, "authcore-flow")
        self._guard_hop = ThreadHop(GUARD_WORKERS, "authcore-guard")
        self.flow_hop, self.guard_hop = self._flow_hop, self._guard_hop
        self.follower = Follower(lambda: self.ports(Drive.BLOCKING).db, self._stream, self._release, plan.clock)
        self.watches = Watches(self.follower.listen)
        self._memory: CredentialStore | None = None
        self.on_ended: dict[Drive, list[Callable[[Sequence[Revocation]], Awaitable[None]]]] = defaultdict(list)

    def ports(self, drive: Drive) -> Ports:
        """Answer the drive's ports, the same each time; raise ConfigurationError if the database has none."""
        if drive not in self._ports:
            self._ports[drive] = self._make(drive)
        return self._ports[drive]

    def inline(self) -> InlineReads | None:
        """Answer reads that may run on an event loop, under the drive THREADS; None if there are none."""
        return self._source.inline()

    def create_tables(self) -> None:
        """Make the missing tables on a connection that is closed afterwards; raise Unavailable."""
        self._source.create_tables(shipped())

    def migratable(self) -> Migratable:
        """Answer where the schema may be changed; raise ConfigurationError where a framework changes it."""
        if isinstance(self._source, Migratable):
            return self._source
        raise ConfigurationError(
            "These tables belong to the framework's own migrations: use its command, such as `manage.py migrate`."
        )

    def dispose(self) -> None:
        """Close every connection and let every thread end; what is asked for next opens again."""
        self.follower.stop()
        for thing in (self._source, self._pool, self._flow_hop, self._guard_hop, self._http, self._async_http):
            if isinstance(thing, Disposable):
                thing.dispose()

    def _make(self, drive: Drive) -> Ports:
        if drive is not Drive.BLOCKING:
            self._pool.beside_loop()
        db = self._database(drive)
        db.watch(partial(self._ended, drive))
        kv = self._key_value(db)
        return Ports(
            db=db,
            kv=kv,
            limiter=self._plan.limiter or KeyValueLimiter(kv, self._plan.clock),
            hasher=self._hasher(drive),
            http=self._async_http if drive is Drive.ASYNCIO else self._http,
            clock=self._plan.clock,
            random=self._plan.random,
            hooks=_HOOKS[drive](),
        )

    async def _ended(self, drive: Drive, ended: Sequence[Revocation]) -> None:
        self.follower.apply(ended, self._plan.clock.now())
        self.follower.ring()
        for told in self.on_ended[drive]:
            await told(ended)

    def credential_store(
        self, drive: Drive, choice: Any, app: AppSettings, longest: timedelta
    ) -> CredentialStore | None:
        """Answer where a drive finds access credentials of one transport; None for the ledger of sessions itself."""
        ports = self.ports(drive)
        if choice == "memory":
            self._memory = self._memory or memory(ports)
            return self._memory
        store = store_of(choice, app, ports, longest, blocks=drive is not Drive.ASYNCIO)
        return offloaded(store) if drive is Drive.ASYNCIO else store

    def _stream(self) -> Stream | None:
        chosen = self._plan.stream
        if isinstance(chosen, Stream):
            return chosen
        return self._source.stream() if chosen == "auto" and isinstance(self._source, Streaming) else None

    def _release(self) -> None:
        if isinstance(self._source, Releasing):
            self._source.release()

    def _database(self, drive: Drive) -> Database:
        if drive is not Drive.ASYNCIO:
            return self._source.blocking()
        if isinstance(self._source, AsyncSource):
            return self._source.asyncio()
        raise ConfigurationError(
            'drive="asyncio" needs a database with a driver for asyncio, which SQLite has not: '
            'write drive="threads", which is the default.'
        )

    def _hasher(self, drive: Drive) -> Hasher:
        kind = _HASHERS[drive]
        if drive is Drive.THREADS and self.flow_hop is not self._flow_hop:
            kind = BlockingHasher  # a framework that gives each request a thread of its own: there is no line to leave
        return kind(self._pool, self._plan.hashing, self._plan.random)


_HASHERS: dict[Drive, type[BlockingHasher] | type[AsyncHasher]] = {
    Drive.BLOCKING: BlockingHasher,
    Drive.THREADS: ThreadHasher,
    Drive.ASYNCIO: AsyncHasher,
}
_HOOKS: dict[Drive, Callable[[], Hooks]] = {
    Drive.BLOCKING: BlockingHooks,
    Drive.THREADS: ThreadHooks,
    Drive.ASYNCIO: AsyncHooks,
}


def _key_value(plan: Plan) -> Callable[[Database], KeyValue]:
    given = plan.key_value
    if given == "sql":
        return lambda database: SqlKeyValue(database, plan.clock)
    if given == "memory":
        shared = MemoryKeyValue(plan.clock)
        return lambda database: shared
    if isinstance(given, str):
        raise ConfigurationError(f'key_value is {given!r}: write "sql", "memory", or give a KeyValue.')
    return lambda database: given
