"""Passwords a second: what argon2-cffi alone verifies, and how many more the hasher does with libsodium.

`python hashes.py WORKERS SECONDS [NAME]` prints what NAME, argon2-cffi unless given, does in as many threads.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from statistics import median
from time import perf_counter

from argon2 import PasswordHasher
from figure import Effort, Figure, at_least, told

from authcore.backends.argon2 import STANDARD, BlockingHasher, HashPool, cores
from authcore.backends.hashing import argon2id
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking

PASSWORD = "three quiet herons wade"
SECONDS = 2.0


def measure(effort: Effort) -> list[Figure]:
    """Verify with the hasher of an application, with libsodium and without, in turns."""
    rounds, seconds = max(1, effort.rounds // 3), effort.seconds(SECONDS)
    found = [[_alone(name, seconds) for name in NAMES] for _ in range(rounds)]
    alone, plain, sodium = (median(column) for column in zip(*found, strict=True))
    threads = f"in {cores()} threads"
    return [
        told(f"hash: argon2-cffi alone, passwords a second {threads}", alone),
        told(f"hash: the hasher with argon2-cffi, passwords a second {threads}", plain),
        told(f"hash: the hasher with libsodium, passwords a second {threads}", sodium),
        at_least("hash: the hasher with libsodium, of what argon2-cffi alone does", sodium / alone, 1.5),
    ]


def _alone(name: str, seconds: float) -> float:
    """Measure in a process of its own: the choice between the two is made once in each."""
    command = [sys.executable, __file__, str(cores()), str(seconds), name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def rate(workers: int, seconds: float, verify: Callable[[int], Callable[[], object]]) -> float:
    """Verify one password over and over in `workers` threads."""
    once = verify(workers)
    once()
    done = [0] * workers
    until = perf_counter() + seconds

    def work(worker: int) -> None:
        while perf_counter() < until:
            once()
            done[worker] += 1

    began = perf_counter()
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - began)


def _argon2_cffi(workers: int) -> Callable[[], object]:
    hasher = PasswordHasher(STANDARD.time_cost, STANDARD.memory_kib, STANDARD.parallelism)
    digest = hasher.hash(PASSWORD)
    return lambda: hasher.verify(digest, PASSWORD)


def _sodium(workers: int) -> Callable[[], object]:
    if not argon2id.has_sodium():
        sys.exit("libsodium is not installed: pip install 'authcore[sodium]'.")
    return _hasher(workers)


def _plain(workers: int) -> Callable[[], object]:
    argon2id.has_sodium = lambda: False  # type: ignore[assignment]
    return _hasher(workers)


def _hasher(workers: int) -> Callable[[], object]:
    hasher = BlockingHasher(HashPool(workers), STANDARD, SystemRandom())
    digest = run_blocking(hasher.hash(PASSWORD))
    return lambda: run_blocking(hasher.verify(digest, PASSWORD))


NAMES = {"argon2-cffi": _argon2_cffi, "plain": _plain, "sodium": _sodium}

if __name__ == "__main__":
    print(rate(int(sys.argv[1]), float(sys.argv[2]), NAMES[(*sys.argv[3:], "argon2-cffi")[0]]))
