"""The digests of passlib and libpass that no other system has: `$pbkdf2-…$`, and `$bcrypt-sha256$` of version 1."""

from __future__ import annotations

import base64
import hashlib
import re

from authcore.backends.hashing import bcrypt, pbkdf2
from authcore.backends.hashing.cost import Digest, from_base64, to_base64
from authcore.values import Value

_PBKDF2 = re.compile(r"\$pbkdf2(?:-(sha256|sha512))?\$([1-9][0-9]{0,7})\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)")
_BCRYPT = re.compile(r"\$bcrypt-sha256\$(2[ab]),([1-9][0-9]?)\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})")


class PasslibPbkdf2(Value, frozen=True):
    """PBKDF2, written in base64 with a dot for the plus."""

    hash: str
    iterations: int
    salt_bytes: int
    hash_bytes: int

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return hashlib.pbkdf2_hmac(self.hash, password, salt, self.iterations, self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        name = "pbkdf2" if self.hash == "sha1" else f"pbkdf2-{self.hash}"
        written = (to_base64(part).replace("+", ".") for part in (salt, tag))
        return f"${name}${self.iterations}${'$'.join(written)}"


class PasslibBcrypt(Value, frozen=True):
    """Bcrypt over base64 of the password's SHA-256, without a key."""

    kind: str
    rounds: int
    salt_bytes: int = bcrypt.SALT
    hash_bytes: int = bcrypt.TAG

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        short = base64.b64encode(hashlib.sha256(password).digest())
        return bcrypt.crypt(self.kind, self.rounds, short, salt)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        written = (bcrypt.to_base64(part).decode() for part in (salt, tag))
        return f"$bcrypt-sha256${self.kind},{self.rounds}${'$'.join(written)}"


def parse(text: str) -> Digest | None:
    """Take a digest of passlib's apart."""
    if found := _BCRYPT.fullmatch(text):
        return bcrypt.taken(PasslibBcrypt(found[1], int(found[2])), *found.group(3, 4))
    found = _PBKDF2.fullmatch(text)
    if found is None:
        return None
    name, iterations = found[1] or "sha1", int(found[2])
    salt, tag = (from_base64(part.replace(".", "+")) for part in found.group(3, 4))
    if not pbkdf2.is_bearable(name, iterations, tag):
        return None
    return Digest(PasslibPbkdf2(name, iterations, len(salt), len(tag)), salt, tag)
