"""Forty contenders in four processes for one credential in Redis: one gets it (T2)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

pytest.importorskip("redis", reason="the Redis driver is an extra")

from redis_contenders import Acts, Setting, Try, a_state, contenders
from redis_servers import clean, cluster, side

from authcore.drive import run_blocking

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("AUTHCORE_RACE_ROUNDS", "60"))


class Race:
    """The contenders, and the store of the one who watches them."""

    def __init__(self, acts: Acts, all_try: Callable[[Sequence[Try]], list[int]]) -> None:
        self._acts, self.all_try, self.store = acts, all_try, acts.store
        self.users = (f"user-{secrets.token_hex(4)}" for _ in iter(int, 1))

    def make(self, user: str, family: str | None = None, count: int = 1) -> list[str]:
        """Make credentials."""
        return [run_blocking(self.store.persist(a_state(user, family))) for _ in range(count)]

    def live(self, user: str) -> int:
        """Answer how many credentials a user has."""
        return len(run_blocking(self.store.list_for_user(user)))


@pytest.fixture(scope="module", params=["single", "cluster"])
def race(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Race]:
    """Forty contenders at one server, and at a cluster."""
    prefix = f"authcore-race-{secrets.token_hex(6)}"
    if request.param == "cluster":
        with cluster(tmp_path_factory.mktemp("cluster")) as servers, _race(Setting(servers[0].url, prefix, True)) as at:
            yield at
        return
    url = request.getfixturevalue("redis_url")
    with _race(Setting(url, prefix)) as at:
        yield at
    clean(url, prefix)


@contextmanager
def _race(setting: Setting) -> Iterator[Race]:
    with side("blocking", setting.url, setting.clustered) as made, contenders(setting) as all_try:
        yield Race(Acts(made.client, setting.prefix), all_try)


def test_one_of_forty_consumes(race: Race) -> None:
    """In every round one contender gets the credential, and nobody else."""
    for user, _ in zip(race.users, range(ROUNDS), strict=False):
        (token,) = race.make(user)

        assert sorted(race.all_try([("consume", token)])) == [0] * 39 + [1]
        assert race.live(user) == 0


def test_the_race_catches_a_naive_store(race: Race) -> None:
    """A store that reads and then deletes lets several have one credential, and these contenders show it."""
    winners = [
        sum(race.all_try([("consume_naively", race.make(user)[0])]))
        for user, _ in zip(race.users, range(10), strict=False)
    ]

    assert max(winners) > 1, winners


def test_consuming_and_revoking_share_one_end(race: Race) -> None:
    """Of contenders who consume, revoke and revoke all, the ends that were told are as many as there were lives."""
    for user, _ in zip(race.users, range(ROUNDS), strict=False):
        tokens = race.make(user, count=3)
        tries = [("consume", tokens[0]), ("revoke", tokens[1]), ("consume", tokens[2]), ("revoke_all", user)]

        assert sum(race.all_try(tries)) == 3
        assert race.live(user) == 0


def test_one_of_forty_makes_what_a_seed_decides(race: Race) -> None:
    """Of forty who persist under one seed one makes the credential; the others are told that it is there."""
    for user, _ in zip(race.users, range(ROUNDS), strict=False):
        assert sum(race.all_try([("persist", (user, secrets.token_bytes(32)))])) == 1
        assert race.live(user) == 1


def test_no_rotation_outlives_a_revocation(race: Race) -> None:
    """However rotations and a revocation of all fall together, afterwards the user has no credential (T9)."""
    for user, _ in zip(race.users, range(ROUNDS), strict=False):
        tokens = race.make(user, "family", count=7)
        tries: list[Try] = [("rotate", (token, user)) for token in tokens]

        race.all_try([*tries, ("revoke_all", user)])

        assert race.live(user) == 0


def test_one_of_forty_denies_first(race: Race) -> None:
    """In every round one contender is told that it was the first to deny an id."""
    for user, _ in zip(race.users, range(ROUNDS), strict=False):
        assert sum(race.all_try([("deny", user)])) == 1
