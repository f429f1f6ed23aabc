"""Whatever is done in whatever order, a manager over any store does what a plain model does (S37–S41, T5, T6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from stores import STATELESS, STORES, Held, held

from authcore.credentials import (
    CredentialState,
    InvalidToken,
    MemoryCredentialStore,
    RefreshConfig,
    RefreshReuseDetected,
    StatelessOperationUnsupported,
)
from authcore.testing.ports import FrozenClock

ACCESS, REFRESH, ABSOLUTE = timedelta(seconds=60), timedelta(seconds=200), timedelta(seconds=500)
GRACE = timedelta(seconds=10)
USERS = st.sampled_from(["ada", "bob"])
STEPS = st.sampled_from([1, 9, 10, 11, 59, 60, 61, 150, 400])
_RUNS = count()


@dataclass
class Family:
    """A sign-in of the model."""

    user: str
    born: datetime
    ended: bool = False
    access: dict[str, datetime] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)


@dataclass
class Turn:
    """What became of a refresh token, by its id, and what it was replaced by."""

    rotated_at: datetime | None = None
    successor: Turn | None = None
    answered: tuple[str | None, str | None] | None = None


@dataclass
class Refresh:
    """A text of a refresh token: where nobody keeps it, one id may have several."""

    expires_at: datetime
    turn: Turn


class Machine(RuleBasedStateMachine):
    """Sign in, refresh, replay, end and wait, beside a model of dicts."""

    def __init__(self, made: Held, on_reuse: str) -> None:
        super().__init__()
        self.made, self.clock, self.on_reuse = made, made.clock, on_reuse
        self.told: list[str] = []
        self.thefts = 0
        config = RefreshConfig(
            ttl=REFRESH,
            absolute_ttl=ABSOLUTE,
            grace=GRACE,
            on_reuse=on_reuse,
            on_rotation_reuse=lambda state: self.told.append(state.user_id),
        )
        self.manager = made.manager(access_ttl=ACCESS, refresh=config)
        self.families: list[Family] = []
        self.run_number = next(_RUNS)

    def user(self, name: str) -> str:
        """Answer a user of this run alone: the store is not emptied between runs."""
        return f"{name} {self.run_number}"

    def now(self) -> datetime:
        """Answer the time."""
        return self.clock.now()

    def any_refresh(self, data: st.DataObject) -> tuple[Family, str]:
        """Answer one of all refresh tokens that ever were."""
        return data.draw(st.sampled_from([(family, token) for family in self.families for token in family.refresh]))

    def note(self, family: Family, issued: Any, turn: Turn) -> None:
        """Note what was issued, having checked its times."""
        end = family.born + ABSOLUTE
        assert issued.access_expires_at == min(self.now() + ACCESS, end)
        assert issued.refresh_expires_at == min(self.now() + REFRESH, end)
        family.access[issued.access_token] = issued.access_expires_at
        family.refresh[issued.refresh_token] = Refresh(issued.refresh_expires_at, turn)

    def shown(self, issued: Any) -> tuple[str | None, str | None]:
        """Answer what must be the same when it is given again: the texts, or of what nobody keeps the ids."""
        pair = issued.access_token, issued.refresh_token
        if not self.made.store.stateless:
            return pair
        return self.made.store.credential_id(pair[0]), self.made.store.credential_id(pair[1])

    @rule(name=USERS)
    def issue(self, name: str) -> None:
        """Sign in."""
        family = Family(self.user(name), self.now())
        issued = self.made.run(self.manager.issue(family.user, claims={"n": len(self.families)}))
        self.note(family, issued, Turn())
        self.families.append(family)

    @rule(seconds=STEPS)
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @precondition(lambda self: self.families)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        """Present a refresh token, whatever became of it."""
        family, token = self.any_refresh(data)
        turn = family.refresh[token].turn
        if family.ended or family.refresh[token].expires_at <= self.now():
            self.refused(token, InvalidToken)
        elif turn.rotated_at is None:
            issued = self.made.run(self.manager.refresh(token))
            assert not {issued.access_token, issued.refresh_token} & {*family.access, *family.refresh}
            turn.rotated_at, turn.successor, turn.answered = self.now(), Turn(), self.shown(issued)
            self.note(family, issued, turn.successor)
        elif self.forgiven(turn):
            again = self.made.run(self.manager.refresh(token))
            assert self.shown(again) == turn.answered
            if self.made.store.stateless:
                self.note(family, again, turn.successor)
        else:
            self.refused(token, RefreshReuseDetected)
            self.end_by_theft(family)

    def forgiven(self, turn: Turn) -> bool:
        """Tell whether the answer may have been lost."""
        assert turn.rotated_at is not None
        assert turn.successor is not None
        return turn.successor.rotated_at is None and self.now() - turn.rotated_at <= GRACE

    def refused(self, token: str, error: type[Exception]) -> None:
        """Require a refusal of exactly this kind."""
        with pytest.raises(error) as raised:
            self.made.run(self.manager.refresh(token))
        assert isinstance(raised.value, RefreshReuseDetected) == (error is RefreshReuseDetected)

    def end_by_theft(self, family: Family) -> None:
        """End what a theft ends, and count it."""
        for each in self.families:
            if each is family or (self.on_reuse == "user" and each.user == family.user):
                each.ended = True
        self.thefts += 1

    @precondition(lambda self: self.families)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """End a sign-in by one of its tokens."""
        ends = [
            (family, token, ends)
            for family in self.families
            for token, ends in [*family.access.items(), *((t, r.expires_at) for t, r in family.refresh.items())]
        ]
        family, token, until = data.draw(st.sampled_from(ends))
        live = not family.ended and until > self.now()

        assert self.made.run(self.manager.revoke(token)) is live

        family.ended = family.ended or live

    @precondition(lambda self: not self.made.store.stateless)
    @rule(name=USERS)
    def revoke_all(self, name: str) -> None:
        """End everything of a user, and count it."""
        user = self.user(name)
        live = sum(self.opening(family) for family in self.families if family.user == user)

        assert self.made.run(self.manager.revoke_all_for_user(user)) == live

        for family in self.families:
            family.ended = family.ended or family.user == user

    @precondition(lambda self: self.made.store.stateless)
    @rule(name=USERS)
    def cannot_know_everything_of_a_user(self, name: str) -> None:
        """S57: a store that holds nothing says so, whatever was issued, and nothing ends by the attempt."""
        user = self.user(name)
        for attempt in (self.manager.revoke_all_for_user(user), self.manager.list_for_user(user)):
            with pytest.raises(StatelessOperationUnsupported):
                self.made.run(attempt)

    def opening(self, family: Family) -> int:
        """Answer how many tokens of a family open something."""
        if family.ended:
            return 0
        refresh = [r for r in family.refresh.values() if r.turn.rotated_at is None and r.expires_at > self.now()]
        return len(refresh) + sum(ends > self.now() for ends in family.access.values())

    @rule()
    def clean(self) -> None:
        """Remove what has expired."""
        self.made.run(self.made.store.clean_expired())

    @invariant()
    def opens_what_is_live(self) -> None:
        """Each access token that ever was opens exactly while it lives, and no refresh token opens anything (T5)."""
        for number, family in enumerate(self.families):
            for token, until in family.access.items():
                context = self.made.run(self.manager.validate(token))
                assert (context is not None) == (not family.ended and until > self.now())
                if context is not None:
                    assert (context.user_id, context.expires_at) == (family.user, until)
                    assert context.claims == {"n": number}
            for token in family.refresh:
                assert self.made.run(self.manager.validate(token)) is None

    @precondition(lambda self: not self.made.store.stateless)
    @invariant()
    def lists_who_is_signed_in(self) -> None:
        """A list shows each sign-in that still opens something, once, and holds no token."""
        for name in ("ada", "bob"):
            user = self.user(name)
            listed = self.made.run(self.manager.list_for_user(user))
            assert len(listed) == sum(self.opening(each) > 0 for each in self.families if each.user == user)
            assert len({each.family for each in listed}) == len(listed)

    @invariant()
    def tells_of_each_theft(self) -> None:
        """The application was told of each theft, once."""
        assert len(self.told) == self.thefts


class ForgetsSeeds(MemoryCredentialStore):
    """A store where a seed decides nothing."""

    async def persist(self, state: CredentialState, *, ttl: Any = None, seed: bytes | None = None) -> str:
        """Draw at random."""
        return await super().persist(state, ttl=ttl)


class ForgetsStamps(MemoryCredentialStore):
    """A store whose updates change nothing."""

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Answer the token."""
        return token if await self.retrieve(token) is not None else None


