"""Digests that other systems made open, are never made, and always ask for another hash.

Each was made by the system that it is named after: Django 5.2, Werkzeug 3.1, libpass 1.9, bcrypt 5.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from authcore import Auth, Password, SignedIn
from authcore.backends.hashing import (
    CHEAP,
    Bcrypt,
    Firebase,
    FlaskSecurity,
    Hashing,
    Pbkdf2,
    Scrypt,
    choice,
)
from authcore.backends.hashing.choice import Formats
from authcore.backends.hashing.cost import Digest
from authcore.backends.hashing.hashers import BlockingHasher
from authcore.backends.hashing.pool import HashPool
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking
from authcore.errors import ConfigurationError, InvalidCredentials
from authcore.ports import PasswordMismatch
from authcore.services.passwords import passwords

PASSWORD = "three quiet herons wade"
FLASK = FlaskSecurity(password_salt="the salt of the application")
# The test vector of github.com/firebase/scrypt.
FIREBASE = Firebase(
    signer_key="jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    salt_separator="Bw==",
    rounds=8,
    memory_cost=14,
)
FIREBASE_HASH = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
FIREBASE_SALT = "42xEC+ixf3L2lw=="
READS = Hashing(CHEAP, reads=[FLASK, FIREBASE])
BROUGHT = {
    "django-pbkdf2": "pbkdf2_sha256$1000$iIGcJwpA0c9hl5Pw64PVuS$sIOhyHSwyL1De/HAeg2NCezrmAu5EXbHxu7C3NR0yvQ=",
    "django-pbkdf2-sha1": "pbkdf2_sha1$100000$BoIv6sMx1bIMYemM1cwIZY$Cp9EN5eK5W6wIgXk9iWpPlNHkTI=",
    "django-argon2": (
        "argon2$argon2id$v=19$m=64,t=1,p=8$enZUd0Q0TllFSThHYzYzcXNVY3ZWVw$i9K1z/sBOhZfiN84rAreee1ULFwx4wEMR/L0pbfpFBE"
    ),
    "django-bcrypt-sha256": "bcrypt_sha256$$2b$05$XbF6zruhx5aXYcss2wEQIuaEgeSq47g50GNHad1VbG2rrhKYGFGJm",
    "django-bcrypt": "bcrypt$$2b$05$KtvA2l49o8JDxsFeGzbbL.eJVtnKVoAp/gN.tNKHfutnhszxFWhjK",
    "django-scrypt": (
        "scrypt$1024$ZpcxmwgpYiRhgW86psJHp3$8$5$"
        "vExzX1FeuwaC+SQ1n6eYXhmaHr8YV5guyQ7hXbf0BX40kbFeVgQLXcjMWMb7HSbjDYGk7tufgOSx9ULo1fLLgg=="
    ),
    "werkzeug-scrypt": (
        "scrypt:1024:8:1$JWtI1GKpwqKumtEt$27bbb7fb32a397427c9e7bf207c661762e102d0254933b7d8a1c57da325bb4ea"
        "29f247503f67d916e98662dc5bf7db0729945f72cfe8674bb8e97e29f90ee2dc"
    ),
    "werkzeug-sha256": (
        "pbkdf2:sha256:1000$7y5EobC5hw6DmAuR$904fb44031cde501e09fb7cdc0a0ec6e94dcf759e2472bd889d83d5dc17ddb15"
    ),
    "werkzeug-sha512": (
        "pbkdf2:sha512:1000$FOQkXhrwI9e1ZufN$317d6e0ca65ef2fa8421cf1bd0970572bca6fdfe59772815df7a8c4429b60902"
        "311df4358368869582e6896c4fd22039336712c6bbd4b4995afdab99e55ad23a"
    ),
    "werkzeug-sha1": "pbkdf2:sha1:100000$68yfDOCx7JFY9aX7$db66bfca6e03540cd0d96340bbe524d0f145c48a",
    "passlib-sha256": "$pbkdf2-sha256$29000$ag3BmJMyBqD0XkuJ8d77Xw$kbaAH25sHDVrNeiArbtJACYJeweDZwwiyrp9phnhSG0",
    "passlib-sha512": (
        "$pbkdf2-sha512$25000$I0RIKeU8R6h1rlWqFcK4dw$"
        "1jWbygMNUsoquQrTZQfKLzHAC4qTP5K29ZGOZL9VaKO8sxAgxsBUhAJX2T708edIZIerNSl.Op5crh5Mxio2iw"
    ),
    "passlib-sha1": "$pbkdf2$131000$nXOOkVJqjbGWkrKWEoIwZg$bnoISfemXOW46S9R80lz2nmYdMA",
    "passlib-bcrypt-sha256": "$bcrypt-sha256$v=2,t=2b,r=5$dK1w7.e.2MRy3O1rPGbzXe$PBfeZZ6PpyvIIwQuEGIUaXFNMJ9meMu",
    "passlib-bcrypt-sha256-v1": "$bcrypt-sha256$2b,5$rmBtnUZ5sZTRYwO7vDkdkO$JLA6.tEizd55JIoqLL8yhjpFLfRmysq",
    "passlib-bcrypt-sha256-2a": "$bcrypt-sha256$2a,5$XgpPfKtD.1AIv7lLMvT6Z.$XWzQXfki1Ryw2KdyXyRzC333vBz4XCi",
    "passlib-scrypt": "$scrypt$ln=10,r=8,p=1$z5lz7p2zVur9v3dubU0JAQ$zk5tOrZvH/sM8lwM+MdM5Uz0Nl2qD9kRYTf2fgNtUgs",
    "passlib-argon2": (
        "$argon2id$v=19$m=64,t=1,p=4$CaGUsjYGQIjxvvdei5FS6g$5PARKpT8rV6KY+rREmI5S2DImIDkuOtTe0+0D68pPjg"
    ),
    "bcrypt-2b": "$2b$05$4gSq7xxDcTTYwU719g55r.xrFJiACXi5OVFcztojd5Pvpo1J8Na2.",
    "auth0": "$2a$05$toLJBjVsBItQYaTVtmolqePPS43fVbFh7HcObht4Eu4CamcpH4Kl6",
    "flask-security-argon2": FLASK.mark(
        "$argon2id$v=19$m=64,t=1,p=4$vNda692bU6p1zjmnlDIGYA$1gyllCKfGJRZPipjeeswtq1H3cKEniECSaR7B1Qk4i8"
    ),
    "flask-security-bcrypt": FLASK.mark("$2b$05$BMjbrWz21XsNvfRZcjQrJONVfm/kuz/0STEMGOWrho3h9Qztua0zm"),
    "flask-security-sha512": FLASK.mark(
        "$pbkdf2-sha512$25000$a00pJYTw3lurFYLQuvf.Xw$"
        "an3ApBSwHr.6ZOZlzp6Av/A9kCF9DuXdZ48ZnTR6U4bcegLsLoNzZAplWpPZLMC/mcW7kz5bS0Ui1Y4nY/C2sw"
    ),
}
every = pytest.mark.parametrize("name", BROUGHT)


@pytest.fixture(scope="module")
def hasher() -> Iterator[BlockingHasher]:
    """Answer a cheap hasher that reads what needs a key, too."""
    pool = HashPool(1)
    yield BlockingHasher(pool, READS, SystemRandom())
    pool.dispose()


@every
def test_a_digest_from_elsewhere_opens(hasher: BlockingHasher, name: str) -> None:
    """S68: it is known, opens for its password and no other, and asks for another hash."""
    assert hasher.knows(BROUGHT[name])

    match = run_blocking(hasher.verify(BROUGHT[name], PASSWORD))

    assert match.needs_rehash is True
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(BROUGHT[name], "four loud herons wade"))


@every
def test_its_dummy_costs_the_same(hasher: BlockingHasher, name: str) -> None:
    """A2: an unknown address among users brought from elsewhere costs what they cost, and its dummy opens for none."""
    formats = Formats(READS)

    dummy = hasher.dummy(BROUGHT[name])

    found, wanted = formats.read(dummy), formats.read(BROUGHT[name])
    assert found is not None
    assert wanted is not None
    assert found.cost == wanted.cost
    assert found.tag != wanted.tag
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(dummy, PASSWORD))


@every
def test_it_is_written_as_it_was_read(name: str) -> None:
    """What is read of a digest is all of it: its parts make the same text."""
    found = Formats(READS).read(BROUGHT[name])

    assert found is not None
    assert found.cost.encode(found.salt, found.tag) == BROUGHT[name]


@every
def test_no_choice_takes_it_for_its_own(name: str) -> None:
    """S68: whatever is chosen, above the floors, a digest from elsewhere is made again."""
    for chosen in (CHEAP, Bcrypt(), Scrypt(), Pbkdf2(), Pbkdf2("sha512", 600_000, 32, 64)):
        formats = Formats(Hashing(chosen, reads=READS.reads))
        found = formats.read(BROUGHT[name])
        assert found is not None
        assert found.cost != formats.chosen


def test_a_user_of_firebase_signs_in_with_the_same_password(hasher: BlockingHasher) -> None:
    """The published vector of Firebase opens, from an export in either alphabet of base64."""
    for written in (FIREBASE_HASH, FIREBASE_HASH.replace("/", "_").replace("+", "-").rstrip("=")):
        digest = FIREBASE.mark(password_hash=written, salt=FIREBASE_SALT)
        assert hasher.knows(digest)
        assert run_blocking(hasher.verify(digest, "user1password")).needs_rehash is True
        with pytest.raises(PasswordMismatch):
            run_blocking(hasher.verify(digest, "user2password"))


def test_the_dummy_of_firebase_costs_the_same(hasher: BlockingHasher) -> None:
    """A2: among users of Firebase an unknown address costs what they cost."""
    formats = Formats(READS)
    digest = FIREBASE.mark(password_hash=FIREBASE_HASH, salt=FIREBASE_SALT)

    found, wanted = formats.read(hasher.dummy(digest)), formats.read(digest)

    assert found is not None
    assert wanted is not None
    assert found.cost == wanted.cost
    assert found.tag != wanted.tag


def test_what_needs_a_key_is_not_known_without_it() -> None:
    """A digest of Flask-Security or Firebase is none where its key was not declared, and one key is not another's."""
    bare = Formats(Hashing(CHEAP))
    other = Formats(Hashing(CHEAP, reads=[FlaskSecurity("another salt"), Firebase(signer_key="AAAA")]))
    firebase = FIREBASE.mark(password_hash=FIREBASE_HASH, salt=FIREBASE_SALT)

    assert bare.read(BROUGHT["flask-security-argon2"]) is None
    assert bare.read(firebase) is None
    assert other.read(firebase) is None
    found = other.read(BROUGHT["flask-security-argon2"])
    assert found is not None
    assert not found.opens_for(PASSWORD.encode())


