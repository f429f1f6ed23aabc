"""What the adapter's tests share: one Django project, on SQLite and on PostgreSQL, under WSGI and under ASGI."""

import asyncio
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, unquote_to_bytes

import django
import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from authcore.testing import fixtures

sys.path.insert(0, str(Path(__file__).parent / "project"))
os.environ["DJANGO_SETTINGS_MODULE"] = "authcore_project.settings"
django.setup()

lookups = fixtures.lookups
PASSWORD = "a passphrase of some length"
ORIGIN = "http://testserver"
Headers = Sequence[tuple[str, str]]
migrated: dict[str, bool] = {}


@pytest.fixture(scope="session", autouse=True)
def sqlite() -> Iterator[str]:
    """Migrate a SQLite file, and remove it at the end."""
    from authcore_project.settings import FOLDER
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0, run_syncdb=True)
    migrated["default"] = True
    yield "default"
    connections.close_all()
    shutil.rmtree(FOLDER)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Migrate a PostgreSQL database of this run's own, and drop it at the end."""
    from django.core.management import call_command
    from django.db import connections

    name = connections["postgres"].settings_dict["NAME"]
    on_server(f'CREATE DATABASE "{name}"')
    call_command("migrate", database="postgres", verbosity=0, run_syncdb=True)
    migrated["postgres"] = True
    yield "postgres"
    connections["postgres"].close()
    on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def on_server(statement: str) -> None:
    """Run a statement beside the tests' databases; skip without a server, fail in CI."""
    from authcore_project.settings import SERVER

    engine = create_engine(
        SERVER.set(drivername="postgresql+psycopg"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except OperationalError as error:
        sentence = f"PostgreSQL does not answer ({type(error.orig).__name__}): start it, or set AUTHCORE_TEST_POSTGRES."
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)


@pytest.fixture(params=["sqlite", "postgres"])
def alias(request: pytest.FixtureRequest) -> str:
    """Answer the alias of a migrated database, of each kind."""
    found: str = request.getfixturevalue(request.param)
    return found


class Declare(Protocol):
    """Override settings until the end of the test; lower-case names are AUTHCORE's."""

    def __call__(self, **changes: Any) -> None: ...


@pytest.fixture
def declare() -> Iterator[Declare]:
    """Answer a way to override settings; all rows of authcore's go at the end."""
    from authcore_project.settings import AUTHCORE
    from django.test import override_settings

    active: list[override_settings] = []

    def declare(**changes: Any) -> None:
        own = {name: value for name, value in changes.items() if name.islower()}
        rest = {name: value for name, value in changes.items() if name.isupper()}
        override = override_settings(AUTHCORE={**AUTHCORE, **own}, **rest)
        override.enable()
        active.append(override)

    yield declare
    for override in reversed(active):
        override.disable()


@pytest.fixture(autouse=True)
def empty(sqlite: str) -> Iterator[None]:
    """Remove every row of every migrated database at the end."""
    yield
    from django.apps import apps
    from django.db import connections, transaction

    for alias in connections:
        if migrated.get(alias) and not connections[alias].in_atomic_block:  # a TestCase rolls back itself
            with transaction.atomic(using=alias):
                for model in apps.get_models():
                    model._base_manager.using(alias).all().delete()
            connections[alias].close()


@pytest.fixture
def unmigrated() -> Iterator[str]:
    """Answer the alias of a SQLite database without tables, whose settings have no OPTIONS."""
    from django.db import connections

    yield "bare"
    connections["bare"].close()
    for file in Path(connections["bare"].settings_dict["NAME"]).parent.glob("bare.db*"):
        file.unlink()


@pytest.fixture
def bare(unmigrated: str) -> str:
    """Answer the same, migrated."""
    from django.core.management import call_command

    call_command("migrate", database=unmigrated, verbosity=0)
    return unmigrated


@pytest.fixture
def project(alias: str, declare: Declare) -> str:
    """Answer the alias of the database on which the project runs."""
    declare(database_alias=alias)
    return alias


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every view of the project in a transaction."""
    from django.db import connections

    for alias in connections:
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)


class Answer:
    """What came back from a raw call."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, list(headers), body

    def all(self, name: str) -> list[str]:
        """Answer every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        """Answer the body's value."""
        return json.loads(self.body)

    @property
    def code(self) -> tuple[int, str]:
        """Answer the status and the code of a failure."""
        return self.status, self.json["error"]["code"]


class Ask(Protocol):
    """Send one request to the project, in the mode of the test."""

    mode: str

    def __call__(self, method: str, target: str, headers: Headers = (), body: Any = b"") -> Answer: ...


class Wsgi:
    """Django under WSGI."""

    mode = "wsgi"

    def __call__(self, method: str, target: str, headers: Headers = (), body: Any = b"", **extra: Any) -> Answer:
        """Send a request as a server does; `extra` goes into the environ."""
        from django.core.handlers.wsgi import WSGIHandler

        raw, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "203.0.113.9",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(encoded(body)),
            "wsgi.errors": sys.stderr,
            **({"CONTENT_LENGTH": str(len(encoded(body)))} if body else {}),
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        started: list[Any] = []
        response = WSGIHandler()({**environ, **extra}, lambda status, lines: started.extend((status, lines)))
        content = b"".join(response)
        response.close()
        return Answer(int(started[0].split()[0]), started[1], content)


class Asgi:
    """Django under ASGI."""

    mode = "asgi"

    def __call__(self, method: str, target: str, headers: Headers = (), body: Any = b"", **extra: Any) -> Answer:
        """Send a request as a server does; `extra` goes into the scope."""
        return asyncio.run(self._ask(method, target, headers, body, extra))

    async def _ask(self, method: str, target: str, headers: Headers, body: Any, extra: dict[str, Any]) -> Answer:
        from django.core.handlers.asgi import ASGIHandler

        raw, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw, errors="replace"),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "client": ("203.0.113.9", 4711),
            "server": ("testserver", 80),
            **extra,
        }
        messages = body if isinstance(body, list) else [{"type": "http.request", "body": encoded(body)}]
        sent: list[Any] = []
        answered = asyncio.Event()

        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if not message.get("more_body", True):
                answered.set()

        await ASGIHandler()(scope, receive, send)
        lines = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], lines, b"".join(message.get("body", b"") for message in sent[1:]))


