"""The room `magic_link`: a mailed link, or the code beside it, signs in once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import MagicLink, Password, Sessions, generate_magic_link_token
from authcore.services import tokens
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

KNOWN, UNKNOWN = "bea@example.com", "bob@example.com"  # of one length and one initial, so that bytes compare
UNKNOWN_TOKEN = "ac1_ln_" + "A" * 43
HTML = (("Accept", "text/html,application/xhtml+xml"),)


@pytest.fixture(autouse=True)
def _room(world: World) -> None:
    start(world)


def start(world: World, password: Password | None = None, **settings: Any) -> None:
    """Start the application with the room's settings."""
    world.start(features=[password or Password(), MagicLink(**settings), Sessions()])


def ask(client: Client, email: str = EMAIL) -> Reply:
    """Ask for a link."""
    return client.post("/magic-link", {"email": email})


def consume(client: Client, **by: Any) -> Reply:
    """Sign in, by `token=`, or by `challenge_id=` and `code=`."""
    return client.post("/magic-link/consume", by)


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every code and link."""
    assert (reply.status, reply.code) == (400, "invalid_challenge")
    assert not [cookie for cookie in reply.cookies if cookie.name.endswith("_session")]


# --- asking ---


def test_a_link_is_mailed_with_a_code_beside_it(world: World, transport: Transport) -> None:
    """S89, S92: one mail of the kind carries link, code, token and expiry; the answer carries neither secret."""
    world.member()
    client = world.client(transport)

    asked = ask(client)

    assert (asked.status, asked.json["status"]) == (202, "sent")
    mail = world.mails(EMAIL)[-1]
    assert (mail.kind, mail.event, mail.template) == ("magic_link", "login.magic_link", "auth-magic-link")
    assert mail.url is not None
    assert mail.url.endswith(f"{world.app.prefix}/magic-link#token={mail.token}")
    assert mail.code is not None
    assert mail.token is not None
    assert mail.code not in asked.body.decode()
    assert mail.token not in asked.body.decode()
    assert mail.key


def test_the_answer_and_the_work_tell_nothing(world: World, transport: Transport) -> None:
    """A known and an unknown address: same status, same bytes, same headers, same rows, and one mail (rule A2)."""
    world.member(email=KNOWN)
    ask(world.client(transport), "eve@example.com")  # what is counted for the client is counted by its first request
    answers: list[Reply] = []

    def asking(email: str) -> Callable[[], None]:
        return lambda: answers.append(ask(world.client(transport), email))

    rows = [world.added(asking(email)) for email in (KNOWN, UNKNOWN)]

    assert answers[0].masked() == answers[1].masked()
    assert rows[0] == rows[1]
    assert [mail.to for mail in world.mails() if mail.kind == "magic_link"] == [KNOWN]


@pytest.mark.parametrize("email", [EMAIL, UNKNOWN])
def test_a_repeat_inside_the_interval_is_the_same_challenge(world: World, transport: Transport, email: str) -> None:
    """S14, S76: nothing is mailed again within a minute, and id and expiry stay; for unknown addresses too."""
    world.member()
    client = world.client(transport)
    first = ask(client, email)
    world.clock.advance(59)

    again = ask(client, email)

    assert challenge_id(again) == challenge_id(first)
    assert again.json["challenge"]["expires_at"] == first.json["challenge"]["expires_at"]
    assert len([mail for mail in world.mails(EMAIL) if mail.kind == "magic_link"]) == (email == EMAIL)


def test_after_the_interval_a_fresh_link_kills_the_old_one(world: World, transport: Transport) -> None:
    """S14: the same challenge is mailed again with another code and link; the earlier ones open nothing."""
    world.member()
    client = world.client(transport)
    first = ask(client)
    old = world.link()
    world.clock.advance(60)

    again = ask(client)

    assert challenge_id(again) == challenge_id(first)
    assert_refused(consume(client, token=old))
    assert consume(client, token=world.link()).status == 200


def test_past_five_mails_an_hour_the_answer_stays_and_nothing_is_sent(world: World) -> None:
    """No mailbox is flooded, and whoever keeps asking learns nothing (rules A2, A6)."""
    world.member()
    statuses = []
    for _ in range(8):
        statuses.append(ask(world.client()).status)
        world.clock.advance(61)

    assert statuses == [202] * 8
    assert len([mail for mail in world.mails(EMAIL) if mail.kind == "magic_link"]) == 5


def test_a_stranger_who_asks_on_leaves_the_owner_a_share(world: World, transport: Transport) -> None:
    """A6: five mails an hour go out for one client; the owner's own client gets its mail all the same."""
    world.member()
    stranger = world.client(peer="203.0.113.66")
    signed_up = len(world.mails(EMAIL))
    for _ in range(25):  # more than everybody together is granted in the hour
        assert ask(stranger).status == 202
        world.mails(EMAIL)  # sent at once: a mail that waits until its link has expired is none
        world.clock.advance(61)
    before = len(world.mails(EMAIL))
    owner = world.client(transport)

    ask(owner)

    assert before == signed_up + 5
    assert len(world.mails(EMAIL)) == before + 1
    assert consume(owner, token=world.link()).status == 200