def test_bcrypt_of_elsewhere_looks_at_72_bytes(hasher: BlockingHasher) -> None:
    """A4: a long password opens what was cut off elsewhere, and whatever is made of it afterwards counts to its end."""
    cut = "$2b$05$3gvT7ByFuCoCJBSpSRuzlu5VxjPNtmFCjQzYiRpbq9en2eu2a22fu"  # of 80 times x, by 72 of them

    assert run_blocking(hasher.verify(cut, "x" * 80)).needs_rehash is True
    fresh = run_blocking(hasher.hash("x" * 80))
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(fresh, "x" * 79))


def test_a_nul_before_bcrypt_of_elsewhere_is_a_mismatch(hasher: BlockingHasher) -> None:
    """A password that bcrypt elsewhere could not have is refused, never a 500."""
    with pytest.raises(PasswordMismatch):
        run_blocking(hasher.verify(BROUGHT["bcrypt-2b"], "three\0quiet"))


@pytest.mark.parametrize(
    "digest",
    [
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2_sha1$99999$BoIv6sMx1bIMYemM1cwIZY$Cp9EN5eK5W6wIgXk9iWpPlNHkTI=",
        "pbkdf2_sha256$999$iIGcJwpA0c9hl5Pw64PVuS$sIOhyHSwyL1De/HAeg2NCezrmAu5EXbHxu7C3NR0yvQ=",
        "pbkdf2_sha256$10000001$iIGcJwpA0c9hl5Pw64PVuS$sIOhyHSwyL1De/HAeg2NCezrmAu5EXbHxu7C3NR0yvQ=",
        "pbkdf2_sha256$1000$iIGcJwpA0c9hl5Pw64PVuS$sIOhyHSwyL1De",
        "pbkdf2:sha256:999$7y5EobC5hw6DmAuR$904fb44031cde501e09fb7cdc0a0ec6e94dcf759e2472bd889d83d5dc17ddb15",
        "pbkdf2:sha1:1000$68yfDOCx7JFY9aX7$db66bfca6e03540cd0d96340bbe524d0f145c48a",
        "pbkdf2:md5:100000$68yfDOCx7JFY9aX7$db66bfca6e03540cd0d96340bbe524d0",
        "scrypt:1000:8:1$JWtI1GKpwqKumtEt$27bbb7fb32a397427c9e7bf207c66176",
        "scrypt:4194304:8:1$JWtI1GKpwqKumtEt$27bbb7fb32a397427c9e7bf207c66176",
        "scrypt$1000$ZpcxmwgpYiRhgW86psJHp3$8$5$vExzX1FeuwaC+SQ1n6eYXhmaHr8YV5guyQ7hXbf0BX4=",
        "$2x$05$4gSq7xxDcTTYwU719g55r.xrFJiACXi5OVFcztojd5Pvpo1J8Na2.",
        "$2b$31$4gSq7xxDcTTYwU719g55r.xrFJiACXi5OVFcztojd5Pvpo1J8Na2.",
        "bcrypt$$2b$31$4gSq7xxDcTTYwU719g55r.xrFJiACXi5OVFcztojd5Pvpo1J8Na2.",
        "$flask-security",
        "$flask-security$flask-security$2b$05$4gSq7xxDcTTYwU719g55r.xrFJiACXi5OVFcztojd5Pvpo1J8Na2.",
        "$firebase-scrypt$AAAA$A",
        "$firebase-scrypt$AAAA$AAAA",
    ],
)
def test_what_is_too_weak_or_too_dear_is_not_known(hasher: BlockingHasher, digest: str) -> None:
    """A7: neither what hardly is a hash nor what would take a worker for minutes is brought in."""
    assert not hasher.knows(digest)


