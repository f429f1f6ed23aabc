"""The manager over stores that hold nothing: a denylist is all that it needs (S37, S42, S57)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from authcore.credentials import (
    CredentialManager,
    CredentialStore,
    MemoryDenylist,
    RefreshConfig,
    RefreshReuseDetected,
    SealedCredentialStore,
    StatelessOperationUnsupported,
)
from authcore.drive import run_blocking as run
from authcore.stores import Denylist
from authcore.testing.ports import FrozenClock

SECRET = "one secret of these tests, long enough"
Make = Callable[[Denylist | None], CredentialManager]


@pytest.fixture(params=["jwt", "sealed"])
def make(request: pytest.FixtureRequest, clock: FrozenClock) -> Make:
    """A manager whose store shares its denylist with it."""

    def store(denylist: Denylist | None) -> CredentialStore:
        if request.param == "sealed":
            return SealedCredentialStore(bytes(range(32)), denylist=denylist, clock=clock)
        pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
        from authcore.credentials import JwtCredentialStore

        return JwtCredentialStore(secret=SECRET, denylist=denylist, clock=clock)

    def manager(denylist: Denylist | None) -> CredentialManager:
        refresh = RefreshConfig(grace=timedelta(seconds=10)) if denylist is not None else None
        return CredentialManager(store=store(denylist), secret=SECRET, refresh=refresh, denylist=denylist, clock=clock)

    store(None)
    return manager


def test_a_sign_in_lives_and_ends(make: Make, clock: FrozenClock) -> None:
    """S37, S42: issue, validate, refresh and revoke over one denylist instance that store and manager share."""
    manager = make(MemoryDenylist(clock=clock))
    issued = run(manager.issue("ada", claims={"role": "owner"}))
    context = run(manager.validate(issued.access_token))
    assert context is not None
    assert (context.user_id, context.claims) == ("ada", {"role": "owner"})

    renewed = run(manager.refresh(issued.refresh_token))
    assert run(manager.validate(renewed.access_token)) is not None

    assert run(manager.revoke(renewed.access_token)) is True
    assert run(manager.validate(renewed.access_token)) is None
    assert run(manager.revoke(renewed.access_token)) is False


def test_a_refresh_token_works_once(make: Make, clock: FrozenClock) -> None:
    """T6: after the grace a replaced refresh token is theft, and the sign-in ends."""
    manager = make(MemoryDenylist(clock=clock))
    issued = run(manager.issue("ada"))
    renewed = run(manager.refresh(issued.refresh_token))
    again = run(manager.refresh(issued.refresh_token))
    assert manager_id(manager, again.refresh_token) == manager_id(manager, renewed.refresh_token)

    clock.advance(11)
    with pytest.raises(RefreshReuseDetected):
        run(manager.refresh(issued.refresh_token))

    assert run(manager.validate(renewed.access_token)) is None


def manager_id(manager: CredentialManager, token: str) -> str | None:
    """The id of a token in the manager's store."""
    return manager._parts.store.credential_id(token)


def test_a_refresh_token_opens_nothing(make: Make, clock: FrozenClock) -> None:
    """T5: neither kind of token does what the other does."""
    manager = make(MemoryDenylist(clock=clock))
    issued = run(manager.issue("ada"))

    assert run(manager.validate(issued.refresh_token)) is None


def test_what_only_a_holding_store_can_do_says_so(make: Make, clock: FrozenClock) -> None:
    """S57: all of a user, and lists, are nobody's to name; without a denylist nothing ends."""
    manager, bare = make(MemoryDenylist(clock=clock)), make(None)
    issued = run(bare.issue("ada"))

    for attempt in (manager.revoke_all_for_user("ada"), manager.list_for_user("ada"), bare.revoke(issued.access_token)):
        with pytest.raises(StatelessOperationUnsupported):
            run(attempt)
    assert run(bare.validate(issued.access_token)) is not None
