"""What JWT and sealed credentials have in common: they say everything themselves, and a denylist ends them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from authcore.backends.credentials.denylists import MemoryDenylist, SqlDenylist
from authcore.backends.credentials.sealed import SealedCredentialStore
from authcore.drive import run_blocking as run
from authcore.services.keys import KeyRing
from authcore.stores import (
    CredentialMetadata,
    CredentialState,
    CredentialStore,
    InvalidConfig,
    InvalidToken,
    StatelessOperationUnsupported,
)
from authcore.testing.ports import FrozenClock

SECRET = "correct horse battery staple, and 20 words more"
KEY = bytes(range(32))
Make = Callable[..., CredentialStore]


def jwt_store(**more: Any) -> CredentialStore:
    """A store of HS256."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    from authcore.backends.credentials.jwt import JwtCredentialStore

    return JwtCredentialStore(**({"secret": SECRET} if "keys" not in more else {}), **more)


def sealed_store(**more: Any) -> CredentialStore:
    """A store of AES-256-GCM."""
    return SealedCredentialStore(**({"key": KEY} if "keys" not in more else {}), **more)


@pytest.fixture(params=[jwt_store, sealed_store], ids=["jwt", "sealed"])
def make(request: pytest.FixtureRequest, clock: FrozenClock) -> Make:
    """Make a store of each kind, on the test's clock."""
    kind: Make = request.param
    kind()  # skips without its extra
    return lambda **more: kind(**{"clock": clock, **more})


def state(clock: FrozenClock, **more: Any) -> CredentialState:
    """A state that lives for a minute."""
    now = clock.now()
    return CredentialState(**{"user_id": "ada", "issued_at": now, "expires_at": now + timedelta(minutes=1), **more})


def test_a_state_comes_back_as_it_was(make: Make, clock: FrozenClock) -> None:
    """S44, S56: everything of a state is in its token, to the microsecond."""
    clock.advance(0.123456)
    whole = state(
        clock,
        kind="magic.recovery",
        claims={"roles": ["reader", "näive ☃"], "deep": {"a": [1, None, True, 2.5]}, "iss": "somebody", "exp": 1},
        metadata=CredentialMetadata(
            ip="203.0.113.7", user_agent="Engine/7", fingerprint="f", label="l", extra={"x": [1]}
        ),
        parent_credential_id="family",
        rotated_at=clock.now() - timedelta(microseconds=1),
    )
    store = make()

    assert run(store.retrieve(run(store.persist(whole)))) == whole
    assert run(store.retrieve(run(store.persist(state(clock))))) == state(clock)
    assert (store.stateless, store.blocks) == (True, False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user_id=st.text(min_size=1, max_size=40),
    kind=st.text(min_size=1, max_size=20),
    claims=st.dictionaries(
        st.text(max_size=8), st.recursive(st.integers(-(2**53), 2**53) | st.text(max_size=8), st.lists)
    ),
    lives=st.integers(1, 10**12),
)
def test_any_state_comes_back(make: Make, user_id: str, kind: str, claims: dict[str, Any], lives: int) -> None:
    """Whatever ids, kinds, claims and times there are, they are read as they were written."""
    clock = FrozenClock(datetime(2030, 1, 1, 0, 0, 0, 7, tzinfo=UTC))
    store = make(clock=clock)
    given_state = state(
        clock, user_id=user_id, kind=kind, claims=claims, expires_at=clock.now() + timedelta(0, 0, lives)
    )
    try:
        token = run(store.persist(given_state))
    except (InvalidConfig, UnicodeEncodeError):
        return

    assert run(store.retrieve(token)) == given_state


def test_it_ends_at_its_microsecond(make: Make, clock: FrozenClock) -> None:
    """S55: by the injected clock a token lives until `expires_at`, and not at it, in whole seconds and between them."""
    for lives in (timedelta(seconds=10), timedelta(seconds=10, microseconds=400_000)):
        begun = clock.now()
        store = make()
        token = run(store.persist(state(clock, expires_at=begun + lives)))

        clock.advance(lives.total_seconds() - 0.000001)
        assert run(store.retrieve(token)) is not None
        clock.advance(0.000001)
        assert run(store.retrieve(token)) is None


def test_a_ttl_is_counted_from_now(make: Make, clock: FrozenClock) -> None:
    """`ttl` stands in the place of the state's own end, an end that has passed included."""
    store = make()

    token = run(store.persist(state(clock, expires_at=clock.now()), ttl=timedelta(seconds=5)))

    found = run(store.retrieve(token))
    assert found is not None
    assert found.expires_at == clock.now() + timedelta(seconds=5)


