"""A pepper: passwords are keyed before they are hashed, so that a stolen database alone is not worth guessing on."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from typing import ClassVar

from authcore.backends.hashing.cost import Cost, Digest, Parser, Wrapped

_DIGEST = re.compile(r"(\$peppered\$k=([0-9a-f]{16}))(\$.+)")


class Peppered(Wrapped, frozen=True):
    """A hash over base64 of HMAC-SHA256 of the password."""

    hidden: ClassVar = frozenset({"key"})
    key: bytes

    def prepare(self, password: bytes) -> bytes:
        """Answer the keyed password, as text: no NUL and no lost byte in whatever hashes it."""
        return base64.b64encode(hmac.digest(self.key, password, "sha256"))


class PepperRing:
    """The peppers, newest first: the first makes, all verify."""

    def __init__(self, peppers: Sequence[str]) -> None:
        self._keys = {_derived(pepper, "key-id").hex()[:16]: _derived(pepper, "key") for pepper in peppers}

    def over(self, cost: Cost) -> Cost:
        """Answer the cost under the newest pepper; itself without any."""
        for key_id, key in self._keys.items():
            return Peppered(_prefix(key_id), cost, key)
        return cost

    def parse(self, text: str, inner: Parser) -> Digest | None:
        """Take a peppered digest apart; None if its pepper is gone."""
        found = _DIGEST.fullmatch(text)
        if found is None or found[2] not in self._keys:
            return None
        below = inner(found[3])
        return below and Digest(Peppered(found[1], below.cost, self._keys[found[2]]), below.salt, below.tag)


def without(text: str) -> str:
    """Answer the digest inside a peppered one, whatever its pepper; any other as it is."""
    found = _DIGEST.fullmatch(text)
    return found[3] if found else text


def _prefix(key_id: str) -> str:
    return f"$peppered$k={key_id}"


def _derived(pepper: str, purpose: str) -> bytes:
    return hmac.digest(pepper.encode(), f"authcore/pepper/{purpose}/1".encode(), "sha256")
