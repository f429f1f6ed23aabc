"""The key-value port: one list of promises, kept by the table in each database and by the one in memory."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.dialects import mysql

from authcore.backends import kv_sql
from authcore.backends.build import Backends
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.drive import Drive, run_blocking
from authcore.errors import Unavailable
from authcore.ports import Count, KeyValue, Ports
from authcore.testing.ports import FrozenClock

CONTENDERS = 8


@pytest.fixture(params=["file", "memory", "postgresql", "process"])
def kv(request: pytest.FixtureRequest, make: Callable[..., Backends], clock: FrozenClock) -> KeyValue:
    """Answer a key-value store over each database, and one inside the process."""
    if request.param == "process":
        return MemoryKeyValue(clock)
    names = {"file": "sqlite_url", "postgresql": "postgres_url"}
    url = request.getfixturevalue(names[request.param]) if request.param in names else "sqlite://"
    backends = make(url, clock=clock)
    backends.create_tables()
    return backends.ports(Drive.BLOCKING).kv


@pytest.fixture
def key() -> str:
    """Answer a key that no other test has."""
    return secrets.token_hex(8)


def contend(act: Callable[[int], Any]) -> list[Any]:
    """Call `act` from many threads at the same moment and answer what each got."""
    answers: list[Any] = [None] * CONTENDERS
    start = threading.Barrier(CONTENDERS)

    def one(number: int) -> None:
        start.wait()
        answers[number] = act(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CONTENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_value_is_there_until_its_time_is_over(kv: KeyValue, key: str, clock: FrozenClock) -> None:
    """A value reads back byte for byte, and as absent from the second its time to live ends."""
    value = bytes(range(256))
    run_blocking(kv.put(key, value, ttl=60))

    clock.advance(59)
    before = run_blocking(kv.get(key))
    clock.advance(1)
    after = run_blocking(kv.get(key))

    assert before == value
    assert after is None


def test_a_value_can_be_set_again(kv: KeyValue, key: str, clock: FrozenClock) -> None:
    """Setting a value replaces the value and its time."""
    run_blocking(kv.put(key, b"first", ttl=10))

    run_blocking(kv.put(key, b"second", ttl=100))
    clock.advance(50)

    assert run_blocking(kv.get(key)) == b"second"


def test_take_answers_once(kv: KeyValue, key: str) -> None:
    """What was taken is gone."""
    run_blocking(kv.put(key, b"once", ttl=60))

    taken = [run_blocking(kv.take(key)) for _ in range(2)]

    assert taken == [b"once", None]


def test_take_leaves_what_is_over(kv: KeyValue, key: str, clock: FrozenClock) -> None:
    """A value whose time is over cannot be taken."""
    run_blocking(kv.put(key, b"late", ttl=60))

    clock.advance(60)

    assert run_blocking(kv.take(key)) is None


def test_compare_and_swap_sets_only_over_what_is_expected(kv: KeyValue, key: str) -> None:
    """Absent is expected as None; anything else has to be equal."""
    swaps = [(None, b"1"), (None, b"2"), (b"2", b"3"), (b"1", b"4")]

    done = [run_blocking(kv.compare_and_swap(key, expected, value, ttl=60)) for expected, value in swaps]

    assert done == [True, False, False, True]
    assert run_blocking(kv.get(key)) == b"4"


def test_compare_and_swap_takes_what_is_over_as_absent(kv: KeyValue, key: str, clock: FrozenClock) -> None:
    """A value whose time is over equals nothing and stands in nobody's way."""
    run_blocking(kv.put(key, b"old", ttl=60))
    clock.advance(60)

    as_old = run_blocking(kv.compare_and_swap(key, b"old", b"a", ttl=60))
    as_absent = run_blocking(kv.compare_and_swap(key, None, b"b", ttl=60))

    assert (as_old, as_absent) == (False, True)
    assert run_blocking(kv.get(key)) == b"b"


def test_counters_add_up_and_live_from_their_making(kv: KeyValue, key: str, clock: FrozenClock) -> None:
    """A counter keeps the time to live it was made with, and starts again from 0 after it."""
    one = [Count(key, 2, ttl=60)]

    first = run_blocking(kv.increment(one))
    clock.advance(59)
    second = run_blocking(kv.increment(one))
    clock.advance(1)
    third = run_blocking(kv.increment(one))

    assert (first, second, third) == ([2], [4], [2])


def test_adding_nothing_only_reads(kv: KeyValue, key: str) -> None:
    """A count by 0 answers the sum and makes no counter, alone or beside others."""
    other = key + "-other"

    alone = run_blocking(kv.increment([Count(key, 0, ttl=60)]))
    beside = run_blocking(kv.increment([Count(other, 3, ttl=60), Count(key, 0, ttl=60)]))
    absent = run_blocking(kv.compare_and_swap(key, None, b"v", ttl=60))

    assert (alone, beside, absent) == ([0], [3, 0], True)


def test_several_counters_answer_in_the_order_asked(kv: KeyValue, key: str) -> None:
    """Sums come in the order of the counts, whatever the order of the keys."""
    counts = [Count(key + suffix, by, ttl=60) for suffix, by in (("c", 1), ("a", 2), ("b", -3))]

    assert run_blocking(kv.increment(counts)) == [1, 2, -3]


def test_counts_of_one_key_in_one_call_add_up(kv: KeyValue, key: str) -> None:
    """Two counts of one key both answer their common sum."""
    counts = [Count(key, 1, ttl=60), Count(key, 4, ttl=60)]

    assert run_blocking(kv.increment(counts)) == [5, 5]


