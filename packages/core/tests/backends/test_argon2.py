"""Password hashing: the digests, the pool that bounds it, and the floor under its parameters."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

import argon2
import pytest

from authcore.backends.argon2 import CHEAP, STANDARD, AsyncHasher, BlockingHasher, HashParameters, HashPool
from authcore.backends.hashing import pool as bounded
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking
from authcore.errors import ConfigurationError, Overloaded
from authcore.ports import PasswordMismatch


@pytest.fixture
def pool() -> Iterator[HashPool]:
    """Answer a pool of two workers."""
    pool = HashPool(2)
    yield pool
    pool.dispose()


@pytest.fixture
def hasher(pool: HashPool) -> BlockingHasher:
    """Answer a cheap hasher."""
    return BlockingHasher(pool, CHEAP, SystemRandom())


def test_the_right_password_matches(hasher: BlockingHasher) -> None:
    """A digest opens for its password and for no other."""
    digest = run_blocking(hasher.hash("correct horse"))

    match = run_blocking(hasher.verify(digest, "correct horse"))

    assert match.needs_rehash is False
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(digest, "wrong horse"))


def test_a_long_password_counts_to_its_end(hasher: BlockingHasher) -> None:
    """A4: nothing is cut off, and a NUL ends nothing."""
    long = "x" * 4096
    digest = run_blocking(hasher.hash(long + "a\0b"))

    for other in (long + "b\0b", long + "a\0c", long + "a"):
        with pytest.raises(PasswordMismatch):
            run_blocking(hasher.verify(digest, other))


def test_the_standard_digest_is_argon2id(pool: HashPool) -> None:
    """Digests are in the PHC format, with 32 MiB, 2 passes, 16 bytes of salt and 32 of hash, readable by others."""
    digest = run_blocking(BlockingHasher(pool, STANDARD, SystemRandom()).hash("correct horse"))

    found = argon2.extract_parameters(digest)

    assert (found.type, found.version, found.memory_cost, found.time_cost) == (argon2.Type.ID, 19, 32768, 2)
    assert (found.parallelism, found.salt_len, found.hash_len) == (1, 16, 32)
    assert argon2.PasswordHasher().verify(digest, "correct horse")


def test_a_given_salt_makes_the_same_digest(hasher: BlockingHasher) -> None:
    """With the salt read from a digest the same password hashes to the same digest."""
    digest = run_blocking(hasher.hash("correct horse"))

    again = run_blocking(hasher.hash("correct horse", hasher.salt(digest)))

    assert again == digest
    assert run_blocking(hasher.hash("correct horse")) != digest


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": 16},
        {"time_cost": 2},
        {"parallelism": 1, "salt_bytes": 24},
        {"hash_bytes": 48},
    ],
)
def test_other_parameters_ask_for_another_hash(hasher: BlockingHasher, pool: HashPool, change: dict[str, int]) -> None:
    """A digest of other parameters still opens, and says that it should be made again."""
    digest = run_blocking(BlockingHasher(pool, replace(CHEAP, **change), SystemRandom()).hash("correct horse"))

    assert run_blocking(hasher.verify(digest, "correct horse")).needs_rehash is True


@pytest.mark.parametrize("kind", [argon2.Type.I, argon2.Type.D])
def test_other_kinds_of_argon2_open(hasher: BlockingHasher, kind: argon2.Type) -> None:
    """Digests of argon2i and argon2d, as other systems made them, open and should be made again."""
    digest = argon2.low_level.hash_secret(b"correct horse", b"s" * 16, 1, 8, 1, 32, kind).decode()

    assert run_blocking(hasher.verify(digest, "correct horse")).needs_rehash is True


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "!",
        "plain",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$",
        "$2b$12$abc",
        "$argon2id$v=19$m=8,t=1,p=1$é$é",
    ],
)
def test_an_unreadable_digest_opens_for_nobody(hasher: BlockingHasher, digest: str) -> None:
    """What is no digest is a mismatch, never a 500."""
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(digest, "correct horse"))


def test_an_unreadable_digest_costs_a_hash(pool: HashPool) -> None:
    """A2: an account that has no usable digest is not told by the time of the answer."""
    hasher = BlockingHasher(pool, replace(CHEAP, memory_kib=8192), SystemRandom())
    digest = run_blocking(hasher.hash("correct horse"))

    wrong = _seconds(lambda: _refused(hasher, digest))
    unreadable = _seconds(lambda: _refused(hasher, "!"))

    assert unreadable > wrong / 3


def test_the_dummy_is_like_a_stored_digest(hasher: BlockingHasher) -> None:
    """A2: the dummy has the parameters and the length of stored digests, is kept, and opens for nobody."""
    stored = run_blocking(hasher.hash("correct horse"))

    dummy = hasher.dummy()

    assert argon2.extract_parameters(dummy) == argon2.extract_parameters(stored)
    assert (len(dummy), hasher.dummy()) == (len(stored), dummy)
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(dummy, "correct horse"))


def test_a_dummy_costs_what_it_is_like(hasher: BlockingHasher) -> None:
    """A2: like a digest of earlier parameters it has those, and is kept; like nothing readable it has the present."""
    earlier = replace(CHEAP, memory_kib=16, time_cost=3, hash_bytes=24)

    dummy, again = (hasher.dummy(earlier.encode(bytes(16), bytes([number]) * 24)) for number in range(2))

    assert argon2.extract_parameters(dummy) == argon2.extract_parameters(earlier.encode(bytes(16), bytes(24)))
    assert dummy == again
    assert [hasher.dummy("!"), hasher.dummy("")] == [hasher.dummy()] * 2
    assert hasher.dummy() != dummy
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(dummy, "correct horse"))


def test_the_dummy_costs_no_hash(pool: HashPool) -> None:
    """Making the dummy never holds up an event loop."""
    hasher = BlockingHasher(pool, replace(STANDARD, memory_kib=1024 * 1024), SystemRandom())

    assert _seconds(hasher.dummy, turns=1) < 0.05


@pytest.mark.parametrize("digest", ["", "plain", "$a$b*c$d"])
def test_no_salt_is_read_from_what_is_no_digest(hasher: BlockingHasher, digest: str) -> None:
    """An unreadable digest has no salt."""
    with pytest.raises(PasswordMismatch):
        hasher.salt(digest)


def test_no_more_hashes_run_than_there_are_workers(pool: HashPool) -> None:
    """A7: the pool bounds the memory that hashing takes."""
    running: list[int] = []
    most: list[int] = []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    wait([pool.submit(work) for _ in range(10)])

    assert max(most) == 2


def test_what_could_not_begin_in_time_is_refused_at_once(pool: HashPool) -> None:
    """A7: when the measured pace leaves no hope of a start within 2 s, the answer is a 503 at once."""
    leave = threading.Event()
    _teach(pool, seconds=0.5)

    accepted, refusal = _fill(pool, leave)
    leave.set()
    wait(accepted)

    # Two run; of those that wait the last that is let in begins after 2 s: 8 × 0.5 s ÷ 2 workers.
    assert 2 + 6 <= len(accepted) <= 2 + 10
    assert refusal.status == 503
    assert 2 <= int(dict(refusal.headers)["Retry-After"]) <= 4


def test_a_pool_that_was_full_takes_work_again(pool: HashPool) -> None:
    """Once the queue is worked off, hashing goes on."""
    leave = threading.Event()
    _teach(pool, seconds=0.5)
    accepted, _ = _fill(pool, leave)

    leave.set()
    wait(accepted)

    assert pool.submit(lambda: "again").result(timeout=10) == "again"


def test_quick_hashes_let_more_wait(pool: HashPool) -> None:
    """The pace is measured: at a hundredth of the time, many more may wait."""
    leave = threading.Event()
    _teach(pool, seconds=0.002)

    accepted = [pool.submit(leave.wait) for _ in range(200)]
    leave.set()
    wait(accepted)

    assert len(accepted) == 200


async def test_a_caller_that_gave_up_frees_its_place() -> None:
    """A cancelled request takes its hash out of the queue."""
    pool = HashPool(1)
    hasher = AsyncHasher(pool, CHEAP, SystemRandom())
    leave = threading.Event()
    _teach(pool, seconds=1.5)
    running = pool.submit(leave.wait)
    waiting = asyncio.create_task(hasher.hash("waits"))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await hasher.hash("refused")

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    accepted = asyncio.create_task(hasher.hash("accepted"))
    await asyncio.sleep(0)
    leave.set()

    assert (await accepted).startswith("$argon2id$")
    assert running.result() is True
    pool.dispose()


async def test_a_loop_goes_on_while_a_password_is_hashed(pool: HashPool) -> None:
    """Hashing never runs on the event loop, and digests are alike on both sides."""
    hasher = AsyncHasher(pool, replace(CHEAP, memory_kib=65536), SystemRandom())
    task = asyncio.create_task(hasher.hash("correct horse"))

    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert turns > 5
    assert (await hasher.verify(await task, "correct horse")).needs_rehash is False
    with pytest.raises(PasswordMismatch):
        await hasher.verify(await task, "wrong horse")


def test_a_loop_keeps_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a number there is a worker for each processor, and one less beside a loop; a given number stays."""
    monkeypatch.setattr(bounded, "cores", lambda: 4)
    own, given = HashPool(), HashPool(4)

    before = own.workers
    for pool in (own, given):
        pool.beside_loop()

    assert (before, own.workers, given.workers) == (4, 3, 4)
    monkeypatch.setattr(bounded, "cores", lambda: 1)
    alone = HashPool()
    alone.beside_loop()
    assert alone.workers == 1


