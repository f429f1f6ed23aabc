"""The room `password_reset`: a forgotten password is replaced by a mailed link or code."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from authcore import Password, PasswordReset, Sessions
from authcore.context import Context
from authcore.feature import Feature, SignInStep
from authcore.services import challenges
from authcore.services.challenges import ChallengeKind
from authcore.services.mailed import Mailed
from authcore.services.sign_in import SignInState
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER_PASSWORD = "fifteen other letters"
REGISTERED, UNKNOWN = "bea@example.com", "bob@example.com"  # of one length and one initial, so that bytes compare
UNKNOWN_TOKEN = "ac1_ln_" + "A" * 43
USER, PASSWORDS = metadata.tables["authcore_user"], metadata.tables["authcore_password"]


@pytest.fixture(autouse=True)
def _room(world: World) -> None:
    world.start(features=[Password(), PasswordReset(), Sessions()])


def ask(client: Client, email: str = EMAIL) -> Reply:
    """Ask for a reset."""
    return client.post("/password/reset", {"email": email})


def complete(client: Client, password: str = OTHER_PASSWORD, **by: Any) -> Reply:
    """Choose another password, by `token=`, or by `challenge_id=` and `code=`."""
    return client.post("/password/reset/complete", {"new_password": password, **by})


def by_code(asked: Reply, code: str) -> dict[str, str]:
    """Answer the fields that name a code."""
    return {"challenge_id": challenge_id(asked), "code": code}


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code and link."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert reply.all("set-cookie") == []


# --- asking ---


def test_a_reset_is_mailed_by_link_and_code(world: World, transport: Transport) -> None:
    """S72, S74, S92: one mail carries a link, valid for an hour, and a code; the answer carries neither."""
    world.member()
    client = world.client(transport)

    reply = ask(client, f" {EMAIL.upper()} ")

    assert (reply.status, reply.json["status"]) == (202, "sent")
    challenge = reply.json["challenge"]
    assert set(challenge) == {"id", "kind", "methods", "expires_at", "resend_after", "hint"}
    assert (challenge["expires_at"], challenge["resend_after"]) == ("2030-01-01T00:10:00Z", 60)
    assert challenge["hint"] == "a***@example.com"
    mail = world.mails(EMAIL)[-1]
    assert (mail.kind, mail.event, mail.template) == ("password_reset", "recovery.magic_link", "auth-password-reset")
    assert mail.code is not None
    assert mail.token is not None
    assert mail.url == f"https://app.example/auth/password/reset#token={mail.token}"
    assert mail.expires_at is not None
    assert mail.expires_at.isoformat() == "2030-01-01T01:00:00+00:00"
    assert all(part in text for part in (mail.code, mail.url) for text in (mail.text, mail.html))
    assert mail.code not in reply.body.decode()


def test_only_digests_are_stored(world: World) -> None:
    """S72, T1: no row holds the token or the code that was mailed."""
    world.member()
    ask(world.client())

    mail = world.mails(EMAIL)[-1]

    stored = [str(dict(row)) for row in world.rows("authcore_challenge")]
    assert len(stored) == 2
    assert mail.token is not None
    assert mail.code is not None
    assert not any(mail.token in row or f"'{mail.code}'" in row for row in stored)


def test_unknown_addresses_answer_alike(world: World, transport: Transport) -> None:
    """S72, A2: asking, asking again, looking and completing are one answer for every address."""
    world.member(email=REGISTERED)
    answers = {}

    for email in (REGISTERED, UNKNOWN):
        client = world.client(transport)
        asked, again = ask(client, email), ask(client, email)
        checked = client.post("/password/reset/check", by_code(asked, "000000"))
        completed = complete(client, **by_code(asked, "000000"))
        assert challenge_id(asked) == challenge_id(again)
        answers[email] = [reply.masked() for reply in (asked, again, checked, completed)]

    assert answers[REGISTERED] == answers[UNKNOWN]
    assert answers[UNKNOWN][0][0] == 202


def test_unknown_addresses_cost_the_same_rows(world: World) -> None:
    """A2: the same rows are written, and the same statements run, whether the address has an account or not."""
    world.member(email=REGISTERED)
    ask(world.client(peer="198.51.100.1"), "warm@example.com")  # what a first request alone does

    known = world.added(lambda: ask(world.client(peer="198.51.100.8"), REGISTERED))
    unknown = world.added(lambda: ask(world.client(peer="198.51.100.9"), UNKNOWN))
    world.clock.advance(60)
    known_again = world.statements(lambda: ask(world.client(peer="198.51.100.8"), REGISTERED))
    unknown_again = world.statements(lambda: ask(world.client(peer="198.51.100.9"), UNKNOWN))

    assert known == unknown
    assert known["authcore_challenge"] == known["authcore_effect"] == 1
    assert known_again == unknown_again
    assert [len(world.mails(email)) for email in (REGISTERED, UNKNOWN)] == [3, 0]


def test_no_code_opens_an_unknown_address(world: World) -> None:
    """A2: a challenge without an account is judged like any other and never opens."""
    client = world.client()

    asked = ask(client, UNKNOWN)

    assert world.mails() == []
    assert_refused(complete(client, **by_code(asked, "000000")))
    assert world.rows("authcore_user") == []


def test_an_account_without_a_password_gets_its_first_one(world: World) -> None:
    """S72: whoever reads the mailbox may choose a password, also where the account had none; nothing tells."""
    world.member()
    world.query(delete(PASSWORDS))
    client = world.client()

    asked = ask(client)
    reply = complete(client, token=world.link())

    assert (asked.status, reply.status) == (202, 200)
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200


def test_a_disabled_account_is_mailed_nothing(world: World, transport: Transport) -> None:
    """A2: for a disabled account the answer is the same, and nothing is sent."""
    world.member(email=REGISTERED)
    world.query(update(USER).values(disabled_at=world.clock.now()))
    sent = len(world.mails())

    disabled = ask(world.client(transport), REGISTERED)
    unknown = ask(world.client(transport), UNKNOWN)

    assert disabled.masked() == unknown.masked()
    assert len(world.mails()) == sent


def test_a_repeat_inside_the_interval_is_the_same_challenge(world: World, transport: Transport) -> None:
    """S72, S76: inside a minute nothing is sent and the challenge is the same; code and link stay good."""
    world.member()
    client = world.client(transport)
    asked, token = ask(client), world.link()
    sent = len(world.mails())
    world.clock.advance(20)

    again = ask(client)

    assert again.json["challenge"] == {**asked.json["challenge"], "resend_after": 40}
    assert len(world.mails()) == sent
    assert complete(client, token=token).status == 200


def test_a_later_repeat_replaces_code_and_link(world: World, transport: Transport) -> None:
    """S76: after the interval the same id has another code and link; the earlier ones are dead."""
    world.member()
    client = world.client(transport)
    asked, token, code = ask(client), world.link(), world.code()
    world.clock.advance(60)

    again = ask(client)

    assert challenge_id(again) == challenge_id(asked)
    assert_refused(complete(client, token=token))
    assert_refused(complete(client, **by_code(asked, code)))
    assert complete(client, **by_code(asked, world.code())).status == 200


def test_a_request_after_the_code_expired_ends_the_earlier_link(world: World) -> None:
    """S74: a newer request ends an earlier one, whose link would have opened for an hour."""
    world.member()
    client = world.client()
    asked, token = ask(client), world.link()
    world.clock.advance(600)

    again = ask(client)

    assert challenge_id(again) != challenge_id(asked)
    assert_refused(complete(client, token=token))
    assert complete(client, token=world.link()).status == 200


def test_past_the_allowance_nothing_is_sent(world: World, transport: Transport) -> None:
    """S74: the fourth request of an hour answers 202 as the others did, sends nothing, and ends nothing."""
    world.member(email=REGISTERED)
    answers: dict[str, list[Any]] = {}
    for email in (REGISTERED, UNKNOWN):
        client, answers[email] = world.client(transport), []
        for _ in range(3):
            ask(client, email)
            world.clock.advance(61)
    sent = len(world.mails(REGISTERED))

    for email in (REGISTERED, UNKNOWN):
        client = world.client(transport)
        answers[email].append(ask(client, email).masked())
        world.clock.advance(601)
        answers[email].append(ask(client, email).masked())

    assert [status for status, _, _ in answers[REGISTERED]] == [202, 202]
    assert len(world.mails(REGISTERED)) == sent == 4
    assert complete(world.client(), token=world.link(REGISTERED)).status == 200
    world.clock.advance(3600)
    ask(world.client(transport), REGISTERED)
    assert len(world.mails(REGISTERED)) == sent + 1


def test_the_allowance_tells_nothing(world: World, transport: Transport) -> None:
    """A2, S74: past the allowance known and unknown addresses are one answer, with the same rows."""
    world.member(email=REGISTERED)
    for _ in range(3):
        for email in (REGISTERED, UNKNOWN):
            ask(world.client(transport), email)
        world.clock.advance(61)
    world.clock.advance(601)
    answers = []

    def one_more(email: str, peer: str) -> None:
        answers.append(ask(world.client(transport, peer=peer), email).masked())

    known = world.added(lambda: one_more(REGISTERED, "198.51.100.8"))
    unknown = world.added(lambda: one_more(UNKNOWN, "198.51.100.9"))

    assert known == unknown
    assert "authcore_challenge" not in known
    assert answers[0] == answers[1]


def test_requests_inside_the_interval_use_nothing_of_the_allowance(world: World) -> None:
    """S74: whoever presses the button five times in a minute still gets three mails in the hour."""
    world.member()
    client = world.client()
    sent = len(world.mails())

    for _ in range(3):
        for _ in range(5):
            ask(client)
        world.clock.advance(60)

    assert len(world.mails()) == sent + 3


# --- looking ---


def test_a_link_is_looked_at_without_being_spent(world: World) -> None:
    """S73: before a form is shown a link tells until when it opens, however often it is looked at."""
    world.member()
    client = world.client()
    ask(client)
    token = world.link()

    replies = [client.post("/password/reset/check", {"token": token}) for _ in range(7)]

    assert {(reply.status, reply.body) for reply in replies} == {
        (200, b'{"status":"valid","expires_at":"2030-01-01T01:00:00Z"}')
    }
    assert complete(client, token=token).status == 200
    assert_refused(client.post("/password/reset/check", {"token": token}))


def test_a_look_at_a_code_counts_as_an_attempt(world: World) -> None:
    """S73: a code that is looked at is an attempt at it, right or wrong."""
    world.member()
    client = world.client()
    asked = ask(client)

    right = client.post("/password/reset/check", by_code(asked, world.code()))
    wrong = client.post("/password/reset/check", by_code(asked, world.wrong_code()))

    assert right.json == {"status": "valid", "expires_at": "2030-01-01T00:10:00Z"}
    assert_refused(wrong)
    [row] = [row for row in world.rows("authcore_challenge") if row["purpose"] == "password_reset"]
    assert row["attempts"] == 2


# --- choosing another password ---


def test_the_link_replaces_the_password_and_signs_in(world: World, transport: Transport) -> None:
    """S26, S73: the link opens in any client, which gets a session of its own transport; aal stays 1 (A8)."""
    world.member()
    ask(world.client("cookie"))
    client = world.client(transport)

    reply = complete(client, token=world.link(), device_name="Study")

    assert (reply.status, reply.json["status"]) == (200, "signed_in")
    session = reply.json["session"]
    assert (session["transport"], session["amr"], session["aal"]) == (transport, ["email"], 1)
    assert session["device_name"] == "Study"
    assert ("access_token" in reply.json) == (transport == "bearer")
    assert client.who() == EMAIL
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200
    assert world.client().sign_in(EMAIL, PASSWORD).status == 401


def test_the_code_replaces_the_password(world: World, transport: Transport) -> None:
    """S72: the code that is typed where it was asked for does the same."""
    world.member()
    client = world.client(transport)
    asked, code = ask(client), world.code()

    reply = complete(client, **by_code(asked, f" {code[:3]}-{code[3:]}"))

    assert reply.status == 200
    assert client.who() == EMAIL
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200


def test_a_code_is_bound_to_the_browser_that_asked(world: World) -> None:
    """In cookie transport another browser's right code opens nothing."""
    world.member()
    browser, thief = world.client("cookie"), world.client("cookie")
    asked, code = ask(browser), world.code()

    stolen = complete(thief, **by_code(asked, code))

    assert_refused(stolen)
    assert complete(browser, **by_code(asked, code)).status == 200


