"""The room `account`: the profile, what identifies a user, invitations, the end of an account, and its export."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest

from authcore import Account, Code, Editable, PasswordReset, Sessions, User
from authcore import Password as Passwords
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

SECOND, TAKEN, GUEST = "bea@example.com", "bob@example.com", "cyd@example.com"
NUMBER, OTHER_NUMBER = "+4915112345678", "+4915198765432"
OTHER = "thirteen read letters"
PAGE = (("Accept", "text/html"),)
DAY = 86400


class Member(User, frozen=True, kw_only=True):
    """A user with fields of the application's own."""

    nickname: Annotated[str, Editable] = "none"
    plan: str = "free"


def start(world: World, *more: Any, user: type[User] = User, sign_up: str = "open", **settings: Any) -> None:
    """Start with the room, set so."""
    features = [Passwords(), Account(**settings), *more, Sessions()]
    world.start(features=features, user=user, sign_up=sign_up)


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code and link."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert reply.all("set-cookie") == []


def by_code(client: Client, path: str, started: Reply, code: str, **more: Any) -> Reply:
    """Answer a challenge by its code."""
    return client.post(path, {"challenge_id": challenge_id(started), "code": code, **more})


def added(world: World, client: Client, email: str = SECOND) -> Reply:
    """Add an address to a client's account."""
    started = client.post("/me/emails", {"email": email})
    assert started.status == 202, started
    reply = by_code(client, "/me/emails/confirm", started, world.code(email))
    assert reply.status == 200, reply
    return reply


def texted(world: World, number: str = NUMBER) -> str:
    """Answer the code of the latest text message to a number."""
    return world.texts(number)[-1].code or ""


def numbered(world: World, client: Client, number: str = NUMBER) -> Reply:
    """Let a number be a client's account's."""
    started = client.post("/me/phone", {"phone": number})
    assert started.status == 202, started
    reply = by_code(client, "/me/phone/confirm", started, texted(world, number))
    assert reply.status == 200, reply
    return reply


def left(world: World, client: Client, email: str = EMAIL) -> Reply:
    """Schedule the end of a client's account."""
    started = client.delete("/me")
    assert started.status == 202, started
    reply = by_code(client, "/me/deletion/confirm", started, world.code(email))
    assert reply.status == 200, reply
    return reply


def kinds(world: World, email: str) -> list[str]:
    """Answer the kinds of all mails to an address."""
    return [mail.kind for mail in world.mails(email)]


# --- the profile ---


def test_a_profile_is_changed_and_cleared(world: World, transport: Transport) -> None:
    """Names and editable fields change together; null clears, and what is left out stays."""
    start(world, user=Member)
    member = world.member(transport)

    set_ = member.patch("/me", {"display_name": " Ada ", "nickname": "countess", "locale": "de"})
    cleared = member.patch("/me", {"display_name": None})

    assert (set_.status, set_.json["user"]["display_name"], set_.json["user"]["nickname"]) == (200, "Ada", "countess")
    assert (cleared.json["user"]["display_name"], cleared.json["user"]["nickname"]) == (None, "countess")
    assert member.get("/me").json["user"] == cleared.json["user"]
    assert [row["locale"] for row in world.rows("authcore_user")] == ["de"]


@pytest.mark.parametrize("field", ["plan", "email", "email_verified", "id", "username", "role"])
def test_nothing_else_is_assigned(world: World, field: str) -> None:
    """R2: fields that are not the user's to set, and those of names that are not used, are 422 and change nothing."""
    start(world, user=Member)

    reply = world.member().patch("/me", {"display_name": "Ada", field: "x"})

    assert (reply.status, reply.fields) == (422, {field: "unknown"})
    assert [row["display_name"] for row in world.rows("authcore_user")] == [None]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"display_name": "a\u202eb"}, {"display_name": "invalid"}),
        ({"locale": "no language"}, {"locale": "invalid"}),
        ({"display_name": 7}, {"display_name": "wrong_type"}),
    ],
)
def test_wrong_fields_are_named(world: World, body: dict[str, Any], fields: dict[str, str]) -> None:
    """R2: a name that cannot be shown, a language that is none and wrong types are 422."""
    start(world)

    reply = world.member().patch("/me", body)

    assert (reply.status, reply.fields) == (422, fields)


