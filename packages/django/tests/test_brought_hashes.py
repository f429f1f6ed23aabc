"""Passwords that Django hashed are checked by authcore, so that a project's users keep theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import hashers
from hypothesis import given, settings
from hypothesis import strategies as st

from authcore.backends.hashing import CHEAP, Hashing
from authcore.backends.hashing.choice import Formats

KINDS: dict[str, tuple[type[Any], dict[str, int]]] = {
    "pbkdf2": (hashers.PBKDF2PasswordHasher, {"iterations": 1000}),
    "pbkdf2-sha1": (hashers.PBKDF2SHA1PasswordHasher, {"iterations": 100_000}),
    "argon2": (hashers.Argon2PasswordHasher, {"memory_cost": 64, "time_cost": 1}),
    "bcrypt-sha256": (hashers.BCryptSHA256PasswordHasher, {"rounds": 4}),
    "scrypt": (hashers.ScryptPasswordHasher, {"work_factor": 1024}),
}


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=5, deadline=None)
@given(password=st.text(st.characters(codec="utf-8"), min_size=1, max_size=100))
def test_what_django_hashed_opens(name: str, password: str) -> None:
    """S68: for any password, the digest that the installed Django makes is known, opens, and opens for no other."""
    if name == "bcrypt-sha256":
        pytest.importorskip("bcrypt")
    kind, costs = KINDS[name]
    hasher = type(kind.__name__, (kind,), costs)()

    found = Formats(Hashing(CHEAP)).read(hasher.encode(password, hasher.salt()))

    assert found is not None
    assert found.opens_for(password.encode())
    assert not found.opens_for(password.encode() + b"!")
