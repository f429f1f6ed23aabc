"""The room `password`: signing in, its refusals and its limits."""

from __future__ import annotations

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Client, Reply, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "not the right letters"
UNKNOWN = "bob@example.com"


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every sign-in."""
    assert (reply.status, reply.code) == (401, "invalid_credentials")
    assert reply.all("set-cookie") == []


@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper(), f"\t{EMAIL} "])
def test_sign_in_makes_a_session(world: World, transport: Transport, email: str) -> None:
    """S9, A5: address and password make a session, however the address is spelt."""
    world.member()
    client = world.client(transport)

    reply = client.sign_in(email, PASSWORD)

    assert (reply.status, reply.json["status"]) == (200, "signed_in")
    session = reply.json["session"]
    assert (session["transport"], session["amr"], session["aal"]) == (transport, ["pwd"], 1)
    assert (session["auth_time"], session["current"]) == ("2030-01-01T00:00:00Z", True)
    assert client.who() == EMAIL


@pytest.mark.ledger
def test_bearer_answers_tokens_and_no_cookie(world: World) -> None:
    """S15, RFC 6749 5.1: under bearer the tokens stand in the body, with their seconds, and no cookie is set."""
    world.member()

    reply = world.client("bearer").sign_in(EMAIL, PASSWORD)

    body = reply.json
    assert set(body) == {
        *("status", "user", "session"),
        *("access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"),
    }
    assert (body["token_type"], body["expires_in"], body["refresh_expires_in"]) == ("Bearer", 900, 2592000)
    assert body["access_token"].startswith("ac1_at_")
    assert body["refresh_token"].startswith("ac1_rt_")
    assert reply.all("set-cookie") == []


def test_a_cookie_value_never_stands_in_a_body(world: World) -> None:
    """Under cookies the body holds user and session, and no secret."""
    world.member()

    reply = world.client("cookie").sign_in(EMAIL, PASSWORD)

    cookie = reply.cookie("session")
    assert cookie is not None
    assert set(reply.json) == {"status", "user", "session"}
    assert cookie.value.encode() not in reply.body


def test_a_device_is_named_in_its_session(world: World) -> None:
    """A route that makes a session takes a device's id and name, and shows them with address and agent."""
    world.member()
    client = world.client(headers=[("User-Agent", "Notebook/1.0")])

    reply = client.sign_in(EMAIL, PASSWORD, device_id="d-1", device_name="Kitchen")

    session = reply.json["session"]
    assert (session["device_id"], session["device_name"]) == ("d-1", "Kitchen")
    assert session["user_agent"] == "Notebook/1.0"


def test_unknown_addresses_and_wrong_passwords_are_one_answer(world: World, transport: Transport) -> None:
    """A2: the refusal is the same bytes for an account and for none."""
    world.member()

    wrong = world.client(transport).sign_in(EMAIL, WRONG)
    unknown = world.client(transport).sign_in(UNKNOWN, WRONG)

    assert_refused(wrong)
    assert wrong.masked() == unknown.masked()


def test_a_failure_counts_in_the_store(world: World) -> None:
    """A refusal that counts is committed before it is answered, with an account and without, in the same rows."""
    world.member()
    world.client().sign_in(EMAIL, WRONG)
    world.client().sign_in(UNKNOWN, WRONG)

    again = world.added(lambda: [world.client().sign_in(email, WRONG) for email in (EMAIL, UNKNOWN)])

    assert [row["failures"] for row in world.rows("authcore_attempt")] == [2, 2]
    assert not again


def test_a_failed_sign_in_writes_the_same_rows_for_everybody(world: World) -> None:
    """A2: an address without an account costs the very writes of one with."""
    world.member()

    known = world.added(lambda: world.client().sign_in(EMAIL, WRONG))
    unknown = world.added(lambda: world.client().sign_in(UNKNOWN, WRONG))

    assert known["authcore_attempt"] == unknown["authcore_attempt"] == 1


def test_a_failed_sign_in_runs_the_same_statements_for_everybody(world: World) -> None:
    """A2: an address without an account is looked up, read and counted by the very statements of one with."""
    world.member()
    for email in (EMAIL, UNKNOWN):
        world.client().sign_in(email, WRONG)

    known = world.statements(lambda: world.client().sign_in(EMAIL, WRONG))
    unknown = world.statements(lambda: world.client().sign_in(UNKNOWN, WRONG))

    assert known == unknown
    assert known


def test_success_forgets_the_failures(world: World) -> None:
    """A6: only consecutive failures count towards the lock."""
    world.member()
    world.client().sign_in(EMAIL, WRONG)

    reply = world.client().sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert world.rows("authcore_attempt") == []


def test_a_hundred_failures_end_the_password(world: World) -> None:
    """A6: after 100 consecutive failures the right password is refused as well, alike for an unknown address."""
    world.member()
    world.start(limits=False)
    client = world.client()
    for _ in range(100):
        client.sign_in(EMAIL, WRONG)

    locked = client.sign_in(EMAIL, PASSWORD)

    assert_refused(locked)
    assert locked.masked() == client.sign_in(UNKNOWN, WRONG).masked()


@pytest.mark.parametrize("require_code", [True, False])
def test_failures_before_there_was_an_account_are_nobodys(world: World, *, require_code: bool) -> None:
    """A6: what strangers guessed at an address before its owner signed up locks no owner out."""
    world.start(limits=False, features=[Password(require_code=require_code), Sessions()])
    stranger = world.client()
    for _ in range(100):
        stranger.sign_in(EMAIL, WRONG)

    owner = world.client()
    started = owner.sign_up(EMAIL, PASSWORD)
    if require_code:
        owner.verify(started, world.code())

    assert world.rows("authcore_attempt") == []
    assert world.client().sign_in(EMAIL, PASSWORD).status == 200


