"""A mail server on loopback that can be stopped and started again: enough of SMTP for a mailer without TLS."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

SILENCE = 10  # seconds until a client that says nothing is left


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it came, under the Message-ID that its idempotency key makes."""

    to: str
    subject: str
    message_id: str
    text: str


class PostOffice:
    """Takes mails while it is open, always on the same port, and keeps them in the order in which they came."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._mails: list[Received] = []
        self._server: _Server | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    def open(self) -> None:
        """Take mails."""
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections and cut those that stand, in the middle of whatever they say."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def take(self, raw: bytes, recipients: Sequence[str]) -> None:
        """Keep a mail for each recipient."""
        parsed = message_from_bytes(raw, policy=policy.default)
        body = parsed.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        with self._came:
            for to in recipients:
                self._mails.append(Received(to, str(parsed["Subject"]), str(parsed["Message-ID"]), text))
            self._came.notify_all()

    def mails(self) -> list[Received]:
        """Answer every mail so far."""
        with self._came:
            return list(self._mails)

    def await_mail(self, to: str, number: int, patience: float) -> Received:
        """Answer the first, second, … mail to an address, once it has come; raise TimeoutError."""
        until = time.monotonic() + patience
        with self._came:
            while len(found := self._each(to)) < number:
                if not self._came.wait(until - time.monotonic()):
                    raise TimeoutError(f"no mail came to {to}")
            return found[number - 1]

    def _each(self, to: str) -> list[Received]:
        """Answer what came to an address; a mail that came twice under one key is one."""
        return list({mail.message_id: mail for mail in self._mails if mail.to == to}.values())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, office: PostOffice) -> None:
        self.office = office
        self.standing: set[socket.socket] = set()
        super().__init__(("127.0.0.1", office.port), _Session)

    def cut(self) -> None:
        for line in list(self.standing):
            line.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves, or is cut, is a part of what is measured."""


class _Session(socketserver.StreamRequestHandler):
    server: _Server
    timeout = SILENCE

    def handle(self) -> None:
        self.server.standing.add(self.connection)
        try:
            self._talk()
        finally:
            self.server.standing.discard(self.connection)

    def _talk(self) -> None:
        recipients: list[str] = []
        self._say("220 loopback")
        while line := self.rfile.readline():
            verb, _, rest = line.decode("ascii", "replace").strip().partition(" ")
            match verb.upper():
                case "RCPT":
                    recipients.append(rest.partition(":")[2].strip("<> "))
                    self._say("250 ok")
                case "DATA":
                    self._say("354 go on")
                    self.server.office.take(self._content(), recipients)
                    recipients = []
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ConnectionError("the client left in the middle of a mail")
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
