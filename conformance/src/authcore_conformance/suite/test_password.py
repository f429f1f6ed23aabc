"""The room `password`: signing up, with a mailed code and without."""

from __future__ import annotations

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER_PASSWORD = "fifteen other letters"
REGISTERED, UNKNOWN = "bea@example.com", "bob@example.com"  # of one length and one initial, so that bytes compare


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert reply.all("set-cookie") == []


# --- with a code ---


def test_sign_up_mails_a_code_and_makes_no_user(world: World, transport: Transport) -> None:
    """S1, S5: sign-up answers a challenge without a credential, and mails six digits; nobody exists yet (A3)."""
    client = world.client(transport)

    reply = client.sign_up(EMAIL, PASSWORD, display_name="Ada")

    challenge = reply.json["challenge"]
    assert (reply.status, reply.json["status"]) == (202, "challenge_required")
    assert set(challenge) == {"id", "kind", "methods", "expires_at", "resend_after", "hint"}
    assert (challenge["kind"], challenge["methods"]) == ("email_code", ["email_code"])
    assert (challenge["expires_at"], challenge["resend_after"]) == ("2030-01-01T00:10:00Z", 60)
    assert challenge["hint"] == "a***@example.com"
    assert client.session_secret is None
    [mail] = world.mails()
    assert (mail.to, mail.kind) == (EMAIL, "sign_up")
    assert mail.code is not None
    assert mail.code.isdecimal()
    assert len(mail.code) == 6
    assert mail.code in mail.text
    assert mail.code in mail.html
    assert world.rows("authcore_user") == []


def test_the_code_makes_the_user_and_signs_in(world: World, transport: Transport) -> None:
    """S3, S26: the right code makes a user whose address is verified, with a session of the client's transport."""
    client = world.client(transport)
    started = client.sign_up(f" {EMAIL.upper()} ", PASSWORD, display_name="Ada")

    reply = client.verify(started, world.code())

    assert reply.status == 200
    assert reply.json["status"] == "signed_in"
    user = reply.json["user"]
    assert (user["email"], user["email_verified"], user["display_name"]) == (EMAIL, True, "Ada")
    assert (user["anonymous"], user["created_at"]) == (False, "2030-01-01T00:00:00Z")
    assert reply.json["session"]["transport"] == transport
    assert reply.json["session"]["amr"] == ["pwd", "email"]
    assert reply.json["session"]["aal"] == 1  # A8: a mailed code raises nothing
    assert client.who() == EMAIL


def test_a_code_is_spent_once(world: World, transport: Transport) -> None:
    """T2: a code that was spent opens nothing again."""
    client = world.client(transport)
    started, code = client.sign_up(EMAIL, PASSWORD), world.code()
    assert client.verify(started, code).status == 200

    again = client.verify(started, code)

    assert_refused(again)


def test_a_wrong_code_counts_in_the_store(world: World) -> None:
    """A refusal that counts is committed before it is answered: the attempt stands in its row."""
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)
    wrong = world.wrong_code()

    for _ in range(3):
        assert_refused(client.verify(started, wrong))

    [row] = world.rows("authcore_challenge")
    assert (row["attempts"], row["spent_at"]) == (3, None)


def test_attempts_are_capped(world: World) -> None:
    """S5: after five wrong codes the right one opens nothing either, and the answer does not tell."""
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)
    wrong = world.wrong_code()
    refusals = [client.verify(started, wrong).masked() for _ in range(5)]

    late = client.verify(started, world.code())

    assert_refused(late)
    assert {str(refusal) for refusal in refusals} == {str(late.masked())}


def test_a_code_expires(world: World) -> None:
    """S5: ten minutes after it was mailed a code opens nothing; a second before it does."""
    early, late = world.client(), world.client()
    first, second = early.sign_up(REGISTERED, PASSWORD), late.sign_up(UNKNOWN, PASSWORD)

    world.clock.advance(599)
    in_time = early.verify(first, world.code(REGISTERED))
    world.clock.advance(1)
    too_late = late.verify(second, world.code(UNKNOWN))

    assert in_time.status == 200
    assert_refused(too_late)


