"""The sender of the outbox: one lazy thread a process, or one call of `drain`; it also removes what is over."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from authcore.backends import fork
from authcore.drive import Drive, run_blocking
from authcore.errors import AuthError
from authcore.reports import is_due, sentence
from authcore.services import mails, outbox, retention
from authcore.services.outbox import MailPayload

if TYPE_CHECKING:
    from authcore.app import Auth

_log = logging.getLogger("authcore.outbox")
POLL = 5.0  # seconds between looks for retries and for what another process left behind
FIRST_SWEEP = 300.0  # seconds after which a process removes what is over for the first time
SWEEP_EVERY = 3600.0  # seconds between one removal and the next


class Outbox:
    """Send what waits. Threads are made at the first wake, and forgotten in a forked child."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._forget()
        fork.register(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._next_sweep = time.monotonic() + FIRST_SWEEP

    def before_fork(self) -> None:
        """Do nothing: a thread is not carried over."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread and its locks."""
        self._forget()

    def wake(self) -> None:
        """Let the thread look at once; start it if there is none."""
        self._bell.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="authcore-outbox", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread after what it is sending."""
        self._stopping = True
        self._bell.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def drain(self) -> int:
        """Send everything that is due; answer how many effects were claimed."""
        total = 0
        while claimed := self.batch():
            total += claimed
        return total

    def batch(self) -> int:
        """Send a batch of what is due; answer how many effects were claimed, 0 when nothing is due."""
        runtime = self._auth.runtime(Drive.BLOCKING)

        async def send(key: str, _tenant: str, payload: outbox.Payload) -> None:
            if isinstance(payload, MailPayload):
                _hand_over(self._auth.mailer.send, mails.render(runtime, key, payload))
            else:
                _hand_over(self._sms(), mails.render_sms(runtime, key, payload))

        return run_blocking(outbox.deliver(runtime, send))

    def _sms(self) -> Callable[[Any], Any]:
        if self._auth.sms is None:
            raise LookupError("a text message waits, and Auth(sms=…) is missing")
        send: Callable[[Any], Any] = self._auth.sms.send
        return send

    def housekeep(self) -> None:
        """Remove what nobody needs any longer, at most once an hour; raise Unavailable."""
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_EVERY
            run_blocking(retention.sweep(self._auth.runtime(Drive.BLOCKING)))

    def _run(self) -> None:
        while not self._stopping:
            self._bell.clear()
            try:
                self.drain()
                self.housekeep()
            except AuthError as error:
                self._report(error)
            except Exception:
                _log.exception("The outbox stopped at an unexpected error; it goes on.")
            self._bell.wait(POLL)

    def _report(self, error: AuthError) -> None:
        told = f"The outbox could not be read. {sentence(error)}"
        if is_due(told):
            _log.warning("%s", told)


def _hand_over(send: Callable[[Any], Any], mail: Any) -> None:
    answer = send(mail)
    if inspect.isawaitable(answer):
        import asyncio

        asyncio.run(_awaited(answer))


async def _awaited(answer: Any) -> None:
    await answer
