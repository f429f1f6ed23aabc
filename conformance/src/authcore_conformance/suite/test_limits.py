"""Limits as clients meet them: 429 with `Retry-After`, alike for every account, and a way back for its owner."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from authcore import Password, Sessions
from authcore.features.password import Lockout
from authcore_conformance.client import Client, Reply, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "not the right letters"
UNKNOWN = "bob@example.com"
STRANGER = "203.0.113.66"
MINUTE, HOUR = 60, 3600
LOCKOUT = Lockout(max_attempts=5, decay=timedelta(minutes=60))


def fail(client: Client, times: int, email: str = EMAIL) -> list[Reply]:
    """Fail to sign in, and answer what came back."""
    return [client.sign_in(email, WRONG) for _ in range(times)]


def statuses(replies: Iterable[Reply]) -> list[int]:
    """Answer the statuses alone."""
    return [reply.status for reply in replies]


def wait_of(reply: Reply) -> int:
    """Answer the seconds that a refusal tells to wait."""
    assert (reply.status, reply.code) == (429, "rate_limited"), reply
    return int(reply.header("retry-after") or 0)


# --- account with address: ten in a minute ---


def test_ten_tries_a_minute(world: World) -> None:
    """S114, A6: an account from one address has ten tries in sixty seconds; a minute later it has ten again."""
    world.member()
    client = world.client()

    first = fail(client, 10)
    wait = wait_of(client.sign_in(EMAIL, PASSWORD))
    world.clock.advance(MINUTE)

    assert statuses(first) == [401] * 10
    assert 1 <= wait <= MINUTE
    assert client.sign_in(EMAIL, PASSWORD).status == 200


def test_a_success_gives_the_ten_tries_back(world: World) -> None:
    """S114: success resets the count of the account from this address."""
    world.member()
    client = world.client()
    fail(client, 9)

    signed_in = client.sign_in(EMAIL, PASSWORD)

    assert signed_in.status == 200
    assert statuses(fail(client, 11)) == [401] * 10 + [429]


def test_too_many_attempts_say_so(world: World) -> None:
    """S21, S16: the refusal says in words and in seconds what to do, and sets no cookie."""
    client = world.client("cookie")

    refused = fail(client, 11)[-1]

    assert refused.json["error"]["message"].startswith("Too many attempts")
    assert wait_of(refused) >= 1
    assert refused.cookies == []


# --- the lockout of S115 ---


@pytest.fixture
def locking(world: World) -> World:
    """Answer a world whose passwords are locked out after five failures, for an hour, with a member."""
    world.start(features=[Password(lockout=LOCKOUT), Sessions()])
    world.member()
    return world


def test_five_failures_lock_out_for_an_hour(locking: World) -> None:
    """S115: the sixth try is refused for an hour, with the right password too; then it is let in."""
    client = locking.client()

    failed = fail(client, 5)
    wait = wait_of(client.sign_in(EMAIL, PASSWORD))
    locking.clock.advance(wait - 1)
    still = client.sign_in(EMAIL, PASSWORD).status
    locking.clock.advance(1)

    assert (statuses(failed), wait, still) == ([401] * 5, HOUR, 429)
    assert client.sign_in(EMAIL, PASSWORD).status == 200


def test_a_lockout_is_told_to_the_application(locking: World) -> None:
    """S115, S119: each try that a lockout refuses is a `Lockout` event with the address that was tried."""
    from authcore.services.events import Lockout as Told

    heard: list[str] = []
    locking.app.on(Told, lambda event: heard.append(event.email))

    fail(locking.client(), 7)

    assert heard == [EMAIL] * 2


def test_a_lockout_tells_no_account(locking: World) -> None:
    """S115, A2: an address without an account is locked out at the same try, by the same answers."""
    known, unknown = ([reply.masked() for reply in fail(locking.client(), 6, email)] for email in (EMAIL, UNKNOWN))

    assert known == unknown
    assert known[-1][0] == 429


@pytest.mark.needs("client_address")
def test_a_stranger_locks_no_owner_out(locking: World) -> None:
    """S115: a lockout is of the account from one address: its owner signs in elsewhere."""
    stranger = locking.client(peer=STRANGER)

    refused = fail(stranger, 6)[-1]

    assert refused.status == 429
    assert locking.client().sign_in(EMAIL, PASSWORD).status == 200


# --- pauses ---


def test_pauses_grow_with_failures_in_a_row(world: World) -> None:
    """A6: past ten failures in a row the next try waits 1, 2, 4 … s; the row ends with a success."""
    world.member()
    client = world.client()
    for _ in range(10):
        world.clock.advance(MINUTE)
        fail(client, 1)

    refused, looked_at = [], []
    for _ in range(3):  # a refused try is one more in the row
        world.clock.advance(MINUTE)
        looked_at += statuses(fail(client, 1))
        refused.append(wait_of(client.sign_in(EMAIL, PASSWORD)))
    world.clock.advance(MINUTE)
    signed_in = client.sign_in(EMAIL, PASSWORD)

    assert (looked_at, refused) == ([401] * 3, [1, 4, 16])
    assert signed_in.status == 200
    assert statuses(fail(client, 10)) == [401] * 10


def test_a_try_inside_a_pause_is_refused(world: World) -> None:
    """A6: inside a pause the right password is refused, with the rest of it in `Retry-After`, for every account."""
    world.member()
    answers = {}
    for email in (EMAIL, UNKNOWN):
        client = world.client()
        for _ in range(16):
            world.clock.advance(2 * MINUTE)
            fail(client, 1, email)
        answers[email] = client.sign_in(email, PASSWORD).masked()

    assert answers[EMAIL] == answers[UNKNOWN]
    assert answers[EMAIL][0] == 429


# --- codes ---


def test_each_challenge_has_its_own_attempts(world: World) -> None:
    """S116: a challenge takes `max_attempts` wrong codes; then the right one opens nothing, and nothing says why."""
    world.start(features=[Password(max_attempts=3), Sessions()])
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)
    right = world.code()

    wrong = [client.verify(started, world.wrong_code()) for _ in range(3)]
    late = client.verify(started, right)

    assert statuses(wrong) == [400] * 3
    assert late.masked() == wrong[0].masked()


def test_each_challenge_has_its_own_interval(world: World) -> None:
    """S116: inside `min_send_interval` a repeat sends nothing and answers the same challenge; after it a code."""
    world.start(features=[Password(min_send_interval=timedelta(seconds=90)), Sessions()])
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)
    mailed = [len(world.mails(EMAIL))]

    for pause in (89, 1):
        world.clock.advance(pause)
        again = client.resend(started)
        assert (again.status, challenge_id(again)) == (202, challenge_id(started))
        mailed.append(len(world.mails(EMAIL)))

    assert started.json["challenge"]["resend_after"] == 90
    assert mailed == [1, 1, 2]


# --- the account's own window ---


@pytest.mark.needs("client_address")
def test_strangers_keep_no_owner_out(world: World) -> None:
    """A6: past the account's window each address still has five tries an hour, for every account alike."""
    world.start(limits={"sign_in.account": 5})
    world.member()
    answers = {}
    for email in (EMAIL, UNKNOWN):
        fail(world.client(peer=STRANGER), 5, email)
        answers[email] = statuses(fail(world.client(peer="203.0.113.99"), 6, email))

    owner = world.client().sign_in(EMAIL, PASSWORD)

    assert answers[EMAIL] == answers[UNKNOWN] == [401] * 5 + [429]
    assert owner.status == 200


