"""Scrypt (RFC 7914) through OpenSSL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from authcore.backends.hashing.cost import Digest, from_base64, require, to_base64
from authcore.errors import ConfigurationError

MIB = 2**20
_MOST_MEMORY = 1024 * MIB  # bytes: what a digest may make a worker take
LEAST_TAG = 16  # bytes
_MOST_WORK = 2**24  # N·r·p: ten seconds
_ADVISED = {16384: 5, 32768: 3, 65536: 2}  # p beside N, with r=8; OWASP
_DIGEST = re.compile(r"\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


@dataclass(frozen=True, slots=True)
class Scrypt:
    """The cost of one scrypt hash."""

    n: int = 16384  # a power of 2
    r: int = 8  # blocks of 128 bytes
    p: int = 1  # times over
    salt_bytes: int = 16
    hash_bytes: int = 32
    max_memory_mib: int = field(default=64, compare=False)  # MiB: more than this the application did not mean

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        floors = {"n": (self.n, 16384), "r": (self.r, 8)}  # OWASP, RFC 7914
        require("Scrypt", {**floors, "salt_bytes": (self.salt_bytes, 16), "hash_bytes": (self.hash_bytes, 32)})
        if memory(self.n, self.r, self.p) > self.max_memory_mib * MIB:
            needed = -(-memory(self.n, self.r, self.p) // MIB)
            raise ConfigurationError(
                f"Scrypt(n={self.n}, r={self.r}) takes more than max_memory_mib={self.max_memory_mib}: "
                f"write Scrypt(max_memory_mib={needed}), or a smaller n."
            )

    def warning(self) -> str | None:
        """Answer what OWASP asks for beside this N."""
        if self.r == 8 and self.p < (advised := _ADVISED.get(self.n, 1)):
            return f"Scrypt(n={self.n}, p={self.p}) is allowed and below what OWASP asks for: write p={advised}."
        return None

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return compute(password, salt, n=self.n, r=self.r, p=self.p, size=self.hash_bytes)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$scrypt$ln=…,r=…,p=…$salt$tag`."""
        cost = f"ln={self.n.bit_length() - 1},r={self.r},p={self.p}"
        return f"$scrypt${cost}${to_base64(salt)}${to_base64(tag)}"


def parse(text: str) -> Digest | None:
    """Take a digest of scrypt apart."""
    found = _DIGEST.fullmatch(text)
    if found is None:
        return None
    (log_n, r, p), (salt, tag) = map(int, found.group(1, 2, 3)), map(from_base64, found.group(4, 5))
    if not is_bearable(1 << log_n, r, p) or len(tag) < LEAST_TAG:
        return None
    return Digest(Scrypt(1 << log_n, r, p, len(salt), len(tag)), salt, tag)


def check_power(n: object) -> None:
    """Raise ConfigurationError for an N that scrypt has not."""
    if type(n) is not int or n < 2 or n & (n - 1):
        raise ConfigurationError(f"Scrypt(n={n!r}) is a power of 2, such as 16384.")


def is_bearable(n: int, r: int, p: int) -> bool:
    """Tell whether a digest of this cost may be checked: memory and minutes are everybody's."""
    # RFC 7914 2: N is a power of 2, and below 2^(16r).
    is_scrypt = n >= 2 and n & (n - 1) == 0 and n.bit_length() <= 16 * r
    return is_scrypt and memory(n, r, p) <= _MOST_MEMORY and n * r * p <= _MOST_WORK


def memory(n: int, r: int, p: int) -> int:
    """Answer the bytes that OpenSSL counts."""
    return 128 * r * (n + p + 2)


def compute(password: bytes, salt: bytes, *, n: int, r: int, p: int, size: int) -> bytes:
    """Answer the tag that OpenSSL computes."""
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, dklen=size, maxmem=memory(n, r, p) + MIB)