def test_what_has_expired_is_not_made(make: Make, clock: FrozenClock) -> None:
    """S59: persisting an expired state raises, and so does updating to one: the token lives on."""
    store = make(denylist=MemoryDenylist(clock=clock))
    token = run(store.persist(state(clock)))
    over = state(clock, expires_at=clock.now())

    for attempt in (store.persist(over), store.persist(state(clock), ttl=timedelta(0)), store.update(token, over)):
        with pytest.raises(InvalidToken):
            run(attempt)
    assert run(store.retrieve(token)) is not None


@pytest.mark.parametrize("wrong", [{"user_id": ""}, {"kind": ""}, {"kind": "x" * 300}, {"claims": {"x": "y" * 9000}}])
def test_what_is_no_state_is_refused(make: Make, clock: FrozenClock, wrong: dict[str, Any]) -> None:
    """A state that no token can carry is `invalid_config`."""
    with pytest.raises(InvalidConfig):
        run(make().persist(state(clock, **wrong)))


# --- without a denylist, and with one ---


def test_without_a_denylist_it_cannot_end_anything(make: Make, clock: FrozenClock) -> None:
    """S57: consume, revoke and update raise `stateless_operation_unsupported`; the token lives on."""
    store = make()
    token = run(store.persist(state(clock)))

    for attempt in (
        store.consume(token),
        store.revoke(token),
        store.update(token, state(clock)),
        store.revoke("no token"),
    ):
        with pytest.raises(StatelessOperationUnsupported) as raised:
            run(attempt)
        assert raised.value.code == "stateless_operation_unsupported"
    assert run(store.retrieve(token)) == state(clock)
    assert run(store.clean_expired()) == 0


def test_what_it_made_it_never_knows(make: Make, clock: FrozenClock) -> None:
    """S57: lists, families and all of a user are nobody's to name, with a denylist either."""
    store = make(denylist=MemoryDenylist(clock=clock))

    for attempt in (store.revoke_family("ada", "f"), store.revoke_all_for_user("ada"), store.list_for_user("ada")):
        with pytest.raises(StatelessOperationUnsupported):
            run(attempt)


def test_a_revoked_token_is_refused(make: Make, clock: FrozenClock) -> None:
    """S57, S58: revoking denies the `jti` until the token would have ended; the second time nothing was live."""
    denylist = MemoryDenylist(clock=clock)
    store = make(denylist=denylist)
    token, other = run(store.persist(state(clock))), run(store.persist(state(clock)))

    assert [run(store.revoke(token)) for _ in range(2)] == [True, False]

    assert run(store.retrieve(token)) is None
    assert run(store.retrieve(other)) is not None
    assert run(denylist.has(f"jti:{store.credential_id(token)}"))
    clock.advance(60)
    assert run(store.clean_expired()) == 1


def test_consumed_is_consumed(make: Make, clock: FrozenClock) -> None:
    """S53: consume answers the state once."""
    store = make(denylist=MemoryDenylist(clock=clock))
    token = run(store.persist(state(clock)))

    assert [run(store.consume(token)) for _ in range(2)] == [state(clock), None]
    assert run(store.consume("no token")) is None


def test_an_update_is_another_token(make: Make, clock: FrozenClock) -> None:
    """S53: the token before is denied; without a live one nothing is made."""
    store = make(denylist=MemoryDenylist(clock=clock))
    token = run(store.persist(state(clock)))
    changed = state(clock, claims={"x": 1})

    fresh = run(store.update(token, changed))

    assert fresh is not None
    assert run(store.retrieve(fresh)) == changed
    assert run(store.retrieve(token)) is None
    assert run(store.update(token, changed)) is None


def test_one_denylist_serves_two_stores(make: Make, clock: FrozenClock) -> None:
    """S42: sharing one instance ends nothing that was not ended."""
    denylist = MemoryDenylist(clock=clock)
    one, two = make(denylist=denylist), sealed_store(clock=clock, denylist=denylist, keys=[KEY[::-1]])
    tokens = run(one.persist(state(clock))), run(two.persist(state(clock)))
    run(denylist.add(str(one.credential_id(tokens[0])), clock.now() + timedelta(hours=1)))

    assert run(one.revoke(tokens[0]))

    assert run(two.retrieve(tokens[1])) is not None


@pytest.fixture
def shared(any_database: str, clock: FrozenClock) -> Iterator[SqlDenylist]:
    """A denylist that several nodes share."""
    made = SqlDenylist(any_database, clock=clock)
    yield made
    made.dispose()