def test_failures_of_nobody_end_after_a_day(world: World) -> None:
    """A6: a count without an account starts again after a day; one with an account ends by a success alone."""
    world.member()
    for email in (EMAIL, UNKNOWN) * 2:
        world.client().sign_in(email, WRONG)
    world.clock.advance(24 * 3600 + 1)

    for email in (EMAIL, UNKNOWN):
        assert_refused(world.client().sign_in(email, WRONG))

    assert sorted(row["failures"] for row in world.rows("authcore_attempt")) == [1, 3]


# --- limits ---


def attempts(client: Client, email: str, number: int) -> list[int]:
    """Fail to sign in `number` times, and answer the statuses."""
    return [client.sign_in(email, WRONG).status for _ in range(number)]


def test_attempts_are_limited_alike_for_everybody(world: World) -> None:
    """A6: the eleventh failure in a minute from one address is 429 with `Retry-After`, whether there is an account."""
    world.member()
    client = world.client()

    assert attempts(client, EMAIL, 10) == [401] * 10 == attempts(client, UNKNOWN, 10)
    known, unknown = client.sign_in(EMAIL, PASSWORD), client.sign_in(UNKNOWN, PASSWORD)

    assert (known.status, known.code) == (429, "rate_limited")
    assert 1 <= int(known.header("retry-after") or 0) <= 120
    assert known.masked() == unknown.masked()


def test_a_limit_ends_when_it_says(world: World) -> None:
    """RFC 9110 10.2.3: after `Retry-After` seconds the right password works again."""
    world.member()
    client = world.client()
    attempts(client, EMAIL, 10)
    wait = int(client.sign_in(EMAIL, PASSWORD).header("retry-after") or 0)

    world.clock.advance(wait)

    assert client.sign_in(EMAIL, PASSWORD).status == 200


def test_a_limit_stops_nobody_elsewhere(world: World) -> None:
    """A6: who guesses from one address does not keep the owner out at another."""
    world.member()
    attempts(world.client(), EMAIL, 11)

    reply = world.client(peer="203.0.113.9").sign_in(EMAIL, PASSWORD)

    assert reply.status == 200


def test_success_clears_one_bucket_alone(world: World) -> None:
    """A6: success clears account with address; the account's own window goes on counting."""
    world.member()
    client = world.client()
    for _ in range(10):
        assert attempts(client, EMAIL, 9) == [401] * 9
        assert client.sign_in(EMAIL, PASSWORD).status == 200

    over = client.sign_in(EMAIL, PASSWORD)  # one beyond a hundred in this hour

    assert over.status == 429


def test_codes_are_limited_across_challenges(world: World) -> None:
    """A6: attempts at codes count for the account, over all challenges together, from one client's address."""
    statuses = []
    for number in range(5):
        client = world.client()
        started = client.sign_up(EMAIL, PASSWORD)
        statuses += [client.verify(started, world.wrong_code()).status for _ in range(5)]
        assert started.status == 202, number

    assert statuses == [400] * 20 + [429] * 5


def test_a_stranger_elsewhere_spends_no_attempt_of_the_owner(world: World) -> None:
    """A6: whoever signs up the same address and guesses, at another client's address, keeps no owner from its code."""
    owner = world.client()
    started, code = owner.sign_up(EMAIL, PASSWORD), world.code()
    stranger = world.client(peer="203.0.113.66")
    for _ in range(5):
        theirs = stranger.sign_up(EMAIL, WRONG)
        for _ in range(25):
            stranger.verify(theirs, world.wrong_code())

    refused, reply = stranger.verify(theirs, world.wrong_code()), owner.verify(started, code)

    assert refused.status == 429
    assert reply.status == 200


def test_mails_to_one_address_are_limited_however_they_are_asked_for(world: World) -> None:
    """A6: sign-ups and resends count together: a mailbox gets ten codes in an hour, account or not."""
    world.member(email=UNKNOWN)
    world.clock.advance(3 * 3600)
    before = {UNKNOWN: len(world.mails(UNKNOWN)), "ben@example.com": 0}

    statuses: dict[str, list[int]] = {email: [] for email in before}
    for number in range(4):
        started = {
            email: (client := world.client(peer=f"203.0.113.{number}"), client.sign_up(email, PASSWORD))
            for email in before
        }
        for _ in range(4):
            world.clock.advance(61)
            for email, (client, reply) in started.items():
                statuses[email].append(client.resend(reply).status if reply.status == 202 else reply.status)
            world.mails()  # each before its code expires

    assert statuses["ben@example.com"] == statuses[UNKNOWN] == [202] * 8 + [429] * 8
    assert {email: len(world.mails(email)) - told for email, told in before.items()} == dict.fromkeys(before, 10)


def test_sign_ups_of_one_address_are_limited(world: World) -> None:
    """A6: strangers cannot flood a mailbox: the eleventh sign-up of an address in an hour is 429, account or not."""
    world.member(email=UNKNOWN)
    world.clock.advance(3 * 3600)

    replies = {
        email: [world.client().sign_up(email, PASSWORD).masked() for _ in range(11)]
        for email in ("ben@example.com", UNKNOWN)
    }

    [statuses] = {tuple(status for status, _, _ in answers) for answers in replies.values()}
    assert statuses == (202,) * 10 + (429,)
    assert replies["ben@example.com"] == replies[UNKNOWN]