def test_no_thread_runs_before_the_first_hash() -> None:
    """O5: declaring a pool starts no thread."""
    before = set(threading.enumerate())

    BlockingHasher(HashPool(4), CHEAP, SystemRandom()).dummy()

    assert set(threading.enumerate()) <= before


def test_the_standard_parameters_are_above_the_floor() -> None:
    """O1: the defaults may start outside development, also at the floor itself."""
    STANDARD.check()

    HashParameters(memory_kib=19456, time_cost=2).check()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"memory_kib": 19455}, r"HashParameters\(memory_kib=19456\)"),
        ({"time_cost": 1}, r"HashParameters\(time_cost=2\)"),
        ({"parallelism": 0}, r"HashParameters\(parallelism=1\)"),
        ({"salt_bytes": 8}, r"HashParameters\(salt_bytes=16\)"),
        ({"hash_bytes": 16}, r"HashParameters\(hash_bytes=32\)"),
    ],
)
def test_parameters_under_the_floor_are_refused(change: dict[str, int], hint: str) -> None:
    """O1: the sentence says what to write."""
    with pytest.raises(ConfigurationError, match=hint):
        replace(STANDARD, **change).check()


def test_cheap_parameters_are_for_tests_alone() -> None:
    """O1: what tests hash with may not start outside development."""
    with pytest.raises(ConfigurationError):
        CHEAP.check()


def _teach(pool: HashPool, seconds: float) -> None:
    """Let the pool measure hashes that take `seconds`, without taking them."""
    pool._pace = seconds


def _fill(pool: HashPool, leave: threading.Event) -> tuple[list[Future[Any]], Overloaded]:
    accepted: list[Future[Any]] = []
    while True:
        try:
            accepted.append(pool.submit(leave.wait))
        except Overloaded as refusal:
            return accepted, refusal


def _refused(hasher: BlockingHasher, digest: str) -> None:
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(digest, "wrong horse"))


def _seconds(act: Any, turns: int = 5) -> float:
    took = []
    for _ in range(turns):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return min(took)
