"""Hops into worker threads: bounded, with the caller's context, and nothing before the first."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import pytest

from authcore.backends.executors import ThreadHop

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")


async def test_a_function_runs_in_a_worker() -> None:
    """The answer comes from another thread, whose name says what it is for."""
    hop = ThreadHop(2, "authcore-test")

    ran_in = await hop(lambda: threading.current_thread().name)

    assert ran_in.startswith("authcore-test")
    hop.dispose()


async def test_a_worker_sees_the_callers_context() -> None:
    """Context variables travel into the worker, and what it sets stays there."""
    hop = ThreadHop(1, "authcore-test")
    name.set("somebody")

    seen = await hop(lambda: (name.get(), name.set("else"))[0])

    assert (seen, name.get()) == ("somebody", "somebody")
    hop.dispose()


async def test_an_error_reaches_the_caller() -> None:
    """What the function raises is raised where it was awaited."""
    hop = ThreadHop(1, "authcore-test")

    with pytest.raises(ZeroDivisionError):
        await hop(lambda: 1 // 0)

    hop.dispose()


async def test_no_more_run_than_there_are_workers() -> None:
    """What is more waits in line, and all of it is done in the end."""
    hop = ThreadHop(2, "authcore-test")
    running: list[int] = []
    most: list[int] = []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    await asyncio.gather(*(hop(work) for _ in range(10)))

    assert (max(most), len(most)) == (2, 10)
    hop.dispose()


def test_no_thread_before_the_first_hop() -> None:
    """O5: declaring a hop starts no thread."""
    ThreadHop(4, "authcore-unused").dispose()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("authcore-unused")]


def test_a_hop_serves_loop_after_loop() -> None:
    """The workers belong to no loop."""
    hop = ThreadHop(1, "authcore-test")

    async def once() -> int:
        return int(await hop(lambda: 7))

    assert [asyncio.run(once()) for _ in range(2)] == [7, 7]
    hop.dispose()


async def test_a_disposed_hop_starts_again() -> None:
    """After dispose the next hop has workers of its own."""
    hop = ThreadHop(1, "authcore-test")
    first = await hop(threading.get_ident)

    hop.dispose()
    second = await hop(threading.get_ident)

    assert {first, second}.isdisjoint({threading.get_ident()})
    hop.dispose()
