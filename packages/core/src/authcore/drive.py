"""The three drives: one flow, run without a loop, in a worker thread, or by native awaits.

A flow is `async def` over ports. What the application supplies (a hook) may be sync or async; each drive calls it where
that is allowed: BLOCKING at once, THREADS on the event loop between two hops, ASYNCIO by awaiting.
"""

from __future__ import annotations

import enum
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from typing import Any, TypeVar, cast

from authcore.values import Value

R = TypeVar("R")
_CLOSINGS = 100  # how often a coroutine may wait again while it is closed
Hop = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Run a function in a worker thread, with the caller's context variables, and answer what it answers."""


ONE_AT_A_TIME = threading.Lock()
"""For what is short, never waits, and must not be begun by two threads at once."""


class Drive(enum.Enum):
    """How a flow is run."""

    BLOCKING = "blocking"
    THREADS = "threads"
    ASYNCIO = "asyncio"


class FlowSuspended(RuntimeError):
    """A flow under a blocking drive awaited something that has to wait."""


def run_blocking(coro: Coroutine[Any, Any, R], name: str | None = None) -> R:
    """Run a coroutine that never waits and answer its value; raise FlowSuspended, naming it, if it waits."""
    try:
        coro.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise _suspended(coro, name)


def _suspended(coro: Coroutine[Any, Any, Any], name: str | None = None) -> FlowSuspended:
    path = " → ".join(_path(coro))
    _close(coro)
    return FlowSuspended(
        f"{name or _name(coro)} waited (in {path}) under the blocking drive, where nothing can wait. "
        "Give a synchronous function instead, or use an async framework's adapter."
    )


def _close(coro: Coroutine[Any, Any, Any]) -> None:
    # What `async with` and `finally` await while they end stops the coroutine again; closed once more, it goes on.
    for _ in range(_CLOSINGS):
        with suppress(Exception):
            coro.close()
            return


def _path(coro: Any) -> Iterator[str]:
    """Answer the name of the coroutine, and of each that it awaits."""
    while coro is not None:
        yield _name(coro)
        coro = getattr(coro, "cr_await", None)


def _name(thing: Any) -> str:
    return getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or type(thing).__qualname__


class BlockingHooks:
    """Call hooks at once; an async hook must not wait."""

    async def call(self, hook: Callable[..., Any], /, *args: Any) -> Any:
        """Answer what the hook answers; raise FlowSuspended, naming the hook, if it waits."""
        answer = hook(*args)
        if not inspect.isawaitable(answer):
            return answer
        return run_blocking(answer) if inspect.iscoroutine(answer) else run_blocking(_await(answer), _name(hook))


class AsyncHooks:
    """Call hooks on the loop and await what they answer."""

    async def call(self, hook: Callable[..., Any], /, *args: Any) -> Any:
        """Answer what the hook answers."""
        answer = hook(*args)
        return await answer if inspect.isawaitable(answer) else answer


class _HookCall(Value, frozen=True):
    """What a flow yields to the THREADS drive: leave the worker and call this on the loop.

    `carry_on` says that from there the flow goes on to its end, though its caller may go.
    """

    hook: Callable[..., Any]
    args: tuple[Any, ...]
    carry_on: bool = False

    def __await__(self) -> Generator[_HookCall, Any, Any]:
        return (yield self)


class ThreadHooks:
    """Send hooks back to the event loop: they may await, and see the caller's context."""

    async def call(self, hook: Callable[..., Any], /, *args: Any) -> Any:
        """Answer what the hook answers."""
        return await _HookCall(hook, args)


async def off_worker(work: Callable[..., Awaitable[R]], /, *args: Any) -> R:
    """Wait on the event loop for `work`, inside a flow of the THREADS drive, and leave its worker to others meanwhile.

    A caller that goes away does not end the flow here: what it had still to count is counted.
    """
    answer: R = await _HookCall(work, args, carry_on=True)
    return answer


class _Done(Value, frozen=True):
    value: Any


class _Failed(Value, frozen=True):
    error: Exception


_carrying_on: set[Awaitable[Any]] = set()  # a loop itself holds its tasks weakly


