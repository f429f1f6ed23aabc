"""The contract of credential stores, each behaviour a test (S53, S59, rules T1, T2, T5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from authcore.stores import (
    CredentialExists,
    CredentialMetadata,
    CredentialState,
    CredentialStore,
    InvalidToken,
    StatelessOperationUnsupported,
)
from authcore.testing.ports import FrozenClock
from authcore_conformance.ports.running import Contract, Subject, held

It = Subject[CredentialStore]
SEED = bytes(range(32))
CALLERS = 8
NO_TOKENS = (
    "",
    " ",
    "not a token",
    "ac1_cr_" + "A" * 43,
    "A" * 43,
    "é" * 20,
    "\x00",
    "\ud800",
    "a.b.c",
    "x" * 100_000,
)


def state_of(clock: FrozenClock, user_id: str = "ada", *, lives: float = 3600, **more: Any) -> CredentialState:
    """Answer a state that lives for so many seconds."""
    now = clock.now()
    return CredentialState(user_id=user_id, issued_at=now, expires_at=now + timedelta(seconds=lives), **more)


def another_end(at: datetime, seconds: float) -> datetime:
    """Answer a time that is later by so many seconds."""
    return at + timedelta(seconds=seconds)


class CredentialStoreContract(Contract[CredentialStore]):
    """What every CredentialStore does. A subclass makes one, empty, for each test.

    Of a stateless store `denies` says whether it was made with a denylist: without one it can end nothing. Such a
    store, and what it cannot do, is held to the errors of the contract instead.
    """

    denies: ClassVar[bool] = True

    def make_store(self, clock: FrozenClock) -> CredentialStore:
        """Answer an empty store that takes the time from `clock`."""
        raise NotImplementedError

    def _make(self, clock: FrozenClock) -> CredentialStore:
        return self.make_store(clock)

    def _ends(self, store: CredentialStore) -> bool:
        return self.denies or not store.stateless

    # --- what a token stands for ---

    @held
    async def test_a_state_comes_back_whole(self, it: It) -> None:
        """Every field of a state comes back as it was, whatever the language of its texts."""
        metadata = CredentialMetadata(
            ip="2001:db8::1", user_agent='Zażółć/1 "x"', fingerprint="f", label="büro 🗝", extra={"seats": [1, None]}
        )
        state = state_of(
            it.clock,
            "user/é 1",
            kind="magic.recovery",
            claims={"role": "owner", "deep": {"a": [1, 2.5, True, None, "ü"]}},
            metadata=metadata,
            parent_credential_id="family: 1",
            rotated_at=it.clock.now() - timedelta(minutes=1, microseconds=7),
        )

        token = await it.port.persist(state)

        assert await it.port.retrieve(token) == state

    @held
    async def test_a_plain_state_comes_back(self, it: It) -> None:
        """What is left out of a state is left out of its copy."""
        state = state_of(it.clock)

        assert await it.port.retrieve(await it.port.persist(state)) == state

    @held
    async def test_a_stored_state_is_its_own(self, it: It) -> None:
        """Changing the claims that were given, or those that came back, changes no credential."""
        claims = {"role": "guest"}
        token = await it.port.persist(state_of(it.clock, claims=claims))

        claims["role"] = "owner"
        found = await it.port.retrieve(token)
        assert found is not None
        found.claims["role"] = "root"  # type: ignore[index]

        again = await it.port.retrieve(token)
        assert again is not None
        assert again.claims == {"role": "guest"}

    @held
    async def test_tokens_differ(self, it: It) -> None:
        """The same state twice makes two credentials."""
        state = state_of(it.clock)

        tokens = {await it.port.persist(state) for _ in range(20)}

        assert len(tokens) == 20
        assert len({it.port.credential_id(token) for token in tokens}) == 20

    @held
    async def test_what_is_no_token_opens_nothing(self, it: It) -> None:
        """Texts that never were tokens are answered None and False, and raise nothing."""
        for text in NO_TOKENS:
            assert await it.port.retrieve(text) is None, text[:20]
            if self._ends(it.port):
                assert await it.port.consume(text) is None, text[:20]
                assert await it.port.update(text, state_of(it.clock)) is None, text[:20]
                assert await it.port.revoke(text) is False, text[:20]

    @held
    async def test_a_changed_token_opens_nothing(self, it: It) -> None:
        """A token with one character changed, one more or one less is another text."""
        token = await it.port.persist(state_of(it.clock))
        middle = len(token) // 2
        other = "A" if token[middle] != "A" else "B"

        changed = (token[:middle] + other + token[middle + 1 :], token + "A", token[:-1], token.upper(), f" {token}")

        assert [await it.port.retrieve(text) for text in changed] == [None] * 5
        assert await it.port.retrieve(token) is not None

    @held
    async def test_a_credential_id_is_no_token(self, it: It) -> None:
        """The id of a token is stable, opens nothing, and is not part of what opens."""
        token = await it.port.persist(state_of(it.clock))

        id_ = it.port.credential_id(token)

        assert id_ is not None
        assert id_ == it.port.credential_id(token)
        assert token not in id_
        assert await it.port.retrieve(id_) is None

    @held
    async def test_what_is_no_token_has_no_id(self, it: It) -> None:
        """A text that was never a token of the store has no credential id, or one that nothing live has."""
        assert it.port.credential_id("") is None
        assert it.port.credential_id("not a token") is None
        assert it.port.credential_id("\ud800") is None

    @held
    async def test_it_says_whether_it_blocks(self, it: It) -> None:
        """`blocks` and `stateless` are booleans, since callers decide by them where to run."""
        assert it.port.blocks in (True, False)
        assert it.port.stateless in (True, False)

    # --- time ---

    @held
    async def test_a_credential_ends_with_its_time(self, it: It) -> None:
        """From `expires_at` on a token is answered like one that never was."""
        token = await it.port.persist(state_of(it.clock, lives=60))
        it.clock.advance(59.9)
        assert await it.port.retrieve(token) is not None

        it.clock.advance(0.1)

        assert await it.port.retrieve(token) is None
        if self._ends(it.port):
            assert await it.port.update(token, state_of(it.clock)) is None
            assert await it.port.revoke(token) is False
            assert await it.port.consume(token) is None

    @held
    async def test_an_expired_state_is_refused(self, it: It) -> None:
        """Persisting what has expired is loud, at its very end as well (S59)."""
        for lives in (0, -1):
            with pytest.raises(InvalidToken):
                await it.port.persist(state_of(it.clock, lives=lives))

    @held
    async def test_a_ttl_is_counted_from_now(self, it: It) -> None:
        """`ttl` replaces the state's end."""
        token = await it.port.persist(state_of(it.clock, lives=3600), ttl=timedelta(seconds=5))

        found = await it.port.retrieve(token)
        assert found is not None
        assert found.expires_at == another_end(it.clock.now(), 5)

        it.clock.advance(5)
        assert await it.port.retrieve(token) is None

    @held
    async def test_a_ttl_that_is_over_is_refused(self, it: It) -> None:
        """A ttl of nothing makes a credential that has expired, which is loud."""
        with pytest.raises(InvalidToken):
            await it.port.persist(state_of(it.clock), ttl=timedelta(0))

    @held
    async def test_cleaning_takes_what_has_expired(self, it: It) -> None:
        """`clean_expired` removes what is over and nothing else; a store that forgets by itself has nothing to do."""
        short = [await it.port.persist(state_of(it.clock, lives=10)) for _ in range(3)]
        long = await it.port.persist(state_of(it.clock, lives=1000))
        it.clock.advance(10)

        removed = await it.port.clean_expired()

        assert removed in (0, 3)
        assert await it.port.clean_expired() == 0
        assert await it.port.retrieve(long) is not None
        assert [await it.port.retrieve(token) for token in short] == [None] * 3

    # --- ending one ---

    @held
    async def test_a_token_is_consumed_once(self, it: It) -> None:
        """Consuming answers the state and ends the token."""
        state = state_of(it.clock, claims={"for": "once"})
        token = await it.port.persist(state)
        if not self._ends(it.port):
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.consume(token)
            return

        assert await it.port.consume(token) == state

        assert await it.port.consume(token) is None
        assert await it.port.retrieve(token) is None

    @held
    async def test_of_many_consumers_one_gets_it(self, it: It) -> None:
        """Callers at the same moment: one gets the state, the others nothing (rule T2)."""
        if not self._ends(it.port):
            return
        for _ in range(5):
            token = await it.port.persist(state_of(it.clock))

            async def consume(_: int, token: str = token) -> CredentialState | None:
                return await it.port.consume(token)

            answers = await it.at_once(CALLERS, consume)

            assert [answer is None for answer in answers].count(False) == 1

    @held
    async def test_a_revoked_token_is_over(self, it: It) -> None:
        """Revoking tells the first time that the token was live."""
        token, other = await it.port.persist(state_of(it.clock)), await it.port.persist(state_of(it.clock))
        if not self._ends(it.port):
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.revoke(token)
            return

        assert await it.port.revoke(token) is True

        assert await it.port.revoke(token) is False
        assert await it.port.retrieve(token) is None
        assert await it.port.consume(token) is None
        assert await it.port.update(token, state_of(it.clock)) is None
        assert await it.port.retrieve(other) is not None

    @held
    async def test_of_many_revokers_one_ended_it(self, it: It) -> None:
        """Callers at the same moment: one is told that the token was live."""
        if not self._ends(it.port):
            return
        token = await it.port.persist(state_of(it.clock))

        answers = await it.at_once(CALLERS, lambda _: it.port.revoke(token))

        assert answers.count(True) == 1

    # --- another state ---

    @held
    async def test_an_update_replaces_the_state(self, it: It) -> None:
        """The token that `update` answers stands for the other state; another text than before ends the one before."""
        token = await it.port.persist(state_of(it.clock, claims={"n": 1}, parent_credential_id="f"))
        other = state_of(it.clock, lives=7200, claims={"n": 2}, parent_credential_id="f", rotated_at=it.clock.now())
        if not self._ends(it.port):
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.update(token, other)
            return

        present = await it.port.update(token, other)

        assert present is not None
        assert await it.port.retrieve(present) == other
        if present != token:
            assert it.port.stateless, "a store that holds credentials keeps the token"
            assert await it.port.retrieve(token) is None

    @held
    async def test_an_update_moves_the_end(self, it: It) -> None:
        """After an update the token ends when the other state says."""
        if not self._ends(it.port):
            return
        token = await it.port.persist(state_of(it.clock, lives=60))
        longer = await it.port.update(token, state_of(it.clock, lives=120))
        assert longer is not None

        it.clock.advance(100)
        assert await it.port.retrieve(longer) is not None

        it.clock.advance(20)
        assert await it.port.retrieve(longer) is None

    # --- seeds ---

    @held
    async def test_a_seed_decides_the_token(self, it: It) -> None:
        """The second of two under one seed is told which token it is; another seed is another credential."""
        state = state_of(it.clock)
        first = await it.port.persist(state, seed=SEED)
        if it.port.stateless:
            second = await it.port.persist(state, seed=SEED)
            assert it.port.credential_id(second) == it.port.credential_id(first)
        else:
            with pytest.raises(CredentialExists) as raised:
                await it.port.persist(state_of(it.clock, claims={"another": 1}), seed=SEED)
            assert raised.value.token == first
            assert first not in f"{raised.value!r}{raised.value}{raised.value.to_json()}"

        other = await it.port.persist(state, seed=SEED[::-1])

        assert it.port.credential_id(other) != it.port.credential_id(first)
        assert await it.port.retrieve(first) == state

    @held
    async def test_of_many_under_a_seed_one_is_first(self, it: It) -> None:
        """Callers at the same moment: one makes the credential, all learn the one token."""
        if it.port.stateless:
            return

        async def persist(number: int) -> tuple[bool, str]:
            try:
                return True, await it.port.persist(state_of(it.clock, claims={"n": number}), seed=SEED)
            except CredentialExists as exists:
                return False, exists.token

        answers = await it.at_once(CALLERS, persist)

        assert [made for made, _ in answers].count(True) == 1
        assert len({token for _, token in answers}) == 1
        assert len(await it.port.list_for_user("ada")) == 1

    # --- ending many, and listing ---

    @held
    async def test_a_family_ends_together(self, it: It) -> None:
        """`revoke_family` ends what names the family, of that user alone, and counts what was live."""
        if it.port.stateless:
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.revoke_family("ada", "f")
            return
        mine = [await it.port.persist(state_of(it.clock, parent_credential_id="f")) for _ in range(3)]
        await it.port.persist(state_of(it.clock, lives=1, parent_credential_id="f"))
        others = [
            await it.port.persist(state_of(it.clock, parent_credential_id="g")),
            await it.port.persist(state_of(it.clock)),
            await it.port.persist(state_of(it.clock, "bob", parent_credential_id="f")),
        ]
        await it.port.revoke(mine[0])
        it.clock.advance(1)

        assert await it.port.revoke_family("ada", "f") == 2

        assert [await it.port.retrieve(token) for token in mine] == [None] * 3
        assert None not in [await it.port.retrieve(token) for token in others]
        assert await it.port.revoke_family("ada", "f") == 0
        assert await it.port.revoke_family("nobody", "f") == 0

    @held
    async def test_all_of_a_user_ends(self, it: It) -> None:
        """`revoke_all_for_user` counts the live ones: not the expired, the consumed, the revoked, or another's."""
        if it.port.stateless:
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.revoke_all_for_user("ada")
            return
        mine = [await it.port.persist(state_of(it.clock, kind=f"kind {number}")) for number in range(5)]
        await it.port.persist(state_of(it.clock, lives=1))
        other = await it.port.persist(state_of(it.clock, "ada2"))
        await it.port.revoke(mine[0])
        await it.port.consume(mine[1])
        await it.port.update(mine[2], state_of(it.clock, claims={"n": 1}))
        it.clock.advance(1)

        assert await it.port.revoke_all_for_user("ada") == 3

        assert [await it.port.retrieve(token) for token in mine] == [None] * 5
        assert await it.port.retrieve(other) is not None
        assert await it.port.revoke_all_for_user("ada") == 0
        assert await it.port.revoke_all_for_user("nobody") == 0

    @held
    async def test_of_many_who_end_all_each_is_counted_once(self, it: It) -> None:
        """Callers at the same moment count every credential once between them."""
        if it.port.stateless:
            return
        for _ in range(20):
            await it.port.persist(state_of(it.clock))

        counts = await it.at_once(CALLERS, lambda _: it.port.revoke_all_for_user("ada"))

        assert sum(counts) == 20

    @held
    async def test_a_user_can_sign_in_again(self, it: It) -> None:
        """What is made after everything ended lives."""
        if it.port.stateless:
            return
        await it.port.persist(state_of(it.clock, parent_credential_id="before"))
        await it.port.revoke_all_for_user("ada")

        token = await it.port.persist(state_of(it.clock, parent_credential_id="after"))

        assert await it.port.retrieve(token) is not None

    @held
    async def test_a_list_shows_what_is_live(self, it: It) -> None:
        """The live credentials of the user, the latest first, by id and state."""
        if it.port.stateless:
            with pytest.raises(StatelessOperationUnsupported):
                await it.port.list_for_user("ada")
            return
        made = []
        for number in range(4):
            made.append(await it.port.persist(state_of(it.clock, claims={"n": number})))
            it.clock.advance(1)
        await it.port.persist(state_of(it.clock, lives=1))
        await it.port.persist(state_of(it.clock, "bob"))
        await it.port.revoke(made[1])
        await it.port.update(made[2], state_of(it.clock, claims={"n": "updated"}))
        it.clock.advance(1)

        listed = await it.port.list_for_user("ada")

        assert [each.state.claims["n"] for each in listed] == ["updated", 3, 0]
        assert [each.credential_id for each in listed] == [it.port.credential_id(made[n]) for n in (2, 3, 0)]
        assert [each.state for each in listed] == [await it.port.retrieve(made[n]) for n in (2, 3, 0)]
        assert list(await it.port.list_for_user("nobody")) == []

    @held
    async def test_a_list_holds_no_token(self, it: It) -> None:
        """Nothing in a list opens anything, whole or in part (rules T1, O3)."""
        if it.port.stateless:
            return
        tokens = [await it.port.persist(state_of(it.clock)) for _ in range(3)]

        listed = await it.port.list_for_user("ada")

        shown = repr(listed)
        assert not [token for token in tokens if token in shown or token[-20:] in shown]
        assert [await it.port.retrieve(each.credential_id) for each in listed] == [None] * 3
