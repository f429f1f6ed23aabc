"""What every format has in common: a digest is a cost, a salt and a tag."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from authcore.errors import ConfigurationError
from authcore.values import Value


class Cost(Protocol):
    """All of a digest but its salt and its tag. Hashable; what is equal costs the same to check."""

    @property
    def salt_bytes(self) -> int:
        """Answer the length of the salt."""
        ...

    @property
    def hash_bytes(self) -> int:
        """Answer the length of the tag."""
        ...

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password: the slow part."""
        ...

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        ...


class Parameters(Cost, Protocol):
    """A cost that an application may choose."""

    def check(self) -> None:
        """Raise ConfigurationError for what is under the floor (rule O1)."""
        ...

    def warning(self) -> str | None:
        """Answer a sentence on what is allowed and not advised."""
        ...


class Digest(Value, frozen=True):
    """A digest taken apart."""

    hidden = frozenset({"salt", "tag"})
    cost: Cost
    salt: bytes
    tag: bytes

    def opens_for(self, password: bytes) -> bool:
        """Tell whether the password is the digest's: the slow part."""
        return hmac.compare_digest(self.cost.derive(password, self.salt), self.tag)


class Wrapped(Value, frozen=True):
    """Another cost over a password that is prepared first; its digest stands behind a prefix."""

    prefix: str
    inner: Cost

    @property
    def salt_bytes(self) -> int:
        """Answer the length of the salt."""
        return self.inner.salt_bytes

    @property
    def hash_bytes(self) -> int:
        """Answer the length of the tag."""
        return self.inner.hash_bytes

    def prepare(self, password: bytes) -> bytes:
        """Answer what the inner cost is given."""
        return password

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """Answer the tag of a password."""
        return self.inner.derive(self.prepare(password), salt)

    def encode(self, salt: bytes, tag: bytes) -> str:
        """Answer the digest as text."""
        return self.prefix + self.inner.encode(salt, tag)


Parser: TypeAlias = Callable[[str], Digest | None]
"""Take a digest apart; None or a ValueError if it is of another format."""


class Reader(Protocol):
    """Formats that need a key of the system that the digests come from."""

    def check(self) -> None:
        """Raise ConfigurationError for what cannot be such a key."""
        ...

    def parse(self, text: str, inner: Parser) -> Digest | None:
        """Take a digest apart; `inner` knows the formats without a key."""
        ...


def require(kind: str, floors: dict[str, tuple[int, int]]) -> None:
    """Raise ConfigurationError for a value under its floor: `floors` has (value, floor) by name."""
    for name, (value, floor) in floors.items():
        if value < floor:
            raise ConfigurationError(f"hashing has {name}={value}: write {kind}({name}={floor}) or more.")


def whole_numbers(parameters: object, names: Iterable[str]) -> None:
    """Raise ConfigurationError for a field that is no whole number from 1."""
    for name in names:
        if type(value := getattr(parameters, name)) is not int or value < 1:
            raise ConfigurationError(f"{type(parameters).__name__}({name}={value!r}) is a whole number from 1.")


def to_base64(data: bytes) -> str:
    """Answer base64 without padding, as the PHC string format has it."""
    return base64.b64encode(data).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Answer the bytes of base64 with or without padding; raise ValueError."""
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