@pytest.mark.parametrize(
    "reader",
    [
        FlaskSecurity(""),
        FlaskSecurity(5),  # type: ignore[arg-type]
        FlaskSecurity,
        Firebase("!"),
        Firebase(""),
        Firebase(5),  # type: ignore[arg-type]
        Firebase("AAAA", salt_separator="!"),
        Firebase("AAAA", rounds=0),
        Firebase("AAAA", memory_cost=33),
        Firebase("AAAA", memory_cost=25),
        Firebase("AAAA", memory_cost="14"),  # type: ignore[arg-type]
    ],
)
def test_a_key_that_is_none_does_not_start(reader: Any) -> None:
    """O1: it is refused with a sentence, at start."""
    with pytest.raises(ConfigurationError) as caught:
        choice.checked(Hashing(reads=[reader]), dev=True)

    assert str(caught.value).endswith(".")


def test_keys_stand_in_no_repr() -> None:
    """O3: neither what is declared nor what was read shows a key, a salt or a tag."""
    read = Formats(READS).read(FIREBASE.mark(password_hash=FIREBASE_HASH, salt=FIREBASE_SALT))
    keyed = Formats(READS).read(BROUGHT["flask-security-bcrypt"])

    told = repr([READS, read, keyed])

    assert read is not None
    assert keyed is not None
    for secret in (
        FLASK.password_salt,
        FIREBASE.signer_key,
        base64.b64decode(FIREBASE.signer_key),
        read.tag,
        keyed.tag,
    ):
        assert str(secret) not in told
    assert (str(read.salt) in told, str(keyed.salt) in told) == (False, False)


