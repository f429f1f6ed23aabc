"""Every algorithm: its digests open, say what they were made with, and ask for another hash when that has changed."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from authcore import Auth, Password
from authcore.backends.hashing import (
    ARGON2ID_BALANCED,
    ARGON2ID_HIGH,
    BCRYPT_12,
    CHEAP,
    PBKDF2_SHA256_600000,
    PBKDF2_SHA512_600000,
    SCRYPT_16384,
    SCRYPT_131072,
    Bcrypt,
    Hashing,
    HashParameters,
    Pbkdf2,
    Scrypt,
)
from authcore.backends.hashing import choice as choosing
from authcore.backends.hashing import hashers as making
from authcore.backends.hashing.argon2id import Sibling
from authcore.backends.hashing.choice import Formats
from authcore.backends.hashing.hashers import BlockingHasher
from authcore.backends.hashing.pool import HashPool
from authcore.backends.system import SystemRandom
from authcore.drive import Drive, run_blocking
from authcore.errors import ConfigurationError, Overloaded
from authcore.ports import PasswordMismatch
from authcore.services.passwords import passwords

NAMED = {
    "argon2id-balanced": ARGON2ID_BALANCED,
    "argon2id-high": ARGON2ID_HIGH,
    "bcrypt": BCRYPT_12,
    "scrypt": SCRYPT_16384,
    "scrypt-owasp": SCRYPT_131072,
    "pbkdf2-sha256": PBKDF2_SHA256_600000,
    "pbkdf2-sha512": PBKDF2_SHA512_600000,
}
QUICK = {
    "argon2id": CHEAP,
    "bcrypt": Bcrypt(rounds=4),
    "scrypt": Scrypt(n=16, r=1),
    "pbkdf2-sha256": Pbkdf2(iterations=1),
    "pbkdf2-sha512": Pbkdf2("sha512", iterations=1, salt_bytes=32, hash_bytes=64),
}
CHANGES: list[tuple[str, dict[str, int]]] = [
    ("argon2id", {"memory_kib": 16}),
    ("argon2id", {"time_cost": 2}),
    ("argon2id", {"parallelism": 2, "memory_kib": 16}),
    ("argon2id", {"salt_bytes": 24}),
    ("argon2id", {"hash_bytes": 48}),
    ("bcrypt", {"rounds": 5}),
    ("scrypt", {"n": 32}),
    ("scrypt", {"r": 2}),
    ("scrypt", {"p": 2}),
    ("scrypt", {"salt_bytes": 24}),
    ("scrypt", {"hash_bytes": 64}),
    ("pbkdf2-sha256", {"iterations": 2}),
    ("pbkdf2-sha256", {"salt_bytes": 24}),
    ("pbkdf2-sha256", {"hash_bytes": 64}),
    ("pbkdf2-sha512", {"iterations": 2}),
]
PAIRS = list(product(QUICK, QUICK))
every = pytest.mark.parametrize("name", QUICK)


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[[Any], BlockingHasher]]:
    """Make hashers of one pool."""
    pool = HashPool(1)
    yield lambda parameters: BlockingHasher(pool, parameters, SystemRandom())
    pool.dispose()


@every
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=st.text(max_size=200), other=st.text(max_size=200))
def test_a_digest_opens_for_its_password_alone(
    make: Callable[[Any], BlockingHasher], name: str, password: str, other: str
) -> None:
    """S68: whatever the password, its digest opens for it, for no other, and asks for nothing."""
    hasher = make(QUICK[name])
    digest = run_blocking(hasher.hash(password))

    match = run_blocking(hasher.verify(digest, password))

    assert match.needs_rehash is False
    if other != password:
        with pytest.raises(PasswordMismatch):
            run_blocking(hasher.verify(digest, other))


@every
@given(data=st.data())
def test_a_digest_is_what_was_written(name: str, data: Any) -> None:
    """S68: the parameters, the salt and the tag are read back from the text, and it fits its column."""
    cost = QUICK[name]
    salt, tag = (data.draw(st.binary(min_size=size, max_size=size)) for size in (cost.salt_bytes, cost.hash_bytes))

    found = Formats(Hashing(cost)).read(cost.encode(salt, tag))

    assert found is not None
    assert (found.cost, found.salt, found.tag) == (cost, salt, tag)
    assert len(cost.encode(salt, tag)) <= choosing.LONGEST


@every
def test_nothing_of_a_password_is_cut_off(make: Callable[[Any], BlockingHasher], name: str) -> None:
    """A4: neither 72 bytes nor a NUL ends a password, with any algorithm."""
    hasher, long = make(QUICK[name]), "x" * 4096
    digest = run_blocking(hasher.hash(long + "a\0b"))

    for other in (long + "b\0b", long + "a\0c", long + "a", "x" * 72):
        with pytest.raises(PasswordMismatch):
            run_blocking(hasher.verify(digest, other))
    assert run_blocking(hasher.verify(digest, long + "a\0b")).needs_rehash is False


@pytest.mark.parametrize(("made", "chosen"), PAIRS)
def test_another_algorithm_asks_for_another_hash(make: Callable[[Any], BlockingHasher], made: str, chosen: str) -> None:
    """S68: the algorithm is read from the digest; whichever is chosen, the others open and should be made again."""
    digest = run_blocking(make(QUICK[made]).hash("correct horse"))

    match = run_blocking(make(QUICK[chosen]).verify(digest, "correct horse"))

    assert match.needs_rehash is (made != chosen)


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_other_parameters_ask_for_another_hash(
    make: Callable[[Any], BlockingHasher], name: str, change: dict[str, int]
) -> None:
    """S68: a digest of the same algorithm with any other parameter opens and should be made again."""
    changed: Any = replace(QUICK[name], **change)
    digest = run_blocking(make(changed).hash("correct horse"))

    assert run_blocking(make(QUICK[name]).verify(digest, "correct horse")).needs_rehash is True
    assert run_blocking(make(changed).verify(digest, "correct horse")).needs_rehash is False


@every
def test_a_given_salt_makes_the_same_digest(make: Callable[[Any], BlockingHasher], name: str) -> None:
    """A13: with the salt read from a digest the same password hashes to the same digest, another to another."""
    hasher = make(QUICK[name])
    digest = run_blocking(hasher.hash("correct horse"))

    assert run_blocking(hasher.hash("correct horse", hasher.salt(digest))) == digest
    assert run_blocking(hasher.hash("wrong horse", hasher.salt(digest))) != digest


@pytest.mark.parametrize(("made", "chosen"), PAIRS)
def test_a_salt_of_another_algorithm_harms_nothing(
    make: Callable[[Any], BlockingHasher], made: str, chosen: str
) -> None:
    """A registration that waited while the algorithm changed is hashed as any other."""
    earlier, hasher = run_blocking(make(QUICK[made]).hash("correct horse")), make(QUICK[chosen])

    digest = run_blocking(hasher.hash("correct horse", hasher.salt(earlier)))

    assert run_blocking(hasher.verify(digest, "correct horse")).needs_rehash is False


@pytest.mark.parametrize(("like", "chosen"), PAIRS)
def test_a_dummy_costs_what_it_is_like(make: Callable[[Any], BlockingHasher], like: str, chosen: str) -> None:
    """A2: a dummy has algorithm, parameters and length of the digest that it is like, is kept, and opens for nobody."""
    digest, hasher = run_blocking(make(QUICK[like]).hash("correct horse")), make(QUICK[chosen])
    formats = Formats(Hashing(QUICK[chosen]))

    dummy = hasher.dummy(digest)

    found, wanted = formats.read(dummy), formats.read(digest)
    assert found is not None
    assert wanted is not None
    assert found.cost == wanted.cost
    assert (found.salt, found.tag) != (wanted.salt, wanted.tag)
    assert (len(dummy), hasher.dummy(digest)) == (len(digest), dummy)
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(dummy, "correct horse"))


@every
def test_without_a_model_a_dummy_costs_what_is_chosen(make: Callable[[Any], BlockingHasher], name: str) -> None:
    """A2: no digest, and one that nobody reads, are stood for by the parameters that are chosen."""
    hasher = make(QUICK[name])

    found = Formats(Hashing(QUICK[name])).read(hasher.dummy())

    assert found is not None
    assert found.cost == QUICK[name]
    assert hasher.dummy("!") == hasher.dummy()


def test_dummies_of_many_costs_take_no_more_memory(
    make: Callable[[Any], BlockingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests brought from elsewhere may have as many costs as there are: the dummies kept stay few."""
    monkeypatch.setattr(making, "MAX_DUMMIES", 5)
    hasher = make(CHEAP)

    for number in range(1, 20):
        hasher.dummy(Pbkdf2(iterations=number).encode(bytes(16), bytes(32)))

    assert len(hasher._dummies) <= 5


