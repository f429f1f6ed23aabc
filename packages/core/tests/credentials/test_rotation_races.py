"""Real concurrency over real stores: one successor, no survivor of a revocation, exactly so many sign-ins (T2, T6)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from stores import STATELESS, STORES, Held, held

from authcore.credentials import (
    CredentialState,
    IssuedCredentials,
    MaxConcurrentReached,
    MemoryCredentialStore,
    RefreshConfig,
    RefreshReuseDetected,
    SqlCredentialStore,
)
from authcore.errors import AuthError
from authcore.testing.ports import FrozenClock

CALLERS = 8
ROUNDS = 8


@pytest.fixture(autouse=True)
def _often() -> Iterator[None]:
    """Threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(params=STORES)
def made(request: pytest.FixtureRequest) -> Iterator[Held]:
    """Each store in turn."""
    with held(request.param, request) as store:
        yield store


def tokens(answers: list[Any]) -> set[str]:
    """Answer the refresh tokens that callers were given."""
    return {answer.refresh_token for answer in answers if isinstance(answer, IssuedCredentials)}


def test_inside_the_grace_all_callers_hold_one_successor(made: Held) -> None:
    """Whoever refreshes at the same moment is answered the same pair, and the family lives (T6)."""
    manager = made.manager()

    for number in range(ROUNDS):
        begun = made.run(manager.issue(f"user {number}"))
        answers = made.at_once(CALLERS, lambda _, token=begun.refresh_token: manager.refresh(token))

        assert not [answer for answer in answers if isinstance(answer, AuthError)]
        assert len({(answer.refresh_token, answer.access_token) for answer in answers}) == 1
        assert made.run(manager.validate(answers[0].access_token)) is not None
        assert len(made.run(made.store.list_for_user(f"user {number}"))) == 4


def test_without_grace_one_caller_at_most_wins_and_the_family_dies(made: Held) -> None:
    """With a grace of 0 every second presentation is theft: nothing of the family opens anything (T6)."""
    told: list[CredentialState] = []
    manager = made.manager(refresh=RefreshConfig(grace=timedelta(0), on_rotation_reuse=told.append))

    for number in range(ROUNDS):
        begun = made.run(manager.issue(f"user {number}"))
        answers = made.at_once(CALLERS, lambda _, token=begun.refresh_token: manager.refresh(token))

        assert len([answer for answer in answers if isinstance(answer, IssuedCredentials)]) <= 1
        assert any(isinstance(answer, RefreshReuseDetected) for answer in answers)
        assert list(made.run(made.store.list_for_user(f"user {number}"))) == []
        assert f"user {number}" in {state.user_id for state in told}


@pytest.mark.parametrize("grace", [0, 10])
@pytest.mark.parametrize("name", STATELESS)
def test_a_denylist_decides_where_nothing_is_held(name: str, grace: int, request: pytest.FixtureRequest) -> None:
    """Over a store that holds nothing the denylist's `add` is the race: one id for all, or one winner and the end."""
    with held(name, request) as made:
        manager = made.manager(refresh=RefreshConfig(grace=timedelta(seconds=grace)))

        for number in range(ROUNDS):
            begun = made.run(manager.issue(f"user {number}"))
            answers = made.at_once(CALLERS, lambda _, token=begun.refresh_token: manager.refresh(token))

            let_in = [answer for answer in answers if isinstance(answer, IssuedCredentials)]
            live = [answer for answer in let_in if made.run(manager.validate(answer.access_token)) is not None]
            assert len({made.store.credential_id(answer.refresh_token or "") for answer in let_in}) == 1
            assert (len(let_in), len(live)) == ((CALLERS, CALLERS) if grace else (1, 0))


@pytest.mark.parametrize("how", ["all", "one"])
def test_nothing_outlives_a_revocation(made: Held, how: str) -> None:
    """Whoever refreshes while the user is signed out is left with nothing (T9)."""
    manager = made.manager()

    for number in range(ROUNDS):
        user = f"user {number}"
        begun = [made.run(manager.issue(user)) for _ in range(4 if how == "all" else 1)]

        async def contend(caller: int, begun: list[IssuedCredentials] = begun, user: str = user) -> Any:
            if caller != CALLERS // 2:
                return await manager.refresh(begun[caller % len(begun)].refresh_token or "")
            if how == "all":
                return await manager.revoke_all_for_user(user)
            return await manager.revoke(begun[0].access_token)

        answers = made.at_once(CALLERS, contend)

        assert list(made.run(made.store.list_for_user(user))) == []
        for answer in answers:
            if isinstance(answer, IssuedCredentials):
                assert made.run(manager.validate(answer.access_token)) is None


@pytest.mark.parametrize("most", [1, 3])
def test_exactly_so_many_are_let_in(made: Held, most: int) -> None:
    """Of many who sign in at the same moment exactly the limit succeed, and each of them is signed in (S117)."""
    manager = made.manager(max_concurrent=most)

    for number in range(ROUNDS // 2):
        answers = made.at_once(CALLERS, lambda _, user=f"user {number}": manager.issue(user))

        let_in = [answer for answer in answers if isinstance(answer, IssuedCredentials)]
        assert len(let_in) == most
        assert {type(answer) for answer in answers if answer not in let_in} == {MaxConcurrentReached}
        assert None not in [made.run(manager.validate(each.access_token)) for each in let_in]
        assert len(made.run(manager.list_for_user(f"user {number}"))) == most


def test_eviction_leaves_exactly_so_many(made: Held) -> None:
    """Of many who push one another out exactly the limit are left (S117)."""
    manager = made.manager(max_concurrent=2, on_limit="evict_oldest")

    for number in range(ROUNDS // 2):
        answers = made.at_once(CALLERS, lambda _, user=f"user {number}": manager.issue(user))

        let_in = [answer for answer in answers if isinstance(answer, IssuedCredentials)]
        live = [each for each in let_in if made.run(manager.validate(each.access_token)) is not None]
        assert len(live) == len(made.run(manager.list_for_user(f"user {number}"))) == 2


class NaiveSql(SqlCredentialStore):
    """A store that lets everybody who comes with a seed make a credential of his own."""

    async def persist(self, state: CredentialState, *, ttl: Any = None, seed: bytes | None = None) -> str:
        """Draw at random."""
        return await super().persist(state, ttl=ttl)


class NaiveMemory(MemoryCredentialStore):
    """The same in memory."""

    async def persist(self, state: CredentialState, *, ttl: Any = None, seed: bytes | None = None) -> str:
        """Draw at random."""
        return await super().persist(state, ttl=ttl)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_the_races_catch_a_naive_store(kind: str, request: pytest.FixtureRequest) -> None:
    """Where a seed decides nothing, contenders hold successors of their own: these races see it."""
    clock = FrozenClock()
    store: Any = NaiveMemory(clock=clock)
    if kind == "sqlite":
        store = NaiveSql(f"sqlite:///{request.getfixturevalue('tmp_path') / 'naive.db'}", clock=clock)
    if kind == "postgresql":
        url = request.getfixturevalue("credentials_database")
        store = NaiveSql(url.render_as_string(hide_password=False), clock=clock)
    made = Held(store, clock, "blocking")
    manager = made.manager()

    for number in range(20 * ROUNDS):
        begun = made.run(manager.issue(f"naive {kind} {number}"))
        found = tokens(made.at_once(CALLERS, lambda _, token=begun.refresh_token: manager.refresh(token)))
        if len(found) > 1:
            break

    assert len(found) > 1
    if isinstance(store, SqlCredentialStore):
        store.dispose()
