"""Passwords that Werkzeug hashed are checked by authcore, so that an application's users keep theirs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from authcore.backends.hashing import CHEAP, Hashing
from authcore.backends.hashing.choice import Formats

METHODS = ["scrypt", "scrypt:1024:4:2", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000", "pbkdf2:sha1:100000", "pbkdf2"]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=3, deadline=None)
@given(password=st.text(st.characters(codec="utf-8"), min_size=1, max_size=100))
def test_what_werkzeug_hashed_opens(method: str, password: str) -> None:
    """S68: for any password, the digest that the installed Werkzeug makes is known, opens, and opens for no other."""
    found = Formats(Hashing(CHEAP)).read(generate_password_hash(password, method))

    assert found is not None
    assert found.opens_for(password.encode())
    assert not found.opens_for(password.encode() + b"!")
