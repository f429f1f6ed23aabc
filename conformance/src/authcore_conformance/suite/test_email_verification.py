"""The room `email_verification`: proving an address by link and by code, for users who signed up without one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authcore import EmailVerification, Password, Sessions
from authcore.backends.mail import MemoryMailer
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

SEND, RESEND, CONFIRM = "/email/verify/send", "/email/verify/resend", "/email/verify/confirm"
PAGE = (("Accept", "text/html"),)


def start(world: World, **settings: object) -> None:
    """Start an application in which sign-up needs no code."""
    room = EmailVerification(**{"send_at_sign_up": False, **settings})  # type: ignore[arg-type]
    world.start(features=[Password(require_code=False), room, Sessions()])


def signed_up(world: World, transport: Transport = "bearer", email: str = EMAIL) -> Client:
    """Answer a client of a user whose address is not proven."""
    client = world.client(transport)
    assert client.sign_up(email, PASSWORD).status == 201
    return client


def by_code(client: Client, started: Reply, code: str) -> Reply:
    """Answer a challenge by its code."""
    return client.post(CONFIRM, {"challenge_id": challenge_id(started), "code": code})


def is_verified(client: Client) -> bool:
    """Tell whether the user of a client has a proven address."""
    return bool(client.get("/me").json["user"]["email_verified"])


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code and link."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert reply.all("set-cookie") == []


# --- by code ---


def test_a_code_proves_the_address(world: World, transport: Transport) -> None:
    """S77: the mailed code, entered in the session that asked, proves the address; the session goes on."""
    start(world)
    client = signed_up(world, transport)

    started = client.post(SEND)
    reply = by_code(client, started, world.code())

    assert (started.status, started.json["status"]) == (202, "challenge_required")
    assert started.json["challenge"]["hint"] == "a***@example.com"
    assert started.json["challenge"]["expires_at"] == "2030-01-01T00:10:00Z"
    assert reply.status == 200
    assert set(reply.json) == {"user"}
    assert reply.json["user"]["email_verified"] is True
    assert is_verified(client)


def test_the_mail_carries_a_link_for_a_day_and_a_code_for_minutes(world: World) -> None:
    """S77: one mail has both: the link is valid for 24 hours, the code for 10 minutes, and the mail says so."""
    start(world)
    client = signed_up(world)

    client.post(SEND)

    [mail] = [mail for mail in world.mails(EMAIL) if mail.kind == "email_verification"]
    assert mail.code is not None
    assert mail.url == f"https://app.example/auth/email/verify#token={mail.token}"
    assert mail.expires_at == world.clock.now() + timedelta(hours=24)
    assert "the link for 24 hours, the code for 10 minutes" in " ".join(mail.text.split())


def test_a_code_opens_nothing_outside_its_session(world: World, transport: Transport) -> None:
    """A13: a code counts in the session of the user that asked: signed out it is 401, another's is refused, unspent."""
    start(world)
    client, other = signed_up(world, transport), signed_up(world, transport, "eve@example.com")
    started, code = client.post(SEND), world.code()

    nobody = by_code(world.client(transport), started, code)
    stranger = by_code(other, started, code)

    assert (nobody.status, nobody.code) == (401, "not_authenticated")
    assert_refused(stranger)
    assert by_code(client, started, code).status == 200


def test_codes_and_links_are_spent_once(world: World) -> None:
    """T2: after the address is proven neither the code nor any link that was mailed opens anything."""
    start(world)
    client = signed_up(world)
    client.post(SEND)
    link = world.link()
    world.clock.advance(601)
    started, code = client.post(SEND), world.code()
    assert by_code(client, started, code).status == 200
    assert [row["spent_at"] is None for row in world.rows("authcore_challenge")] == [False, False]

    again, by_link = by_code(client, started, code), client.post(CONFIRM, {"token": link})

    assert_refused(again)
    assert_refused(by_link)


