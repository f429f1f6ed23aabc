"""The room `password_reset`, where a code may be texted to the phone of an account."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from authcore import Password, PasswordReset, Sessions
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER_PASSWORD = "fifteen other letters"
NUMBER, UNKNOWN = "+4915112345678", "+4915112345778"  # of one country and one end, so that bytes compare


@pytest.fixture(autouse=True)
def _member(world: World) -> None:
    world.start(features=[Password(), PasswordReset(phone=True), Sessions()])
    world.member()
    users, identities = metadata.tables["authcore_user"], metadata.tables["authcore_identity"]
    [user] = world.query(select(users.c.id, users.c.tenant, users.c.created_at))
    known = {"tenant": user["tenant"], "user_id": user["id"], "created_at": user["created_at"]}
    world.query(insert(identities).values(provider="phone", identifier=NUMBER, **known))


def ask(client: Client, phone: str = NUMBER) -> Reply:
    """Ask for a reset by text message."""
    return client.post("/password/reset", {"phone": phone})


def complete(client: Client, asked: Reply, code: str | None) -> Reply:
    """Choose another password by a code."""
    body = {"challenge_id": challenge_id(asked), "code": code, "new_password": OTHER_PASSWORD}
    return client.post("/password/reset/complete", body)


def test_a_texted_code_replaces_the_password(world: World, transport: Transport) -> None:
    """S73, S90: the code goes to the number alone, without a link, and opens as a mailed one does (A8: aal 1)."""
    client = world.client(transport)
    mails = len(world.mails())

    asked = ask(client, " +49 (151) 123-456-78")
    [text] = world.texts()
    checked = client.post("/password/reset/check", {"challenge_id": challenge_id(asked), "code": text.code})
    reply = complete(client, asked, text.code)

    assert (asked.status, asked.json["status"]) == (202, "sent")
    assert (asked.json["challenge"]["kind"], asked.json["challenge"]["hint"]) == ("sms_code", "+49***78")
    assert (text.to, text.kind, text.event) == (NUMBER, "password_reset_sms", "recovery.pincode")
    assert len(world.mails()) == mails
    assert (checked.status, checked.json["expires_at"]) == (200, "2030-01-01T00:10:00Z")
    assert (reply.status, reply.json["session"]["amr"], reply.json["session"]["aal"]) == (200, ["sms"], 1)
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200
    assert world.client().sign_in(EMAIL, PASSWORD).status == 401


def test_unknown_numbers_answer_alike(world: World, transport: Transport) -> None:
    """A2: the answers, and the rows that are written, are the same for a number that nobody has."""
    answers, written = [], []

    for number, peer in ((NUMBER, "198.51.100.8"), (UNKNOWN, "198.51.100.9")):
        client = world.client(transport, peer=peer)
        replies: list[Reply] = []
        written.append(world.added(lambda: replies.append(ask(client, number))))  # noqa: B023 - called at once
        replies += [ask(client, number), complete(client, replies[0], "000000")]
        answers.append([reply.masked() for reply in replies])

    assert answers[0] == answers[1]
    assert written[0]["authcore_challenge"] == written[1]["authcore_challenge"] == 1
    assert [text.to for text in world.texts()] == [NUMBER]


def test_a_number_gets_three_messages_an_hour(world: World) -> None:
    """S74: past its allowance the answer stays 202, and no message, which costs money, is sent."""
    client = world.client()

    replies = []
    for _ in range(5):
        replies.append(ask(client))
        world.clock.advance(60)

    assert [reply.status for reply in replies] == [202] * 5
    assert len(world.texts()) == 3


def test_a_reset_by_mail_ends_the_texted_code(world: World) -> None:
    """T9: the password is one, whichever way it was replaced."""
    client = world.client()
    asked = ask(client)
    client.post("/password/reset", {"email": EMAIL})
    body = {"token": world.link(), "new_password": "sixteen other letters"}
    assert client.post("/password/reset/complete", body).status == 200

    late = complete(client, asked, world.texts()[-1].code)

    assert (late.status, late.code) == (400, "invalid_challenge")


def test_one_of_both_is_sent(world: World) -> None:
    """R2: an address or a number, each of which must be one; not both, and not neither."""
    client = world.client()

    assert client.post("/password/reset", {}).fields == {"email": "missing"}
    assert client.post("/password/reset", {"email": EMAIL, "phone": NUMBER}).fields == {"phone": "unknown"}
    assert ask(client, "0151 123").fields == {"phone": "invalid"}
    assert world.texts() == []
