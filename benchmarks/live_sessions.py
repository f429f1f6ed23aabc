"""What listing, ending and cleaning up the sessions of one user cost, beside 1,000, 10,000 and 100,000 live sessions.

`python benchmarks/live_sessions.py [--store sqlite|postgresql|redis] [--quick] [--out FILE]`

Each user has ten. A row is the median, in microseconds for one user, beside each number of sessions; it is flat where
the last is at most twice the first. Status 0 says that all rows are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import sqlalchemy as sa
import targets
from figure import QUICK, THOROUGH, Effort, Figure, at_most, scratch, told

from authcore.backends.credentials import sql
from authcore.credentials import CredentialMetadata, CredentialState, RedisCredentialStore, SqlCredentialStore
from authcore.drive import run_blocking
from authcore.testing.ports import FrozenClock

REDIS = os.environ.get("AUTHCORE_TEST_REDIS", "redis://127.0.0.1:6379/0")
LEVELS = (1_000, 10_000, 100_000)  # live sessions
EACH = 10  # of one user
USERS = 100  # measured at a level
FLAT = 2.0  # times as much beside the most sessions as beside the fewest
LIVES = timedelta(days=30)
BROWSER = CredentialMetadata(label="Firefox on Linux")
BRIEF = timedelta(minutes=1)
OVER = timedelta(minutes=10)  # after which what lived briefly is over by every clock


@dataclass(frozen=True, slots=True)
class Curve:
    """Microseconds of one act for one user, beside each number of live sessions."""

    store: str
    act: str
    microseconds: tuple[float, ...]

    @property
    def growth(self) -> float:
        """Answer how many times the last is the first."""
        return self.microseconds[-1] / self.microseconds[0]

    @property
    def holds(self) -> bool:
        """Tell whether it is flat."""
        return self.growth <= FLAT

    def line(self) -> str:
        """Answer the row for people."""
        numbers = "".join(f"{each:11.0f}" for each in self.microseconds)
        return f"{self.store:11}{self.act:13}{numbers}{self.growth:8.2f}  {'flat' if self.holds else 'GROWS'}"


@dataclass(frozen=True, slots=True)
class Place:
    """A store, how it is filled with states, and the clock of its sessions."""

    store: Any
    fill: Callable[[Sequence[CredentialState]], None]
    clock: FrozenClock


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; answer 0 if every row is flat, else 1. A quick run judges nothing: it answers 0."""
    given = _options(arguments)
    effort = QUICK if given.quick else THOROUGH
    levels = _levels(effort)
    print(f"µs for one user of {EACH} sessions, load {os.getloadavg()[0]:.1f}")
    print(f"{'store':11}{'act':13}{''.join(f'{each:11,}' for each in levels)}{'growth':>8}", flush=True)
    curves = []
    for name in [given.store] if given.store else STORES:
        for curve in measured(name, effort):
            print(curve.line(), flush=True)
            curves.append(curve)
    if given.out:
        given.out.write_text(json.dumps([asdict(curve) for curve in curves], indent=2) + "\n")
    return 0 if given.quick or all(curve.holds for curve in curves) else 1


def measure(effort: Effort) -> list[Figure]:
    """Answer, for each store and act, the microseconds beside the most sessions and how many times the fewest's."""
    figures = []
    for curve in (curve for name in STORES for curve in measured(name, effort)):
        what = f"live sessions: {curve.act} on {curve.store}"
        figures.append(told(f"{what}, µs for a user beside {_levels(effort)[-1]:,}", curve.microseconds[-1]))
        figures.append(at_most(f"{what}, of what it is beside {_levels(effort)[0]:,}", curve.growth, FLAT))
    return figures