def test_wrong_codes_are_counted(world: World) -> None:
    """S116: after five wrong codes the right one opens nothing; the attempts stand in the row."""
    start(world)
    client = signed_up(world)
    started = client.post(SEND)
    for _ in range(5):
        assert_refused(by_code(client, started, world.wrong_code()))

    late = by_code(client, started, world.code())

    assert_refused(late)
    assert [row["attempts"] for row in world.rows("authcore_challenge")] == [5]


def test_a_code_ends_long_before_its_link(world: World) -> None:
    """S77: after ten minutes the code opens nothing, the link of the same mail does until a day is over."""
    start(world)
    client = signed_up(world)
    started = client.post(SEND)
    code, link = world.code(), world.link()
    world.clock.advance(600)

    late, by_link = by_code(client, started, code), client.post(CONFIRM, {"token": link})

    assert_refused(late)
    assert by_link.status == 200


# --- by link ---


def test_a_link_in_the_own_session_keeps_everything(world: World, transport: Transport) -> None:
    """S77, S79: opened where its user is signed in, a link proves the address and ends nothing."""
    start(world)
    client = signed_up(world, transport)
    client.post(SEND)

    reply = client.post(CONFIRM, {"token": world.link()})

    assert (reply.status, reply.json["user"]["email_verified"]) == (200, True)
    assert client.who() == EMAIL
    assert world.client(transport).sign_in(EMAIL, PASSWORD).status == 200


def test_a_link_in_another_browser_drops_what_nobody_proved(world: World, transport: Transport) -> None:
    """A3: where its user is not signed in, the link gives the account to the mailbox: password and sessions end.

    A stranger who signed up with the address of somebody else gains no verified account when that person opens it.
    """
    start(world)
    stranger = signed_up(world, transport)
    stranger.post(SEND)

    reply = world.client(transport).post(CONFIRM, {"token": world.link()})

    assert (reply.status, reply.json["user"]["email_verified"]) == (200, True)
    assert reply.all("set-cookie") == []
    assert "access_token" not in reply.json
    assert stranger.who() is None
    assert stranger.sign_in(EMAIL, PASSWORD).code == "invalid_credentials"
    assert world.rows("authcore_password") == []


def test_a_link_in_a_strangers_session_counts_as_another_browser(world: World) -> None:
    """A3: a session of another user proves nothing about the one that the link is for, and stays what it is."""
    start(world)
    client, other = signed_up(world), signed_up(world, email="eve@example.com")
    client.post(SEND)

    reply = other.post(CONFIRM, {"token": world.link()})

    assert reply.json["user"]["email"] == EMAIL
    assert client.who() is None
    assert other.who() == "eve@example.com"
    assert not is_verified(other)


def test_a_link_may_be_bound_to_its_session(world: World, transport: Transport) -> None:
    """With `link_needs_session` a link is refused, unspent, where its user is not signed in."""
    start(world, link_needs_session=True)
    client = signed_up(world, transport)
    other = signed_up(world, transport, "eve@example.com")
    client.post(SEND)
    link = world.link()

    nobody = world.client(transport).post(CONFIRM, {"token": link})
    stranger = other.post(CONFIRM, {"token": link})

    assert (nobody.status, nobody.code) == (401, "not_authenticated")
    assert_refused(stranger)
    assert client.post(CONFIRM, {"token": link}).status == 200


def test_a_link_expires(world: World) -> None:
    """S77: a link opens nothing once 24 hours are over; a second before it does."""
    start(world)
    early, late = signed_up(world, "cookie"), signed_up(world, "cookie", "eve@example.com")
    early.post(SEND)
    late.post(SEND)
    links = world.link(EMAIL), world.link("eve@example.com")
    world.clock.advance(86399)
    in_time = early.post(CONFIRM, {"token": links[0]})
    world.clock.advance(1)

    too_late = late.post(CONFIRM, {"token": links[1]})

    assert in_time.status == 200
    assert_refused(too_late)


