"""Mailed challenges: what a repeat answers, what a resend renews, and what one answer may be (S14, S72, S76, A13)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, Request
from authcore.errors import InvalidChallenge, InvalidFields, RateLimited
from authcore.services import challenges, cookies, mailed, outbox
from authcore.services.challenges import Challenge, Refused, Spent, code_kind
from authcore.services.limits import BUCKETS
from authcore.services.mailed import Mailed
from authcore.services.outbox import Effect, MailPayload
from authcore.testing.ports import FrozenClock

MINUTE, HOUR = 60, 3600  # seconds
KIND = code_kind(
    "Tests",
    purpose="tests",
    mail="sign_up",
    code_length=6,
    code_ttl=timedelta(minutes=10),
    min_send_interval=timedelta(minutes=1),
    max_attempts=5,
    link_ttl=timedelta(hours=1),
)
EMAIL = "ada@example.com"


def compose(ctx: Any, challenge: Challenge) -> Effect:
    """Mail the code and the link."""
    payload = MailPayload(kind="sign_up", to=challenge.recipient, code=challenge.code, token=challenge.token)
    return outbox.mail(ctx, payload, void=challenge.void)


class Desk:
    """Begins challenges and answers them, as a room's flow does for one client."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def ctx(self, browser: str | None = None) -> Any:
        """Answer a context of a bearer client, or of a browser that sends its binding."""
        headers = {"cookie": f"authcore_challenge={browser}"} if browser else {}
        return self.world.ctx(Request("POST", "/x", headers=headers, peer="81.2.69.7"))

    def start(self, browser: str | None = None, via: Any = "bearer", **how: Any) -> Mailed:
        """Begin a challenge without a pending value."""
        ctx = self.ctx(browser)
        given = {"subject": "ada", "recipient": EMAIL, "via": via, "payload": {}, **how}
        found: Mailed = self.world.run(mailed.start(ctx, KIND, compose, **given))
        return found

    def pend(self, value: str, browser: str | None = None, via: Any = "cookie") -> Mailed:
        """Begin a challenge with a pending value."""
        begun = mailed.start_pending(
            self.ctx(browser),
            KIND,
            compose,
            subject="ada",
            recipient=EMAIL,
            via=via,
            payload={"value": value},
            unchanged=lambda held: held == {"value": value},
        )
        found: Mailed = self.world.run(begun)
        return found

    def spend(self, browser: str | None = None, **answer: Any) -> Spent | Refused:
        """Answer a challenge."""
        attempt = self.world.run(mailed.attempt(self.ctx(browser), KIND, **answer))
        found: Spent | Refused = self.world.write(challenges.spend, attempt)
        return found


