"""The database port over SQLAlchemy: store functions, retries and failures are alike on both sides."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from sqlalchemy import MetaData
from sqlalchemy.engine import Connection

from authcore.backends import fork
from authcore.backends.failures import FOREIGN, is_disconnected, is_worth_another_run, raise_translated
from authcore.backends.schema import alone, create_missing
from authcore.errors import Unavailable
from authcore.ports import REVOKED, Store
from authcore.reports import sentence

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

P = ParamSpec("P")
R = TypeVar("R")
Told = Callable[[Sequence[Any]], Awaitable[None]]

RUNS_AGAIN = 3
PATIENCE = 5.0  # seconds after which a write is not begun again


class BlockingSide(Protocol):
    """What opens connections for blocking code and raises what drivers raise."""

    def read(self, run: Callable[[Connection], R]) -> R:
        """Run outside a transaction."""
        ...

    def write(self, run: Callable[[Connection], R], *, fleeting: bool = False) -> R:
        """Run inside one transaction; a `fleeting` one need not outlast a power cut."""
        ...

    def write_apart(self, run: Callable[[Connection], R]) -> R:
        """Run like `write`, on a connection that is closed afterwards."""
        ...

    def dispose(self) -> None:
        """Close what is open."""
        ...


class AsyncSide(Protocol):
    """What answers the running loop's engines."""

    def reading(self) -> AsyncEngine:
        """Answer the engine in AUTOCOMMIT."""
        ...

    def writing(self, *, fleeting: bool = False) -> AsyncEngine:
        """Answer the engine for transactions; those of a `fleeting` one need not outlast a power cut."""
        ...

    def dispose(self) -> None:
        """Close what is open."""
        ...


class TablesOnce:
    """Make the missing tables before the first use in a process."""

    def __init__(self, metadata: MetaData) -> None:
        self.metadata = metadata
        self.done = False
        self._mutex = fork.Mutex()

    def make(self, side: BlockingSide) -> None:
        """Make them unless that is done; other threads wait."""
        with self._mutex:
            if not self.done:
                side.write_apart(self.create)
                self.done = True

    async def make_async(self, side: AsyncSide) -> None:
        """Make them unless that is done; what runs beside it waits in the database."""
        async with side.writing().begin() as tx:
            await tx.run_sync(self.create)
        self.done = True

    def create(self, tx: Connection) -> None:
        """Make the tables that are missing."""
        create_missing(tx, self.metadata)


def create_apart(side: BlockingSide, metadata: MetaData) -> None:
    """Make the tables that are missing, on a connection that is closed afterwards; raise Unavailable."""
    try:
        run_apart(side, lambda tx: create_missing(tx, metadata))
    except Unavailable as error:
        # Who calls this starts an application: the reason belongs into the sentence.
        raise Unavailable(sentence(error)) from error.__cause__


def run_apart(side: BlockingSide, run: Callable[[Connection], R]) -> R:
    """Run in one transaction on a connection that is closed afterwards, as the only one that changes the schema.

    Raises Unavailable.
    """

    def locked(tx: Connection) -> R:
        with alone(tx):
            return run(tx)

    try:
        return side.write_apart(locked)
    except FOREIGN as error:
        raise_translated(error)


class BlockingDatabase:
    """ports.Database for blocking code: its coroutines complete at once."""

    def __init__(self, side: BlockingSide, tables: TablesOnce | None = None) -> None:
        self._side = side
        self._tables = tables
        self._told: Told | None = None

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run reads without a transaction, again if the connection was dead; raise Unavailable."""
        try:
            if self._tables is not None and not self._tables.done:
                self._tables.make(self._side)
            return self._side.read(lambda tx: store(tx, *args, **kwargs))
        except FOREIGN as error:
            if not is_disconnected(error):
                raise_translated(error)
        return self._read_again(lambda tx: store(tx, *args, **kwargs))

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in one transaction, again if another one was in the way; raise Unavailable."""
        body = _Body(lambda tx: store(tx, *args, **kwargs))
        fleeting = getattr(store, "fleeting", False)
        while True:
            try:
                if self._tables is not None and not self._tables.done:
                    self._tables.make(self._side)
                answer = self._side.write(body, fleeting=fleeting)
            except FOREIGN as error:
                if not body.may_run_again(error):
                    raise_translated(error)
            else:
                if body.left and self._told is not None:
                    await self._told(body.left)
                return answer

    def watch(self, told: Told) -> None:
        """Hand what ended to `told` after each commit."""
        self._told = told

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call at once: nothing of authcore is uncommitted outside `write`."""
        callback()

    def _read_again(self, run: Callable[[Connection], R]) -> R:
        try:
            return self._side.read(run)
        except FOREIGN as error:
            raise_translated(error)


class AsyncDatabase:
    """ports.Database for asyncio: the store function runs whole between two awaits of the driver."""

    def __init__(self, side: AsyncSide, tables: TablesOnce | None = None) -> None:
        self._side = side
        self._tables = tables
        self._told: Told | None = None

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run reads without a transaction, again if the connection was dead; raise Unavailable."""
        try:
            await self._prepare()
            return await self._read(lambda tx: store(tx, *args, **kwargs))
        except FOREIGN as error:
            if not is_disconnected(error):
                raise_translated(error)
        try:
            return await self._read(lambda tx: store(tx, *args, **kwargs))
        except FOREIGN as error:
            raise_translated(error)

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in one transaction, again if another one was in the way; raise Unavailable."""
        body = _Body(lambda tx: store(tx, *args, **kwargs))
        fleeting = getattr(store, "fleeting", False)
        while True:
            try:
                await self._prepare()
                async with self._side.writing(fleeting=fleeting).begin() as tx:
                    answer = await tx.run_sync(body)
            except FOREIGN as error:
                if not body.may_run_again(error):
                    raise_translated(error)
            else:
                if body.left and self._told is not None:
                    await self._told(body.left)
                return answer

    def watch(self, told: Told) -> None:
        """Hand what ended to `told` after each commit."""
        self._told = told

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call at once: nothing of authcore is uncommitted outside `write`."""
        callback()

    async def _prepare(self) -> None:
        if self._tables is not None and not self._tables.done:
            await self._tables.make_async(self._side)

    async def _read(self, run: Callable[[Connection], R]) -> R:
        async with self._side.reading().connect() as connection:
            return await connection.run_sync(run)


class _Body(Generic[R]):
    """A write's body, and whether what stopped it lets it run again."""

    def __init__(self, run: Callable[[Connection], R]) -> None:
        self._run = run
        self._again = RUNS_AGAIN
        self._until = time.monotonic() + PATIENCE
        self._ended = False
        self.left: Sequence[Any] = ()

    def __call__(self, tx: Connection) -> R:
        self._ended = False
        tx.info.pop(REVOKED, None)  # of a run that was rolled back
        answer = self._run(tx)
        self.left = tx.info.pop(REVOKED, ())
        self._ended = True
        return answer

    def may_run_again(self, error: Exception) -> bool:
        """Count one run more, if another may follow."""
        # A connection lost while committing leaves unknown whether it was: nothing is spent twice.
        harmless = is_worth_another_run(error) or (is_disconnected(error) and not self._ended)
        if not harmless or self._again == 0 or time.monotonic() > self._until:
            return False
        self._again -= 1
        return True
