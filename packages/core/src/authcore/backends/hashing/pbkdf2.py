"""PBKDF2 (RFC 8018) through OpenSSL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from authcore.backends.hashing.cost import Digest, from_base64, require, to_base64
from authcore.errors import ConfigurationError

_FLOORS = {"sha256": 600_000, "sha512": 210_000}  # iterations; OWASP
_SIZES = {"sha1": 20, "sha256": 32, "sha512": 64}  # bytes
_LEAST = {"sha1": 100_000, "sha256": 1_000, "sha512": 1_000}  # iterations that are read; RFC 8018 4.2
_MOST = 10_000_000  # iterations: ten seconds
_DIGEST = re.compile(r"\$pbkdf2-(sha256|sha512)\$i=([1-9][0-9]{0,7})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """The cost of one PBKDF2 hash."""

    hash: str = "sha256"
    iterations: int = 600_000
    salt_bytes: int = 16
    hash_bytes: int = 32

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        floor = _FLOORS[self.hash]
        require(f"Pbkdf2(hash={self.hash!r}, …), such as Pbkdf2", {"iterations": (self.iterations, floor)})
        require("Pbkdf2", {"salt_bytes": (self.salt_bytes, 16), "hash_bytes": (self.hash_bytes, 32)})

    def warning(self) -> str | None:
        """Answer nothing: whatever is above the floor is advised."""
        return None

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return hashlib.pbkdf2_hmac(self.hash, password, salt, self.iterations, self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$pbkdf2-…$i=…$salt$tag`."""
        return f"$pbkdf2-{self.hash}$i={self.iterations}${to_base64(salt)}${to_base64(tag)}"


def parse(text: str) -> Digest | None:
    """Take a digest of PBKDF2 apart."""
    found = _DIGEST.fullmatch(text)
    if found is None:
        return None
    salt, tag = map(from_base64, found.group(3, 4))
    if not 8 <= len(tag) <= 128 or int(found[2]) > _MOST:
        return None
    return Digest(Pbkdf2(found[1], int(found[2]), len(salt), len(tag)), salt, tag)


def check_hash(name: object) -> None:
    """Raise ConfigurationError for a hash that is not chosen from."""
    if not isinstance(name, str) or name not in _FLOORS:
        raise ConfigurationError(f"Pbkdf2(hash={name!r}) is 'sha256' or 'sha512'.")


def is_bearable(name: str, iterations: int, tag: bytes) -> bool:
    """Tell whether a digest of elsewhere is worth to be checked, and costs no minutes."""
    return _LEAST.get(name, _MOST) <= iterations <= _MOST and len(tag) == _SIZES[name]
