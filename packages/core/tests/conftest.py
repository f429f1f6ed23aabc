"""What the core's tests share: an Auth on a file of the test's own, its clock, its mailbox, and a client."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from authcore import Auth, AuthError, Password, Request, Result, Tenant, join_headers
from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.context import Authenticated, Context
from authcore.drive import Drive, run_blocking
from authcore.http import BodyFault
from authcore.testing.ports import FrozenClock

SECRET = "a secret of these tests, long enough"
ORIGIN = "http://127.0.0.1:8000"
PASSWORD = "three quiet herons wade"
MakeAuth = Callable[..., Auth]


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that the test moves."""
    return FrozenClock()


@pytest.fixture
def mailer() -> MemoryMailer:
    """The mailbox of everybody."""
    return MemoryMailer()


@pytest.fixture
def texts() -> MemorySms:
    """The text messages of everybody: `texts.messages`."""
    return MemorySms()


@pytest.fixture
def auth(tmp_path: Path, clock: FrozenClock, mailer: MemoryMailer, texts: MemorySms) -> Iterator[MakeAuth]:
    """Make an Auth on the test's own SQLite file: `auth()` has passwords, `auth(room, …, setting=…)` other rooms."""
    made: list[Auth] = []

    def make(*features: Any, **settings: Any) -> Auth:
        chosen = {
            "dev_mode": True,
            "secret": SECRET,
            "database": f"sqlite:///{tmp_path / 'auth.db'}",
            "features": features or (Password(),),
            "hashing": CHEAP,
            "mailer": mailer,
            "sms": texts,
            "clock": clock,
            "outbox": "external",
        }
        made.append(Auth(**{**chosen, **settings}))
        return made[-1]

    yield make
    for each in made:
        each.dispose()


