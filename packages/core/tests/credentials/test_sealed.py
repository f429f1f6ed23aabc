"""Sealed credentials: AES-256-GCM, keys in a ring, nothing to be read and nothing to be moved (rule T8)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authcore.backends.credentials.sealed import SealedCredentialStore, derive_key
from authcore.drive import run_blocking as run
from authcore.services.keys import KeyRing
from authcore.stores import CredentialMetadata, CredentialState, InvalidConfig
from authcore.testing.ports import FrozenClock

KEY, OTHER = bytes(range(32)), bytes(range(100, 132))


def state(clock: FrozenClock, **more: Any) -> CredentialState:
    """A state that lives for a minute."""
    now = clock.now()
    return CredentialState(**{"user_id": "ada", "issued_at": now, "expires_at": now + timedelta(minutes=1), **more})


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_nothing_of_the_state_can_be_read(clock: FrozenClock) -> None:
    """S56: of a state its kind alone stands in clear."""
    secrets = {"user_id": "user-7731", "parent_credential_id": "family-7731"}
    metadata = CredentialMetadata(ip="203.0.113.7", label="label-7731")

    token = run(SealedCredentialStore(KEY, clock=clock).persist(state(clock, metadata=metadata, **secrets)))

    kind, _, sealed = token.partition(".")
    assert unb64(kind) == b"access"
    for hidden in (b"7731", b"203.0.113", b"2030", b"user"):
        assert hidden not in unb64(sealed)
        assert hidden.decode() not in token


def test_an_independent_reader_opens_it(clock: FrozenClock) -> None:
    """T8: version, key id, nonce, ciphertext and tag; kind, version and key id are authenticated beside."""
    keys = KeyRing([KEY.hex()])
    token = run(SealedCredentialStore(KEY, clock=clock).persist(state(clock)))
    raw = unb64(token.partition(".")[2])
    key_id, key = keys.current("seal/credential.access")

    opened = AESGCM(key).decrypt(raw[9:21], raw[21:], raw[:9] + b"credential.access")

    assert raw[:1] == b"\x01"
    assert raw[1:9].hex() == key_id
    assert b'"ada"' in opened


@pytest.mark.parametrize("part", ["kind", "version", "key id", "nonce", "body", "tag"])
def test_every_part_is_authenticated(clock: FrozenClock, part: str) -> None:
    """T8: a bit changed anywhere, or another kind before the same bytes, and nothing opens."""
    store = SealedCredentialStore(keys=[KEY, OTHER], clock=clock)
    kind, _, sealed = run(store.persist(state(clock))).partition(".")
    raw = bytearray(unb64(sealed))
    place = {"version": 0, "key id": 1, "nonce": 9, "body": 21, "tag": -1}.get(part)
    if place is None:
        kind = b64(b"refresh")
    else:
        raw[place] ^= 1

    assert run(store.retrieve(f"{kind}.{b64(bytes(raw))}")) is None


def test_the_id_of_another_key_opens_nothing(clock: FrozenClock) -> None:
    """T8: a token that names another key of the ring is not opened by it."""
    one, ring = SealedCredentialStore(KEY, clock=clock), SealedCredentialStore(keys=[OTHER, KEY], clock=clock)
    raw = bytearray(unb64(run(one.persist(state(clock))).partition(".")[2]))
    other = unb64(run(ring.persist(state(clock))).partition(".")[2])

    raw[1:9] = other[1:9]

    assert run(ring.retrieve(f"{b64(b'access')}.{b64(bytes(raw))}")) is None


def test_keys_rotate(clock: FrozenClock) -> None:
    """S33, T8: the newest seals, all open; when the old one goes, so does what it sealed."""
    old, both = SealedCredentialStore(KEY, clock=clock), SealedCredentialStore(keys=[OTHER, KEY], clock=clock)
    before, after = run(old.persist(state(clock))), run(both.persist(state(clock)))

    assert run(both.retrieve(before)) == run(both.retrieve(after)) == state(clock)
    assert run(old.retrieve(after)) is None
    assert run(SealedCredentialStore(OTHER, clock=clock).retrieve(before)) is None


def test_one_seed_is_never_one_nonce_over_two_states(clock: FrozenClock) -> None:
    """T8: AES-GCM under one nonce twice gives its key away; with a seed the nonce follows from the state as well."""
    store = SealedCredentialStore(KEY, clock=clock)
    seed = bytes(32)
    nonces = {
        unb64(run(store.persist(each, seed=seed)).partition(".")[2])[9:21]
        for each in (
            state(clock),
            state(clock, user_id="eve"),
            state(clock, kind="refresh"),
            state(clock, claims={"a": 1}),
        )
    }

    assert len(nonces) == 4
    for _ in range(200):
        nonces.add(unb64(run(store.persist(state(clock))).partition(".")[2])[9:21])
    assert len(nonces) == 204


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SealedCredentialStore(), "Give key="),
        (lambda: SealedCredentialStore(KEY, keys=[KEY]), "Give key="),
        (lambda: SealedCredentialStore(KEY[:31]), "derive_key"),
        (lambda: SealedCredentialStore(KEY + b"x"), "derive_key"),
        (lambda: SealedCredentialStore("a passphrase of 32 characters ..."), "derive_key"),
        (lambda: SealedCredentialStore(bytes(32)), "repeats"),
        (lambda: SealedCredentialStore(keys=[]), "at least one"),
        (lambda: SealedCredentialStore(keys=[KEY, b"short"]), "32 random bytes"),
    ],
)
def test_what_is_no_key_is_refused_with_a_sentence(make: Callable[[], Any], says: str) -> None:
    """T8: 32 bytes and nothing else; a passphrase is told where to go."""
    with pytest.raises(InvalidConfig, match=says) as raised:
        make()

    assert KEY.hex() not in str(raised.value)


def test_a_passphrase_is_stretched_with_a_salt_of_its_own() -> None:
    """T8: scrypt with N = 2^15, r = 8 over the salt that is given, which has to be one."""
    salt = bytes(range(16))

    key = derive_key("correct horse battery staple", salt)

    assert key == hashlib.scrypt(b"correct horse battery staple", salt=salt, n=2**15, r=8, p=3, dklen=32, maxmem=2**26)
    assert derive_key("correct horse battery staple", salt[::-1]) != key
    assert SealedCredentialStore(key) is not None
    for wrong in (b"", salt[:15], "a text of 16 char", None):
        with pytest.raises(InvalidConfig, match="salt"):
            derive_key("correct horse battery staple", wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="passphrase"):
        derive_key("", salt)
