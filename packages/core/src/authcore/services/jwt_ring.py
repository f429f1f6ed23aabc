"""Rings of keys: what is signed with the first of them and read by all (RFC 7515, RFC 7519, rules T3, T4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from authcore.decode import parse_json
from authcore.errors import InvalidJson
from authcore.services.claims import check, check_times
from authcore.services.jwt import MAX_TOKEN, MIN_SECRET, InvalidKey, JwtKey, decoded, spell
from authcore.services.keys import KEY_SIZE, KeyRing
from authcore.stores import InvalidConfig, InvalidToken, TokenTooLong
from authcore.values import Value

ISSUER = "authcore"
"""The `iss`, and the `aud`, of tokens for which nothing else is said."""
MAX_HEADS = 256  # headers that a ring remembers
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


class UnknownKey(InvalidToken):
    """The token names a key that is not in the ring: perhaps another node has made it meanwhile."""


class Opened(Value, frozen=True):
    """What a right signature stands over: the `typ` of the header, and the payload as JSON text."""

    typ: str
    payload: bytes

    def claims(self) -> dict[str, Any]:
        """Answer the claims, a dict of the caller's own; raise InvalidToken if one name stands there twice."""
        try:
            found = msgspec.json.decode(self.payload)
            # Parsers differ on which of two equal names counts: what is not spelled as here is read strictly.
            if msgspec.json.encode(found) != self.payload:
                found = parse_json(self.payload)
        except (msgspec.MsgspecError, ValueError, RecursionError, InvalidJson):
            raise InvalidToken() from None
        if type(found) is not dict:
            raise InvalidToken()
        return found


class KeySource(Protocol):
    """Where a ring comes from: a JwtKeys is one itself, SigningKeys reads it from the database."""

    def known(self, now: datetime) -> JwtKeys | None:
        """Answer the ring as it is known here, or None if it is time to ask for it."""
        ...

    async def ring(self) -> JwtKeys:
        """Answer the ring, asked for if it is time to; raise Unavailable."""
        ...

    async def renewed(self) -> JwtKeys | None:
        """Answer the ring asked for anew because a key was unknown, or None if that is not to be done again yet."""
        ...


