"""The contract of denylists, each behaviour a test (S42, S57, S58, S60)."""

from __future__ import annotations

from datetime import timedelta

from authcore.stores import Denylist
from authcore.testing.ports import FrozenClock
from authcore_conformance.ports.running import Contract, Subject, held

It = Subject[Denylist]
CALLERS = 8
HOUR = timedelta(hours=1)


class DenylistContract(Contract[Denylist]):
    """What every Denylist does. A subclass makes one, empty, for each test."""

    def make_denylist(self, clock: FrozenClock) -> Denylist:
        """Answer an empty denylist that takes the time from `clock`."""
        raise NotImplementedError

    def _make(self, clock: FrozenClock) -> Denylist:
        return self.make_denylist(clock)

    @held
    async def test_what_was_added_is_denied(self, it: It) -> None:
        """An id is denied from the moment it is added, and no other one is."""
        assert await it.port.has("jti:1") is False

        assert await it.port.add("jti:1", it.clock.now() + HOUR) is True

        assert await it.port.has("jti:1") is True
        assert await it.port.has("jti:2") is False
        assert await it.port.has("1") is False
        assert await it.port.has("jti:") is False

    @held
    async def test_the_first_is_told(self, it: It) -> None:
        """Of two who add one id the first is told True."""
        until = it.clock.now() + HOUR

        assert [await it.port.add("x", until) for _ in range(3)] == [True, False, False]

    @held
    async def test_of_many_one_is_first(self, it: It) -> None:
        """Callers at the same moment: one is told True (rule T2)."""
        until = it.clock.now() + HOUR
        for number in range(5):

            async def add(_: int, id_: str = f"id {number}") -> bool:
                return await it.port.add(id_, until)

            answers = await it.at_once(CALLERS, add)

            assert answers.count(True) == 1

    @held
    async def test_an_entry_lapses(self, it: It) -> None:
        """An id is denied until its time and not longer."""
        await it.port.add("short", it.clock.now() + timedelta(seconds=10))
        await it.port.add("long", it.clock.now() + HOUR)
        it.clock.advance(9.9)
        assert await it.port.has("short") is True

        it.clock.advance(0.1)

        assert await it.port.has("short") is False
        assert await it.port.has("long") is True

    @held
    async def test_what_has_lapsed_can_be_added(self, it: It) -> None:
        """Who adds an id whose entry has lapsed is the first again."""
        await it.port.add("x", it.clock.now() + timedelta(seconds=10))
        it.clock.advance(10)

        assert await it.port.add("x", it.clock.now() + HOUR) is True

        assert await it.port.has("x") is True

    @held
    async def test_ids_are_any_text(self, it: It) -> None:
        """Ids are told apart as texts, whatever their length and their letters."""
        ids = ["k", "K", "\u212a", "é", "e\u0301", " k", "k ", "a:b", "a", "%", "_", "x" * 300, "x" * 301, "{a}", "\n"]

        assert [await it.port.add(id_, it.clock.now() + HOUR) for id_ in ids] == [True] * len(ids)

        assert [await it.port.has(id_) for id_ in ids] == [True] * len(ids)

    @held
    async def test_cleaning_takes_what_has_lapsed(self, it: It) -> None:
        """`cleanup` removes what is over and nothing else; a denylist that forgets by itself has nothing to do."""
        for number in range(3):
            await it.port.add(f"short {number}", it.clock.now() + timedelta(seconds=10))
        await it.port.add("long", it.clock.now() + HOUR)
        it.clock.advance(10)

        assert await it.port.cleanup() in (0, 3)

        assert await it.port.cleanup() == 0
        assert await it.port.has("long") is True

    @held
    async def test_it_says_whether_it_blocks(self, it: It) -> None:
        """`blocks` is a boolean, since callers decide by it where to run."""
        assert it.port.blocks in (True, False)
