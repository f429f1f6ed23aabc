"""Each event as one of Litestar's, under its name: `@listener("authcore.Login")` calls `async def note(event)`.

A listener runs after the commit, beside the request. One that fails harms nobody and stands in
Litestar's log.
"""

from __future__ import annotations

import asyncio

from litestar import Litestar
from litestar.config.app import AppConfig

from authcore import Auth, events

PREFIX = "authcore."


class Emitter:
    """Emit the events of an `Auth` in the application that runs."""

    def __init__(self) -> None:
        self._running: tuple[Litestar, asyncio.AbstractEventLoop] | None = None

    def install(self, config: AppConfig, auth: Auth) -> None:
        """Emit while the application runs."""
        auth.events.on_every(self._heard)
        config.on_startup.append(self._start)
        config.on_shutdown.append(self._stop)

    async def _start(self, app: Litestar) -> None:
        self._running = app, asyncio.get_running_loop()

    async def _stop(self) -> None:
        self._running = None

    def _heard(self, event: events.Event) -> None:
        if self._running is None:
            return
        app, loop = self._running
        if PREFIX + type(event).__name__ in app.event_emitter.listeners:
            # Blocking code may tell of it in a thread of its own.
            loop.call_soon_threadsafe(app.emit, PREFIX + type(event).__name__, event)
