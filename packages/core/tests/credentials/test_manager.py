"""The manager of credentials: what it issues, opens, ends and refuses (S30, S37–S45, S63, S117)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stores import SECRET, AwaitedTable

from authcore import credentials as public
from authcore.backends.credentials.denylists import MemoryDenylist
from authcore.backends.credentials.jwt import JwtCredentialStore
from authcore.backends.credentials.sealed import SealedCredentialStore
from authcore.credentials import (
    CredentialManager,
    CredentialMetadata,
    CredentialState,
    InvalidConfig,
    InvalidToken,
    MaxConcurrentReached,
    MemoryCredentialStore,
    RefreshConfig,
    RefreshReuseDetected,
    SqlCredentialStore,
    StatelessOperationUnsupported,
    TableCredentialStore,
    TokenExpired,
    TokenRevoked,
    generate_secret,
)
from authcore.drive import FlowSuspended, run_blocking
from authcore.errors import Unavailable
from authcore.testing.ports import FrozenClock

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Make = Callable[..., CredentialManager]


@pytest.fixture
def store(clock: FrozenClock) -> MemoryCredentialStore:
    """A store in memory."""
    return MemoryCredentialStore(clock=clock)


@pytest.fixture
def make(clock: FrozenClock, store: MemoryCredentialStore) -> Make:
    """Make a manager over the store."""

    def made(**settings: Any) -> CredentialManager:
        return CredentialManager(**{"store": store, "secret": SECRET, "clock": clock, **settings})

    return made


def test_what_is_issued_opens(make: Make, clock: FrozenClock) -> None:
    """S37, S38, S39, S43: a pair with its times; the access token tells who holds it, with what was given."""
    manager = make(method="session").blocking
    about = CredentialMetadata(ip="192.0.2.1", user_agent="Firefox", label="desk", extra={"app": 2})

    issued = manager.issue("ada", device_id="phone", claims={"role": "owner"}, metadata=about)
    context = manager.validate(issued.access_token)

    assert issued.access_expires_at == clock.now() + timedelta(minutes=15)
    assert issued.refresh_expires_at == clock.now() + timedelta(days=30)
    assert context is not None
    assert (context.user_id, context.method, context.device_id) == ("ada", "session", "phone")
    assert (context.claims, context.metadata, context.expires_at) == (
        {"role": "owner"},
        about,
        issued.access_expires_at,
    )
    assert context.credential_id not in issued.access_token
    assert manager.validate(context.credential_id) is None


def test_a_token_of_another_kind_opens_nothing(make: Make, store: MemoryCredentialStore, clock: FrozenClock) -> None:
    """T5: neither a refresh token nor an application's own kind validates; an access token does not refresh."""
    manager = make().blocking
    issued = manager.issue("ada")
    own = CredentialState(user_id="ada", issued_at=clock.now(), expires_at=clock.now() + DAY, kind="magic.recovery")
    token = run_blocking(store.persist(own))

    assert manager.validate(issued.refresh_token or "") is None
    assert manager.validate(token) is None
    assert manager.revoke(token) is False
    for text in (issued.access_token, token, "", "nonsense"):
        with pytest.raises(InvalidToken):
            manager.refresh(text)
    assert len(manager.list_for_user("ada")) == 1