def test_a_key_that_is_added_to_and_read_in_one_call_answers_its_sum(kv: KeyValue, key: str) -> None:
    """What is read is what the call has made of it."""
    run_blocking(kv.increment([Count(key, 2, ttl=60)]))

    assert run_blocking(kv.increment([Count(key, 0, ttl=60), Count(key, 1, ttl=60), Count(key + "-", 1, 60)])) == [
        3,
        3,
        1,
    ]


def test_deleting_removes_what_is_there(kv: KeyValue, key: str) -> None:
    """Deleted keys are absent, and deleting what is absent is no error."""
    run_blocking(kv.put(key, b"v", ttl=60))

    run_blocking(kv.delete([key, key + "-absent"]))
    run_blocking(kv.delete([]))

    assert run_blocking(kv.get(key)) is None


def test_keys_compare_as_bytes(kv: KeyValue, key: str) -> None:
    """A5: keys that differ in case, accents or trailing blanks are different keys."""
    for value, spelling in enumerate(("k", "K", "\u212a", "é", "e\u0301", "k ")):
        run_blocking(kv.put(key + spelling, bytes([value]), ttl=60))

    read = [run_blocking(kv.get(key + spelling)) for spelling in ("k", "K", "\u212a", "é", "e\u0301", "k ")]

    assert read == [bytes([value]) for value in range(6)]


def test_one_of_many_takes(kv: KeyValue, key: str) -> None:
    """T2: of many who take one value at the same moment exactly one gets it."""
    for turn in range(10):
        name = f"{key}-{turn}"
        run_blocking(kv.put(name, b"prize", ttl=60))

        answers = contend(lambda _, name=name: run_blocking(kv.take(name)))

        assert sorted(answers, key=str) == [None] * (CONTENDERS - 1) + [b"prize"]


@pytest.mark.parametrize("present", [None, b"old"])
def test_one_of_many_swaps(kv: KeyValue, key: str, clock: FrozenClock, present: bytes | None) -> None:
    """T2: of many who set what they found as it was exactly one does, and its value stands."""
    for turn in range(10):
        name = f"{key}-{turn}"
        run_blocking(kv.put(name, present or b"over", ttl=60 if present else 0))

        won = contend(
            lambda number, name=name: run_blocking(kv.compare_and_swap(name, present, bytes([number]), ttl=60))
        )

        assert won.count(True) == 1
        assert run_blocking(kv.get(name)) == bytes([won.index(True)])


def test_no_count_is_lost(kv: KeyValue, key: str) -> None:
    """Counters touched crosswise by many at once end at the sum of what was added, without a deadlock."""
    keys = [f"{key}-{number}" for number in range(4)]

    def add(number: int) -> None:
        order = keys if number % 2 else keys[::-1]
        for _ in range(10):
            run_blocking(kv.increment([Count(name, 1, ttl=60) for name in order]))

    contend(add)

    assert run_blocking(kv.increment([Count(name, 0, ttl=60) for name in keys])) == [CONTENDERS * 10] * 4


def test_each_counter_sum_is_seen_once(kv: KeyValue, key: str) -> None:
    """Of many who add 1 each gets a sum of its own, so that exactly one is the last that a limit allows."""
    sums = contend(lambda _: run_blocking(kv.increment([Count(key, 1, ttl=60)])))

    assert sorted(total for [total] in sums) == list(range(1, CONTENDERS + 1))


def test_rows_whose_time_is_over_are_swept(ports: Ports, key: str, clock: FrozenClock) -> None:
    """Sweeping removes rows whose time is over and no others."""
    store = kv_sql.SqlKeyValue(ports.db, clock)
    clock.advance(10_000_000)
    while run_blocking(store.sweep()):
        pass
    run_blocking(store.put(key + "-short", b"v", ttl=1))
    run_blocking(store.put(key + "-long", b"v", ttl=1000))

    clock.advance(10)
    swept = run_blocking(store.sweep())

    assert swept == 1
    assert run_blocking(store.get(key + "-long")) == b"v"


def test_writing_sweeps_now_and_then(
    ports: Ports, key: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table does not grow for ever: every so many writes remove what is over."""
    monkeypatch.setattr(kv_sql, "SWEEP_EVERY", 3)
    store = kv_sql.SqlKeyValue(ports.db, clock)
    run_blocking(store.put(key, b"v", ttl=1))
    clock.advance(10)

    for number in range(2):
        run_blocking(store.put(f"{key}-{number}", b"v", ttl=60))

    assert run_blocking(ports.db.read(_holds, key)) is False


def test_mysql_assigns_the_number_before_the_time() -> None:
    """MySQL reads what it has assigned: the sum has to be taken while the old time is still there."""
    text = str(kv_sql._mysql().increment.statement.compile(dialect=mysql.dialect()))

    update = text.partition("ON DUPLICATE KEY UPDATE")[2]

    assert 0 < update.index("number = CASE") < update.index("expires_at = CASE")


def test_full_memory_refuses_and_recovers(clock: FrozenClock) -> None:
    """O2: a full store refuses rather than forget a counter, and has room again once times are over."""
    store = MemoryKeyValue(clock, max_keys=2)
    run_blocking(store.increment([Count("a", 1, ttl=60), Count("b", 1, ttl=600)]))

    with pytest.raises(Unavailable):
        run_blocking(store.put("c", b"v", ttl=60))
    kept = run_blocking(store.increment([Count("a", 1, ttl=60)]))
    clock.advance(60)
    run_blocking(store.put("c", b"v", ttl=60))

    assert kept == [2]
    assert run_blocking(store.get("c")) == b"v"


def _holds(tx: Any, key: str) -> bool:
    return tx.execute(kv_sql.table.select().where(kv_sql.table.c.key == key)).first() is not None
