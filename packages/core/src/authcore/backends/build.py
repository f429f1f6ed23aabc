"""From a plan to the ports of each drive. Building opens nothing: each port opens at its first use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, Engine

from authcore.backends.argon2 import STANDARD, AsyncHasher, BlockingHasher, HashPool, ThreadHasher
from authcore.backends.executors import ThreadHop
from authcore.backends.hashing.choice import Hashing
from authcore.backends.hashing.cost import Parameters
from authcore.backends.inline import InlineReads
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.backends.kv_sql import SqlKeyValue
from authcore.backends.limiter import KeyValueLimiter
from authcore.backends.sources import AsyncSource, DatabaseSource, Disposable, Migratable, source_of
from authcore.backends.system import SystemClock, SystemRandom
from authcore.backends.web import AsyncHttp, BlockingHttp
from authcore.drive import AsyncHooks, BlockingHooks, Drive, Hop, ThreadHooks
from authcore.errors import ConfigurationError
from authcore.ports import Clock, Database, Hasher, Hooks, KeyValue, Limiter, Ports, Randomness
from authcore.tables import shipped

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Backends", "DatabaseSource", "Plan"]

FLOW_WORKERS = 16
GUARD_WORKERS = 4


@dataclass(frozen=True)
class Plan:
    """What the ports are made of.

    `database` is a URL, an application's own Engine or AsyncEngine, or a DatabaseSource. `key_value` "memory"
    counts in each process for itself. `hash_workers` None: one a processor, and one less beside an event loop.
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
        for thing in (self._source, self._pool, self._flow_hop, self._guard_hop, self._http, self._async_http):
            if isinstance(thing, Disposable):
                thing.dispose()

    def _make(self, drive: Drive) -> Ports:
        if drive is not Drive.BLOCKING:
            self._pool.beside_loop()
        db = self._database(drive)
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
