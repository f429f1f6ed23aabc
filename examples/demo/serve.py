"""Serve one of the example applications on loopback: `python examples/demo/serve.py --framework flask --port 8000`."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

EXAMPLES = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
FRAMEWORKS = ("flask", "fastapi", "django", "litestar")
Serve = Callable[[Any, socket.socket], None]


class Parser(argparse.ArgumentParser):
    """Say in one sentence what is wrong, and end with status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence."""
        self.exit(2, f"demo: {message.rstrip('.')}.\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until it is interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for module in (f"authcore_{options.framework}", "phonenumbers"):
        if not find_spec(module):
            parser.error(f"{module} is not installed: run make demo FRAMEWORK={options.framework}")
    listening = _listen(parser, options.port)
    database = _database(parser, options.database or EXAMPLES / "data" / f"{options.framework}.db")
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    _environment(database, address)
    app, serve = _application(options.framework)
    print(_welcome(options.framework, address, database), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # unless the server has a way of its own
    try:
        serve(app, listening)
    except KeyboardInterrupt:
        print()


def _parser() -> Parser:
    parser = Parser(description="Serve an example application on loopback.", allow_abbrev=False)
    parser.add_argument("--framework", choices=FRAMEWORKS, default="flask")
    parser.add_argument("--port", type=_port, default=8000, help="0 takes a free one")
    parser.add_argument("--database", type=Path, help="the SQLite file; the mailbox and the secret stand beside it")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _database(parser: Parser, path: Path) -> Path:
    """Answer the file's absolute path; its folder is made, and what is there must be SQLite's."""
    path = path.absolute()
    if path.is_dir():
        parser.error(f"{path} is a folder: give --database a file")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # mails and tokens hold secrets
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA schema_version")
        connection.close()
    except sqlite3.Error as error:
        parser.error(f"{path} cannot be used as a SQLite database ({error}): give --database another file")
    except OSError as error:
        parser.error(f"{path.parent} cannot hold the database ({error.strerror}): give --database another place")
    return path


def _listen(parser: Parser, port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        parser.error(f"port {port} of {HOST} cannot be had ({reason}): choose another one (make demo PORT=…)")


def _environment(database: Path, address: str) -> None:
    """Say where things are, as the applications read it, and work beside the database: the secret is kept there."""
    os.environ["DATABASE_URL"] = f"sqlite:///{database}"
    os.environ["BASE_URL"] = address
    os.environ["MAILBOX"] = str(database.with_suffix(".mails.jsonl"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_app.settings"
    os.chdir(database.parent)
    sys.path[0] = str(EXAMPLES)


def _application(framework: str) -> tuple[Any, Serve]:
    """Answer the application and what serves it."""
    if framework == "django":
        return _django(), serve_wsgi
    app = importlib.import_module(f"{framework}_app.app").app
    return app, serve_wsgi if framework == "flask" else serve_asgi


def _django() -> Any:
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.db import connections

    app = get_wsgi_application()
    call_command("migrate", verbosity=0)
    connections.close_all()
    return app


# --- servers ---


def serve_asgi(app: Any, listening: socket.socket) -> None:
    """Serve by uvicorn, which by default would believe any local program's forwarding headers."""
    import uvicorn

    config = uvicorn.Config(app, proxy_headers=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


def serve_wsgi(app: Any, listening: socket.socket) -> None:
    """Serve by the standard library, a thread a request."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Leave the terminal to what the demo prints."""

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = Threaded((HOST, 0), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_name, server.server_port = listening, HOST, listening.getsockname()[1]
    server.setup_environ()
    server.set_app(app)
    server.serve_forever()


# --- what it prints ---


def _welcome(framework: str, address: str, database: Path) -> str:
    return f"""\
The demo runs on {framework} at {address}
  page     {address}/
  mailbox  {address}/mailbox
  data     {database}
The same from a shell, line by line:{_curl(address, database.parent)}
Ctrl+C ends it; the data stay."""


def _curl(address: str, folder: Path) -> str:
    """Answer four lines that sign up, read the mail, enter the code and open the guarded route.

    What one line needs of another's answer it reads from a file beside the database.
    """
    email = f"ada-{os.urandom(3).hex()}@example.com"
    lines = CURL.replace("URL", address).replace("EMAIL", email).rstrip()
    for name in ("sign-up.json", "mails.json", "tokens.json"):
        lines = lines.replace(f"DATA/{name}", shlex.quote(str(folder / name)))
    return lines


CURL = r"""
  curl -sw '\n' URL/auth/sign-up -H 'Content-Type: application/json' -d '{"email": "EMAIL", "password": "four words without sense", "transport": "bearer"}' | tee DATA/sign-up.json; sleep 1
  curl -s URL/mailbox/mails -o DATA/mails.json; grep -oE '"(to|subject|code)": ?"[^"]*"' DATA/mails.json | head -n 3
  curl -sw '\n' URL/auth/sign-up/verify -H 'Content-Type: application/json' -d "{\"challenge_id\": \"$(grep -o 'ac1_ch_[A-Za-z0-9_-]*' DATA/sign-up.json)\", \"code\": \"$(grep -o '"[0-9]\{6\}"' DATA/mails.json | head -n 1 | tr -d '"')\", \"transport\": \"bearer\"}" | tee DATA/tokens.json
  curl -sw '\n' URL/hello -H "Authorization: Bearer $(grep -o 'ac1_at_[A-Za-z0-9_-]*' DATA/tokens.json)"
"""  # noqa: E501 - a line of a shell stays one line


if __name__ == "__main__":
    main()
