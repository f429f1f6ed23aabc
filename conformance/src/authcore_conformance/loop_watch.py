"""See every statement of the core, and whether an event loop stood still for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


class Statements:
    """The statements that ran, and those among them that blocked a loop."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.blocked: list[str] = []

    def __call__(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        """Note one statement; SQLAlchemy calls this in the thread that is about to run it."""
        self.ran.append(statement)
        if _on_a_loop() and not connection.dialect.is_async and not _may_run_inline(connection, statement):
            self.blocked.append(statement)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _may_run_inline(connection: Connection, statement: str) -> bool:
    # The declared exception: on SQLite a guard's read may run on the loop, on a connection that never waits.
    return connection.dialect.name == "sqlite" and statement.lstrip().upper().startswith("SELECT")


@contextmanager
def watching() -> Iterator[Statements]:
    """Watch every engine of the process."""
    statements = Statements()
    event.listen(Engine, "before_cursor_execute", statements)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", statements)
