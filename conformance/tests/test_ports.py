"""The contracts of ports are tested: a sound one passes whole, a wrong one fails where it is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from authcore.backends.credentials.denylists import MemoryDenylist
from authcore.credentials import CredentialState, Listed, MemoryCredentialStore
from authcore_conformance.ports import CredentialStoreContract, DenylistContract


class ReadsThenEnds(MemoryCredentialStore):
    """Consuming is a look, and later an end."""

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what was seen, whoever ended it meanwhile."""
        found = await self.retrieve(token)
        await asyncio.sleep(0)
        await super().consume(token)
        return found

    async def revoke(self, token: str) -> bool:
        """End a live token."""
        return await super().consume(token) is not None


class ListsTokens(MemoryCredentialStore):
    """A list shows what opens."""

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Remember the token in the state's label."""
        token = await super().persist(state, ttl=ttl, seed=seed)
        self.raw = {**getattr(self, "raw", {}), self.credential_id(token): token}
        return token

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer tokens in the place of ids."""
        return [Listed(self.raw[each.credential_id], each.state) for each in await super().list_for_user(user_id)]


class IgnoresUpdates(MemoryCredentialStore):
    """An update answers the token and keeps the state."""

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Change nothing."""
        return token if await self.retrieve(token) is not None else None


class KeepsTheExpired(MemoryCredentialStore):
    """What has expired still opens."""

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer without a look at the clock."""
        clock, self._clock = self._clock, _Never()
        try:
            return await super().retrieve(token)
        finally:
            self._clock = clock


class _Never:
    def now(self) -> datetime:
        return datetime.min.replace(tzinfo=UTC)


class CountsTheDead(MemoryCredentialStore):
    """Ending all counts what had ended by itself."""

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Count rows."""
        rows = len(self._of_user.get(user_id, ()))
        await super().revoke_all_for_user(user_id)
        return rows


class EndsOtherFamilies(MemoryCredentialStore):
    """A family's end is the user's."""

    async def revoke_family(self, user_id: str, family: str) -> int:
        """End everything."""
        return await super().revoke_all_for_user(user_id)


class ForgetsSeeds(MemoryCredentialStore):
    """Every caller makes a credential of his own."""

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Draw at random."""
        return await super().persist(state, ttl=ttl)


class TakesTheExpired(MemoryCredentialStore):
    """A state that is over is made to live."""

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Give it another hour."""
        now = self._clock.now()
        if ttl is None and state.expires_at <= now:
            state = msgspec.structs.replace(state, expires_at=now + timedelta(hours=1))
        return await super().persist(state, ttl=ttl, seed=seed)


class LooksThenDenies(MemoryDenylist):
    """Adding is a look, and later an entry."""

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Tell everybody who looked in time that he was the first."""
        first = not await self.has(id_)
        await asyncio.sleep(0)
        await super().add(id_, expires_at)
        return first


class NeverLapses(MemoryDenylist):
    """What was denied once is denied for good."""

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Deny for a year."""
        return await super().add(id_, expires_at + timedelta(days=365))


WRONG: dict[type[Any], set[str]] = {
    ReadsThenEnds: {"test_of_many_consumers_one_gets_it"},
    ListsTokens: {"test_a_list_holds_no_token", "test_a_list_shows_what_is_live"},
    IgnoresUpdates: {
        "test_an_update_replaces_the_state",
        "test_an_update_moves_the_end",
        "test_a_list_shows_what_is_live",
    },
    KeepsTheExpired: {
        "test_a_credential_ends_with_its_time",
        "test_a_ttl_is_counted_from_now",
        "test_an_update_moves_the_end",
    },
    CountsTheDead: {"test_all_of_a_user_ends"},
    EndsOtherFamilies: {"test_a_family_ends_together"},
    ForgetsSeeds: {"test_a_seed_decides_the_token", "test_of_many_under_a_seed_one_is_first"},
    TakesTheExpired: {"test_an_expired_state_is_refused"},
}
WRONG_DENYLISTS: dict[type[Any], set[str]] = {
    LooksThenDenies: {"test_of_many_one_is_first"},
    NeverLapses: {
        "test_an_entry_lapses",
        "test_what_has_lapsed_can_be_added",
    },
}


def failing(contract: type[Any], **made: Any) -> set[str]:
    """Answer which tests of a contract fail for what a subclass makes."""
    held = type("Held", (contract,), made)
    failed = set()
    for name in (name for name in dir(held) if name.startswith("test_")):
        try:
            getattr(held(), name)()
        except (AssertionError, pytest.fail.Exception):
            failed.add(name)
    return failed


@pytest.mark.parametrize("drive", ["blocking", "asyncio"])
def test_a_sound_store_passes_whole(drive: str) -> None:
    """The store in memory holds the contract in threads and on a loop."""
    made = failing(CredentialStoreContract, make_store=lambda _, clock: MemoryCredentialStore(clock=clock), drive=drive)

    assert made == set()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_store_fails(wrong: Any) -> None:
    """Each wrong store fails the tests of what it does wrong, and no others."""
    failed = failing(CredentialStoreContract, make_store=lambda _, clock: wrong(clock=clock), drive="asyncio")

    assert failed == WRONG[wrong]


@pytest.mark.parametrize("drive", ["blocking", "asyncio"])
def test_a_sound_denylist_passes_whole(drive: str) -> None:
    """The denylist in memory holds the contract in threads and on a loop."""
    made = failing(DenylistContract, make_denylist=lambda _, clock: MemoryDenylist(clock=clock), drive=drive)

    assert made == set()


@pytest.mark.parametrize("wrong", WRONG_DENYLISTS)
def test_a_wrong_denylist_fails(wrong: Any) -> None:
    """Each wrong denylist fails the tests of what it does wrong, and no others."""
    failed = failing(DenylistContract, make_denylist=lambda _, clock: wrong(clock=clock), drive="asyncio")

    assert failed == WRONG_DENYLISTS[wrong]


def test_a_contract_without_a_store_says_what_is_missing() -> None:
    """Who forgets `make_store` is told by every test."""
    with pytest.raises(NotImplementedError):
        CredentialStoreContract().test_tokens_differ()