@pytest.mark.parametrize("first", ["code", "link"])
def test_a_reset_is_spent_once(world: World, first: str) -> None:
    """S74, T2: once the code or the link was used, neither opens anything."""
    world.member()
    client = world.client()
    asked = ask(client)
    ways = {"code": by_code(asked, world.code()), "link": {"token": world.link()}}
    assert complete(client, **ways[first]).status == 200

    late = [complete(world.client(), "sixteen other letters", **way) for way in ways.values()]

    for reply in late:
        assert_refused(reply)
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200


def test_attempts_at_a_code_are_capped(world: World) -> None:
    """S72, S116: after five wrong codes the right one opens nothing; the link, which nobody guesses, still does."""
    world.member()
    client = world.client()
    asked, wrong = ask(client), world.wrong_code()
    refusals = [complete(client, **by_code(asked, wrong)).masked() for _ in range(5)]

    late = complete(client, **by_code(asked, world.code()))

    assert_refused(late)
    assert {str(refusal) for refusal in refusals} == {str(late.masked())}
    assert complete(client, token=world.link()).status == 200


def test_the_fifth_attempt_may_be_the_right_one(world: World) -> None:
    """S72: completing takes one attempt, so that four mistakes leave room for the right code."""
    world.member()
    client = world.client()
    asked, wrong = ask(client), world.wrong_code()
    for _ in range(4):
        complete(client, **by_code(asked, wrong))

    reply = complete(client, **by_code(asked, world.code()))

    assert reply.status == 200


