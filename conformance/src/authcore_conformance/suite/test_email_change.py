"""The room `email_change`: another address is proven, and the one before can take the change back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authcore import EmailChange, EmailVerification, MagicLink, Password, PasswordReset, Sessions
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

CHANGE, CONFIRM, UNDO = "/email/change", "/email/change/confirm", "/email/change/undo"
NEW, THIRD, TAKEN = "bea@example.com", "cyd@example.com", "bob@example.com"  # the first and last compare in bytes
PAGE = (("Accept", "text/html"),)
DAY = 86400
OTHER = "fifteen other letters"


@pytest.fixture(autouse=True)
def _room(world: World) -> None:
    world.start(features=[Password(), EmailChange(), Sessions()])


def by_code(client: Client, started: Reply, code: str) -> Reply:
    """Answer a challenge by its code."""
    return client.post(CONFIRM, {"challenge_id": challenge_id(started), "code": code})


def changed(world: World, client: Client, email: str = NEW) -> Reply:
    """Change a client's address, proving again by password."""
    started = client.post(CHANGE, {"new_email": email, "current_password": PASSWORD})
    assert started.status == 202, started
    reply = by_code(client, started, world.code(email))
    assert reply.status == 200, reply
    return reply


def undo_of(world: World, email: str = EMAIL) -> str:
    """Answer the token that an address was told with."""
    found = [mail.token for mail in world.mails(email) if mail.kind == "email_changed" and mail.token]
    assert found, f"{email} was given nothing to undo with"
    return str(found[-1])


def kinds(world: World, email: str) -> list[str]:
    """Answer the kinds of all mails to an address."""
    return [mail.kind for mail in world.mails(email)]


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code and link."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert reply.all("set-cookie") == []


# --- changing ---


def test_a_code_changes_the_address(world: World, transport: Transport) -> None:
    """A9, A13: the code that was mailed to the other address makes it the user's; the old one opens nothing."""
    member = world.member(transport)

    started = member.post(CHANGE, {"new_email": f" {NEW.upper()} "})
    reply = by_code(member, started, world.code(NEW))

    assert (started.status, started.json["challenge"]["hint"]) == (202, "b***@example.com")
    assert reply.status == 200
    assert (reply.json["user"]["email"], reply.json["user"]["email_verified"]) == (NEW, True)
    assert member.who() == NEW
    assert world.client(transport).sign_in(NEW, PASSWORD).status == 200
    assert world.client(transport).sign_in(EMAIL, PASSWORD).code == "invalid_credentials"


def test_nothing_changes_before_the_address_is_proven(world: World) -> None:
    """A13: the other address is pending until its mail is answered."""
    member = world.member()

    member.post(CHANGE, {"new_email": NEW})

    assert member.who() == EMAIL
    assert world.client().sign_in(NEW, PASSWORD).code == "invalid_credentials"
    assert kinds(world, NEW) == ["email_change"]


def test_a_link_changes_the_address_where_its_user_is_signed_in(world: World, transport: Transport) -> None:
    """A13: the link works in any session of the user who asked, and in none but those; refused, it is unspent.

    Whoever reads the mailbox of an address that was mistyped must not get the account.
    """
    member, other = world.member(transport), world.member(transport, email="eve@example.com")
    member.post(CHANGE, {"new_email": NEW})
    link = world.link(NEW)
    phone = world.client(transport)
    phone.sign_in(EMAIL, PASSWORD)

    nobody, stranger = world.client(transport).post(CONFIRM, {"token": link}), other.post(CONFIRM, {"token": link})
    reply = phone.post(CONFIRM, {"token": link})

    assert (nobody.status, nobody.code) == (401, "not_authenticated")
    assert_refused(stranger)
    assert (reply.status, reply.json["user"]["email"]) == (200, NEW)
    assert other.who() == "eve@example.com"