def test_nobody_changes_a_profile_signed_out(world: World) -> None:
    """Every route of one's own account needs a session."""
    start(world, several_emails=True, phone=True, invitations="members")
    client = world.client()

    replies = [
        client.patch("/me", {}),
        client.delete("/me"),
        client.get("/me/export"),
        client.get("/me/emails"),
        client.post("/me/emails", {"email": SECOND}),
        client.post("/me/phone", {"phone": NUMBER}),
        client.delete("/me/phone"),
        client.post("/invitations", {"email": SECOND}),
    ]

    assert [(reply.status, reply.code) for reply in replies] == [(401, "not_authenticated")] * len(replies)


# --- usernames ---


def test_a_username_signs_in(world: World, transport: Transport) -> None:
    """A username and the password open the account; the address still does."""
    start(world, username=True)
    member = world.member(transport)

    named = member.patch("/me", {"username": "Ada.L"})
    by_name = world.client(transport).post("/sign-in", {"username": " ADA.l ", "password": PASSWORD})

    assert (named.status, named.json["user"]["username"]) == (200, "ada.l")
    assert (by_name.status, by_name.json["user"]["email"]) == (200, EMAIL)
    assert world.client(transport).sign_in(EMAIL, PASSWORD).status == 200


def test_a_username_needs_a_fresh_authentication(world: World) -> None:
    """A9: past the freshness of the session a name is not set, replaced or cleared; the rest of the profile is."""
    start(world, username=True)
    member = world.member()
    world.clock.advance(301)

    replies = [member.patch("/me", {"username": "ada"}), member.patch("/me", {"display_name": "Ada"})]

    assert (replies[0].status, replies[0].code) == (401, "reauthentication_required")
    assert replies[1].status == 200


def test_a_taken_username_is_refused(world: World) -> None:
    """Usernames are public: one that is somebody's is 422 `taken`, nothing else changes, and a freed one is free."""
    start(world, username=True)
    first, second = world.member(), world.member(email=TAKEN)
    first.patch("/me", {"username": "ada"})

    refused = second.patch("/me", {"username": "ADA", "display_name": "Bob"})
    first.patch("/me", {"username": "countess"})
    free = second.patch("/me", {"username": "ada"})

    assert (refused.status, refused.fields) == (422, {"username": "taken"})
    assert second.get("/me").json["user"]["display_name"] is None
    assert (free.status, free.json["user"]["username"]) == (200, "ada")


def test_usernames_are_not_tried_out(world: World) -> None:
    """A6: a user has ten changes of its name a day; the eleventh is 429."""
    start(world, username=True)
    member = world.member()
    for number in range(10):
        assert member.patch("/me", {"username": f"ada{number}"}).status == 200

    assert (reply := member.patch("/me", {"username": "ada-x"})).status == 429, reply


def test_an_unknown_username_answers_as_a_wrong_password(world: World, transport: Transport) -> None:
    """A2: for a name that nobody has, the answer and the rows are those of a wrong password."""
    start(world, username=True)
    member, replies = world.member(), []
    member.patch("/me", {"username": "ada"})
    client = world.client(transport)
    client.post("/sign-in", {"username": "bob", "password": "some other words"})  # of this client: it is counted, too

    known = world.added(
        lambda: replies.append(client.post("/sign-in", {"username": "ada", "password": "some other words"}))
    )
    unknown = world.added(
        lambda: replies.append(client.post("/sign-in", {"username": "eve", "password": "some other words"}))
    )

    assert (replies[0].status, replies[0].code) == (401, "invalid_credentials")
    assert replies[0].masked() == replies[1].masked()
    assert known == unknown


def test_names_buy_no_more_guesses(world: World) -> None:
    """A6: failures by a username and by the address are counted for one account."""
    start(world, username=True)
    world.member().patch("/me", {"username": "ada"})
    client = world.client()

    client.sign_in(EMAIL, "some other words")
    client.post("/sign-in", {"username": "ada", "password": "some other words"})

    assert [row["failures"] for row in world.rows("authcore_attempt")] == [2]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"email": "missing"}),
        ({"email": EMAIL, "username": "ada"}, {"username": "invalid"}),
        ({"phone": NUMBER}, {"phone": "unknown"}),
        ({"username": "a b"}, {"username": "invalid"}),
    ],
)
def test_one_name_signs_in(world: World, body: dict[str, str], fields: dict[str, str]) -> None:
    """R2: a sign-in names its user by exactly one of what the application uses."""
    start(world, username=True)

    reply = world.client().post("/sign-in", {**body, "password": PASSWORD})

    assert (reply.status, reply.fields) == (422, fields)


