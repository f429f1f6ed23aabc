"""How passwords are stored: the algorithms by name, changing from one to another, digests of elsewhere, a pepper."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from sqlalchemy import update

from authcore.backends import hashing
from authcore.tables import metadata
from authcore_conformance.client import Transport
from authcore_conformance.world import CHEAP, EMAIL, PASSWORD, World

FORMATS = {
    "ARGON2ID_BALANCED": "$argon2id$v=19$m=32768,t=2,p=1$",
    "ARGON2ID_HIGH": "$argon2id$v=19$m=65536,t=4,p=1$",
    "BCRYPT_12": "$bcrypt-sha256$v=2,t=2b,r=12$",
    "SCRYPT_16384": "$scrypt$ln=14,r=8,p=1$",
    "PBKDF2_SHA256_600000": "$pbkdf2-sha256$i=600000$",
    "PBKDF2_SHA512_600000": "$pbkdf2-sha512$i=600000$",
}
# Of the suite's password, made by Django and by Werkzeug.
BROUGHT = {
    "django": "pbkdf2_sha256$1000$saltsaltsalt$OGEJe4CU4RzuZ3+G0xZg0KlV5hizHq+6sPiB6ZbPoMk=",
    "werkzeug": "pbkdf2:sha256:1000$saltsaltsalt$3861097b8094e11cee677f86d31660d0a955e618b31eafbab0f881e996cfa0c9",
}
PEPPER, NEXT = "a pepper of the suite's own, 0123456789", "the pepper after that one, 9876543210"


@pytest.fixture(params=FORMATS)
def chosen(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """Each algorithm with the parameters that have a name, and how its digests begin."""
    name = request.param
    if name.startswith("BCRYPT") and find_spec("bcrypt") is None:
        pytest.skip("the extra authcore[bcrypt] is not installed")
    return getattr(hashing, name), FORMATS[name]


def stored(world: World) -> str:
    """Answer the digest of the only user."""
    [row] = world.rows("authcore_password")
    return str(row["digest"])


def sign_in(world: World, password: str = PASSWORD, transport: Transport = "bearer") -> int:
    """Answer the status of a sign-in by somebody whom nobody has seen before."""
    return world.client(transport).sign_in(EMAIL, password).status


def test_the_default_is_argon2id(world: World) -> None:
    """S65: unless something else is chosen, 32,768 KiB, 2 passes, 1 lane, 16 bytes of salt and 32 of hash."""
    world.start(hashing=None)
    world.member()

    digest = stored(world)

    assert digest.startswith(FORMATS["ARGON2ID_BALANCED"])
    assert [len(part) for part in digest.split("$")[-2:]] == [22, 43]  # base64 of 16 and of 32 bytes


def test_another_algorithm_replaces_a_digest_at_sign_in(world: World, chosen: tuple[Any, str]) -> None:
    """S65, S66, S67, S68: the algorithm is read from the digest; after the next sign-in it is the chosen one's."""
    world.member()
    parameters, beginning = chosen
    world.start(hashing=parameters)

    first = sign_in(world)
    digest = stored(world)
    again, wrong = sign_in(world), sign_in(world, "fifteen other letters")

    assert (first, again, wrong) == (200, 200, 401)
    assert digest.startswith(beginning)
    assert stored(world) == digest
    assert PASSWORD not in digest


def test_a_wrong_password_replaces_nothing(world: World) -> None:
    """S68: only who knows the password changes how it is stored."""
    world.member()
    before = stored(world)
    world.start(hashing=hashing.SCRYPT_16384)

    assert sign_in(world, "fifteen other letters") == 401
    assert stored(world) == before


@pytest.mark.parametrize("system", BROUGHT)
def test_a_digest_of_elsewhere_opens_and_is_replaced(world: World, system: str) -> None:
    """S68: users come from another system with their passwords; at their first sign-in the digest becomes ours."""
    world.member()
    world.query(update(metadata.tables["authcore_password"]).values(digest=BROUGHT[system]))

    wrong, first, again = sign_in(world, "fifteen other letters"), sign_in(world), sign_in(world)

    assert (wrong, first, again) == (401, 200, 200)
    assert stored(world).startswith("$argon2id$")


def test_a_pepper_comes_and_is_changed(world: World) -> None:
    """T1: a pepper set later takes in the digests from before it, and so does the next while the first is listed."""
    world.member()
    seen = []

    for pepper in (PEPPER, [NEXT, PEPPER], NEXT):
        world.start(hashing=CHEAP, pepper=pepper)
        assert sign_in(world) == 200
        seen.append(stored(world))
    world.start(hashing=CHEAP, pepper=PEPPER)

    assert sign_in(world) == 401  # the database without its pepper
    assert all(digest.startswith("$peppered$k=") for digest in seen)
    assert seen[0] != seen[1] == seen[2]
