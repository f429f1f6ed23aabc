"""Bcrypt over a keyed SHA-256, so that nothing of a password is cut off (rule A4), and plain bcrypt of elsewhere."""

from __future__ import annotations

import base64
import hmac
import logging
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Protocol

from authcore.backends.hashing.cost import Cost, Digest, require
from authcore.errors import ConfigurationError
from authcore.values import Value

SALT, TAG = 16, 23  # bytes
LONGEST = 72  # bytes of a password that bcrypt looks at
_MOST_ROUNDS = 17  # log2: ten seconds
_ALPHABET = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_STANDARD, _FROM_STANDARD = bytes.maketrans(_ALPHABET, _STANDARD), bytes.maketrans(_STANDARD, _ALPHABET)
_PARTS = r"([./A-Za-z0-9]{22})\$?([./A-Za-z0-9]{31})"
_HMAC = re.compile(r"\$bcrypt-sha256\$v=2,t=2b,r=([1-9][0-9]?)\$" + _PARTS)
_PLAIN = re.compile(r"\$(2[aby])\$([0-9]{2})\$" + _PARTS.replace(r"\$?", ""))
_log = logging.getLogger("authcore.hashing")


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """The cost of one bcrypt hash: of base64 of HMAC-SHA256 of the password, keyed with the salt.

    The digests are those of passlib's `bcrypt_sha256`, version 2.
    """

    rounds: int = 12  # log2

    @property
    def salt_bytes(self) -> int:
        """Answer the length of the salt."""
        return SALT

    @property
    def hash_bytes(self) -> int:
        """Answer the length of the tag."""
        return TAG

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        require("Bcrypt", {"rounds": (self.rounds, 10)})  # OWASP

    def warning(self) -> str | None:
        """Answer nothing: whatever is above the floor is advised."""
        return None

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        key = hmac.digest(to_base64(salt), password, "sha256")
        return crypt("2b", self.rounds, base64.b64encode(key), salt)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$bcrypt-sha256$v=2,t=2b,r=…$salt$tag`."""
        return f"$bcrypt-sha256$v=2,t=2b,r={self.rounds}${to_base64(salt).decode()}${to_base64(tag).decode()}"


class PlainBcrypt(Value, frozen=True):
    """Bcrypt of the first 72 bytes, as other systems made it; it is never made here."""

    kind: str
    rounds: int
    salt_bytes: int = SALT
    hash_bytes: int = TAG

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of what such systems looked at: the first 72 bytes."""
        return crypt(self.kind, self.rounds, password[:LONGEST], salt)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$2b$…$` and salt and tag without a space between."""
        return f"${self.kind}${self.rounds:02}${to_base64(salt).decode()}{to_base64(tag).decode()}"


class Rounds(Cost, Protocol):
    """A cost that is counted in rounds."""

    @property
    def rounds(self) -> int:
        """Answer their logarithm."""
        ...


def parse(text: str) -> Digest | None:
    """Take a digest of bcrypt apart."""
    if found := _HMAC.fullmatch(text):
        return taken(Bcrypt(int(found[1])), *found.group(2, 3))
    if found := _PLAIN.fullmatch(text):
        return taken(PlainBcrypt(found[1], int(found[2])), *found.group(3, 4))
    return None


def taken(cost: Rounds, salt: str, tag: str) -> Digest | None:
    """Answer the parts; None for rounds that bcrypt has not, or where it is not installed."""
    if not 4 <= cost.rounds <= _MOST_ROUNDS or not _is_installed():
        return None
    return Digest(cost, from_base64(salt), from_base64(tag))


def check_installed() -> None:
    """Raise ConfigurationError where the extra is missing."""
    if find_spec("bcrypt") is None:
        raise ConfigurationError("Auth(hashing=Bcrypt(…)) needs bcrypt: pip install 'authcore[bcrypt]'.")


@cache
def _is_installed() -> bool:
    if find_spec("bcrypt") is not None:
        return True
    _log.error("A digest of bcrypt opens for nobody, since bcrypt is missing: pip install 'authcore[bcrypt]'.")
    return False


def crypt(kind: str, rounds: int, password: bytes, salt: bytes) -> bytes:
    """Answer bcrypt's own 23 bytes."""
    import bcrypt

    made = bcrypt.hashpw(password, f"${kind}${rounds:02}$".encode() + to_base64(salt))
    return from_base64(made[-31:].decode())


def to_base64(data: bytes) -> bytes:
    """Answer base64 in bcrypt's own alphabet, without padding."""
    return base64.b64encode(data).rstrip(b"=").translate(_FROM_STANDARD)


def from_base64(text: str) -> bytes:
    """Answer the bytes; bits beyond the last whole byte are left out, as bcrypt does."""
    standard = text.encode().translate(_TO_STANDARD)
    return base64.b64decode(standard + b"=" * (-len(standard) % 4))