# --- several addresses ---


def test_a_further_address_opens_the_account(world: World, transport: Transport) -> None:
    """A13: the code that was mailed to another address adds it; the same password signs in with both."""
    start(world, several_emails=True)
    member = world.member(transport)

    reply = added(world, member)

    assert reply.json["emails"] == [
        {"email": EMAIL, "primary": True, "verified": True},
        {"email": SECOND, "primary": False, "verified": True},
    ]
    assert member.get("/me/emails").json == reply.json
    assert world.client(transport).sign_in(SECOND, PASSWORD).json["user"]["email"] == EMAIL
    assert kinds(world, EMAIL)[-1] == "account_emails"


def test_a_further_address_is_added_by_link_in_a_session_of_its_user(world: World) -> None:
    """A13, R4: GET spends nothing; the link works in a session of who asked, in no other one, and once."""
    start(world, several_emails=True)
    member, other = world.member(), world.member(email=TAKEN)
    member.post("/me/emails", {"email": SECOND})
    link = world.link(SECOND)

    page = member.get("/me/emails/confirm", headers=PAGE)
    stranger = other.post("/me/emails/confirm", {"token": link})
    done = member.post("/me/emails/confirm", {"token": link})

    assert b'data-endpoint="/auth/me/emails/confirm"' in page.body
    assert_refused(stranger)
    assert done.status == 200
    assert_refused(member.post("/me/emails/confirm", {"token": link}))


def test_a_taken_address_answers_alike(world: World, transport: Transport) -> None:
    """A2: for an address that has an account the answer and the rows are the same, and nothing is mailed."""
    start(world, several_emails=True)
    world.member(email=TAKEN)
    asking, other = world.member(transport), world.member(transport, email="eve@example.com")
    before, replies = len(world.mails(TAKEN)), []

    free = world.added(lambda: replies.append(asking.post("/me/emails", {"email": SECOND})))
    taken = world.added(lambda: replies.append(other.post("/me/emails", {"email": TAKEN})))

    assert replies[0].masked() == replies[1].masked()
    assert free == taken
    assert len(world.mails(TAKEN)) == before


def test_a_reset_goes_to_the_address_that_was_typed(world: World) -> None:
    """S72: a further address gets the mail that resets the password of its account."""
    start(world, PasswordReset(), several_emails=True)
    added(world, world.member())
    client = world.client()

    client.post("/password/reset", {"email": SECOND})
    done = client.post("/password/reset/complete", {"token": world.link(SECOND), "new_password": OTHER})

    assert (done.status, done.json["user"]["email"]) == (200, EMAIL)
    assert [world.client().sign_in(email, OTHER).status for email in (EMAIL, SECOND)] == [200, 200]
    assert "password_reset" not in kinds(world, EMAIL)


def test_the_primary_address_moves(world: World) -> None:
    """A9: another address of one's own becomes the primary one, and the one before is told."""
    start(world, several_emails=True)
    member = world.member()
    added(world, member)

    reply = member.post("/me/emails/primary", {"email": SECOND})
    strange = member.post("/me/emails/primary", {"email": TAKEN})

    assert (reply.status, reply.json["user"]["email"]) == (200, SECOND)
    assert (strange.status, strange.fields) == (422, {"email": "unknown"})
    assert kinds(world, EMAIL)[-1] == "account_emails"
    assert [row["primary"] for row in member.get("/me/emails").json["emails"]] == [True, False]


def test_an_unproven_address_does_not_stay_behind(world: World) -> None:
    """A3: when a proven address becomes the primary one, one that nobody has proven goes."""
    world.start(features=[Passwords(require_code=False), Account(several_emails=True), Sessions()])
    client = world.client()
    client.sign_up(EMAIL, PASSWORD)
    added(world, client)

    moved = client.post("/me/emails/primary", {"email": SECOND})

    assert moved.json["user"]["email_verified"] is True
    assert [entry["email"] for entry in client.get("/me/emails").json["emails"]] == [SECOND]
    assert world.client().sign_in(EMAIL, PASSWORD).code == "invalid_credentials"


