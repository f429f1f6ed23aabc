"""`authcore outbox run`: sends what waits, until it is told to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth

Mounted = Callable[..., Result]
SECONDS = 30


def test_once_sends_what_is_due(auth: Callable[..., Auth], mounted: Mounted, client: Any, mailer: Any) -> None:
    """`--once` sends what is due and ends."""
    application = auth()
    client(application).post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})

    sent, again = mounted(application, "outbox", "run", "--once"), mounted(application, "outbox", "run", "--once")

    assert (sent.exit_code, sent.output) == (0, "Handled: 1.\n")
    assert again.output == "Handled: 0.\n"
    assert [mail.to for mail in mailer.mails] == ["ada@example.com"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_sends_until_a_signal(
    folder: Path, environment: dict[str, str], authcore: Any, number: signal.Signals
) -> None:
    """A sender started beside the application sends what comes, and ends with status 0 at the first signal."""
    authcore("db", "upgrade", "--app", "app:auth")
    command = [sys.executable, "-m", "authcore", "outbox", "run", "--app", "app:auth"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None
            begun = sender.stdout.readline()
            _sign_up(folder)
            mails = _wait_for(folder / "mails.jsonl")

            sender.send_signal(number)
            rest, _ = sender.communicate(timeout=SECONDS)
        finally:
            sender.kill()

    assert begun == "Sending until it is stopped.\n"
    assert [json.loads(line)[0] for line in mails.splitlines()] == ["ada@example.com"]
    assert rest == "Stopped; what is left waits for the next run.\n"
    assert sender.returncode == 0


def test_an_absent_database_ends_no_sender(folder: Path, environment: dict[str, str]) -> None:
    """A sender whose database is not ready says so on stderr, and goes on."""
    command = [sys.executable, "-m", "authcore", "outbox", "run", "--app", "app:auth"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as sender:
        try:
            assert sender.stderr is not None
            said = sender.stderr.readline()
            alive = sender.poll() is None

            sender.send_signal(signal.SIGTERM)
            sender.communicate(timeout=SECONDS)
        finally:
            sender.kill()

    assert "`authcore db upgrade` makes it" in said
    assert [path.name for path in folder.iterdir()] == ["app.py"]
    assert alive
    assert sender.returncode == 0


def _sign_up(folder: Path) -> None:
    """Put a mail into the outbox from this process."""
    from authcore import Password, Request, join_headers

    auth = Auth(
        secret="a secret of these tests, long enough",
        base_url="https://example.com",
        database=f"sqlite:///{folder / 'app.db'}",
        mailer=print,
        outbox="external",
        features=[Password()],
    )
    body = json.dumps({"email": "ada@example.com", "password": "three quiet herons wade"}).encode()
    headers = join_headers([("content-type", "application/json")])
    answered = auth.blocking_core().dispatch(Request("POST", "/sign-up", body, headers, "203.0.113.7"))
    auth.dispose()
    assert answered.status == 202


def _wait_for(path: Path) -> str:
    until = time.monotonic() + SECONDS
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < until, "no mail was sent"
        time.sleep(0.05)
    return path.read_text()
