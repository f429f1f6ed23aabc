"""WebSockets and server-sent events over a real server, which end with the session of who opened them."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from live import PASSWORD, SOON, bearer, closed, free_port, refused, serving, sign_up, watches_end, without_errors
from websockets.sync.client import ClientConnection, connect

from authcore import Auth, Password
from authcore.errors import Conflict
from authcore.realtime import SocketRefused
from authcore.realtime import authenticate_socket as plainly
from authcore_fastapi import AuthCore, CurrentUser, authenticate_socket, require, until_ended

Make = Callable[..., Auth]


def application(auth: Auth) -> FastAPI:
    """Answer an application with sockets and a stream of its own."""
    app = FastAPI()
    AuthCore(app, auth)
    app.state.left = []

    @app.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        async with authenticate_socket(websocket, first_message=1.0, recheck=0.5) as socket:
            await socket.send_json({"hello": socket.user.email, "key": socket.subject.key})
            try:
                while True:
                    await socket.send_text(await socket.receive_text())
            except WebSocketDisconnect as gone:
                app.state.left.append(gone.code)

    @app.websocket("/careless")
    async def careless(websocket: WebSocket) -> None:
        async with authenticate_socket(websocket) as socket:
            while True:
                await socket.send_text(await socket.receive_text())

    @app.websocket("/second-factor")
    async def second_factor(websocket: WebSocket) -> None:
        async with authenticate_socket(websocket, require(mfa=True)):
            raise AssertionError("nobody has one")

    @app.websocket("/conflict")
    async def conflict(websocket: WebSocket) -> None:
        async with authenticate_socket(websocket):
            raise Conflict

    @app.get("/events")
    async def events(request: Request, user: CurrentUser) -> StreamingResponse:
        async def numbers() -> AsyncIterator[str]:
            for number in range(10_000):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(until_ended(request, numbers()), media_type="text/event-stream")

    return app


def plain(auth: Auth) -> Any:
    """Answer an ASGI application without a framework."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with plainly(auth, scope, receive, send, first_message=1.0) as live:
                await live.send_json({"hello": live.user.email, "key": live.subject.key})
                async for text in live:
                    await live.send_text(str(text))
        except SocketRefused:
            return

    return app


@pytest.fixture
def port() -> int:
    """The port of the test's own server."""
    return free_port()


@pytest.fixture
def auth(declare: Make, port: int) -> Auth:
    """A declaration for that port."""
    return declare(base_url=f"http://127.0.0.1:{port}")