def test_an_address_is_removed(world: World, transport: Transport) -> None:
    """T7, T9: it opens nothing any more, other sessions end, this one goes on under another secret; both are told."""
    start(world, several_emails=True)
    member = world.member(transport)
    added(world, member)
    thief = world.client(transport, jar=dict(member.jar), access_token=member.access_token)
    other = world.client(transport)
    other.sign_in(SECOND, PASSWORD)

    reply = member.post("/me/emails/remove", {"email": SECOND})

    assert reply.status == 200
    assert [client.who() for client in (member, other, thief)] == [EMAIL, None, None]
    assert world.client(transport).sign_in(SECOND, PASSWORD).code == "invalid_credentials"
    assert kinds(world, SECOND)[-1] == kinds(world, EMAIL)[-1] == "account_emails"


def test_the_primary_address_is_not_removed(world: World) -> None:
    """The account keeps its primary address: 409."""
    start(world, several_emails=True)
    member = world.member()

    reply = member.post("/me/emails/remove", {"email": EMAIL})

    assert (reply.status, reply.code) == (409, "primary_email")


def test_an_older_address_is_not_pushed_out_by_one_that_just_came(world: World) -> None:
    """A9: a thief's own address does not take the owner's place before it has stood for seven days."""
    start(world, several_emails=True)
    thief = world.member()
    world.clock.advance(1)
    added(world, thief)
    thief.post("/me/emails/primary", {"email": SECOND})

    early = thief.post("/me/emails/remove", {"email": EMAIL})
    world.clock.advance(7 * DAY - 1)
    later = world.client()
    later.sign_in(EMAIL, PASSWORD)
    still = later.post("/me/emails/remove", {"email": EMAIL})
    world.clock.advance(1)
    settled = later.post("/me/emails/remove", {"email": EMAIL})

    assert [(reply.status, reply.code) for reply in (early, still)] == [(409, "emails_too_new")] * 2
    assert settled.status == 200


def test_addresses_are_counted(world: World) -> None:
    """An account has as many addresses as the setting says: 409 for one more, as long as none is removed."""
    start(world, several_emails=True, max_emails=2)
    member = world.member()
    added(world, member)

    full = member.post("/me/emails", {"email": GUEST})
    own = member.post("/me/emails", {"email": SECOND.upper()})

    assert (full.status, full.code) == (409, "too_many_emails")
    assert (own.status, own.fields) == (422, {"email": "unchanged"})


def test_changes_of_addresses_need_a_fresh_authentication(world: World) -> None:
    """A9: adding, moving and removing ask for it; listing does not."""
    start(world, several_emails=True)
    member = world.member()
    added(world, member)
    world.clock.advance(301)

    replies = [
        member.post(path, {"email": SECOND}) for path in ("/me/emails", "/me/emails/primary", "/me/emails/remove")
    ]

    assert [(reply.status, reply.code) for reply in replies] == [(401, "reauthentication_required")] * 3
    assert member.get("/me/emails").status == 200


# --- the number ---


def test_a_number_is_proven_and_signs_in(world: World, transport: Transport) -> None:
    """A13, S90: the code that was sent to a number makes it the account's, which signs in with it and the password."""
    start(world, phone=True)
    member = world.member(transport)
    other = world.client(transport)
    other.sign_in(EMAIL, PASSWORD)

    started = member.post("/me/phone", {"phone": "+49 151 12345678"})
    done = by_code(member, "/me/phone/confirm", started, texted(world))
    in_ = world.client(transport).post("/sign-in", {"phone": NUMBER, "password": PASSWORD})

    challenge = started.json["challenge"]
    assert (started.status, challenge["kind"], challenge["hint"]) == (202, "sms_code", "+49***78")
    assert (done.status, done.json["user"]["phone"]) == (200, NUMBER)
    assert (in_.status, other.who()) == (200, EMAIL)


