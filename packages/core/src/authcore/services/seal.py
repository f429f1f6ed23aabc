"""Values that only this application can read: AES-256-GCM (rule T8)."""

from __future__ import annotations

from typing import Any

import msgspec

from authcore.ports import Randomness
from authcore.services.keys import KeyRing

_NONCE = 12  # bytes, NIST SP 800-38D 5.2.1.1
_VERSION = 1


class Unsealable(Exception):
    """The value was sealed for something else, changed, or under a key that is gone."""


def seal(keys: KeyRing, random: Randomness, kind: str, value: Any) -> bytes:
    """Answer a JSON value sealed for `kind`: version, key id, nonce, ciphertext and tag."""
    key_id, key = keys.current(f"seal/{kind}")
    head = bytes([_VERSION]) + bytes.fromhex(key_id)
    nonce = random.bytes(_NONCE, f"seal/{kind}")
    sealed: bytes = _aead(key).encrypt(nonce, msgspec.json.encode(value), head + kind.encode())
    return head + nonce + sealed


def unseal(keys: KeyRing, kind: str, sealed: bytes) -> Any:
    """Answer the value sealed for `kind`; raise Unsealable."""
    head, nonce, body = sealed[:9], sealed[9 : 9 + _NONCE], sealed[9 + _NONCE :]
    key = keys.get(head[1:].hex(), f"seal/{kind}")
    if key is None or head[:1] != bytes([_VERSION]):
        raise Unsealable("no such key")
    return msgspec.json.decode(_open(key, nonce, body, head + kind.encode()))


def key_id(sealed: bytes) -> str:
    """Answer the id of the key that a value is sealed under."""
    return sealed[1:9].hex()


def _open(key: bytes, nonce: bytes, body: bytes, aad: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        opened: bytes = _aead(key).decrypt(nonce, body, aad)
    except (InvalidTag, ValueError) as error:
        raise Unsealable("not readable") from error
    return opened


def _aead(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
