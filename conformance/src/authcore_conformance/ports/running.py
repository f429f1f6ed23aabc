"""How a behaviour is run: under the drive that the port needs, with many callers at once where it says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

from authcore.drive import run_blocking
from authcore.testing.ports import FrozenClock

P = TypeVar("P")
R = TypeVar("R")
C = TypeVar("C")
Drive = Literal["blocking", "asyncio"]
PATIENCE = 60.0  # seconds that one of many callers may take


class Subject(Generic[P]):
    """The port under test, empty, with the clock that it was made with."""

    def __init__(self, port: P, clock: FrozenClock, drive: Drive) -> None:
        self.port = port
        self.clock = clock
        self._drive = drive

    async def at_once(self, callers: int, work: Callable[[int], Coroutine[Any, Any, R]]) -> list[R]:
        """Answer what each of many callers got, in threads or as tasks, all begun at the same moment."""
        if self._drive == "asyncio":
            return list(await asyncio.gather(*(work(number) for number in range(callers))))
        return _in_threads([partial(_run, work, number) for number in range(callers)])


def _run(work: Callable[[int], Coroutine[Any, Any, R]], number: int) -> R:
    return run_blocking(work(number))


def _in_threads(works: list[Callable[[], R]]) -> list[R]:
    start, answers, failures = threading.Barrier(len(works)), list[R](), list[BaseException]()

    def run(work: Callable[[], R]) -> None:
        start.wait(PATIENCE)
        try:
            answers.append(work())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if failures:
        raise failures[0]
    assert len(answers) == len(works), "a caller did not come back"
    return answers


class Contract(Generic[P]):
    """What contracts share. A subclass is a test class; its fixtures may prepare what `_make` needs.

    `drive` is "blocking" (each caller has a thread) or "asyncio"; None takes what the port says by `blocks`.
    """

    drive: ClassVar[Drive | None] = None

    def _make(self, clock: FrozenClock) -> Any:
        raise NotImplementedError

    async def close(self, port: Any) -> None:
        """Close what the port opened; run under the same drive, after each test."""

    def hold(self, behaviour: Callable[[Subject[P]], Coroutine[Any, Any, None]]) -> None:
        """Run one behaviour against a fresh port."""
        clock = FrozenClock()
        port = self._make(clock)
        drive = self.drive or ("blocking" if port.blocks else "asyncio")
        whole = self._whole(behaviour, Subject(port, clock, drive))
        if drive == "blocking":
            run_blocking(whole)
        else:
            asyncio.run(whole)

    async def _whole(self, behaviour: Callable[[Subject[P]], Awaitable[None]], subject: Subject[P]) -> None:
        try:
            await behaviour(subject)
        finally:
            await self.close(subject.port)


def held(behaviour: Callable[[C, Subject[P]], Coroutine[Any, Any, None]]) -> Callable[[C], None]:
    """Turn `async def test_x(self, it)` into a test that pytest runs without a plugin."""

    def test(self: C) -> None:
        self.hold(lambda it: behaviour(self, it))  # type: ignore[attr-defined]

    test.__name__, test.__doc__, test.__qualname__ = behaviour.__name__, behaviour.__doc__, behaviour.__qualname__
    return test