def test_a_budget_of_hashes_is_an_overload(world: World) -> None:
    """A6, A7: past the budget of hash work strangers are answered 503 with `Retry-After`, every account alike."""
    world.start(limits={"hash.share": 4})
    world.client().sign_up(EMAIL, PASSWORD)
    client = world.client()
    fail(client, 3, UNKNOWN)

    refused = [client.sign_in(email, WRONG) for email in (EMAIL, UNKNOWN)]

    assert [(reply.status, reply.code) for reply in refused] == [(503, "overloaded")] * 2
    assert refused[0].json == refused[1].json
    assert int(refused[0].header("retry-after") or 0) >= 1


def test_allowances_are_the_application_s(world: World) -> None:
    """A6: `Auth(limits={…})` changes one bucket and leaves the others."""
    world.start(limits={"sign_in.account_address": 3})
    client = world.client()

    assert statuses(fail(client, 4)) == [401] * 3 + [429]
    assert statuses(fail(client, 1, UNKNOWN)) == [401]


# --- a password that rests ---


@pytest.fixture
def resting(world: World) -> World:
    """Answer a world where the passwords of a member, and of an address without an account, rest."""
    wide = ("sign_in.account_address", "sign_in_row.account_address", "sign_in.address", "sign_in.account")
    world.start(limits=dict.fromkeys(wide, 1000))
    world.member()
    for email in (EMAIL, UNKNOWN):
        assert set(statuses(fail(world.client(), 100, email))) == {401}
    return world


