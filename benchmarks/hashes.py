"""What argon2-cffi alone does: `python hashes.py WORKERS SECONDS` prints how many passwords it verifies a second."""

from __future__ import annotations

import sys
import threading
from time import perf_counter

from argon2 import PasswordHasher

from authcore.backends.argon2 import STANDARD

PASSWORD = "three quiet herons wade"


def rate(workers: int, seconds: float) -> float:
    """Verify one password over and over in `workers` threads."""
    hasher = PasswordHasher(STANDARD.time_cost, STANDARD.memory_kib, STANDARD.parallelism)
    digest = hasher.hash(PASSWORD)
    done = [0] * workers
    until = perf_counter() + seconds

    def work(worker: int) -> None:
        while perf_counter() < until:
            hasher.verify(digest, PASSWORD)
            done[worker] += 1

    began = perf_counter()
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - began)


if __name__ == "__main__":
    print(rate(int(sys.argv[1]), float(sys.argv[2])))