@pytest.mark.parametrize("operation", ["consume", "revoke", "update"])
def test_of_many_contenders_one_ends_it(make: Make, clock: FrozenClock, shared: SqlDenylist, operation: str) -> None:
    """T2: 16 threads over two nodes consume, revoke or update one token: exactly one of them is told so."""
    nodes = [make(denylist=shared) for _ in range(2)]
    for _ in range(5):
        token = run(nodes[0].persist(state(clock)))

        def contend(number: int, token: str = token) -> object:
            more = (state(clock),) if operation == "update" else ()
            return run(getattr(nodes[number % 2], operation)(token, *more)) or None

        with ThreadPoolExecutor(16) as pool:
            won = [found for found in pool.map(contend, range(16)) if found is not None]
        assert len(won) == 1


def test_blocks_as_its_denylist_does(make: Make, shared: SqlDenylist) -> None:
    """An event loop is told that a call may wait for a server."""
    assert make(denylist=shared).blocks is shared.blocks is True


# --- seeds and ids ---


def test_a_seed_decides_the_token(make: Make, clock: FrozenClock) -> None:
    """T6: the same seed and state answer the same token on every node; another seed another one."""
    one, two = make(), make()
    seed = bytes(range(32))

    token = run(one.persist(state(clock), seed=seed))

    assert run(two.persist(state(clock), seed=seed)) == token
    assert run(one.persist(state(clock), seed=seed[::-1])) != token
    assert run(one.persist(state(clock))) != run(one.persist(state(clock)))
    assert run(one.retrieve(token)) == state(clock)
    with pytest.raises(InvalidConfig):
        run(one.persist(state(clock), seed=b"short"))


def test_the_id_is_the_jti_of_an_authentic_token(make: Make, clock: FrozenClock) -> None:
    """T3: it is safe to log, the same for an expired token, and None for what nobody here has made."""
    store = make()
    token = run(store.persist(state(clock)))
    id_ = store.credential_id(token)

    assert id_ is not None
    assert id_ not in token
    clock.advance(3600)
    assert store.credential_id(token) == id_
    for other in ("", "no token", token + "=", token[:-2], "a.b", "a.b.c", "\ud800", "x" * 100_000):
        assert store.credential_id(other) is None
        assert run(store.retrieve(other)) is None


def test_a_copy_of_the_application_reads_it(make: Make, clock: FrozenClock) -> None:
    """S33, O4: of an application's KeyRing keys are made; with secret=[new, old] what was made before is read."""
    old, both, new = KeyRing([SECRET]), KeyRing([SECRET[::-1], SECRET]), KeyRing([SECRET[::-1]])
    token = run(make(keys=old).persist(state(clock)))

    assert run(make(keys=both).retrieve(token)) == state(clock)
    assert run(make(keys=new).retrieve(token)) is None
    fresh = run(make(keys=both).persist(state(clock)))
    assert run(make(keys=new).retrieve(fresh)) == state(clock)
    assert run(make(keys=old).retrieve(fresh)) is None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_character_is_accepted(make: Make, clock: FrozenClock, data: st.DataObject) -> None:
    """T3: whatever character is put in another's place, the token is none."""
    store = make()
    token = run(store.persist(state(clock), seed=bytes(32)))
    place = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.sampled_from("AQgwBZaz09-_.=+/ \n\u00e9"))

    changed = token[:place] + char + token[place + 1 :]

    assert changed == token or run(store.retrieve(changed)) is None


def test_who_keeps_tokens_in_mind_is_told_of_keys(make: Make, clock: FrozenClock) -> None:
    """What was verified stands on keys: while they do not change, they are one object."""
    store = make()

    assert store.verified_by(clock.now()) is store.verified_by(clock.now())  # type: ignore[attr-defined]
    assert store.verified_by(clock.now()) is not None  # type: ignore[attr-defined]


def test_kinds_are_of_the_state_alone(make: Make, clock: FrozenClock) -> None:
    """T5: the kind that comes back is the one that was written, for names that look like others."""
    store = make()
    for kind in ("access", "refresh", "at+jwt", "ac.access+jwt", "access+jwt", "a/b", "a%2Fb", "A", "a", "ä", " "):
        found = run(store.retrieve(run(store.persist(replace(state(clock), kind=kind)))))
        assert found is not None
        assert found.kind == kind


def test_without_pyjwt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """S55: PyJWT is an extra; who asks for tokens without it is told its name, whatever the kind of key."""
    from authcore.backends.credentials.jwt import JwtCredentialStore

    monkeypatch.setitem(sys.modules, "jwt", None)

    for given_keys in ({"secret": SECRET}, {"keys": KeyRing([SECRET])}):
        with pytest.raises(InvalidConfig, match=r"authcore\[jwt\]"):
            JwtCredentialStore(**given_keys)  # type: ignore[arg-type]
