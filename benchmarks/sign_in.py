"""What signing in leaves of argon2's rate, and what it leaves of everybody else's."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import apps
from figure import Effort, Figure, at_least, at_most, scratch
from serving import HERE, address, heard, load, loading, request, served, sign_up

from authcore.backends.argon2 import cores

USERS = 32  # a processor: few enough to sign up at the start, and enough to stay below every limit
CLIENTS = 4
SECONDS = 3.0
BESIDE = 2.0
LEAD = 0.5  # seconds that the clients sign in before and after the guarded route is counted
THREADS = max(8, cores() + 2)


def measure(effort: Effort) -> list[Figure]:
    """Sign in under an event loop and under threads, each beside argon2-cffi with as many workers."""
    rounds, users = max(1, effort.rounds // 2), effort.users(USERS * cores())
    with scratch() as folder, served("fastapi", folder / "app.db") as port:
        asked, cookie = _sign_ins(port, users), {"Cookie": sign_up(port, users)}
        beside_loop = max(1, cores() - 1)
        kept = _of_argon2(port, asked, beside_loop, rounds, effort.seconds(SECONDS))
        left, slowest = _left(port, asked, request(apps.GUARDED, headers=cookie), rounds, effort.seconds(BESIDE))
    with scratch() as folder, served("flask", folder / "app.db", threads=THREADS) as port:
        blocking = _of_argon2(port, _sign_ins(port, users), cores(), rounds, effort.seconds(SECONDS))
    return [
        at_least(f"sign-in: FastAPI, of what argon2-cffi alone does in {_workers(beside_loop)}", kept, 0.9),
        at_least(f"sign-in: Flask, of what argon2-cffi alone does in {_workers(cores())}", blocking, 0.9),
        at_least(f"sign-in: a guarded route of FastAPI beside {CLIENTS} clients that sign in, of its rate", left, 0.4),
        at_most(f"sign-in: a guarded route of FastAPI beside {CLIENTS} clients that sign in, p99 in ms", slowest, 50.0),
    ]


def _workers(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _sign_ins(port: int, users: int) -> list[str]:
    """Sign users up; answer a request for each to sign in."""
    found = []
    for number in range(users):
        sign_up(port, number)
        body = {"email": apps.EMAIL.format(number), "password": apps.PASSWORD, "transport": "bearer"}
        found.append(request("/auth/sign-in", body=body, headers={"X-Forwarded-For": address(number)}))
    return found


def _of_argon2(port: int, asked: list[str], workers: int, rounds: int, seconds: float) -> float:
    return median(
        load(port, asked, connections=max(CLIENTS, workers + 2), seconds=seconds)["rate"] / _alone(workers, seconds)
        for _ in range(rounds)
    )


def _alone(workers: int, seconds: float) -> float:
    command = [sys.executable, str(HERE / "hashes.py"), str(workers), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout)


def _left(port: int, asked: list[str], guarded: str, rounds: int, seconds: float) -> tuple[float, float]:
    """Answer the part of the guarded route's rate that stays, and its 99th percentile in milliseconds."""
    seen = [_beside(port, asked, guarded, seconds) for _ in range(rounds)]
    return median(rate for rate, _ in seen), median(slowest for _, slowest in seen)


def _beside(port: int, asked: list[str], guarded: str, seconds: float) -> tuple[float, float]:
    alone = load(port, [guarded], seconds=seconds)
    with loading(port, asked, connections=CLIENTS, seconds=seconds + 2 * LEAD) as clients:
        beside = load(port, [guarded], seconds=seconds, warm_up=LEAD)
        heard(clients)  # raises if one of them was refused
    return beside["rate"] / alone["rate"], beside["p99"]