def test_a_replaced_number_opens_nothing(world: World, transport: Transport) -> None:
    """T9: codes on their way to the number before and sessions elsewhere end; this session goes on."""
    start(world, Code(phone=True), phone=True)
    member = world.member(transport)
    numbered(world, member)
    client = world.client(transport)
    asked = client.post("/code", {"phone": NUMBER})
    code = texted(world)
    other = world.client(transport)
    other.sign_in(EMAIL, PASSWORD)

    done = numbered(world, member, OTHER_NUMBER)

    assert done.json["user"]["phone"] == OTHER_NUMBER
    assert_refused(by_code(client, "/code/verify", asked, code))
    assert [other.who(), member.who()] == [None, EMAIL]
    assert world.client().post("/sign-in", {"phone": NUMBER, "password": PASSWORD}).code == "invalid_credentials"


def test_a_number_is_removed(world: World, transport: Transport) -> None:
    """T9: a removed number opens nothing, and nobody has it; a second time there is none."""
    start(world, phone=True)
    member = world.member(transport)
    numbered(world, member)

    done = member.delete("/me/phone")
    again = member.delete("/me/phone")

    assert (done.status, "phone" in done.json["user"]) == (200, False)
    assert (again.status, again.code) == (404, "not_found")
    assert member.who() == EMAIL
    assert numbered(world, world.member(email=TAKEN)).json["user"]["phone"] == NUMBER


def test_a_taken_number_answers_alike(world: World) -> None:
    """A2: for a number that has an account the answer and the rows are the same, and nothing is sent."""
    start(world, phone=True)
    numbered(world, world.member(email=TAKEN))
    asking, other = world.member(), world.member(email="eve@example.com")
    world.clock.advance(2 * DAY)  # what the first number was counted for is over
    for client, email in ((asking, EMAIL), (other, "eve@example.com")):
        client.sign_in(email, PASSWORD)
    world.member(email="fay@example.com").post("/me/phone", {"phone": "+4915155555555"})
    before, replies = len(world.texts(NUMBER)), []

    free = world.added(lambda: replies.append(asking.post("/me/phone", {"phone": OTHER_NUMBER})))
    taken = world.added(lambda: replies.append(other.post("/me/phone", {"phone": NUMBER})))

    assert [reply.status for reply in replies] == [202, 202]
    assert replies[0].masked()[:2] == replies[1].masked()[:2]
    assert free == taken
    assert len(world.texts(NUMBER)) == before


def test_a_number_gets_three_messages_an_hour(world: World) -> None:
    """A6: past three messages an hour the answer stays 202, and nothing is sent."""
    start(world, phone=True)
    member = world.member()
    statuses = []
    for _ in range(5):
        statuses.append(member.post("/me/phone", {"phone": NUMBER}).status)
        world.clock.advance(1)

    assert statuses == [202] * 5
    assert len(world.texts(NUMBER)) == 3


def test_changes_of_the_number_need_a_fresh_authentication(world: World) -> None:
    """A9: asking and removing need it."""
    start(world, phone=True)
    member = world.member()
    world.clock.advance(301)

    replies = [member.post("/me/phone", {"phone": NUMBER}), member.delete("/me/phone")]

    assert [(reply.status, reply.code) for reply in replies] == [(401, "reauthentication_required")] * 2


def test_what_is_no_number_is_named(world: World) -> None:
    """A5: a number without its country, and one that there is not, are 422."""
    start(world, phone=True)
    member = world.member()

    replies = [member.post("/me/phone", {"phone": phone}) for phone in ("0151 12345678", "+49 1")]

    assert [reply.fields for reply in replies] == [{"phone": "invalid"}] * 2


# --- invitations ---


def test_an_invited_address_becomes_a_user(world: World, transport: Transport) -> None:
    """S89, S2: the link makes the account where sign-up is closed, with the address proven and a password."""
    start(world, sign_up="closed", user=Member)
    world.app.blocking.account.invite(email=GUEST, fields={"plan": "team"})
    client = world.client(transport)

    reply = client.post(
        "/invitations/accept",
        {"token": world.link(GUEST), "password": PASSWORD, "display_name": "Cyd", "nickname": "c"},
    )

    user = reply.json["user"]
    assert (reply.status, user["email"], user["email_verified"]) == (200, GUEST, True)
    assert (user["display_name"], user["nickname"], user["plan"]) == ("Cyd", "c", "team")
    assert reply.json["session"]["amr"] == ["email", "pwd"]
    assert client.who() == GUEST
    assert world.client(transport).sign_in(GUEST, PASSWORD).status == 200
    assert world.client().sign_up(EMAIL, PASSWORD).code == "sign_up_closed"