def test_a_strangers_session_answers_no_code(world: World) -> None:
    """A13: a code opens nothing in another user's session, and stays whole."""
    member, other = world.member(), world.member(email="eve@example.com")
    started = member.post(CHANGE, {"new_email": NEW})

    refused = by_code(other, started, world.code(NEW))

    assert_refused(refused)
    assert by_code(member, started, world.code(NEW)).status == 200


def test_codes_and_links_are_spent_once(world: World) -> None:
    """T2: after the change neither its code nor its link opens anything."""
    member = world.member()
    started = member.post(CHANGE, {"new_email": NEW})
    code, link = world.code(NEW), world.link(NEW)
    assert by_code(member, started, code).status == 200

    assert_refused(by_code(member, started, code))
    assert_refused(member.post(CONFIRM, {"token": link}))


def test_wrong_codes_are_counted(world: World) -> None:
    """S116: after five wrong codes the right one opens nothing."""
    member = world.member()
    started = member.post(CHANGE, {"new_email": NEW})
    for _ in range(5):
        assert_refused(by_code(member, started, world.wrong_code(NEW)))

    assert_refused(by_code(member, started, world.code(NEW)))
    assert member.who() == EMAIL


def test_opening_the_links_spends_nothing(world: World) -> None:
    """R4: GET shows pages to a browser and `{"needs": "confirm"}` to all else; the links still work after it."""
    member = world.member()
    member.post(CHANGE, {"new_email": NEW})

    pages = [member.get(path, headers=PAGE) for path in (CHANGE, UNDO)]
    plain = [member.get(path) for path in (CHANGE, UNDO)]

    for page, endpoint in zip(pages, (CONFIRM, UNDO), strict=True):
        assert page.status == 200
        assert f'data-endpoint="/auth{endpoint}"'.encode() in page.body
    assert [reply.json for reply in plain] == [{"needs": "confirm"}] * 2
    assert member.post(CONFIRM, {"token": world.link(NEW)}).status == 200
    assert world.client().post(UNDO, {"token": undo_of(world)}).status == 200


# --- who may ask ---


def test_a_stale_session_proves_itself_again(world: World, transport: Transport) -> None:
    """A9: past the freshness of the session the change asks for it, or for the current password in the request."""
    member = world.member(transport)
    world.clock.advance(301)

    stale = member.post(CHANGE, {"new_email": NEW})
    wrong = member.post(CHANGE, {"new_email": NEW, "current_password": "some other words"})
    right = member.post(CHANGE, {"new_email": NEW, "current_password": PASSWORD})

    assert (stale.status, stale.code) == (401, "reauthentication_required")
    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    assert right.status == 202


def test_a_wrong_password_is_refused_in_a_fresh_session_too(world: World) -> None:
    """A9: a password that is given is checked."""
    member = world.member()

    reply = member.post(CHANGE, {"new_email": NEW, "current_password": "some other words"})

    assert (reply.status, reply.code) == (401, "invalid_credentials")
    assert kinds(world, NEW) == []


def test_nobody_changes_an_address_signed_out(world: World) -> None:
    """A9: asking and proving are for who is signed in."""
    client = world.client()

    replies = [client.post(CHANGE, {"new_email": NEW}), client.post(CONFIRM, {"token": "x"})]

    assert [(reply.status, reply.code) for reply in replies] == [(401, "not_authenticated")] * 2


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"new_email": "no address"}, {"new_email": "invalid"}),
        ({"new_email": EMAIL.upper()}, {"new_email": "unchanged"}),
        ({}, {"new_email": "missing"}),
        ({"new_email": NEW, "email_verified": True}, {"email_verified": "unknown"}),
    ],
)
def test_wrong_fields_are_named(world: World, body: dict[str, Any], fields: dict[str, str]) -> None:
    """A5, R2: an address that is none, the present one, none at all and unknown fields are 422."""
    reply = world.member().post(CHANGE, body)

    assert (reply.status, reply.fields) == (422, fields)


