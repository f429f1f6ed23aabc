"""Rule A6 at the password: what strangers do holds strangers, and its owner gets back in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, AuthError, ConfigurationError, Password, Request
from authcore.features.password import Lockout, flow
from authcore.services import events
from authcore.services.challenges import challenges
from authcore.services.outbox import effects
from authcore.services.passwords import MAX_FAILURES, attempts
from authcore.testing.ports import FrozenClock

EMAIL, UNKNOWN = "ada@example.com", "nobody@example.com"
WRONG = "four loud herons wade"
STRANGER = "81.2.69.66"
HOUR = 3600


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Callable[..., Auth]:
    """Make an Auth whose sign-up needs no code."""
    return lambda **settings: auth(Password(require_code=False, lockout=settings.pop("lockout", None)), **settings)


def fail(visitor: Any, times: int, email: str = EMAIL) -> list[int]:
    """Fail to sign in, and answer the statuses."""
    return [visitor.sign_in(email, WRONG).status for _ in range(times)]


def wait_of(reply: Any) -> int:
    """Answer the seconds of a refusal."""
    assert (reply.status, reply.code) == (429, "rate_limited")
    return int(reply.headers["retry-after"])


# --- pauses that grow ---


def test_the_wait_doubles_with_each_failure_in_a_row(
    made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """A6: past ten failures in a row the pause after each try is 1, 2, 4 … s, at most 15 minutes; nobody sleeps."""
    visitor = client(made())
    visitor.sign_up()
    for _ in range(10):
        clock.advance(61)
        fail(visitor, 1)

    pauses = []
    for _ in range(13):
        clock.advance(1000)  # past every pause, and every window of minutes
        fail(visitor, 1)
        pauses.append(wait_of(visitor.sign_in()))

    # Each refused try is one more in the row.
    assert pauses[:4] == [1, 4, 16, 64]
    assert pauses[5:] == [900] * 8


def test_a_pause_ends_when_it_says(made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock) -> None:
    """R9: after `Retry-After` the right password is let in, and the row begins anew."""
    visitor = client(made())
    visitor.sign_up()
    for _ in range(15):
        clock.advance(120)
        fail(visitor, 1)
    wait = wait_of(visitor.sign_in())

    clock.advance(wait)

    assert visitor.sign_in().status == 200
    clock.advance(61)
    assert fail(visitor, 10) == [401] * 10


def test_pauses_are_of_one_address(made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock) -> None:
    """A6: a stranger who is slowed down slows nobody else down."""
    app = made()
    owner, stranger = client(app), client(app, peer=STRANGER)
    owner.sign_up()
    for _ in range(14):
        clock.advance(120)
        fail(stranger, 1)

    assert wait_of(stranger.sign_in()) > 0
    assert owner.sign_in().status == 200


def test_one_try_passes_in_a_pause(made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock) -> None:
    """A6: of many tries at the same moment exactly one is looked at."""
    app = made(limits={"sign_in.account_address": 1000})
    visitor = client(app)
    visitor.sign_up()
    for _ in range(16):
        clock.advance(1000)
        fail(visitor, 1)
    clock.advance(1000)
    statuses: list[int] = []

    threads = [threading.Thread(target=lambda: statuses.extend(fail(client(app), 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [401] + [429] * 7


# --- the account's own window ---


def fill(app: Auth, client: Callable[..., Any], email: str, times: int = 100) -> None:
    """Let strangers at many addresses fill an account's window."""
    for number in range(times):
        client(app, peer=f"198.51.{number // 200}.{number % 200}").sign_in(email, WRONG)