def test_an_invitation_is_named(world: World) -> None:
    """S89, S90: the mail is `invite.magic_link`, the text message `invite.pincode`."""
    start(world, phone=True)

    world.app.blocking.account.invite(email=GUEST)
    world.app.blocking.account.invite(phone=NUMBER)

    [mail], [text] = world.mails(GUEST), world.texts(NUMBER)
    assert (mail.event, text.event) == ("invite.magic_link", "invite.pincode")
    assert mail.url == f"https://app.example/auth/invitations/accept#token={mail.token}"
    assert mail.expires_at == world.clock.now() + timedelta(days=7)
    assert text.ttl == DAY


def test_an_invited_number_becomes_a_user(world: World) -> None:
    """S90: the code and the number that it was sent to make the account, with the number proven."""
    start(world, phone=True, sign_up="closed")
    world.app.blocking.account.invite(phone=NUMBER)
    client = world.client()

    wrong = client.post("/invitations/accept", {"phone": OTHER_NUMBER, "code": texted(world)})
    reply = client.post("/invitations/accept", {"phone": NUMBER, "code": texted(world), "password": PASSWORD})

    assert_refused(wrong)
    assert (reply.status, reply.json["user"]["phone"], reply.json["user"]["email"]) == (200, NUMBER, None)
    assert reply.json["session"]["amr"] == ["sms", "pwd"]
    assert client.post("/sign-in", {"phone": NUMBER, "password": PASSWORD}).status == 200


def test_an_invitation_is_accepted_once(world: World) -> None:
    """T2, R4: GET spends nothing; the link opens once, and with it every other one of the same address ends."""
    start(world)
    world.app.blocking.account.invite(email=GUEST)
    world.app.blocking.account.invite(email=GUEST)
    links = [mail.token for mail in world.mails(GUEST)]
    client = world.client()

    plain, page = client.get("/invitations/accept"), client.get("/invitations/accept", headers=PAGE)
    done = client.post("/invitations/accept", {"token": links[0], "password": PASSWORD})

    assert plain.json == {"needs": "confirm"}
    assert b'name="password"' in page.body
    assert done.status == 200
    for link in links:
        assert_refused(world.client().post("/invitations/accept", {"token": link}))


def test_a_refused_password_spends_no_invitation(world: World) -> None:
    """A4: one policy for all; what it refuses leaves the link open."""
    start(world)
    world.app.blocking.account.invite(email=GUEST)
    body = {"token": world.link(GUEST)}

    short = world.client().post("/invitations/accept", {**body, "password": "short"})
    personal = world.client().post("/invitations/accept", {**body, "password": "cyd@example.com"})
    mismatch = world.client().post(
        "/invitations/accept", {**body, "password": PASSWORD, "password_confirmation": OTHER}
    )

    assert [reply.fields for reply in (short, personal, mismatch)] == [
        {"password": "too_short"},
        {"password": "password_too_personal"},
        {"password_confirmation": "mismatch"},
    ]
    assert world.client().post("/invitations/accept", {**body, "password": PASSWORD}).status == 200


def test_who_is_invited_and_has_an_account_by_now_enters_it(world: World) -> None:
    """A3: the link proves the mailbox, so it signs in to the account that the address has by now, unchanged."""
    start(world)
    world.app.blocking.account.invite(email=EMAIL)
    link = world.link(EMAIL)
    world.member()

    reply = world.client().post("/invitations/accept", {"token": link, "password": OTHER, "display_name": "Eve"})

    assert (reply.status, reply.json["user"]["display_name"]) == (200, None)
    assert reply.json["session"]["amr"] == ["email"]
    assert world.client().sign_in(EMAIL, PASSWORD).status == 200
    assert len(world.rows("authcore_user")) == 1


def test_an_invitation_ends_with_the_credentials_of_that_account(world: World) -> None:
    """T9: once the account's password was replaced, an old invitation does not enter it."""
    start(world, PasswordReset())
    world.app.blocking.account.invite(email=EMAIL)
    link = world.link(EMAIL)
    world.member()
    world.client().post("/password/reset", {"email": EMAIL})
    world.client().post("/password/reset/complete", {"token": world.link(EMAIL), "new_password": OTHER})

    assert_refused(world.client().post("/invitations/accept", {"token": link}))


