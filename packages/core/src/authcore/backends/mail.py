"""Mailers: to the console, a file, a list, a function of the application, or a server by SMTP."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Literal, TextIO

import msgspec

from authcore.backends.system import SystemClock
from authcore.errors import ConfigurationError
from authcore.ports import Clock, Mail

if TYPE_CHECKING:
    import smtplib
    import ssl
    from email.message import EmailMessage

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
Security = Literal["starttls", "tls", "none"]
_SECURITIES = ("starttls", "tls", "none")


class ConsoleMailer:
    """Print what a developer needs of each mail, to standard error unless another stream is given."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, mail: Mail) -> None:
        """Print one mail."""
        lines = [f"mail to {printable(mail.to)}: {printable(mail.subject)}"]
        carried = (("code", mail.code), ("link", mail.url))
        lines += [f"    {name}: {printable(value)}" for name, value in carried if value]
        print(*lines, sep="\n", file=self._stream or sys.stderr, flush=True)


class CallableMailer:
    """Hand each mail to a function of the application, sync or async."""

    def __init__(self, function: Callable[[Mail], Awaitable[None] | None]) -> None:
        self._function = function

    def send(self, mail: Mail) -> Awaitable[None] | None:
        """Answer what the function answers."""
        return self._function(mail)


class MemoryMailer:
    """Keep each mail in the list `mails`."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        """Keep one mail."""
        self.mails.append(mail)


class FileMailer:
    """Append each mail to a file as a line of JSON.

    Its fields: `channel` ("mail"), `to`, `kind`, `event`, `code`, `link`, `token`, `username`, `locale`, `key` and
    `at` (RFC 3339, UTC).
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()

    def send(self, mail: Mail) -> None:
        """Append one mail, in one write; only the file's owner may read it."""
        line = {
            "channel": "mail",
            "to": mail.to,
            "kind": mail.kind,
            "event": mail.event,
            "code": mail.code,
            "link": mail.url,
            "token": mail.token,
            "username": mail.username,
            "locale": mail.locale,
            "at": written_at(self._clock),
            "key": mail.key,
        }
        append_line(self._path, line)


def written_at(clock: Clock) -> str:
    """Answer the time of a line, in UTC (RFC 3339)."""
    return clock.now().astimezone(UTC).isoformat().replace("+00:00", "Z")


def append_line(path: str | os.PathLike[str], line: Mapping[str, object]) -> None:
    """Append a line of JSON in one write, so that processes may share the file; only its owner may read it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, msgspec.json.encode(line) + b"\n")
    finally:
        os.close(file)


@dataclass(frozen=True)
class SmtpMailer:
    """Send by a server: STARTTLS on port 587, "tls" from the start on 465, "none" for a relay on this host."""

    host: str
    clock: Clock = field(default_factory=SystemClock, repr=False)
    port: int = 587
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Security = "starttls"
    timeout: float = 10.0  # seconds, for each step
    context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a setting that cannot work, or credentials that would travel in the clear."""
        if self.security not in _SECURITIES:
            raise ConfigurationError(f"{type(self).__name__}(security=…) is one of 'starttls', 'tls' and 'none'.")
        if not _is_host(self.host):
            raise ConfigurationError(
                f"{type(self).__name__}(host=…) is the name of a server, such as 'smtp.example.com'."
            )
        if type(self.port) is not int or not 1 <= self.port <= 65535:
            raise ConfigurationError(f"{type(self).__name__}(port=…) is a whole number from 1 to 65535, such as 587.")
        if type(self.timeout) not in (int, float) or not 0 < self.timeout < threading.TIMEOUT_MAX:
            raise ConfigurationError(f"{type(self).__name__}(timeout=…) is a positive number of seconds, such as 10.")
        self._check_credentials()

    def _check_credentials(self) -> None:
        for name in ("username", "password"):
            if not isinstance(getattr(self, name), str | None):
                raise ConfigurationError(f"{type(self).__name__}({name}=…) is text, or left out.")
        if self.password is not None and self.username is None:
            raise ConfigurationError(
                f"{type(self).__name__} has a password without a user: write username=… beside it."
            )
        if self.security == "none" and self.username is not None:
            raise ConfigurationError(
                f'{type(self).__name__} has credentials without TLS: write security="starttls" or "tls", '
                "or leave username and password out."
            )

    def send(self, mail: Mail) -> None:
        """Send one mail; raise what smtplib raises, or ValueError for an address that is none."""
        message = self.message(mail)
        server = self._connect()
        try:
            self._secure(server)
            # Named here: smtplib would read the headers again, and decode what is encoded in an address (RFC 2047 5).
            server.send_message(message, from_addr=bare_address(mail.sender), to_addrs=[mail.to])
            self._leave(server)
        finally:
            server.close()

    def message(self, mail: Mail) -> EmailMessage:
        """Answer the mail as MIME: text and HTML, and the same Message-ID at every try."""
        from email.message import EmailMessage
        from email.utils import format_datetime

        message = EmailMessage()
        message["From"] = _address(mail.sender)
        message["To"] = _address(mail.to)
        message["Subject"] = printable(mail.subject)
        message["Date"] = format_datetime(self.clock.now())
        message["Message-ID"] = _message_id(mail)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 5: no out-of-office answers
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
            _attach(message, mail)
        # After the parts: what describes the content goes down into the first of them when a second one joins.
        message["Content-Language"] = mail.locale
        return message

    def _connect(self) -> smtplib.SMTP:
        import smtplib

        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=self.tls())
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout)

    def _secure(self, server: smtplib.SMTP) -> None:
        if self.security == "starttls":
            server.starttls(context=self.tls())  # raises where the server has none
        if self.username is not None:
            server.login(self.username, self.password or "")

    def _leave(self, server: smtplib.SMTP) -> None:
        # The mail is accepted: a failed farewell must not have it sent again.
        with suppress(OSError):  # of which smtplib's own errors are a kind
            server.quit()

    def tls(self) -> ssl.SSLContext:
        """Answer how the server has to prove its name."""
        import ssl

        return self.context or ssl.create_default_context()


def _attach(message: EmailMessage, mail: Mail) -> None:
    html = list(message.iter_parts())[-1]
    for picture in mail.inline:
        main, _, sub = picture.content_type.partition("/")
        html.add_related(picture.data, main, sub, cid=f"<{picture.cid}>", disposition="inline")


def _is_host(given: object) -> bool:
    return isinstance(given, str) and bool(given.strip()) and not _CONTROL.search(given)


def printable(text: str) -> str:
    """Answer a text of one line, without control characters."""
    # A line break in a header starts another header; in a log, another entry (rule O3).
    return _CONTROL.sub(" ", text).strip()


def _address(text: str) -> str:
    if _CONTROL.search(text) or "@" not in bare_address(text):
        raise ValueError("The mail's address is not one address.")
    return text


def bare_address(text: str) -> str:
    """Answer the address alone of "Name <address>", empty for what is not one address."""
    from email.utils import getaddresses

    found = getaddresses([text])
    return found[0][1] if len(found) == 1 else ""


def _message_id(mail: Mail) -> str:
    domain = bare_address(mail.sender).rpartition("@")[2]
    return f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:40]}@{domain}>"
