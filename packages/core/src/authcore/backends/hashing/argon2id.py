"""Argon2 (RFC 9106): argon2id is made, its siblings are read. libsodium computes it where it is installed and can."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from authcore.backends.hashing.cost import Digest, from_base64, require, to_base64
from authcore.values import Value

VERSION = 19  # RFC 9106
_MOST_MEMORY = 2**21  # KiB: what a digest may make a worker take
_MOST_PASSES, _MOST_LANES = 64, 64
_MOST_WORK = 2**24  # KiB times passes: ten seconds
_KINDS = {"d": 0, "i": 1, "id": 2}  # RFC 9106 3.2
_SODIUM_SALT, _SODIUM_LEAST = 16, 16  # bytes of salt, and least bytes of tag, that libsodium knows
_DIGEST = re.compile(
    r"\$argon2(id|i|d)(?:\$v=([1-9][0-9]?))?\$m=([1-9][0-9]{0,7}),t=([1-9][0-9]?),p=([1-9][0-9]?)"
    r"\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


@dataclass(frozen=True, slots=True)
class HashParameters:
    """The cost of one argon2id hash."""

    memory_kib: int = 32768  # KiB
    time_cost: int = 2  # passes
    parallelism: int = 1  # lanes
    salt_bytes: int = 16
    hash_bytes: int = 32

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        require("HashParameters", {name: (getattr(self, name), floor) for name, floor in _FLOOR.items()})

    def warning(self) -> str | None:
        """Answer nothing: whatever is above the floor is advised."""
        return None

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        if has_sodium() and self._suits_sodium(salt):
            return _sodium(self, password, salt)
        return libargon2(self, password, salt)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text: `$argon2id$v=19$m=…,t=…,p=…$salt$tag`."""
        return _encode("id", VERSION, self, salt, tag)

    def _suits_sodium(self, salt: bytes) -> bool:
        return self.parallelism == 1 and len(salt) == _SODIUM_SALT and self.hash_bytes >= _SODIUM_LEAST


_FLOOR = {
    "memory_kib": 19456,
    "time_cost": 2,
    "parallelism": 1,
    "salt_bytes": 16,
    "hash_bytes": 32,
}  # OWASP, RFC 9106


class Sibling(Value, frozen=True):
    """Argon2i, argon2d, or an earlier version, as other systems made them."""

    kind: str
    version: int
    parameters: HashParameters

    @property
    def salt_bytes(self) -> int:
        """Answer the length of the salt."""
        return self.parameters.salt_bytes

    @property
    def hash_bytes(self) -> int:
        """Answer the length of the tag."""
        return self.parameters.hash_bytes

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return libargon2(self.parameters, password, salt, kind=self.kind, version=self.version)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return _encode(self.kind, self.version, self.parameters, salt, tag)


def parse(text: str) -> Digest | None:
    """Take a digest of argon2 apart."""
    found = _DIGEST.fullmatch(text)
    if found is None:
        return None
    memory, passes, lanes = (int(number) for number in found.group(3, 4, 5))
    salt, tag = (from_base64(part) for part in found.group(6, 7))
    # RFC 9106 3.1: eight blocks a lane and eight bytes of salt at least, four of tag.
    if memory < 8 * lanes or len(salt) < 8 or len(tag) < 4:
        return None
    # A digest from elsewhere must not take the memory or the minutes of everybody.
    if memory > _MOST_MEMORY or passes > _MOST_PASSES or lanes > _MOST_LANES or memory * passes > _MOST_WORK:
        return None
    parameters = HashParameters(memory, passes, lanes, len(salt), len(tag))
    kind, version = found[1], int(found[2] or 16)
    if (kind, version) == ("id", VERSION):
        return Digest(parameters, salt, tag)
    return Digest(Sibling(kind, version, parameters), salt, tag) if version in (16, VERSION) else None


def _encode(kind: str, version: int, parameters: HashParameters, salt: bytes, tag: bytes) -> str:
    cost = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2{kind}$v={version}${cost}${to_base64(salt)}${to_base64(tag)}"


@cache
def has_sodium() -> bool:
    """Tell whether libsodium is installed: the extra `authcore[sodium]`."""
    return find_spec("nacl") is not None


def libargon2(
    parameters: HashParameters, password: bytes, salt: bytes, *, kind: str = "id", version: int = VERSION
) -> bytes:
    """Answer the tag that argon2-cffi computes; raise MemoryError."""
    from argon2 import low_level
    from argon2.exceptions import HashingError

    try:
        return low_level.hash_secret_raw(
            password,
            salt,
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
            hash_len=parameters.hash_bytes,
            type=low_level.Type(_KINDS[kind]),
            version=version,
        )
    except HashingError as error:
        raise MemoryError(str(error)) from error  # the parser refuses whatever else libargon2 would


def _sodium(parameters: HashParameters, password: bytes, salt: bytes) -> bytes:
    from nacl import bindings
    from nacl.exceptions import RuntimeError as OutOfMemory

    passes, memory = parameters.time_cost, parameters.memory_kib * 1024
    try:
        found: bytes = bindings.crypto_pwhash_alg(
            parameters.hash_bytes, password, salt, passes, memory, bindings.crypto_pwhash_ALG_ARGON2ID13
        )
    except OutOfMemory as error:
        raise MemoryError(str(error)) from error
    return found
