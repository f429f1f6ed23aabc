"""Rules T1, T3 and T5 of opaque secrets: one spelling, one kind, known by a digest."""

from __future__ import annotations

import hashlib
import string
from base64 import urlsafe_b64decode
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore.backends.system import SystemRandom
from authcore.services import tokens
from authcore.services.tokens import Kind, digest, mint, must_digest, spell

KINDS = get_args(Kind)
kinds = st.sampled_from(KINDS)
raws = st.binary(min_size=tokens.SIZE, max_size=tokens.SIZE)
ALPHABET = string.ascii_letters + string.digits + "-_"


@given(kinds, raws)
def test_a_secret_has_one_spelling_that_is_read(kind: Kind, raw: bytes) -> None:
    """T3: 32 bytes are `ac1_<kind>_` and 43 signs of base64url; the digest is that of the whole text."""
    text = spell(kind, raw)

    assert len(text) == 7 + 43
    assert text.startswith(f"ac1_{kind}_")
    assert urlsafe_b64decode(text[7:] + "=") == raw
    assert digest(text, kind) == must_digest(text, kind) == hashlib.sha256(text.encode()).digest()


@given(kinds, kinds, raws)
def test_a_secret_of_one_kind_is_none_of_another(kind: Kind, other: Kind, raw: bytes) -> None:
    """T5: the digest of a secret is answered for its own kind alone."""
    assert (digest(spell(kind, raw), other) is not None) == (kind == other)


@given(kinds, raws, st.sampled_from(ALPHABET))
def test_the_last_sign_carries_no_free_bits(kind: Kind, raw: bytes, last: str) -> None:
    """T3: of the signs that decode to the same last byte, only the canonical one is read."""
    text = spell(kind, raw)
    other = text[:-1] + last

    read = digest(other, kind) is not None

    same_bytes = urlsafe_b64decode(other[7:] + "=") == raw
    assert read == (spell(kind, urlsafe_b64decode(other[7:] + "=")) == other)
    assert not (read and same_bytes and other != text)


@given(kinds, raws, st.sampled_from(["=", " ", "\n", "\0", "A", "\u0391", "%3D"]), st.booleans())
def test_nothing_may_stand_around_a_secret(kind: Kind, raw: bytes, extra: str, before: bool) -> None:
    """T3: padding, blanks, line ends and further signs make another text, which is no secret."""
    text = spell(kind, raw)

    assert digest(extra + text if before else text + extra, kind) is None


@given(st.text(max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    """Whatever a client sends in place of a secret is read as none."""
    for kind in KINDS:
        assert digest(text, kind) is None
        with pytest.raises(ValueError, match=kind):
            must_digest(text, kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ac1_at_",
        "ac1_at_" + "A" * 42,
        "ac1_at_" + "A" * 44,
        "ac2_at_" + "A" * 43,
        "AC1_AT_" + "A" * 43,
        "ac1_at-" + "A" * 43,
        "ac1_at_" + "A" * 42 + "B",
        "ac1_at_" + "A" * 41 + "+A",
        "ac1_at_" + "A" * 41 + "/A",
        "ac1_at_" + "\u0410" + "A" * 42,
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    """T3: another length, prefix, case or alphabet is no secret of this system."""
    assert digest(text, "at") is None


def test_minted_secrets_differ() -> None:
    """O4: each secret is drawn anew, 256 bits of it."""
    made = {mint(SystemRandom(), kind) for kind in KINDS for _ in range(50)}

    assert len(made) == 50 * len(KINDS)
