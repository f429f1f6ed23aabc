"""JSON Web Tokens of an application's own, under a `typ` of their own: none opens what authcore's open (S46)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from authcore.backends.system import SystemClock, SystemRandom
from authcore.calls import Asyncio, Blocking, Calls, M, call
from authcore.drive import offloaded, run_blocking
from authcore.durations import duration
from authcore.errors import ConfigurationError
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.services.jwt import JwtKey, spell
from authcore.services.jwt_ring import ISSUER, KeySource, keys_of
from authcore.services.keys import KeyRing
from authcore.services.verified import JwtReader
from authcore.stores import Denylist, InvalidConfig, InvalidToken, StatelessOperationUnsupported, TokenRevoked
from authcore.values import Value

LIVES = timedelta(minutes=15)
DENIED = "app:"
"""What stands before a `jti` in a denylist, so that it never meets that of a credential (S42)."""
_SET_HERE = ("aud", "exp", "iat", "iss", "jti")
_TYP = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}\Z")
_RESERVED = re.compile(r"(?:at\+jwt|rt\+jwt|ac\..*)\Z", re.IGNORECASE)


class _Tokens(Value, frozen=True, kw_only=True):
    """What the flows need: where keys and denials come from, and what every token says."""

    keys: KeySource
    reader: JwtReader
    denylist: Denylist | None
    issuer: str
    audience: str
    lives: timedelta
    typ: str
    leeway: float
    clock: Clock
    random: Randomness

    async def encode(self, claims: Mapping[str, Any], *, ttl: timedelta | str | None = None) -> str:
        """Answer a token of JSON claims, of which `sub` says whom or what it is about; `nbf` may be among them.

        Raises InvalidConfig for claims that are set here, a missing `sub`, or a ttl that is not positive.
        """
        demands.claims(claims)
        for name in _SET_HERE:
            if name in claims:
                raise InvalidConfig(f"The claim {name} is set by encode: leave it away.")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise InvalidConfig("The claims need a sub, a text: whom or what the token is about, such as a user's id.")
        lives = self.lives if ttl is None else _ttl(ttl)
        issued = int(self.clock.now().timestamp())
        made = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": issued,
            "exp": issued + -(-lives // timedelta(seconds=1)),
            "jti": spell(self.random.bytes(16, "jti")),
        }
        return (await self.keys.ring()).sign({**claims, **made}, typ=self.typ)

    async def decode(self, token: str) -> dict[str, Any]:
        """Answer the claims of a live token; raise TokenExpired, TokenRevoked, or InvalidToken for all else."""
        claims = await self._read(token)
        if self.denylist is not None and await self.denylist.has(DENIED + claims["jti"]):
            raise TokenRevoked()
        return claims

    async def attempt(self, token: str) -> dict[str, Any] | None:
        """Answer the claims of a live token, or None."""
        try:
            return await self.decode(token)
        except InvalidToken:
            return None

    async def blacklist(self, token: str) -> bool:
        """End a token before its time; tell whether it was live.

        Raises StatelessOperationUnsupported without a denylist.
        """
        if self.denylist is None:
            raise StatelessOperationUnsupported()
        try:
            claims = await self._read(token)
        except InvalidToken:
            return False
        until = datetime.fromtimestamp(claims["exp"] + self.leeway, UTC)
        return await self.denylist.add(DENIED + claims["jti"], until)

    async def _read(self, token: object) -> dict[str, Any]:
        if not isinstance(token, str):
            raise InvalidToken()
        return await self.reader.read(token)


class JwtCalls(Calls[M]):
    """What an application does with its own tokens, as calls that block or that are awaited."""

    encode = call(_Tokens.encode)
    decode = call(_Tokens.decode)
    attempt = call(_Tokens.attempt)
    blacklist = call(_Tokens.blacklist)


class Jwt(JwtCalls[Asyncio]):
    """Tokens that carry an application's claims: `encode`, `decode`, `attempt`, `blacklist` (S46, S47).

    `tokens.blocking.decode(…)` answers directly. `await tokens.asyncio.decode(…)` is for an event loop: what blocks
    runs in a worker thread. `await tokens.decode(…)` is the flow itself, for flows: it never leaves the thread.

    Keys are given as to a JwtCredentialStore: one of `secret` (HS256, at least 32 bytes, or a list with the newest
    first), `private_key` or `public_key` with its `algorithm`, or `keys`. Tokens live `access_token_expires`, a
    duration such as "15m", unless `encode` is told otherwise. `audience` is the issuer unless it is given. `leeway`, in
    seconds, is for tokens that other machines make. Raises InvalidConfig.
    """

    def __init__(
        self,
        *,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        keys: KeySource | KeyRing | JwtKey | Sequence[JwtKey] | None = None,
        private_key: Any = None,
        public_key: Any = None,
        algorithm: str | None = None,
        issuer: str = ISSUER,
        audience: str | None = None,
        access_token_expires: timedelta | str = LIVES,
        typ: str = "app+jwt",
        denylist: Denylist | None = None,
        leeway: float = 0,
        clock: Clock | None = None,
        random: Randomness | None = None,
    ) -> None:
        if keys is not None:
            demands.jwt_keys(keys)
        demands.denylist(denylist)
        audience = issuer if audience is None else audience
        demands.text("issuer", issuer)
        demands.text("audience", audience)
        source, clock = keys_of("application", keys, secret, private_key, public_key, algorithm), clock or SystemClock()
        self._tokens = _Tokens(
            keys=source,
            reader=JwtReader(source, typ=_typ(typ), issuer=issuer, audience=audience, clock=clock, leeway=leeway),
            denylist=denylist,
            issuer=issuer,
            audience=audience,
            lives=_ttl(access_token_expires),
            typ=typ,
            leeway=leeway,
            clock=clock,
            random=random or SystemRandom(),
        )
        super().__init__(lambda flow: flow(self._tokens))

    def __repr__(self) -> str:
        return f"Jwt(issuer={self._tokens.issuer!r}, typ={self._tokens.typ!r})"

    @property
    def blocking(self) -> JwtCalls[Blocking]:
        """Answer the calls that answer directly; a denylist that has to wait raises FlowSuspended."""
        return JwtCalls(lambda flow: run_blocking(flow(self._tokens)))

    @cached_property
    def asyncio(self) -> JwtCalls[Asyncio]:
        """Answer the calls to await on an event loop, which none of them blocks."""
        tokens = self._tokens
        keys = offloaded(tokens.keys)
        beside = replace(tokens, keys=keys, denylist=offloaded(tokens.denylist), reader=tokens.reader.over(keys))
        return JwtCalls(lambda flow: flow(beside))


def _ttl(given: timedelta | str) -> timedelta:
    try:
        found = duration(given)
    except ConfigurationError as error:
        raise InvalidConfig(str(error)) from None
    if found <= timedelta(0):
        raise InvalidConfig("A time to live is positive: write such as timedelta(minutes=15), or '15m'.")
    return found


def _typ(given: object) -> str:
    # Rule T5: a token of the application must never be taken for a session's or a credential's.
    if not isinstance(given, str) or not _TYP.match(given) or _RESERVED.match(given):
        raise InvalidConfig(f"typ is {given!r}: write a name of your own, such as 'download+jwt'.")
    return given