def test_code_and_link_expire(world: World) -> None:
    """S72, S74: the code opens for ten minutes, the link for an hour."""
    world.member()
    client = world.client()
    asked, code, token = ask(client), world.code(), world.link()

    world.clock.advance(600)
    late_code = complete(client, **by_code(asked, code))
    in_time = client.post("/password/reset/check", {"token": token})
    world.clock.advance(3000)
    late_link = complete(client, token=token)

    assert_refused(late_code)
    assert in_time.status == 200
    assert_refused(late_link)


@pytest.mark.parametrize(
    ("password", "code"),
    [("short", "too_short"), ("passwordpassword", "password_too_common"), (EMAIL * 2, "password_too_personal")],
)
def test_a_refused_password_spends_nothing(world: World, password: str, code: str) -> None:
    """A4: the policy of sign-up holds, and neither the code nor an attempt at it is spent."""
    world.member()
    client = world.client()
    asked = ask(client)
    way = by_code(asked, world.code())

    refusals = [complete(client, password, **way) for _ in range(6)]

    assert [reply.status for reply in refusals] == [422] * 6
    assert refusals[0].fields == {"new_password": code}
    assert complete(client, **way).status == 200


def test_a_weak_password_is_refused_before_a_code_is_judged(world: World) -> None:
    """A4: whatever code stands beside it, a weak password is the same refusal."""
    world.member()
    client = world.client()
    asked = ask(client)

    right = complete(client, "short", **by_code(asked, world.code()))
    wrong = complete(client, "short", **by_code(asked, world.wrong_code()))

    assert right.masked() == wrong.masked()
    assert right.status == 422


