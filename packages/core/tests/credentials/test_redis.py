"""Credentials and a denylist in Redis: over each client, single and as a cluster (S59, S60, S61)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("redis", reason="the Redis driver is an extra")

from redis_servers import Place, Server, redis_denylist

from authcore.credentials import (
    CredentialExists,
    CredentialMetadata,
    CredentialState,
    InvalidConfig,
    InvalidToken,
    RedisCredentialStore,
    RedisDenylist,
    TokenRevoked,
)
from authcore.drive import run_blocking
from authcore.testing.ports import FrozenClock
from authcore_conformance.ports import DenylistContract

HOUR = timedelta(hours=1)
SEED = bytes(range(32))


def a_state(clock: FrozenClock, user: str = "ada", lives: timedelta = HOUR, **more: Any) -> CredentialState:
    """Answer a state that lives for an hour."""
    return CredentialState(user_id=user, issued_at=clock.now(), expires_at=clock.now() + lives, **more)


def test_a_state_comes_back_whole(redis_place: Place, clock: FrozenClock) -> None:
    """What a token stands for comes back as it went in: text in any script, claims, metadata and times."""
    store = redis_place.credentials(clock)
    metadata = CredentialMetadata(ip="2001:db8::1", user_agent="Ünicode: “x”", label="\u7535\u8111", extra={"a": [1]})
    state = a_state(
        clock,
        "us:er{1} \u2603",
        kind="magic.recovery",
        claims={"n": 2**53, "deep": {"x": None}},
        metadata=metadata,
        parent_credential_id="family:1",
        rotated_at=clock.now(),
    )

    token = redis_place.run(store.persist(state))

    assert redis_place.run(store.retrieve(token)) == state
    assert [each.state for each in redis_place.run(store.list_for_user(state.user_id))] == [state]


def test_consume_answers_once(redis_place: Place, clock: FrozenClock) -> None:
    """A consumed token is over, for whoever asks and in every list (T2)."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock)))

    first, second = redis_place.run(store.consume(token)), redis_place.run(store.consume(token))

    assert (first, second) == (a_state(clock), None)
    assert redis_place.run(store.retrieve(token)) is None
    assert redis_place.run(store.revoke(token)) is False
    assert redis_place.run(store.list_for_user("ada")) == []


def test_revoking_all_counts_those_that_lived(redis_place: Place, clock: FrozenClock) -> None:
    """Of three live, one consumed, one expired and one of somebody else, the three are ended and counted."""
    store = redis_place.credentials(clock)
    over = redis_place.run(store.persist(a_state(clock, lives=timedelta(seconds=5))))
    clock.advance(5)
    live = [redis_place.run(store.persist(a_state(clock, parent_credential_id=f))) for f in ("f", "f", None)]
    consumed, others = (redis_place.run(store.persist(a_state(clock, user))) for user in ("ada", "bob"))
    redis_place.run(store.consume(consumed))

    assert redis_place.run(store.revoke_all_for_user("ada")) == 3
    assert redis_place.run(store.revoke_all_for_user("ada")) == 0
    assert [redis_place.run(store.retrieve(each)) for each in (over, *live, consumed)] == [None] * 5
    assert redis_place.run(store.retrieve(others)) == a_state(clock, "bob")


def test_a_family_ends_together(redis_place: Place, clock: FrozenClock) -> None:
    """A family is revoked and counted, and nothing else of the user is."""
    store = redis_place.credentials(clock)
    family = [redis_place.run(store.persist(a_state(clock, parent_credential_id="one"))) for _ in range(3)]
    rest = [redis_place.run(store.persist(a_state(clock, parent_credential_id=f))) for f in ("two", None)]

    assert redis_place.run(store.revoke_family("ada", "one")) == 3
    assert [redis_place.run(store.retrieve(each)) for each in family] == [None] * 3
    assert None not in [redis_place.run(store.retrieve(each)) for each in rest]
    assert redis_place.run(store.revoke_family("bob", "two")) == 0