def test_a_taken_address_is_not_mailed(world: World, transport: Transport) -> None:
    """A2: members who invite learn of nobody's account: one answer, the same rows, and no mail."""
    start(world, invitations="members")
    world.member(email=TAKEN)
    member, replies = world.member(transport), []
    member.post("/invitations", {"email": "eve@example.com"})  # of this member: it is counted, too
    before = len(world.mails(TAKEN))

    free = world.added(lambda: replies.append(member.post("/invitations", {"email": GUEST})))
    taken = world.added(lambda: replies.append(member.post("/invitations", {"email": TAKEN})))

    assert replies[0].masked() == replies[1].masked()
    assert (replies[0].status, replies[0].json) == (202, {"status": "sent"})
    assert free == taken
    assert len(world.mails(TAKEN)) == before
    assert kinds(world, GUEST) == ["invitation"]


def test_nobody_is_flooded_with_invitations(world: World) -> None:
    """A6: an address gets five invitations a day; past that the answer stays, and nothing is sent."""
    start(world, invitations="members")
    member = world.member()

    statuses = [member.post("/invitations", {"email": GUEST}).status for _ in range(7)]

    assert statuses == [202] * 7
    assert len(world.mails(GUEST)) == 5


def test_who_has_proven_nothing_invites_nobody(world: World) -> None:
    """A member whose address nobody has proven is refused, and by default there is no such route."""
    world.start(features=[Passwords(require_code=False), Account(invitations="members"), Sessions()])
    client = world.client()
    client.sign_up(EMAIL, PASSWORD)

    refused = client.post("/invitations", {"email": GUEST})
    start(world)

    assert (refused.status, refused.code) == (403, "email_not_verified")
    assert world.client().post("/invitations", {"email": GUEST}).status == 404


@pytest.mark.parametrize("days", [6, 7])
def test_an_invitation_lasts_seven_days(world: World, days: int) -> None:
    """S89: the link opens until seven days are over, the code for one day."""
    start(world)
    world.app.blocking.account.invite(email=GUEST)
    code, link = world.code(GUEST), world.link(GUEST)
    world.clock.advance(days * DAY)

    by_code = world.client().post("/invitations/accept", {"email": GUEST, "code": code})
    by_link = world.client().post("/invitations/accept", {"token": link})

    assert_refused(by_code)
    assert by_link.status == (200 if days < 7 else 400)


# --- leaving ---


def test_an_account_goes_after_its_grace(world: World, transport: Transport) -> None:
    """T9: confirmed by mail, every session ends and nothing signs in; after 14 days nothing of it is left."""
    start(world)
    member = world.member(transport)
    other = world.client(transport)
    other.sign_in(EMAIL, PASSWORD)

    done = left(world, member)
    out = [client.who() for client in (member, other)]
    shut, told = world.client(transport).sign_in(EMAIL, PASSWORD), kinds(world, EMAIL)
    world.clock.advance(14 * DAY)
    world.sweep()

    assert (done.json["status"], done.json["delete_at"]) == ("scheduled", "2030-01-15T00:00:00Z")
    assert out == [None, None]
    assert (shut.status, shut.code) == (401, "invalid_credentials")
    assert told[-2:] == ["deletion", "deletion_scheduled"]
    assert [len(world.rows(f"authcore_{table}")) for table in ("user", "identity", "session", "challenge")] == [0] * 4


def test_nothing_ends_before_the_mail_is_answered(world: World) -> None:
    """A9: the deletion waits for its link or code; GET spends nothing, and a wrong code is refused."""
    start(world)
    member = world.member()
    started = member.delete("/me")

    page = member.get("/me/deletion/confirm", headers=PAGE)
    wrong = by_code(member, "/me/deletion/confirm", started, world.wrong_code())

    assert b'data-endpoint="/auth/me/deletion/confirm"' in page.body
    assert_refused(wrong)
    assert member.who() == EMAIL
    assert world.client().post("/me/deletion/confirm", {"token": world.link()}).status == 200
    assert member.who() is None


def test_a_deletion_needs_a_fresh_authentication(world: World) -> None:
    """A9: a session past its freshness does not begin it."""
    start(world)
    member = world.member()
    world.clock.advance(301)

    reply = member.delete("/me")

    assert (reply.status, reply.code) == (401, "reauthentication_required")
    assert kinds(world, EMAIL) == ["sign_up"]


