"""ports.Hasher on each drive: which work goes to the pool, and what is known without any."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial

from authcore.backends.hashing.choice import Formats, Hashing
from authcore.backends.hashing.cost import Cost, Parameters
from authcore.backends.hashing.pool import HashPool
from authcore.drive import off_worker
from authcore.errors import Overloaded
from authcore.ports import PasswordMatch, PasswordMismatch, Randomness

MAX_DUMMIES = 1000  # of as many costs
_TEXT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class _Hashing:
    """What both sides share: which work to queue, and what is known without any."""

    def __init__(self, pool: HashPool, hashing: Hashing | Parameters, random: Randomness) -> None:
        self._pool = pool
        self._formats = Formats(hashing if isinstance(hashing, Hashing) else Hashing(hashing))
        self._random = random
        self._dummies: dict[Cost, str] = {}

    def dummy(self, like: str | None = None) -> str:
        """Answer a digest that no password has: salt and tag are drawn, so it costs nothing to make.

        It costs a check what `like` costs; one that is not readable costs what the present parameters do.
        """
        found = self._formats.read(like) if like else None
        cost = found.cost if found else self._formats.chosen
        kept = self._dummies.get(cost)
        if kept is None:
            if len(self._dummies) >= MAX_DUMMIES:
                self._dummies.clear()
            kept = self._dummies[cost] = self._draw(cost)
        return kept

    def salt(self, digest: str) -> bytes:
        """Answer the salt inside an encoded digest; raise PasswordMismatch if it is not readable."""
        salt = self._formats.salt(digest)
        if salt is None:
            raise PasswordMismatch
        return salt

    def knows(self, digest: str) -> bool:
        """Tell whether a digest, brought from elsewhere perhaps, is one that a password can be checked against."""
        return self._formats.read(digest) is not None

    def _draw(self, cost: Cost) -> str:
        # Some formats have a salt of letters and digits.
        drawn = self._random.bytes(cost.salt_bytes, "dummy-salt")
        salt = bytes(_TEXT[byte % len(_TEXT)] for byte in drawn)
        return cost.encode(salt, self._random.bytes(cost.hash_bytes, "dummy-tag"))

    def _hash(self, password: str, salt: bytes | None) -> Future[str]:
        size = self._formats.chosen.salt_bytes
        if salt is None or len(salt) != size:
            salt = self._random.bytes(size, "password-salt")
        return self._pool.submit(partial(_hash, self._formats.chosen, _bytes(password), salt))

    def _verify(self, digest: str, password: str) -> Future[PasswordMatch]:
        return self._pool.submit(partial(_verify, self._formats, digest, _bytes(password)))


class BlockingHasher(_Hashing):
    """ports.Hasher for blocking code: the caller's thread waits for a worker."""

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Answer the encoded digest; raise Overloaded."""
        return self._hash(password, salt).result()

    async def verify(self, digest: str, password: str) -> PasswordMatch:
        """Answer what is known of a right password; raise PasswordMismatch or Overloaded."""
        return self._verify(digest, password).result()


class AsyncHasher(_Hashing):
    """ports.Hasher for asyncio: the loop goes on meanwhile."""

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Answer the encoded digest; raise Overloaded."""
        return await asyncio.wrap_future(self._hash(password, salt))

    async def verify(self, digest: str, password: str) -> PasswordMatch:
        """Answer what is known of a right password; raise PasswordMismatch or Overloaded."""
        return await asyncio.wrap_future(self._verify(digest, password))


class ThreadHasher(AsyncHasher):
    """ports.Hasher for flows in worker threads: a flow leaves its worker for as long as it waits for a hash.

    So the pool counts every flow that waits, and refuses what would wait too long, and no request without a hash
    stands in line behind one that has.
    """

    async def hash(self, password: str, salt: bytes | None = None) -> str:
        """Answer the encoded digest; raise Overloaded."""
        return await off_worker(super().hash, password, salt)

    async def verify(self, digest: str, password: str) -> PasswordMatch:
        """Answer what is known of a right password; raise PasswordMismatch or Overloaded."""
        return await off_worker(super().verify, digest, password)


def _bytes(password: str) -> bytes:
    # What callers hand over from bodies of their own may hold a lone surrogate: another password, no crash.
    return password.encode("utf-8", "surrogatepass")


def _hash(cost: Cost, password: bytes, salt: bytes) -> str:
    try:
        return cost.encode(salt, cost.derive(password, salt))
    except MemoryError:
        raise Overloaded from None


def _verify(formats: Formats, digest: str, password: bytes) -> PasswordMatch:
    found = formats.read(digest)
    if found is None:
        # Rule A2: a digest that opens for nobody takes as long as one that could.
        _hash(formats.chosen, password, bytes(formats.chosen.salt_bytes))
        raise PasswordMismatch
    try:
        opens = found.opens_for(password)
    except MemoryError:
        raise Overloaded from None
    if not opens:
        raise PasswordMismatch
    return PasswordMatch(needs_rehash=found.cost != formats.chosen)
