"""Ports for tests: a clock that stands still, and ports that really wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from msgspec.structs import replace

from authcore.ports import Count, Database, Hasher, KeyValue, Limiter, PasswordMatch, Ports, Store, Tally, Window

P = ParamSpec("P")
R = TypeVar("R")


class FrozenClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = at

    def now(self) -> datetime:
        """Answer the time, aware, in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._now += timedelta(seconds=seconds)


class SuspendingDatabase:
    """A database whose every call suspends before it answers."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Suspend, then read."""
        await asyncio.sleep(0)
        return await self._inner.read(store, *args, **kwargs)

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Suspend, then write."""
        await asyncio.sleep(0)
        return await self._inner.write(store, *args, **kwargs)

    def watch(self, told: Callable[[Sequence[Any]], Awaitable[None]]) -> None:
        """Hand the function on."""
        self._inner.watch(told)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Hand the callback on."""
        self._inner.after_commit(callback)


class SuspendingKeyValue:
    """A key-value store whose every call suspends before it answers."""

    def __init__(self, inner: KeyValue) -> None:
        self._inner = inner

    async def get(self, key: str) -> bytes | None:
        """Suspend, then get."""
        await asyncio.sleep(0)
        return await self._inner.get(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Suspend, then put."""
        await asyncio.sleep(0)
        await self._inner.put(key, value, ttl)

    async def take(self, key: str) -> bytes | None:
        """Suspend, then take."""
        await asyncio.sleep(0)
        return await self._inner.take(key)

    async def compare_and_swap(self, key: str, expected: bytes | None, value: bytes, ttl: float) -> bool:
        """Suspend, then compare and swap."""
        await asyncio.sleep(0)
        return await self._inner.compare_and_swap(key, expected, value, ttl)

    async def increment(self, counts: Sequence[Count]) -> list[int]:
        """Suspend, then add."""
        await asyncio.sleep(0)
        return await self._inner.increment(counts)

    async def delete(self, keys: Sequence[str]) -> None:
        """Suspend, then delete."""
        await asyncio.sleep(0)
        await self._inner.delete(keys)


class SuspendingLimiter:
    """A limiter whose every call suspends before it counts."""

    def __init__(self, inner: Limiter) -> None:
        self._inner = inner

    async def hit(self, windows: Sequence[Window]) -> Sequence[Tally]:
        """Suspend, then count."""
        await asyncio.sleep(0)
        return await self._inner.hit(windows)

    async def clear(self, windows: Sequence[Window]) -> None:
        """Suspend, then forget."""
        await asyncio.sleep(0)
        await self._inner.clear(windows)


class SuspendingHasher:
    """A hasher whose every hash suspends before it is made."""

    def __init__(self, inner: Hasher) -> None:
        self._inner = inner

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Suspend, then hash."""
        await asyncio.sleep(0)
        return await self._inner.hash(password, salt)

    async def verify(self, digest: str, password: str) -> PasswordMatch:
        """Suspend, then verify."""
        await asyncio.sleep(0)
        return await self._inner.verify(digest, password)

    def dummy(self, like: str | None = None) -> str:
        """Answer the inner hasher's digest."""
        return self._inner.dummy(like)

    def salt(self, digest: str) -> bytes:
        """Answer the salt inside a digest."""
        return self._inner.salt(digest)

    def knows(self, digest: str) -> bool:
        """Tell whether the inner hasher can check a digest."""
        return self._inner.knows(digest)


def suspending(ports: Ports) -> Ports:
    """Answer the ports with a database, a key-value store, a limiter and a hasher that suspend: for asyncio alone."""
    return replace(
        ports,
        db=SuspendingDatabase(ports.db),
        kv=SuspendingKeyValue(ports.kv),
        limiter=SuspendingLimiter(ports.limiter),
        hasher=SuspendingHasher(ports.hasher),
    )