@pytest.fixture(params=["fastapi", "asgi"])
def live(request: pytest.FixtureRequest, auth: Auth, port: int, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """The address of a served socket; what the server logs as an error fails the test."""
    with without_errors(caplog), serving({"fastapi": application, "asgi": plain}[request.param](auth), port):
        yield f"ws://127.0.0.1:{port}/live"


def hello(client: ClientConnection) -> dict[str, Any]:
    """Answer the greeting."""
    return dict(json.loads(client.recv(timeout=SOON)))


def test_a_sign_out_closes_the_socket_within_a_second(live: str, auth: Auth) -> None:
    """A sign-out closes with 4401; a refresh before it closes nothing."""
    signed = sign_up(auth)
    assert signed.refresh_token is not None

    with connect(live, **bearer(signed.access_token)) as client:
        assert client.subprotocol == "authcore.bearer"
        assert hello(client) == {"hello": "ada@example.com", "key": f"default:{signed.user.id}"}
        auth.blocking.sessions.refresh(refresh_token=signed.refresh_token)
        time.sleep(0.7)
        client.send("still here")
        assert client.recv(timeout=SOON) == "still here"

        began = time.monotonic()
        auth.blocking.sessions.revoke_session(signed.session.id)
        assert closed(client) == (4401, "session_ended")
        took = time.monotonic() - began

    print(f"closed after {took:.3f} s")
    assert took < 1


def test_a_sign_out_by_http_closes_the_socket(auth: Auth, port: int) -> None:
    """A browser that signs out in one tab loses the socket of the other, which came by cookie and origin."""
    app, origin = application(auth), {"Origin": f"http://127.0.0.1:{port}"}
    with serving(app, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=origin) as browser:
        made = browser.post("/auth/sign-up", json={"email": "ada@example.com", "password": PASSWORD})
        assert made.status_code == 201
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        address, headers = f"ws://127.0.0.1:{port}/live", {"Cookie": cookie}

        with connect(address, additional_headers=headers, origin=origin["Origin"]) as client:
            assert hello(client)["hello"] == "ada@example.com"
            began = time.monotonic()
            assert browser.post("/auth/sign-out").status_code in (200, 204)
            assert closed(client) == (4401, "session_ended")
            took = time.monotonic() - began
        assert refused(address, additional_headers=headers, origin=origin["Origin"]) == 403

    print(f"closed after {took:.3f} s")
    assert took < 1
    assert app.state.left == [4401]


def test_hostile_handshakes_are_refused(live: str, auth: Auth) -> None:
    """R5, R7: a token in the query, a foreign origin, two credentials and nonsense are 403, and no server's error."""
    token = sign_up(auth).access_token
    cookie = {"Cookie": f"authcore_session={sign_up(auth, 'cookie', 'bob@example.com').access_token}"}
    own = live.replace("ws://", "http://").removesuffix("/live")

    assert refused(f"{live}?access_token={token}") == 403
    assert refused(live, additional_headers=cookie, origin="https://evil.example") == 403
    assert refused(live, additional_headers=cookie) == 403
    assert refused(live, additional_headers=cookie, origin=own, **bearer(token)) == 403
    assert refused(live, **bearer("nonsense")) == 403
    assert refused(live, subprotocols=["authcore.bearer"]) == 403
    assert refused(live, additional_headers={"Authorization": "Bearer a, Bearer b"}) == 403
    with connect(live, additional_headers=cookie, origin=own) as client:
        assert hello(client)["hello"] == "bob@example.com"


@pytest.mark.parametrize(
    ("message", "code"),
    [(None, 4408), ("{}", 4400), (b"\x00\xff", 4400), ("x" * 20_000, 4400), ('{"access_token": "x"}', 4401)],
)
def test_a_first_message_that_is_no_token_closes(live: str, message: Any, code: int) -> None:
    """Late, wrong, binary and too large: each is closed by its code."""
    with connect(live, open_timeout=SOON) as client:
        if message is not None:
            client.send(message)
        assert closed(client)[0] == code


def test_a_first_message_opens(live: str, auth: Auth) -> None:
    """The token comes as the first message, and nothing of it goes back."""
    token = sign_up(auth).access_token
    with connect(live, open_timeout=SOON) as client:
        client.send(json.dumps({"access_token": token}))
        assert hello(client)["hello"] == "ada@example.com"


def test_a_client_that_hangs_up_harms_nobody(live: str, auth: Auth) -> None:
    """One that goes away before it is known, and one behind it, leave no error and nothing watched."""
    with connect(live, open_timeout=SOON):
        pass
    with connect(live, **bearer(sign_up(auth).access_token)) as client:
        hello(client)
    watches_end(auth)


def test_what_an_application_leaves_out_is_no_error(auth: Auth, port: int, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that looks for no disconnect ends with the session; an AuthError of its own closes as it does."""
    signed, app = sign_up(auth), application(auth)
    offered = bearer(signed.access_token)
    address = f"ws://127.0.0.1:{port}"
    with without_errors(caplog), serving(app, port), connect(f"{address}/careless", **offered) as client:
        client.send("here")
        assert client.recv(timeout=SOON) == "here"
        with connect(f"{address}/conflict", **offered) as other:
            assert closed(other) == (1008, "conflict")
        assert refused(f"{address}/second-factor", **offered) == 403
        auth.blocking.sessions.revoke_session(signed.session.id)
        assert closed(client) == (4401, "session_ended")


def test_events_end_with_the_session(auth: Auth, port: int) -> None:
    """Server-sent events come to their end within a second; signed out, the route answers 401."""
    signed = sign_up(auth)
    headers = {"Authorization": f"Bearer {signed.access_token}"}
    with serving(application(auth), port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=SOON) as client:
        with client.stream("GET", "/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "data: 0"
            began = time.monotonic()
            auth.blocking.sessions.revoke_session(signed.session.id)
            assert len(list(lines)) < 100
        assert time.monotonic() - began < 1
        assert client.get("/events", headers=headers).status_code == 401


def test_the_test_client_opens_sockets(declare: Make) -> None:
    """An application's own tests need no server."""
    auth = declare()
    signed = sign_up(auth)
    client = TestClient(application(auth))

    with client.websocket_connect("/live", subprotocols=["authcore.bearer", signed.access_token]) as live:
        assert live.receive_json()["hello"] == "ada@example.com"
        auth.blocking.sessions.revoke_session(signed.session.id)
        with pytest.raises(WebSocketDisconnect) as gone:
            live.receive_text()

    assert (gone.value.code, gone.value.reason) == (4401, "session_ended")


# --- two processes ---

POSTGRES = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
SETTINGS: dict[str, Any] = {"dev_mode": True, "secret": "0123456789abcdefghijklmnopqrstuvwxyz", "outbox": "external"}


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    server = sa.make_url(POSTGRES).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    name = f"authcore_realtime_{secrets.token_hex(6)}"
    try:
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is missing.")
        pytest.skip("PostgreSQL is missing: start one, and set AUTHCORE_TEST_POSTGRES to its URL.")
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@contextmanager
def another_process(database: str, port: int) -> Iterator[None]:
    """Serve the application in a process of its own."""
    command = [sys.executable, str(Path(__file__)), database, str(port)]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 30
        while True:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < end
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=SOON)


def test_another_process_closes_the_socket_within_a_second(database: str, port: int) -> None:
    """What one process ends is heard of by the one that holds the socket, over LISTEN."""
    here = Auth(database=database, features=[Password(require_code=False)], **SETTINGS)
    try:
        here.create_tables()
        signed, other = sign_up(here), sign_up(here, email="bob@example.com")
        address = f"ws://127.0.0.1:{port}/live"
        with (
            another_process(database, port),
            connect(address, **bearer(signed.access_token)) as client,
            connect(address, **bearer(other.access_token)) as beside,
        ):
            hello(client), hello(beside)
            began = time.monotonic()
            here.blocking.sessions.revoke_session(signed.session.id)
            assert closed(client) == (4401, "session_ended")
            took = time.monotonic() - began
            beside.send("still here")
            assert beside.recv(timeout=SOON) == "still here"
    finally:
        here.dispose()

    print(f"another process closed the socket after {took:.3f} s")
    assert took < 1


if __name__ == "__main__":
    made = Auth(database=sys.argv[1], features=[Password(require_code=False)], **SETTINGS)
    uvicorn.run(application(made), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", lifespan="off")
