"""The room `password`: passwords that must be changed before there is a session, and those that open nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from authcore import EmailCode, Password, Sessions
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER, WRONG = "fifteen other letters", "not the right letters"
MINUTE, DAY = 60, 86400


def mark(world: World, state: str) -> None:
    """Mark every password, as administration does."""
    world.query(update(metadata.tables["authcore_password"]).values(must_change=state))


def answer(client: Client, begun: Reply, password: str = OTHER, **more: str) -> Reply:
    """Answer a sign-in that asks for another password."""
    return client.post("/sign-in/new-password", {"challenge_id": challenge_id(begun), "new_password": password, **more})


def begin(world: World, transport: Transport) -> tuple[Client, Reply]:
    """Sign in where the password must be changed."""
    world.member()
    mark(world, "required")
    client = world.client(transport)
    return client, client.sign_in(EMAIL, PASSWORD)


def test_another_password_stands_before_the_session(world: World, transport: Transport) -> None:
    """A4, A1: the right password answers a challenge, without a code and without a session."""
    client, begun = begin(world, transport)

    challenge = begun.json["challenge"]
    assert (begun.status, challenge["kind"], challenge["methods"]) == (202, "new_password", ["new_password"])
    assert (challenge["expires_at"], challenge["resend_after"]) == ("2030-01-01T00:10:00Z", 0)
    assert client.session_secret is None
    assert client.who() is None
    assert [mail.kind for mail in world.mails()] == ["sign_up"]


def test_another_password_ends_in_a_session(world: World, transport: Transport) -> None:
    """T9, A1: the sign-in goes on with another password; what was opened with the one before has ended."""
    member = world.member()
    mark(world, "required")
    client = world.client(transport)
    begun = client.sign_in(EMAIL, PASSWORD)

    reply = answer(client, begun, password_confirmation=OTHER)

    assert (reply.status, reply.json["status"]) == (200, "signed_in")
    assert (reply.json["session"]["amr"], reply.json["session"]["transport"]) == (["pwd"], transport)
    assert (client.who(), member.who()) == (EMAIL, None)
    assert world.client().sign_in(EMAIL, PASSWORD).code == "invalid_credentials"
    assert world.client().sign_in(EMAIL, OTHER).json["status"] == "signed_in"


def test_the_wrong_password_asks_for_no_other(world: World) -> None:
    """A2: only who knows the password hears that it must be changed."""
    world.member()
    mark(world, "required")

    reply = world.client().sign_in(EMAIL, WRONG)

    assert (reply.status, reply.code) == (401, "invalid_credentials")


@pytest.mark.parametrize(("password", "code"), [("too short", "too_short"), (PASSWORD, "password_reused")])
def test_a_refused_password_leaves_the_challenge_open(
    world: World, transport: Transport, password: str, code: str
) -> None:
    """A4: the policy holds here too, the password before is no other one, and one may try again."""
    client, begun = begin(world, transport)

    refused = answer(client, begun, password)

    assert (refused.status, refused.fields) == (422, {"new_password": code})
    assert answer(client, begun).status == 200


def test_the_challenge_opens_once(world: World, transport: Transport) -> None:
    """T2: a challenge that was answered replaces no password again."""
    client, begun = begin(world, transport)
    assert answer(client, begun).status == 200

    again = answer(client, begun, "a third long password")

    assert (again.status, again.code) == (400, "invalid_challenge")


def test_the_challenge_ends(world: World, transport: Transport) -> None:
    """A4: after ten minutes one signs in again."""
    client, begun = begin(world, transport)
    world.clock.advance(10 * MINUTE)

    late = answer(client, begun)

    assert (late.status, late.code) == (400, "invalid_challenge")


def test_the_challenge_is_the_browsers_that_signed_in(world: World) -> None:
    """A13: under cookies another browser cannot answer it, and is not told what the policy says of its password."""
    client, begun = begin(world, "cookie")
    stranger = world.client("cookie")

    refusals = [answer(stranger, begun, password) for password in (OTHER, PASSWORD)]

    assert [(reply.status, reply.code) for reply in refusals] == [(400, "invalid_challenge")] * 2
    assert answer(client, begun).status == 200


def test_a_change_in_between_ends_the_challenge(world: World, transport: Transport) -> None:
    """T9: a password that was replaced elsewhere meanwhile ends the sign-in that was on its way."""
    client, begun = begin(world, transport)
    other, second = world.client(), None
    second = other.sign_in(EMAIL, PASSWORD)
    assert answer(other, second).status == 200

    late = answer(client, begun, "a third long password")

    assert (late.status, late.code) == (400, "invalid_challenge")


@pytest.mark.parametrize("given", ["ac1_ch_" + "A" * 43, "no such thing"])
def test_what_is_no_challenge_replaces_nothing(world: World, given: str) -> None:
    """T5: an unknown challenge is refused like a spent one."""
    reply = world.client().post("/sign-in/new-password", {"challenge_id": given, "new_password": OTHER})

    assert (reply.status, reply.code) == (400, "invalid_challenge")


def test_another_kind_of_challenge_replaces_nothing(world: World) -> None:
    """T5: the challenge of a sign-up is none of these."""
    client = world.client()
    begun = client.sign_up(EMAIL, PASSWORD)

    reply = answer(client, begun)

    assert (reply.status, reply.code) == (400, "invalid_challenge")


def test_another_password_comes_behind_the_mailed_code(world: World, transport: Transport) -> None:
    """A1, A8: who has the password alone does not get to replace it; the code of the sign-in is asked first."""
    world.start(features=[Password(), EmailCode(), Sessions()])
    world.member(transport)
    mark(world, "required")
    client = world.client(transport)

    first = client.sign_in(EMAIL, PASSWORD)
    second = client.post("/sign-in/email-code", {"challenge_id": challenge_id(first), "code": world.code()})
    done = answer(client, second)

    assert [reply.json["challenge"]["kind"] for reply in (first, second)] == ["email_code", "new_password"]
    assert (done.status, done.json["session"]["amr"]) == (200, ["pwd", "email"])


# --- too old ---


def test_an_old_password_must_be_replaced(world: World, transport: Transport) -> None:
    """A4: past `max_age` the next sign-in asks for another password; that one is young."""
    world.start(features=[Password(max_age=timedelta(days=90)), Sessions()])
    world.member(transport)
    world.clock.advance(90 * DAY - 1)
    young = world.client(transport).sign_in(EMAIL, PASSWORD)
    world.clock.advance(1)
    client = world.client(transport)

    begun = client.sign_in(EMAIL, PASSWORD)

    assert young.status == 200
    assert (begun.status, begun.json["challenge"]["kind"]) == (202, "new_password")
    assert answer(client, begun).status == 200
    assert world.client(transport).sign_in(EMAIL, OTHER).status == 200


# --- compromised ---


def test_a_compromised_password_opens_nothing(world: World, transport: Transport) -> None:
    """A4, A2: the right one is answered like any wrong one, and counted like one."""
    world.member()
    wrong = world.client(transport).sign_in(EMAIL, WRONG)
    mark(world, "compromised")

    right = world.client(transport).sign_in(EMAIL, PASSWORD)

    assert (right.status, right.code) == (401, "invalid_credentials")
    assert right.masked() == wrong.masked()
    assert [row["failures"] for row in world.rows("authcore_attempt")] == [2]


def test_a_compromised_password_proves_nothing_to_who_is_signed_in(world: World) -> None:
    """A9: neither again at a reauthentication, nor as the present password of a change."""
    member = world.member()
    mark(world, "compromised")

    again = member.post("/reauthenticate", {"password": PASSWORD})
    changed = member.post("/password/change", {"current_password": PASSWORD, "new_password": OTHER})

    assert (again.status, again.code) == (changed.status, changed.code) == (401, "invalid_credentials")
