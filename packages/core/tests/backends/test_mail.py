"""Mailers: what each does with a mail, and that no mail can smuggle a line."""

from __future__ import annotations

import asyncio
import io
import json
import re
import smtplib
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from aiosmtplib import SMTPException
from msgspec.structs import replace

from authcore.backends.mail import CallableMailer, ConsoleMailer, FileMailer, MemoryMailer, SmtpMailer
from authcore.backends.mail_asyncio import AsyncSmtpMailer
from authcore.errors import ConfigurationError
from authcore.ports import Mail
from authcore.testing.ports import FrozenClock

MAIL = Mail(
    kind="sign-up",
    to="ann@example.com",
    sender="Shop <shop@example.com>",
    subject="Your code",
    text="The code is 123456.\n",
    html="<p>The code is <b>123456</b>.</p>\n",
    key="effect-1",
    template="auth-sign-up",
    code="123456",
    url="https://example.com/auth/verify#t=abc",
    token="abc",
    username="Ann",
    locale="de",
)


def test_the_console_shows_what_a_developer_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Address, subject, code and link stand on standard error."""
    ConsoleMailer().send(MAIL)

    shown = capsys.readouterr()

    assert shown.out == ""
    for text in ("ann@example.com", "Your code", "123456", "https://example.com/auth/verify#t=abc"):
        assert text in shown.err


def test_the_console_prints_no_line_of_a_strangers() -> None:
    """O3: control characters from input start no line and move no cursor."""
    stream = io.StringIO()

    ConsoleMailer(stream).send(replace(MAIL, to="a@b.c\n\x1b[2Jmail to root", subject="x\r\ny\u2028z", code=None))

    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()


def test_a_callable_gets_the_mail_and_answers() -> None:
    """A function of the application gets the typed mail; what it answers is handed on to be awaited."""
    seen: list[Mail] = []

    async def send(mail: Mail) -> None:
        seen.append(mail)

    answer = CallableMailer(send).send(MAIL)

    assert answer is not None
    with pytest.raises(StopIteration):
        answer.__await__().send(None)
    assert seen == [MAIL]


def test_memory_keeps_mails_in_order() -> None:
    """A test reads the mails from a list."""
    mailer = MemoryMailer()

    for number in range(3):
        mailer.send(replace(MAIL, key=str(number)))

    assert [mail.key for mail in mailer.mails] == ["0", "1", "2"]


def test_a_file_gets_a_line_of_json_for_each_mail(tmp_path: Path, clock: FrozenClock) -> None:
    """Each line has exactly to, kind, code, link, at and key; nobody but its owner reads the file."""
    path = tmp_path / "mails"
    mailer = FileMailer(path, clock)

    mailer.send(MAIL)
    mailer.send(replace(MAIL, code=None, url=None, to="b\n@example.com"))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "channel": "mail",
        "to": "ann@example.com",
        "kind": "sign-up",
        "event": None,
        "code": "123456",
        "link": "https://example.com/auth/verify#t=abc",
        "token": "abc",
        "username": "Ann",
        "locale": "de",
        "at": "2030-01-01T00:00:00Z",
        "key": "effect-1",
    }
    assert [lines[1][name] for name in ("to", "code", "link")] == ["b\n@example.com", None, None]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_of_many_writers_stay_whole(tmp_path: Path, clock: FrozenClock) -> None:
    """Threads and processes that append at once cut no line in two."""
    path = tmp_path / "mails"

    threads = [
        threading.Thread(target=lambda: [FileMailer(path, clock).send(MAIL) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 200


BOTH = pytest.mark.parametrize("kind", [SmtpMailer, AsyncSmtpMailer])


def hand_over(mailer: SmtpMailer, mail: Mail) -> None:
    """Send as the outbox's thread does: what answers an awaitable is awaited."""
    answer: Any = mailer.send(mail)
    if answer is not None:

        async def awaited() -> None:
            await answer

        asyncio.run(awaited())


