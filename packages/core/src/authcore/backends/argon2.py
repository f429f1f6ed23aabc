"""Argon2id in a bounded pool: hashing neither blocks an event loop nor piles up in memory (rule A7)."""

from __future__ import annotations

import asyncio
import base64
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from authcore.backends import fork
from authcore.drive import off_worker
from authcore.errors import ConfigurationError, Overloaded
from authcore.ports import PasswordMatch, PasswordMismatch, Randomness

if TYPE_CHECKING:
    from argon2 import Parameters

R = TypeVar("R")
VERSION = 19  # RFC 9106
MAX_WAIT = 2.0  # seconds until a hash has to have begun (rule A7)
_FIRST_GUESS = 0.1  # seconds a hash, until one is measured
_WEIGHT = 0.2  # of the latest hash in the measured pace


@dataclass(frozen=True, slots=True)
class HashParameters:
    """The cost of one argon2id hash."""

    memory_kib: int = 32768  # KiB
    time_cost: int = 2  # passes
    parallelism: int = 1  # lanes
    salt_bytes: int = 16
    hash_bytes: int = 32

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        for name, floor in _FLOOR.items():
            if getattr(self, name) < floor:
                raise ConfigurationError(
                    f"hashing has {name}={getattr(self, name)}: write HashParameters({name}={floor}) or more."
                )

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$argon2id$v=19$m=…,t=…,p=…$salt$tag`."""
        cost = f"m={self.memory_kib},t={self.time_cost},p={self.parallelism}"
        return f"$argon2id$v={VERSION}${cost}${_to_base64(salt)}${_to_base64(tag)}"


_FLOOR = {
    "memory_kib": 19456,
    "time_cost": 2,
    "parallelism": 1,
    "salt_bytes": 16,
    "hash_bytes": 32,
}  # OWASP, RFC 9106
STANDARD = HashParameters()
CHEAP = HashParameters(memory_kib=8, time_cost=1)
"""For tests alone: a thousandth of the work, and `check` refuses it."""


def cores() -> int:
    """Answer on how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class HashPool:
    """At most `workers` hashes at once; what could not begin within 2 s at the measured pace is refused."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or cores()
        self._fixed = workers is not None
        self._executor = fork.Lazy(lambda: _executor(self._workers))
        self._mutex = fork.Mutex()
        self._pace = _FIRST_GUESS
        self._pending = 0
        fork.register(self)

    @property
    def workers(self) -> int:
        """Answer how many hashes run at once."""
        return self._workers

    def beside_loop(self) -> None:
        """Leave a processor to an event loop, unless the number of workers was given."""
        fewer = max(1, cores() - 1)
        if not self._fixed and fewer < self._workers:
            self._workers = fewer
            self.dispose()

    def submit(self, work: Callable[[], R]) -> Future[R]:
        """Queue `work`; raise Overloaded, with the seconds to wait in `Retry-After`."""
        self._admit()
        try:
            future = self._executor.get().submit(self._timed, work)
        except RuntimeError:
            self._leave()
            raise Overloaded from None  # the process is ending
        future.add_done_callback(lambda _: self._leave())
        return future

    def dispose(self) -> None:
        """Let the workers end what they have begun and what waits."""
        executor = self._executor.forget()
        if executor is not None:
            executor.shutdown(wait=False)

    def before_fork(self) -> None:
        """Leave the parent's threads alone."""

    def after_fork_in_child(self) -> None:
        """Start with nothing queued."""
        self._pending = 0

    def _admit(self) -> None:
        with self._mutex:
            ahead = max(0, self._pending + 1 - self._workers)
            wait = ahead * self._pace / self._workers
            if wait > MAX_WAIT:
                raise Overloaded(headers=(("Retry-After", str(math.ceil(wait))),))
            self._pending += 1

    def _leave(self) -> None:
        with self._mutex:
            self._pending = max(0, self._pending - 1)

    def _timed(self, work: Callable[[], R]) -> R:
        began = time.perf_counter()
        try:
            return work()
        finally:
            took = time.perf_counter() - began
            self._pace += _WEIGHT * (took - self._pace)


def _executor(workers: int) -> Executor:
    # A patched ThreadPoolExecutor runs greenlets: each hash would stop the whole hub.
    if _is_gevent():
        from gevent.threadpool import ThreadPoolExecutor as NativeThreads

        native: Executor = NativeThreads(workers)
        return native
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, thread_name_prefix="authcore-hash")


def _is_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


class _Hashing:
    """What both sides share: which work to queue, and what is known without any."""

    def __init__(self, pool: HashPool, parameters: HashParameters, random: Randomness) -> None:
        self._pool = pool
        self._parameters = parameters
        self._random = random
        self._dummies: dict[HashParameters, str] = {}

    def dummy(self, like: str | None = None) -> str:
        """Answer a digest that no password has: salt and tag are drawn, so it costs nothing to make.

        It costs a check what `like` costs; one that is not readable costs what the present parameters do.
        """
        cost = (_parameters_of(like) if like else None) or self._parameters
        if cost not in self._dummies:
            salt = self._random.bytes(cost.salt_bytes, "dummy-salt")
            self._dummies[cost] = cost.encode(salt, self._random.bytes(cost.hash_bytes, "dummy-tag"))
        return self._dummies[cost]

    def salt(self, digest: str) -> bytes:
        """Answer the salt inside an encoded digest; raise PasswordMismatch if it is not readable."""
        try:
            return _from_base64(digest.split("$")[-2])
        except (IndexError, ValueError):
            raise PasswordMismatch from None

    def _hash(self, password: str, salt: bytes | None) -> Future[str]:
        salt = salt or self._random.bytes(self._parameters.salt_bytes, "password-salt")
        return self._pool.submit(partial(_hash, self._parameters, _bytes(password), salt))

    def _verify(self, digest: str, password: str) -> Future[PasswordMatch]:
        return self._pool.submit(partial(_verify, self._parameters, digest, _bytes(password)))


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


def _hash(parameters: HashParameters, password: bytes, salt: bytes) -> str:
    from argon2.low_level import Type, hash_secret

    return hash_secret(
        password,
        salt,
        time_cost=parameters.time_cost,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.parallelism,
        hash_len=parameters.hash_bytes,
        type=Type.ID,
    ).decode()


def _verify(parameters: HashParameters, digest: str, password: bytes) -> PasswordMatch:
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
    from argon2.low_level import verify_secret

    try:
        found = extract_parameters(digest)
        verify_secret(digest.encode("ascii"), password, found.type)
    except VerifyMismatchError:
        raise PasswordMismatch from None
    except (InvalidHashError, VerificationError, ValueError):
        # Rule A2: a digest that opens for nobody takes as long as one that could.
        _hash(parameters, password, bytes(parameters.salt_bytes))
        raise PasswordMismatch from None
    return PasswordMatch(needs_rehash=_cost(found) != _expected(parameters))


def _parameters_of(digest: str) -> HashParameters | None:
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        found = extract_parameters(digest)
    except (InvalidHashError, ValueError):
        return None
    return HashParameters(found.memory_cost, found.time_cost, found.parallelism, found.salt_len, found.hash_len)


def _cost(found: Parameters) -> tuple[Any, ...]:
    cost = (found.memory_cost, found.time_cost, found.parallelism)
    return (found.type.name, found.version, *cost, found.salt_len, found.hash_len)


def _expected(wanted: HashParameters) -> tuple[Any, ...]:
    cost = (wanted.memory_kib, wanted.time_cost, wanted.parallelism)
    return ("ID", VERSION, *cost, wanted.salt_bytes, wanted.hash_bytes)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
