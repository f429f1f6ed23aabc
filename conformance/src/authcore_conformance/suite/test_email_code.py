"""The room `email_code`: a mailed code between the password and the session, and browsers that are spared it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authcore import EmailCode, Password, Sessions
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER = "eve@example.com"
NEW_PASSWORD = "seven painted lanterns"
DAY = 86400
UNKNOWN = "ac1_ch_" + "A" * 43


@pytest.fixture
def room(world: World) -> World:
    """A world that asks for the code and remembers browsers, with a member who has been away for an hour."""
    start(world, remember=True)
    world.member()
    world.clock.advance(3600)
    return world


def start(world: World, **settings: Any) -> None:
    """Start the application with the room."""
    world.start(features=[Password(), EmailCode(**settings), Sessions()])


def answer(client: Client, started: Reply, code: str, **more: Any) -> Reply:
    """Answer the code of a sign-in."""
    return client.post("/sign-in/email-code", {"challenge_id": challenge_id(started), "code": code, **more})


def remembered(world: World, transport: Transport, **device: str) -> tuple[Client, Reply]:
    """Answer a client that signed in and is remembered, and the answer that remembered it."""
    client = world.client(transport)
    reply = answer(client, client.sign_in(EMAIL, PASSWORD, **device), world.code(), remember=True)
    assert reply.status == 200, reply
    return client, reply


def held(client: Client, reply: Reply) -> dict[str, str]:
    """Answer what a sign-in sends along for a remembered client: nothing under cookies."""
    return {"remember_token": reply.json["remember_token"]} if client.transport == "bearer" else {}


def outsider(world: World, client: Client) -> Client:
    """Answer a client with the same cookies and another session: none."""
    jar = {name: value for name, value in client.jar.items() if name.endswith("_device")}
    return world.client(client.transport, jar=jar)


# --- the code ---


def test_the_password_alone_is_no_sign_in(room: World, transport: Transport) -> None:
    """The right password answers a challenge and mails a code; nothing in the answer is a credential (S10, rule A1)."""
    client = room.client(transport)

    started = client.sign_in(EMAIL, PASSWORD)

    assert (started.status, started.json["status"]) == (202, "challenge_required")
    assert set(started.json["challenge"]) == {"id", "kind", "methods", "expires_at", "resend_after"}
    assert (started.json["challenge"]["kind"], started.json["challenge"]["resend_after"]) == ("email_code", 60)
    assert [cookie.name for cookie in started.cookies] == ["__Host-authcore_challenge"] * (transport == "cookie")
    assert client.who() is None
    mail = room.mails(EMAIL)[-1]
    assert (mail.kind, mail.template, mail.event) == ("email_code", "auth-sign-in", "mfa.code")


def test_the_code_signs_in(room: World, transport: Transport) -> None:
    """The right code makes the session, of level 1 still, and hands out no remember token unasked (S11, rule A8)."""
    client = room.client(transport)
    started = client.sign_in(EMAIL, PASSWORD, device_id="d-1", device_name="Kitchen")

    reply = answer(client, started, room.code())

    assert (reply.status, reply.json["status"]) == (200, "signed_in")
    session = reply.json["session"]
    assert (session["amr"], session["aal"], session["transport"]) == (["pwd", "email"], 1, transport)
    assert (session["device_id"], session["device_name"]) == ("d-1", "Kitchen")
    assert not {"remember_token", "remember_expires_at"} & set(reply.json)
    assert reply.cookie("device") is None
    assert client.who() == EMAIL


def test_the_code_is_stored_hashed(room: World) -> None:
    """No row holds the mailed code (S10, rule T1)."""
    room.client().sign_in(EMAIL, PASSWORD)

    code = room.code()

    [row] = [row for row in room.rows("authcore_challenge") if row["purpose"] == "email_code"]
    assert len(row["code_digest"]) == 32
    assert not any(
        code.encode() in (value if isinstance(value, bytes) else str(value).encode()) for value in row.values()
    )


def test_whoever_has_just_proven_the_mailbox_is_not_asked(world: World, transport: Transport) -> None:
    """A sign-up whose code was answered is signed in at once (S10)."""
    start(world)

    client = world.member(transport)

    assert client.who() == EMAIL
    assert [mail.kind for mail in world.mails()] == ["sign_up"]


def test_required_false_asks_nobody(world: World, transport: Transport) -> None:
    """`required=False` leaves the sign-in as it is without the room (S10)."""
    start(world, required=False)
    world.member()

    assert world.client(transport).sign_in(EMAIL, PASSWORD).status == 200


def test_the_code_proves_an_address_that_nobody_had_proven(world: World, transport: Transport) -> None:
    """After a sign-up without a code the address is proven by the first code at sign-in (S2, S10)."""
    world.start(features=[Password(require_code=False), EmailCode(), Sessions()])
    client = world.client(transport)
    started = client.sign_up(EMAIL, PASSWORD)

    reply = answer(client, started, world.code())

    assert (started.status, reply.status) == (202, 200)
    assert reply.json["user"]["email_verified"] is True


def test_the_wrong_password_never_reaches_the_code(room: World, transport: Transport) -> None:
    """An account that must answer a code refuses a wrong password by the bytes of no account, and mails nothing
    (rule A2).
    """
    before = len(room.mails())

    wrong = room.client(transport).sign_in(EMAIL, "not the right letters")
    unknown = room.client(transport).sign_in(OTHER, "not the right letters")

    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    assert wrong.masked() == unknown.masked()
    assert len(room.mails()) == before


def test_a_repeat_answers_the_same_challenge(room: World, transport: Transport) -> None:
    """Inside the interval a repeat mails nothing; after it the same challenge has another code (S14)."""
    client = room.client(transport)
    first = client.sign_in(EMAIL, PASSWORD)
    code = room.code()
    sent = len(room.mails())

    second = client.sign_in(EMAIL, PASSWORD)
    inside = len(room.mails())
    room.clock.advance(60)
    third = client.sign_in(EMAIL, PASSWORD)

    assert challenge_id(first) == challenge_id(second) == challenge_id(third)
    assert inside == sent
    assert len(room.mails()) == sent + 1
    assert answer(client, third, code).code == "invalid_challenge"
    assert answer(client, third, room.code()).status == 200


def test_cookies_and_bearer_are_challenges_apart(room: World) -> None:
    """A repeat by the other transport is another challenge: what opens a cookie session opens no tokens (S14)."""
    browser, program = room.client("cookie"), room.client("bearer")

    ids = {challenge_id(client.sign_in(EMAIL, PASSWORD)) for client in (browser, program)}

    assert len(ids) == 2


def test_a_resend_waits_for_the_interval(room: World, transport: Transport) -> None:
    """A resend answers the same challenge, and mails another code once the interval has passed (S10)."""
    client = room.client(transport)
    started = client.sign_in(EMAIL, PASSWORD)
    sent = len(room.mails())
    body = {"challenge_id": challenge_id(started)}

    early = client.post("/sign-in/email-code/resend", body)
    early_sent = len(room.mails())
    room.clock.advance(61)
    late = client.post("/sign-in/email-code/resend", body)

    assert (early.status, late.status) == (202, 202)
    assert challenge_id(early) == challenge_id(late) == challenge_id(started)
    assert (early_sent, len(room.mails())) == (sent, sent + 1)
    assert answer(client, started, room.code()).status == 200


def test_wrong_unknown_and_used_are_one_answer(room: World, transport: Transport) -> None:
    """Which of them it was is not told (rule R9)."""
    client = room.client(transport)
    started = client.sign_in(EMAIL, PASSWORD)
    wrong = answer(client, started, room.wrong_code())
    assert answer(client, started, room.code()).status == 200

    used = answer(client, started, room.code())
    unknown = client.post("/sign-in/email-code", {"challenge_id": UNKNOWN, "code": "123456"})

    assert (wrong.status, wrong.code) == (400, "invalid_challenge")
    assert wrong.masked() == used.masked() == unknown.masked()


def test_five_wrong_codes_end_the_challenge(room: World) -> None:
    """Attempts are counted and committed; after five the right code opens nothing (S10, S116)."""
    client = room.client()
    started = client.sign_in(EMAIL, PASSWORD)
    for _ in range(5):
        assert answer(client, started, room.wrong_code()).code == "invalid_challenge"

    assert answer(client, started, room.code()).code == "invalid_challenge"


def test_the_code_expires(room: World, transport: Transport) -> None:
    """After its ten minutes the code opens nothing (S10)."""
    client = room.client(transport)
    started = client.sign_in(EMAIL, PASSWORD)
    room.clock.advance(600)

    assert answer(client, started, room.code()).code == "invalid_challenge"


def test_the_settings_of_the_code(world: World) -> None:
    """Length, life, interval and attempts are the room's own settings (S10)."""
    start(
        world,
        code_length=8,
        code_ttl=timedelta(minutes=3),
        min_send_interval=timedelta(seconds=20),
        max_attempts=1,
        mail_from="codes@app.example",
    )
    world.member()

    started = world.client().sign_in(EMAIL, PASSWORD)

    mail = world.mails(EMAIL)[-1]
    assert mail.code is not None
    assert (len(mail.code), mail.sender) == (8, "codes@app.example")
    assert (started.json["challenge"]["resend_after"], started.json["challenge"]["expires_at"]) == (
        20,
        "2030-01-01T00:03:00Z",
    )