def encoded(body: Any) -> bytes:
    """Answer bytes as they are, anything else as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


MODES = {"wsgi": Wsgi, "asgi": Asgi}
_ONLY = os.environ.get("AUTHCORE_TEST_DJANGO")


@pytest.fixture(params=[_ONLY] if _ONLY else list(MODES))
def ask(request: pytest.FixtureRequest) -> Ask:
    """Answer a way to send requests, in each mode, or in the one that AUTHCORE_TEST_DJANGO names."""
    return MODES[request.param]()


@pytest.fixture
def wsgi() -> Ask:
    """Answer the mode of WSGI: under ASGI Django reads a body before any view."""
    return Wsgi()


@pytest.fixture
def asgi() -> Ask:
    """Answer the mode of ASGI."""
    return Asgi()


@pytest.fixture
def post(ask: Ask) -> Callable[..., Answer]:
    """Answer a way to post JSON as the site's own page does."""

    def post(path: str, body: Any, headers: Headers = ()) -> Answer:
        own = [("Host", "testserver"), ("Origin", ORIGIN), ("Content-Type", "application/json")]
        return ask("POST", path, [*own, *headers], body)

    return post


@pytest.fixture
def sign_up(post: Callable[..., Answer]) -> Callable[..., tuple[str, str]]:
    """Answer a way to sign up; it answers the header that carries the session."""

    def sign_up(email: str = "ada@example.com", transport: str = "cookie") -> tuple[str, str]:
        made = post("/auth/sign-up", {"email": email, "password": PASSWORD, "transport": transport})
        assert made.status == 201, made.body
        if transport == "bearer":
            return "Authorization", f"Bearer {made.json['access_token']}"
        return "Cookie", made.all("Set-Cookie")[0].partition(";")[0]

    return sign_up