def test_an_unknown_challenge_is_refused_alike(world: World) -> None:
    """Unknown, misspelt and used challenges are one answer."""
    client = world.client()
    started, code = client.sign_up(EMAIL, PASSWORD), world.code()
    client.verify(started, code)
    used = client.verify(started, code)

    unknown = client.post("/sign-up/verify", {"challenge_id": "ac1_ch_" + "A" * 43, "code": "000000"})
    nonsense = client.post("/sign-up/verify", {"challenge_id": "no such thing", "code": "000000"})

    assert_refused(used)
    assert used.masked() == unknown.masked() == nonsense.masked()


def test_a_code_may_be_typed_with_blanks(world: World) -> None:
    """People copy codes in groups: blanks and dashes between the digits do not count."""
    client = world.client()
    started, code = client.sign_up(EMAIL, PASSWORD), world.code()

    reply = client.verify(started, f" {code[:3]} {code[3:]}")

    assert reply.status == 200


# --- the same address again ---


def test_a_browser_that_repeats_gets_the_same_challenge(world: World) -> None:
    """S14, A13: inside the interval a browser's unchanged repeat is the same challenge, and no second mail."""
    browser = world.client("cookie")
    first = browser.sign_up(EMAIL, PASSWORD)
    world.clock.advance(20)

    second = browser.sign_up(EMAIL, PASSWORD)

    assert second.status == 202
    before, after = first.json["challenge"], second.json["challenge"]
    assert after == {**before, "resend_after": 40}
    assert len(world.mails()) == 1
    assert browser.verify(second, world.code()).status == 200


def test_a_browser_that_repeats_later_gets_a_fresh_code(world: World) -> None:
    """S14: after the interval the repeat mails a fresh code under the same id; the old code is dead."""
    browser = world.client("cookie")
    first, old = browser.sign_up(EMAIL, PASSWORD), world.code()
    world.clock.advance(60)

    second = browser.sign_up(EMAIL, PASSWORD)

    assert challenge_id(second) == challenge_id(first)
    [_, mail] = world.mails()
    assert mail.code != old
    assert_refused(browser.verify(second, old))
    assert browser.verify(second, mail.code or "").status == 200


def test_another_password_is_another_challenge(world: World) -> None:
    """A13: a pending password is never replaced under an old code, not even by the same browser."""
    browser = world.client("cookie")
    first = browser.sign_up(EMAIL, PASSWORD)
    old = world.code()
    second = browser.sign_up(EMAIL, OTHER_PASSWORD)
    assert challenge_id(first) != challenge_id(second)

    assert_refused(browser.verify(second, old))
    verified = browser.verify(second, world.code())

    assert verified.status == 200
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 200
    assert world.client().sign_in(EMAIL, PASSWORD).status == 401


def test_a_stranger_cannot_replace_a_pending_sign_up(world: World, transport: Transport) -> None:
    """A13: another client's sign-up of the same address has an id and a code of its own; each code opens its own."""
    owner, stranger = world.client(transport), world.client(transport)
    owners, owners_code = owner.sign_up(EMAIL, PASSWORD), world.code()
    strangers = stranger.sign_up(EMAIL, OTHER_PASSWORD)
    strangers_code = world.code()
    assert challenge_id(owners) != challenge_id(strangers)
    assert owners.json["challenge"]["expires_at"] == strangers.json["challenge"]["expires_at"]

    crossed = [owner.verify(owners, strangers_code), stranger.verify(strangers, owners_code)]
    verified = owner.verify(owners, owners_code)

    for reply in crossed:
        assert_refused(reply)
    assert verified.status == 200
    assert world.client().sign_in(EMAIL, PASSWORD).status == 200
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 401


def test_a_registration_that_comes_second_makes_nothing(world: World) -> None:
    """A3: once an address has an account, a code that is still out makes no second one and changes no password."""
    owner, stranger = world.client(), world.client()
    owners, owners_code = owner.sign_up(EMAIL, PASSWORD), world.code()
    strangers, strangers_code = stranger.sign_up(EMAIL, OTHER_PASSWORD), world.code()
    assert owner.verify(owners, owners_code).status == 200

    late = stranger.verify(strangers, strangers_code)

    assert_refused(late)
    assert len(world.rows("authcore_user")) == 1
    assert world.client().sign_in(EMAIL, OTHER_PASSWORD).status == 401


