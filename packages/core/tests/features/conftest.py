"""What the tests of the rooms share: a room's Python calls, of either binding."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from authcore import Auth, Request

Calling = Callable[..., Any]


class _Awaited:
    """Calls of `auth.asyncio`, each awaited on one loop, so that they read like those of `auth.blocking`."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self._inner, self._runner = inner, runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return _Awaited(found, self._runner)

        def called(*args: Any, **kwargs: Any) -> Any:
            answer = found(*args, **kwargs)
            if inspect.isawaitable(answer):
                return self._runner.run(_await(answer))
            return _Awaited(answer, self._runner)  # more calls, such as those of one broker

        return called


async def _await(answer: Awaitable[Any]) -> Any:
    return await answer


@pytest.fixture(params=["blocking", "asyncio"])
def calling(request: pytest.FixtureRequest) -> Iterator[Calling]:
    """Answer the calls of an Auth, blocking and awaited in turn: `calling(auth)`, or for a request."""
    with asyncio.Runner() as runner:

        def calls(auth: Auth, for_request: Request | None = None) -> Any:
            bound: Any = getattr(auth, request.param)
            bound = bound if for_request is None else bound.on(for_request)
            return bound if request.param == "blocking" else _Awaited(bound, runner)

        yield calls