def test_opening_the_link_spends_nothing(world: World) -> None:
    """R4: GET shows a page to a browser and `{"needs": "confirm"}` to all else; the link still works after it."""
    start(world)
    client = signed_up(world)
    client.post(SEND)
    link = world.link()

    page, plain = client.get("/email/verify", headers=PAGE), client.get("/email/verify")

    assert page.status == 200
    assert b'data-endpoint="/auth/email/verify/confirm"' in page.body
    assert b"every session ends" in page.body
    assert plain.json == {"needs": "confirm"}
    assert client.post(CONFIRM, {"token": link}).status == 200


def test_a_change_of_credentials_ends_the_link(world: World) -> None:
    """T9: a link that is on its way ends when its account's credentials do, as by a link in another browser."""
    start(world)
    client = signed_up(world)
    client.post(SEND)
    first = world.link()
    world.clock.advance(601)
    client.post(SEND)

    world.client().post(CONFIRM, {"token": world.link()})

    assert_refused(world.client().post(CONFIRM, {"token": first}))


# --- asking ---


def test_a_repeat_inside_the_interval_sends_nothing(world: World, transport: Transport) -> None:
    """S76: send and resend answer the same challenge without a mail for a minute, and with a fresh code after it."""
    start(world)
    client = signed_up(world, transport)
    first = client.post(SEND)
    sent = len(world.mails())

    again = client.post(RESEND)
    mails_inside = len(world.mails())
    world.clock.advance(60)
    later = client.post(RESEND)

    assert challenge_id(again) == challenge_id(first) == challenge_id(later)
    assert (mails_inside, len(world.mails())) == (sent, sent + 1)
    assert by_code(client, later, world.code()).status == 200


def test_three_mails_an_hour_are_sent(world: World) -> None:
    """S77: a user gets three mails an hour; who is signed in may be told, so the fourth request is 429."""
    start(world)
    client = signed_up(world)
    for _ in range(3):
        assert client.post(SEND).status == 202
        world.clock.advance(61)
    sent = len(world.mails())

    refused = client.post(SEND)

    assert (refused.status, refused.code) == (429, "rate_limited")
    assert refused.header("retry-after") is not None
    assert len(world.mails()) == sent


def test_a_proven_address_needs_no_mail(world: World) -> None:
    """S79: who is verified already is told so by 409, and no mail goes out."""
    start(world)
    client = signed_up(world)
    by_code(client, client.post(SEND), world.code())
    sent = len(world.mails())

    refused = client.post(SEND)

    assert (refused.status, refused.code) == (409, "already_verified")
    assert len(world.mails()) == sent


def test_nobody_asks_signed_out(world: World) -> None:
    """S77: the mail is asked for by who is signed in."""
    start(world)

    replies = [world.client().post(path) for path in (SEND, RESEND)]

    assert [(reply.status, reply.code) for reply in replies] == [(401, "not_authenticated")] * 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"token": "x", "code": "123456"}, "token"),
        ({"challenge_id": "x"}, "code"),
        ({"code": "123456"}, "challenge_id"),
        ({}, "token"),
        ({"token": "x", "user_id": "y"}, "user_id"),
    ],
)
def test_exactly_one_answer_is_taken(world: World, body: dict[str, str], field: str) -> None:
    """R2: a token, or a challenge with its code: all else is 422."""
    start(world)
    client = signed_up(world)

    reply = client.post(CONFIRM, body)

    assert reply.status == 422
    assert field in reply.fields


# --- at sign-up ---


def test_sign_up_without_a_code_mails_the_link(world: World, transport: Transport) -> None:
    """S2, S79: beside the welcome, who signs up without a code gets the link; its mail shows no code to type."""
    start(world, send_at_sign_up=True)

    client = signed_up(world, transport)

    assert sorted(mail.kind for mail in world.mails(EMAIL)) == ["email_verification", "sign_up_welcome"]
    [mail] = [mail for mail in world.mails(EMAIL) if mail.kind == "email_verification"]
    assert mail.code is None
    assert client.post(CONFIRM, {"token": mail.token}).status == 200
    assert is_verified(client)