@pytest.fixture
def desk(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> Desk:
    """A desk over an Auth's database."""
    made = auth()
    made.create_tables()
    return Desk(inside(made))


def binding(begun: Mailed) -> str:
    """Answer the value of the cookie that binds a challenge to the browser."""
    [cookie] = begun.cookies
    assert cookie.name == "authcore_challenge"
    return cookie.value


def sent(desk: Desk) -> int:
    """Answer how many mails were written."""
    return len(desk.world.rows(outbox.effects))


@pytest.mark.parametrize("void", [False, True])
def test_a_repeat_inside_the_interval_is_the_same_challenge_and_mails_nothing(
    desk: Desk, clock: FrozenClock, void: bool
) -> None:
    """S14, S72, S76: same id, same expiry, one mail, whether there is an account or not."""
    first = desk.start(void=void)
    clock.advance(59)

    again = desk.start(void=void)

    assert again.challenge.id == first.challenge.id
    assert again.view(desk.ctx()).expires_at == first.view(desk.ctx()).expires_at
    assert sent(desk) == 1


def test_after_the_interval_a_repeat_mails_a_fresh_code_and_link_under_the_same_id(
    desk: Desk, clock: FrozenClock
) -> None:
    """The old code and the old link die with the resend, and the fresh link opens."""
    first = desk.start().challenge
    clock.advance(MINUTE)

    again = desk.start().challenge

    assert again.id == first.id
    assert sent(desk) == 2
    assert isinstance(desk.spend(token=first.token), Refused)
    assert isinstance(desk.spend(token=again.token), Spent)


@pytest.mark.parametrize("void", [False, True])
def test_a_challenge_out_of_attempts_is_followed_by_another(desk: Desk, clock: FrozenClock, void: bool) -> None:
    """A2, S14: a stranger who uses up the attempts keeps the owner from signing in for no longer than the interval."""
    first = desk.start(void=void).challenge
    for _ in range(5):
        assert isinstance(desk.spend(challenge_id=first.id, code="wrong"), Refused)

    inside = desk.start(void=void).challenge
    clock.advance(MINUTE)
    after = desk.start(void=void).challenge

    assert (inside.id, inside.code) == (first.id, None)
    assert after.id != first.id
    assert isinstance(desk.spend(challenge_id=after.id, code=after.code), Refused if void else Spent)


def test_another_browsers_repeat_adds_its_binding(desk: Desk) -> None:
    """Without a pending value both browsers may answer the one challenge, and no third one may."""
    first = desk.start(via="cookie")
    second = desk.start(via="cookie")

    assert second.challenge.id == first.challenge.id
    code = first.challenge.code
    assert isinstance(desk.spend(challenge_id=first.challenge.id, code=code), Refused)
    assert isinstance(desk.spend(binding(second), challenge_id=first.challenge.id, code=code), Spent)


def test_a_bearer_client_is_not_answered_a_browsers_challenge(desk: Desk) -> None:
    """What browsers hold a program could not answer, so it is told of another challenge."""
    held = desk.start(via="cookie")

    other = desk.start(via="bearer")

    assert other.challenge.id != held.challenge.id
    assert isinstance(desk.spend(challenge_id=other.challenge.id, code=other.challenge.code), Spent)


def test_a_link_outlives_the_code_of_its_mail(desk: Desk, clock: FrozenClock) -> None:
    """The code dies after ten minutes; a request then begins another challenge, and the link opens for its hour."""
    first = desk.start().challenge
    clock.advance(10 * MINUTE)

    by_code = desk.spend(challenge_id=first.id, code=first.code)
    another = desk.start().challenge
    by_link = desk.spend(token=first.token)

    assert isinstance(by_code, Refused)
    assert another.id != first.id
    assert isinstance(by_link, Spent)


def test_a_link_dies_after_its_time(desk: Desk, clock: FrozenClock) -> None:
    """An hour after it was mailed the link opens nothing."""
    made = desk.start().challenge
    clock.advance(HOUR)

    assert isinstance(desk.spend(token=made.token), Refused)


def test_a_link_opens_once(desk: Desk) -> None:
    """T2: the second presentation of a link, and its code after it, open nothing."""
    made = desk.start().challenge

    first, second = desk.spend(token=made.token), desk.spend(token=made.token)

    assert isinstance(first, Spent)
    assert isinstance(second, Refused)
    assert isinstance(desk.spend(challenge_id=made.id, code=made.code), Refused)


def test_a_void_challenge_opens_by_nothing(desk: Desk) -> None:
    """A2: neither the code nor the link of an address without an account opens anything."""
    made = desk.start(void=True).challenge

    assert isinstance(desk.spend(token=made.token), Refused)
    assert isinstance(desk.spend(challenge_id=made.id, code=made.code), Refused)


def test_checking_spends_nothing_and_counts_codes(desk: Desk) -> None:
    """A form asks first whether its link or code is right; five checks of a code are five attempts."""
    made = desk.start().challenge

    for _ in range(5):
        attempt = desk.world.run(mailed.attempt(desk.ctx(), KIND, challenge_id=made.id, code=made.code))
        assert isinstance(desk.world.write(challenges.check, attempt), Spent)

    assert isinstance(desk.spend(challenge_id=made.id, code=made.code), Refused)
    assert isinstance(desk.spend(token=made.token), Spent)


def test_a_pending_value_is_answered_again_to_its_own_browser_alone(desk: Desk) -> None:
    """A13: the browser that began it is answered the same challenge; another one begins its own, and the first ends."""
    first = desk.pend("one")
    same = desk.pend("one", binding(first))
    other = desk.pend("one")

    assert same.challenge.id == first.challenge.id
    assert other.challenge.id != first.challenge.id
    code = first.challenge.code
    assert isinstance(desk.spend(binding(first), challenge_id=first.challenge.id, code=code), Refused)


def test_a_changed_value_is_another_challenge_and_ends_the_earlier(desk: Desk) -> None:
    """A13: a code opens only the value it was mailed for."""
    first = desk.pend("one")
    browser = binding(first)

    second = desk.pend("two", browser)

    assert second.challenge.id != first.challenge.id
    assert isinstance(desk.spend(browser, challenge_id=first.challenge.id, code=first.challenge.code), Refused)
    assert isinstance(desk.spend(browser, challenge_id=second.challenge.id, code=second.challenge.code), Spent)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({}, "token"),
        ({"challenge_id": "x"}, "code"),
        ({"code": "1"}, "challenge_id"),
        ({"token": "x", "code": "1"}, "token"),
        ({"token": "x", "challenge_id": "y", "code": "1"}, "token"),
    ],
)
def test_an_answer_is_exactly_one_way(desk: Desk, answer: dict[str, str], field: str) -> None:
    """A link's token, or a challenge with its code: nothing less and nothing more."""
    with pytest.raises(InvalidFields) as refused:
        desk.world.run(mailed.attempt(desk.ctx(), KIND, **answer))

    assert [detail["field"] for detail in refused.value.details] == [field]