@every
def test_an_unreadable_digest_costs_a_hash(
    make: Callable[[Any], BlockingHasher], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: for a digest that opens for nobody, one hash of the chosen parameters is made all the same."""
    kind, derived = type(QUICK[name]), []
    real = kind.derive
    monkeypatch.setattr(kind, "derive", lambda self, *given: (derived.append(self), real(self, *given))[1])

    with pytest.raises(PasswordMismatch):
        run_blocking(make(QUICK[name]).verify("!", "correct horse"))

    assert derived == [QUICK[name]]


def test_known_digests_are_told_from_others(make: Callable[[Any], BlockingHasher]) -> None:
    """What is brought in can be validated first: a digest is known if a password could be checked against it."""
    hasher = make(CHEAP)

    assert all(hasher.knows(cost.encode(bytes(cost.salt_bytes), bytes(cost.hash_bytes))) for cost in NAMED.values())
    for text in ("", "!", "plain", "$6$salt$hash", "5f4dcc3b5aa765d61d8327deb882cf99", "md5$salt$5f4dcc3b5aa765d6"):
        assert not hasher.knows(text)


@pytest.mark.parametrize(
    "digest",
    [
        HashParameters(2**21 + 1).encode(bytes(16), bytes(32)),
        HashParameters(time_cost=65).encode(bytes(16), bytes(32)),
        HashParameters(2**20, 17).encode(bytes(16), bytes(32)),
        HashParameters(memory_kib=8, parallelism=2).encode(bytes(16), bytes(32)),
        HashParameters().encode(bytes(7), bytes(32)),
        "$argon2id$v=20$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        Bcrypt(rounds=18).encode(bytes(16), bytes(23)),
        Bcrypt(rounds=3).encode(bytes(16), bytes(23)),
        Scrypt(n=2**21).encode(bytes(16), bytes(32)),
        Scrypt(n=2**14, p=99, r=16).encode(bytes(16), bytes(32)),
        Scrypt(n=2**16, r=1).encode(bytes(16), bytes(32)),
        Scrypt().encode(bytes(16), bytes(15)),
        Pbkdf2(iterations=10_000_001).encode(bytes(16), bytes(32)),
        Pbkdf2().encode(bytes(16), bytes(7)),
        Pbkdf2().encode(bytes(400), bytes(32)),
    ],
)
def test_a_digest_that_would_take_everything_is_not_known(make: Callable[[Any], BlockingHasher], digest: str) -> None:
    """A7: a digest brought in cannot make a worker take gigabytes or minutes, nor fail inside an algorithm."""
    assert not make(CHEAP).knows(digest)


def test_siblings_of_argon2id_are_like_themselves(make: Callable[[Any], BlockingHasher]) -> None:
    """A2: argon2i, argon2d and the version before RFC 9106 are read, and their dummies are of their own kind."""
    hasher, formats = make(CHEAP), Formats(Hashing(CHEAP))

    for kind, version in product("id", (16, 19)):
        like = Sibling(kind, version, CHEAP).encode(bytes(16), bytes(32))
        assert formats.read(hasher.dummy(like)) is not None
        assert hasher.dummy(like).startswith(f"$argon2{kind}$v={version}$m=8,t=1,p=1$")


def test_the_digests_are_those_of_the_standards() -> None:
    """S65, S67, S68: the tags are what OpenSSL computes, written as the PHC string format has it."""
    pbkdf2, scrypt = PBKDF2_SHA512_600000, SCRYPT_16384
    salt = bytes(range(32))

    assert replace(pbkdf2, iterations=7).derive(b"pw", salt) == hashlib.pbkdf2_hmac("sha512", b"pw", salt, 7)
    assert scrypt.derive(b"pw", salt) == hashlib.scrypt(b"pw", salt=salt, n=16384, r=8, p=1, dklen=32)
    assert pbkdf2.encode(bytes(3), bytes(3)) == "$pbkdf2-sha512$i=600000$AAAA$AAAA"
    assert scrypt.encode(bytes(3), bytes(3)) == "$scrypt$ln=14,r=8,p=1$AAAA$AAAA"


def test_the_named_values_are_what_they_are_named_for() -> None:
    """S65, S66, S67, S68: the parameters, by name."""
    balanced, high = ARGON2ID_BALANCED, ARGON2ID_HIGH
    assert (balanced.memory_kib, balanced.time_cost, balanced.parallelism) == (32768, 2, 1)
    assert (balanced.salt_bytes, balanced.hash_bytes) == (16, 32)
    assert (high.memory_kib, high.time_cost, high.parallelism) == (65536, 4, 1)
    assert (PBKDF2_SHA256_600000.hash, PBKDF2_SHA256_600000.iterations) == ("sha256", 600_000)
    sha512 = PBKDF2_SHA512_600000
    assert (sha512.hash, sha512.iterations, sha512.salt_bytes) == ("sha512", 600_000, 32)
    assert BCRYPT_12.rounds == 12
    assert (SCRYPT_16384.n, SCRYPT_16384.r, SCRYPT_16384.p, SCRYPT_16384.max_memory_mib) == (16384, 8, 1, 64)


@every
def test_every_algorithm_runs_in_the_pool(
    make: Callable[[Any], BlockingHasher], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: hashing, comparing and what an unreadable digest costs are work of the pool, with any algorithm."""
    hasher, kind, threads = make(QUICK[name]), type(QUICK[name]), []
    real = kind.derive
    monkeypatch.setattr(
        kind, "derive", lambda self, *given: (threads.append(threading.current_thread().name), real(self, *given))[1]
    )

    digest = run_blocking(hasher.hash("correct horse"))
    run_blocking(hasher.verify(digest, "correct horse"))
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify("!", "correct horse"))

    assert len(threads) == 3
    assert all(thread.startswith("authcore-hash") for thread in threads)


