"""What the adapter's tests share: a declaration over a SQLite file, and an application that mounts it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from authcore import Auth, Password
from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer
from authcore_flask import AuthCore

PASSWORD = "a passphrase of some length"
ORIGIN = {"Origin": "http://localhost"}

Declare = Callable[..., Auth]


@pytest.fixture
def declare(tmp_path: Path) -> Iterator[Declare]:
    """Answer a way to declare an Auth over a file of its own; all are closed at the end."""
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
        made.append(Auth(**{**base, **settings}))
        return made[-1]

    yield make
    for auth in made:
        auth.dispose()


@pytest.fixture
def auth(declare: Declare) -> Auth:
    """Answer a declaration whose sign-up makes a session at once."""
    return declare()


@pytest.fixture
def app(auth: Auth) -> Flask:
    """Answer an application that mounts it."""
    app = Flask(__name__)
    AuthCore(app, auth)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Answer a client that keeps cookies, signed out."""
    return app.test_client()


@pytest.fixture
def sign_up() -> Callable[..., dict[str, Any]]:
    """Answer a way to sign a client up; it answers the body."""

    def sign_up(client: FlaskClient, email: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, **fields}
        answer = client.post("/auth/sign-up", json=body, headers=ORIGIN)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    return sign_up


@pytest.fixture
def lookups() -> Iterator[list[str]]:
    """Collect the statements that ask whose a credential is."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT") and "authcore_access" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)
