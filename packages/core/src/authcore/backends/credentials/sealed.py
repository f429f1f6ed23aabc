"""Credentials that only this application can read: AES-256-GCM, everything inside (S56, rule T8).

A token is `<kind>.<sealed>`, both base64url. The sealed part is that of services/seal.py: version, key id, nonce,
ciphertext and tag, with kind, version and key id as the data that is authenticated beside.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec

from authcore.backends.credentials.stateless import Said, StatelessCredentialStore
from authcore.decode import convert
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.services.jwt import MAX_TOKEN, decoded, spell
from authcore.services.keys import KEY_SIZE, KeyRing, mac
from authcore.services.seal import Unsealable, seal, unseal
from authcore.stores import CredentialState, Denylist, InvalidConfig, InvalidToken, TokenTooLong

MIN_SALT = 16  # bytes, NIST SP 800-132 5.1
SCRYPT = {"n": 2**15, "r": 8, "p": 3}  # OWASP Password Storage; 32 MiB
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_PURPOSE = "credential."


def derive_key(passphrase: str, salt: bytes) -> bytes:
    """Answer a 32-byte key made of a passphrase by scrypt, in a fraction of a second: once, at the start.

    `salt` is at least 16 random bytes, made once (`secrets.token_bytes(16)`) and kept with the settings; it is no
    secret. Raises InvalidConfig for an empty passphrase or a short salt.
    """
    if type(passphrase) is not str or not passphrase:
        raise InvalidConfig("passphrase is a text that is not empty.")
    if type(salt) is not bytes or len(salt) < MIN_SALT:
        raise InvalidConfig("salt is at least 16 random bytes: make them once, by secrets.token_bytes(16).")
    return hashlib.scrypt(passphrase.encode(), salt=salt, dklen=KEY_SIZE, maxmem=2**26, **SCRYPT)


class SealedCredentialStore(StatelessCredentialStore):
    """A CredentialStore that holds nothing, and whose tokens tell their holder nothing but their kind.

    `key` is 32 random bytes, `keys` several with the newest first: the first seals, all open; or the KeyRing of an
    application. A passphrase goes through `derive_key`. Without a `denylist` nothing can be consumed, updated or
    revoked. Raises InvalidConfig.
    """

    def __init__(
        self,
        key: bytes | None = None,
        *,
        keys: Sequence[bytes] | KeyRing | None = None,
        denylist: Denylist | None = None,
        clock: Clock | None = None,
        random: Randomness | None = None,
    ) -> None:
        super().__init__(denylist, clock, random)
        if (key is None) == (keys is None):
            raise InvalidConfig("Give key=…, 32 random bytes such as secrets.token_bytes(32), or keys=[new, old].")
        self._keys = keys if isinstance(keys, KeyRing) else demands.sealing_keys([key] if keys is None else keys)

    async def _spell(self, jti: str, state: CredentialState, seed: bytes | None) -> str:
        try:
            inside = msgspec.to_builtins({"jti": jti, "state": state})
            written = msgspec.json.encode(inside)
        except TypeError as error:
            raise InvalidConfig(f"The claims are no JSON: {error}.") from None
        nonces = self._random if seed is None else _Nonce(self._keys, seed, written)
        sealed = seal(self._keys, nonces, _PURPOSE + state.kind, inside)
        token = f"{spell(state.kind.encode())}.{spell(sealed)}"
        if len(token) > MAX_TOKEN:
            raise TokenTooLong(f"The token has {len(token)} characters, of {MAX_TOKEN}: let the claims hold an id.")
        return token

    def _open(self, token: str) -> Said | None:
        if type(token) is not str or len(token) > MAX_TOKEN or not _FORM.match(token):
            return None
        kind, _, sealed = token.partition(".")
        try:
            purpose = decoded(kind).decode()
            inside = convert(unseal(self._keys, _PURPOSE + purpose, decoded(sealed)), _Inside)
        except (InvalidToken, Unsealable, UnicodeDecodeError, msgspec.ValidationError):
            return None
        return Said(inside.jti, inside.state)


class _Inside(msgspec.Struct, frozen=True):
    jti: str
    state: CredentialState


class _Nonce:
    """A Randomness whose bytes follow from a seed and from all that is sealed.

    One seed under two states would else be one nonce over two plaintexts, which gives away the key of the tags (NIST SP
    800-38D 8).
    """

    def __init__(self, keys: KeyRing, seed: bytes, written: bytes) -> None:
        self._keys = keys
        self._parts = seed, written

    def bytes(self, size: int, label: str) -> bytes:
        """Answer the nonce for `label`."""
        _, key = self._keys.current("seal-nonce")
        return mac(key, label.encode(), *self._parts)[:size]