class KeepsFamilies(MemoryCredentialStore):
    """A store that tells of an end and leaves everything."""

    async def revoke_family(self, user_id: str, family: str) -> int:
        """Count."""
        return 1


@pytest.mark.parametrize("wrong", [ForgetsSeeds, ForgetsStamps, KeepsFamilies])
def test_the_machine_catches_a_wrong_store(wrong: type[MemoryCredentialStore]) -> None:
    """A store that breaks its word is caught by some order of steps."""
    clock = FrozenClock()
    made = Held(wrong(clock=clock), clock, "blocking")

    with pytest.raises((AssertionError, InvalidToken, pytest.fail.Exception)):
        run_state_machine_as_test(
            lambda: Machine(made, "family"),
            settings=settings(
                max_examples=300,
                stateful_step_count=20,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize(
    ("name", "on_reuse"),
    [*((name, ends) for name in STORES for ends in ("family", "user")), *((name, "family") for name in STATELESS)],
)
def test_a_manager_does_what_the_model_does(name: str, on_reuse: str, request: pytest.FixtureRequest) -> None:
    """T6, S41: no order of steps lets a token open what the model says is closed, or the other way."""
    with held(name, request) as made:
        run_state_machine_as_test(
            lambda: Machine(made, on_reuse),
            settings=settings(
                max_examples=15,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
