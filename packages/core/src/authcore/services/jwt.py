"""JSON Web Tokens (RFC 7519): the one place that asks PyJWT (rule T4), for signatures and for nothing else.

A key has one algorithm. A ring (jwt_ring.py) has keys by an opaque `kid`, and believes a header only as far as it names
one of them with the algorithm that the key has. `jku`, `x5u`, `x5c` and `jwk` are never read (RFC 8725 3.10).
"""

from __future__ import annotations

import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from authcore.errors import ConfigurationError
from authcore.services.keys import mac
from authcore.stores import InvalidConfig, InvalidToken

MAX_TOKEN = 8192  # characters; servers cut headers there
MIN_RSA = 3072  # bits, NIST SP 800-57 part 1: 128 bits of strength
MIN_SECRET = {"HS256": 32, "HS384": 48, "HS512": 64}  # bytes, RFC 7518 3.2
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
ALGORITHMS = frozenset({*MIN_SECRET, *_RSA, *_CURVES, "EdDSA"})

# The orders of the curves' groups, FIPS 186-5: an ECDSA signature (r, s) has the twin (r, order - s).
_ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
}
_KID = re.compile(r"[A-Za-z0-9._~-]{1,128}\Z")
_PADDING = {0: b"", 2: b"==", 3: b"="}
# The last character of a group that is not whole carries 4 or 2 bits too many, which are 0 in the one spelling read.
_LAST = {0: frozenset(), 2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


class InvalidKey(InvalidConfig, ConfigurationError):
    """A key is missing, weak or of the wrong kind; the sentence says what to write instead."""


class JwtKey:
    """One key: its `kid`, its `algorithm`, and whether it `signs`. Make it by `secret`, `private`, `public` or `make`.

    Each raises InvalidKey for a key that is weak or of another kind than the algorithm.
    """

    __slots__ = ("_engine", "_private", "_public", "algorithm", "kid")

    def __init__(self, kid: str, algorithm: str, private: Any, public: Any) -> None:
        if not _KID.match(kid):
            raise InvalidKey("kid is text of at most 128 letters, digits and the signs . _ ~ -.")
        self.kid = kid
        self.algorithm = algorithm
        self._engine = engine(algorithm)
        self._private = private
        self._public = public

    def __repr__(self) -> str:
        return f"JwtKey(kid={self.kid!r}, algorithm={self.algorithm!r}, signs={self.signs})"

    @property
    def signs(self) -> bool:
        """Tell whether the private half is here."""
        return self._private is not None

    @classmethod
    def secret(cls, secret: str | bytes, algorithm: str = "HS256", *, kid: str | None = None) -> JwtKey:
        """Answer a key for HS256, HS384 or HS512 of at least 32, 48 or 64 bytes, used as it is (RFC 7518 3.2)."""
        if algorithm not in MIN_SECRET:
            raise InvalidKey(f"algorithm is {algorithm!r}, which has no secret: write private_key=… or public_key=….")
        raw = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
        _check_secret(raw, algorithm)
        prepared = _prepared(algorithm, raw)
        return cls(kid or mac(raw, b"authcore/kid").hex()[:16], algorithm, prepared, prepared)

    @classmethod
    def private(
        cls, key: Any, algorithm: str = "ES256", *, kid: str | None = None, password: bytes | None = None
    ) -> JwtKey:
        """Answer a key that signs and verifies, of a PEM text or bytes, or a private key of `cryptography`."""
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if isinstance(key, str | bytes):
            key = _loaded(lambda pem: load_pem_private_key(pem, password), key, "private_key")
        if not hasattr(key, "public_key"):
            raise InvalidKey("private_key is no private key: give a PEM text, or a private key of `cryptography`.")
        known = cls.public(key.public_key(), algorithm, kid=kid)
        return cls(known.kid, algorithm, _prepared(algorithm, key), known._public)

    @classmethod
    def public(cls, key: Any, algorithm: str = "ES256", *, kid: str | None = None) -> JwtKey:
        """Answer a key that only verifies, of a PEM text or bytes, or a public key of `cryptography`."""
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        if isinstance(key, str | bytes):
            key = _loaded(load_pem_public_key, key, "public_key")
        _check_public(key, algorithm)
        return cls(kid or _thumbprint(algorithm, key), algorithm, None, _prepared(algorithm, key))

    @classmethod
    def make(cls, algorithm: str = "ES256", *, kid: str | None = None) -> JwtKey:
        """Answer a fresh key that signs; RSA with 3072 bits, EdDSA over Ed25519."""
        return cls.private(make_private_key(algorithm), algorithm, kid=kid)

    def sign(self, message: bytes) -> bytes:
        """Answer the signature of a message; of ECDSA's two the one with the lower half (rule T3)."""
        if self._private is None:
            raise InvalidKey(f"The key {self.kid} is public and cannot sign: give its private_key.")
        signature: bytes = self._engine.sign(message, self._private)
        return _lower(signature, self.algorithm) if self.algorithm in _ORDERS else signature

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is right.

        A key that signs here has made only lower halves, so the twin is refused. Who holds a public key alone may have
        any signer, and takes both: nothing is known by a token's text.
        """
        if self.algorithm in _ORDERS and self.signs and not _is_lower(signature, self.algorithm):
            return False
        return bool(self._engine.verify(message, self._public, signature))

    def jwk(self) -> dict[str, Any] | None:
        """Answer the public half as a JWK (RFC 7517), or None of a secret."""
        if self.algorithm in MIN_SECRET:
            return None
        return {**_jwk(self.algorithm, self._public), "kid": self.kid, "use": "sig", "alg": self.algorithm}


def spell(raw: bytes) -> str:
    """Answer bytes as base64url without padding (RFC 7515 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Answer the bytes of a text in the alphabet of base64url; raise InvalidToken for all but their one spelling."""
    rest = len(text) % 4
    if rest == 1 or (rest and text[-1] not in _LAST[rest]):
        raise InvalidToken()
    return urlsafe_b64decode(text.encode() + _PADDING[rest])


def engine(algorithm: str) -> Any:
    """Answer PyJWT's implementation of one of ALGORITHMS; raise InvalidKey for another, or without PyJWT."""
    if algorithm not in ALGORITHMS:
        raise InvalidKey(f"algorithm is {algorithm!r}: write one of {', '.join(sorted(ALGORITHMS))}.")
    try:
        from jwt import get_algorithm_by_name
    except ImportError:
        raise InvalidKey("JSON Web Tokens need PyJWT, which is missing: pip install 'authcore[jwt]'.") from None
    return get_algorithm_by_name(algorithm)


def make_private_key(algorithm: str) -> Any:
    """Answer a fresh private key of `cryptography` for RS…, PS…, ES… or EdDSA; raise InvalidKey for another."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm in _RSA:
        return rsa.generate_private_key(65537, MIN_RSA)
    if algorithm in _CURVES:
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return ec.generate_private_key(curves[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise InvalidKey(f"algorithm is {algorithm!r}, which has no private key: write ES256, EdDSA, RS256 or PS256.")


def _check_secret(raw: bytes, algorithm: str) -> None:
    if type(raw) is not bytes:
        raise InvalidKey("secret is text or bytes: `authcore secret` makes one.")
    least = MIN_SECRET[algorithm]
    if len(raw) < least:
        raise InvalidKey(
            f"secret has {len(raw)} bytes, and {algorithm} asks for {least}: "
            f"`python -c 'import secrets; print(secrets.token_urlsafe({least}))'` makes one."
        )
    if len(set(raw)) < 10:
        raise InvalidKey("secret repeats a few characters: `authcore secret` makes a random one.")


def _check_public(key: Any, algorithm: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    engine(algorithm)
    if algorithm in MIN_SECRET:
        raise InvalidKey(f"algorithm is {algorithm!r}, which has a secret: write secret=…, or another algorithm=….")
    if algorithm in _RSA:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidKey(f"{algorithm} asks for an RSA key.")
        if key.key_size < MIN_RSA:
            raise InvalidKey(f"The RSA key has {key.key_size} bits: make one of at least {MIN_RSA}.")
    elif algorithm in _CURVES:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _CURVES[algorithm]:
            raise InvalidKey(f"{algorithm} asks for a key on the curve {_CURVES[algorithm]}.")
    elif not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise InvalidKey("EdDSA asks for an Ed25519 or an Ed448 key.")


def _prepared(algorithm: str, key: Any) -> Any:
    made = engine(algorithm)
    from jwt import InvalidKeyError

    try:
        return made.prepare_key(key)
    except (InvalidKeyError, TypeError, ValueError):
        # A public key as a secret is how RS256 was turned into HS256 (RFC 8725 2.1).
        raise InvalidKey(f"{algorithm} does not take this key: PEM is for private_key and public_key.") from None


def _loaded(load: Any, pem: str | bytes, name: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with warnings.catch_warnings():
            return load(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the reader says may repeat what it read (rule O3).
        raise InvalidKey(f"{name} is not readable: give a PEM text that begins with -----BEGIN.") from None


def _jwk(algorithm: str, public: Any) -> dict[str, Any]:
    found: dict[str, Any] = engine(algorithm).to_jwk(public, as_dict=True)
    return {name: value for name, value in found.items() if name in ("kty", "n", "e", "crv", "x", "y")}


def _thumbprint(algorithm: str, public: Any) -> str:
    """Answer the SHA-256 of a public key's JWK, whose members stand in order (RFC 7638)."""
    import hashlib

    members = dict(sorted(_jwk(algorithm, public).items()))
    return spell(hashlib.sha256(msgspec.json.encode(members)).digest())


def _is_lower(signature: bytes, algorithm: str) -> bool:
    return int.from_bytes(signature[len(signature) // 2 :], "big") * 2 < _ORDERS[algorithm]


def _lower(signature: bytes, algorithm: str) -> bytes:
    if _is_lower(signature, algorithm):
        return signature
    half = len(signature) // 2
    return signature[:half] + (_ORDERS[algorithm] - int.from_bytes(signature[half:], "big")).to_bytes(half, "big")
