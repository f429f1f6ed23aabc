"""Flows as typed Python calls: one declaration, bound for blocking and for asyncio code."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from authcore.context import Context


class Blocking:
    """Marks calls that answer directly."""


class Asyncio:
    """Marks calls that answer an awaitable."""


P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", Blocking, Asyncio)


class Runner(Protocol):
    """Make a context, run a flow on it under one drive."""

    def __call__(self, flow: Callable[[Context], Coroutine[Any, Any, Any]], /) -> Any: ...


class Calls(Generic[M]):
    """The calls of one room; a subclass lists them as `name = call(flow)`."""

    def __init__(self, run: Runner) -> None:
        self._run = run


class call(Generic[P, R]):  # noqa: N801 - reads as a keyword where calls are listed
    """Bind one flow `async def flow(ctx, ...) -> R`; what stands first is what its runner gives it."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, obj: None, owner: Any) -> call[P, R]: ...
    @overload
    def __get__(self, obj: Calls[Blocking], owner: Any) -> Callable[P, R]: ...
    @overload
    def __get__(self, obj: Calls[Asyncio], owner: Any) -> Callable[P, Awaitable[R]]: ...
    def __get__(self, obj: Calls[Any] | None, owner: Any) -> Any:
        if obj is None:
            return self
        flow, run = self.flow, self.runner(obj)

        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return run(lambda ctx: flow(ctx, *args, **kwargs))

        bound.__name__, bound.__doc__ = flow.__name__, flow.__doc__
        bound.__signature__ = self._signature  # type: ignore[attr-defined]
        return bound

    def runner(self, obj: Calls[Any]) -> Runner:
        """Answer what runs the flow."""
        return obj._run

    @cached_property
    def _signature(self) -> inspect.Signature:
        """Answer the flow's signature without the context; at the first use, so that no import pays for it."""
        whole = inspect.signature(self.flow)
        return whole.replace(parameters=list(whole.parameters.values())[1:])