def test_five_changes_an_hour_are_begun(world: World) -> None:
    """A6: a user begins five changes an hour; the sixth is 429."""
    member = world.member()
    for number in range(5):
        assert member.post(CHANGE, {"new_email": f"n{number}@example.com"}).status == 202

    refused = member.post(CHANGE, {"new_email": "n5@example.com"})

    assert (refused.status, refused.code) == (429, "rate_limited")
    assert kinds(world, "n5@example.com") == []


# --- what is not told ---


def test_a_taken_address_answers_alike(world: World, transport: Transport) -> None:
    """A2: an address that has an account gets the same answer and the same rows, no mail, and nothing opens it."""
    world.member(email=TAKEN)
    asking, other = world.member(transport), world.member(transport, email="eve@example.com")
    before, replies = len(world.mails(TAKEN)), []

    free = world.added(lambda: replies.append(asking.post(CHANGE, {"new_email": NEW})))
    taken = world.added(lambda: replies.append(other.post(CHANGE, {"new_email": TAKEN})))

    assert replies[0].masked() == replies[1].masked()
    assert free == taken
    assert len(world.mails(TAKEN)) == before
    assert_refused(by_code(other, replies[1], world.code(NEW)))


def test_an_address_that_is_taken_meanwhile_is_refused(world: World) -> None:
    """A2, A5: who proves an address that somebody else has got first is refused as by a wrong code."""
    member = world.member()
    started = member.post(CHANGE, {"new_email": NEW})
    code = world.code(NEW)
    world.member(email=NEW)

    reply = by_code(member, started, code)

    assert_refused(reply)
    assert member.who() == EMAIL
    assert len(world.rows("authcore_user")) == 2


# --- pending addresses ---


def test_a_browser_s_repeat_is_the_same_challenge(world: World) -> None:
    """A13, S76: the same address from the same browser is the same challenge, without a mail inside the interval."""
    member = world.member("cookie")
    first = member.post(CHANGE, {"new_email": NEW})
    sent = len(world.mails(NEW))

    again = member.post(CHANGE, {"new_email": NEW})

    assert challenge_id(again) == challenge_id(first)
    assert len(world.mails(NEW)) == sent


def test_another_address_ends_the_earlier_challenge(world: World, transport: Transport) -> None:
    """A13: a code opens only the address that it was mailed to; asking for another one ends it."""
    member = world.member(transport)
    first = member.post(CHANGE, {"new_email": NEW})
    code, link = world.code(NEW), world.link(NEW)

    second = member.post(CHANGE, {"new_email": THIRD})

    assert challenge_id(second) != challenge_id(first)
    assert_refused(by_code(member, first, code))
    assert_refused(by_code(member, second, code))
    assert_refused(member.post(CONFIRM, {"token": link}))
    assert by_code(member, second, world.code(THIRD)).json["user"]["email"] == THIRD


# --- what ends ---


def test_other_sessions_end_and_this_one_goes_on(world: World, transport: Transport) -> None:
    """T7, T9: the change ends every other session; the one that proves keeps its id and gets another secret."""
    member = world.member(transport)
    thief = world.client(transport, jar=dict(member.jar), access_token=member.access_token)
    phone = world.client(transport)
    phone.sign_in(EMAIL, PASSWORD)
    session = member.get("/session").json["session"]["id"]

    reply = changed(world, member)

    assert reply.json["session"]["id"] == session
    assert [client.who() for client in (member, phone, thief)] == [NEW, None, None]


def test_a_change_ends_what_was_on_its_way(world: World) -> None:
    """T9: an earlier link that proves the old address ends with the change."""
    features = [Password(require_code=False), EmailVerification(), EmailChange(), Sessions()]
    world.start(features=features)
    client = world.client()
    client.sign_up(EMAIL, PASSWORD)
    earlier = world.link(EMAIL)

    changed(world, client)

    assert_refused(client.post("/email/verify/confirm", {"token": earlier}))


