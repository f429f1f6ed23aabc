"""Serve an adapter over real HTTP on loopback, for tests from outside.

`python -m authcore_conformance.target --adapter flask --port 0 --database URL --mailbox FILE --clock FILE`

Its first line on standard output is the base URL, mount prefix included, printed once it answers. Each mail is a line
of JSON in the mailbox: `to`, `kind`, `code`, `link`, `at`, `key`, beside `channel` ("mail"), `token`, `event`,
`username` and `locale`; so is a text message, whose `channel` is "sms" and which has `text`. The clock's file holds
seconds by which its time is shifted, read at each request. With `--smtp` mails go to a server by SMTP instead, and
the file gets the text messages alone. It ends at SIGTERM, its workers with it; a server that is killed (SIGKILL) is
replaced.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from authcore import Auth, AuthError, ConfigurationError
from authcore_conformance.target_apps import ADAPTERS, ENVIRONMENT, Options, declaration
from authcore_conformance.target_server import GRACEFUL, WSGI

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PREFIX = "/auth"
STARTING = 30.0  # seconds in which the first answer must come
SERVER = (sys.executable, "-m", "authcore_conformance.target_server")
"""How a server is started; what it is told stands behind it."""


class Parser(argparse.ArgumentParser):
    """Say in one sentence what is wrong, and end with status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence."""
        self.exit(2, f"target: {message.rstrip('.')}.\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or an interrupt, then end with status 0."""
    parser = _parser()
    given = parser.parse_args(arguments)
    _check(parser, given)
    with _listen(parser, given.host, given.port) as listening:
        options = _options(given, listening)
        _create_tables(parser, options)
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        with _serving(options, listening, given.workers) as servers:
            _wait_for_answer(options.base_url, servers)
            print(options.base_url + PREFIX, flush=True)
            _keep_up(servers)


# --- what it is told ---


