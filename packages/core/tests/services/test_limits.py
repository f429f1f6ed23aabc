"""Rule A6: several buckets at once, each a sliding window; what one address does locks nobody else out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import authcore
from authcore import Auth, ConfigurationError, Password, Request
from authcore.backends.kv_sql import table
from authcore.errors import Overloaded, RateLimited, Unavailable
from authcore.ports import Tally, Window
from authcore.services import limits, notes
from authcore.services.address import SHARED_FACTOR
from authcore.services.buckets import SHARES, By
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

    def ctx(self, peer: str | None = "81.2.69.7") -> Any:
        """Answer the context of a request from a peer."""
        return self.world.ctx(Request("POST", "/x", peer=peer))

    def allowed(self, bucket: str, account: str = "ada") -> bool:
        """Ask whether one more mail may go out."""
        return bool(self.world.run(limits.allowed(self.ctx(), Hit(bucket, account))))

    def key(self, bucket: str, account: str = "ada", *, peer: str = "81.2.69.7") -> str:
        """Answer the key that a hit counts under."""
        return limits.key(self.ctx(peer), Hit(bucket, account))

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
    for _ in range(30):
        one.hit(ADDRESS)

    clock.advance(900)
    half = [one.hit(ADDRESS) for _ in range(16)]
    clock.advance(1200)
    full = [one.hit(ADDRESS) for _ in range(31)]

    assert [wait > 0 for wait in half] == [False] * 15 + [True]
    assert [wait > 0 for wait in full] == [False] * 30 + [True]


def test_ten_tries_are_whole_again_after_a_minute(gate: Callable[..., Gate], clock: FrozenClock) -> None:
    """S114: ten tries at an account from one address in any sixty seconds: not in fifty, again after sixty."""
    one = gate()
    tries = [one.hit(PAIR) > 0 for _ in range(10)]

    clock.advance(54)
    early = one.hit(PAIR)
    clock.advance(6)
    late = [one.hit(PAIR) > 0 for _ in range(10)]

    assert tries == [False] * 10
    assert early > 0
    assert late == [False] * 9 + [True]  # the early one counts


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
    """A6: each bucket grants something, and within a day at most; its name ends with what it counts by."""
    bucket: Bucket = BUCKETS[name]

    assert bucket.name == name
    assert 0 < bucket.allowance <= 1000
    assert 0 < bucket.window <= 86400
    assert name.endswith(f".{bucket.by}")
    assert bucket.counts
    assert bucket.why


def test_each_bucket_counts_by_what_it_says(gate: Callable[..., Gate]) -> None:
    """A6: a bucket tells apart accounts, client addresses or both, as `by` says; one of everyone tells nobody apart."""
    one = gate()
    apart = {}
    for by in get_args(By):
        name = next(bucket.name for bucket in BUCKETS.values() if bucket.by == by)
        keys = [one.key(name, "ada"), one.key(name, "bob"), one.key(name, "ada", peer="81.2.69.8")]
        apart[by] = (keys[0] != keys[1], keys[0] != keys[2])

    assert apart == {
        "account_address": (True, True),
        "account": (True, False),
        "number": (True, False),
        "country": (True, False),
        "address": (False, True),
        "share": (False, True),
        "everyone": (False, False),
    }


def test_clients_fall_into_sixteen_shares(gate: Callable[..., Gate]) -> None:
    """A6: a bucket of all clients is kept in sixteen rows, and one client always counts in the same one."""
    one = gate()

    keys = [one.key("hash.share", peer=f"81.2.{n // 256}.{n % 256}") for n in range(1024)]

    assert len(set(keys)) == SHARES == 16
    assert keys == [one.key("hash.share", peer=f"81.2.{n // 256}.{n % 256}") for n in range(1024)]


# --- what is past an allowance ---


def test_a_mail_past_its_allowance_is_withheld_and_not_refused(gate: Callable[..., Gate]) -> None:
    """S74: of a bucket of mails `allowed` tells, and raises nothing."""
    one = gate()

    told = [one.allowed("reset.account", "ada@example.com") for _ in range(5)]

    assert told == [True, True, True, False, False]


def test_asking_on_keeps_no_mail_from_going_out(gate: Callable[..., Gate], clock: FrozenClock) -> None:
    """S74: a stranger who asks every minute for a day leaves the mailbox about three mails in each hour, not none."""
    one = gate(key_value="memory")

    sent = []
    for _ in range(24 * 60):
        clock.advance(60)
        sent.append(one.allowed("reset.account", "ada@example.com"))

    assert 60 <= sum(sent) <= 75
    assert all(any(sent[start : start + 90]) for start in range(0, len(sent), 90))


def test_an_overload_is_no_fault_of_the_client(gate: Callable[..., Gate]) -> None:
    """A6, A7: past the budget of hash work the answer is 503 with `Retry-After`, not 429."""
    one = gate(limits={"hash.share": 1})
    one.hit("hash.share")

    with pytest.raises(Overloaded) as refused:
        one.world.run(limits.count(one.ctx(), Hit("hash.share")))

    assert 1 <= int(dict(refused.value.headers)["Retry-After"]) <= 120


def test_a_client_s_own_fault_is_told_before_an_overload(gate: Callable[..., Gate]) -> None:
    """A6: over the budget and over a bucket of its own, a client is told 429 and the longer wait."""
    one = gate(limits={"hash.share": 1, ADDRESS: 1})
    one.hits(Hit("hash.share"), Hit(ADDRESS))

    assert one.hits(Hit("hash.share"), Hit(ADDRESS)) >= BUCKETS["hash.share"].window


# --- the setting ---


def test_allowances_are_the_application_s(gate: Callable[..., Gate]) -> None:
    """A named bucket grants what the application says, the others what they do by default."""
    one = gate(limits={PAIR: 2})

    assert [one.hit(PAIR) > 0 for _ in range(3)] == [False, False, True]
    assert [one.hit(ADDRESS) for _ in range(30)] == [0] * 30


@pytest.mark.parametrize(
    ("given_limits", "said"),
    [
        ("yes", "such as {'sign_in.address': 500}"),
        (None, "such as {'sign_in.address': 500}"),
        (["sign_in.address"], "such as {'sign_in.address': 500}"),
        ({"sign_in.adress": 5}, "'sign_in.adress', which is no bucket: `authcore limits show`"),
        ({PAIR: 0}, "Auth(limits={'sign_in.account_address': 0}) is a whole number of hits, at least 1."),
        ({PAIR: -3}, "at least 1."),
        ({PAIR: True}, "is a whole number of hits"),
        ({PAIR: 2.5}, "is a whole number of hits"),
        ({PAIR: "9"}, "is a whole number of hits"),
    ],
)
def test_a_wrong_setting_is_a_sentence(auth: Callable[..., Auth], given_limits: Any, said: str) -> None:
    """O1: what is no limit is refused at the start, saying what to write."""
    with pytest.raises(ConfigurationError) as refused:
        auth(limits=given_limits)

    assert said in str(refused.value)


class Strict:
    """A limiter of the application's own: one hit, ever."""

    def __init__(self) -> None:
        self.seen: list[Window] = []

    async def hit(self, windows: Sequence[Window]) -> Sequence[Tally]:
        """Let the first call pass."""
        self.seen += windows
        return [Tally(0, 0) if len(self.seen) == len(windows) else Tally(1, 77) for _ in windows]

    async def clear(self, windows: Sequence[Window]) -> None:
        """Forget nothing."""