def test_the_owner_of_a_resting_password_unlocks_it_by_mail(resting: World) -> None:
    """A6: a hundred failures let a password rest; its owner is mailed a link that lifts this, once."""
    client = resting.client()
    refused = client.sign_in(EMAIL, PASSWORD)
    token = resting.link()

    unlocked = client.post("/unlock", {"token": token})
    again = client.post("/unlock", {"token": token})

    assert (refused.status, refused.code) == (401, "invalid_credentials")
    assert (unlocked.status, unlocked.json) == (200, {"status": "unlocked"})
    assert (again.status, again.code) == (400, "invalid_challenge")
    assert client.sign_in(EMAIL, PASSWORD).status == 200


def test_a_rest_tells_no_account(resting: World) -> None:
    """A2: an address without an account rests by the same rows and the same answers, and nothing is mailed to it."""
    known, unknown = (resting.client().sign_in(email, PASSWORD).masked() for email in (EMAIL, UNKNOWN))

    kinds = [(mail.kind, mail.to) for mail in resting.mails() if mail.kind == "unlock"]
    void = sorted(row["void"] for row in resting.rows("authcore_challenge") if row["purpose"] == "unlock")
    assert known == unknown
    assert kinds == [("unlock", EMAIL)]
    assert [bool(each) for each in void] == [False, True]


def test_the_landing_spends_nothing(resting: World) -> None:
    """R4: opening the link shows what it is for; only a POST lifts the rest."""
    client = resting.client()
    token = resting.link()

    plain = client.get(f"/unlock?token={token}")
    page = client.get("/unlock", headers=[("Accept", "text/html")])

    assert (plain.status, plain.json) == (200, {"needs": "confirm"})
    assert page.status == 200
    assert (page.header("content-type") or "").startswith("text/html")
    assert client.sign_in(EMAIL, PASSWORD).status == 401
    assert client.post("/unlock", {"token": token}).status == 200


@pytest.mark.parametrize("token", ["nothing", "ac1_ln_" + "A" * 43, "ac1_ch_" + "A" * 43])
def test_what_is_no_unlock_link_is_one_answer(world: World, token: str) -> None:
    """T1: unknown, foreign and malformed tokens are refused alike."""
    reply = world.client().post("/unlock", {"token": token})

    assert (reply.status, reply.code) == (400, "invalid_challenge")


# --- who the client is ---


@pytest.mark.needs("client_address")
def test_clients_behind_an_undeclared_proxy_share_fifty_times_the_allowance(world: World) -> None:
    """R3: a private peer that sends undeclared forwarding headers shares a bucket of fifty times the allowance."""
    world.start(limits={"sign_in.account_address": 1, "sign_in_row.account_address": 1000})
    clients = [
        world.client(peer="10.1.2.3", headers=(("X-Forwarded-For", f"198.51.100.{number}"),)) for number in range(51)
    ]

    answers = statuses(client.sign_in(UNKNOWN, WRONG) for client in clients)

    assert answers == [401] * 50 + [429]


def test_sign_ups_are_counted_by_client(world: World) -> None:
    """S6, A6: thirty sign-ups an hour from one address of the network, whoever they are for; another one is free."""
    client = world.client(peer=STRANGER)
    replies = [client.sign_up(f"user{number}@example.com", PASSWORD) for number in range(31)]

    assert statuses(replies[:30]) == [202] * 30
    assert 1 <= wait_of(replies[30]) <= 2 * HOUR
    assert world.client().sign_up(EMAIL, PASSWORD).status == 202
