"""The command line as a process of its own, and mounted for one Auth."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authcore import Auth
from authcore.cli import bound

APPLICATION = """
import json, os
from authcore import Auth, Password

def send(mail):
    with open("mails.jsonl", "a") as file:
        file.write(json.dumps([mail.to, mail.code]) + chr(10))

def make():
    return Auth(
        secret=os.environ.get("SECRET", "a secret of these tests, long enough"),
        base_url="https://example.com",
        database=os.environ.get("DATABASE", "sqlite:///app.db"),
        mailer=send,
        outbox="external",
        features=[Password(min_length=int(os.environ.get("MIN_LENGTH", "15")))],
    )

class Wsgi:
    def __call__(self, environ, start_response):
        raise AssertionError("a command is no request")

auth = make()
wsgi = Wsgi()
number = 3
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Mounted = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an application: `app:auth` is its Auth, `app:make` makes one."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of the command, without a word about authcore."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTHCORE_")}
    return {**clean, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"}


@pytest.fixture
def authcore(folder: Path, environment: dict[str, str]) -> Run:
    """Run `authcore …` in the application's folder; keywords are variables of its environment."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "authcore", *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def mounted() -> Mounted:
    """Run a command of the group that a framework mounts for an Auth."""

    def run(auth: Auth, *arguments: str) -> Result:
        result = CliRunner().invoke(bound(auth), arguments)
        # SystemExit is a command's own way to end; anything else is a fault.
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
