"""pytest fixtures for an application's own tests, and for an adapter's: bring in what you need by importing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from authcore.app import Auth
from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer
from authcore.features.password import Password

Declare = Callable[..., Auth]


@pytest.fixture
def auth_settings() -> dict[str, Any]:
    """Answer settings that every declaration gets; override it to set some."""
    return {}


@pytest.fixture
def declare(tmp_path: Path, auth_settings: dict[str, Any]) -> Iterator[Declare]:
    """Answer a way to declare an Auth over a SQLite file of its own, with cheap hashes; all are closed at the end.

    Its mails stand in `auth.mailer.mails` after `auth.outbox.drain()`.
    """
    made: list[Auth] = []

    def make(**settings: Any) -> Auth:
        base = {
            "dev_mode": True,
            "secret": "0123456789abcdefghijklmnopqrstuvwxyz",
            "database": f"sqlite:///{tmp_path}/{len(made)}.db",
            "features": [Password(require_code=False)],
            "hashing": CHEAP,
            "mailer": MemoryMailer(),
            "outbox": "external",
        }
        made.append(Auth(**{**base, **auth_settings, **settings}))
        return made[-1]

    yield make
    for auth in made:
        auth.dispose()


@pytest.fixture
def auth(declare: Declare) -> Auth:
    """Answer a declaration whose sign-up makes a session at once."""
    return declare()


@pytest.fixture
def lookups() -> Iterator[list[str]]:
    """Collect the statements that ask whose a credential is: a request should make one at most."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT") and "authcore_access" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)
