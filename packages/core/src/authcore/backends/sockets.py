"""What stays open on an event loop: a session that is watched there, and the two directions of a WebSocket.

Nothing here waits in the loop's thread: the ledger is asked by the drive, and rows are read in the stream's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from secrets import randbelow
from typing import Any, Literal
from weakref import WeakKeyDictionary

from authcore.backends.watches import Names, Watches
from authcore.reports import is_due

_log = logging.getLogger("authcore.realtime")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Why = Literal["session_ended", "unavailable"]
AT_ONCE = 4  # questions to the ledger, however many sockets a row concerns: guards need its threads too
AGAIN = 5.0  # seconds until a question that was not answered is asked again, at the most
JITTER = 0.1  # of the time between two questions, so that what was opened together does not ask together
LEAVING = 5.0  # seconds that a block has to leave after its socket was closed, and a client to close its own side
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Ended(Exception):
    """The session that a block stood on is over."""


class SocketClosed(ConnectionError):
    """Nothing can be sent: the socket was closed, since its session ended."""


class Ending:
    """A session that is watched on the loop that runs."""

    def __init__(
        self,
        watches: Watches,
        names: Names,
        ask: Callable[[], Awaitable[bool]],
        recheck: float,
        told: Callable[[Why], None] | None = None,
    ) -> None:
        self.names = names
        self.over: Why | None = None
        self.told = told
        self._watches, self._ask, self._recheck = watches, ask, recheck
        self._loop = asyncio.get_running_loop()
        self._entered: set[tuple[asyncio.Timeout, float]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._doubted = self._closed = False
        self._answered = self._loop.time()
        watches.add(self)
        self._wait(recheck)

    # --- in the thread of the stream ---

    def end(self) -> None:
        """Learn that the session ended."""
        self._call(self._finish, "session_ended")

    def doubt(self) -> None:
        """Learn that the session may have ended."""
        self._call(self._look)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed, and with it all that stood on it
            self._loop.call_soon_threadsafe(function, *args)

    # --- on the loop ---

    @asynccontextmanager
    async def alive(self, leaving: float = 0.0) -> AsyncIterator[None]:
        """Cancel what the block awaits `leaving` seconds after the session ended, and raise Ended in its place."""
        try:
            async with asyncio.timeout(None if self.over is None else leaving) as scope:
                entry = (scope, leaving)
                self._entered.add(entry)
                try:
                    yield
                finally:
                    self._entered.discard(entry)
        except TimeoutError:
            if not scope.expired():
                raise
            raise Ended from None

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        self._watches.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _finish(self, why: Why) -> None:
        if self._closed:
            return
        self.over = why
        self.close()
        for scope, leaving in self._entered:
            scope.reschedule(self._loop.time() + leaving)
        if self.told is not None:
            self.told(why)

    def _wait(self, seconds: float) -> None:
        if not self._closed:
            self._timer = self._loop.call_later(seconds * (1 - randbelow(1000) / 1000 * JITTER), self._look)

    def _look(self) -> None:
        if self._closed:
            return
        self._doubted = True
        if self._task is None or self._task.done():
            if self._timer is not None:
                self._timer.cancel()
            self._task = self._loop.create_task(self._check())

    async def _check(self) -> None:
        pause = self._recheck
        while self._doubted:
            self._doubted = False
            try:
                async with _turn(self._loop):
                    lives = await self._ask()
            except Exception as error:  # of a store, or of the application's own functions
                pause = min(AGAIN, self._recheck)
                if self._gives_up(error):
                    return
            else:
                self._answered, pause = self._loop.time(), self._recheck
                if not lives:
                    return self._finish("session_ended")
        self._wait(pause)

    def _gives_up(self, error: Exception) -> bool:
        # O2: what nobody vouches for any more is closed; a store that restarts does not close everything at once.
        if self._loop.time() - self._answered >= 2 * self._recheck + AGAIN:
            self._finish("unavailable")
            return True
        told = f"Whether open connections still have their sessions could not be asked ({type(error).__name__})."
        if is_due(told):
            _log.warning("%s", told)
        return False


def _turn(loop: asyncio.AbstractEventLoop) -> asyncio.Semaphore:
    if loop not in _turns:
        _turns[loop] = asyncio.Semaphore(AT_ONCE)
    return _turns[loop]


class Pipe:
    """Both directions of an accepted WebSocket. Where its session ended it is, to the application, as one whose client
    has gone: `receive` answers a disconnect, and `send` raises SocketClosed.
    """

    def __init__(self, receive: Receive, send: Send, ending: Ending, codes: dict[Why, int]) -> None:
        self._receive, self._send, self._ending, self._codes = receive, send, ending, codes
        self._closing: asyncio.Task[None] | None = None
        self._replayed = False
        self.is_open = True
        ending.told = self._shut
        if ending.over is not None:
            self._shut(ending.over)

    async def receive(self) -> Message:
        """Answer the next ASGI message."""
        message = None
        if self._ending.over is None:
            with suppress(Ended):
                async with self._ending.alive():
                    message = await self._receive()
        if message is None or self._ending.over is not None:
            why = self._ending.over or "session_ended"
            return {"type": "websocket.disconnect", "code": self._codes[why], "reason": why}
        if message["type"] == "websocket.disconnect":
            self.is_open = False
        return message

    async def send(self, message: Message) -> None:
        """Send an ASGI message; closing a second time does nothing."""
        closes = message["type"] == "websocket.close"
        if self._ending.over is not None:
            if closes:
                return
            raise SocketClosed("The session of this WebSocket ended.")
        if closes:
            self.is_open = False
        await self._send(message)

    async def receive_again(self) -> Message:
        """Answer as `receive` does, but begin with the handshake: for a framework's object, which accepts it again."""
        if not self._replayed:
            self._replayed = True
            return {"type": "websocket.connect"}
        return await self.receive()

    async def send_again(self, message: Message) -> None:
        """Send as `send` does, but an acceptance, which the client has had."""
        if message["type"] != "websocket.accept":
            await self.send(message)

    async def leave(self, *, normally: bool) -> None:
        """Wait for the closing that was begun; close what is open still, if the block came to its end."""
        if self._closing is not None:
            await self._closing
        elif normally and self.is_open:
            self.is_open = False
            with suppress(Exception):  # whatever a server, or a framework, raises where the client has gone
                await self._send({"type": "websocket.close", "code": 1000, "reason": ""})

    def _shut(self, why: Why) -> None:
        if self.is_open:
            self.is_open = False
            self._closing = asyncio.get_running_loop().create_task(self._close(why))

    async def _close(self, why: Why) -> None:
        # A client that does not answer holds its server's connection, not the application's block.
        with suppress(Exception):
            async with asyncio.timeout(LEAVING):
                await self._send({"type": "websocket.close", "code": self._codes[why], "reason": why})


async def within(seconds: float, receive: Receive) -> Message | None:
    """Answer the next message, None if it does not come in time."""
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError:
        return None