def test_sign_up_s_link_stands_beside_what_is_asked_for(world: World, transport: Transport) -> None:
    """S77: a mail that is asked for right after sign-up has a code, whatever sign-up mailed."""
    start(world, send_at_sign_up=True)
    client = signed_up(world, transport)

    started = client.post(SEND)

    assert by_code(client, started, world.code()).status == 200


def test_who_proved_the_address_at_sign_up_gets_no_link(world: World) -> None:
    """S1: a sign-up with a code has proven the address already."""
    world.start(features=[Password(), EmailVerification(), Sessions()])

    world.member()

    assert "email_verification" not in {mail.kind for mail in world.mails(EMAIL)}


# --- what asks for it ---


@pytest.mark.needs("own_routes")
def test_the_requirement_lets_in_who_has_proven(world: World, transport: Transport) -> None:
    """S79: `require(verified=True)` refuses until the address is proven, in the very session."""
    start(world)
    client = signed_up(world, transport)
    before = client.visit("GET", "/app/verified")

    by_code(client, client.post(SEND), world.code())

    assert (before.status, before.code) == (403, "email_not_verified")
    assert client.visit("GET", "/app/verified").json == {"email": EMAIL}


@pytest.mark.needs("own_routes")
def test_a_grace_period_lets_users_in_at_first(world: World) -> None:
    """S79: with `grace` an unproven address passes `verified=True` until so long after sign-up."""
    start(world, grace=timedelta(hours=2))
    client = signed_up(world, "cookie")
    world.clock.advance(7199)
    inside = client.visit("GET", "/app/verified")
    world.clock.advance(1)

    outside = client.visit("GET", "/app/verified")

    assert inside.status == 200
    assert (outside.status, outside.code) == (403, "email_not_verified")


@pytest.mark.needs("own_routes")
def test_a_page_sends_the_unproven_elsewhere(world: World, transport: Transport) -> None:
    """S79, S113: `require(verified=True, redirect="/verify")` sends a browser there, and refuses others."""
    start(world)
    client = signed_up(world, transport)

    page, program = client.visit("GET", "/app/page", headers=PAGE), client.visit("GET", "/app/page")

    assert (page.status, page.header("location")) == (303, "/verify")
    assert page.header("cache-control") == "no-store"
    assert (program.status, program.code, program.header("location")) == (403, "email_not_verified", None)


@pytest.mark.needs("own_routes")
def test_a_page_sends_guests_elsewhere(world: World) -> None:
    """S113: a guest's page request is sent to the guard's page too; whoever is let in sees the page."""
    start(world)
    client = signed_up(world)
    by_code(client, client.post(SEND), world.code())

    guest = world.client().visit("GET", "/app/page", headers=PAGE)
    let_in = client.visit("GET", "/app/page", headers=PAGE)

    assert (guest.status, guest.header("location")) == (303, "/verify")
    assert (let_in.status, let_in.json) == (200, {"email": EMAIL})


# --- development ---


def test_development_may_answer_what_it_mails(world: World) -> None:
    """S78: with `dev_secrets_in_answers` the answer holds code and token; without it no answer does."""
    room = EmailVerification(send_at_sign_up=False)
    how = {"dev_mode": True, "base_url": None, "mailer": MemoryMailer(), "limits": False}
    shown = {**how, "dev_secrets_in_answers": True}
    replies = []
    for number, settings in enumerate((how, shown)):
        world.start(features=[Password(require_code=False), room, Sessions()], **settings)
        client = world.client(host="127.0.0.1:8000")
        client.sign_up(f"dev{number}@example.com", PASSWORD)
        replies.append((client, client.post(SEND)))

    (_, without), (client, started) = replies

    challenge = started.json["challenge"]
    assert {"dev_code", "dev_token"} & set(without.json["challenge"]) == set()
    assert by_code(client, started, challenge["dev_code"]).status == 200
    assert challenge["dev_token"].startswith("ac1_ln_")