class JwtKeys:
    """A ring that does not change: keys newest first. The first signs, or the one named `signer`; all verify."""

    def __init__(self, keys: Sequence[JwtKey], *, signer: str | None = None) -> None:
        self._keys = {key.kid: key for key in keys}
        if not keys:
            raise InvalidKey("There is no key: write secret=…, or private_key=… with its algorithm=….")
        if len(self._keys) != len(keys):
            raise InvalidKey("Two keys have the same kid: give each a kid of its own, or leave kid away.")
        if signer is not None and signer not in self._keys:
            raise InvalidKey(f"signer is {signer!r}, which is the kid of no key here.")
        self._signer = self._keys[signer] if signer else keys[0]
        self._heads: dict[str, tuple[JwtKey, str]] = {}
        self._own_heads: dict[str, str] = {}

    @classmethod
    def of(cls, keys: KeyRing, purpose: str, algorithm: str = "HS256") -> JwtKeys:
        """Answer a ring of secrets, one for each of an application's, so that `secret=[new, old]` rotates tokens.

        Keys differ by purpose; the `kid` is the id of the application's secret.
        """
        size = MIN_SECRET.get(algorithm)
        if size is None:
            raise InvalidKey(f"algorithm is {algorithm!r}: of the application's secret HS256, HS384, HS512 are made.")
        parts = [keys.all(f"jwt/{algorithm}/{part}/{purpose}") for part in range(-(-size // KEY_SIZE))]
        wholes = (b"".join(each)[:size] for each in zip(*parts, strict=True))
        return cls([JwtKey.secret(w, algorithm, kid=id_) for id_, w in zip(keys.ids(), wholes, strict=True)])

    @property
    def signer(self) -> JwtKey:
        """Answer the key that signs."""
        return self._signer

    @property
    def kids(self) -> frozenset[str]:
        """Answer the ids of the keys that verify."""
        return frozenset(self._keys)

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Answer a token of JSON claims; raise TokenTooLong if it is longer than MAX_TOKEN."""
        head = self._own_heads.get(typ) or self._own_head(typ)
        try:
            payload = msgspec.json.encode(claims)
        except TypeError as error:
            raise InvalidConfig(f"The claims are no JSON: {error}.") from None
        message = f"{head}.{spell(payload)}".encode()
        token = f"{message.decode()}.{spell(self._signer.sign(message))}"
        if len(token) > MAX_TOKEN:
            raise TokenTooLong(f"The token has {len(token)} characters, of {MAX_TOKEN}: let the claims hold an id.")
        return token

    def open(self, token: str) -> Opened:
        """Answer what a rightly signed token says, whatever its times; raise InvalidToken, or UnknownKey."""
        # The form is judged before the signature: what decoders read alike is still not the same text (rule T3).
        if type(token) is not str or len(token) > MAX_TOKEN or not _FORM.match(token):
            raise InvalidToken()
        head, payload, signature = token.split(".")
        known = self._heads.get(head)
        key, typ = known or self._named(head)
        raw, tag = decoded(payload), decoded(signature)
        if not key.verify(token[: len(head) + len(payload) + 1].encode(), tag):
            raise InvalidToken()
        # Only a header that somebody with the key has signed is remembered: strangers fill nothing.
        if known is None and len(self._heads) < MAX_HEADS:
            self._heads[head] = key, typ
        return Opened(typ, raw)

    def verify(
        self, token: str, *, typ: str, issuer: str, audience: str, now: datetime, leeway: float = 0
    ) -> dict[str, Any]:
        """Answer the claims of a token of exactly this `typ`; raise TokenExpired, InvalidToken, or UnknownKey.

        `leeway` is in seconds. Whether the token is revoked is for the caller to ask, by its `jti`.
        """
        opened = self.open(token)
        if opened.typ != typ:
            raise InvalidToken()
        claims = opened.claims()
        check(claims, issuer=issuer, audience=audience)
        check_times(claims, now, leeway)
        return claims

    def jwks(self) -> dict[str, Any]:
        """Answer the public keys as a JWK Set (RFC 7517 5); secrets never stand there."""
        return {"keys": [found for key in self._keys.values() if (found := key.jwk()) is not None]}

    def known(self, now: datetime) -> JwtKeys:
        """Answer this ring, as a KeySource."""
        return self

    async def ring(self) -> JwtKeys:
        """Answer this ring."""
        return self

    async def renewed(self) -> JwtKeys | None:
        """Answer None: this ring never changes."""
        return None

    def _own_head(self, typ: str) -> str:
        head = spell(msgspec.json.encode({"alg": self._signer.algorithm, "kid": self._signer.kid, "typ": typ}))
        if len(self._own_heads) < MAX_HEADS:
            self._own_heads[typ] = head
        return head

    def _named(self, head: str) -> tuple[JwtKey, str]:
        try:
            found = parse_json(decoded(head))
        except InvalidJson:
            raise InvalidToken() from None
        # RFC 7515 4.1.11: what is critical must be understood, and nothing is. RFC 8725 3.1: the key has the algorithm.
        if type(found) is not dict or "crit" in found or "b64" in found:
            raise InvalidToken()
        kid, typ = found.get("kid"), found.get("typ")
        if type(kid) is not str or type(typ) is not str:
            raise InvalidToken()
        key = self._keys.get(kid)
        if key is None:
            raise UnknownKey()
        if found.get("alg") != key.algorithm:
            raise InvalidToken()
        return key, typ


def keys_of(
    purpose: str,
    keys: KeySource | KeyRing | JwtKey | Sequence[JwtKey] | None = None,
    secret: str | bytes | Sequence[str | bytes] | None = None,
    private_key: Any = None,
    public_key: Any = None,
    algorithm: str | None = None,
) -> KeySource:
    """Answer the ring that settings name; raise InvalidKey if they name none, or two.

    A key is a secret (HS256 unless `algorithm` says otherwise), a pair, or a public key alone. The keys that are made
    of an application's KeyRing differ by purpose.
    """
    given = [each for each in (keys, secret, private_key or public_key) if each is not None]
    if len(given) != 1:
        raise InvalidKey("Give one of keys=…, secret=…, and private_key=… or public_key=… with its algorithm=….")
    if isinstance(keys, KeyRing):
        return JwtKeys.of(keys, purpose, algorithm or "HS256")
    if isinstance(keys, JwtKey):
        return JwtKeys([keys])
    if isinstance(keys, Sequence):
        return JwtKeys(keys)
    if keys is not None:
        return keys
    if secret is not None:
        secrets = [secret] if isinstance(secret, str | bytes) else list(secret)
        return JwtKeys([JwtKey.secret(each, algorithm or "HS256") for each in secrets])
    return JwtKeys([_pair(private_key, public_key, algorithm or "HS256")])


def _pair(private_key: Any, public_key: Any, algorithm: str) -> JwtKey:
    if private_key is None:
        return JwtKey.public(public_key, algorithm)
    pair = JwtKey.private(private_key, algorithm)
    if public_key is not None and JwtKey.public(public_key, algorithm).kid != pair.kid:
        raise InvalidKey("public_key is not the public half of private_key: leave it away.")
    return pair
