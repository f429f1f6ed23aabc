"""Senders of text messages: to the console, a file, a list, or a function of the application."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TextIO

from authcore.backends.mail import append_line, printable, written_at
from authcore.backends.system import SystemClock
from authcore.ports import Clock, Sms


class ConsoleSms:
    """Print each message, to standard error unless another stream is given."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, sms: Sms) -> None:
        """Print one message."""
        print(f"sms to {printable(sms.to)}: {printable(sms.text)}", file=self._stream or sys.stderr, flush=True)


class CallableSms:
    """Hand each message to a function of the application, sync or async."""

    def __init__(self, function: Callable[[Sms], Awaitable[None] | None]) -> None:
        self._function = function

    def send(self, sms: Sms) -> Awaitable[None] | None:
        """Answer what the function answers."""
        return self._function(sms)


class MemorySms:
    """Keep each message in the list `messages`."""

    def __init__(self) -> None:
        self.messages: list[Sms] = []

    def send(self, sms: Sms) -> None:
        """Keep one message."""
        self.messages.append(sms)


class FileSms:
    """Append each message to a file as a line of JSON, beside those of a `FileMailer`: `channel` is "sms"."""

    def __init__(self, path: str | os.PathLike[str], clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()

    def send(self, sms: Sms) -> None:
        """Append one message, in one write; only the file's owner may read it."""
        line = {
            "channel": "sms",
            "to": sms.to,
            "kind": sms.kind,
            "code": sms.code,
            "link": None,
            "token": None,
            "text": sms.text,
            "locale": sms.locale,
            "at": written_at(self._clock),
            "key": sms.key,
        }
        append_line(self._path, line)