def test_a_confirmation_must_match(world: World) -> None:
    """S75: a `password_confirmation` that differs is a wrong field, and spends nothing."""
    world.member()
    client = world.client()
    ask(client)
    token = world.link()

    reply = complete(client, token=token, password_confirmation=PASSWORD)

    assert (reply.status, reply.fields) == (422, {"password_confirmation": "mismatch"})
    assert complete(client, token=token, password_confirmation=OTHER_PASSWORD).status == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"token": "missing"}),
        ({"challenge_id": "ac1_ch_" + "A" * 43}, {"code": "missing"}),
        ({"code": "123456"}, {"challenge_id": "missing"}),
        ({"token": UNKNOWN_TOKEN, "code": "123456"}, {"token": "invalid"}),
    ],
)
def test_exactly_one_way_is_sent(world: World, body: dict[str, str], fields: dict[str, str]) -> None:
    """S73: a token, or a challenge with its code: neither and both are wrong fields."""
    client = world.client()

    replies = [client.post("/password/reset/check", body), complete(client, **body)]

    assert [(reply.status, reply.fields) for reply in replies] == [(422, fields)] * 2


def test_an_address_must_be_one(world: World) -> None:
    """A5, R2: what is no address, and a field that is not offered, are wrong fields."""
    client = world.client()

    assert ask(client, "nobody").fields == {"email": "invalid"}
    assert client.post("/password/reset", {"email": EMAIL, "phone": "+15555550100"}).fields == {"phone": "unknown"}