@pytest.mark.parametrize("by", ["link", "code"])
def test_an_account_is_kept_after_all(world: World, by: str) -> None:
    """T2: for the whole grace the mailed link, or the code, brings the account back, once; the clean-up spares it."""
    start(world)
    done = left(world, world.member())
    world.clock.advance(14 * DAY - 1)
    sent = {
        "link": {"token": world.link()},
        "code": {"challenge_id": challenge_id(done), "code": world.code()},
    }

    kept = world.client().post("/me/deletion/cancel", sent[by])
    world.clock.advance(2)
    world.sweep()

    assert (kept.status, kept.json) == (200, {"status": "kept"})
    assert world.client().sign_in(EMAIL, PASSWORD).status == 200
    assert_refused(world.client().post("/me/deletion/cancel", sent[by]))


def test_a_kept_account_can_be_left_again(world: World) -> None:
    """The link of an earlier deletion does not cancel a later one."""
    start(world)
    left(world, world.member())
    first = world.link()
    world.client().post("/me/deletion/cancel", {"token": first})
    again = world.client()
    again.sign_in(EMAIL, PASSWORD)

    left(world, again)

    assert_refused(world.client().post("/me/deletion/cancel", {"token": first}))


def test_the_grace_is_over_with_its_end(world: World) -> None:
    """A deletion whose time has come is not cancelled, though the clean-up has not been there."""
    start(world)
    left(world, world.member())
    world.clock.advance(14 * DAY)

    assert_refused(world.client().post("/me/deletion/cancel", {"token": world.link()}))


def test_a_change_of_password_ends_a_deletion_on_its_way(world: World) -> None:
    """T9: a link that would confirm a deletion ends with the credentials of who asked for it."""
    start(world)
    member = world.member()
    member.delete("/me")
    link = world.link()
    member.post("/password/change", {"current_password": PASSWORD, "new_password": OTHER})

    assert_refused(world.client().post("/me/deletion/confirm", {"token": link}))


def test_an_account_may_go_at_once(world: World, transport: Transport) -> None:
    """Without confirmation and grace the request itself removes everything, and the address is free."""
    start(world, deletion_grace=timedelta(), confirm_deletion=False)
    member = world.member(transport)

    reply = member.delete("/me")

    assert (reply.status, reply.json) == (202, {"status": "deleted"})
    assert member.who() is None
    assert len(world.rows("authcore_user")) == 0
    assert world.member(transport).who() == EMAIL


def test_a_cookie_is_cleared_with_the_account(world: World) -> None:
    """R6: who leaves in a browser takes no session cookie along."""
    start(world, confirm_deletion=False)
    member = world.member("cookie")

    reply = member.delete("/me")

    assert reply.json["status"] == "scheduled"
    assert (cookie := reply.cookie("session")) is not None
    assert cookie.max_age == 0


# --- the export ---


def test_an_export_holds_what_is_stored(world: World, transport: Transport) -> None:
    """Everything personal is told, with times as RFC 3339, and neither digests nor secrets."""
    start(world, username=True, user=Member)
    member = world.member(transport)
    member.patch("/me", {"username": "ada", "nickname": "countess", "display_name": "Ada"})

    reply = member.get("/me/export")

    told = reply.json
    assert (reply.status, told["exported_at"], told["user"]["email"]) == (200, "2030-01-01T00:00:00Z", EMAIL)
    [user] = told["data"]["user"]
    assert (user["username"], user["display_name"], user["fields"]) == ("ada", "Ada", {"nickname": "countess"})
    assert {row["identifier"] for row in told["data"]["identity"]} == {EMAIL, "ada"}
    assert told["data"]["session"]
    assert "$argon2" not in reply.body.decode()
    assert (member.session_secret or "none") not in reply.body.decode()
    assert reply.header("content-disposition") == 'attachment; filename="account.json"'


def test_an_export_needs_a_fresh_authentication(world: World) -> None:
    """A9: a stolen session that has gone stale reads nothing out; five a day are answered."""
    start(world)
    member = world.member()
    statuses = [member.get("/me/export").status for _ in range(6)]
    world.clock.advance(301)

    stale = member.get("/me/export")

    assert statuses == [200] * 5 + [429]
    assert (stale.status, stale.code) == (401, "reauthentication_required")
