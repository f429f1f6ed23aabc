"""Opaque credentials and a denylist in Redis, or Redis Cluster, over the application's own client (S59, S60, S61).

All keys of a user share a hash tag, so one slot of a cluster serves them, and a script over them is one step:

    authcore:cred:{Ab3}:t:<digest>   a credential: when it ends, its family, whether a seed made it, its state as JSON
    authcore:cred:{Ab3}:u:<digest>   a user's set, by time: live credentials, ended families, families in rotation

A token begins with its user's tag, 18 bits of a digest, so it leads to its slot; 238 bits of it are random. Keys hold
digests and values hold states: who reads all of Redis finds no token (rule T1). No script touches a key that it does
not declare, so a slot that moves to another node leaves no credential behind that a revocation should have ended.

What is live is decided by the injected clock, and Redis' own times to live clear away. Where the two disagree, a
credential goes by whichever is ahead, and never comes back.
"""

from __future__ import annotations

import hashlib
import inspect
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from authcore.backends.credentials import states
from authcore.backends.credentials.redis_scripts import ADD, END, END_MANY, MEMBERS, PERSIST, REPLACE, VALUES
from authcore.backends.failures import raise_translated_redis
from authcore.backends.system import SystemClock, SystemRandom
from authcore.errors import Unavailable
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.stores import (
    CredentialExists,
    CredentialState,
    InvalidConfig,
    Listed,
    RedisClient,
    TokenRevoked,
)

IN_FLIGHT = timedelta(minutes=5)
"""How far the clocks of nodes may lie apart, and how long a rotation may take: ends are remembered for so long."""

_SECRET = 43  # characters of base64url, 6 bits each, at the end of a token
_TAG = 3  # of them
_AT_ONCE = 1000  # keys of one script: Redis serves nobody else meanwhile
_ROUNDS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_NO_FAMILY = "-"
_decode: Callable[[str], CredentialState] = msgspec.json.Decoder(CredentialState).decode


class _Redis:
    """What the stores share: the application's client, whose every call answers a value or an awaitable of it."""

    def __init__(self, client: RedisClient, prefix: str, clock: Clock | None) -> None:
        demands.offering(
            "client", client, ("get", "eval"), "give a Redis client, such as redis.Redis.from_url('redis://…')"
        )
        demands.text("prefix", prefix)
        if "{" in prefix or "}" in prefix:
            raise InvalidConfig("A prefix of keys in Redis has no braces: they are read as a hash tag.")
        if getattr(client, "read_from_replicas", False) or getattr(client, "load_balancing_strategy", None):
            raise InvalidConfig("Give a Redis client that reads from primaries: a replica shows ended credentials.")
        self._client = client
        self._prefix = prefix
        self._clock = clock or SystemClock()
        self._blocks = _blocks(client)

    @property
    def blocks(self) -> bool:
        """Tell whether the client waits in the calling thread."""
        return self._blocks

    @property
    def awaits(self) -> bool:
        """Tell whether calls are awaited on an event loop."""
        return not self._blocks

    async def _get(self, key: str) -> str | None:
        found = await _value(self._client.get, key)
        return None if found is None else _text(found)

    async def _run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        return await _value(self._client.eval, script, len(keys), *keys, *arguments)


