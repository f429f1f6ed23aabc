"""Rule A6: several buckets at once, each a sliding window; what one address does locks nobody else out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authcore import Auth, Password, Request
from authcore.backends.kv_sql import table
from authcore.errors import RateLimited, Unavailable
from authcore.services import limits
from authcore.services.address import SHARED_FACTOR
from authcore.services.limits import BUCKETS, Bucket, Hit
from authcore.services.outbox import effects
from authcore.services.sessions import sessions
from authcore.testing.ports import FrozenClock

PAIR = "sign_in.account_address"  # 10 in 60 s
ADDRESS = "resend.address"  # 30 in 600 s
WRONG = "four loud herons wade"


class Gate:
    """Counts hits of one Auth."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def hit(self, bucket: str, account: str = "ada", *, peer: str | None = "81.2.69.7", tenant: str = "default") -> int:
        """Count one hit; answer 0 if it was inside the allowance, else the seconds to wait."""
        return self.hits(Hit(bucket, account), peer=peer, tenant=tenant)

    def hits(self, *hits: Hit, peer: str | None = "81.2.69.7", tenant: str = "default") -> int:
        """Count several hits at once."""
        ctx = self.world.ctx(Request("POST", "/x", peer=peer), tenant=tenant)
        try:
            self.world.run(limits.count(ctx, *hits))
        except RateLimited as error:
            return int(dict(error.headers)["Retry-After"])
        return 0

    def clear(self, bucket: str, account: str = "ada", *, peer: str = "81.2.69.7") -> None:
        """Forget a bucket."""
        self.world.run(limits.clear(self.world.ctx(Request("POST", "/x", peer=peer)), Hit(bucket, account)))