def test_an_application_may_count_by_itself(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """S114: `Auth(limiter=…)` counts in place of authcore's own, and is asked with keys that name nobody."""
    mine = Strict()
    visitor = client(auth(Password(require_code=False), limiter=mine))

    first, second = visitor.sign_up(), visitor.sign_up("bob@example.com")

    assert (first.status, second.status, second.headers["retry-after"]) == (201, 429, "77")
    assert mine.seen
    assert all(len(window.key) <= 64 and "ada" not in window.key for window in mine.seen)


def test_a_limiter_is_checked_at_the_start(auth: Callable[..., Auth]) -> None:
    """O1: an object without the methods of a limiter is refused, naming them."""
    with pytest.raises(ConfigurationError, match=r"Auth\(limiter=…\) is an object with hit\(…\), clear\(…\)"):
        auth(limiter=object())


def test_an_undeclared_proxy_is_noted(gate: Callable[..., Gate]) -> None:
    """R3: a proxy that nobody declared is noted at the first count, for `authcore doctor`."""
    one = gate()
    forwarded = Request("POST", "/x", headers={"x-forwarded-for": "81.2.69.7"}, peer="10.1.2.3")

    one.world.run(limits.count(one.world.ctx(forwarded), Hit(ADDRESS)))

    assert one.world.run(notes.read(one.world.runtime.ports.kv, notes.UNDECLARED_PROXY)) == "10.1.2.3"


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


def test_every_bucket_of_the_table_is_counted() -> None:
    """A6: the page of limits tells of no limit that no code counts, and `Auth(limits=…)` takes none."""
    source = Path(authcore.__file__).parent
    table_itself = source / "services" / "buckets.py"
    code = "".join(file.read_text(encoding="utf-8") for file in source.rglob("*.py") if file != table_itself)

    assert [name for name in BUCKETS if f'"{name}"' not in code] == []