def test_a_change_ends_a_reset_of_the_old_address(world: World) -> None:
    """S72, T9: a link that resets the password, mailed to the old address, opens nothing after the change."""
    world.start(features=[Password(), PasswordReset(), EmailChange(), Sessions()])
    member = world.member()
    world.client().post("/password/reset", {"email": EMAIL})
    earlier = world.link(EMAIL)
    changed(world, member)

    late = world.client().post("/password/reset/complete", {"token": earlier, "new_password": OTHER})
    asked = world.client().post("/password/reset", {"email": EMAIL})

    assert_refused(late)
    assert asked.status == 202
    assert kinds(world, EMAIL).count("password_reset") == 1


def test_the_change_stays_as_fresh_as_it_was(world: World) -> None:
    """T7, A9: proving the other address is no new authentication of the session."""
    member = world.member()
    world.clock.advance(301)

    reply = changed(world, member)

    assert reply.json["session"]["auth_time"] == "2030-01-01T00:00:00Z"
    assert member.post(CHANGE, {"new_email": THIRD}).code == "reauthentication_required"


# --- taking it back ---


def test_the_old_address_is_told_at_once(world: World) -> None:
    """A9: the address that loses the account is told, with a link that undoes the change for 7 days."""
    member = world.member()

    changed(world, member)

    mail = world.mails(EMAIL)[-1]
    assert mail.kind == "email_changed"
    assert mail.url == f"https://app.example/auth/email/change/undo#token={mail.token}"
    assert mail.expires_at == world.clock.now() + timedelta(days=7)
    assert "7 days" in mail.text
    assert NEW not in mail.text


def test_the_old_address_takes_the_account_back(world: World, transport: Transport) -> None:
    """A9, T9: undoing gives the old address back, ends every session, and lets the password open nothing."""
    thief = world.member(transport)
    changed(world, thief)

    reply = world.client(transport).post(UNDO, {"token": undo_of(world)})

    assert (reply.status, reply.json) == (200, {"status": "undone"})
    assert thief.who() is None
    [user] = world.rows("authcore_user")
    assert (user["email"], user["email_verified_at"]) == (EMAIL, world.clock.now())
    assert [thief.sign_in(email, PASSWORD).code for email in (EMAIL, NEW)] == ["invalid_credentials"] * 2
    assert [row["must_change"] for row in world.rows("authcore_password")] == ["compromised"]
    assert kinds(world, EMAIL)[-1] == kinds(world, NEW)[-1] == "email_change_undone"


def test_a_reset_opens_the_account_that_was_taken_back(world: World) -> None:
    """A9, S73: after an undo the old address resets the password, which then opens the account again."""
    world.start(features=[Password(), PasswordReset(), EmailChange(), Sessions()])
    changed(world, world.member())
    world.client().post(UNDO, {"token": undo_of(world)})
    owner = world.client()

    owner.post("/password/reset", {"email": EMAIL})
    done = owner.post("/password/reset/complete", {"token": world.link(EMAIL), "new_password": OTHER})

    assert done.status == 200
    assert world.client().sign_in(EMAIL, OTHER).status == 200


def test_an_undo_is_spent_once(world: World) -> None:
    """T2: a link that undid a change opens nothing again."""
    changed(world, world.member())
    link = undo_of(world)
    client = world.client()
    assert client.post(UNDO, {"token": link}).status == 200

    assert_refused(client.post(UNDO, {"token": link}))


def test_an_undo_lasts_seven_days(world: World) -> None:
    """A9: the old address can undo until 7 days are over, whatever the browser."""
    changed(world, world.member())
    changed(world, world.member(email="eve@example.com"), THIRD)
    links = undo_of(world), undo_of(world, "eve@example.com")
    world.clock.advance(7 * DAY - 1)
    in_time = world.client().post(UNDO, {"token": links[0]})
    world.clock.advance(1)

    too_late = world.client().post(UNDO, {"token": links[1]})

    assert in_time.status == 200
    assert_refused(too_late)