@pytest.mark.parametrize("end", ["family", "all"])
def test_a_rotation_that_lost_to_a_revocation_makes_no_successor(
    redis_place: Place, clock: FrozenClock, end: str
) -> None:
    """A rotation consumes, the family or all is revoked, and the successor that comes late is refused (T9)."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock, parent_credential_id="f")))
    redis_place.run(store.consume(token))
    revoke = store.revoke_family("ada", "f") if end == "family" else store.revoke_all_for_user("ada")

    assert redis_place.run(revoke) == 0

    for seed in (None, SEED):
        with pytest.raises(TokenRevoked):
            redis_place.run(store.persist(a_state(clock, parent_credential_id="f"), seed=seed))
    assert redis_place.run(store.list_for_user("ada")) == []
    redis_place.run(store.persist(a_state(clock, parent_credential_id="g")))
    redis_place.run(store.persist(a_state(clock, "bob", parent_credential_id="f")))


def test_a_revoked_family_is_remembered_for_a_bounded_time(redis_place: Place, clock: FrozenClock) -> None:
    """After five minutes no rotation can be on its way, and the end of the family is forgotten."""
    store = redis_place.credentials(clock)
    redis_place.run(store.revoke_family("ada", "f"))
    clock.advance(299)
    with pytest.raises(TokenRevoked):
        redis_place.run(store.persist(a_state(clock, parent_credential_id="f")))

    clock.advance(2)

    assert redis_place.run(store.persist(a_state(clock, parent_credential_id="f")))


def test_a_seed_is_taken_once(redis_place: Place, clock: FrozenClock) -> None:
    """The same seed and user spell one token; the second caller is told, also once the first one's is consumed."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock), seed=SEED))

    with pytest.raises(CredentialExists):
        redis_place.run(store.persist(a_state(clock, kind="refresh"), seed=SEED))

    assert redis_place.run(store.retrieve(token)) == a_state(clock)
    assert redis_place.run(store.persist(a_state(clock, "bob"), seed=SEED)) != token
    redis_place.run(store.consume(token))
    with pytest.raises(CredentialExists):
        redis_place.run(store.persist(a_state(clock), seed=SEED))
    assert redis_place.run(store.retrieve(token)) is None


def test_a_seed_is_free_when_its_credential_has_expired(redis_place: Place, clock: FrozenClock) -> None:
    """What has expired holds no place: its seed makes the same token once more."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock), seed=SEED))
    clock.advance(3_600)

    assert redis_place.run(store.persist(a_state(clock), seed=SEED)) == token
    assert redis_place.run(store.retrieve(token)) == a_state(clock)
    assert len(redis_place.run(store.list_for_user("ada"))) == 1


def test_a_seed_whose_credential_was_revoked_stays_taken(redis_place: Place, clock: FrozenClock) -> None:
    """Revoking all ends a seeded credential for good: a late caller with the seed does not make it anew."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock), seed=SEED))
    redis_place.run(store.revoke_all_for_user("ada"))

    with pytest.raises(CredentialExists):
        redis_place.run(store.persist(a_state(clock), seed=SEED))

    assert redis_place.run(store.retrieve(token)) is None


def test_a_seed_spells_the_same_token_on_every_node(redis_place: Place, clock: FrozenClock) -> None:
    """Two stores with prefixes of their own answer the same token for a seed and a user, and know it as their own."""
    here, there = redis_place.credentials(clock), Place(redis_place.side, redis_place.prefix + ":x").credentials(clock)

    tokens = [redis_place.run(store.persist(a_state(clock), seed=SEED)) for store in (here, there)]

    assert tokens[0] == tokens[1]
    assert here.credential_id(tokens[0]) == redis_place.run(here.list_for_user("ada"))[0].credential_id


@pytest.mark.parametrize("lives", [timedelta(0), timedelta(days=-1)])
def test_a_dead_state_is_refused_loudly(redis_place: Place, clock: FrozenClock, lives: timedelta) -> None:
    """Persisting or updating to a state that has expired raises and changes nothing (S59)."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock)))

    for refused in (
        store.persist(a_state(clock, lives=lives)),
        store.persist(a_state(clock), ttl=lives),
        store.update(token, a_state(clock, lives=lives)),
    ):
        with pytest.raises(InvalidToken):
            redis_place.run(refused)

    assert redis_place.run(store.retrieve(token)) == a_state(clock)
    assert len(redis_place.run(store.list_for_user("ada"))) == 1


def test_a_ttl_counts_before_the_states_own_end(redis_place: Place, clock: FrozenClock) -> None:
    """With `ttl` the credential lives for it from the moment it is made."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock), ttl=timedelta(seconds=10)))

    clock.advance(9.9)
    before = redis_place.run(store.retrieve(token))
    clock.advance(0.1)

    assert before is not None
    assert redis_place.run(store.retrieve(token)) is None
    assert redis_place.run(store.consume(token)) is None
    assert redis_place.run(store.update(token, a_state(clock))) is None
    assert redis_place.run(store.list_for_user("ada")) == []
    assert redis_place.run(store.revoke_all_for_user("ada")) == 0


