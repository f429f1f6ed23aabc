"""The digests of Django: `algorithm$…`, with a salt that is text."""

from __future__ import annotations

import base64
import hashlib
import re

from authcore.backends.hashing import argon2id, bcrypt, pbkdf2, scrypt
from authcore.backends.hashing.cost import Digest, Wrapped, from_base64
from authcore.values import Value

_TAIL = r"\$([!-#%-~]{1,128})\$"
_PBKDF2 = re.compile(r"pbkdf2_(sha1|sha256)\$([1-9][0-9]{0,7})" + _TAIL + r"([A-Za-z0-9+/]+={0,2})")
_SCRYPT = re.compile(r"scrypt\$([1-9][0-9]{0,7})" + _TAIL + r"([1-9][0-9]?)\$([1-9][0-9]?)\$([A-Za-z0-9+/]+={0,2})")


class DjangoPbkdf2(Value, frozen=True):
    """Django's PBKDF2."""

    hash: str
    iterations: int
    salt_bytes: int
    hash_bytes: int

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return hashlib.pbkdf2_hmac(self.hash, password, salt, self.iterations, self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return f"pbkdf2_{self.hash}${self.iterations}${salt.decode()}${base64.b64encode(tag).decode()}"


class DjangoScrypt(Value, frozen=True):
    """Django's scrypt."""

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
        return f"scrypt${self.n}${salt.decode()}${self.r}${self.p}${base64.b64encode(tag).decode()}"


class DjangoBcryptSha256(Wrapped, frozen=True):
    """Bcrypt over the hexadecimal SHA-256 of the password."""

    def prepare(self, password: bytes) -> bytes:
        """Answer the 64 hexadecimal digits."""
        return hashlib.sha256(password).hexdigest().encode()


def parse(text: str) -> Digest | None:
    """Take a digest of Django's apart."""
    if text.startswith("argon2$"):
        return _behind("argon2", argon2id.parse(text[6:]), Wrapped)
    if text.startswith("bcrypt_sha256$"):
        return _behind("bcrypt_sha256$", bcrypt.parse(text[14:]), DjangoBcryptSha256)
    if text.startswith("bcrypt$"):
        return _behind("bcrypt$", bcrypt.parse(text[7:]), Wrapped)
    return _pbkdf2(text) or _scrypt(text)


def _behind(prefix: str, inner: Digest | None, kind: type[Wrapped]) -> Digest | None:
    return None if inner is None else Digest(kind(prefix, inner.cost), inner.salt, inner.tag)


def _pbkdf2(text: str) -> Digest | None:
    found = _PBKDF2.fullmatch(text)
    if found is None:
        return None
    salt, tag = found[3].encode(), from_base64(found[4])
    if not pbkdf2.is_bearable(found[1], int(found[2]), tag):
        return None
    return Digest(DjangoPbkdf2(found[1], int(found[2]), len(salt), len(tag)), salt, tag)


def _scrypt(text: str) -> Digest | None:
    found = _SCRYPT.fullmatch(text)
    if found is None:
        return None
    (n, r, p), salt, tag = map(int, found.group(1, 3, 4)), found[2].encode(), from_base64(found[5])
    if not scrypt.is_bearable(n, r, p) or len(tag) < scrypt.LEAST_TAG:
        return None
    return Digest(DjangoScrypt(n, r, p, len(salt), len(tag)), salt, tag)