# --- landing ---


def test_opening_the_link_spends_nothing(world: World, transport: Transport) -> None:
    """A scanner that fetches the page leaves the link as it was (rule R4)."""
    world.member()
    client = world.client(transport)
    ask(client)

    page = client.get("/magic-link", headers=HTML)
    told = client.get("/magic-link")

    assert (page.status, page.header("content-type")) == (200, "text/html; charset=utf-8")
    assert "script-src 'sha256-" in (page.header("content-security-policy") or "")
    assert page.header("cache-control") == "no-store"
    assert told.json == {"needs": "confirm"}
    assert consume(client, token=world.link()).status == 200


def test_a_token_in_the_query_opens_nothing(world: World) -> None:
    """A link's secret is read from a body alone (rule R7)."""
    world.member()
    client = world.client()
    ask(client)

    answered = client.post(f"/magic-link/consume?token={world.link()}", {})

    assert (answered.status, answered.code) == (422, "invalid_fields")
    assert consume(client, token=world.link()).status == 200


# --- signing in ---


def test_the_link_signs_in_anywhere(world: World, transport: Transport) -> None:
    """S89: the link opens in another browser than the one that asked, with the mailbox as its one factor (rule A8)."""
    world.member()
    ask(world.client("cookie"))
    elsewhere = world.client(transport)

    signed_in = consume(elsewhere, token=world.link())

    assert (signed_in.status, signed_in.json["status"]) == (200, "signed_in")
    assert (signed_in.json["session"]["amr"], signed_in.json["session"]["aal"]) == (["email"], 1)
    assert elsewhere.who() == EMAIL


def test_the_code_signs_in_where_it_was_asked_for(world: World, transport: Transport) -> None:
    """The typed code opens for the client that holds the challenge, and for no other browser."""
    world.member()
    client = world.client(transport)
    by_code = {"challenge_id": challenge_id(ask(client)), "code": world.code()}

    if transport == "cookie":
        assert_refused(consume(world.client("cookie"), **by_code))
    signed_in = consume(client, **by_code)

    assert signed_in.status == 200
    assert client.who() == EMAIL


@pytest.mark.parametrize("second", ["token", "code"])
def test_a_mail_signs_in_once(world: World, transport: Transport, second: str) -> None:
    """After the link was used neither it nor the code beside it opens anything (rule T2)."""
    world.member()
    client = world.client(transport)
    by = {"challenge_id": challenge_id(ask(client)), "code": world.code()}
    assert consume(client, token=world.link()).status == 200

    assert_refused(consume(client, **({"token": world.link()} if second == "token" else by)))


def test_links_and_codes_end_by_the_clock(world: World, transport: Transport) -> None:
    """The code lives ten minutes, the link fifteen."""
    world.member()
    client = world.client(transport)
    by_code = {"challenge_id": challenge_id(ask(client)), "code": world.code()}

    world.clock.advance(600)
    assert_refused(consume(client, **by_code))
    world.clock.advance(300)
    assert_refused(consume(client, token=world.link()))


def test_five_wrong_codes_end_the_code_and_leave_the_link(world: World) -> None:
    """S116: attempts are capped; the right code after them is refused as a wrong one, and the link still opens."""
    world.member()
    client = world.client()
    asked, wrong = challenge_id(ask(client)), world.wrong_code()

    answers = [consume(client, challenge_id=asked, code=wrong) for _ in range(5)]
    right = consume(client, challenge_id=asked, code=world.code())

    assert {answer.masked() for answer in map(_hashable, [*answers, right])} == {_hashable(right).masked()}
    assert_refused(right)
    assert consume(client, token=world.link()).status == 200


class _Masked:
    """A reply that compares by what is not drawn at random."""

    def __init__(self, reply: Reply) -> None:
        status, headers, body = reply.masked()
        self._key = (status, tuple(headers), body)

    def masked(self) -> Any:
        """Answer what it compares by."""
        return self._key


def _hashable(reply: Reply) -> _Masked:
    return _Masked(reply)


def test_a_link_of_another_kind_opens_nothing(world: World) -> None:
    """An unknown token, a refresh token and a challenge's id are one refusal (rule T5)."""
    member = world.member()
    client = world.client()
    asked = challenge_id(ask(client))

    for token in (UNKNOWN_TOKEN, member.refresh_token, member.access_token, asked, "", "x" * 200):
        refused = consume(client, token=token)
        assert (refused.status, refused.code) in ((400, "invalid_challenge"), (422, "invalid_fields"))
    assert consume(client, token=world.link()).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "token"),
        ({"challenge_id": "x"}, "code"),
        ({"code": "123456"}, "challenge_id"),
        ({"token": UNKNOWN_TOKEN, "code": "123456"}, "token"),
        ({"token": UNKNOWN_TOKEN, "role": "admin"}, "role"),
    ],
)
def test_an_answer_is_one_way_or_the_other(world: World, body: dict[str, str], field: str) -> None:
    """A token, or a challenge with its code; every other body names its wrong field (rule R2)."""
    refused = world.client().post("/magic-link/consume", body)

    assert refused.status == 422
    assert field in [detail["field"] for detail in refused.json["error"]["details"]]