@pytest.mark.parametrize("lives", [timedelta(seconds=10), timedelta(hours=2)])
def test_an_update_changes_state_and_lifetime(redis_place: Place, clock: FrozenClock, lives: timedelta) -> None:
    """An updated credential lives as long as its state says, shorter or longer than before, under the same token."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock), seed=SEED))
    state = a_state(clock, lives=lives, claims={"seen": 1}, parent_credential_id="f")

    answered = redis_place.run(store.update(token, state))

    assert answered == token
    assert redis_place.run(store.retrieve(token)) == state
    clock.advance(lives.total_seconds() - 1)
    assert len(redis_place.run(store.list_for_user("ada"))) == 1
    clock.advance(1)
    assert redis_place.run(store.retrieve(token)) is None
    assert redis_place.run(store.list_for_user("ada")) == []


def test_an_update_moves_between_families(redis_place: Place, clock: FrozenClock) -> None:
    """A credential that an update brought into a family ends with that one, and into a revoked family none comes."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock, parent_credential_id="one")))
    redis_place.run(store.update(token, a_state(clock, parent_credential_id="two")))
    redis_place.run(store.revoke_family("ada", "three"))

    with pytest.raises(TokenRevoked):
        redis_place.run(store.update(token, a_state(clock, parent_credential_id="three")))

    assert redis_place.run(store.revoke_family("ada", "one")) == 0
    assert redis_place.run(store.revoke_family("ada", "two")) == 1
    assert redis_place.run(store.update(token, a_state(clock))) is None


def test_an_update_to_another_user_answers_another_token(redis_place: Place, clock: FrozenClock) -> None:
    """The credential of a guest that becomes somebody's has another token, and the earlier one is over."""
    store = redis_place.credentials(clock)
    token = redis_place.run(store.persist(a_state(clock, "guest")))

    answered = redis_place.run(store.update(token, a_state(clock, "ada")))

    assert answered != token
    assert redis_place.run(store.retrieve(answered)) == a_state(clock, "ada")
    assert redis_place.run(store.retrieve(token)) is None
    assert redis_place.run(store.list_for_user("guest")) == []


def test_the_list_is_the_latest_first(redis_place: Place, clock: FrozenClock) -> None:
    """A list has the live credentials by the time of their making, each under the id of its token, and no token."""
    store, tokens = redis_place.credentials(clock), []
    for _ in range(3):
        tokens.append(redis_place.run(store.persist(a_state(clock))))
        clock.advance(1)

    listed = redis_place.run(store.list_for_user("ada"))

    assert [each.credential_id for each in listed] == [store.credential_id(token) for token in reversed(tokens)]
    assert not any(token in repr(listed) for token in tokens)


def test_many_credentials_of_one_user(redis_place: Place, clock: FrozenClock) -> None:
    """More than one script takes at once are listed and ended all the same."""
    store = redis_place.credentials(clock)
    for _ in range(2_050):
        redis_place.run(store.persist(a_state(clock, parent_credential_id="f")))

    assert len(redis_place.run(store.list_for_user("ada"))) == 2_050
    assert redis_place.run(store.revoke_all_for_user("ada")) == 2_050
    assert redis_place.run(store.list_for_user("ada")) == []


def test_what_is_no_token_is_answered_without_asking(own_redis: Server, clock: FrozenClock) -> None:
    """Texts that no store made, other spellings and other kinds are None and False, and nothing is sent (T3, T5)."""
    with own_redis.client() as client:
        store = RedisCredentialStore(client, clock=clock)
        token = run_blocking(store.persist(a_state(clock)))
        own_redis.kill()

        last = chr(ord(token[-1]) + 1)
        for text in ("", "x", token[:-1], token + "=", token[:-1] + last, token.replace("_cr_", "_rt_"), token + "\n"):
            assert run_blocking(store.retrieve(text)) is None
            assert run_blocking(store.consume(text)) is None
            assert run_blocking(store.update(text, a_state(clock))) is None
            assert run_blocking(store.revoke(text)) is False
            assert store.credential_id(text) is None


def test_no_token_stands_in_redis(own_redis: Server, clock: FrozenClock) -> None:
    """Neither a key nor a value holds a token or its secret part, in any state of a credential's life (T1, O3)."""
    with own_redis.client() as client:
        store = RedisCredentialStore(client, clock=clock)
        tokens = [run_blocking(store.persist(a_state(clock, parent_credential_id="f"))) for _ in range(3)]
        tokens += [run_blocking(store.persist(a_state(clock, parent_credential_id="g"), seed=SEED))]
        run_blocking(store.update(tokens[0], a_state(clock)))
        run_blocking(store.consume(tokens[1]))
        run_blocking(store.revoke_family("ada", "g"))

        everything = "".join(_dump(client))

    assert "authcore:cred" in everything
    for token in tokens:
        assert token[7:] not in everything
        assert token[10:] not in everything