def test_without_refresh_there_are_access_tokens_alone(make: Make) -> None:
    """S38: `refresh=None` issues no refresh token, and refuses to refresh."""
    manager = make(refresh=None).blocking

    issued = manager.issue("ada")

    assert (issued.refresh_token, issued.refresh_expires_at) == (None, None)
    assert manager.validate(issued.access_token) is not None
    with pytest.raises(InvalidConfig):
        manager.refresh(issued.access_token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_ttl": timedelta(0)},
        {"access_ttl": timedelta(seconds=-1)},
        {"access_ttl": 900},
        {"secret": "short"},
        {"secret": []},
        {"secret": [SECRET, "short"]},
        {"max_concurrent": 0},
        {"max_concurrent": True},
        {"on_limit": "evict-oldest"},
        {"method": "cookie"},
        {"refresh": "always"},
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused(make: Make, wrong: dict[str, Any]) -> None:
    """S37: a ttl of 0 or less, a short secret and every other wrong setting is `invalid_config`."""
    with pytest.raises(InvalidConfig) as raised:
        make(**wrong)

    assert raised.value.code == "invalid_config"
    assert "short" not in raised.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl": timedelta(0)},
        {"absolute_ttl": timedelta(0)},
        {"grace": timedelta(seconds=-1)},
        {"grace": timedelta(minutes=6)},
        {"rotation": "never"},
        {"on_reuse": "all"},
        {"on_rotation_reuse": "log"},
    ],
    ids=str,
)
def test_a_wrong_setting_of_refreshing_is_refused(wrong: dict[str, Any]) -> None:
    """S41: each says what to write."""
    with pytest.raises(InvalidConfig, match=r"RefreshConfig\("):
        RefreshConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"user_id": ""}, {"user_id": "x" * 256}, {"claims": {"authcore": 1}}, {"claims": {"x": object()}}],
    ids=["nobody", "a long id", "a reserved claim", "no JSON"],
)
def test_what_cannot_be_kept_is_refused(make: Make, wrong: dict[str, Any]) -> None:
    """Claims are JSON without the manager's own name, and a user has an id."""
    with pytest.raises(InvalidConfig):
        make().blocking.issue(**{"user_id": "ada", **wrong})


def test_a_secret_is_256_random_bits() -> None:
    """S30: `generate_secret` makes what `secret` takes."""
    made = {generate_secret() for _ in range(100)}

    assert len(made) == 100
    assert {len(each) for each in made} == {43}


def test_tokens_outlive_a_change_of_the_secret(make: Make) -> None:
    """O4: with [new, old] what was issued under the old secret refreshes on; without the old one it does not."""
    new = "another secret of these tests, long"
    first = make().blocking.issue("ada")

    second = make(secret=[new, SECRET]).blocking.refresh(first.refresh_token or "")
    again = make(secret=[new, SECRET]).blocking.refresh(first.refresh_token or "")
    third = make(secret=[new]).blocking.refresh(second.refresh_token or "")

    assert again == second
    assert make(secret=[new]).blocking.validate(third.access_token) is not None
    with pytest.raises(InvalidToken):
        make(secret=[new]).blocking.refresh(first.refresh_token or "")


def test_sliding_stops_at_the_absolute_end(make: Make, clock: FrozenClock) -> None:
    """Refreshing moves the end on, never past `absolute_ttl` from the sign-in; nothing outlives it."""
    manager = make(access_ttl=MINUTE, refresh=RefreshConfig(ttl=10 * MINUTE, absolute_ttl=25 * MINUTE)).blocking
    end = clock.now() + 25 * MINUTE
    issued = manager.issue("ada")

    ends = []
    for _ in range(3):
        clock.advance(8 * 60)
        issued = manager.refresh(issued.refresh_token or "")
        ends.append(end - (issued.refresh_expires_at or end))
    assert ends == [7 * MINUTE, timedelta(0), timedelta(0)]

    clock.advance(59)
    assert manager.validate(issued.access_token) is not None
    clock.advance(1)
    assert manager.validate(issued.access_token) is None
    with pytest.raises(InvalidToken):
        manager.refresh(issued.refresh_token or "")


def test_a_shortened_absolute_end_counts_at_once(make: Make, clock: FrozenClock) -> None:
    """Past the absolute end that is configured a token of an earlier setting is `token_expired`."""
    issued = make().blocking.issue("ada")
    clock.advance(DAY.total_seconds() * 8)

    with pytest.raises(TokenExpired):
        make(refresh=RefreshConfig(ttl=7 * DAY, absolute_ttl=7 * DAY)).blocking.refresh(issued.refresh_token or "")


def test_a_lost_answer_is_given_again(make: Make, clock: FrozenClock) -> None:
    """T6: inside the grace the same pair is answered, whatever the access token was used for."""
    manager = make().blocking
    begun = manager.issue("ada", device_id="phone", claims={"role": "owner"})
    first = manager.refresh(begun.refresh_token or "")
    assert manager.validate(first.access_token) is not None
    clock.advance(10)

    assert manager.refresh(begun.refresh_token or "") == first

    context = manager.validate(first.access_token)
    assert context is not None
    assert (context.claims, context.device_id) == ({"role": "owner"}, "phone")