def test_strangers_keep_no_owner_out(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: while strangers fill the account's window, its owner signs in, at an address that it never had too."""
    app = made()
    owner = client(app)
    owner.sign_up()
    fill(app, client, EMAIL, 99)  # one fewer than lets the password rest
    filled = client(app, peer=STRANGER).sign_in().status
    fill(app, client, EMAIL, 99)

    elsewhere = client(app, peer="81.2.69.99").sign_in()

    assert (filled, elsewhere.status) == (200, 200)
    assert owner.sign_in().status == 200


def test_past_the_account_s_window_each_address_has_five_tries(
    made: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A2, A6: while it is full an address is refused from its sixth try in an hour, account or not, by one answer."""
    app = made(limits={"sign_in.account": 1})
    client(app).sign_up()

    answers: dict[str, list[tuple[int, bytes]]] = {}
    for email in (EMAIL, UNKNOWN):
        fail(client(app, peer=STRANGER), 1, email)
        tries = [client(app, peer="81.2.69.99").sign_in(email, WRONG) for _ in range(7)]
        answers[email] = [(reply.status, reply.result.body) for reply in tries]

    assert answers[EMAIL] == answers[UNKNOWN]
    assert [status for status, _ in answers[EMAIL]] == [401] * 5 + [429] * 2


def test_where_an_account_was_used_is_not_told(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A2: at the owner's own address the window of an account is as full as that of an address without one."""
    app = made(limits={"sign_in.account": 3, "sign_in.account_address": 1000})
    client(app).sign_up()

    for email in (EMAIL, UNKNOWN):
        fail(client(app, peer=STRANGER), 3, email)
    known, unknown = (fail(client(app), 7, email) for email in (EMAIL, UNKNOWN))

    assert known == unknown == [401] * 5 + [429] * 2


def test_below_the_account_s_window_five_tries_are_no_limit(
    made: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A6: an address that tries more than five times is refused by its other buckets alone."""
    visitor = client(made())
    visitor.sign_up()

    assert fail(visitor, 10) == [401] * 10


def test_who_is_signed_in_may_prove_it(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: the session of an account that strangers attack can be used to prove its owner again, from anywhere."""
    app = made(limits={"sign_in.account": 1})
    session = client(app).sign_up().json
    fail(client(app, peer=STRANGER), 1)

    elsewhere = client(app, peer="81.2.69.99")
    proven = elsewhere.post("/reauthenticate", {"password": "three quiet herons wade"}, bearer=session["access_token"])

    assert proven.status == 200


def test_a_session_of_one_s_own_opens_no_other_account(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: in a call that knows who is asking, that one is limited at every account but its own as a stranger is."""
    app = made(limits={"sign_in.account": 1})
    client(app).sign_up()
    token = client(app, peer=STRANGER).sign_up("eve@example.com").json["access_token"]
    asked = Request("POST", "/own", headers={"authorization": f"Bearer {token}"}, peer=STRANGER)

    codes = []
    for _ in range(7):
        with pytest.raises(AuthError) as refused:
            app.blocking_core().run(lambda ctx: flow.sign_in(ctx, email=EMAIL, password=WRONG), asked)
        codes.append(refused.value.code)

    assert codes == ["invalid_credentials"] * 5 + ["rate_limited"] * 2


def test_the_budget_of_hash_work_spares_who_is_signed_in(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: strangers past the budget are told 503; who is signed in proves it again."""
    app = made(limits={"hash.share": 3})
    owner = client(app)
    token = owner.sign_up().json["access_token"]
    fail(owner, 2)

    stranger = client(app).sign_in(UNKNOWN, WRONG)
    proven = owner.post("/reauthenticate", {"password": "three quiet herons wade"}, bearer=token)

    assert (stranger.status, stranger.code) == (503, "overloaded")
    assert int(stranger.headers["retry-after"]) >= 1
    assert proven.status == 200


def test_signing_up_spends_the_budget(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: a sign-up hashes as well, so it counts in the same budget."""
    visitor = client(made(limits={"hash.share": 2}))

    statuses = [visitor.sign_up(f"user{n}@example.com").status for n in range(3)]

    assert statuses == [201, 201, 503]


# --- the lockout ---


def test_a_lockout_lets_five_pass_in_an_hour(
    made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """S115: after five failures the account rests for this address for an hour, and then has five tries again."""
    heard: list[str] = []
    app = made(lockout=Lockout(max_attempts=5, decay=timedelta(minutes=60)))
    app.on(events.Lockout, lambda event: heard.append(event.email))
    visitor = client(app)
    visitor.sign_up()

    first = fail(visitor, 5)
    wait = wait_of(visitor.sign_in())
    clock.advance(HOUR)
    again = fail(visitor, 6)

    assert (first, wait, again) == ([401] * 5, HOUR, [401] * 5 + [429])
    assert heard == [EMAIL] * 2


def test_a_lockout_ends_for_the_right_password_too(
    made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """S115: until the hour is over the right password is refused, by an answer that says how long; then it opens."""
    visitor = client(made(lockout=Lockout()))
    visitor.sign_up()
    fail(visitor, 5)

    clock.advance(HOUR - 10)
    wait = wait_of(visitor.sign_in())
    clock.advance(wait)

    assert wait == 10
    assert visitor.sign_in().status == 200


def test_a_success_ends_the_row_of_a_lockout(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """S115: only failures without a success between them count."""
    visitor = client(made(lockout=Lockout()))
    visitor.sign_up()
    fail(visitor, 4)

    signed_in = visitor.sign_in().status

    assert (signed_in, fail(visitor, 5), visitor.sign_in().status) == (200, [401] * 5, 429)


def test_a_lockout_is_of_one_address_and_tells_nothing(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """S115, A2: a stranger locks nobody out elsewhere, and an address without an account is locked alike."""
    app = made(lockout=Lockout())
    owner, stranger = client(app), client(app, peer=STRANGER)
    owner.sign_up()

    known = [stranger.sign_in(EMAIL, WRONG) for _ in range(6)]
    unknown = [stranger.sign_in(UNKNOWN, WRONG) for _ in range(6)]

    assert [(r.status, r.result.body, r.headers.get("retry-after")) for r in known] == [
        (r.status, r.result.body, r.headers.get("retry-after")) for r in unknown
    ]
    assert known[-1].status == 429
    assert owner.sign_in().status == 200


def test_contenders_share_a_lockout(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """S115: of twelve tries at the same moment exactly five are looked at."""
    app = made(lockout=Lockout(), limits={"sign_in.account_address": 1000, "sign_in_row.account_address": 1000})
    client(app).sign_up()
    statuses: list[int] = []

    threads = [threading.Thread(target=lambda: statuses.extend(fail(client(app), 1))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [401] * 5 + [429] * 7


@pytest.mark.parametrize(
    ("lockout", "said"),
    [
        (5, "Password(lockout=…) is a Lockout("),
        (True, "Password(lockout=…) is a Lockout("),
        (Lockout(max_attempts=0), "Lockout(max_attempts=0) is a whole number between 1 and 100."),
        (Lockout(max_attempts=101), "between 1 and 100"),
        (Lockout(max_attempts=True), "is a whole number"),
        (Lockout(decay=timedelta()), "Lockout(decay=…) lies between"),
        (Lockout(decay=timedelta(days=2)), "Lockout(decay=…) lies between"),
        (Lockout(decay=3600), "Lockout(decay=…) lies between"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_lockout_is_a_sentence(lockout: Any, said: str) -> None:
    """O1: refused at the start, saying what to write."""
    with pytest.raises(ConfigurationError) as refused:
        Password(lockout=lockout)

    assert said in str(refused.value)


# --- rest, and what lifts it ---


@pytest.fixture
def resting(made: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock) -> Callable[..., Auth]:
    """Make an Auth at which the passwords of one account, and of an address without one, rest."""

    def make(**settings: Any) -> Auth:
        app = made(limits={"sign_in.account": 1000, "unlock.account": settings.pop("mails", 1)}, **settings)
        client(app).sign_up()
        app.outbox.drain()
        app.mailer.mails.clear()
        for email in (EMAIL, UNKNOWN):
            fill(app, client, email, MAX_FAILURES)
        return app

    return make


def unlock_mails(app: Auth) -> list[Any]:
    """Send what waits, and answer the unlock mails."""
    app.outbox.drain()
    return [mail for mail in app.mailer.mails if mail.kind == "unlock"]


def test_the_owner_of_a_resting_password_is_mailed_a_link(
    resting: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A6: the link lifts the rest once; the password is as it was, and the event names the user."""
    app = resting()
    heard: list[str | None] = []
    app.on(events.AccountUnlocked, lambda event: heard.append(event.user.email))
    visitor = client(app)
    refused = visitor.sign_in().status

    [mail] = unlock_mails(app)
    unlocked = visitor.post("/unlock", {"token": mail.token})

    assert refused == 401
    assert mail.to == EMAIL
    assert mail.url.endswith(f"/auth/unlock#token={mail.token}")
    assert (unlocked.status, unlocked.json) == (200, {"status": "unlocked"})
    assert heard == [EMAIL]
    assert visitor.sign_in().status == 200
    assert visitor.post("/unlock", {"token": mail.token}).code == "invalid_challenge"


def test_whoever_goes_on_guessing_fills_no_mailbox(
    resting: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """A6: one mail in six hours, however many tries there are, with or without limits."""
    app = resting()
    for number in range(20):
        client(app, peer=f"198.51.100.{number}").sign_in(EMAIL, WRONG)
    first = len(unlock_mails(app))

    clock.advance(6 * HOUR)
    client(app, peer=STRANGER).sign_in(EMAIL, WRONG)

    assert (first, len(unlock_mails(app))) == (1, 2)


def test_without_limits_a_mailbox_is_not_filled_either(made: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: `limits=False` counts nothing, and the link that is open is not mailed again inside its interval."""
    app = made(limits=False)
    client(app).sign_up()

    fail(client(app), MAX_FAILURES + 5)

    assert len(unlock_mails(app)) == 1


def test_an_unknown_address_rests_by_the_same_rows(resting: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """A2: the same rows are written for an address without an account, and nothing is sent."""
    app = resting()
    world = inside(app)

    by_subject = {row.subject: row for row in world.rows(challenges) if row.purpose == "unlock"}

    assert set(by_subject) == {EMAIL, UNKNOWN}
    assert sorted(row.void for row in by_subject.values()) == [False, True]
    assert [row.failures for row in world.rows(attempts)] == [MAX_FAILURES] * 2
    assert sorted(row.void for row in world.rows(effects) if row.done_at is None) == [False, True]
    assert [mail.to for mail in unlock_mails(app)] == [EMAIL]


def test_a_later_mail_s_link_replaces_the_earlier(
    resting: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """T1: of two unlock mails only the latest link opens."""
    app = resting()
    clock.advance(7 * HOUR)
    client(app, peer=STRANGER).sign_in(EMAIL, WRONG)
    earlier, later = unlock_mails(app)

    old = client(app).post("/unlock", {"token": earlier.token})

    assert (old.status, old.code) == (400, "invalid_challenge")
    assert client(app).post("/unlock", {"token": later.token}).status == 200


def test_an_unlock_link_ends_after_a_day(
    resting: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """T1: a link that is older than a day opens nothing."""
    app = resting()
    [mail] = unlock_mails(app)

    clock.advance(24 * HOUR)

    assert client(app).post("/unlock", {"token": mail.token}).code == "invalid_challenge"


def test_one_of_many_contenders_unlocks(resting: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """T2: of sixteen who spend one unlock link at the same moment exactly one succeeds."""
    app = resting()
    [mail] = unlock_mails(app)
    statuses: list[int] = []

    def spend() -> None:
        statuses.append(client(app).post("/unlock", {"token": mail.token}).status)

    threads = [threading.Thread(target=spend) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [400] * 15


def test_the_application_unlocks_by_a_call(resting: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: `unlock(email=…)` forgets the failures and tells of it; of an address without an account it tells nobody."""
    app = resting()
    heard: list[str | None] = []
    app.on(events.AccountUnlocked, lambda event: heard.append(event.user.email))

    done = [app.blocking.password.unlock(email=email) for email in (EMAIL, EMAIL, UNKNOWN)]

    assert done == [True, False, True]
    assert heard == [EMAIL]
    assert client(app).sign_in().status == 200


def test_a_call_spends_a_link(resting: Callable[..., Auth]) -> None:
    """The flow of `POST /unlock` is a typed call, and refuses what is no token."""
    app = resting()
    [mail] = unlock_mails(app)

    app.blocking.password.unlock_by_link(token=mail.token)

    with pytest.raises(AuthError, match="not valid"):
        app.blocking.password.unlock_by_link(token="nothing")