def _parser() -> Parser:
    parser = Parser(
        prog="authcore_conformance.target",
        description="Serve an adapter over HTTP on loopback, for tests.",
        allow_abbrev=False,
    )
    parser.add_argument("--adapter", choices=tuple(ADAPTERS), required=True)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; any other is refused")
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument("--database", required=True, metavar="URL", help="sqlite:///FILE or postgresql://…")
    parser.add_argument("--mailbox", type=Path, required=True, metavar="FILE", help="each mail is appended to it")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="holds the seconds by which time is shifted")
    parser.add_argument("--limits", choices=("default", "off"), default="default")
    parser.add_argument("--hash", choices=("default", "cheap"), default="default")
    parser.add_argument("--workers", type=_workers, default=1, metavar="N", help="processes that serve")
    parser.add_argument("--grace", type=_seconds, default=10.0, metavar="SECONDS", help="of a replaced refresh token")
    parser.add_argument("--transport", choices=("cookie", "bearer", "both"), default="both")
    parser.add_argument("--smtp", type=_smtp, metavar="HOST:PORT", help="a server that takes the mails, without TLS")
    parser.add_argument("--usernames", action="store_true", help="let usernames name users, too")
    parser.add_argument("--email-code", action="store_true", help="ask a mailed code after each password")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _smtp(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not _port(port):
        raise argparse.ArgumentTypeError(f"{text!r} is no server: write its host and port, such as 127.0.0.1:1025")
    return text


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: give one from 1 to 64")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = timedelta(seconds=float(text)).total_seconds()
    except (OverflowError, ValueError):  # of what is infinite, too large or no number
        seconds = -1.0
    if seconds < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds, 0 or more")
    return seconds


def _check(parser: Parser, given: argparse.Namespace) -> None:
    if given.host not in LOOPBACK:
        parser.error(
            f"{given.host} is not loopback: the target's secret is known to all, so it serves this machine alone"
        )
    server = "gunicorn" if given.adapter in WSGI else "uvicorn"
    for module in (f"authcore_{given.adapter}", server):
        if not find_spec(module):
            parser.error(f"{module} is not installed")
    for name in ("mailbox", "clock"):
        file: Path | None = getattr(given, name)
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            parser.error(f"--{name} {file} must be a file in a folder that exists")
    _check_clock(parser, given.clock)
    _check_database(parser, given.database)


def _check_clock(parser: Parser, file: Path | None) -> None:
    try:
        if file is not None:
            timedelta(seconds=float(file.read_text(encoding="utf-8")))
    except OSError as error:
        parser.error(f"--clock {file} cannot be read ({error.strerror}): write the seconds into it, such as 0")
    except (OverflowError, ValueError):  # the latter of bytes that are no text, too
        parser.error(f"--clock {file} holds no number of seconds: write one into it, such as 0")


def _check_database(parser: Parser, text: str) -> None:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        parser.error("--database is no URL: write sqlite:////tmp/target.db or postgresql://user@127.0.0.1/name")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        parser.error(f"--database names {url.get_backend_name()}: the target serves SQLite and PostgreSQL")
    if url.get_backend_name() == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        parser.error("--database names no file, and workers share no memory: write sqlite:////tmp/target.db")


def _options(given: argparse.Namespace, listening: socket.socket) -> Options:
    host = f"[{given.host}]" if ":" in given.host else given.host
    return Options(
        adapter=given.adapter,
        database=given.database,
        mailbox=str(given.mailbox.absolute()),
        base_url=f"http://{host}:{listening.getsockname()[1]}",
        clock=str(given.clock.absolute()) if given.clock else None,
        limits=given.limits == "default",
        cheap=given.hash == "cheap",
        grace=given.grace,
        transport=given.transport,
        smtp=given.smtp,
        usernames=given.usernames,
        email_code=given.email_code,
    )


# --- before it serves ---


def _listen(parser: Parser, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        parser.error(f"port {port} of {host} cannot be had ({error.strerror})")


def _create_tables(parser: Parser, options: Options) -> None:
    try:
        auth = Auth(**declaration(options))
        try:
            auth.create_tables()
        finally:
            auth.dispose()
    except ConfigurationError as error:
        parser.error(str(error))
    except AuthError as error:
        parser.error(f"--database: {error.message}")


# --- while it serves ---


@dataclass
class Servers:
    """Processes that serve on one socket; `workers` is how many each of them forks."""

    options: Options
    listening: socket.socket
    workers: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        return subprocess.Popen(
            [
                *SERVER,
                *(self.options.adapter, str(self.listening.fileno()), str(self.workers), str(os.getpid())),
            ],
            env={**os.environ, ENVIRONMENT: msgspec.json.encode(self.options).decode()},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # the first line of ours is the address
            pass_fds=[self.listening.fileno()],
            start_new_session=True,
        )

    def ended(self) -> Iterator[tuple[int, int]]:
        """Answer the place and the status of each that has ended."""
        for place, server in enumerate(self.running):
            if (status := server.poll()) is not None:
                yield place, status

    def end(self) -> None:
        """End all of them, those that do not end by themselves with their workers."""
        for server in self.running:
            server.terminate()
        for server in self.running:
            try:
                server.wait(GRACEFUL + 3)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


@contextmanager
def _serving(options: Options, listening: socket.socket, workers: int) -> Iterator[Servers]:
    """Serve in processes of their own, and end them all on the way out."""
    processes, each = (1, workers) if options.adapter in WSGI else (workers, 1)
    servers = Servers(options, listening, each)
    try:
        for _ in range(processes):
            servers.running.append(servers.start())
        yield servers
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        servers.end()


def _wait_for_answer(base_url: str, servers: Servers) -> None:
    until = time.monotonic() + STARTING
    while not _answers(base_url):
        for _, status in servers.ended():
            _give_up(status)
        if time.monotonic() > until:
            sys.exit(f"target: no answer came within {STARTING:.0f} seconds.")
        time.sleep(0.05)


def _answers(base_url: str) -> bool:
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", PREFIX + "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _keep_up(servers: Servers) -> NoReturn:
    """Replace those that were killed from outside, as a supervisor does; leave if one ends by itself."""
    while True:
        for place, status in servers.ended():
            if status != -signal.SIGKILL:
                _give_up(status)
            servers.running[place] = servers.start()
        time.sleep(0.2)


def _give_up(status: int) -> NoReturn:
    sys.exit(f"target: a server ended with status {status}.")


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