# --- what ends with it ---


def test_a_reset_ends_every_session(world: World) -> None:
    """T9: whoever was signed in is not any more, by session, cookie or refresh token."""
    app, browser = world.member("bearer"), world.client("cookie")
    browser.sign_in(EMAIL, PASSWORD)
    client = world.client()
    ask(client)

    complete(client, token=world.link())

    assert (app.who(), browser.who()) == (None, None)
    assert app.refresh().code == "invalid_refresh_token"
    assert client.who() == EMAIL


def test_a_reset_dies_with_whatever_ends_credentials(world: World) -> None:
    """T9: a changed password, here by another reset, ends links that are out, of bearer clients and browsers."""
    world.member()
    app, browser = world.client("bearer"), world.client("cookie")
    ask(app)
    first = world.link()
    world.clock.advance(61)
    ask(browser)
    assert complete(browser, token=world.link()).status == 200

    late = complete(app, "sixteen other letters", token=first)

    assert_refused(late)


def test_a_reset_dies_when_the_address_is_anothers(world: World) -> None:
    """T9: a link that was mailed to an address which the account no longer has opens nothing."""
    world.member()
    client = world.client()
    ask(client)
    token = world.link()
    identity = metadata.tables["authcore_identity"]
    world.query(update(identity).values(identifier="elsewhere@example.com"))

    assert_refused(complete(client, token=token))


def test_a_reset_does_not_open_a_disabled_account(world: World) -> None:
    """T9: an account that was disabled while the link was out stays closed, with the password that it had."""
    world.member()
    client = world.client()
    ask(client)
    token = world.link()
    before = world.rows("authcore_password")
    world.query(update(USER).values(disabled_at=world.clock.now()))

    assert_refused(complete(client, token=token))
    assert world.rows("authcore_password") == before


def test_tokens_of_other_kinds_open_nothing(world: World, transport: Transport) -> None:
    """T5: an access token, a refresh token and a sign-up's code are no reset."""
    member = world.member("bearer")
    started = world.client().sign_up(UNKNOWN, PASSWORD)
    client = world.client(transport)

    replies = [
        complete(client, token=member.access_token),
        complete(client, token=member.refresh_token),
        complete(client, token=UNKNOWN_TOKEN),
        complete(client, token=challenge_id(started)),
        complete(client, **by_code(started, world.code(UNKNOWN))),
    ]

    for reply in replies:
        assert_refused(reply)


def test_a_reset_opens_no_other_room(world: World) -> None:
    """T5: a reset's code does not verify a sign-up, and its link does not unlock."""
    world.member()
    client = world.client()
    asked = ask(client)

    assert_refused(client.verify(asked, world.code()))
    assert_refused(client.post("/unlock", {"token": world.link()}))


# --- what it heals ---


def test_a_reset_lets_a_resting_password_work_again(world: World) -> None:
    """A6: after a hundred failures the method rests until it is bound again, which a reset does."""
    world.start(features=[Password(), PasswordReset(), Sessions()], limits=False)
    world.member()
    client = world.client()
    for _ in range(100):
        client.sign_in(EMAIL, "a wrong one of letters")
    assert client.sign_in(EMAIL, PASSWORD).status == 401
    ask(client)

    complete(client, token=[mail.token for mail in world.mails(EMAIL) if mail.kind == "password_reset"][-1])

    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200


def test_a_compromised_password_is_mended(world: World) -> None:
    """T9: a password that must change is another one after a reset, and asks for nothing more."""
    world.member()
    world.query(update(PASSWORDS).values(must_change="compromised"))
    client = world.client()
    ask(client)

    complete(client, token=world.link())

    assert [row["must_change"] for row in world.rows("authcore_password")] == [None]
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200