@every
def test_every_algorithm_is_refused_by_a_full_pool(name: str) -> None:
    """A7: what could not begin within 2 s is overloaded at once, whatever would have hashed it."""
    pool, leave = HashPool(1), threading.Event()
    hasher = BlockingHasher(pool, QUICK[name], SystemRandom())
    digest = run_blocking(hasher.hash("correct horse"))
    pool._pace = 3.0  # seconds a hash, as if measured
    running = pool.submit(leave.wait)

    try:
        for act in (hasher.hash("correct horse"), hasher.verify(digest, "correct horse")):
            with pytest.raises(Overloaded) as caught:
                run_blocking(act)
            assert int(dict(caught.value.headers)["Retry-After"]) >= 2
    finally:
        leave.set()
        running.result(10)
        pool.dispose()


# --- what may start ---


@pytest.mark.parametrize("name", NAMED)
def test_the_named_values_may_start(name: str) -> None:
    """O1: whatever has a name, but for CHEAP, is above its floor."""
    assert choosing.checked(NAMED[name], dev=False).parameters == NAMED[name]


@pytest.mark.parametrize(
    ("parameters", "hint"),
    [
        (HashParameters(memory_kib=19455), r"HashParameters\(memory_kib=19456\)"),
        (HashParameters(time_cost=1), r"HashParameters\(time_cost=2\)"),
        (Bcrypt(rounds=9), r"Bcrypt\(rounds=10\)"),
        (Scrypt(n=8192), r"Scrypt\(n=16384\)"),
        (Scrypt(r=7), r"Scrypt\(r=8\)"),
        (Scrypt(n=2**17), r"max_memory_mib=129"),
        (Scrypt(salt_bytes=8), r"Scrypt\(salt_bytes=16\)"),
        (Pbkdf2(iterations=599_999), r"iterations=600000"),
        (Pbkdf2("sha512", iterations=209_999), r"iterations=210000"),
        (Pbkdf2(salt_bytes=8), r"Pbkdf2\(salt_bytes=16\)"),
        (Pbkdf2(hash_bytes=20), r"Pbkdf2\(hash_bytes=32\)"),
    ],
)
def test_what_is_under_its_floor_starts_in_development_alone(parameters: Any, hint: str) -> None:
    """O1: outside development it is refused with what to write."""
    assert choosing.checked(parameters, dev=True).parameters == parameters

    with pytest.raises(ConfigurationError, match=hint):
        choosing.checked(parameters, dev=False)


