"""A blinker signal for each event, sent by the application: `signals.Login.connect(listener)`.

A receiver is called as `listener(app, event=event)`, after the commit. One that fails harms nobody and stands in
the log.
"""

from __future__ import annotations

import logging
from functools import partial

from blinker import NamedSignal, Namespace
from flask import Flask, current_app, has_app_context

from authcore import Auth, events

_log = logging.getLogger("authcore.events")
_signals = Namespace()
_NAMES = frozenset(kind.__name__ for kind in events.Event.__subclasses__())


def __getattr__(name: str) -> NamedSignal:
    if name not in _NAMES:
        raise AttributeError(f"{name!r} is no event of authcore: there is a signal for each of authcore.events.")
    return _signals.signal(name)


def __dir__() -> list[str]:
    return sorted(_NAMES)


def send_from(app: Flask, auth: Auth) -> None:
    """Send every event of an `Auth` as a signal of an application that mounts it."""
    auth.events.on_every(partial(_send, app))


def _send(app: Flask, event: events.Event) -> None:
    if has_app_context() and current_app != app:
        return  # another application that mounts the same Auth
    name = type(event).__name__
    for receiver in _signals.signal(name).receivers_for(app):
        try:
            app.ensure_sync(receiver)(app, event=event)
        except Exception:
            _log.exception("A receiver of the signal %s failed.", name)
