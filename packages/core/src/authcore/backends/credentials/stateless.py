"""What stores that hold nothing share: the token says everything, and a denylist ends it before its time."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from authcore.backends.credentials import states
from authcore.backends.system import SystemClock, SystemRandom
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.services.tokens import SIZE
from authcore.stores import (
    CredentialState,
    Denylist,
    InvalidConfig,
    Listed,
    StatelessOperationUnsupported,
)

DENIED = "jti:"
"""What stands before a `jti` in a denylist, so that it never meets an id of somebody else's (S42)."""
_JTI = 16  # bytes


class Said(NamedTuple):
    """What an authentic token says, whether it is live or not."""

    jti: str
    state: CredentialState


class StatelessCredentialStore:
    """A CredentialStore whose tokens are signed or sealed by `_spell` and read by `_open`."""

    stateless: ClassVar[bool] = True

    def __init__(self, denylist: Denylist | None, clock: Clock | None, random: Randomness | None) -> None:
        demands.denylist(denylist)
        self._denylist = denylist
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for a server in the calling thread: those of the denylist may."""
        return self._denylist is not None and self._denylist.blocks

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Make a credential and answer its token. A `seed` decides the `jti`; nobody knows that it was used before.

        Raises InvalidToken for a state that has expired, InvalidConfig for one that is no token's.
        """
        if seed is not None and len(seed) != SIZE:
            raise InvalidConfig(f"A seed has {SIZE} bytes.")
        return await self._spell(self._jti(seed), self._kept(state, ttl), seed)

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for."""
        said = await self._live(token)
        if said is None or (self._denylist is not None and await self._denylist.has(DENIED + said.jti)):
            return None
        return said.state

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and deny it: of many callers one gets it (rule T2)."""
        denylist = self._needed()
        said = await self._live(token)
        return said.state if said is not None and await _denied(denylist, said) else None

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Deny a live token and answer another one, for `state`."""
        denylist = self._needed()
        self._kept(state)
        said = await self._live(token)
        return await self.persist(state) if said is not None and await _denied(denylist, said) else None

    async def revoke(self, token: str) -> bool:
        """Deny a live token; tell whether it was live."""
        return await self.consume(token) is not None

    async def revoke_family(self, user_id: str, family: str) -> int:
        """Raise StatelessOperationUnsupported: what was made is not known."""
        raise _unsupported()

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Raise StatelessOperationUnsupported: what was made is not known."""
        raise _unsupported()

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Raise StatelessOperationUnsupported: what was made is not known."""
        raise _unsupported()

    def credential_id(self, token: str) -> str | None:
        """Answer the `jti` of an authentic token, live or not."""
        said = self._open(token)
        return None if said is None else said.jti

    async def clean_expired(self) -> int:
        """Remove what has lapsed of the denylist; answer how many."""
        return 0 if self._denylist is None else await self._denylist.cleanup()

    def verified_by(self, now: datetime) -> object | None:
        """Answer what stands behind tokens that were read before, for who keeps them in mind: another object once a
        key has come or gone, None if it is time to read again.
        """
        return None if self._denylist is not None else self

    async def _spell(self, jti: str, state: CredentialState, seed: bytes | None) -> str:
        raise NotImplementedError

    def _open(self, token: str) -> Said | None:
        raise NotImplementedError

    async def _read(self, token: str) -> Said | None:
        """Answer what an authentic token says, asking elsewhere for keys where need be."""
        return self._open(token)

    async def _live(self, token: str) -> Said | None:
        said = await self._read(token)
        return said if said is not None and said.state.expires_at > self._clock.now() else None

    def _needed(self) -> Denylist:
        if self._denylist is None:
            raise StatelessOperationUnsupported()
        return self._denylist

    def _kept(self, state: CredentialState, ttl: timedelta | None = None) -> CredentialState:
        if not state.user_id or not state.kind:
            raise InvalidConfig("A state needs a user_id and a kind.")
        return states.kept(state, self._clock.now(), ttl)

    def _jti(self, seed: bytes | None) -> str:
        if seed is None:
            raw = self._random.bytes(_JTI, "jti")
        else:
            raw = hashlib.sha256(b"authcore/jti/1\0" + seed).digest()[:_JTI]
        return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def _denied(denylist: Denylist, said: Said) -> bool:
    return await denylist.add(DENIED + said.jti, said.state.expires_at)


def _unsupported() -> StatelessOperationUnsupported:
    return StatelessOperationUnsupported("This store does not know what it made: use a store that holds credentials.")
