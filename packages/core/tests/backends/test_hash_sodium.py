"""Libsodium makes the very same digests as argon2-cffi, wherever it can."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authcore.backends.hashing import ARGON2ID_BALANCED, CHEAP, HashParameters, argon2id

nacl = pytest.importorskip("nacl.bindings", reason="the extra authcore[sodium] is not installed")


@settings(max_examples=50, deadline=None)
@given(
    password=st.binary(max_size=300),
    salt=st.binary(min_size=16, max_size=16),
    memory=st.integers(8, 64),
    passes=st.integers(1, 4),
    size=st.integers(16, 64),
)
def test_both_make_the_same_tags(password: bytes, salt: bytes, memory: int, passes: int, size: int) -> None:
    """S65: for every password and cost that libsodium takes, its tag is argon2-cffi's."""
    cost = HashParameters(memory, passes, hash_bytes=size)

    assert argon2id._sodium(cost, password, salt) == argon2id.libargon2(cost, password, salt)


def test_the_standard_cost_is_computed_by_libsodium(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed it is asked, and argon2-cffi is not."""
    asked = _watch(monkeypatch)

    tag = ARGON2ID_BALANCED.derive(b"correct horse", bytes(16))

    assert asked == ["crypto_pwhash_alg"]
    assert tag == argon2id.libargon2(ARGON2ID_BALANCED, b"correct horse", bytes(16))


@pytest.mark.parametrize(
    ("cost", "salt"),
    [
        (HashParameters(16, 1, parallelism=2), bytes(16)),
        (HashParameters(8, 1, salt_bytes=24), bytes(24)),
        (HashParameters(8, 1, hash_bytes=8), bytes(16)),
    ],
)
def test_what_libsodium_cannot_is_argon2_cffi_s(
    cost: HashParameters, salt: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lanes, another length of salt and short tags are computed all the same."""
    asked = _watch(monkeypatch)

    tag = cost.derive(b"correct horse", salt)

    assert asked == []
    assert len(tag) == cost.hash_bytes


def test_without_the_extra_argon2_cffi_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes but the time."""
    with_it = CHEAP.derive(b"correct horse", bytes(16))
    asked = _watch(monkeypatch)
    monkeypatch.setattr(argon2id, "has_sodium", lambda: False)

    assert CHEAP.derive(b"correct horse", bytes(16)) == with_it
    assert asked == []


def test_libsodium_without_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A7: what the pool answers as `overloaded` is one kind of error, whoever computes."""
    from nacl.exceptions import RuntimeError as Failed

    def fail(*_: Any) -> bytes:
        raise Failed("Unexpected failure in key derivation")

    monkeypatch.setattr(nacl, "crypto_pwhash_alg", fail)

    with pytest.raises(MemoryError):
        CHEAP.derive(b"correct horse", bytes(16))


def test_declaring_and_choosing_load_no_library() -> None:
    """An `Auth` with any algorithm is a declaration: no library that hashes is loaded before there is a password."""
    program = """
import sys
from authcore import Auth
from authcore.backends import hashing
for name in ("ARGON2ID_BALANCED", "BCRYPT_12", "SCRYPT_131072", "PBKDF2_SHA256_600000"):
    Auth(secret='a secret of these tests, long enough', base_url='https://example.com', mailer=print,
         database='sqlite:///nowhere.db', hashing=getattr(hashing, name))
print({name.partition(".")[0] for name in sys.modules} & {"argon2", "bcrypt", "nacl", "_argon2_cffi_bindings"})
"""

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert ran.stdout.strip() == "set()"


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    real = nacl.crypto_pwhash_alg
    monkeypatch.setattr(nacl, "crypto_pwhash_alg", lambda *given: (asked.append("crypto_pwhash_alg"), real(*given))[1])
    return asked