def test_a_bound_link_opens_in_its_own_browser_alone(desk: Desk) -> None:
    """A link that was asked for in one browser is worth nothing to who reads the mail elsewhere."""
    begun = desk.start(via="cookie")
    token = begun.challenge.token

    elsewhere = desk.spend(token=token, bound=True)
    at_home = desk.spend(binding(begun), token=token, bound=True)

    assert isinstance(elsewhere, Refused)
    assert isinstance(at_home, Spent)


def test_a_resend_is_for_who_holds_the_challenge(desk: Desk, clock: FrozenClock) -> None:
    """Another browser, and a text that is no challenge, are one answer; the holder gets a fresh code."""
    begun = desk.start(via="cookie")
    clock.advance(MINUTE)

    for ctx, id_ in ((desk.ctx(), begun.challenge.id), (desk.ctx(binding(begun)), "nonsense")):
        with pytest.raises(InvalidChallenge):
            desk.world.run(mailed.resend(ctx, KIND, compose, id_))
    again = desk.world.run(mailed.resend(desk.ctx(binding(begun)), KIND, compose, begun.challenge.id))

    assert again.challenge.code not in (None, begun.challenge.code)
    assert sent(desk) == 2


def test_links_are_tried_by_one_client_a_limited_number_of_times(desk: Desk) -> None:
    """A6: guesses at links count against the client's address."""
    for _ in range(BUCKETS["link.address"].allowance):
        with pytest.raises(InvalidChallenge):
            desk.spend(token="ac1_ln_nonsense")

    with pytest.raises(RateLimited):
        desk.spend(token="ac1_ln_nonsense")


def test_what_depends_on_a_user_ends_with_the_users_credentials(desk: Desk) -> None:
    """T9: one call ends every open challenge of the user, and leaves those of others."""
    mine, others = desk.start(user_id="u1").challenge, desk.start(user_id="u2", subject="bea").challenge

    ended = desk.world.write(challenges.end_of_user, "u1", desk.ctx().now())

    assert ended == 1
    assert isinstance(desk.spend(token=mine.token), Refused)
    assert isinstance(desk.spend(token=others.token), Spent)


def test_the_binding_is_a_cookie_that_scripts_do_not_read(desk: Desk) -> None:
    """The cookie is the browser's one binding, made once and sent again with each challenge."""
    first = desk.start(via="cookie")
    again = desk.start(binding(first), via="cookie", subject="bea")

    assert binding(again) == binding(first)
    assert "HttpOnly" in first.cookies[0].header()
    assert cookies.cookie_name(desk.ctx().app, "challenge") == first.cookies[0].name