def test_what_the_account_changes_ends_its_links(world: World) -> None:
    """A link that was mailed before the account was disabled opens nothing, then or after enabling (rule T9)."""
    world.member()
    ask(world.client())
    token = world.link()
    [row] = world.rows("authcore_user")

    world.app.blocking.administration.disable(user_id=row["id"])
    assert_refused(consume(world.client(), token=token))
    world.app.blocking.administration.enable(user_id=row["id"])

    assert_refused(consume(world.client(), token=token))


def test_a_disabled_account_is_mailed_nothing(world: World) -> None:
    """It is answered like any address, and gets no mail (rule A2)."""
    world.member()
    [row] = world.rows("authcore_user")
    world.app.blocking.administration.disable(user_id=row["id"])

    asked = ask(world.client())

    assert asked.status == 202
    assert [mail.kind for mail in world.mails(EMAIL) if mail.kind == "magic_link"] == []


def test_who_proves_the_mailbox_is_rid_of_what_a_stranger_set(world: World, transport: Transport) -> None:
    """A3: a password and a session made before anybody had proven the address end with the first link."""
    start(world, Password(require_code=False))
    stranger = world.client("bearer")
    assert stranger.sign_up(EMAIL, PASSWORD).status == 201
    owner = world.client(transport)
    ask(owner)

    signed_in = consume(owner, token=world.link())

    assert signed_in.status == 200
    assert signed_in.json["user"]["email_verified"] is True
    assert stranger.who() is None
    assert world.client().sign_in(EMAIL, PASSWORD).code == "invalid_credentials"


# --- options ---


def test_a_link_may_be_bound_to_the_browser_that_asked(world: World) -> None:
    """With `same_browser` a link that is opened elsewhere is worth nothing, and stays whole for its own browser."""
    start(world, same_browser=True)
    world.member()
    asking = world.client("cookie")
    ask(asking)

    assert_refused(consume(world.client("cookie"), token=world.link()))
    assert_refused(consume(world.client("bearer"), token=world.link()))
    assert consume(asking, token=world.link()).status == 200


def test_an_account_may_grow_from_a_link(world: World, transport: Transport) -> None:
    """With `create_users` the first link of an unknown address makes its user, proven, without a password."""
    start(world, create_users=True)
    client = world.client(transport)
    ask(client, UNKNOWN)

    signed_in = consume(client, token=world.link(UNKNOWN))

    assert signed_in.status == 200
    assert signed_in.json["user"]["email"] == UNKNOWN
    assert signed_in.json["user"]["email_verified"] is True
    assert world.rows("authcore_password") == []
    assert world.client().sign_in(UNKNOWN, PASSWORD).code == "invalid_credentials"


def test_two_links_of_one_new_address_make_one_account(world: World) -> None:
    """Whoever comes second enters the account that the first one made."""
    start(world, create_users=True)
    first, second = world.client("cookie"), world.client("bearer")
    ask(first, UNKNOWN)
    one = world.link(UNKNOWN)
    ask(second, UNKNOWN)
    two = world.link(UNKNOWN)

    answers = [consume(client, token=token) for client, token in ((first, one), (second, two))]

    made = {answer.json["user"]["id"] for answer in answers if answer.status == 200}
    assert len(made) == 1
    assert len(world.rows("authcore_user")) == 1


def test_a_closed_sign_up_grows_no_account(world: World) -> None:
    """The answer stays the same, and no mail goes out (rule A2)."""
    world.start(features=[Password(), MagicLink(create_users=True), Sessions()], sign_up="closed")

    assert ask(world.client(), UNKNOWN).status == 202
    assert world.mails(UNKNOWN) == []


def test_the_link_may_be_the_applications_own(world: World) -> None:
    """S91: `build_link(kind, token)` answers the address that the mail carries."""

    def build(kind: str, token: str) -> str:
        return f"https://app.example/in/{kind}#{token}"

    world.start(features=[Password(), MagicLink(), Sessions()], build_link=build)
    world.member()
    ask(world.client())

    mail = world.mails(EMAIL)[-1]
    assert mail.url == f"https://app.example/in/magic_link#{mail.token}"
    assert consume(world.client(), token=mail.token).status == 200


def test_a_token_of_an_applications_own_is_43_characters(world: World) -> None:
    """S88: 32 random bytes in base64url, and never the same ones."""
    found = {generate_magic_link_token() for _ in range(100)}

    assert len(found) == 100
    assert {len(token) for token in found} == {43}
    assert tokens.digest(f"ac1_ln_{found.pop()}", "ln") is not None