async def run_in_thread(coro: Coroutine[Any, Any, R], hop: Hop) -> R:
    """Run a flow over blocking ports in one worker thread at a time: one hop, and one more after each hook or hash.

    A caller that goes away does not stop a worker: what was begun there is committed. A flow that has come as far as a
    hash goes on to its end; one that still waits for its worker, or for a hook, is closed.
    """
    first = await _steps(coro, hop, _sender(coro, None))
    outcome = await _carried_on(coro, hop, first) if isinstance(first, _HookCall) else first
    if isinstance(outcome, _Failed):
        raise outcome.error
    return outcome.value  # type: ignore[no-any-return]


async def _steps(coro: Coroutine[Any, Any, Any], hop: Hop, step: Callable[[], Any]) -> _Done | _HookCall:
    """Run the flow to its end, or to the first call from which on it is carried to its end."""
    outcome: Any = None
    try:
        while True:
            outcome = await hop(_guarded(coro, step))
            if isinstance(outcome, _Done) or outcome.carry_on:
                return outcome  # type: ignore[no-any-return]
            step = await _answered(coro, outcome)
    finally:
        if not (isinstance(outcome, _HookCall) and outcome.carry_on):
            _close_waiting(coro)


async def _carried_on(coro: Coroutine[Any, Any, Any], hop: Hop, call: _HookCall) -> _Done | _Failed:
    import asyncio  # as late as this: a blocking application loads no event loop

    task = asyncio.ensure_future(_to_its_end(coro, hop, call))
    _carrying_on.add(task)
    task.add_done_callback(_carrying_on.discard)
    return await asyncio.shield(task)


async def _to_its_end(coro: Coroutine[Any, Any, Any], hop: Hop, outcome: _Done | _HookCall) -> _Done | _Failed:
    try:
        while isinstance(outcome, _HookCall):
            outcome = await hop(_guarded(coro, await _answered(coro, outcome)))
    except Exception as error:  # told to the caller, if there still is one
        return _Failed(error)
    finally:
        _close_waiting(coro)
    return outcome


async def _answered(coro: Coroutine[Any, Any, Any], call: _HookCall) -> Callable[[], Any]:
    try:
        answer = await AsyncHooks().call(call.hook, *call.args)
    except Exception as error:
        return _thrower(coro, error)
    return _sender(coro, answer)


def _close_waiting(coro: Coroutine[Any, Any, Any]) -> None:
    if inspect.getcoroutinestate(coro) in (inspect.CORO_CREATED, inspect.CORO_SUSPENDED):
        _close(coro)


def _sender(coro: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coro.send(value)


def _thrower(coro: Coroutine[Any, Any, Any], error: Exception) -> Callable[[], Any]:
    return lambda: coro.throw(error)


def _guarded(coro: Coroutine[Any, Any, Any], step: Callable[[], Any]) -> Callable[[], Any]:
    # StopIteration cannot pass through a future, so the end of the flow travels as a value.
    def stepped() -> Any:
        try:
            outcome = step()
        except StopIteration as done:
            return _Done(done.value)
        if isinstance(outcome, _HookCall):
            return outcome
        raise _suspended(coro)

    return stepped


async def to_thread(function: Callable[[], R]) -> R:
    """Run a function in a worker thread of the running loop: the hop of who has no pool of his own."""
    import asyncio  # as late as this: a blocking application loads no event loop

    return await asyncio.to_thread(function)


class Offloaded:
    """A port whose every call is one hop to a worker thread: a blocking one, among others that are awaited."""

    def __init__(self, port: Any, hop: Hop) -> None:
        self._port = port
        self._hop = hop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def hopping(*args: Any, **kwargs: Any) -> Any:
            return await self._hop(lambda: run_blocking(found(*args, **kwargs)))

        return hopping


def offloaded(port: R) -> R:
    """Answer a port of which no call blocks an event loop: the port itself, if it says that it does not block."""
    return cast(R, Offloaded(port, to_thread)) if getattr(port, "blocks", False) else port


async def _await(awaitable: Awaitable[R]) -> R:
    return await awaitable