@every
def test_an_unknown_address_costs_what_they_cost(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A2: where everybody was brought from elsewhere, an address without an account is compared at the same cost."""
    made = auth(Password(require_code=False), hashing=READS)
    made.blocking.password.sign_up(email="ada@example.com", password="not the one that was brought")
    inside(made).write(lambda tx: tx.execute(update(passwords).values(digest=BROUGHT[name])))
    compared: list[Any] = []
    real = Digest.opens_for
    monkeypatch.setattr(
        Digest, "opens_for", lambda self, password: (compared.append(self.cost), real(self, password))[1]
    )

    for email in ("ada@example.com", "nobody@example.com"):
        with pytest.raises(InvalidCredentials):
            made.blocking.password.sign_in(email=email, password="four loud herons wade")

    wanted = Formats(READS).read(BROUGHT[name])
    assert wanted is not None
    assert compared == [wanted.cost] * 2


@pytest.mark.parametrize("name", ["django-pbkdf2", "werkzeug-scrypt", "auth0", "flask-security-argon2"])
def test_a_user_brought_from_elsewhere_signs_in(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any], name: str
) -> None:
    """S68: nobody needs a reset: the first sign-in checks the digest of elsewhere, and leaves one of the chosen."""
    made = auth(Password(require_code=False), hashing=READS)
    made.blocking.password.sign_up(email="ada@example.com", password="not the one that was brought")
    world, digest = inside(made), passwords.c.digest
    world.write(lambda tx: tx.execute(update(passwords).values(digest=BROUGHT[name])))

    first = made.blocking.password.sign_in(email="ada@example.com", password=PASSWORD)
    stored = world.read(lambda tx: tx.execute(select(digest)).scalar_one())
    second = made.blocking.password.sign_in(email="ada@example.com", password=PASSWORD)

    assert isinstance(first, SignedIn)
    assert isinstance(second, SignedIn)
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
