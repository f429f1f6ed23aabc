"""The limiter: one list of promises, kept over the table in each database, over the store in memory, and by a guest."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authcore.backends.build import Backends, Plan
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.backends.limiter import KeyValueLimiter
from authcore.drive import Drive, run_blocking
from authcore.errors import Unavailable
from authcore.ports import Limiter, Tally, Window
from authcore.testing.ports import FrozenClock

THREADS, EACH = 8, 6
ALLOWANCE = 20


def window(**changed: Any) -> Window:
    """Answer a window that no other test has."""
    return Window(**{"key": secrets.token_hex(8), "allowance": ALLOWANCE, "seconds": 60, **changed})


def inside(limiter: Limiter, each: Window) -> bool:
    """Count one hit, and tell whether it was inside the allowance."""
    [tally] = run_blocking(limiter.hit([each]))
    assert (tally.past > 0) == (tally.wait > 0)
    return tally.wait == 0


@pytest.fixture(params=["file", "memory", "postgresql", "process"])
def limiter(request: pytest.FixtureRequest, make: Callable[..., Backends], clock: FrozenClock) -> Limiter:
    """Answer the limiter over each database, and over the store inside the process."""
    names = {"file": "sqlite_url", "postgresql": "postgres_url"}
    url = request.getfixturevalue(names[request.param]) if request.param in names else "sqlite://"
    backends = make(url, clock=clock, key_value="memory" if request.param == "process" else "sql")
    backends.create_tables()
    return backends.ports(Drive.BLOCKING).limiter


def test_the_allowance_is_granted_and_no_more(limiter: Limiter) -> None:
    """A6: as many hits as allowed are inside; each one after is told how far past it is, and how long to wait."""
    each = window(allowance=2)

    tallies = [run_blocking(limiter.hit([each]))[0] for _ in range(4)]

    assert [tally.past for tally in tallies] == [0, 0, 1, 2]
    assert [tally.wait > 0 for tally in tallies] == [False, False, True, True]


def test_several_windows_are_counted_at_once(limiter: Limiter) -> None:
    """A6: every window of a call is counted, also when one is over, and the answers stand in their order."""
    full, wide = window(allowance=1), window(allowance=3)
    run_blocking(limiter.hit([full]))

    answers = [[tally.past for tally in run_blocking(limiter.hit([wide, full]))] for _ in range(4)]

    assert answers == [[0, 1], [0, 2], [0, 3], [1, 4]]


def test_a_refused_hit_that_does_not_count_is_forgotten(limiter: Limiter, clock: FrozenClock) -> None:
    """S74: whoever goes on asking past an allowance of mails does not keep the next one from going out for ever."""
    counted, forgotten = window(allowance=3), window(allowance=3, counts_refused=False)

    answers: dict[str, list[bool]] = {each.key: [] for each in (counted, forgotten)}
    for _ in range(30):
        clock.advance(10)
        for each in (counted, forgotten):
            answers[each.key].append(inside(limiter, each))

    assert sum(answers[counted.key]) == 3
    assert 12 <= sum(answers[forgotten.key]) <= 18  # five windows of three


def test_a_window_of_steps_is_over_when_it_says(limiter: Limiter, clock: FrozenClock) -> None:
    """S74, S114: an allowance that is spent at once is whole again after the window, and not long before."""
    each = window(allowance=3, seconds=3600, steps=12, counts_refused=False)

    answers = [[inside(limiter, each) for _ in range(4)]]
    for pause in (3299, 301):
        clock.advance(pause)
        answers.append([inside(limiter, each) for _ in range(4)])

    assert answers == [[True] * 3 + [False], [False] * 4, [True] * 3 + [False]]


@pytest.mark.parametrize("steps", [1, 12])
def test_what_is_cleared_begins_anew(limiter: Limiter, clock: FrozenClock, steps: int) -> None:
    """A6: clearing forgets every counter of a window, and those of no other."""
    cleared, kept = window(allowance=1, steps=steps), window(allowance=1, steps=steps)
    clock.advance(59)
    run_blocking(limiter.hit([cleared, kept]))
    clock.advance(1)

    run_blocking(limiter.clear([cleared]))

    assert [inside(limiter, cleared), inside(limiter, kept)] == [True, False]


def contend(limiter: Limiter, each: Window) -> int:
    """Hit a window from many threads at the same moment, and answer how many hits were inside."""
    start, passed = threading.Barrier(THREADS), [0] * THREADS

    def one(number: int) -> None:
        start.wait()
        passed[number] = sum(inside(limiter, each) for _ in range(EACH))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(passed)


def test_threads_share_one_allowance(limiter: Limiter) -> None:
    """A6: of eight threads with six hits each, exactly the allowance is inside, on every store."""
    each = window()

    assert contend(limiter, each) == ALLOWANCE
    assert not inside(limiter, each)


def test_processes_share_one_allowance(
    shared_url: str, make: Callable[..., Backends], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: two processes with eight threads each let exactly the allowance pass together."""
    monkeypatch.syspath_prepend(Path(__file__).parents[4])  # they import this module by its whole name
    make(shared_url).create_tables()
    context, each = multiprocessing.get_context("spawn"), window()
    # A process that dies breaks this pool, where multiprocessing's own would wait for it for ever.
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        passed = list(pool.map(_in_process, [(shared_url, each.key)] * 2))

    assert sum(passed) == ALLOWANCE