def test_a_challenge_is_bound_to_its_browser(world: World) -> None:
    """In cookie transport the challenge cookie binds a code to the browser that asked for it."""
    browser, thief = world.client("cookie"), world.client("cookie")
    started, code = browser.sign_up(EMAIL, PASSWORD), world.code()
    cookie = started.cookie("challenge")

    stolen = thief.verify(started, code)

    assert cookie is not None
    assert cookie.name == "__Host-authcore_challenge"
    assert set(cookie.attributes) == {"path", "max-age", "secure", "httponly", "samesite"}
    assert cookie.value not in started.body.decode()
    assert_refused(stolen)
    assert_refused(world.client("bearer").verify(started, code))
    assert browser.verify(started, code).status == 200


def test_one_binding_serves_all_challenges_of_a_browser(world: World) -> None:
    """The challenge cookie is one binding for the browser: two pending addresses share it."""
    browser = world.client("cookie")
    first, second = browser.sign_up(REGISTERED, PASSWORD), browser.sign_up(UNKNOWN, PASSWORD)
    assert first.cookie("challenge") == second.cookie("challenge")

    replies = [browser.verify(first, world.code(REGISTERED)), browser.verify(second, world.code(UNKNOWN))]

    assert [reply.status for reply in replies] == [200, 200]


def test_a_browser_begins_again_after_the_secret_was_replaced(world: World) -> None:
    """O4: a pending sign-up that nothing can read any more counts as none: the same browser signs up as if anew."""
    browser = world.client("cookie")
    before = browser.sign_up(EMAIL, PASSWORD)
    world.start(secret="another secret of the suite, 0123456789, for this test")

    lost = browser.resend(before)
    again = browser.sign_up(EMAIL, PASSWORD)

    assert_refused(lost)
    assert (again.status, again.json["status"]) == (202, "challenge_required")
    assert challenge_id(again) != challenge_id(before)
    assert browser.verify(again, world.code()).status == 200


# --- asking again ---


def test_resend_inside_the_interval_mails_nothing(world: World, transport: Transport) -> None:
    """S14: a resend inside the interval answers the same challenge, and the code stays as it is."""
    client = world.client(transport)
    started, code = client.sign_up(EMAIL, PASSWORD), world.code()
    world.clock.advance(59)

    reply = client.resend(started)

    assert (reply.status, challenge_id(reply)) == (202, challenge_id(started))
    assert reply.json["challenge"]["resend_after"] == 1
    assert len(world.mails()) == 1
    assert client.verify(started, code).status == 200


def test_resend_mails_a_fresh_code_under_the_same_id(world: World, transport: Transport) -> None:
    """S5: after the interval a resend mails a fresh code; id, expiry and attempts are kept, the old code dies."""
    client = world.client(transport)
    started, old = client.sign_up(EMAIL, PASSWORD), world.code()
    client.verify(started, world.wrong_code())
    world.clock.advance(60)

    reply = client.resend(started)

    assert (reply.status, challenge_id(reply)) == (202, challenge_id(started))
    assert reply.json["challenge"]["expires_at"] == started.json["challenge"]["expires_at"]
    assert reply.json["challenge"]["resend_after"] == 60
    [row] = world.rows("authcore_challenge")
    assert (row["attempts"], row["sends"]) == (1, 2)
    assert_refused(client.verify(started, old))
    assert client.verify(started, world.code()).status == 200


def test_a_challenge_is_sent_five_times_at_most(world: World) -> None:
    """A mailbox gets at most five codes of one challenge, however often they are asked for."""
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)

    for _ in range(7):
        world.clock.advance(60)
        assert client.resend(started).status == 202

    assert len(world.mails()) == 5


def test_resend_is_for_the_browser_that_asked(world: World) -> None:
    """Another browser, and an unknown id, are refused alike, and nothing is mailed."""
    browser, stranger = world.client("cookie"), world.client("cookie")
    started = browser.sign_up(EMAIL, PASSWORD)
    world.clock.advance(60)

    foreign = stranger.resend(started)
    unknown = stranger.post("/sign-up/resend", {"challenge_id": "ac1_ch_" + "A" * 43})

    assert_refused(foreign)
    assert foreign.masked() == unknown.masked()
    assert len(world.mails()) == 1


# --- nobody learns who has an account ---


