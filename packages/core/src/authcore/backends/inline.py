"""Point reads on an event loop's own thread: cheaper than any hop, and they never wait."""

from __future__ import annotations

from typing import ParamSpec, Protocol, TypeVar

from sqlalchemy.engine import URL

from authcore.backends.database import TablesOnce
from authcore.backends.failures import FOREIGN, is_busy, raise_translated
from authcore.backends.sqlite import ThreadConnections, inline_engine
from authcore.ports import Store

P = ParamSpec("P")
R = TypeVar("R")


class WouldBlock(Exception):
    """The read would have to wait: run it in a thread."""


class InlineReads(Protocol):
    """Reads that may run on an event loop."""

    def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answer what the store function answers; raise WouldBlock or Unavailable."""
        ...


class InlineReader:
    """Reads of a SQLite file on a connection of the calling thread's own, which waits for nobody."""

    def __init__(self, url: URL, tables: TablesOnce | None = None) -> None:
        self._connections = ThreadConnections(lambda: inline_engine(url))
        self._tables = tables

    def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answer what the store function answers; raise WouldBlock or Unavailable."""
        if self._tables is not None and not self._tables.done:
            raise WouldBlock
        try:
            return self._connections.run(lambda tx: store(tx, *args, **kwargs))
        except FOREIGN as error:
            if is_busy(error):
                raise WouldBlock from error
            raise_translated(error)

    def dispose(self) -> None:
        """Close every connection."""
        self._connections.dispose()
