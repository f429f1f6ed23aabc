"""Tokens that were verified before: what a guard asks at each request costs a digest, not a signature.

A cache is no store: whether a token is revoked is asked at every hit, by its `jti` (rule T3).
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec

from authcore.ports import Clock
from authcore.services.claims import check, check_times
from authcore.services.jwt_ring import JwtKeys, KeySource, UnknownKey
from authcore.stores import InvalidToken

T = TypeVar("T")
MAX_VERIFIED = 10_000  # tokens


class VerifiedTokens(Generic[T]):
    """At most `size` values by the SHA-256 of the exact text of a token; what was not asked for longest goes first.

    Many threads may use it at once: no call waits for another.
    """

    def __init__(self, size: int = MAX_VERIFIED) -> None:
        self._half = max(1, size // 2)
        # Two generations: dropping one is a single assignment, and no thread ever walks a dict that others fill.
        self._young: dict[bytes, tuple[datetime, T]] = {}
        self._old: dict[bytes, tuple[datetime, T]] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, token: str, now: datetime) -> T | None:
        """Answer the value of a token whose end is after `now`, or None."""
        # A lone surrogate is in no token, and must not stop a guard.
        digest = sha256(token.encode("utf-8", "replace")).digest()
        found = self._young.get(digest)
        if found is None:
            found = self._old.get(digest)
            if found is None:
                return None
            self._keep(digest, found)
        return found[1] if found[0] > now else None

    def put(self, token: str, value: T, until: datetime) -> None:
        """Keep the value of a verified token until its end."""
        self._keep(sha256(token.encode("utf-8", "replace")).digest(), (until, value))

    def _keep(self, digest: bytes, entry: tuple[datetime, T]) -> None:
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[digest] = entry


class JwtReader:
    """Read tokens of one `typ` for one issuer and audience, each signature once.

    `leeway` is in seconds. Every answer is a dict of the caller's own. Revocation is for the caller to ask, at each
    answer, by its `jti`.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        typ: str,
        issuer: str,
        audience: str,
        clock: Clock,
        leeway: float = 0,
        size: int = MAX_VERIFIED,
    ) -> None:
        self._keys = keys
        self._typ = typ
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._leeway = leeway
        self._size = size
        self._verified: tuple[JwtKeys | None, VerifiedTokens[bytes]] = (None, VerifiedTokens(size))

    def over(self, keys: KeySource) -> JwtReader:
        """Answer a reader like this one over another source of its keys."""
        other = copy(self)
        other._keys = keys
        return other

    def known(self, token: str, now: datetime) -> dict[str, Any] | None:
        """Answer the claims of a token that was verified before and has not expired, or None: then `read` it."""
        ring, verified = self._verified
        # Of another ring nothing is known: the key that had signed may be the one that was taken away.
        if ring is None or ring is not self._keys.known(now):
            return None
        payload = verified.get(token, now)
        # Decoded anew: what one caller does to its claims, no other one sees.
        return None if payload is None else _decode(payload)

    async def read(self, token: str) -> dict[str, Any]:
        """Answer the claims; raise TokenExpired, InvalidToken, or Unavailable."""
        now = self._clock.now()
        found = self.known(token, now)
        if found is not None:
            return found
        try:
            return self._first(await self._keys.ring(), token, now)
        except UnknownKey:
            ring = await self._keys.renewed()
        if ring is None:
            raise InvalidToken()
        return self._first(ring, token, now)

    def _first(self, ring: JwtKeys, token: str, now: datetime) -> dict[str, Any]:
        opened = ring.open(token)
        if opened.typ != self._typ:
            raise InvalidToken()
        claims = opened.claims()
        check(claims, issuer=self._issuer, audience=self._audience)
        check_times(claims, now, self._leeway)
        until = datetime.fromtimestamp(claims["exp"] + self._leeway, UTC)
        self._of(ring).put(token, msgspec.json.encode(claims), until)
        return claims

    def _of(self, ring: JwtKeys) -> VerifiedTokens[bytes]:
        if self._verified[0] is not ring:
            self._verified = ring, VerifiedTokens(self._size)
        return self._verified[1]


_decode = msgspec.json.Decoder(dict[str, Any]).decode
