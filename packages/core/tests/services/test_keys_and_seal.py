"""Rules T8 and O4: a key per purpose from one secret, and values that only this application can read."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore.backends.system import SystemRandom
from authcore.services.keys import KeyRing, mac
from authcore.services.seal import Unsealable, seal, unseal

OLD, NEW = "an older secret of these tests, as long", "a newer secret of these tests, as long"
RANDOM = SystemRandom()
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


# --- keys ---


def test_each_purpose_has_a_key_of_its_own() -> None:
    """HKDF separates purposes: no key of one is a key of another, and none is the secret."""
    ring = KeyRing([NEW])
    purposes = ["code", "refresh", "seal/effect", "seal/challenge/sign_up", ""]

    keys = [ring.current(purpose)[1] for purpose in purposes]

    assert len(set(keys)) == len(purposes)
    assert {len(key) for key in keys} == {32}
    assert NEW.encode() not in keys


def test_the_key_of_a_purpose_is_that_of_rfc_5869() -> None:
    """HKDF-SHA256 without salt, with the info `authcore/<purpose>/1`."""
    extracted = hmac.digest(b"\0" * 32, NEW.encode(), "sha256")
    expanded = hmac.digest(extracted, b"authcore/code/1\x01", "sha256")

    assert KeyRing([NEW]).current("code")[1] == expanded


def test_after_a_rotation_the_older_key_is_still_found() -> None:
    """O4: the first secret makes, all verify; a key whose secret was taken out is gone."""
    before, during, after = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    old_id, old_key = before.current("code")

    new_id, new_key = during.current("code")

    assert (new_id, new_key) == after.current("code") != (old_id, old_key)
    assert during.get(old_id, "code") == old_key
    assert after.get(old_id, "code") is None


def test_a_key_id_tells_nothing_of_the_secret() -> None:
    """T1: ids are stored in the open: 16 hex signs that are no part of any key."""
    ring = KeyRing([OLD])
    key_id, key = ring.current("code")

    assert len(key_id) == 16
    assert bytes.fromhex(key_id) not in key
    assert key_id not in OLD


def test_a_ring_prints_no_secret() -> None:
    """O3: neither the secret nor a key stands in a repr."""
    ring = KeyRing([NEW, OLD])
    ring.current("code")

    assert NEW not in repr(ring) + str(vars(ring).keys())


def test_secrets_may_be_asked_for_later_and_once() -> None:
    """O5: a ring made from a function asks it at the first use."""
    asked = []

    def secrets() -> list[str]:
        asked.append(1)
        return [NEW]

    ring = KeyRing(secrets)
    before = len(asked)
    ring.current("code")
    ring.current("refresh")

    assert (before, len(asked)) == (0, 1)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_no_two_lists_of_parts_have_one_mac(one: list[bytes], other: list[bytes]) -> None:
    """T6: each part is prefixed by its length, so moving a boundary changes the MAC."""
    key = b"k" * 32

    assert (mac(key, *one) == mac(key, *other)) == (one == other)


# --- sealing ---


@given(values)
def test_a_sealed_value_comes_back(value: Any) -> None:
    """T8: what is sealed for a kind is unsealed for it, unchanged."""
    ring = KeyRing([NEW])

    assert unseal(ring, "effect", seal(ring, RANDOM, "effect", value)) == value


def test_a_sealed_value_is_bound_to_its_kind() -> None:
    """T8: the kind stands in the key and in the authenticated data: nothing opens as something else."""
    ring = KeyRing([NEW])
    sealed = seal(ring, RANDOM, "challenge/sign_up", {"digest": "x"})

    for kind in ("effect", "challenge/reset", "challenge/sign_u", ""):
        with pytest.raises(Unsealable):
            unseal(ring, kind, sealed)


@given(st.data())
def test_a_changed_value_is_unsealable(data: st.DataObject) -> None:
    """T8: every byte is authenticated: version, key id, nonce, text and tag."""
    ring = KeyRing([NEW, OLD])
    sealed = bytearray(seal(ring, RANDOM, "effect", {"to": "ada@example.com"}))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Unsealable):
        unseal(ring, "effect", bytes(sealed))


@given(st.binary(max_size=60))
def test_any_bytes_are_unsealable(raw: bytes) -> None:
    """T8: whatever stands in a column is opened or refused, and never another error."""
    with pytest.raises(Unsealable):
        unseal(KeyRing([NEW]), "effect", raw)


def test_a_cut_value_is_unsealable() -> None:
    """T8: no prefix of a sealed value opens."""
    ring = KeyRing([NEW])
    sealed = seal(ring, RANDOM, "effect", None)

    for length in range(len(sealed)):
        with pytest.raises(Unsealable):
            unseal(ring, "effect", sealed[:length])


def test_a_value_outlives_a_rotation_and_not_its_key() -> None:
    """O4: sealed under the older secret it opens while that is in the ring."""
    sealed = seal(KeyRing([OLD]), RANDOM, "effect", 7)

    assert unseal(KeyRing([NEW, OLD]), "effect", sealed) == 7
    with pytest.raises(Unsealable):
        unseal(KeyRing([NEW]), "effect", sealed)


def test_sealing_twice_gives_two_texts() -> None:
    """T8: each sealing draws its own nonce, so equal values do not look equal."""
    ring = KeyRing([NEW])

    assert seal(ring, RANDOM, "effect", "same") != seal(ring, RANDOM, "effect", "same")