@pytest.fixture
def gate(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> Callable[..., Gate]:
    """Open a gate; several on one database are several nodes."""
    return lambda **settings: Gate(inside(auth(**settings)))


# --- the window ---


def test_the_allowance_is_granted_and_no_more(gate: Callable[..., Gate]) -> None:
    """Ten hits in a minute pass, the eleventh does not."""
    one = gate()

    waits = [one.hit(PAIR) for _ in range(11)]

    assert waits[:10] == [0] * 10
    assert waits[10] > 0


def test_nodes_count_together(gate: Callable[..., Gate]) -> None:
    """Two processes on one database share one allowance."""
    one, other = gate(), gate()

    waits = [node.hit(PAIR) for _ in range(6) for node in (one, other)]

    assert waits[:10] == [0] * 10
    assert all(waits[10:])


def test_the_window_slides(gate: Callable[..., Gate], clock: FrozenClock) -> None:
    """Half a window later half of the earlier hits still count; two windows later none do."""
    one = gate()
    for _ in range(10):
        one.hit(PAIR)

    clock.advance(90)
    half = [one.hit(PAIR) for _ in range(6)]
    clock.advance(120)
    full = [one.hit(PAIR) for _ in range(11)]

    assert [wait > 0 for wait in half] == [False] * 5 + [True]
    assert [wait > 0 for wait in full] == [False] * 10 + [True]


def test_the_end_of_a_window_does_not_double_the_allowance(gate: Callable[..., Gate], clock: FrozenClock) -> None:
    """Ten hits at a window's last second leave nothing for the first second of the next."""
    one = gate()
    clock.advance(59)
    for _ in range(10):
        one.hit(PAIR)

    clock.advance(1)

    assert one.hit(PAIR) > 0


@given(st.lists(st.tuples(st.floats(0, 130), st.integers(1, 14)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_waits_as_told_is_let_in(
    auth: Callable[..., Auth],
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
    visits: list[tuple[float, int]],
) -> None:
    """R9, RFC 9110 10.2.3: after `Retry-After` seconds without a hit, the next one passes, whatever came before."""
    one = Gate(inside(auth(key_value="memory")))
    wait = 0
    for pause, number in visits:
        clock.advance(pause)
        wait = max(one.hit(PAIR) for _ in range(number))

    clock.advance(wait)

    assert wait <= 2 * BUCKETS[PAIR].window
    assert wait == 0 or one.hit(PAIR) == 0


# --- several buckets ---


def test_all_buckets_are_counted_also_when_one_is_over(gate: Callable[..., Gate]) -> None:
    """A6: a refusal by one bucket counts in the others, so that refused tries are not free elsewhere."""
    one = gate()
    for _ in range(10):
        one.hit(PAIR)

    for _ in range(30):
        one.hits(Hit(PAIR, "ada"), Hit(ADDRESS))

    assert one.hit(ADDRESS) > 0


def test_the_longest_wait_is_told(gate: Callable[..., Gate]) -> None:
    """A6: of several buckets that are over, the answer is the wait after which all of them are open."""
    one = gate()
    for _ in range(11):
        one.hit(PAIR)
    for _ in range(31):
        one.hit(ADDRESS)

    alone = [one.hit(PAIR), one.hit(ADDRESS)]
    together = one.hits(Hit(PAIR, "ada"), Hit(ADDRESS))

    assert together >= max(alone)


def test_buckets_keep_accounts_addresses_and_tenants_apart(gate: Callable[..., Gate]) -> None:
    """A6: a full bucket of one account and address is nobody else's."""
    one = gate()
    for _ in range(11):
        one.hit(PAIR)

    others = [
        one.hit(PAIR, "bob"),
        one.hit(PAIR, peer="81.2.69.8"),
        one.hit(PAIR, tenant="south"),
        one.hit("reauthenticate.account"),
    ]

    assert one.hit(PAIR) > 0
    assert others == [0, 0, 0, 0]


def test_an_account_is_counted_from_every_address(gate: Callable[..., Gate]) -> None:
    """A6: many addresses that try one account share its window."""
    one = gate()
    allowance = BUCKETS["code.account"].allowance

    waits = [one.hit("code.account", peer=f"81.2.69.{n}") for n in range(allowance + 1)]

    assert waits[:allowance] == [0] * allowance
    assert waits[allowance] > 0


def test_one_household_is_one_address(gate: Callable[..., Gate]) -> None:
    """R3: addresses of one /64, and an IPv4 address in either spelling, share a bucket."""
    one = gate()
    for n in range(10):
        one.hit(PAIR, peer=f"2a00:1450:1:2::{n:x}")
        one.hit(PAIR, peer="81.2.69.7" if n % 2 else "::ffff:81.2.69.7")

    assert one.hit(PAIR, peer="2a00:1450:1:2:ffff::1") > 0
    assert one.hit(PAIR, peer="81.2.69.7") > 0
    assert one.hit(PAIR, peer="2a00:1450:1:3::1") == 0


def test_clients_without_an_address_share_fifty_times_the_allowance(gate: Callable[..., Gate]) -> None:
    """R3: unknown addresses are limited together, by a bucket that is fifty times as large."""
    one = gate(key_value="memory")
    allowance = BUCKETS[PAIR].allowance * SHARED_FACTOR

    waits = [one.hit(PAIR, peer=None) for _ in range(allowance + 1)]

    assert SHARED_FACTOR == 50
    assert set(waits[:allowance]) == {0}
    assert waits[allowance] > 0


def test_a_shared_address_does_not_widen_an_accounts_bucket(gate: Callable[..., Gate]) -> None:
    """A6: what counts per account counts alike from an unknown address."""
    one = gate()
    allowance = BUCKETS["code.account"].allowance

    waits = [one.hit("code.account", peer=None) for _ in range(allowance + 1)]

    assert waits[allowance] > 0


def test_clearing_forgets_one_bucket_alone(gate: Callable[..., Gate], clock: FrozenClock) -> None:
    """A6: a success clears the bucket of this account from this address, in both windows, and no other."""
    one = gate()
    clock.advance(59)
    for _ in range(11):
        one.hits(Hit(PAIR, "ada"), Hit(ADDRESS))
        one.hit(PAIR, peer="81.2.69.8")
    clock.advance(1)

    one.clear(PAIR)

    assert one.hit(PAIR) == 0
    assert one.hit(PAIR, peer="81.2.69.8") > 0
    for _ in range(19):
        one.hit(ADDRESS)
    assert one.hit(ADDRESS) > 0


def test_switched_off_nothing_is_counted(gate: Callable[..., Gate]) -> None:
    """`limits=False`, for tests of one's own, neither refuses nor writes."""
    one = gate(limits=False)

    waits = [one.hit(PAIR) for _ in range(50)]

    assert set(waits) == {0}
    assert one.world.rows(table) == []


def test_the_store_names_nobody(gate: Callable[..., Gate]) -> None:
    """O3: keys of counters hold neither accounts nor addresses."""
    one = gate()
    one.hit(PAIR, "ada@example.com")

    keys = " ".join(row.key for row in one.world.rows(table))

    assert keys.count("limit:") == 1
    assert not any(part in keys for part in ("ada", "example", "81.2.69", "sign_in"))


@pytest.mark.parametrize("name", sorted(BUCKETS))
def test_every_bucket_is_finite(name: str) -> None:
    """A6: each bucket grants something, and within a day at most."""
    bucket: Bucket = BUCKETS[name]

    assert 0 < bucket.allowance <= 1000
    assert 0 < bucket.window <= 86400
    assert name.endswith(f".{bucket.by}")


def test_codes_of_six_digits_are_not_guessed_within_the_allowance() -> None:
    """A6: from all addresses together, an hour of guesses, even two windows in one, hits with at most 1 in 1,000."""
    bucket = BUCKETS["code.account"]

    assert bucket.window == 3600
    assert 2 * bucket.allowance / 10**6 <= 1e-3
    assert BUCKETS["code.account_address"].allowance * 10 <= bucket.allowance  # one client alone is far from filling it


# --- through the front door ---


def test_a_refused_sign_in_says_when_to_come_back(
    auth: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """S16, A6: 429 with `Retry-After`, for the right password as well; after the wait it is let in."""
    visitor = client(auth())
    visitor.sign_up()
    wrong = [visitor.sign_in(password=WRONG).status for _ in range(10)]

    refused = visitor.sign_in()
    clock.advance(int(refused.headers["retry-after"]))

    assert wrong == [401] * 10
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert visitor.sign_in().status == 200


def test_unknown_accounts_are_counted_alike(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A2, A6: an address without an account is limited at the same try, by the same bytes."""
    visitor = client(auth())
    visitor.sign_up()

    known = [visitor.sign_in(password=WRONG) for _ in range(12)]
    unknown = [visitor.sign_in("nobody@example.com", WRONG) for _ in range(12)]

    assert [(reply.status, reply.result.body) for reply in known] == [
        (reply.status, reply.result.body) for reply in unknown
    ]
    assert known[-1].status == 429


def test_a_success_gives_the_address_its_tries_back(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A6: whoever mistypes and then remembers starts from nothing."""
    visitor = client(auth())
    visitor.sign_up()
    for _ in range(9):
        visitor.sign_in(password=WRONG)

    visitor.sign_in()
    again = [visitor.sign_in(password=WRONG).status for _ in range(10)]

    assert again == [401] * 10


def test_a_stranger_elsewhere_locks_nobody_out_of_their_own_address(
    auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A6: wrong tries from another address leave the owner's own bucket untouched."""
    made = auth()
    owner, stranger = client(made), client(made, peer="81.2.69.66")
    owner.sign_up()

    refused = [stranger.sign_in(password=WRONG).status for _ in range(15)]

    assert refused[-1] == 429
    assert owner.sign_in().status == 200


def test_mails_to_one_mailbox_are_limited_for_strangers_too(
    auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A6: sign-ups for one address from many addresses cause at most ten mails an hour."""
    made = auth(Password())

    statuses = [
        client(made, peer=f"81.2.69.{n}").post("/sign-up", {"email": "ada@example.com", "password": WRONG}).status
        for n in range(12)
    ]
    made.outbox.drain()

    assert statuses == [202] * 10 + [429] * 2
    assert len(made.mailer.mails) == 10


class Away:
    """A store of counters that nobody reaches."""

    async def _refuse(self, *args: Any) -> Any:
        raise Unavailable()

    get = put = take = compare_and_swap = increment = delete = _refuse


def test_without_its_counters_nobody_gets_in(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """O2: a limiter that is away refuses with 503 and `Retry-After`: the right password makes no session."""
    client(auth()).sign_up()
    made = auth(key_value=Away())
    visitor = client(made)
    before = len(inside(made).rows(sessions))

    replies = [
        visitor.sign_in(),
        visitor.post("/sign-up", {"email": "grace@example.com", "password": WRONG}),
        visitor.post("/refresh", {"refresh_token": "ac1_rt_" + "A" * 43}),
    ]

    assert [(reply.status, reply.code, reply.headers["retry-after"]) for reply in replies] == [
        (503, "unavailable", "2")
    ] * 3
    assert len(inside(made).rows(sessions)) == before
    assert len(inside(made).rows(effects)) == 1
