"""The room `code`: a code that is sent to a mailbox or a phone signs in once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Code, Password, Sessions
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, World

KNOWN, UNKNOWN = "bea@example.com", "bob@example.com"  # of one length and one initial, so that bytes compare
PHONE, OTHER_PHONE = "+4915112345678", "+4915112345679"
NOTHING = "ac1_ch_" + "A" * 43
BOTH = [{"email": EMAIL}, {"phone": PHONE}]


@pytest.fixture(autouse=True)
def _room(world: World) -> None:
    start(world, phone=True)


def start(world: World, **settings: Any) -> None:
    """Start the application with the room's settings."""
    world.start(features=[Password(), Code(**settings), Sessions()])


def owner(world: World, email: str = EMAIL, phone: str | None = PHONE) -> None:
    """Make somebody with a proven address and a proven number."""
    world.app.blocking.administration.create(email=email, phone=phone, verified=True)


def sent(world: World, to: dict[str, str]) -> str:
    """Answer the code that was sent last."""
    return world.code(to["email"]) if "email" in to else (world.texts(to["phone"])[-1].code or "")


def verify(client: Client, asked: Reply, code: str, **more: Any) -> Reply:
    """Type the code."""
    return client.post("/code/verify", {"challenge_id": challenge_id(asked), "code": code, **more})


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")


@pytest.mark.parametrize("to", BOTH)
def test_a_code_signs_in(world: World, transport: Transport, to: dict[str, str]) -> None:
    """S89, S90: the code that was mailed or texted makes a session of one factor (rule A8)."""
    owner(world)
    client = world.client(transport)
    asked = client.post("/code", to)

    signed_in = verify(client, asked, sent(world, to))

    assert (asked.status, asked.json["status"]) == (202, "sent")
    assert (signed_in.status, signed_in.json["status"]) == (200, "signed_in")
    method = "email" if "email" in to else "sms"
    assert (signed_in.json["session"]["amr"], signed_in.json["session"]["aal"]) == ([method], 1)
    assert client.who() == EMAIL


def test_what_is_sent_says_what_it_is_for(world: World) -> None:
    """S89, S90, S92: the kinds have their closed names, the message its code, its life and its key."""
    owner(world)
    for to in BOTH:
        world.client().post("/code", to)

    mail, sms = world.mails(EMAIL)[-1], world.texts(PHONE)[-1]

    assert (mail.kind, mail.event, mail.token, mail.url) == ("sign_in_code", "login.pincode", None, None)
    assert (sms.kind, sms.event, sms.ttl, sms.to) == ("sign_in_sms", "login.pincode", 600, PHONE)
    assert (sms.code or "") in sms.text
    assert sms.text.splitlines()[-1] == f"@app.example #{sms.code}"
    assert mail.key != sms.key


@pytest.mark.parametrize(
    ("known", "unknown"),
    [({"email": KNOWN}, {"email": UNKNOWN}), ({"phone": PHONE}, {"phone": OTHER_PHONE})],
)
def test_the_answer_and_the_work_tell_nothing(
    world: World, transport: Transport, known: dict[str, str], unknown: dict[str, str]
) -> None:
    """Known and unknown: same status, bytes, headers and rows, and one message (rule A2)."""
    owner(world, KNOWN)
    # What is counted for all that one client asks is counted by its first request.
    for warm in ({"email": "eve@example.com"}, {"phone": "+4915112345670"}):
        world.client(transport).post("/code", warm)
    answers: list[Reply] = []

    def ask(to: dict[str, str]) -> Callable[[], None]:
        return lambda: answers.append(world.client(transport).post("/code", to))

    rows = [world.added(ask(to)) for to in (known, unknown)]

    hints = [reply.json["challenge"].pop("hint") for reply in answers]
    assert [len(hint) for hint in hints] == [len(hints[0])] * 2
    masked = [reply.masked() for reply in answers]
    assert [(status, headers) for status, headers, _ in masked] == [masked[0][:2]] * 2
    assert rows[0] == rows[1]
    assert len([mail for mail in world.mails() if mail.kind == "sign_in_code"]) + len(world.texts()) == 1


@pytest.mark.parametrize("to", BOTH)
def test_a_code_opens_once_and_for_who_asked(world: World, to: dict[str, str]) -> None:
    """Another browser is refused, and so is the second use (rule T2)."""
    owner(world)
    client = world.client("cookie")
    asked = client.post("/code", to)
    code = sent(world, to)

    assert_refused(verify(world.client("cookie"), asked, code))
    assert verify(client, asked, code).status == 200
    assert_refused(verify(client, asked, code))