def test_an_answer_that_arrived_is_not_given_again(make: Make) -> None:
    """T6: once the successor was itself replaced the old token is theft, inside the grace as well."""
    manager = make().blocking
    begun = manager.issue("ada")
    first = manager.refresh(begun.refresh_token or "")
    manager.refresh(first.refresh_token or "")

    with pytest.raises(RefreshReuseDetected):
        manager.refresh(begun.refresh_token or "")

    assert manager.list_for_user("ada") == []


@pytest.mark.parametrize("rotation", ["sliding", "always"])
@pytest.mark.parametrize("on_reuse", ["family", "user"])
def test_a_theft_ends_what_it_should(make: Make, clock: FrozenClock, rotation: Any, on_reuse: Any) -> None:
    """S41: a late reuse, or any under "always", ends the family or the user, and the application is told by state."""
    told: list[CredentialState] = []
    config = RefreshConfig(rotation=rotation, on_reuse=on_reuse, on_rotation_reuse=told.append)
    manager = make(refresh=config).blocking
    begun, elsewhere = manager.issue("ada", claims={"n": 1}), manager.issue("ada")
    first = manager.refresh(begun.refresh_token or "")
    clock.advance(11 if rotation == "sliding" else 0)

    with pytest.raises(RefreshReuseDetected):
        manager.refresh(begun.refresh_token or "")

    assert manager.validate(first.access_token) is None
    assert (manager.validate(elsewhere.access_token) is None) == (on_reuse == "user")
    assert [(state.user_id, state.claims) for state in told] == [("ada", {"n": 1})]
    with pytest.raises(InvalidToken):
        manager.refresh(first.refresh_token or "")


def test_without_rotation_the_refresh_token_stays(make: Make, clock: FrozenClock) -> None:
    """S41: "none" makes access tokens until the refresh token's own end."""
    manager = make(refresh=RefreshConfig(rotation="none", ttl=DAY)).blocking
    begun = manager.issue("ada")

    for _ in range(3):
        clock.advance(60)
        again = manager.refresh(begun.refresh_token or "")
        assert (again.refresh_token, again.refresh_expires_at) == (begun.refresh_token, begun.refresh_expires_at)
        assert manager.validate(again.access_token) is not None

    clock.advance(DAY.total_seconds())
    with pytest.raises(InvalidToken):
        manager.refresh(begun.refresh_token or "")


