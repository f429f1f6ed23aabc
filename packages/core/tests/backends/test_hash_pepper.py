"""A pepper: without it a digest opens for nobody, and it can be changed without anybody noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authcore import Auth, ChallengeRequired, Password, SignedIn
from authcore.backends.hashing import CHEAP, Bcrypt, Hashing, Pbkdf2, Scrypt
from authcore.backends.hashing.choice import Formats
from authcore.backends.hashing.hashers import BlockingHasher
from authcore.backends.hashing.pool import HashPool
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking
from authcore.errors import InvalidCredentials
from authcore.ports import PasswordMismatch

OLD, NEW = "a first pepper of these tests, long enough", "the second pepper of these tests, long enough"
WHO = {"email": "ada@example.com", "password": "three quiet herons wade"}
COSTS = {"argon2id": CHEAP, "bcrypt": Bcrypt(4), "scrypt": Scrypt(n=16, r=1), "pbkdf2": Pbkdf2(iterations=1)}
every = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[..., BlockingHasher]]:
    """Make hashers with peppers."""
    pool = HashPool(1)
    yield lambda cost, *peppers: BlockingHasher(pool, Hashing(cost, peppers=peppers), SystemRandom())
    pool.dispose()


@every
def test_a_peppered_digest_opens(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """T1: with its pepper it opens for its password alone and asks for nothing; it names the key, no more."""
    hasher = make(cost, OLD)
    digest = run_blocking(hasher.hash("correct horse"))

    assert run_blocking(hasher.verify(digest, "correct horse")).needs_rehash is False
    assert digest.startswith("$peppered$k=")
    assert OLD not in digest
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(digest, "wrong horse"))


@every
def test_without_its_pepper_it_opens_for_nobody(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """T1: with no pepper, with another one, and with the key's name cut off, the right password is a wrong one."""
    digest = run_blocking(make(cost, OLD).hash("correct horse"))
    bare = digest[len("$peppered$k=") + 16 :]

    for hasher, text in ((make(cost), digest), (make(cost, NEW), digest), (make(cost, OLD), bare), (make(cost), bare)):
        with pytest.raises(PasswordMismatch):
            run_blocking(hasher.verify(text, "correct horse"))
    assert make(cost).knows(bare)
    assert not make(cost, NEW).knows(digest)


@every
def test_an_earlier_pepper_opens_and_is_replaced(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """T1: with the newest first, a digest of the earlier pepper opens, and should be made again."""
    earlier, hasher = make(cost, OLD), make(cost, NEW, OLD)
    digest = run_blocking(earlier.hash("correct horse"))

    assert run_blocking(hasher.verify(digest, "correct horse")).needs_rehash is True
    fresh = run_blocking(hasher.hash("correct horse"))
    assert run_blocking(make(cost, NEW).verify(fresh, "correct horse")).needs_rehash is False


@every
def test_a_digest_from_before_the_pepper_opens_and_is_replaced(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """T1: where a pepper is set later, digests without one open and should be made again."""
    digest = run_blocking(make(cost).hash("correct horse"))

    assert run_blocking(make(cost, OLD).verify(digest, "correct horse")).needs_rehash is True


@every
def test_a_dummy_is_peppered_like_its_model(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """A2: a dummy costs what its model does, pepper and all; like one whose pepper is gone, what is chosen does."""
    hasher, gone = make(cost, NEW, OLD), run_blocking(make(cost, "x" + OLD).hash("correct horse"))
    digest = run_blocking(make(cost, OLD).hash("correct horse"))
    formats = Formats(Hashing(cost, peppers=(NEW, OLD)))

    found, wanted = formats.read(hasher.dummy(digest)), formats.read(digest)

    assert found is not None
    assert wanted is not None
    assert found.cost == wanted.cost
    assert hasher.dummy(gone) == hasher.dummy() != hasher.dummy(digest)


@every
def test_the_salt_is_read_though_the_pepper_is_gone(make: Callable[..., BlockingHasher], cost: Any) -> None:
    """A registration that waits while the pepper is taken away is no 500."""
    digest, hasher = run_blocking(make(cost, OLD).hash("correct horse")), make(cost, NEW)

    again = run_blocking(hasher.hash("correct horse", hasher.salt(digest)))

    assert again != digest
    assert hasher.salt(again) == hasher.salt(digest)


def test_peppers_stand_in_no_repr() -> None:
    """O3: neither the setting nor what is read shows a pepper or its key."""
    hashing = Hashing(CHEAP, peppers=(OLD,))
    formats = Formats(hashing)

    assert OLD not in repr(hashing)
    assert "key=" not in repr(formats.chosen)


# --- through the front door ---


def test_a_pepper_comes_changes_and_nobody_notices(auth: Callable[..., Auth]) -> None:
    """T1: from no pepper to one to another, the user signs in each time, and afterwards the earlier one can go."""
    auth(Password(require_code=False)).blocking.password.sign_up(**WHO)

    for pepper in (OLD, [NEW, OLD], NEW):
        assert isinstance(auth(pepper=pepper).blocking.password.sign_in(**WHO), SignedIn)

    with pytest.raises(InvalidCredentials):
        auth(pepper=OLD).blocking.password.sign_in(**WHO)


def test_a_registration_outlives_its_pepper(auth: Callable[..., Auth]) -> None:
    """A13: signing up again, after the pepper was changed, is answered as ever."""
    first = auth(pepper=OLD).blocking.password.sign_up(**WHO)
    second = auth(pepper=NEW).blocking.password.sign_up(**WHO)

    assert isinstance(first, ChallengeRequired)
    assert isinstance(second, ChallengeRequired)
