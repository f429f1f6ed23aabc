"""The digests of Werkzeug: `method$salt$hex`, with a salt that is text."""

from __future__ import annotations

import hashlib
import re

from authcore.backends.hashing import pbkdf2, scrypt
from authcore.backends.hashing.cost import Digest
from authcore.values import Value

_TAIL = r"\$([!-#%-~]{1,128})\$((?:[0-9a-f]{2})+)"
_PBKDF2 = re.compile(r"pbkdf2:(sha1|sha256|sha512):([1-9][0-9]{0,7})" + _TAIL)
_SCRYPT = re.compile(r"scrypt:([1-9][0-9]{0,7}):([1-9][0-9]?):([1-9][0-9]?)" + _TAIL)


class WerkzeugPbkdf2(Value, frozen=True):
    """Werkzeug's PBKDF2."""

    hash: str
    iterations: int
    salt_bytes: int
    hash_bytes: int

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return hashlib.pbkdf2_hmac(self.hash, password, salt, self.iterations, self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return f"pbkdf2:{self.hash}:{self.iterations}${salt.decode()}${tag.hex()}"


class WerkzeugScrypt(Value, frozen=True):
    """Werkzeug's scrypt."""

    n: int
    r: int
    p: int
    salt_bytes: int
    hash_bytes: int

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return scrypt.compute(password, salt, n=self.n, r=self.r, p=self.p, size=self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return f"scrypt:{self.n}:{self.r}:{self.p}${salt.decode()}${tag.hex()}"


def parse(text: str) -> Digest | None:
    """Take a digest of Werkzeug's apart."""
    return _pbkdf2(text) or _scrypt(text)


def _pbkdf2(text: str) -> Digest | None:
    found = _PBKDF2.fullmatch(text)
    if found is None:
        return None
    salt, tag = found[3].encode(), bytes.fromhex(found[4])
    if not pbkdf2.is_bearable(found[1], int(found[2]), tag):
        return None
    return Digest(WerkzeugPbkdf2(found[1], int(found[2]), len(salt), len(tag)), salt, tag)


def _scrypt(text: str) -> Digest | None:
    found = _SCRYPT.fullmatch(text)
    if found is None:
        return None
    (n, r, p), salt, tag = map(int, found.group(1, 2, 3)), found[4].encode(), bytes.fromhex(found[5])
    if not scrypt.is_bearable(n, r, p) or len(tag) < scrypt.LEAST_TAG:
        return None
    return Digest(WerkzeugScrypt(n, r, p, len(salt), len(tag)), salt, tag)
