"""Rotations of refresh tokens by the call that server code makes, without a framework and its HTTP around them.

On PostgreSQL beside the least that a rotation can be: two statements in a transaction, from the same driver, kept open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from statistics import median
from threading import Barrier
from time import perf_counter
from typing import Any

import apps
from figure import Effort, Figure, at_least, scratch, told
from peers.statements import Kept, make_table
from targets import DATABASES, empty

CALLERS = 4  # threads, each with a token of its own
USUAL = 1.0  # seconds of one measurement
RATE, PART = 1_000.0, 0.6
Rotate = Callable[[str], str]


def measure(effort: Effort) -> list[Figure]:
    """Answer rotations a second on each database, and on PostgreSQL what part of the bare statements' they are."""
    figures: list[Figure] = []
    for database in DATABASES:
        with _chains(database) as (ours, bare):
            rounds = [[_rate(chain, effort) for chain in (ours, bare)] for _ in range(effort.rounds)]
        rate = median(each[0] for each in rounds)
        if database == "sqlite":
            figures.append(at_least("rotations: by the call on sqlite, a second", rate, RATE))
            continue
        part = median(mine / least for mine, least in rounds)
        figures += [
            told(f"rotations: by the call on {database}, a second", rate),
            told(f"rotations: two bare statements on {database}, a second", median(each[1] for each in rounds)),
            at_least(f"rotations: by the call on {database}, of two bare statements", part, PART),
        ]
    return figures


@contextmanager
def _chains(database: str) -> Iterator[tuple[list[tuple[Rotate, str]], list[tuple[Rotate, str]]]]:
    with scratch() as folder, empty(database, folder) as url:
        os.environ[apps.DATABASE] = url
        auth = apps.declare()
        try:
            yield [_ours(auth, number) for number in range(CALLERS)], _bare(database)
        finally:
            auth.dispose()


def _ours(auth: Any, number: int) -> tuple[Rotate, str]:
    email = apps.EMAIL.format(number)
    signed_up = auth.blocking.password.sign_up(email=email, password=apps.PASSWORD, transport="bearer")
    return lambda token: str(auth.blocking.sessions.refresh(refresh_token=token).refresh), signed_up.issued.refresh


def _bare(database: str) -> list[tuple[Rotate, str]]:
    if database == "sqlite":
        return []
    make_table()
    each = [Kept() for _ in range(CALLERS)]
    return [(partial(_next, kept), kept.make()["refresh"]) for kept in each]


def _next(kept: Kept, token: str) -> str:
    return str(kept.rotate(token)["refresh"])


def _rate(chains: list[tuple[Rotate, str]], effort: Effort) -> float:
    """Rotate each chain's token again and again in a thread of its own, and answer the rate of them all."""
    if not chains:
        return 0.0
    start, seconds = Barrier(len(chains)), effort.seconds(USUAL)

    def run(number: int) -> int:
        rotate, token = chains[number]
        start.wait()
        until, done = perf_counter() + seconds, 0
        while perf_counter() < until:
            token, done = rotate(token), done + 1
        chains[number] = rotate, token
        return done

    with ThreadPoolExecutor(len(chains)) as pool:
        return sum(pool.map(run, range(len(chains)))) / seconds
