"""Rules T1, T2 and A13 at the store functions: a mailed secret is counted, bound, sent again, and spent once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from authcore import Auth, AuthError, Request
from authcore.errors import InvalidChallenge, RateLimited
from authcore.services import challenges
from authcore.services.challenges import (
    MAX_BINDINGS,
    Attempt,
    Challenge,
    ChallengeKind,
    Refused,
    Spent,
    code_digest,
    draw_code,
    mask_email,
    view,
)
from authcore.services.limits import BUCKETS
from authcore.testing.ports import FrozenClock

KIND = ChallengeKind(purpose="tests", mail="tests")
OLD, NEW = "an older secret of these tests, as long", "a newer secret of these tests, as long"


class Desk:
    """Makes challenges and answers them, with what one Auth knows."""

    def __init__(self, world: Any, clock: FrozenClock) -> None:
        self.world, self.clock = world, clock

    def make(
        self, *bindings: str, kind: ChallengeKind = KIND, void: bool = False, tenant: str = "default"
    ) -> Challenge:
        """Store a challenge."""
        ctx = self.world.ctx(tenant=tenant)
        made = challenges.draft(
            ctx, kind, subject="ada", recipient="ada@example.com", payload={"n": 1}, bindings=bindings, void=void
        )
        self.world.write(challenges.insert_row, made, *code_digest(ctx, made.id, made.code or ""))
        return made

    def attempt(self, made: Challenge, code: str, *, binding: str | None = None, tenant: str = "default") -> Attempt:
        """Answer what one presentation hands to the store."""
        keys = self.world.ctx().app.keys
        return Attempt(tenant, made.kind, made.id, code, binding, self.clock.now(), keys)

    def spend(self, made: Challenge, code: str | None = None, **how: Any) -> Spent | Refused:
        """Answer a challenge; its own code where none is given."""
        found: Spent | Refused = self.world.write(challenges.spend, self.attempt(made, code or made.code or "", **how))
        return found

    def answer(self, made: Challenge, peer: str = "81.2.69.7") -> Attempt:
        """Count an attempt at a challenge, as a flow does for a client's address."""
        ctx = self.world.ctx(Request("POST", "/x", peer=peer))
        found: Attempt = self.world.run(challenges.attempt(ctx, KIND, made.id, "000000", None))
        return found

    def send_again(self, made: Challenge) -> Challenge | None:
        """Put a fresh code under the same id; None if that was not granted."""
        ctx = self.world.ctx()
        fresh = challenges.renewed(ctx, made)
        key = code_digest(ctx, fresh.id, fresh.code or "")
        return fresh if self.world.write(challenges.send_again, fresh, made.sent_at, *key) else None

    def row(self, made: Challenge) -> Any:
        """Answer the stored row."""
        [found] = self.world.rows(challenges.challenges, challenges.challenges.c.id == made.id)
        return found


def wrong(made: Challenge) -> str:
    """Answer a code that is not the challenge's."""
    return str((int(made.code or "0") + 1) % 10**made.kind.length).zfill(made.kind.length)


@pytest.fixture
def desk(auth: Callable[..., Auth], inside: Callable[[Auth], Any], clock: FrozenClock) -> Callable[..., Desk]:
    """Open a desk; several on one database are several nodes."""
    return lambda **settings: Desk(inside(auth(**settings)), clock)


# --- attempts ---


def test_an_attempt_is_reserved_before_the_code_is_compared(desk: Callable[..., Desk]) -> None:
    """T2: when the code is compared, the attempt already stands in the row."""
    one = desk()
    made, seen = one.make(), []

    class Watched(Attempt):
        def matches(self, row: Any) -> bool:
            seen.append(row.attempts)
            return super().matches(row)

    plain = one.attempt(made, made.code or "")
    watched = Watched(plain.tenant, plain.kind, plain.id, plain.code, plain.binding, plain.now, plain.keys)

    outcome = one.world.write(challenges.spend, watched)

    assert isinstance(outcome, Spent)
    assert seen == [1]


def test_wrong_codes_are_counted_and_the_cap_holds(desk: Callable[..., Desk]) -> None:
    """S5: after `max_attempts` wrong codes the right one is refused, and nothing more is counted."""
    one = desk()
    made = one.make()

    refused = [one.spend(made, wrong(made)) for _ in range(KIND.max_attempts + 1)]
    late = one.spend(made)

    assert refused == [Refused()] * (KIND.max_attempts + 1)
    assert late == Refused()
    assert one.row(made).attempts == KIND.max_attempts
    assert one.row(made).spent_at is None