def test_a_taken_address_answers_alike(world: World, transport: Transport) -> None:
    """A2: sign-up, its repeat, its resend and its refusals do not tell whether the address has an account."""
    world.member(email=REGISTERED)
    answers = {}

    for email in (REGISTERED, UNKNOWN):
        client = world.client(transport)
        started = client.sign_up(email, PASSWORD)
        repeated = client.sign_up(email, PASSWORD)
        resent = client.resend(started)
        refused = client.verify(started, "000000")
        answers[email] = [reply.masked() for reply in (started, repeated, resent, refused)]

    assert answers[REGISTERED] == answers[UNKNOWN]


def test_a_taken_address_costs_the_same_rows(world: World) -> None:
    """A2: the same rows are written whether the address has an account or not."""
    world.member(email=REGISTERED)
    world.clock.advance(3 * 3600)  # what was counted at the first sign-up is over

    known = world.added(lambda: world.client(peer="198.51.100.8").sign_up(REGISTERED, OTHER_PASSWORD))
    unknown = world.added(lambda: world.client(peer="198.51.100.9").sign_up(UNKNOWN, OTHER_PASSWORD))

    assert known == unknown
    assert known["authcore_challenge"] == known["authcore_effect"] == 1


def test_the_owner_of_a_taken_address_is_told_by_mail(world: World) -> None:
    """A2: where there is an account, the mail says so instead of carrying a code, and no code opens the challenge."""
    world.member(email=REGISTERED)
    client = world.client()

    started = client.sign_up(REGISTERED, OTHER_PASSWORD)

    mail = world.mails(REGISTERED)[-1]
    assert (mail.kind, mail.code) == ("sign_up_existing", None)
    assert_refused(client.verify(started, "000000"))
    assert world.client().sign_in(REGISTERED, PASSWORD).status == 200


# --- without a code ---


def test_without_a_code_sign_up_signs_in_at_once(world: World, transport: Transport) -> None:
    """S2: without a code sign-up answers 201 with a session, the address unproven, and a mail still goes out."""
    world.start(features=[Password(require_code=False), Sessions()])
    client = world.client(transport)

    reply = client.sign_up(EMAIL, PASSWORD)

    assert (reply.status, reply.json["status"]) == (201, "signed_in")
    assert (reply.json["user"]["email_verified"], reply.json["session"]["amr"]) == (False, ["pwd"])
    assert client.who() == EMAIL
    [mail] = world.mails()
    assert (mail.to, mail.kind, mail.code) == (EMAIL, "sign_up_welcome", None)


def test_without_a_code_a_taken_address_is_told(world: World) -> None:
    """A2: the one setting that gives neutrality up, on that route alone: 409 `account_exists`, and nothing changes."""
    world.start(features=[Password(require_code=False), Sessions()])
    assert world.client().sign_up(EMAIL, PASSWORD).status == 201

    reply = world.client().sign_up(EMAIL.upper(), OTHER_PASSWORD)

    assert (reply.status, reply.code) == (409, "account_exists")
    assert len(world.rows("authcore_user")) == 1
    assert world.client().sign_in(EMAIL, PASSWORD).status == 200


# --- switched off ---


PASSWORD_PATHS = (
    *("/sign-up", "/sign-up/verify", "/sign-up/resend", "/sign-in", "/sign-in/new-password", "/unlock"),
    *("/password/change", "/password/change/verify", "/password/set"),
    *("/password/reset", "/password/reset/check", "/password/reset/complete"),
)


@pytest.mark.parametrize("email", [REGISTERED, UNKNOWN])
def test_where_passwords_are_off_every_route_says_so(world: World, email: str) -> None:
    """S8: each route answers 403 `password_disabled`, for every address alike, and writes nothing."""
    world.member(email=REGISTERED)
    world.start(features=[Password(enabled=False), Sessions()])
    before, body = world.counts(), {"email": email, "password": PASSWORD}

    replies = {path: world.client().post(path, body) for path in PASSWORD_PATHS}
    replies["policy"] = world.client().get("/password/policy")

    refused = (403, "password_disabled")
    assert {path: (reply.status, reply.code) for path, reply in replies.items()} == dict.fromkeys(replies, refused)
    assert world.counts() == before


def test_switching_passwords_off_leaves_sessions_alone(world: World) -> None:
    """S8: who is signed in stays so; a password proves nothing any more."""
    member = world.member()
    world.start(features=[Password(enabled=False), Sessions()])

    reply = member.post("/reauthenticate", {"password": PASSWORD})

    assert (reply.status, reply.code) == (403, "password_disabled")
    assert member.who() == EMAIL
