"""One secret, a key per purpose: HKDF-SHA256 (RFC 5869) with the info `authcore/<purpose>/1`.

Every keyed digest, sealed value and derived token stores its key id, so a rotation of the secret kills nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

KEY_SIZE = 32  # bytes


class KeyRing:
    """Secrets, newest first: the first makes, all verify. A function is asked for them at the first use."""

    def __init__(self, secrets: Sequence[str] | Callable[[], Sequence[str]]) -> None:
        self._secrets = secrets
        self._derived = lru_cache(maxsize=256)(_derive)

    @cached_property
    def _masters(self) -> dict[str, bytes]:
        secrets = self._secrets() if callable(self._secrets) else self._secrets
        return {_derive(secret.encode(), "key-id").hex()[:16]: secret.encode() for secret in secrets}

    def current(self, purpose: str) -> tuple[str, bytes]:
        """Answer the newest key's id and the 32-byte key for a purpose."""
        newest, master = next(iter(self._masters.items()))
        return newest, self._derived(master, purpose)

    def all(self, purpose: str) -> list[bytes]:
        """Answer every key for a purpose, the newest first."""
        return [self._derived(master, purpose) for master in self._masters.values()]

    def ids(self) -> list[str]:
        """Answer the ids of the keys, the newest first: opaque, and the same on every node."""
        return list(self._masters)

    def get(self, key_id: str, purpose: str) -> bytes | None:
        """Answer the key of an id, or None when it is no longer in the ring."""
        master = self._masters.get(key_id)
        return None if master is None else self._derived(master, purpose)


def mac(key: bytes, *parts: bytes) -> bytes:
    """Answer HMAC-SHA256 over the parts, each prefixed by its length, so that no two lists of parts look alike."""
    return hmac.digest(key, b"".join(len(part).to_bytes(4, "big") + part for part in parts), hashlib.sha256)


def _derive(master: bytes, purpose: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_SIZE, salt=None, info=f"authcore/{purpose}/1".encode()).derive(master)
