"""Credentials in the memory of one process: for tests, and for applications that run as one process (S54)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from authcore.backends import fork
from authcore.backends.credentials import states
from authcore.backends.system import SystemClock, SystemRandom
from authcore.ports import Clock, Randomness
from authcore.stores import CredentialExists, CredentialState, Listed
from authcore.values import Value

_SWEEP_FROM = 1000  # credentials; from there on a sweep follows each doubling


class _Held(Value, frozen=True):
    """A credential. Its state is text, so that nobody changes it by changing what he gave or got."""

    user_id: str
    family: str | None
    expires_at: datetime
    state: bytes


_decode: Callable[[bytes], CredentialState] = msgspec.json.Decoder(CredentialState).decode


class MemoryCredentialStore:
    """A CredentialStore of one process, for many threads; it ends with the process.

    Tokens are known by their digest (rule T1). What has expired goes by itself, or with `clean_expired`.
    """

    stateless: ClassVar[bool] = False
    blocks: ClassVar[bool] = False

    def __init__(self, *, clock: Clock | None = None, random: Randomness | None = None) -> None:
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._held: dict[bytes, _Held] = {}
        self._of_user: dict[str, set[bytes]] = {}
        self._sweep_at = _SWEEP_FROM
        self._mutex = fork.Mutex()

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Keep a credential and answer its token; raise InvalidToken for an expired state, CredentialExists."""
        now = self._clock.now()
        held = _hold(states.kept(state, now, ttl))
        token = states.make(self._random, seed)
        digest = states.known(token)
        with self._mutex:
            self._sweep_if_full(now)
            if self._alive(digest, now):
                raise CredentialExists.of(token)
            self._put(digest, held)
        return token

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for."""
        digest = states.digest(token)
        with self._mutex:
            held = None if digest is None else self._alive(digest, self._clock.now())
        return None if held is None else _decode(held.state)

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and end it: of many callers one gets it (rule T2)."""
        digest = states.digest(token)
        if digest is None:
            return None
        with self._mutex:
            held = self._alive(digest, self._clock.now())
            if held is not None:
                self._drop(digest)
        return None if held is None else _decode(held.state)

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Replace the state of a live token; answer the same token."""
        now, digest = self._clock.now(), states.digest(token)
        held = _hold(states.kept(state, now))
        with self._mutex:
            if digest is None or self._alive(digest, now) is None:
                return None
            self._drop(digest)
            self._put(digest, held)
        return token

    async def revoke(self, token: str) -> bool:
        """End a live token; tell whether it was live."""
        return await self.consume(token) is not None

    async def revoke_family(self, user_id: str, family: str) -> int:
        """End every live credential of a family; answer how many."""
        with self._mutex:
            mine = self._of_user.get(user_id, ())
            return self._end([digest for digest in mine if self._held[digest].family == family])

    async def revoke_all_for_user(self, user_id: str) -> int:
        """End every live credential of a user; answer how many were live."""
        with self._mutex:
            return self._end(list(self._of_user.get(user_id, ())))

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer the live credentials of a user, the latest first."""
        now = self._clock.now()
        with self._mutex:
            alive = [(each, self._alive(each, now)) for each in self._of_user.get(user_id, ())]
        listed = [Listed(digest.hex(), _decode(held.state)) for digest, held in alive if held is not None]
        return sorted(listed, key=lambda each: (each.state.issued_at, each.credential_id), reverse=True)

    def credential_id(self, token: str) -> str | None:
        """Answer the SHA-256 of a well-formed token, in hex."""
        return states.credential_id(token)

    async def clean_expired(self) -> int:
        """Forget what has expired; answer how many."""
        with self._mutex:
            return self._sweep(self._clock.now())

    def _alive(self, digest: bytes, now: datetime) -> _Held | None:
        held = self._held.get(digest)
        return held if held is not None and held.expires_at > now else None

    def _put(self, digest: bytes, held: _Held) -> None:
        self._drop(digest)
        self._held[digest] = held
        self._of_user.setdefault(held.user_id, set()).add(digest)

    def _drop(self, digest: bytes) -> None:
        held = self._held.pop(digest, None)
        if held is None:
            return
        mine = self._of_user[held.user_id]
        mine.discard(digest)
        if not mine:
            del self._of_user[held.user_id]

    def _end(self, digests: Iterable[bytes]) -> int:
        now, ended = self._clock.now(), 0
        for digest in digests:
            ended += self._alive(digest, now) is not None
            self._drop(digest)
        return ended

    def _sweep(self, now: datetime) -> int:
        over = [digest for digest, held in self._held.items() if held.expires_at <= now]
        for digest in over:
            self._drop(digest)
        return len(over)

    def _sweep_if_full(self, now: datetime) -> None:
        if len(self._held) >= self._sweep_at:
            self._sweep(now)
            self._sweep_at = max(_SWEEP_FROM, 2 * len(self._held))


def _hold(state: CredentialState) -> _Held:
    return _Held(state.user_id, state.parent_credential_id, state.expires_at, msgspec.json.encode(state))