@BOTH
def test_smtp_sends_text_and_html(
    smtp: Callable[..., tuple[int, list[bytes]]], clock: FrozenClock, kind: type[SmtpMailer]
) -> None:
    """A server gets one message of two alternatives, from and to the right addresses, in its language."""
    port, got = smtp()

    hand_over(kind("127.0.0.1", clock=clock, port=port, security="none"), MAIL)

    lines = b"".join(got)
    assert b"mail from:<shop@example.com>" in lines.lower()
    assert b"rcpt to:<ann@example.com>" in lines.lower()
    message = message_from_bytes(re.split(rb"(?i)^data\r\n", lines, flags=re.MULTILINE)[1], policy=SMTP)
    assert message["Subject"] == "Your code"
    assert message["Content-Language"] == "de"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_every_try_has_the_same_message_id(clock: FrozenClock) -> None:
    """A mail that goes out twice under one key is one mail to those who look at its Message-ID."""
    mailer = SmtpMailer("127.0.0.1", clock=clock)

    first, again, other = (mailer.message(mail) for mail in (MAIL, MAIL, replace(MAIL, key="effect-2")))

    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["Message-ID"].endswith("@example.com>")
    assert first["Date"] == "Tue, 01 Jan 2030 00:00:00 +0000"


def test_a_subject_adds_no_header(clock: FrozenClock) -> None:
    """Line breaks in a subject become blanks."""
    message = SmtpMailer("127.0.0.1", clock=clock).message(replace(MAIL, subject="Hi\r\nBcc: eve@example.com"))

    assert message["Bcc"] is None
    assert message["Subject"] == "Hi Bcc: eve@example.com"


@pytest.mark.parametrize(
    "to", ["ann@example.com\r\nBcc: eve@example.com", "ann@example.com, eve@example.com", "ann", ""]
)
def test_an_address_is_one_address(clock: FrozenClock, to: str) -> None:
    """A mail goes to exactly one address or not at all."""
    with pytest.raises(ValueError, match="not one address"):
        SmtpMailer("127.0.0.1", clock=clock).message(replace(MAIL, to=to))


@BOTH
def test_a_server_without_tls_is_not_spoken_to(
    smtp: Callable[..., tuple[int, list[bytes]]], clock: FrozenClock, kind: type[SmtpMailer]
) -> None:
    """STARTTLS is demanded: a server that does not offer it, or somebody who hides the offer, gets no mail."""
    port, got = smtp()

    with pytest.raises((smtplib.SMTPNotSupportedError, SMTPException), match="STARTTLS"):
        hand_over(kind("127.0.0.1", clock=clock, port=port, username="u", password="secret"), MAIL)

    assert not {b"auth", b"mail", b"data"} & {line[:4].lower() for line in got}


@BOTH
def test_a_rude_farewell_is_no_failure(smtp: Callable[..., tuple[int, list[bytes]]], kind: type[SmtpMailer]) -> None:
    """Once the server has taken the mail, a broken goodbye does not have it sent again."""
    port, got = smtp(farewell=b"500 what?\r\n")

    hand_over(kind("127.0.0.1", port=port, security="none"), MAIL)

    assert got[-1].lower() == b"quit\r\n"


@BOTH
def test_a_certificate_that_nobody_vouches_for_is_refused(
    smtp: Callable[..., tuple[int, list[bytes]]], clock: FrozenClock, tls: Any, kind: type[SmtpMailer]
) -> None:
    """The server has to prove its name; with its authority trusted, the same mail goes out."""
    port, got = smtp(tls.server)

    with pytest.raises((ssl.SSLCertVerificationError, SMTPException), match=r"(?i)certificate"):
        hand_over(kind("127.0.0.1", clock=clock, port=port, security="tls"), MAIL)
    hand_over(kind("127.0.0.1", clock=clock, port=port, security="tls", context=tls.client), MAIL)

    assert b"Subject: Your code" in b"".join(got)