@pytest.mark.parametrize("to", BOTH)
def test_wrong_codes_are_counted(world: World, to: dict[str, str]) -> None:
    """S116: after five attempts the right code is a wrong one."""
    owner(world)
    client = world.client()
    asked = client.post("/code", to)
    code = sent(world, to)
    wrong = next(text for number in range(10) if (text := f"{number:06}") != code)

    for _ in range(5):
        assert_refused(verify(client, asked, wrong))

    assert_refused(verify(client, asked, code))


@pytest.mark.parametrize("to", BOTH)
def test_a_repeat_inside_the_interval_sends_nothing(world: World, transport: Transport, to: dict[str, str]) -> None:
    """S14, S76: the same challenge within a minute; after it a fresh code under the same id, and the old one dies."""
    owner(world)
    client = world.client(transport)
    first = client.post("/code", to)
    old = sent(world, to)
    world.clock.advance(59)

    inside = client.post("/code", to)
    world.clock.advance(1)
    after = client.post("/code", to)

    assert challenge_id(inside) == challenge_id(after) == challenge_id(first)
    assert len(world.mails()) + len(world.texts()) == 2
    assert_refused(verify(client, after, old))
    assert verify(client, after, sent(world, to)).status == 200


def test_messages_to_a_number_are_few(world: World) -> None:
    """Each costs money: three an hour go out, the answer stays (rules A2, A6)."""
    owner(world)
    statuses = []
    for _ in range(5):
        statuses.append(world.client().post("/code", {"phone": PHONE}).status)
        world.clock.advance(61)

    assert statuses == [202] * 5
    assert len(world.texts(PHONE)) == 3


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "email", "missing"),
        ({"email": EMAIL, "phone": PHONE}, "phone", "unknown"),
        ({"email": "nobody"}, "email", "invalid"),
        ({"phone": "0151 12345678"}, "phone", "invalid"),
        ({"phone": "+999123"}, "phone", "invalid"),
        ({"phone": "+49 30 1234567 ext. 5"}, "phone", "invalid"),
        ({"email": EMAIL, "role": "admin"}, "role", "unknown"),
    ],
)
def test_an_address_or_a_number_that_there_is(world: World, body: dict[str, str], field: str, code: str) -> None:
    """What can reach nobody is told at once, as the field that is wrong (rules A5, R2)."""
    refused = world.client().post("/code", body)

    assert refused.status == 422
    assert (field, code) in [(each["field"], each["code"]) for each in refused.json["error"]["details"]]


def test_a_number_has_one_spelling(world: World) -> None:
    """Blanks, hyphens and brackets are read past."""
    owner(world)
    client = world.client()

    asked = client.post("/code", {"phone": "+49 (151) 123-456 78"})

    assert verify(client, asked, sent(world, {"phone": PHONE})).status == 200


def test_a_way_that_is_off_is_unknown(world: World) -> None:
    """Without `phone=True` the field is no field, and with `email=False` neither is the address."""
    start(world)
    assert world.client().post("/code", {"phone": PHONE}).status == 422

    start(world, email=False, phone=True)
    assert world.client().post("/code", {"email": EMAIL}).status == 422


@pytest.mark.parametrize("to", [{"email": UNKNOWN}, {"phone": OTHER_PHONE}])
def test_an_account_may_grow_from_a_code(world: World, transport: Transport, to: dict[str, str]) -> None:
    """With `create_users` the first code of somebody unknown makes a user with what it proves."""
    start(world, phone=True, create_users=True)
    client = world.client(transport)
    asked = client.post("/code", to)

    signed_in = verify(client, asked, sent(world, to))

    assert signed_in.status == 200
    user = signed_in.json["user"]
    assert {name: user[name] for name in to} == to
    assert user["email_verified"] is ("email" in to)
    assert len(world.rows("authcore_user")) == 1


def test_codes_of_one_way_open_nothing_of_another(world: World) -> None:
    """A sign-up's code is no sign-in code, nor the other way (rule T5)."""
    owner(world)
    client = world.client()
    signing_up = client.sign_up(UNKNOWN, "twelve unread letters")
    mailed = world.code(UNKNOWN)
    asked = client.post("/code", {"email": EMAIL})

    assert_refused(verify(client, signing_up, mailed))
    assert_refused(client.verify(asked, world.code(EMAIL)))
    assert_refused(client.post("/code/verify", {"challenge_id": NOTHING, "code": "123456"}))


def test_the_device_is_noted(world: World) -> None:
    """Device fields stand in the session that is made."""
    owner(world)
    client = world.client()
    asked = client.post("/code", {"email": EMAIL})

    signed_in = verify(client, asked, world.code(), device_id="d1", device_name="Kitchen")

    assert (signed_in.json["session"]["device_id"], signed_in.json["session"]["device_name"]) == ("d1", "Kitchen")
