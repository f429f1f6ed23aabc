"""What the adapter's tests share: a declaration over a SQLite file, and an application that mounts it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authcore import Auth
from authcore.testing import fixtures
from authcore_flask import AuthCore

auth, declare, lookups = fixtures.auth, fixtures.declare, fixtures.lookups
auth_settings = fixtures.auth_settings
PASSWORD = "a passphrase of some length"
ORIGIN = {"Origin": "http://localhost"}


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
