"""The room `password`: which addresses and passwords it takes."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authcore import Password, Sessions, events
from authcore_conformance.client import Client, Reply, Transport
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


# --- what an application may add ---

THIRD, FOURTH = "a third long password", "the fourth one of them"


def change(client: Client, current: str, new: str) -> Reply:
    """Replace a password."""
    return client.post("/password/change", {"current_password": current, "new_password": new})


@pytest.mark.parametrize(
    ("setting", "without", "having"),
    [
        ("require_lowercase", "TWELVE UNREAD LETTERS", "TWELVE UNREAD letters"),
        ("require_uppercase", "twelve unread letters", "Twelve unread letters"),
        ("require_symbol", "twelveUnread3Letters", "twelveUnread3Letters!"),
    ],
)
def test_kinds_of_characters_are_asked_for_only_where_they_are_set(
    world: World, setting: str, without: str, having: str
) -> None:
    """A4, S64: each rule is off by default, names what is missing, and stands in the numbers for clients."""
    assert world.client().get("/password/policy").json[setting] is False
    asked: dict[str, Any] = {setting: True}
    world.start(features=[Password(**asked), Sessions()])

    refused = world.client().sign_up(EMAIL, without)
    taken = world.client().sign_up(EMAIL, having)

    assert refused.fields == {"password": "password_needs_" + setting.removeprefix("require_")}
    assert taken.status == 202
    assert world.client().get("/password/policy").json[setting] is True


def test_clients_can_read_the_policy(world: World, transport: Transport) -> None:
    """A4: a form can say what is asked for before a password is sent, signed in or not."""
    world.start(features=[Password(min_length=12), Sessions()])

    reply = world.client(transport).get("/password/policy")

    rules = {"require_lowercase": False, "require_uppercase": False, "require_number": False, "require_symbol": False}
    assert (reply.status, reply.json) == (200, {"min_length": 12, "max_length": 256, **rules})
    assert reply.all("set-cookie") == []


def test_earlier_passwords_are_refused_as_far_as_they_are_kept(world: World) -> None:
    """A4: `history=1` keeps one before the present password; what is further back may be used again."""
    world.start(features=[Password(history=1), Sessions()])
    member = world.member()
    assert change(member, PASSWORD, THIRD).status == 200

    before = change(member, THIRD, PASSWORD)

    assert before.fields == {"new_password": "password_reused"}
    assert change(member, THIRD, FOURTH).status == 200
    assert len(world.rows("authcore_password_history")) == 1
    assert change(member, FOURTH, PASSWORD).status == 200


def test_no_earlier_password_is_kept_by_default(world: World) -> None:
    """A4: what is not asked for is not stored."""
    member = world.member()
    assert change(member, PASSWORD, THIRD).status == 200

    again = change(member, THIRD, PASSWORD)

    assert again.status == 200
    assert world.rows("authcore_password_history") == []


def test_a_young_password_is_kept_for_a_while(world: World, transport: Transport) -> None:
    """A4: before `min_age` is over a change is refused, also by the right password."""
    world.start(features=[Password(min_age=timedelta(minutes=10)), Sessions()])
    member = world.member(transport)
    world.clock.advance(599)
    early = change(member, PASSWORD, THIRD)
    world.clock.advance(1)

    in_time = change(member, PASSWORD, THIRD)

    assert (early.status, early.code) == (409, "password_too_young")
    assert in_time.status == 200


def test_a_breached_password_is_refused(world: World, tmp_path: Path) -> None:
    """A4: one list for sign-up and change; what is not on it passes."""
    lost = hashlib.sha1(THIRD.encode(), usedforsecurity=False).hexdigest().upper()
    (tmp_path / f"{lost[:5]}.txt").write_text(f"{lost[5:]}:7\n")
    other = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    (tmp_path / f"{other[:5]}.txt").write_text(f"{'0' * 35}:1\n")
    world.start(features=[Password(breached=tmp_path), Sessions()])

    refused = world.client().sign_up(EMAIL, THIRD)
    member = world.member()

    assert (refused.status, refused.fields) == (422, {"password": "password_breached"})
    assert change(member, PASSWORD, THIRD).fields == {"new_password": "password_breached"}


def test_a_list_that_cannot_be_read_keeps_nobody_out(world: World, tmp_path: Path) -> None:
    """A4: where breached passwords cannot be looked up they pass, and `BreachCheckFailed` is told."""
    world.start(features=[Password(breached=tmp_path), Sessions()])
    heard: list[events.Event] = []
    world.app.on(events.BreachCheckFailed, heard.append)

    reply = world.client().sign_up(EMAIL, PASSWORD)

    assert reply.status == 202
    assert [type(event) for event in heard] == [events.BreachCheckFailed]