def test_the_last_attempt_may_be_the_right_one(desk: Callable[..., Desk]) -> None:
    """S5: `max_attempts` attempts are granted, not one less."""
    one = desk()
    made = one.make()
    for _ in range(KIND.max_attempts - 1):
        one.spend(made, wrong(made))

    outcome = one.spend(made)

    assert isinstance(outcome, Spent)


def test_a_code_is_spent_once(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """T2: the right code opens once; the row remembers when."""
    one = desk()
    made = one.make()

    first, second = one.spend(made), one.spend(made)

    assert isinstance(first, Spent)
    assert first.challenge.subject == "ada"
    assert second == Refused()
    assert one.row(made).spent_at == clock.now()


def test_of_many_contenders_one_spends(desk: Callable[..., Desk]) -> None:
    """T2: threads that present the right code at the same moment spend it once."""
    one = desk()
    made = one.make(kind=ChallengeKind(purpose="tests", max_attempts=100))
    barrier, outcomes = threading.Barrier(8), []

    def contend() -> None:
        barrier.wait()
        outcomes.append(one.spend(made))

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused"] * 7 + ["Spent"]


def test_an_expired_code_is_refused(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """A code opens until its end and not at it."""
    one = desk()
    before, at = one.make(), one.make()
    clock.advance(KIND.ttl.total_seconds() - 0.001)

    in_time = one.spend(before)
    clock.advance(0.001)

    assert isinstance(in_time, Spent)
    assert one.spend(at) == Refused()


def test_a_void_challenge_refuses_its_own_code(desk: Callable[..., Desk]) -> None:
    """A2: the challenge of an address that must not be told has a code that opens nothing, and counts alike."""
    one = desk()
    made = one.make(void=True)

    outcome = one.spend(made)

    assert outcome == Refused()
    assert one.row(made).attempts == 1


def test_a_code_opens_neither_another_purpose_nor_another_tenant(desk: Callable[..., Desk]) -> None:
    """T5: a challenge is found only by its own purpose and tenant; elsewhere it is unknown and not counted."""
    one = desk()
    made = one.make()
    foreign = replace(made, kind=ChallengeKind(purpose="other"))

    outcomes = [one.spend(foreign), one.spend(made, tenant="south")]

    assert outcomes == [Refused(), Refused()]
    assert one.row(made).attempts == 0


# --- browsers ---


def test_only_a_browser_that_holds_the_challenge_may_answer(desk: Callable[..., Desk]) -> None:
    """A13: the right code from another browser, or from none, is refused and counted."""
    one = desk()
    made = one.make("mine")

    others = [one.spend(made, binding=None), one.spend(made, binding="theirs")]
    mine = one.spend(made, binding="mine")

    assert others == [Refused(), Refused()]
    assert isinstance(mine, Spent)
    assert one.row(made).attempts == 3


def test_at_most_five_browsers_hold_a_challenge(desk: Callable[..., Desk]) -> None:
    """A sixth browser's binding displaces the oldest; one that holds it already is not added twice."""
    one = desk()
    held = one.make("b0")
    for number in [*range(1, MAX_BINDINGS + 1), MAX_BINDINGS]:
        held = one.world.write(challenges.bind, held, f"b{number}")

    oldest, newest = one.spend(held, binding="b0"), one.spend(held, binding=f"b{MAX_BINDINGS}")

    assert MAX_BINDINGS == 5
    assert one.row(held).bindings == ["b1", "b2", "b3", "b4", "b5"]
    assert oldest == Refused()
    assert isinstance(newest, Spent)


def test_under_bearer_the_id_alone_carries_the_challenge(desk: Callable[..., Desk]) -> None:
    """A challenge without bindings is answered by whoever knows its id and code."""
    one = desk()
    made = one.make()

    outcome = one.spend(made, binding="any browser")

    assert isinstance(outcome, Spent)


# --- sending again ---


def test_a_resend_kills_the_old_code_and_keeps_the_attempts(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """S14: a fresh code stands under the same id and end; what was tried before counts on."""
    one = desk()
    made = one.make()
    one.spend(made, wrong(made))
    clock.advance(60)

    fresh = one.send_again(made)

    assert fresh is not None
    assert (fresh.id, fresh.expires_at) == (made.id, made.expires_at)
    assert one.row(made).attempts == 1
    assert one.spend(fresh, made.code) == Refused() or made.code == fresh.code
    assert isinstance(one.spend(fresh), Spent)


def test_a_challenge_is_sent_five_times_at_most(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """The first mail and four more; the sixth is not granted and changes nothing."""
    one = desk()
    held = one.make(kind=ChallengeKind(purpose="tests", ttl=timedelta(hours=1)))
    for _ in range(4):
        clock.advance(60)
        again = one.send_again(held)
        assert again is not None
        held = again
    clock.advance(60)

    sixth = one.send_again(held)

    assert sixth is None
    assert one.row(held).sends == 5
    assert isinstance(one.spend(held), Spent)


def test_of_two_resends_one_wins(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """Two callers that saw the same sending put one fresh code, not two."""
    one = desk()
    made = one.make()
    clock.advance(60)

    first, second = one.send_again(made), one.send_again(made)

    assert first is not None
    assert second is None
    assert isinstance(one.spend(first), Spent)


def test_inside_the_interval_nothing_is_sent(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """S76: the interval counts from the latest mail, to the second."""
    made = desk().make()

    clock.advance(59.9)
    early = challenges.may_send(made, clock.now())
    clock.advance(0.1)

    assert not early
    assert challenges.may_send(made, clock.now())


def test_a_spent_or_expired_challenge_is_not_sent_again(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """A resend brings nothing back that is over."""
    one = desk()
    spent, expired = one.make(), one.make()
    one.spend(spent)
    clock.advance(60)
    after_spending = one.send_again(spent)
    clock.advance(KIND.ttl.total_seconds())

    assert after_spending is None
    assert one.send_again(expired) is None


# --- keys and what is stored ---


def test_a_code_survives_a_rotation_of_the_secret(desk: Callable[..., Desk]) -> None:
    """O4: a code made under the older secret opens while that stands in the ring, and a resend moves to the newer."""
    before, after = desk(secret=OLD), desk(secret=[NEW, OLD])
    made, resent = before.make(), before.make()
    after.clock.advance(60)

    opened = after.spend(made)
    fresh = after.send_again(resent)

    assert isinstance(opened, Spent)
    assert fresh is not None
    assert before.row(resent).code_key == after.world.ctx().app.keys.current("code")[0]
    assert isinstance(after.spend(fresh), Spent)


def test_a_code_whose_key_is_gone_is_refused_and_counted(desk: Callable[..., Desk]) -> None:
    """O4: without the key nothing opens, and the answer is the same as for a wrong code."""
    before, after = desk(secret=OLD), desk(secret=NEW)
    made = before.make()

    outcome = after.spend(made)

    assert outcome == Refused()
    assert after.row(made).attempts == 1
    with pytest.raises(InvalidChallenge):
        challenges.payload(after.world.ctx(), made)


def test_neither_code_nor_payload_is_stored_in_the_clear(desk: Callable[..., Desk]) -> None:
    """T1: the code is a keyed digest that depends on the challenge, the payload is sealed."""
    one = desk()
    made, other = one.make(), one.make()

    row = one.row(made)

    assert (made.code or "").encode() not in row.code_digest
    assert b'"n"' not in row.payload
    same_code = code_digest(one.world.ctx(), other.id, made.code or "")[1]
    assert same_code != row.code_digest
    assert challenges.payload(one.world.ctx(), made) == {"n": 1}


def test_a_code_never_shows_in_a_repr(desk: Callable[..., Desk]) -> None:
    """O3: printing a challenge or an attempt tells no code."""
    one = desk()
    made = one.make(kind=ChallengeKind(purpose="tests", length=12))

    printed = repr(made) + repr(one.attempt(made, made.code or "")) + repr(one.spend(made))

    assert made.code not in printed


@pytest.mark.parametrize("length", [6, 9, 12])
def test_a_code_has_its_length_with_leading_zeros(desk: Callable[..., Desk], length: int) -> None:
    """S5: a code is decimal digits of the kind's own length, whatever was drawn."""

    class Zeros:
        def bytes(self, size: int, label: str) -> bytes:
            return b"\0" * size

    ctx = desk(random=Zeros()).world.ctx()

    assert draw_code(ctx, ChallengeKind(purpose="tests", length=length)) == "0" * length


# --- the flow's side ---


def test_attempts_count_per_account_across_challenges(desk: Callable[..., Desk]) -> None:
    """A6: guesses at several challenges of one subject share one bucket of each client, and all are counted."""
    one = desk()
    made = [one.make() for _ in range(21)]

    for challenge in made[:20]:
        one.answer(challenge)

    with pytest.raises(RateLimited):
        one.answer(made[20])


def test_what_one_client_may_not_try_counts_against_nobody_else(desk: Callable[..., Desk]) -> None:
    """A6: refused attempts of a stranger never fill the bucket that the owner shares; very many strangers do."""
    one = desk(key_value="memory")
    made, allowance = one.make(), BUCKETS["code.account"].allowance
    for _ in range(allowance + 1):
        with suppress(RateLimited):
            one.answer(made, peer="81.2.69.66")

    one.answer(made, peer="81.2.69.7")

    for number in range(allowance):
        with suppress(RateLimited):
            one.answer(made, peer=f"81.2.{number // 20}.9")
    with pytest.raises(RateLimited):
        one.answer(made, peer="81.2.69.8")


def test_spaces_and_dashes_in_a_code_do_not_matter(desk: Callable[..., Desk]) -> None:
    """People type codes as mails show them: in groups."""
    one = desk()
    made = one.make()
    typed = f" {(made.code or '')[:3]}-{(made.code or '')[3:]}\n"

    attempt = one.world.run(challenges.attempt(one.world.ctx(), KIND, made.id, typed, None))

    assert isinstance(one.world.write(challenges.spend, attempt), Spent)


@pytest.mark.parametrize("given", ["", "x", "ac1_at_" + "A" * 43, "ac1_ch_" + "A" * 42 + "B", "ac1_ch_" + "A" * 44])
def test_what_is_no_challenge_id_is_refused_before_the_store(desk: Callable[..., Desk], given: str) -> None:
    """T5: an id of another kind, length or spelling is an invalid challenge."""
    one = desk()

    with pytest.raises(InvalidChallenge):
        one.world.run(challenges.attempt(one.world.ctx(), KIND, given, "123456", None))


@pytest.mark.parametrize("code", ["١٢٣٤٥٦", "\ud800", "\0", "12345\u202e6", ""])
def test_a_strange_code_is_wrong_and_nothing_else(desk: Callable[..., Desk], code: str) -> None:
    """Whatever stands in for a code is judged as a wrong one, whoever calls."""
    one = desk()
    made = one.make()

    try:
        attempt = one.world.run(challenges.attempt(one.world.ctx(), KIND, made.id, code, None))
        outcome = one.world.write(challenges.spend, attempt)
    except AuthError as error:
        outcome = error

    assert outcome == Refused()


def test_ending_a_subject_ends_its_challenges_of_a_purpose(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """T9, A9: what ends an account's challenges ends those of its tenant and of one purpose alone."""
    one = desk()
    mine, foreign = [one.make() for _ in range(2)], one.make(tenant="south")
    other = one.make(kind=replace(KIND, purpose="another"))

    ended = one.world.write(challenges.end_all, "default", KIND.purpose, "ada", clock.now())

    assert ended == 2
    assert [one.spend(made) for made in mine] == [Refused()] * 2
    assert isinstance(one.spend(foreign, tenant="south"), Spent)
    assert isinstance(one.spend(other), Spent)


def test_the_view_tells_how_long_to_wait_in_whole_seconds(desk: Callable[..., Desk], clock: FrozenClock) -> None:
    """`resend_after` is rounded up, so that whoever waits so long is not early, and never negative."""
    made = desk().make()
    waits = []
    for seconds in (0, 0.5, 59, 600):
        clock.advance(seconds)
        waits.append(view(made, clock.now()).resend_after)

    assert waits == [60, 60, 1, 0]


def test_a_hint_shows_what_the_caller_knows() -> None:
    """The hint is made from what was sent, so it tells nothing about accounts."""
    assert mask_email("ada@example.com") == "a***@example.com"