def _dump(client: Any) -> list[str]:
    found = []
    for key in client.keys("*"):
        is_set = client.type(key) == b"zset"
        found.append(f"{key!r} {client.zrange(key, 0, -1, withscores=True) if is_set else client.get(key)!r}")
    return found


def test_expired_members_leave_a_users_set(own_redis: Server, clock: FrozenClock) -> None:
    """What expired long ago is removed from the user's set by whatever comes next, so no set grows for ever."""
    with own_redis.client() as client:
        store = RedisCredentialStore(client, clock=clock)
        for _ in range(50):
            run_blocking(store.consume(run_blocking(store.persist(a_state(clock, parent_credential_id="f")))))
            run_blocking(store.persist(a_state(clock)))
        (key,) = client.keys("*:u:*")
        grown = client.zcard(key)
        clock.advance(3_600 + 301)

        run_blocking(store.persist(a_state(clock)))

        assert (grown, client.zcard(key)) == (51, 1)


def test_redis_removes_everything_in_the_end(own_redis: Server, clock: FrozenClock) -> None:
    """Every key has a time to live: a credential its own, a user's set and the mark of a seed minutes more."""
    with own_redis.client() as client:
        store, denied = RedisCredentialStore(client, clock=clock), RedisDenylist(client, clock=clock)
        token = run_blocking(store.persist(a_state(clock)))
        run_blocking(store.consume(run_blocking(store.persist(a_state(clock, parent_credential_id="f"), seed=SEED))))
        run_blocking(store.revoke_family("bob", "g"))
        run_blocking(denied.add("id", clock.now() + HOUR))

        lives = {key.decode(): client.pttl(key) / 1000 for key in client.keys("*")}

        assert len(lives) == 5
        assert all(0 < life <= 3_600 + 600 for life in lives.values()), lives
        (own,) = (life for key, life in lives.items() if key.endswith(str(store.credential_id(token))))
        assert 3_590 < own <= 3_600


@pytest.mark.parametrize("ahead", ["clock", "redis"])
def test_clocks_that_disagree_bring_nothing_back(redis_place: Place, clock: FrozenClock, ahead: str) -> None:
    """Whichever of the injected clock and Redis is ahead, what one of them ended is dead, uncounted and unlisted."""
    store = redis_place.credentials(clock)
    lives = timedelta(milliseconds=30) if ahead == "redis" else HOUR
    token = redis_place.run(store.persist(a_state(clock, lives=lives)))
    if ahead == "redis":
        time.sleep(0.1)
    else:
        clock.advance(3_600)

    assert redis_place.run(store.retrieve(token)) is None
    assert redis_place.run(store.list_for_user("ada")) == []
    assert redis_place.run(store.update(token, a_state(clock))) is None
    assert redis_place.run(store.revoke_all_for_user("ada")) == 0
    assert redis_place.run(store.consume(token)) is None


def test_no_request_walks_through_keys(own_redis: Server, clock: FrozenClock) -> None:
    """S61: No call of a store or a denylist sends KEYS, SCAN or a command that reads a whole database."""
    with own_redis.client() as client:
        client.config_resetstat()
        _use_all(RedisCredentialStore(client, clock=clock), RedisDenylist(client, clock=clock), clock)
        sent = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}

    allowed = {"eval", "get", "set", "del", "zadd", "zrem", "zscore", "zrange", "zrangebyscore", "zremrangebyscore"}
    assert sent - {"config|resetstat", "hello", "client|setinfo"} <= allowed | {"pttl", "pexpire"}


def _use_all(store: RedisCredentialStore, denied: RedisDenylist, clock: FrozenClock) -> None:
    for family in ("f", None):
        tokens = [run_blocking(store.persist(a_state(clock, parent_credential_id=family))) for _ in range(5)]
        run_blocking(store.retrieve(tokens[0]))
        run_blocking(store.consume(tokens[1]))
        run_blocking(store.update(tokens[2], a_state(clock)))
        run_blocking(store.revoke(tokens[3]))
        run_blocking(store.list_for_user("ada"))
    run_blocking(store.revoke_family("ada", "f"))
    run_blocking(store.revoke_all_for_user("ada"))
    run_blocking(store.clean_expired())
    run_blocking(denied.add("id", clock.now() + HOUR))
    run_blocking(denied.has("id"))
    run_blocking(denied.cleanup())


