"""A signal for each event, sent by the event's class: `signals.Login.connect(receiver)`.

A receiver is called as `receiver(sender=Login, event=event, signal=…)`, after the commit. One that fails harms nobody
and stands in Django's log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from django.dispatch import Signal

from authcore import Auth, events

_signals = {kind.__name__: Signal() for kind in events.Event.__subclasses__()}


def __getattr__(name: str) -> Signal:
    if name not in _signals:
        raise AttributeError(f"{name!r} is no event of authcore: there is a signal for each of authcore.events.")
    return _signals[name]


def __dir__() -> list[str]:
    return sorted(_signals)


def send_from(auth: Auth) -> None:
    """Send every event of an `Auth` as a signal."""
    auth.events.on_every(_send)


def _send(event: events.Event) -> Awaitable[Any] | None:
    signal, how = _signals[type(event).__name__], {"sender": type(event), "event": event}
    if _on_loop():
        return signal.asend_robust(**how)
    signal.send_robust(**how)
    return None


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