SERVER = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of the test's own: a file, and one on the server of AUTHCORE_TEST_POSTGRES."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'any.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of a database of the test's own on the server of AUTHCORE_TEST_POSTGRES."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    server = sa.make_url(SERVER).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    name = f"authcore_core_{secrets.token_hex(6)}"
    try:
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
            # Nothing here has to outlast a power cut, and a disk flushes some hundred times a second.
            connection.execute(sa.text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    except sa.exc.OperationalError:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is missing.")
        pytest.skip("PostgreSQL is missing: start one, and set AUTHCORE_TEST_POSTGRES to its URL.")
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


REDIS = os.environ.get("AUTHCORE_TEST_REDIS", "redis://127.0.0.1:6379/0")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The URL of the Redis of AUTHCORE_TEST_REDIS: a test takes a prefix of its own there, and removes its keys."""
    redis = pytest.importorskip("redis", reason="the Redis driver is an extra")
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=3)
    try:
        client.ping()
    except redis.ConnectionError:
        if os.environ.get("CI") == "true":
            pytest.fail("Redis is missing.")
        pytest.skip("Redis is missing: start one (`redis-server`), and set AUTHCORE_TEST_REDIS to its URL.")
    finally:
        client.close()
    return REDIS


@dataclass
class Reply:
    """What a client sees of an answer."""

    result: Result

    @property
    def status(self) -> int:
        """The status."""
        return self.result.status

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.result.body or b"null")

    @property
    def code(self) -> str:
        """The code of a failure."""
        return str(self.json["error"]["code"])

    @property
    def headers(self) -> dict[str, str]:
        """Every header, by lower-case name; several cookies stand in one value."""
        return join_headers(self.result.header_list())


def assert_documented(auth: Auth, request: Request, reply: Reply) -> None:
    """Require that the OpenAPI document foresees the answer of a route: its status, and the code of a failure."""
    try:
        route, _ = auth.router.find(request.method, request.path)
    except AuthError:
        return  # no route, so nothing is said of it
    responses = auth.openapi["paths"][auth.prefix + route.path][route.method.lower()]["responses"]
    assert str(reply.status) in responses, (route.method, route.path, reply.status)
    if reply.status >= 400 and request.method != "HEAD":
        codes = responses[str(reply.status)]["description"].split(" · ")
        assert reply.code in codes, (route.method, route.path, reply.code)


@dataclass
class Client:
    """A program without cookies, or a browser with a jar and an `Origin`."""

    auth: Auth
    mailer: MemoryMailer
    browser: bool = False
    peer: str | None = "203.0.113.7"
    jar: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        bearer: str | None = None,
        fault: BodyFault | None = None,
        **headers: str,
    ) -> Reply:
        """Send one request through the core; `x_name=` sends the header `x-name`."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if raw and "content_type" not in headers:
            pairs.append(("content-type", "application/json"))
        if bearer is not None:
            pairs.append(("authorization", f"Bearer {bearer}"))
        request = Request(method, path, raw, join_headers(pairs + self._of_browser(headers)), self.peer, fault)
        reply = Reply(self.auth.blocking_core().dispatch(request))
        assert_documented(self.auth, request, reply)
        return self._keep(reply)

    def _of_browser(self, headers: dict[str, str]) -> list[tuple[str, str]]:
        if not self.browser:
            return []
        pairs = [] if "origin" in headers else [("origin", ORIGIN)]
        if self.jar:
            pairs.append(("cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items())))
        return pairs

    def _keep(self, reply: Reply) -> Reply:
        for cookie in reply.result.cookies:
            parsed = SimpleCookie(cookie.header())
            assert list(parsed) == [cookie.name]
            if cookie.max_age == 0:
                self.jar.pop(cookie.name, None)
            else:
                self.jar[cookie.name] = cookie.value
        return reply

    def get(self, path: str, **how: Any) -> Reply:
        """Send a GET."""
        return self.send("GET", path, **how)

    def post(self, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a POST with a JSON body."""
        return self.send("POST", path, body, **how)

    def mailed_code(self, kind: str | None = None) -> str:
        """Send what waits in the outbox and answer the code of the latest mail that has one."""
        self.auth.outbox.drain()
        return next(m.code for m in reversed(self.mailer.mails) if m.code and kind in (None, m.kind))

    def sign_up(self, email: str = "ada@example.com", password: str = PASSWORD, **more: Any) -> Reply:
        """Sign up, prove the address where a code is required, and answer the signed-in reply."""
        begun = self.post("/sign-up", {"email": email, "password": password, **more})
        if begun.status != 202:
            return begun
        answer = {"challenge_id": begun.json["challenge"]["id"], "code": self.mailed_code("sign_up")}
        return self.post("/sign-up/verify", answer)

    def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD, **more: Any) -> Reply:
        """Sign in by password."""
        return self.post("/sign-in", {"email": email, "password": password, **more})


@pytest.fixture
def client(mailer: MemoryMailer) -> Callable[..., Client]:
    """Make a client of an Auth: `client(auth)` is a program, `client(auth, browser=True)` a browser."""

    def make(auth: Auth, **how: Any) -> Client:
        return Client(auth, mailer, **how)

    return make


class Inside:
    """The side door: contexts, store functions and rows of an Auth."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth
        self.runtime = auth.runtime(Drive.BLOCKING)
        self.db = self.runtime.ports.db

    def ctx(
        self, request: Request | None = None, *, tenant: str = "default", who: Authenticated | None = None
    ) -> Context:
        """Make a context, as the core does for a flow."""
        return Context(self.runtime, Tenant(tenant), request, who=who)

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine over the blocking ports."""
        return run_blocking(coro)

    def write(self, store: Callable[..., Any], *args: Any) -> Any:
        """Run a store function in one transaction."""
        return run_blocking(self.db.write(store, *args))

    def read(self, store: Callable[..., Any], *args: Any) -> Any:
        """Run a store function that reads."""
        return run_blocking(self.db.read(store, *args))

    def rows(self, table: Any, *where: Any) -> list[Any]:
        """Answer the rows of a table."""
        return self.read(lambda tx: tx.execute(table.select().where(*where)).all())


@pytest.fixture
def inside() -> Callable[[Auth], Inside]:
    """Open the side door of an Auth."""
    return Inside