def test_a_reset_proves_the_mailbox(world: World) -> None:
    """A3: where sign-up asked for no code, a stranger's sign-up of the address loses password and session."""
    world.start(features=[Password(require_code=False), PasswordReset(), Sessions()])
    stranger, owner = world.client(), world.client()
    assert stranger.sign_up(EMAIL, PASSWORD).json["user"]["email_verified"] is False
    ask(owner)

    reply = complete(owner, token=world.link())

    assert reply.json["user"]["email_verified"] is True
    assert stranger.who() is None
    assert stranger.sign_in(EMAIL, PASSWORD).status == 401


# --- further steps ---


class Gate(SignInStep):
    """Ask whoever has not shown a second factor for one."""

    kind = "totp"

    async def required(self, ctx: Context, state: SignInState) -> bool:
        """Require it unless it was shown."""
        return "otp" not in state.amr

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        """Begin a challenge that nobody can answer."""
        kind = ChallengeKind(purpose="gate", kind="totp")
        made = challenges.draft(ctx, kind, subject=state.user_id, recipient="", payload=state, bindings=[])
        await ctx.db.write(challenges.insert_row, made, *challenges.code_digest(ctx, made.id, made.code or ""))
        return Mailed(made)


class Gated(Feature):
    """A room that has the step alone."""

    name = "gated"
    steps = (Gate(),)


def test_a_reset_does_not_skip_a_second_factor(world: World, transport: Transport) -> None:
    """A1, A8: for an account with a second factor a reset ends in a challenge, without a usable credential."""
    world.member()
    world.start(features=[Password(), PasswordReset(), Gated(), Sessions()])
    client = world.client(transport)
    ask(client)

    reply = complete(client, token=world.link())

    assert (reply.status, reply.json["status"]) == (202, "challenge_required")
    assert reply.json["challenge"]["kind"] == "totp"
    assert client.session_secret is None
    assert client.who() is None


def test_a_reset_may_sign_nobody_in(world: World, transport: Transport) -> None:
    """S26, S73: with `sign_in_after=False` the answer says that it is done, and sets nothing."""
    world.start(features=[Password(), PasswordReset(sign_in_after=False), Sessions()])
    world.member()
    client = world.client(transport)
    ask(client)

    reply = complete(client, token=world.link())

    assert (reply.status, reply.body) == (200, b'{"status":"reset"}')
    assert reply.all("set-cookie") == []
    assert client.who() is None
    assert client.sign_in(EMAIL, OTHER_PASSWORD).status == 200


# --- the landing page ---


def test_the_landing_page_spends_nothing(world: World) -> None:
    """R4: GET and HEAD, by a browser or a scanner, show a page or say what is needed; the link stays good."""
    world.member()
    client = world.client()
    ask(client)
    token = world.link()
    before = world.rows("authcore_challenge")

    page = client.get("/password/reset", headers=[("Accept", "text/html,application/xhtml+xml")])
    told = client.get("/password/reset")
    head = client.request("HEAD", "/password/reset")

    assert (page.status, told.status, head.status) == (200, 200, 200)
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert b'name="new_password" type="password" autocomplete="new-password"' in page.body
    assert b"/auth/password/reset/complete" in page.body
    assert told.json == {"needs": "confirm"}
    assert world.rows("authcore_challenge") == before
    assert complete(client, token=token).status == 200


def test_another_sites_form_asks_for_nothing(world: World) -> None:
    """R5: a browser's request from a site that is not listed is refused before anything is counted or mailed."""
    browser = world.client("cookie")

    reply = browser.post("/password/reset", {"email": EMAIL}, origin="https://evil.example")

    assert (reply.status, reply.code) == (403, "origin_not_allowed")
    assert world.rows("authcore_challenge") == []


# --- switched off ---


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/password/reset", {"email": EMAIL}),
        ("/password/reset/check", {"token": UNKNOWN_TOKEN}),
        ("/password/reset/complete", {"token": UNKNOWN_TOKEN, "new_password": "short"}),
    ],
)
def test_where_passwords_are_off_there_is_no_reset(world: World, path: str, body: dict[str, str]) -> None:
    """S8: `Password(enabled=False)` answers every reset route with 403, and nothing is written."""
    world.start(features=[Password(enabled=False), PasswordReset(), Sessions()])
    client = world.client()

    reply = client.post(path, body)

    assert (reply.status, reply.code) == (403, "password_disabled")
    assert client.get("/password/reset").code == "password_disabled"
    assert world.rows("authcore_challenge") == []
