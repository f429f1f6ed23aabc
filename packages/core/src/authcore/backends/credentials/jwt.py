"""Credentials as JSON Web Tokens: whoever holds one can read it, and only who has a key can make one (S55)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from authcore.backends.credentials.stateless import Said, StatelessCredentialStore
from authcore.decode import convert
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.services.claims import check, check_begun
from authcore.services.jwt import JwtKey
from authcore.services.jwt_ring import ISSUER, JwtKeys, KeySource, UnknownKey, keys_of
from authcore.services.keys import KeyRing
from authcore.stores import CredentialMetadata, CredentialState, Denylist, InvalidToken
from authcore.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000  # microseconds
_REGISTERED = ("scope", "auth_time", "amr")
"""Claims that stand where other readers look for them (RFC 9068 2.2)."""
_TYPS = {"access": "at+jwt", "refresh": "rt+jwt"}  # the first is RFC 9068 2.1's
_KINDS = {typ: kind for kind, typ in _TYPS.items()}
_OWN = ("ac.", "+jwt")


class JwtCredentialStore(StatelessCredentialStore):
    """A CredentialStore that holds nothing: each credential is a JWT, whose `typ` says its kind (rules T4, T5).

    Give one of: `secret`, text or bytes, or a list with the newest first; `private_key` or `public_key`, as PEM or of
    `cryptography`, where a public key only verifies; `keys`, a JwtKey or several, a JwtKeys, a SigningKeys, or the
    KeyRing of an application. `audience` is the issuer unless it is given. Without a `denylist` nothing can be
    consumed, updated or revoked. Raises InvalidConfig, of an absent or weak key too.

    Of a `seed` the id is the same, and the text under HS…, RS… and EdDSA; ES… and PS… sign anew each time.
    """

    def __init__(
        self,
        *,
        keys: KeySource | KeyRing | JwtKey | Sequence[JwtKey] | None = None,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        private_key: Any = None,
        public_key: Any = None,
        algorithm: str | None = None,
        issuer: str = ISSUER,
        audience: str | None = None,
        denylist: Denylist | None = None,
        clock: Clock | None = None,
        random: Randomness | None = None,
    ) -> None:
        super().__init__(denylist, clock, random)
        if keys is not None:
            demands.jwt_keys(keys)
        self._keys = keys_of("credentials", keys, secret, private_key, public_key, algorithm)
        self._issuer = issuer
        self._audience = issuer if audience is None else audience
        demands.text("issuer", self._issuer)
        demands.text("audience", self._audience)
        self._ring = self._keys.known(self._clock.now())

    @property
    def keys(self) -> KeySource:
        """Answer where the keys come from."""
        return self._keys

    @property
    def blocks(self) -> bool:
        """Tell whether calls wait for a server in the calling thread: those of the denylist or of the keys may."""
        return super().blocks or bool(getattr(self._keys, "blocks", False))

    def verified_by(self, now: datetime) -> object | None:
        """Answer the ring, another object once a key has come or gone, or None if it is time to read it again."""
        return None if self._denylist is not None else self._keys.known(now)

    async def jwks(self) -> dict[str, Any]:
        """Answer the public keys as a JWK Set (RFC 7517 5); raise Unavailable."""
        return (await self._keys.ring()).jwks()

    async def _spell(self, jti: str, state: CredentialState, seed: bytes | None) -> str:
        ring = self._ring = await self._keys.ring()
        return ring.sign(self._claims(jti, state), typ=typ_of(state.kind))

    async def _read(self, token: str) -> Said | None:
        self._ring = await self._keys.ring()
        try:
            return self._said(self._ring, token)
        except UnknownKey:
            renewed = await self._keys.renewed()
        except InvalidToken:
            return None
        if renewed is None:
            return None
        self._ring = renewed
        return self._open(token)

    def _open(self, token: str) -> Said | None:
        try:
            return None if self._ring is None else self._said(self._ring, token)
        except InvalidToken:
            return None

    def _said(self, ring: JwtKeys, token: str) -> Said:
        opened = ring.open(token)
        kind = kind_of(opened.typ)
        if kind is None:
            raise InvalidToken()
        claims = opened.claims()
        check(claims, issuer=self._issuer, audience=self._audience)
        check_begun(claims, self._clock.now())
        return Said(claims["jti"], _state(kind, claims))

    def _claims(self, jti: str, state: CredentialState) -> dict[str, Any]:
        issued, expires = _microseconds(state.issued_at), _microseconds(state.expires_at)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": state.user_id,
            "jti": jti,
            "iat": issued // _SECOND,
            "exp": -(-expires // _SECOND),
        }
        # Whole seconds are what RFC 7519 readers agree on; what a time has beside them stands apart.
        if issued % _SECOND or expires % _SECOND:
            claims.update(iat_us=issued, exp_us=expires)
        claims.update({name: state.claims[name] for name in _REGISTERED if name in state.claims})
        own = {name: value for name, value in state.claims.items() if name not in _REGISTERED}
        if own:
            claims["claims"] = own
        if state.metadata != CredentialMetadata():
            claims["metadata"] = state.metadata
        if state.parent_credential_id is not None:
            claims["family"] = state.parent_credential_id
        if state.rotated_at is not None:
            claims["rotated_us"] = _microseconds(state.rotated_at)
        return claims


def typ_of(kind: str) -> str:
    """Answer the one `typ` of a kind: "at+jwt", "rt+jwt", or such as "ac.magic.recovery+jwt"."""
    return _TYPS.get(kind) or f"{_OWN[0]}{quote(kind, safe='')}{_OWN[1]}"


def kind_of(typ: str) -> str | None:
    """Answer the kind of a `typ`, or None if it is none of a credential's."""
    if typ in _KINDS:
        return _KINDS[typ]
    if not (typ.startswith(_OWN[0]) and typ.endswith(_OWN[1])):
        return None
    kind = unquote(typ[len(_OWN[0]) : -len(_OWN[1])])
    return kind if typ_of(kind) == typ else None


class _Own(Value, frozen=True):
    claims: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: CredentialMetadata = CredentialMetadata()
    family: str | None = None
    iat_us: int | None = None
    exp_us: int | None = None
    rotated_us: int | None = None


def _state(kind: str, claims: dict[str, Any]) -> CredentialState:
    exp = claims["exp"] * _SECOND
    try:
        own = convert(claims, _Own)
        if own.exp_us is not None and own.exp_us > exp:
            raise InvalidToken()
        return CredentialState(
            user_id=claims["sub"],
            issued_at=_time(claims["iat"] * _SECOND if own.iat_us is None else own.iat_us),
            expires_at=_time(exp if own.exp_us is None else own.exp_us),
            kind=kind,
            claims={**own.claims, **{name: claims[name] for name in _REGISTERED if name in claims}},
            metadata=own.metadata,
            parent_credential_id=own.family,
            rotated_at=None if own.rotated_us is None else _time(own.rotated_us),
        )
    except (msgspec.ValidationError, OverflowError):
        raise InvalidToken() from None


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