class Failing(MemoryCredentialStore):
    """A store that a number of calls after `fail_after` was set cannot be reached."""

    left: int | None = None

    def _count(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Unavailable

    async def persist(self, *args: Any, **kwargs: Any) -> str:
        """Persist, or fail."""
        self._count()
        return await super().persist(*args, **kwargs)

    async def retrieve(self, token: str) -> CredentialState | None:
        """Retrieve, or fail."""
        self._count()
        return await super().retrieve(token)

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Update, or fail."""
        self._count()
        return await super().update(token, state)


@pytest.mark.parametrize("after", range(4))
def test_what_broke_off_is_finished_by_the_next_try(make: Make, clock: FrozenClock, after: int) -> None:
    """T6, O2: wherever a rotation breaks off, a try inside the grace finishes it; a later one finds the same pair."""
    store = Failing(clock=clock)
    manager = make(store=store).blocking
    begun = manager.issue("ada")
    store.left = after
    with pytest.raises(Unavailable):
        manager.refresh(begun.refresh_token or "")
    clock.advance(9)

    first = manager.refresh(begun.refresh_token or "")

    assert manager.refresh(begun.refresh_token or "") == first
    assert manager.validate(first.access_token) is not None
    assert len(run_blocking(store.list_for_user("ada"))) == 4


def test_ending_by_either_token_ends_both(make: Make) -> None:
    """S40: `revoke` ends the sign-in of an access or a refresh token, and no other (RFC 7009 2.1)."""
    manager = make().blocking
    one, two, other = (manager.issue("ada") for _ in range(3))

    assert manager.revoke(one.access_token) is True
    assert manager.revoke(two.refresh_token or "") is True

    assert manager.revoke(one.access_token) is False
    assert [manager.validate(each.access_token) is None for each in (one, two, other)] == [True, True, False]
    for ended in (one, two):
        with pytest.raises(InvalidToken):
            manager.refresh(ended.refresh_token or "")


def test_ending_all_counts_what_opened(make: Make, clock: FrozenClock) -> None:
    """S40: the count is of live tokens: no replaced one, no expired one, and none of another user."""
    manager = make(max_concurrent=5).blocking
    manager.refresh(manager.issue("ada").refresh_token or "")
    manager.issue("bob")
    assert manager.revoke_all_for_user("ada") == 3

    manager.issue("ada")
    clock.advance(15 * 60)
    assert manager.revoke_all_for_user("ada") == 1
    assert manager.revoke_all_for_user("ada") == 0
    assert len(manager.list_for_user("bob")) == 1


def test_a_list_shows_sign_ins(make: Make, clock: FrozenClock) -> None:
    """S40: one context for each sign-in, the latest first, by which it can be told from others and ended."""
    manager = make().blocking
    first = manager.issue("ada", device_id="phone")
    clock.advance(1)
    second = manager.refresh(manager.issue("ada", device_id="desk").refresh_token or "")
    context = manager.validate(second.access_token)
    assert context is not None
    clock.advance(1)

    listed = manager.list_for_user("ada")

    assert [each.device_id for each in listed] == ["desk", "phone"]
    assert context.family == listed[0].family
    assert manager.revoke_family("ada", listed[0].family or "") == 4
    assert [each.device_id for each in manager.list_for_user("ada")] == ["phone"]
    assert manager.validate(first.access_token) is not None


def test_no_value_shows_a_token(make: Make, tmp_path: Path, clock: FrozenClock) -> None:
    """T1, O3: neither a repr nor a list nor a row has a token or the secret in it."""
    file = tmp_path / "own.db"
    sql = SqlCredentialStore(f"sqlite:///{file}", clock=clock)
    manager = make(store=sql)
    issued = manager.blocking.issue("ada")
    again = manager.blocking.refresh(issued.refresh_token or "")
    with sa.create_engine(f"sqlite:///{file}").connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM authcore_credential")).all()
    sql.dispose()

    shown = repr([issued, again, manager, manager.blocking.list_for_user("ada"), rows])
    assert len(rows) == 4
    for secret in (SECRET, *(token for each in (issued, again) for token in (each.access_token, each.refresh_token))):
        assert secret is not None
        assert secret not in shown
        assert secret[-30:] not in shown


# --- a limit ---


def test_a_full_user_is_refused(make: Make, clock: FrozenClock) -> None:
    """S117: past the limit `max_concurrent_reached`; ending or expiring one makes room, refreshing keeps it."""
    manager = make(max_concurrent=2, refresh=RefreshConfig(ttl=DAY)).blocking
    one, two = manager.issue("ada"), manager.issue("ada")
    with pytest.raises(MaxConcurrentReached) as raised:
        manager.issue("ada")
    assert (raised.value.code, raised.value.status) == ("max_concurrent_reached", 409)
    assert manager.issue("bob") is not None

    manager.revoke(one.access_token)
    three = manager.issue("ada")
    clock.advance(DAY.total_seconds() - 1)
    manager.refresh(three.refresh_token or "")
    clock.advance(1)
    assert manager.validate(two.access_token) is None
    manager.issue("ada")
    with pytest.raises(MaxConcurrentReached):
        manager.issue("ada")


def test_the_oldest_makes_room(make: Make, clock: FrozenClock) -> None:
    """S117: `evict_oldest` ends the earliest sign-in, however late it was refreshed."""
    manager = make(max_concurrent=2, on_limit="evict_oldest").blocking
    issued = []
    for name in "abc":
        issued.append(manager.issue("ada", device_id=name))
        clock.advance(1)
        if name == "b":
            issued[0] = manager.refresh(issued[0].refresh_token or "")

    assert [manager.validate(each.access_token) is not None for each in issued] == [False, True, True]
    assert sorted(each.device_id or "" for each in manager.list_for_user("ada")) == ["b", "c"]


def test_who_was_there_before_the_limit_counts(make: Make) -> None:
    """A limit counts the sign-ins that were made before there was one."""
    for _ in range(3):
        make().blocking.issue("ada")

    with pytest.raises(MaxConcurrentReached):
        make(max_concurrent=3).blocking.issue("ada")

    make(max_concurrent=4).blocking.issue("ada")
    assert len(make().blocking.list_for_user("ada")) == 4


def test_a_limit_counts_access_tokens_where_there_are_no_others(make: Make, clock: FrozenClock) -> None:
    """With `refresh=None` a sign-in is one access token."""
    manager = make(refresh=None, max_concurrent=1).blocking
    manager.issue("ada")
    with pytest.raises(MaxConcurrentReached):
        manager.issue("ada")
    clock.advance(15 * 60)

    assert manager.issue("ada") is not None


# --- a denylist ---


def test_a_denylist_is_asked_each_time(make: Make, clock: FrozenClock) -> None:
    """S42: a credential that is denied by its id opens nothing and refreshes nothing, whatever the store says."""
    denylist = MemoryDenylist(clock=clock)
    manager = make(denylist=denylist).blocking
    issued = manager.issue("ada")
    context = manager.validate(issued.access_token)
    without = make().blocking
    assert context is not None

    assert manager.deny(context.credential_id, context.expires_at) is True

    assert manager.validate(issued.access_token) is None
    assert manager.revoke(issued.access_token) is False
    assert without.validate(issued.access_token) is not None
    assert manager.refresh(issued.refresh_token or "") is not None


def test_a_denied_refresh_token_is_revoked(make: Make, store: MemoryCredentialStore, clock: FrozenClock) -> None:
    """S42, S63: refreshing with what is denied is `token_revoked`."""
    manager = make(denylist=MemoryDenylist(clock=clock)).blocking
    issued = manager.issue("ada")
    id_ = store.credential_id(issued.refresh_token or "") or ""
    manager.deny(id_, clock.now() + DAY)

    with pytest.raises(TokenRevoked):
        manager.refresh(issued.refresh_token or "")


def test_to_deny_needs_a_denylist(make: Make, clock: FrozenClock) -> None:
    """Without one `deny` is refused."""
    with pytest.raises(StatelessOperationUnsupported):
        make().blocking.deny("x", clock.now() + DAY)


# --- stores that hold nothing ---


def jwt(clock: FrozenClock, denylist: Any = None) -> Any:
    """Answer a store of JWTs."""
    return JwtCredentialStore(secret=SECRET, denylist=denylist, clock=clock)


def sealed(clock: FrozenClock, denylist: Any = None) -> Any:
    """Answer a store of sealed tokens."""
    return SealedCredentialStore(key=bytes(range(32)), denylist=denylist, clock=clock)


STATELESS = [pytest.param(jwt, id="jwt"), pytest.param(sealed, id="sealed")]


@pytest.mark.parametrize("kind", STATELESS)
def test_one_denylist_serves_store_and_manager(make: Make, clock: FrozenClock, kind: Any) -> None:
    """S42: with one instance for both, tokens rotate, are forgiven, and are caught; ids never meet."""
    if kind is jwt:
        pytest.importorskip("jwt", reason="PyJWT is an extra")
    denylist = MemoryDenylist(clock=clock)
    told: list[CredentialState] = []
    store = kind(clock, denylist)
    manager = make(store=store, denylist=denylist, refresh=RefreshConfig(on_rotation_reuse=told.append)).blocking
    begun = manager.issue("ada", device_id="phone", claims={"role": "owner"})

    first = manager.refresh(begun.refresh_token or "")
    clock.advance(9)
    again = manager.refresh(begun.refresh_token or "")
    assert [store.credential_id(token) for token in (again.access_token, again.refresh_token)] == [
        store.credential_id(token) for token in (first.access_token, first.refresh_token)
    ]
    context = manager.validate(again.access_token)
    assert context is not None
    assert (context.claims, context.device_id) == ({"role": "owner"}, "phone")

    clock.advance(2)
    with pytest.raises(RefreshReuseDetected):
        manager.refresh(begun.refresh_token or "")
    assert [manager.validate(each.access_token) for each in (begun, first, again)] == [None] * 3
    with pytest.raises(TokenRevoked):
        manager.refresh(first.refresh_token or "")
    assert [state.claims for state in told] == [{"role": "owner"}]


@pytest.mark.parametrize("kind", STATELESS)
def test_a_replaced_successor_ends_the_grace(make: Make, clock: FrozenClock, kind: Any) -> None:
    """T6: over a store that holds nothing as well the old token is theft once its successor was replaced."""
    if kind is jwt:
        pytest.importorskip("jwt", reason="PyJWT is an extra")
    manager = make(store=kind(clock), denylist=MemoryDenylist(clock=clock)).blocking
    begun = manager.issue("ada")
    first = manager.refresh(begun.refresh_token or "")
    second = manager.refresh(first.refresh_token or "")

    with pytest.raises(RefreshReuseDetected):
        manager.refresh(begun.refresh_token or "")

    assert manager.validate(second.access_token) is None


@pytest.mark.parametrize("kind", STATELESS)
def test_a_family_ends_by_the_denylist(make: Make, clock: FrozenClock, kind: Any) -> None:
    """Either token ends both; without a denylist neither can be ended."""
    if kind is jwt:
        pytest.importorskip("jwt", reason="PyJWT is an extra")
    manager = make(store=kind(clock), denylist=MemoryDenylist(clock=clock)).blocking
    issued, other = manager.issue("ada"), manager.issue("ada")

    assert manager.revoke(issued.access_token) is True

    assert manager.revoke(issued.refresh_token or "") is False
    assert manager.validate(issued.access_token) is None
    assert manager.validate(other.access_token) is not None
    with pytest.raises(TokenRevoked):
        manager.refresh(issued.refresh_token or "")
    alone = make(store=kind(clock), refresh=None).blocking
    with pytest.raises(StatelessOperationUnsupported):
        alone.revoke(alone.issue("ada").access_token)
    with pytest.raises(StatelessOperationUnsupported):
        alone.revoke_family("ada", "f")


@pytest.mark.parametrize(
    "settings",
    [{}, {"refresh": RefreshConfig(rotation="always")}, {"max_concurrent": 1, "refresh": None}],
    ids=["rotates", "always", "limits"],
)
def test_what_a_store_never_can_is_told_at_once(make: Make, clock: FrozenClock, settings: dict[str, Any]) -> None:
    """S63: a manager over a store that holds nothing refuses to be made where it could not keep its word."""
    with pytest.raises(StatelessOperationUnsupported) as raised:
        make(store=sealed(clock), **settings)

    assert raised.value.code == "stateless_operation_unsupported"


def test_ending_a_user_needs_a_store_that_holds(make: Make, clock: FrozenClock) -> None:
    """on_reuse="user", and all calls about a user, are refused over a store that holds nothing."""
    with pytest.raises(StatelessOperationUnsupported):
        make(store=sealed(clock), denylist=MemoryDenylist(clock=clock), refresh=RefreshConfig(on_reuse="user"))
    manager = make(store=sealed(clock), refresh=RefreshConfig(rotation="none")).blocking
    assert manager.refresh(manager.issue("ada").refresh_token or "") is not None
    for call in (manager.list_for_user, manager.revoke_all_for_user):
        with pytest.raises(StatelessOperationUnsupported):
            call("ada")


# --- drives ---


class Noting(MemoryCredentialStore):
    """A store that notes in which thread it is called, and says that it blocks."""

    blocks = True  # type: ignore[misc]

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.threads: set[int] = set()

    async def retrieve(self, token: str) -> CredentialState | None:
        """Note the thread."""
        self.threads.add(threading.get_ident())
        return await super().retrieve(token)


async def _tour(manager: CredentialManager) -> None:
    issued = await manager.asyncio.issue("ada")
    assert await manager.asyncio.validate(issued.access_token) is not None
    again = await manager.asyncio.refresh(issued.refresh_token or "")
    assert len(await manager.asyncio.list_for_user("ada")) == 1
    assert await manager.asyncio.revoke(again.access_token) is True
    assert await manager.asyncio.revoke_all_for_user("ada") == 0


def test_what_blocks_never_runs_on_the_loop(make: Make, clock: FrozenClock) -> None:
    """On an event loop a store that blocks runs in a worker thread, and `blocking` runs it where it is called."""
    store = Noting(clock=clock)

    asyncio.run(_tour(make(store=store)))
    assert threading.get_ident() not in store.threads
    assert store.threads

    make(store=store).blocking.validate("x")
    assert threading.get_ident() in store.threads


def test_what_waits_and_what_blocks_serve_together(make: Make, clock: FrozenClock) -> None:
    """A store that awaits beside a denylist that blocks: each is called where it may be."""
    asked: set[int] = set()

    class Blocking(MemoryDenylist):
        blocks = True

        async def has(self, id_: str) -> bool:
            asked.add(threading.get_ident())
            return await super().has(id_)

    manager = make(store=TableCredentialStore(AwaitedTable(), clock=clock), denylist=Blocking(clock=clock))

    asyncio.run(_tour(manager))

    assert asked
    assert threading.get_ident() not in asked


def test_a_store_that_waits_cannot_be_called_without_a_loop(make: Make, clock: FrozenClock) -> None:
    """`blocking` names what waited; as a flow the same call serves inside another flow."""
    manager = make(store=TableCredentialStore(AwaitedTable(), clock=clock))

    with pytest.raises(FlowSuspended):
        manager.blocking.issue("ada")

    async def flow() -> Any:
        return await manager.validate((await manager.issue("ada")).access_token)

    assert asyncio.run(flow()).user_id == "ada"


@pytest.mark.parametrize("blocks", [True, False])
def test_a_callback_may_be_awaited(make: Make, clock: FrozenClock, blocks: bool) -> None:
    """An async `on_rotation_reuse` is awaited on the loop, whatever the store; without a loop it is refused."""
    told: list[tuple[str, int]] = []

    async def tell(state: CredentialState) -> None:
        await asyncio.sleep(0)
        told.append((state.user_id, threading.get_ident()))

    store = Noting(clock=clock) if blocks else MemoryCredentialStore(clock=clock)
    manager = make(store=store, refresh=RefreshConfig(rotation="always", on_rotation_reuse=tell))

    async def steal() -> None:
        issued = await manager.asyncio.issue("ada")
        await manager.asyncio.refresh(issued.refresh_token or "")
        with pytest.raises(RefreshReuseDetected):
            await manager.asyncio.refresh(issued.refresh_token or "")

    asyncio.run(steal())

    assert told == [("ada", threading.get_ident())]


# --- the public names ---


@pytest.mark.parametrize("name", public.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """What `authcore.credentials` lists it has, and another name it has not (PEP 562)."""
    assert getattr(public, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        _ = public.Nothing


def test_the_seven_codes() -> None:
    """S63: the errors have the seven codes, in lower snake_case."""
    errors = (
        public.InvalidToken,
        public.TokenExpired,
        public.TokenRevoked,
        public.RefreshReuseDetected,
        public.StatelessOperationUnsupported,
        public.MaxConcurrentReached,
        public.InvalidConfig,
    )

    assert [error.code for error in errors] == [
        "invalid_token",
        "token_expired",
        "token_revoked",
        "refresh_reuse_detected",
        "stateless_operation_unsupported",
        "max_concurrent_reached",
        "invalid_config",
    ]


def test_the_system_has_a_clock_by_default(store: MemoryCredentialStore) -> None:
    """S45: without a clock the time is the machine's; with one it is the clock's, in manager and store."""
    issued = CredentialManager(store=MemoryCredentialStore(), secret=SECRET).blocking.issue("ada")

    assert issued.access_expires_at - datetime.now(issued.access_expires_at.tzinfo) < timedelta(minutes=15)