def measured(name: str, effort: Effort) -> list[Curve]:
    """Fill a store step by step, and measure each act at each step."""
    found: dict[str, list[float]] = {act: [] for act in ACTS}
    with STORES[name]() as place:
        made = 0
        for level in _levels(effort):
            place.fill([_state(place.clock, f"user-{n // EACH}") for n in range(made, level)])
            made = level
            users = random.Random(level).sample(range(level // EACH), effort.users(USERS))
            for act, microseconds in ACTS.items():
                found[act].append(median(microseconds(place, f"user-{user}") for user in users))
    return [Curve(name, act, tuple(numbers)) for act, numbers in found.items()]


def _levels(effort: Effort) -> tuple[int, ...]:
    return tuple(round(level * effort.part) for level in LEVELS)


def _state(clock: FrozenClock, user: str, lives: timedelta = LIVES) -> CredentialState:
    now = clock.now()
    return CredentialState(user_id=user, issued_at=now, expires_at=now + lives, metadata=BROWSER)


def _list(place: Place, user: str) -> float:
    took, listed = _timed(place.store.list_for_user(user))
    assert len(listed) == EACH, (user, len(listed))
    return took


def _revoke_all(place: Place, user: str) -> float:
    took, ended = _timed(place.store.revoke_all_for_user(user))
    assert ended == EACH, (user, ended)
    place.fill([_state(place.clock, user)] * EACH)
    return took


def _clean_up(place: Place, user: str) -> float:
    """Measure what ten expired sessions cost whoever removes them: SQL by `clean_expired`, Redis by what comes next."""
    place.fill([_state(place.clock, user, BRIEF)] * EACH)
    place.clock.advance(OVER.total_seconds())
    if isinstance(place.store, RedisCredentialStore):
        return _timed(place.store.list_for_user(user))[0]
    took, removed = _timed(place.store.clean_expired())
    assert removed == EACH, (user, removed)
    return took


def _timed(work: Any) -> tuple[float, Any]:
    began = perf_counter()
    answer = run_blocking(work)
    return (perf_counter() - began) * 1e6, answer


ACTS: dict[str, Callable[[Place, str], float]] = {"list": _list, "revoke all": _revoke_all, "clean up": _clean_up}


@contextmanager
def _sql(kind: str) -> Iterator[Place]:
    clock = FrozenClock(datetime.now(UTC))
    with scratch() as folder, targets.empty(kind, folder, "live") as url:
        store = SqlCredentialStore(url, clock=clock)
        run_blocking(store.clean_expired())  # makes the table
        engine = targets.engine_of(url)
        yield Place(store, partial(_insert, engine), clock)
        engine.dispose()
        store.dispose()


def _insert(engine: sa.Engine, states: Sequence[CredentialState]) -> None:
    rows = [{"digest": secrets.token_bytes(32), **sql._row(state)} for state in states]
    with engine.begin() as tx:
        tx.execute(sql.credentials.insert(), rows)


@contextmanager
def _redis() -> Iterator[Place]:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    clock, prefix = FrozenClock(datetime.now(UTC)), f"authcore-bench-{secrets.token_hex(6)}"
    with redis.Redis.from_url(REDIS, retry=Retry(NoBackoff(), 0)) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            sys.exit("Redis does not answer: start it, or say in AUTHCORE_TEST_REDIS where it is.")
        store = RedisCredentialStore(client, prefix, clock)
        try:
            yield Place(store, partial(_persist, store), clock)
        finally:
            for key in client.scan_iter(f"{prefix}:*", count=10_000):
                client.unlink(key)


def _persist(store: RedisCredentialStore, states: Sequence[CredentialState]) -> None:
    for state in states:
        run_blocking(store.persist(state))


STORES: dict[str, Callable[[], Any]] = {
    "sqlite": partial(_sql, "sqlite"),
    "postgresql": partial(_sql, "postgresql"),
    "redis": _redis,
}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print what the sessions of a user cost beside others.")
    parser.add_argument("--store", choices=STORES, help="one store")
    parser.add_argument("--quick", action="store_true", help="a fifth of the sessions; the figures mean nothing")
    parser.add_argument("--out", type=Path, help="a file for the curves, as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