@pytest.mark.parametrize(
    "credentials", [{"username": "u", "password": "secret"}, {"username": "u"}], ids=["both", "user"]
)
def test_credentials_never_travel_in_the_clear(clock: FrozenClock, credentials: dict[str, str]) -> None:
    """Credentials without TLS are refused when they are declared."""
    with pytest.raises(ConfigurationError, match="starttls"):
        SmtpMailer("127.0.0.1", clock=clock, security="none", **credentials)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"security": "STARTTLS"}, "security=…"),
        ({"security": "ssl"}, "security=…"),
        ({"security": None}, "security=…"),
        ({"port": "587"}, "port=…"),
        ({"port": 0}, "port=…"),
        ({"port": 65536}, "port=…"),
        ({"port": True}, "port=…"),
        ({"host": ""}, "host=…"),
        ({"host": " "}, "host=…"),
        ({"host": None}, "host=…"),
        ({"host": "mail\r\nQUIT"}, "host=…"),
        ({"timeout": 0}, "timeout=…"),
        ({"timeout": -1}, "timeout=…"),
        ({"timeout": None}, "timeout=…"),
        ({"timeout": float("nan")}, "timeout=…"),
        ({"timeout": float("inf")}, "timeout=…"),
        ({"username": 5, "password": "secret"}, "username=…"),
        ({"username": "u", "password": b"secret"}, "password=…"),
        ({"password": "secret"}, "username=…"),
    ],
)
def test_a_server_that_cannot_work_is_refused_when_it_is_declared(settings: dict[str, Any], says: str) -> None:
    """O1: a misspelt `security` would have meant no TLS at all; each setting is named, and no password shown."""
    with pytest.raises(ConfigurationError) as caught:
        SmtpMailer(**{"host": "127.0.0.1", **settings})

    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@BOTH
def test_an_address_is_not_decoded(smtp: Callable[..., tuple[int, list[bytes]]], kind: type[SmtpMailer]) -> None:
    """A mail goes to the address as it was given: what looks encoded in it (RFC 2047) is nobody else's address."""
    port, got = smtp()
    mail = replace(MAIL, to="=?utf-8?q?victim?=@corp.example", sender="=?utf-8?q?shop?= <shop@example.com>")

    hand_over(kind("127.0.0.1", port=port, security="none"), mail)

    envelope = [line for line in got if line.lower().startswith((b"mail from", b"rcpt to"))]
    assert [line.split()[1] for line in envelope] == [
        b"FROM:<shop@example.com>",
        b"TO:<=?utf-8?q?victim?=@corp.example>",
    ]


def test_secrets_stay_out_of_reprs(clock: FrozenClock) -> None:
    """O3: neither a mail's code nor a server's password is shown by repr."""
    mailer = SmtpMailer("127.0.0.1", clock=clock, username="u", password="hunter2hunter2")

    assert "hunter2" not in repr(mailer)
    assert "123456" not in repr(MAIL)


@pytest.fixture
def smtp() -> Iterator[Callable[..., tuple[int, list[bytes]]]]:
    """Answer a function that starts a small SMTP server and answers its port and the lines it gets."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(context: ssl.SSLContext | None = None, farewell: bytes = b"221 bye\r\n") -> tuple[int, list[bytes]]:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(10)
        sockets.append(listening)
        got: list[bytes] = []
        threads.append(threading.Thread(target=_serve, args=(listening, context, farewell, got), daemon=True))
        threads[-1].start()
        return listening.getsockname()[1], got

    yield start
    for listening in sockets:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
    for thread in threads:
        thread.join(10)


def _serve(listening: socket.socket, context: ssl.SSLContext | None, farewell: bytes, got: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                _talk(context.wrap_socket(connection, server_side=True) if context else connection, farewell, got)
            except (ssl.SSLError, ConnectionError):
                continue


def _talk(connection: socket.socket, farewell: bytes, got: list[bytes]) -> None:
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 here\r\n")
        in_data = False
        for line in lines:
            got.append(line)
            if in_data and line != b".\r\n":
                continue
            in_data = line.upper().startswith(b"DATA")
            if line.upper().startswith(b"QUIT"):
                connection.sendall(farewell)
                return
            connection.sendall(b"354 go on\r\n" if in_data else b"250 fine\r\n")
