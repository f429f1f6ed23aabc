"""Several guards on one application, each as an object, and as a need of a view."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from flask import Flask, Response, jsonify, request
from named_guards import NamedGuards, guards
from werkzeug.test import TestResponse

from authcore import Auth, ConfigurationError
from authcore_flask import AuthCore, current_user, guard, require, set_cookies


class Answer:
    """An answer as httpx has it."""

    def __init__(self, answer: TestResponse) -> None:
        self.status_code, self.headers, self.text = answer.status_code, answer.headers, answer.text
        self.json = answer.get_json


class Fresh:
    """A client that keeps no cookies."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **how: Any) -> Answer:
        """Send a GET."""
        return Answer(self.app.test_client(use_cookies=False).get(path, **how))

    def post(self, path: str, **how: Any) -> Answer:
        """Send a POST."""
        return Answer(self.app.test_client(use_cookies=False).post(path, **how))


@pytest.fixture
def client(declare: Callable[..., Auth]) -> Fresh:
    """Answer a client of an application with three guards."""
    app = Flask(__name__)
    app.testing = True
    AuthCore(app, declare(guards=guards()))

    @app.get("/who/<name>")
    def who(name: str) -> dict[str, Any]:
        asked = guard(name)
        user = asked.user()
        return {"email": user.email if user else None, "check": asked.check(), "guest": asked.guest()}

    @app.post("/enter/<name>")
    def enter(name: str) -> Response:
        made = guard(name).attempt(**request.get_json())
        email = made.user.email if made.user else None
        return set_cookies(jsonify(succeeded=made.succeeded, email=email, token=made.access_token), made)

    @app.post("/leave/<name>")
    def leave(name: str) -> Response:
        ended = guard(name).logout()
        return set_cookies(jsonify(ended=ended is not None), ended)

    @app.post("/vouch")
    def vouch() -> dict[str, Any]:
        made = guard("api").login(request.get_json()["id"], amr=("pwd",), scopes=["read"])
        return {"token": made.access_token}

    @app.get("/api")
    @require(guard="api")
    def api() -> dict[str, Any]:
        again = guard().user()
        return {"email": current_user.email, "again": again.email if again else None}

    @app.get("/keys")
    @require(guard="keys")
    def keys() -> dict[str, Any]:
        return {"email": current_user.email}

    @app.get("/scoped")
    @require(guard="api", scopes="read write")
    def scoped() -> dict[str, Any]:
        return {"email": current_user.email}

    @app.get("/either")
    @require(guard=["web", "api"], optional=True)
    def either() -> dict[str, Any]:
        return {"email": current_user.email if current_user else None}

    return Fresh(app)


class TestNamedGuards(NamedGuards):
    """What every adapter does alike."""

    origin: ClassVar = {"Origin": "http://localhost"}


def test_a_guard_that_is_not_there(client: Fresh) -> None:
    """S17: a misspelt guard is the application's mistake, said with the names that exist."""
    with pytest.raises(ConfigurationError, match=r"There is no guard 'app'"):
        client.get("/who/app")