def test_an_undo_survives_what_a_thief_changes(world: World) -> None:
    """T9, A9: a second change of address, and the end of all sessions, end no link of the mailbox that was robbed."""
    thief = world.member()
    changed(world, thief)
    first = undo_of(world)
    changed(world, thief, THIRD)
    thief.delete("/sessions")

    reply = world.client().post(UNDO, {"token": first})

    assert reply.status == 200
    assert [row["email"] for row in world.rows("authcore_user")] == [EMAIL]


def test_the_oldest_address_has_the_last_word(world: World) -> None:
    """A9: once the first address has undone a thief's changes, the thief's addresses undo nothing."""
    thief = world.member()
    changed(world, thief)
    changed(world, thief, THIRD)
    thiefs = undo_of(world, NEW)
    world.client().post(UNDO, {"token": undo_of(world)})

    assert_refused(world.client().post(UNDO, {"token": thiefs}))
    assert [(row["provider"], row["identifier"]) for row in world.rows("authcore_identity")] == [
        ("email_password", EMAIL)
    ]


def test_coming_back_gives_the_address_between_no_link(world: World) -> None:
    """A9: an owner who changes a thief's address back by hand leaves the thief nothing to undo that with."""
    owner = world.member()
    changed(world, owner)

    changed(world, owner, EMAIL)

    mail = world.mails(NEW)[-1]
    assert (mail.kind, mail.token, mail.url) == ("email_changed", None, None)
    assert_refused(world.client().post(UNDO, {"token": undo_of(world)}))
    assert [row["identifier"] for row in world.rows("authcore_identity")] == [EMAIL]


def test_an_address_that_was_left_is_nobody_else_s(world: World, transport: Transport) -> None:
    """A9: for 7 days nobody can sign up with the old address or change to it; the answers do not tell."""
    changed(world, world.member(transport))
    other = world.member(transport, email="eve@example.com")

    signing_up = world.client(transport).sign_up(EMAIL, PASSWORD)
    changing = other.post(CHANGE, {"new_email": EMAIL})

    assert (signing_up.status, changing.status) == (202, 202)
    assert kinds(world, EMAIL)[-2:] == ["email_changed", "sign_up_existing"]
    opened = [row for row in world.rows("authcore_challenge") if row["recipient"] == EMAIL and row["spent_at"] is None]
    assert {row["purpose"]: row["void"] for row in opened} == {
        "sign_up": True,
        "email_change": True,
        "email_change_undo": False,
    }


def test_an_address_that_was_left_opens_nothing(world: World, transport: Transport) -> None:
    """A9, T9: the mailbox that was left signs in to the account by no link, also where links make accounts."""
    world.start(features=[Password(), MagicLink(create_users=True), EmailChange(), Sessions()])
    member = world.member(transport)
    changed(world, member)
    former = world.client(transport)

    asked = former.post("/magic-link", {"email": EMAIL})
    links = [mail.token for mail in world.mails(EMAIL) if mail.kind == "magic_link"]

    assert asked.status == 202
    for link in links:
        assert_refused(former.post("/magic-link/consume", {"token": link}))
    assert former.who() is None
    assert len(world.rows("authcore_user")) == 1


def test_an_address_that_was_never_proven_cannot_undo(world: World) -> None:
    """A3: the old address of an unproven sign-up may be a stranger's: it is told nothing and kept for nobody."""
    world.start(features=[Password(require_code=False), EmailChange(), Sessions()])
    client = world.client()
    client.sign_up(EMAIL, PASSWORD)

    changed(world, client)

    assert "email_changed" not in kinds(world, EMAIL)
    assert [row["identifier"] for row in world.rows("authcore_identity")] == [NEW]


def test_a_link_of_one_kind_opens_no_other(world: World) -> None:
    """T5: the link of a change undoes none, and the link of an undo changes nothing."""
    member = world.member()
    member.post(CHANGE, {"new_email": NEW})
    change_link = world.link(NEW)
    assert_refused(world.client().post(UNDO, {"token": change_link}))
    member.post(CONFIRM, {"token": change_link})

    crossed = member.post(CONFIRM, {"token": undo_of(world)})

    assert_refused(crossed)
    assert member.who() == NEW
