"""Serve a group's targets side by side and load them in turns."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

import apps
import targets
from figure import scratch
from load import TOKEN
from serving import LOOPBACK, PATIENCE, cookies, load, request, served, sign_up, signed_up

from peers.shared import CREDENTIAL
from peers.table import Target

AT = os.environ.get("AUTHCORE_TEST_REDIS", "redis://127.0.0.1:6379/0")
KEYS = f"authcore-bench-{os.getpid()}"
CHAINS = 8  # refreshes at once, each with a token of its own
SHORT = 0.3  # seconds, before the counting


@dataclass(frozen=True, slots=True)
class Row:
    """What one target did by rounds: requests a second at its route and, for a guard, at the bare route beside it."""

    target: Target
    rates: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Answer the median rate."""
        return median(self.rates)

    @property
    def of_bare(self) -> float | None:
        """Answer the median part of the bare route's rate."""
        return median(map(float.__truediv__, self.rates, self.bare)) if self.bare else None

    def over(self, other: Row) -> float:
        """Answer the median ratio of the two rates."""
        return median(map(float.__truediv__, self.rates, other.rates))


def measure(group: Iterable[Target], rounds: int, seconds: float) -> list[Row]:
    """Serve every target of a group at once, and load one after the other, `rounds` times, in both orders."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        asked = [
            _Asked(target, stack.enter_context(_running(target, folder, f"t{number}")))
            for number, target in enumerate(group)
        ]
        for each in asked:
            each.load(SHORT)  # not counted
        for turn in range(rounds):
            for each in asked[:: -1 if turn % 2 else 1]:
                each.round(seconds, bare_first=turn % 2 == 0)
    return [each.row() for each in asked]


@contextmanager
def _running(target: Target, folder: Path, label: str) -> Iterator[int]:
    database = "postgresql" if target.store == "redis" else target.store
    variables = {apps.CONN_MAX_AGE: "", apps.STRATEGY: target.strategy}
    if target.drive:
        variables[apps.DRIVE] = target.drive
    if target.store == "redis":
        variables |= {apps.REDIS: AT, apps.PREFIX: f"{KEYS}:{label}:"}
    with targets.empty(database, folder, label) as url, served(target.served, url, **variables) as port:
        yield port


class _Asked:
    """A target that runs, what is sent to it, and what came of it."""

    def __init__(self, target: Target, port: int) -> None:
        self._target, self._port, self._people = target, port, count()
        self._rates: list[float] = []
        self._bare: list[float] = []
        self._headers = self._credential() if target.credential != "refresh" and target.side != "bare" else {}

    def row(self) -> Row:
        """Answer what was seen."""
        return Row(self._target, tuple(self._rates), tuple(self._bare))

    def round(self, seconds: float, *, bare_first: bool) -> None:
        """Load the route and, for a guard, the bare route beside it."""
        beside = bool(self._headers)
        if beside and bare_first:
            self._bare.append(self._guard(apps.BARE, seconds))
        self._rates.append(self.load(seconds))
        if beside and not bare_first:
            self._bare.append(self._guard(apps.BARE, seconds))

    def load(self, seconds: float) -> float:
        """Answer the rate of the route."""
        refreshes = self._target.credential == "refresh"
        return self._refreshes(seconds) if refreshes else self._guard(self._target.path, seconds)

    def _guard(self, path: str, seconds: float) -> float:
        return load(self._port, [request(path, headers=self._headers)], seconds=seconds)["rate"]

    def _refreshes(self, seconds: float) -> float:
        tokens = [self._refresh_token() for _ in range(CHAINS)]
        named = self._target.named
        text = request(self._target.path, body={named.rpartition(".")[2]: TOKEN})
        return load(self._port, [text], seconds=seconds, tokens=tokens, named=named)["rate"]

    def _credential(self) -> dict[str, str]:
        if self._target.side != "authcore":
            headers: dict[str, str] = self._told()["headers"]
            return headers
        if self._target.bearer:
            return {"Authorization": f"Bearer {signed_up(self._port, next(self._people))['access_token']}"}
        return {"Cookie": sign_up(self._port, next(self._people))}

    def _refresh_token(self) -> str:
        if self._target.side == "authcore":
            return str(signed_up(self._port, next(self._people))["refresh_token"])
        return str(self._told()["refresh"])

    def _told(self) -> dict[str, Any]:
        """Answer what a peer's application gives its client: headers, cookies among them, or a refresh token."""
        with urlopen(f"http://{LOOPBACK}:{self._port}{CREDENTIAL}", timeout=PATIENCE) as answer:
            told: dict[str, Any] = json.load(answer)
            if told.get("headers") == {}:
                told["headers"] = {"Cookie": cookies(answer)}
        return told


def forget() -> None:
    """Remove the run's keys from Redis."""
    import redis

    client = redis.Redis.from_url(AT)
    for key in client.scan_iter(match=f"*{KEYS}:*", count=1000):
        client.delete(key)
    client.close()
