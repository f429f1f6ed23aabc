"""The digests of Firebase: scrypt makes a key, and the tag is the project's signer key under it."""

from __future__ import annotations

import re
from typing import ClassVar

from authcore.backends.hashing import scrypt
from authcore.backends.hashing.cost import Digest, Parser, from_base64, to_base64
from authcore.errors import ConfigurationError
from authcore.values import Value

_KEY = 32  # bytes: AES-256
_DIGEST = re.compile(r"\$firebase-scrypt\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]+)")


class Firebase(Value, frozen=True):
    """The hash parameters of a project, as its console shows them."""

    hidden: ClassVar = frozenset({"signer_key"})
    signer_key: str  # base64
    salt_separator: str = "Bw=="  # base64
    rounds: int = 8
    memory_cost: int = 14  # log2

    def check(self) -> None:
        """Raise ConfigurationError for what are no such parameters."""
        for name in ("signer_key", "salt_separator"):
            if not _is_base64(getattr(self, name)) or not self.signer_key:
                raise ConfigurationError(f"Firebase({name}=…) is base64, as the project's console shows it.")
        numbers = (self.rounds, self.memory_cost)
        if not all(type(each) is int and 1 <= each <= 32 for each in numbers) or not self._is_bearable():
            raise ConfigurationError("Firebase(rounds=…, memory_cost=…) are whole numbers, such as 8 and 14.")

    def mark(self, *, password_hash: str, salt: str) -> str:
        """Answer the digest as it is brought in, from the two fields of an export."""
        written = (to_base64(from_base64(_standard(part))) for part in (salt, password_hash))
        return f"$firebase-scrypt${'$'.join(written)}"

    def parse(self, text: str, inner: Parser) -> Digest | None:
        """Take a marked digest apart; that of another project is none."""
        found = _DIGEST.fullmatch(text)
        if found is None:
            return None
        salt, tag = map(from_base64, found.group(1, 2))
        key, separator = (from_base64(_standard(part)) for part in (self.signer_key, self.salt_separator))
        if len(tag) != len(key):
            return None
        return Digest(FirebaseScrypt(key, separator, self.rounds, self.memory_cost, len(salt), len(tag)), salt, tag)

    def _is_bearable(self) -> bool:
        return scrypt.is_bearable(1 << self.memory_cost, self.rounds, 1)


class FirebaseScrypt(Value, frozen=True):
    """Firebase's variant of scrypt."""

    hidden: ClassVar = frozenset({"signer_key"})
    signer_key: bytes
    separator: bytes
    rounds: int
    memory_cost: int
    salt_bytes: int
    hash_bytes: int

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the signer key under AES-256-CTR, with the key that scrypt makes of the password."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        salted, n = salt + self.separator, 1 << self.memory_cost
        key = scrypt.compute(password, salted, n=n, r=self.rounds, p=1, size=_KEY)
        encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        return encryptor.update(self.signer_key) + encryptor.finalize()

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return f"$firebase-scrypt${to_base64(salt)}${to_base64(tag)}"


def _standard(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def _is_base64(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        from_base64(_standard(text))
    except ValueError:
        return False
    return True