def test_another_browser_cannot_answer(room: World) -> None:
    """Under cookies a challenge belongs to the browsers that proved the password (rule R4)."""
    started = room.client("cookie").sign_in(EMAIL, PASSWORD)

    stolen = answer(room.client("cookie"), started, room.code())

    assert stolen.code == "invalid_challenge"


def test_another_password_ends_what_is_open(room: World) -> None:
    """What ends an account's credentials ends the sign-ins that are on their way (rule T9)."""
    client = room.client()
    changer, _ = remembered(room, "bearer")
    room.clock.advance(601)
    started = client.sign_in(EMAIL, PASSWORD)
    code = room.code()
    change_password(changer)

    reply = answer(client, started, code)

    assert reply.code == "invalid_challenge"


def change_password(client: Client) -> None:
    """Replace the member's password."""
    changed = client.post("/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert changed.status == 200, changed


# --- remembering ---


def test_a_remembered_browser_is_spared_the_code(room: World, transport: Transport) -> None:
    """With `remember` the answer hands out a secret; with it the password alone signs in, with the methods that were
    shown and no more (S9, S11, S12).
    """
    client, reply = remembered(room, transport)
    visitor = outsider(room, client)

    again = visitor.sign_in(EMAIL, PASSWORD, **held(client, reply))

    assert reply.json["remember_expires_at"] == "2030-01-31T01:00:00Z"
    assert (again.status, again.json["session"]["amr"], again.json["session"]["aal"]) == (200, ["pwd"], 1)
    assert visitor.who() == EMAIL


def test_where_the_secret_travels(room: World, transport: Transport) -> None:
    """Under cookies it is a cookie that scripts cannot read and never stands in a body; under bearer only a body
    holds it (S11, rule R6).
    """
    _, reply = remembered(room, transport)

    cookie = reply.cookie("device")
    if transport == "bearer":
        assert cookie is None
        assert reply.json["remember_token"].startswith("ac1_rm_")
    else:
        assert cookie is not None
        assert (cookie.name, cookie.max_age) == ("__Host-authcore_device", 30 * DAY)
        assert {"httponly", "secure"} <= set(cookie.attributes)
        assert cookie.value.encode() not in reply.body
        assert "remember_token" not in reply.json


def test_the_secret_is_stored_hashed(room: World) -> None:
    """A row holds its SHA-256 alone (S13, rule T1)."""
    _, reply = remembered(room, "bearer")

    [row] = room.rows("authcore_remember")

    assert len(row["digest"]) == 32
    assert reply.json["remember_token"] not in str(dict(row))


def test_each_use_replaces_the_token_and_keeps_its_end(room: World, transport: Transport) -> None:
    """A use answers another token that ends when the first would have (S12)."""
    client, reply = remembered(room, transport)
    room.clock.advance(10 * DAY)
    visitor = outsider(room, client)

    second = visitor.sign_in(EMAIL, PASSWORD, **held(client, reply))
    third = visitor.sign_in(EMAIL, PASSWORD, **held(visitor, second))

    assert (second.status, third.status) == (200, 200)
    ends = {answered.json["remember_expires_at"] for answered in (reply, second, third)}
    assert ends == {"2030-01-31T01:00:00Z"}
    secrets = {row["digest"] for row in room.rows("authcore_remember")}
    assert len(secrets) == 3


def test_a_token_ends_with_its_time(room: World, transport: Transport) -> None:
    """Thirty days after the first issue the code is asked again, however often the token was used (S12)."""
    client, reply = remembered(room, transport)
    room.clock.advance(29 * DAY)
    used = client.sign_in(EMAIL, PASSWORD, **held(client, reply))
    assert used.status == 200
    room.clock.advance(DAY)

    late = client.sign_in(EMAIL, PASSWORD, **held(client, used))

    assert late.status == 202


def test_a_token_says_nothing_without_the_password(room: World, transport: Transport) -> None:
    """With a wrong password it changes neither the answer nor itself (S12, rule A2)."""
    client, reply = remembered(room, transport)
    visitor = outsider(room, client)

    wrong = visitor.sign_in(EMAIL, "not the right letters", **held(client, reply))

    assert wrong.masked() == room.client(transport).sign_in(OTHER, "not the right letters").masked()
    assert visitor.sign_in(EMAIL, PASSWORD, **held(client, reply)).status == 200


def test_a_token_spares_the_same_account_only(room: World, transport: Transport) -> None:
    """Another account's token is ignored: the code is asked, and the token stays good for its own (S12)."""
    client, reply = remembered(room, transport)
    room.member(email=OTHER)
    visitor = outsider(room, client)

    other = visitor.sign_in(OTHER, PASSWORD, **held(client, reply))

    assert other.status == 202
    assert visitor.sign_in(EMAIL, PASSWORD, **held(client, reply)).status == 200


@pytest.mark.parametrize("token", ["ac1_rm_" + "A" * 43, "ac1_at_" + "A" * 43, "nonsense"])
def test_any_other_text_is_ignored(room: World, token: str) -> None:
    """What is no token of the account leaves the code asked (S12, rule T5)."""
    assert room.client().sign_in(EMAIL, PASSWORD, remember_token=token).status == 202


def test_a_token_counts_in_its_own_place(room: World) -> None:
    """A cookie's value opens nothing in a body, nor a body's token as a cookie (rule T5)."""
    browser, _ = remembered(room, "cookie")
    _, told = remembered(room, "bearer")
    cookie = next(value for name, value in browser.jar.items() if name.endswith("_device"))

    in_body = room.client("bearer").sign_in(EMAIL, PASSWORD, remember_token=cookie)
    jar = {"__Host-authcore_device": told.json["remember_token"]}
    as_cookie = room.client("cookie", jar=jar).sign_in(EMAIL, PASSWORD)

    assert (in_body.status, as_cookie.status) == (202, 202)


def test_cookie_and_body_that_disagree_are_refused(room: World) -> None:
    """There is one source of a credential in a request (rule R7)."""
    client, _ = remembered(room, "cookie")

    reply = client.sign_in(EMAIL, PASSWORD, remember_token="ac1_rm_" + "A" * 43)

    assert (reply.status, reply.code) == (400, "ambiguous_credentials")


def test_a_bearer_token_is_bound_to_its_device(room: World) -> None:
    """A token that was handed to a `device_id` spares no other device (S13)."""
    client, reply = remembered(room, "bearer", device_id="d-1")

    other = room.client().sign_in(EMAIL, PASSWORD, device_id="d-2", **held(client, reply))
    own = room.client().sign_in(EMAIL, PASSWORD, device_id="d-1", **held(client, reply))

    assert (other.status, own.status) == (202, 200)


def test_a_spent_token_spares_nothing(room: World, transport: Transport) -> None:
    """Of two uses of one token one is spared; the other is asked, and the successor stays good (S12, rule T2)."""
    client, reply = remembered(room, transport)
    first, second = outsider(room, client), outsider(room, client)

    winner = first.sign_in(EMAIL, PASSWORD, **held(client, reply))
    loser = second.sign_in(EMAIL, PASSWORD, **held(client, reply))

    assert (winner.status, loser.status) == (200, 202)
    assert first.sign_in(EMAIL, PASSWORD, **held(first, winner)).status == 200


def test_a_replaced_token_shown_later_is_theft(room: World, transport: Transport) -> None:
    """After the grace of ten seconds it ends every token of the user, is written as an event, and the code is asked
    (S12, rule T6).
    """
    client, reply = remembered(room, transport)
    owner = outsider(room, client)
    used = owner.sign_in(EMAIL, PASSWORD, **held(client, reply))
    room.clock.advance(11)

    thief = outsider(room, client).sign_in(EMAIL, PASSWORD, **held(client, reply))

    assert thief.status == 202
    assert [row["name"] for row in room.rows("authcore_event")] == ["RememberTokenReused"]
    assert owner.sign_in(EMAIL, PASSWORD, **held(owner, used)).status == 202


def test_remembering_that_is_not_offered(world: World, transport: Transport) -> None:
    """`remember` where remembering is off is refused before the code is looked at; without it the code signs in
    (S13).
    """
    start(world)
    world.member()
    client = world.client(transport)
    started = client.sign_in(EMAIL, PASSWORD)
    code = world.code()

    refused = answer(client, started, code, remember=True)
    accepted = answer(client, started, code, remember=False)

    assert (refused.status, refused.fields) == (422, {"remember": "not_offered"})
    assert accepted.status == 200
    assert world.rows("authcore_remember") == []


def test_tokens_rest_where_remembering_was_switched_off(room: World, transport: Transport) -> None:
    """A token from before is ignored while remembering is off (S13)."""
    client, reply = remembered(room, transport)
    start(room, remember=False)

    assert outsider(room, client).sign_in(EMAIL, PASSWORD, **held(client, reply)).status == 202


def test_another_password_ends_tokens(room: World, transport: Transport) -> None:
    """What ends an account's credentials ends its remember tokens (rule T9)."""
    client, reply = remembered(room, transport)
    change_password(client)

    assert outsider(room, client).sign_in(EMAIL, NEW_PASSWORD, **held(client, reply)).status == 202


def test_signing_out_forgets_no_browser(room: World, transport: Transport) -> None:
    """The remembered browser is spared the code after a sign-out: that is what it is remembered for (S12)."""
    client, reply = remembered(room, transport)

    client.post("/sign-out", {})

    assert client.sign_in(EMAIL, PASSWORD, **held(client, reply)).status == 200


def others(world: World) -> dict[str, str]:
    """Answer a live secret of every other kind."""
    phone, _ = remembered(world, "bearer")
    browser, _ = remembered(world, "cookie")
    return {
        "access token": str(phone.access_token),
        "refresh token": str(phone.refresh_token),
        "session cookie": browser.jar["__Host-authcore_session"],
        "challenge cookie": browser.jar["__Host-authcore_challenge"],
        "challenge id": challenge_id(world.client().sign_in(EMAIL, PASSWORD)),
    }


def test_no_other_secret_spares_the_code(room: World) -> None:
    """In the place of a remember token, in a body or as a cookie, each other kind is nothing (rule T5)."""
    statuses = {
        (kind, place): client.sign_in(EMAIL, PASSWORD, **body).status
        for kind, secret in others(room).items()
        for place, client, body in (
            ("body", room.client("bearer"), {"remember_token": secret}),
            ("cookie", room.client("cookie", jar={"__Host-authcore_device": secret}), {}),
        )
    }

    assert set(statuses.values()) == {202}


def test_a_remember_token_opens_nothing_else(room: World) -> None:
    """It is no access token, refresh token, session or challenge (rule T5)."""
    _, reply = remembered(room, "bearer")
    secret = reply.json["remember_token"]
    client = room.client()

    replies = [
        room.client(access_token=secret).get("/me"),
        room.client("cookie", jar={"__Host-authcore_session": secret}).get("/me"),
        client.refresh(secret),
        client.post("/sign-in/email-code", {"challenge_id": secret, "code": "123456"}),
        client.post("/sign-in/email-code/resend", {"challenge_id": secret}),
    ]

    assert [reply.code for reply in replies] == [
        "not_authenticated",
        "not_authenticated",
        "invalid_refresh_token",
        "invalid_challenge",
        "invalid_challenge",
    ]
