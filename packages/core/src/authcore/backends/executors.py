"""Worker threads for async applications: made at first use, and again in the child of a fork."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from authcore.backends import fork

R = TypeVar("R")


class ThreadHop:
    """Run functions in at most `workers` threads of its own; what is more waits in line."""

    def __init__(self, workers: int, name: str) -> None:
        self._executor = fork.Lazy(lambda: ThreadPoolExecutor(workers, thread_name_prefix=name))

    async def __call__(self, function: Callable[[], R]) -> R:
        """Answer what `function` answers; it sees the caller's context variables."""
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._executor.get(), run, function)

    def dispose(self) -> None:
        """Let the workers end what they have begun and what waits."""
        executor = self._executor.forget()
        if executor is not None:
            executor.shutdown(wait=False)