def _in_process(told: tuple[str, str]) -> int:
    # The clock stands still, so that both processes count in one window.
    backends = Backends(Plan(told[0], clock=FrozenClock()))
    try:
        return contend(backends.ports(Drive.BLOCKING).limiter, window(key=told[1]))
    finally:
        backends.dispose()


# --- against a model ---


class Model:
    """A sliding window that remembers when every hit was."""

    def __init__(self, each: Window) -> None:
        self.each = each
        self.hits: list[float] = []
        self.passed: list[float] = []

    def hit(self, now: float) -> bool:
        """Count one hit, and tell whether it is inside."""
        self.hits.append(now)
        fits = self._estimated(now) if self.each.steps == 1 else self._stepped(now)
        if fits:
            self.passed.append(now)
        elif not self.each.counts_refused:
            self.hits.pop()
        return fits

    def _estimated(self, now: float) -> bool:
        seconds, index = self.each.seconds, now // self.each.seconds
        left = seconds - now % seconds  # whole seconds, so that nothing is rounded
        current = sum(at // seconds == index for at in self.hits)
        previous = sum(at // seconds == index - 1 for at in self.hits)
        return current * seconds + previous * left <= self.each.allowance * seconds

    def _stepped(self, now: float) -> bool:
        step = self.each.seconds / self.each.steps
        oldest = now // step - self.each.steps
        return sum(at // step > oldest for at in self.hits) <= self.each.allowance


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 8)), min_size=1, max_size=12),
    st.integers(1, 6),
    st.booleans(),
    st.sampled_from([1, 4, 12]),
)
@settings(max_examples=200, deadline=None)
def test_it_lets_pass_what_a_model_lets_pass(
    visits: Sequence[tuple[int, int]], allowance: int, counts_refused: bool, steps: int
) -> None:
    """A6: whatever the pauses, each hit is judged as by a window that remembers every hit.

    In no span as long as the window does twice the allowance pass, and after `wait` seconds without a hit one does.
    """
    clock = FrozenClock()
    limiter = KeyValueLimiter(MemoryKeyValue(clock), clock)
    each = window(allowance=allowance, counts_refused=counts_refused, steps=steps)
    model, tally = Model(each), Tally(0, 0)
    for pause, number in visits:
        clock.advance(pause)
        for _ in range(number):
            [tally] = run_blocking(limiter.hit([each]))
            assert (tally.wait == 0) == model.hit(clock.now().timestamp())

    clock.advance(tally.wait)

    spans = [sum(at <= other < at + each.seconds for other in model.passed) for at in model.passed]
    assert max(spans, default=0) <= 2 * allowance
    assert tally.wait <= 2 * each.seconds
    assert tally.wait == 0 or inside(limiter, each)


def test_a_full_store_lets_nobody_pass(clock: FrozenClock) -> None:
    """O2: a store that cannot take another counter raises: nobody is let in uncounted."""
    limiter = KeyValueLimiter(MemoryKeyValue(clock, max_keys=1), clock)
    run_blocking(limiter.hit([window()]))

    with pytest.raises(Unavailable):
        run_blocking(limiter.hit([window()]))