def test_the_cost_is_the_users_own(own_redis: Server, clock: FrozenClock) -> None:
    """List and revoke-all run the same number of commands whether ten or a thousand others have credentials."""
    costs = []
    with own_redis.client() as client:
        store = RedisCredentialStore(client, clock=clock)
        for others in (10, 1_000):
            for number in range(others):
                run_blocking(store.persist(a_state(clock, f"other{number}")))
            for _ in range(5):
                run_blocking(store.persist(a_state(clock)))
            client.config_resetstat()
            run_blocking(store.list_for_user("ada"))
            assert run_blocking(store.revoke_all_for_user("ada")) == 5
            costs.append({name: stat["calls"] for name, stat in client.info("commandstats").items()})

    assert costs[0] == costs[1]
    assert costs[0]["cmdstat_eval"] == 4


@pytest.mark.parametrize("kind", ["single-blocking", "single-asyncio", "cluster-blocking", "cluster-asyncio"])
class TestDenylist(DenylistContract):
    """The denylist in Redis holds the contract over each client (S42, S60)."""

    @pytest.fixture(autouse=True)
    def _kind(self, request: pytest.FixtureRequest, kind: str) -> Iterator[None]:
        self.request, self.kind = request, kind
        with ExitStack() as self.made:
            yield

    def make_denylist(self, clock: FrozenClock) -> RedisDenylist:
        """Make the denylist of this turn."""
        return self.made.enter_context(redis_denylist(self.request, clock, self.kind))


def test_a_denylist_tells_the_first(redis_place: Place, clock: FrozenClock) -> None:
    """The first who denies an id is told so; the entry lapses with the time that was given (S60)."""
    denied = redis_place.denylist(clock)

    answers = [redis_place.run(denied.add("id", clock.now() + HOUR)) for _ in range(2)]

    assert answers == [True, False]
    assert [redis_place.run(denied.has(id_)) for id_ in ("id", "other")] == [True, False]
    clock.advance(3_599.999)
    assert redis_place.run(denied.has("id")) is True
    clock.advance(0.001)
    assert redis_place.run(denied.has("id")) is False
    assert redis_place.run(denied.add("id", clock.now() + HOUR)) is True
    assert redis_place.run(denied.cleanup()) == 0


def test_a_denylist_keeps_the_later_time(redis_place: Place, clock: FrozenClock) -> None:
    """An id that is denied twice is denied until the later time; what has expired needs no entry."""
    denied = redis_place.denylist(clock)
    for seconds in (60, 120, 30):
        redis_place.run(denied.add("id", clock.now() + timedelta(seconds=seconds)))

    clock.advance(119)

    assert redis_place.run(denied.has("id")) is True
    assert redis_place.run(denied.add("over", clock.now())) is False
    assert redis_place.run(denied.has("over")) is False


def test_a_node_that_is_behind_sees_a_denied_id(redis_place: Place, clock: FrozenClock) -> None:
    """An entry outlives its time in Redis by minutes, so that a node with a slow clock still finds it."""
    slow, fast = clock, FrozenClock(clock.now() + timedelta(seconds=59.9))
    until = clock.now() + timedelta(seconds=60)
    redis_place.run(redis_place.denylist(fast).add("id", until))

    time.sleep(0.2)

    assert redis_place.run(redis_place.denylist(slow).has("id")) is True


def test_a_store_tells_whether_it_blocks(
    redis_place: Place, clock: FrozenClock, request: pytest.FixtureRequest
) -> None:
    """S61: A store over a blocking client says so, one over an asyncio client says that it does not."""
    blocking = "asyncio" not in request.node.callspec.params["redis_place"]

    assert redis_place.credentials(clock).blocks is blocking
    assert redis_place.denylist(clock).blocks is blocking
    assert redis_place.credentials(clock).stateless is False


def test_what_cannot_be_is_refused_at_once(redis_url: str, redis_cluster: list[Server], clock: FrozenClock) -> None:
    """A prefix with a hash tag, a client that reads from replicas and a short seed are refused with a sentence."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        with pytest.raises(InvalidConfig, match="braces"):
            RedisCredentialStore(client, "my{app}")
        with pytest.raises(InvalidConfig, match="32 bytes"):
            run_blocking(RedisCredentialStore(client, clock=clock).persist(a_state(clock), seed=b"short"))
    with redis.RedisCluster.from_url(redis_cluster[0].url, **_reading_from_replicas()) as client:
        for make in (RedisCredentialStore, RedisDenylist):
            with pytest.raises(InvalidConfig, match="primaries"):
                make(client)


def _reading_from_replicas() -> dict[str, Any]:
    from redis import cluster

    strategy = getattr(cluster, "LoadBalancingStrategy", None)  # of redis-py 5.3
    return {"read_from_replicas": True} if strategy is None else {"load_balancing_strategy": strategy.ROUND_ROBIN}
