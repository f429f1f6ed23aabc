"""The room `password`: which addresses and passwords it takes."""

from __future__ import annotations

import pytest

from authcore import Password, Sessions
from authcore_conformance.world import EMAIL, PASSWORD, World


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("fourteen chars", "too_short"),
        ("\ufdfa", "too_short"),  # eighteen code points once normalised
        ("a" * 257, "too_long"),
        ("passwordpassword", "password_too_common"),
        ("aaaaaaaaaaaaaaaaaaaa", "password_too_common"),
        ("ada@example.com", "password_too_personal"),
    ],
)
def test_a_weak_password_is_refused(world: World, password: str, code: str) -> None:
    """A4, S64: short, common and personal passwords are refused with a field code, and nothing is mailed."""
    reply = world.client().sign_up(EMAIL, password)

    assert (reply.status, reply.fields) == (422, {"password": code})
    assert password.encode() not in reply.body
    assert world.mails() == []


@pytest.mark.parametrize(
    "password", ["x1" + "ab cd ef gh" * 11, "päßwörter, viele 🔑 und mehr", "  blanks  are kept  "]
)
def test_a_long_password_is_taken_whole(world: World, password: str) -> None:
    """A4: at least 128 code points, every character, blanks at the ends too; nothing is cut."""
    client = world.client()
    started = client.sign_up(EMAIL, password)
    assert client.verify(started, world.code()).status == 200

    assert world.client().sign_in(EMAIL, password).status == 200
    assert world.client().sign_in(EMAIL, password[:-1]).status == 401


def test_spellings_of_one_password_are_the_same(world: World) -> None:
    """A4: passwords are compared after NFKC, so that another keyboard types the same."""
    composed, decomposed = "caf\u00e9 con leche, dos", "cafe\u0301 con leche, dos"
    client = world.client()
    assert client.verify(client.sign_up(EMAIL, composed), world.code()).status == 200

    reply = world.client().sign_in(EMAIL, decomposed)

    assert reply.status == 200


def test_a_digit_is_asked_for_only_where_it_is_set(world: World) -> None:
    """S64: `require_number` is off by default."""
    world.start(features=[Password(require_number=True), Sessions()])

    refused = world.client().sign_up(EMAIL, PASSWORD)
    taken = world.client().sign_up(EMAIL, f"{PASSWORD} 12")

    assert refused.fields == {"password": "password_needs_number"}
    assert taken.status == 202


@pytest.mark.parametrize(
    "email",
    [
        *(
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "ada@@example.com",
            "ada@example..com",
        ),
        *("adä@example.com", "ada@exam_ple.com", "ada@-example.com", ".ada@example.com", "ada@10.0.0.1"),
        *("ada@example.com\nBcc: eve@example.com", "a" * 65 + "@example.com", "ada@" + "a" * 260 + ".com"),
        # What mail programs read as another address, or as several.
        *("=?utf-8?q?eve=40evil.example=2c?=@example.com", "ada=?utf-8?b?yq==?=@example.com"),
        *('"ada,eve"@example.com', "ada,eve@example.com", "<ada>@example.com", "ada(eve)@example.com"),
        *("ada:eve@example.com", "ada;eve@example.com", "ada\\eve@example.com"),
    ],
)
@pytest.mark.parametrize("path", ["/sign-up", "/sign-in"])
def test_what_is_no_address_is_refused(world: World, path: str, email: str) -> None:
    """A5: an address is validated after normalising, the same at every door, and never echoed."""
    reply = world.client().post(path, {"email": email, "password": PASSWORD})

    assert reply.status == 422
    assert set(reply.fields) == {"email"}
    assert not email or email.encode() not in reply.body


def test_look_alikes_are_other_addresses(world: World) -> None:
    """A5: letters outside ASCII are not folded onto ASCII ones: `K` (U+212A) is not `k`."""
    world.member(email="kim@example.com")

    reply = world.client().sign_in("\u212aim@example.com", PASSWORD)

    assert (reply.status, reply.fields) == (422, {"email": "invalid"})


def test_a_domain_in_another_script_is_one_with_its_ascii_form(world: World) -> None:
    """A5: the domain's IDNA form is the canonical one."""
    world.member(email="ada@xn--bcher-kva.example")

    reply = world.client().sign_in("ada@BÜCHER.example", PASSWORD)

    assert (reply.status, reply.json["user"]["email"]) == (200, "ada@xn--bcher-kva.example")


def test_a_confirmation_must_match(world: World) -> None:
    """Where a password is set, a confirmation that is sent must be the same, else field code `mismatch`."""
    refused = world.client().sign_up(EMAIL, PASSWORD, password_confirmation=PASSWORD + "!")
    taken = world.client().sign_up(EMAIL, PASSWORD, password_confirmation=PASSWORD)

    assert refused.fields == {"password_confirmation": "mismatch"}
    assert taken.status == 202


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    """O3: a display name carries no control characters into mails and logs."""
    reply = world.client().sign_up(EMAIL, PASSWORD, display_name=name)

    assert (reply.status, set(reply.fields)) == (422, {"display_name"})


def test_every_wrong_field_is_named_at_once(world: World) -> None:
    """R2: the answer names each wrong field with its code, in one go, and echoes no value."""
    reply = world.client().post("/sign-up", {"email": 7, "role": "admin", "transport": "pigeon", "device_id": ""})

    assert reply.status == 422
    assert reply.fields == {
        "email": "wrong_type",
        "password": "missing",
        "role": "unknown",
        "transport": "invalid",
        "device_id": "too_short",
    }
    assert b"admin" not in reply.body
    assert b"pigeon" not in reply.body
