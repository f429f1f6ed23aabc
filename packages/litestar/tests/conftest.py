"""What the adapter's tests share: a declaration over a database of its own, and an application that mounts it."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import pytest
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.testing import TestClient

from authcore import Auth, User
from authcore.errors import Conflict
from authcore.testing import fixtures
from authcore_litestar import AuthCore, CurrentSession, CurrentUser, OptionalUser, require

auth, declare, lookups = fixtures.auth, fixtures.declare, fixtures.lookups
PASSWORD = "a passphrase of some length"
ORIGIN = {"Origin": "http://app.localhost"}

Client = TestClient[Litestar]


@get("/hello", guards=[require()])
async def hello(request: Request[User, Any, Any]) -> dict[str, Any]:
    return {"hello": request.user.email, "session": request.auth.id}


@get("/me")
async def me(current_user: CurrentUser, current_session: CurrentSession) -> dict[str, str | None]:
    return {"me": current_user.email, "session": current_session.id}


@get("/open")
async def open_to_all(optional_user: OptionalUser) -> dict[str, str | None]:
    return {"email": optional_user.email if optional_user else None}


@post("/act", guards=[require()], status_code=200)
async def act() -> dict[str, bool]:
    return {"done": True}


@post("/hook", guards=[require(csrf=False)], status_code=200)
async def hook() -> dict[str, bool]:
    return {"done": True}


@get("/mfa", guards=[require(mfa=True)])
async def mfa() -> None: ...


@get("/twice", guards=[require(), require(fresh="5m")])
async def twice(current_user: CurrentUser, optional_user: OptionalUser) -> dict[str, bool]:
    return {"same": current_user is optional_user}


@get("/raise")
async def raising() -> None:
    raise Conflict


@websocket("/ws", guards=[require()])
async def ws(socket: WebSocket[User, Any, Any]) -> None:
    await socket.accept()
    await socket.send_json({"hello": socket.user.email})
    await socket.close()


@websocket("/ws-user")
async def ws_user(socket: WebSocket[Any, Any, Any], current_user: CurrentUser) -> None:
    await socket.accept()
    await socket.send_json({"hello": current_user.email})
    await socket.close()


OWN = [hello, me, open_to_all, act, hook, mfa, twice, raising, ws, ws_user]


@pytest.fixture
def auth_settings() -> dict[str, Any]:
    """Answer the origin that Litestar's test client can be told to send from."""
    return {"base_url": "http://app.localhost"}


@pytest.fixture
def app(auth: Auth) -> Litestar:
    """Answer an application that mounts it, with routes of its own."""
    return Litestar(OWN, plugins=[AuthCore(auth)])


@pytest.fixture
def client(app: Litestar) -> Iterator[Client]:
    """Answer a client that keeps cookies, signed out."""
    with TestClient(app, base_url="http://app.localhost") as client:
        yield client


SignUp = Callable[..., dict[str, Any]]


@pytest.fixture
def sign_up() -> SignUp:
    """Answer a way to sign a client up; it answers the body."""

    def sign_up(client: Client, email: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, "transport": "cookie", **fields}
        answer = client.post("/auth/sign-up", json=body, headers=ORIGIN)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return sign_up


class Answer:
    """What came back from a raw ASGI call."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    def all(self, name: str) -> list[str]:
        """Answer every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def code(self) -> tuple[int, str]:
        """Answer the status and the code of a failure."""
        return self.status, json.loads(self.body)["error"]["code"]


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def ask() -> Ask:
    """Answer a way to send a raw request: method, path as sent, headers in order, the messages of the body."""

    async def ask(
        app: Litestar,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | list[dict[str, Any]] = b"",
        root_path: str = "",
    ) -> Answer:
        messages = body if isinstance(body, list) else [{"type": "http.request", "body": body}]
        sent: list[dict[str, Any]] = []
        raw, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": root_path,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "client": ("203.0.113.9", 4711),
            "server": ("localhost", 80),
            "state": {},
        }

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return Answer(sent)

    return ask