@pytest.mark.parametrize(
    "parameters",
    [
        HashParameters(memory_kib=2**21 + 1),
        HashParameters(memory_kib=7),
        HashParameters(salt_bytes=10**12),
        HashParameters(hash_bytes=10**12),
        Bcrypt(rounds=31),
        Scrypt(n=2**22, max_memory_mib=10**6),
        Scrypt(n=2**100, max_memory_mib=10**40),
        Pbkdf2(iterations=10**9),
        Pbkdf2("sha3"),
        Pbkdf2(hash=5),  # type: ignore[arg-type]
        Scrypt(n=10000),
        Scrypt(p=0),
        Bcrypt(rounds="12"),  # type: ignore[arg-type]
        Pbkdf2(iterations=True),
        Hashing(parameters=5),  # type: ignore[arg-type]
        Hashing(reads=5),  # type: ignore[arg-type]
        Hashing(reads=[5]),  # type: ignore[list-item]
        Hashing(peppers=["a pepper of these tests, long enough"]),
    ],
)
def test_what_is_no_cost_never_starts(parameters: Any) -> None:
    """O1: what no worker could bear, or no algorithm knows, is refused in a sentence, in development too."""
    with pytest.raises(ConfigurationError) as caught:
        choosing.checked(parameters, dev=True)

    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [(SCRYPT_16384, "p=5"), (Scrypt(n=32768, p=2), "p=3"), (Scrypt(n=16384, p=5), None), (SCRYPT_131072, None)],
)
def test_scrypt_with_too_little_beside_its_memory_warns(
    parameters: Scrypt, advice: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """O1: N=16384 with p=1 starts, and the log says what OWASP asks for."""
    with caplog.at_level(logging.WARNING, "authcore.hashing"):
        choosing.checked(parameters, dev=False)

    assert [advice in line for line in caplog.messages] == ([True] if advice else [])


def test_bcrypt_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: an application that chooses bcrypt and does not install it does not start."""
    monkeypatch.setattr("authcore.backends.hashing.bcrypt.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"authcore\[bcrypt\]"):
        choosing.checked(BCRYPT_12, dev=True)


def test_a_digest_of_bcrypt_without_the_extra_opens_for_nobody(
    make: Callable[[Any], BlockingHasher], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be checked is not known, a sign-in is refused and no crash, and the log says what to install."""
    from authcore.backends.hashing import bcrypt

    digest = run_blocking(make(Bcrypt(4)).hash("correct horse"))
    bcrypt._is_installed.cache_clear()
    monkeypatch.setattr(bcrypt, "find_spec", lambda name: None)
    try:
        assert not make(CHEAP).knows(digest)
        with pytest.raises(PasswordMismatch):
            run_blocking(make(CHEAP).verify(digest, "correct horse"))
    finally:
        bcrypt._is_installed.cache_clear()

    assert any("authcore[bcrypt]" in line for line in caplog.messages)


def test_what_has_no_memory_left_is_overloaded(
    make: Callable[[Any], BlockingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: where the system gives no memory for a hash, the answer is to come again, not a 500."""
    hasher = make(CHEAP)
    digest = run_blocking(hasher.hash("correct horse"))

    def fail(*_: Any) -> bytes:
        raise MemoryError

    monkeypatch.setattr(HashParameters, "derive", fail)

    for act in (hasher.hash("correct horse"), hasher.verify(digest, "correct horse"), hasher.verify("!", "a")):
        with pytest.raises(Overloaded):
            run_blocking(act)


# --- through the front door ---


@pytest.mark.parametrize("name", QUICK)
def test_a_sign_in_hashes_anew(auth: Callable[..., Auth], name: str) -> None:
    """S68: a user whose digest is of another algorithm signs in, and from then on has the chosen one."""
    who = {"email": "ada@example.com", "password": "three quiet herons wade"}
    earlier = QUICK["scrypt" if name == "argon2id" else "argon2id"]
    auth(Password(require_code=False), hashing=earlier).blocking.password.sign_up(**who)
    made = auth(hashing=QUICK[name])

    made.blocking.password.sign_in(**who)

    formats = Formats(Hashing(QUICK[name]))
    (digest,) = _digests(made)
    found = formats.read(digest)
    assert found is not None
    assert found.cost == QUICK[name]
    made.blocking.password.sign_in(**who)
    assert _digests(made) == [digest]


def _digests(made: Auth) -> list[str]:
    db = made.backends.ports(Drive.BLOCKING).db
    return run_blocking(db.read(lambda tx: list(tx.execute(select(passwords.c.digest)).scalars())))