class RedisCredentialStore(_Redis):
    """A CredentialStore in Redis, 6.2 or newer, single or as a cluster.

    `client` is the application's own: `redis.Redis`, `redis.asyncio.Redis`, or the `RedisCluster` of either. Make it
    with `retry=Retry(NoBackoff(), 0)`, and `cluster_error_retry_attempts=0` where the client knows that: redis-py
    sends a command up to ten times, and of a `consume` whose reply was lost the second run finds nothing. Without a
    retry the caller sees Unavailable, and no run of any script brings back what has ended. Await `initialize()` of an
    asyncio RedisCluster at start-up: of callers who are its first at the same moment, redis-py fails some.

    Redis must not evict (`maxmemory-policy noeviction`): a user's set that goes before its credentials hides them from
    `revoke_all_for_user`. Its replication is asynchronous, so a failover may lose the revocations of the last moment.
    """

    stateless: ClassVar[bool] = False

    def __init__(
        self,
        client: RedisClient,
        prefix: str = "authcore:cred",
        clock: Clock | None = None,
        *,
        random: Randomness | None = None,
    ) -> None:
        super().__init__(client, prefix, clock)
        self._random = random or SystemRandom()

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Make a credential and answer its token.

        Raises InvalidToken for a state that has expired, CredentialExists for a seed that is taken, and TokenRevoked
        for a family that was revoked within the last IN_FLIGHT: a rotation that began before it makes no successor.
        A seed stays taken for twice IN_FLIGHT after its credential was ended, so that no late caller makes it anew.
        """
        now = self._clock.now()
        state = states.kept(state, now, ttl)
        token = _led(states.make(self._random, seed), state.user_id)
        said = await self._run(
            PERSIST, self._keys(token, state), *self._times(now), *_lines(token, state, now), int(seed is not None)
        )
        _refuse(_text(said), token)
        return token

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for, by one GET."""
        digest = self.credential_id(token)
        if digest is None:
            return None
        return _live(await self._get(self._key(token, digest)), self._clock.now())

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and end it: of many callers one gets it (rule T2)."""
        state = await self.retrieve(token)
        if state is None:
            return None
        now = self._clock.now()
        found = await self._run(END, self._keys(token, state), *self._times(now), _hex(token))
        return None if found is None else _live(_text(found), now)

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Replace the state of a live token; the token stays, unless the state is of another user.

        Raises InvalidToken for a state that has expired, and TokenRevoked for a family that was revoked.
        """
        now = self._clock.now()
        state = states.kept(state, now)
        before = await self.retrieve(token)
        if before is None:
            return None
        if before.user_id != state.user_id:  # its keys lie in another slot, so no one script moves it
            return await self.persist(state) if await self.consume(token) else None
        keys, lines = self._keys(token, state), _lines(token, state, now)
        said = _text(await self._run(REPLACE, keys, *self._times(now), *lines))
        if said == "gone":
            return None
        _refuse(said, token)
        return token

    async def revoke(self, token: str) -> bool:
        """End a live token; tell whether it was live."""
        return await self.consume(token) is not None

    async def revoke_family(self, user_id: str, family: str) -> int:
        """End every live credential of a family, and what a rotation of it makes within IN_FLIGHT; answer how many."""
        return await self._end_many(user_id, _family(family))

    async def revoke_all_for_user(self, user_id: str) -> int:
        """End every live credential of a user, and what a rotation makes of them; answer how many were live."""
        return await self._end_many(user_id, "")

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer the live credentials of a user, the latest first."""
        tag, now = _tag(user_id), self._clock.now()
        members = [_text(member) for member in await self._run(MEMBERS, [self._set(user_id)], *self._times(now)[:2])]
        digests = [_digest(member) for member in members if member.startswith("t")]
        listed = [
            Listed(digest, state)
            for start in range(0, len(digests), _AT_ONCE)
            for digest, state in await self._states(tag, digests[start : start + _AT_ONCE], now)
        ]
        return sorted(listed, key=lambda each: (each.state.issued_at, each.credential_id), reverse=True)

    def credential_id(self, token: str) -> str | None:
        """Answer the SHA-256 of a well-formed token, in hex."""
        return states.credential_id(token)

    async def clean_expired(self) -> int:
        """Answer 0: Redis removes what has expired."""
        return 0

    async def _end_many(self, user_id: str, family: str) -> int:
        # What a script finds it names, and the next one declares: the first ends the families, so that they end.
        tag, key, members, ended = _tag(user_id), self._set(user_id), list[str](), 0
        for _ in range(_ROUNDS):
            keys = [key, *(self._name(tag, _digest(member)) for member in members)]
            number, *found = await self._run(END_MANY, keys, *self._times(self._clock.now()), family, *members)
            ended += int(number)
            members = [_text(member) for member in found]
            if not members:
                return ended
        raise Unavailable

    async def _states(self, tag: str, digests: Sequence[str], now: datetime) -> list[tuple[str, CredentialState]]:
        values = await self._run(VALUES, [self._name(tag, digest) for digest in digests])
        states = (_live(None if value is None else _text(value), now) for value in values)
        return [(digest, state) for digest, state in zip(digests, states, strict=True) if state is not None]

    def _times(self, now: datetime) -> tuple[int, int, int, int]:
        """Answer the time, what is over by every clock, until when ends are remembered, and for how long."""
        return _since(now), _since(now - IN_FLIGHT), _since(now + IN_FLIGHT), 2 * (IN_FLIGHT // _MILLISECOND)

    def _keys(self, token: str, state: CredentialState) -> list[str]:
        return [self._key(token, _hex(token)), self._set(state.user_id)]

    def _key(self, token: str, digest: str) -> str:
        start = len(token) - _SECRET
        return self._name(token[start : start + _TAG], digest)

    def _name(self, tag: str, digest: str) -> str:
        return f"{self._prefix}:{{{tag}}}:t:{digest}"

    def _set(self, user_id: str) -> str:
        return f"{self._prefix}:{{{_tag(user_id)}}}:u:{_hash('user', user_id).hex()}"


class RedisDenylist(_Redis):
    """A Denylist in Redis: one key for each id, which lapses by itself (S60).

    `client` is as for RedisCredentialStore; a client that sends an `add` again may be told False by its own first try.
    """

    def __init__(self, client: RedisClient, prefix: str = "authcore:dl", clock: Clock | None = None) -> None:
        super().__init__(client, prefix, clock)

    async def add(self, id_: str, expires_at: datetime) -> bool:
        """Deny an id until a time; of many callers the first is told True. A later time than the present one counts.

        An id whose time is over needs no entry: the answer is False.
        """
        now = self._clock.now()
        if expires_at <= now:
            return False
        # Kept longer than the time says, since a node whose clock is behind still takes the credential for live.
        kept = -(-(expires_at - now + IN_FLIGHT) // _MILLISECOND)
        return bool(await self._run(ADD, [self._name(id_)], _since(now), _since(expires_at), kept))

    async def has(self, id_: str) -> bool:
        """Tell whether an id is denied."""
        until = await self._get(self._name(id_))
        return until is not None and int(until) > _since(self._clock.now())

    async def cleanup(self) -> int:
        """Answer 0: Redis removes what has lapsed."""
        return 0

    def _name(self, id_: str) -> str:
        return f"{self._prefix}:{id_}"


async def _value(call: Callable[..., Any], /, *arguments: Any) -> Any:
    try:
        answer = call(*arguments)
        return await answer if inspect.isawaitable(answer) else answer
    except Exception as error:
        raise_translated_redis(error)


def _blocks(client: RedisClient) -> bool:
    modules = {part for kind in type(client).__mro__ for part in kind.__module__.split(".")}
    calls = (getattr(client, name, None) for name in ("get", "eval", "execute_command"))
    return "asyncio" not in modules and not any(inspect.iscoroutinefunction(call) for call in calls)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _live(value: str | None, now: datetime) -> CredentialState | None:
    """Answer the state inside a value, unless it is over; the mark of a spent seed holds none."""
    if not value:
        return None
    state = _decode(value.split(":", 3)[3])
    return state if state.expires_at > now else None


def _lines(token: str, state: CredentialState, now: datetime) -> tuple[str, int, int, str, str]:
    """Answer what a script writes of a state: its digest, its end, its milliseconds to live, its family, its JSON."""
    family = _NO_FAMILY if state.parent_credential_id is None else _family(state.parent_credential_id)
    milliseconds = -(-(state.expires_at - now) // _MILLISECOND)
    body = msgspec.json.encode(state).decode()
    return _hex(token), _since(state.expires_at), milliseconds, family, body


def _refuse(said: str, token: str) -> None:
    if said == "taken":
        raise CredentialExists.of(token)
    if said == "revoked":
        raise TokenRevoked


def _led(token: str, user_id: str) -> str:
    """Answer a token whose secret part begins with its user's tag."""
    start = len(token) - _SECRET
    return token[:start] + _tag(user_id) + token[start + _TAG :]


def _hex(token: str) -> str:
    return states.known(token).hex()


def _tag(user_id: str) -> str:
    return urlsafe_b64encode(_hash("tag", user_id)).decode()[:_TAG]


def _family(family: str) -> str:
    return _hash("family", family).hex()


def _hash(purpose: str, text: str) -> bytes:
    return hashlib.sha256(f"authcore/redis/{purpose}/1\0{text}".encode()).digest()


def _digest(member: str) -> str:
    return member[1:].partition(":")[0]


def _since(when: datetime) -> int:
    return (when - _EPOCH) // _MICROSECOND
