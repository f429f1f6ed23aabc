"""The room `sessions`: proving again who is signed in."""

from __future__ import annotations

from datetime import timedelta

from authcore import Password, Sessions
from authcore_conformance.client import Client, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER = "eve@example.com"


def copy(world: World, client: Client) -> Client:
    """Answer a client that holds the very credentials of another."""
    return Client(
        world.send,
        client.prefix,
        client.transport,
        jar=dict(client.jar),
        access_token=client.access_token,
        refresh_token=client.refresh_token,
    )


def test_a_password_proves_again(world: World, transport: Transport) -> None:
    """T7: reauthentication answers the same session with a fresh `auth_time` and another secret; the old one dies."""
    member = world.member(transport)
    before = member.get("/session").json["session"]
    old = copy(world, member)
    world.clock.advance(600)

    reply = member.post("/reauthenticate", {"password": PASSWORD})

    assert reply.status == 200
    session = reply.json["session"]
    assert session["id"] == before["id"]
    assert (before["auth_time"], session["auth_time"]) == ("2030-01-01T00:00:00Z", "2030-01-01T00:10:00Z")
    assert session["transport"] == transport
    assert member.session_secret != old.session_secret
    assert (old.who(), member.who()) == (None, EMAIL)
    if transport == "bearer":
        assert old.refresh().code == "invalid_refresh_token"
        assert member.refresh().status == 200
    else:
        assert member.session_secret is not None
        assert member.session_secret.encode() not in reply.body


def test_what_asked_for_freshness_works_afterwards(world: World, transport: Transport) -> None:
    """RFC 9470: the refused action succeeds after reauthentication."""
    member = world.member(transport)
    world.clock.advance(301)
    assert member.post("/sessions/revoke-others", {}).status == 401
    assert member.post("/reauthenticate", {"password": PASSWORD}).status == 200

    reply = member.post("/sessions/revoke-others", {})

    assert reply.status == 200


def test_a_wrong_password_counts_as_at_sign_in(world: World, transport: Transport) -> None:
    """A6: a wrong password is refused and counted, and the session lives on as it was."""
    member = world.member(transport)

    reply = member.post("/reauthenticate", {"password": "not the right letters"})

    assert (reply.status, reply.code) == (401, "invalid_credentials")
    assert [row["failures"] for row in world.rows("authcore_attempt")] == [1]
    assert member.who() == EMAIL


def test_a_mailed_code_proves_again(world: World, transport: Transport) -> None:
    """A9: an empty body mails a code to the user's own address; its answer is a fresh authentication."""
    member = world.member(transport)
    world.clock.advance(600)

    started = member.post("/reauthenticate", {})
    code = world.code()
    proved = member.post("/reauthenticate", {"challenge_id": challenge_id(started), "code": code})

    assert (started.status, started.json["status"]) == (202, "challenge_required")
    assert world.mails()[-1].kind == "reauthenticate"
    assert proved.status == 200
    assert proved.json["session"]["auth_time"] == "2030-01-01T00:10:00Z"
    assert proved.json["session"]["aal"] == 1  # A8
    assert member.who() == EMAIL


def test_a_code_for_one_session_steps_up_no_other(world: World) -> None:
    """A code is for the session and user that asked for it; elsewhere it is refused."""
    member, eve = world.member(), world.member(email=OTHER)
    phone = world.client()
    phone.sign_in(EMAIL, PASSWORD)
    answer = {"challenge_id": challenge_id(member.post("/reauthenticate", {})), "code": world.code()}

    refused = [client.post("/reauthenticate", answer) for client in (phone, eve)]

    assert [(reply.status, reply.code) for reply in refused] == [(400, "invalid_challenge")] * 2
    assert phone.get("/session").json["session"]["auth_time"] == "2030-01-01T00:00:00Z"


def test_wrong_codes_count(world: World, transport: Transport) -> None:
    """S5: five wrong codes end the challenge, each counted in its row."""
    member = world.member(transport)
    started = member.post("/reauthenticate", {})
    wrong = {"challenge_id": challenge_id(started), "code": world.wrong_code()}

    replies = [member.post("/reauthenticate", wrong) for _ in range(5)]
    late = member.post("/reauthenticate", {**wrong, "code": world.code()})

    assert {reply.code for reply in [*replies, late]} == {"invalid_challenge"}
    [row] = [row for row in world.rows("authcore_challenge") if row["purpose"] == "reauthenticate"]
    assert row["attempts"] == 5


def test_a_repeat_inside_the_interval_mails_nothing(world: World, transport: Transport) -> None:
    """S76: asking twice answers the same challenge; after a minute a fresh code goes out under the same id."""
    member = world.member(transport)
    first = member.post("/reauthenticate", {})
    again = member.post("/reauthenticate", {})
    mails = len(world.mails())
    world.clock.advance(60)

    later = member.post("/reauthenticate", {})

    assert challenge_id(first) == challenge_id(again) == challenge_id(later)
    assert (mails, len(world.mails())) == (2, 3)  # the first is the sign-up's


def test_nobody_proves_nothing(world: World) -> None:
    """Without a session there is nothing to prove again."""
    world.member()

    reply = world.client().post("/reauthenticate", {"password": PASSWORD})

    assert (reply.status, reply.code) == (401, "not_authenticated")


def test_half_an_answer_is_told(world: World) -> None:
    """An id without a code, or a code without its id, names the field that is missing."""
    member = world.member()

    without_code = member.post("/reauthenticate", {"challenge_id": "ac1_ch_" + "A" * 43})
    without_id = member.post("/reauthenticate", {"code": "000000"})

    assert without_code.fields == {"code": "missing"}
    assert without_id.fields == {"challenge_id": "missing"}


def test_each_mailed_code_has_values_of_its_own(world: World) -> None:
    """S4, S5, S10: length, life, interval, attempts and sender are settings of the room that mails the code."""
    ours = Sessions(
        code_length=8,
        code_ttl=timedelta(minutes=3),
        min_send_interval=timedelta(seconds=5),
        max_attempts=1,
        mail_from="sessions@app.example",
    )
    world.start(features=[Password(mail_from="sign-up@app.example"), ours])
    member = world.member()
    sign_up = world.mails()[0]

    challenge = member.post("/reauthenticate", {}).json["challenge"]
    code = world.code()
    wrong = member.post("/reauthenticate", {"challenge_id": challenge["id"], "code": world.wrong_code()})
    late = member.post("/reauthenticate", {"challenge_id": challenge["id"], "code": code})

    assert (sign_up.sender, len(sign_up.code or "")) == ("sign-up@app.example", 6)
    assert (world.mails()[-1].sender, len(code)) == ("sessions@app.example", 8)
    assert (challenge["resend_after"], challenge["expires_at"]) == (5, "2030-01-01T00:03:00Z")
    assert {wrong.code, late.code} == {"invalid_challenge"}
