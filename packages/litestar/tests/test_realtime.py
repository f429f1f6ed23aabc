"""WebSockets and server-sent events over a real server, which end with the session of who opened them."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from litestar import Litestar, Request, WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.response import ServerSentEvent, Stream
from litestar.testing import TestClient
from live import SOON, bearer, closed, free_port, refused, serving, sign_up, watches_end, without_errors
from websockets.sync.client import connect

from authcore import Auth
from authcore_litestar import AuthCore, authenticate_socket, require, until_ended

left: list[int] = []


@websocket("/live")
async def live(socket: WebSocket[Any, Any, Any]) -> None:
    async with authenticate_socket(socket, first_message=1.0, recheck=0.5) as own:
        await own.send_json({"hello": own.user.email, "session": own.auth.id, "key": own.subject.key})
        try:
            while True:
                await own.send_text(await own.receive_text())
        except WebSocketDisconnect as gone:
            left.append(gone.code)


@websocket("/careless")
async def careless(socket: WebSocket[Any, Any, Any]) -> None:
    async with authenticate_socket(socket) as own:
        while True:
            await own.send_text(await own.receive_text())


@websocket("/second-factor")
async def second_factor(socket: WebSocket[Any, Any, Any]) -> None:
    async with authenticate_socket(socket, require(mfa=True)):
        raise AssertionError("nobody has one")


async def numbers() -> AsyncIterator[str]:
    for number in range(10_000):
        yield f"{number}\n"
        await asyncio.sleep(0.05)


@get("/events", guards=[require()])
async def events(request: Request[Any, Any, Any]) -> ServerSentEvent:
    return ServerSentEvent(until_ended(request, numbers()))


@get("/lines", guards=[require()])
async def lines(request: Request[Any, Any, Any]) -> Stream:
    return Stream(until_ended(request, numbers()))


@get("/poll", guards=[require()])
async def poll(request: Request[Any, Any, Any]) -> str:
    async with until_ended(request):
        await asyncio.Event().wait()
    return "never"


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
def auth(declare: Callable[..., Auth], port: int) -> Auth:
    """A declaration for that port."""
    return declare(base_url=f"http://127.0.0.1:{port}")


@pytest.fixture
def app(auth: Auth) -> Litestar:
    """An application with sockets and streams of its own."""
    left.clear()
    return Litestar([live, careless, second_factor, events, lines, poll], plugins=[AuthCore(auth)])


@pytest.fixture
def address(app: Litestar, port: int, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Where the application is served; what the server logs as an error fails the test."""
    with without_errors(caplog), serving(app, port):
        yield f"ws://127.0.0.1:{port}"


def test_a_sign_out_by_http_closes_the_socket(address: str, auth: Auth) -> None:
    """A sign-out closes with 4401 within a second, and a refresh before it nothing; the handler hears of it."""
    signed, own = sign_up(auth), address.replace("ws://", "http://")
    with connect(f"{address}/live", **bearer(signed.access_token)) as client:
        hello = json.loads(client.recv(timeout=SOON))
        assert hello == {
            "hello": "ada@example.com",
            "session": signed.session.id,
            "key": f"default:{signed.user.id}",
        }
        renewed = httpx2.post(f"{own}/auth/refresh", json={"refresh_token": signed.refresh_token})
        assert renewed.status_code == 200
        time.sleep(0.7)
        client.send("still here")
        assert client.recv(timeout=SOON) == "still here"

        token = renewed.json()["access_token"]
        began = time.monotonic()
        gone = httpx2.post(f"{own}/auth/sign-out", headers={"Authorization": f"Bearer {token}"})
        assert gone.status_code in (200, 204)
        assert closed(client) == (4401, "session_ended")
        took = time.monotonic() - began

    print(f"closed after {took:.3f} s")
    assert took < 1
    assert left == [4401]


def test_hostile_handshakes_are_refused(address: str, auth: Auth) -> None:
    """R5, R7: a token in the query, a foreign origin, two credentials and nonsense are 403, and no server's error."""
    token, live = sign_up(auth).access_token, f"{address}/live"
    cookie = {"Cookie": f"authcore_session={sign_up(auth, 'cookie', 'bob@example.com').access_token}"}
    own = address.replace("ws://", "http://")

    assert refused(f"{live}?access_token={token}") == 403
    assert refused(live, additional_headers=cookie, origin="https://evil.example") == 403
    assert refused(live, additional_headers=cookie) == 403
    assert refused(live, additional_headers=cookie, origin=own, **bearer(token)) == 403
    assert refused(live, **bearer("nonsense")) == 403
    assert refused(f"{address}/second-factor", **bearer(token)) == 403
    with connect(live, additional_headers=cookie, origin=own) as client:
        assert json.loads(client.recv(timeout=SOON))["hello"] == "bob@example.com"


@pytest.mark.parametrize(("message", "code"), [(None, 4408), ("{}", 4400), (b"\x00", 4400), ("x" * 20_000, 4400)])
def test_a_first_message_that_is_no_token_closes(address: str, message: Any, code: int) -> None:
    """Late, wrong, binary and too large: each is closed by its code."""
    with connect(f"{address}/live", open_timeout=SOON) as client:
        if message is not None:
            client.send(message)
        assert closed(client)[0] == code


def test_a_first_message_opens(address: str, auth: Auth) -> None:
    """The token comes as the first message; a handler that looks for no disconnect ends with the session."""
    signed = sign_up(auth)
    with connect(f"{address}/careless", open_timeout=SOON) as client:
        client.send(json.dumps({"access_token": signed.access_token}))
        client.send("here")
        assert client.recv(timeout=SOON) == "here"
        auth.blocking.sessions.revoke_session(signed.session.id)
        assert closed(client) == (4401, "session_ended")


def test_a_client_that_hangs_up_harms_nobody(address: str, auth: Auth) -> None:
    """One that goes away before it is known, and one behind it, leave no error and nothing watched."""
    with connect(f"{address}/live", open_timeout=SOON):
        pass
    with connect(f"{address}/live", **bearer(sign_up(auth).access_token)) as client:
        client.recv(timeout=SOON)
    watches_end(auth)


@pytest.mark.parametrize("path", ["/events", "/lines"])
def test_events_end_with_the_session(address: str, auth: Auth, path: str) -> None:
    """A stream comes to its end within a second; signed out, its route answers 401."""
    signed = sign_up(auth)
    headers = {"Authorization": f"Bearer {signed.access_token}"}
    with httpx2.Client(base_url=address.replace("ws://", "http://"), timeout=SOON) as client:
        with client.stream("GET", path, headers=headers) as answer:
            told = answer.iter_lines()
            assert "0" in next(told)
            began = time.monotonic()
            auth.blocking.sessions.revoke_session(signed.session.id)
            assert len(list(told)) < 200
        assert time.monotonic() - began < 1
        assert client.get(path, headers=headers).status_code == 401


def test_a_long_poll_is_answered_when_its_session_ends(address: str, auth: Auth) -> None:
    """What a request waits for is given up with 401."""
    signed = sign_up(auth)
    threading.Timer(0.5, auth.blocking.sessions.revoke_session, [signed.session.id]).start()

    answer = httpx2.get(
        address.replace("ws://", "http://") + "/poll",
        headers={"Authorization": f"Bearer {signed.access_token}"},
        timeout=SOON,
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_the_test_client_opens_sockets(app: Litestar, auth: Auth) -> None:
    """An application's own tests need no server."""
    signed = sign_up(auth)
    with (
        TestClient(app, base_url="http://app.localhost") as client,
        client.websocket_connect("/live", subprotocols=["authcore.bearer", signed.access_token]) as live,
    ):
        assert live.receive_json()["hello"] == "ada@example.com"
        auth.blocking.sessions.revoke_session(signed.session.id)
        with pytest.raises(WebSocketDisconnect) as gone:
            live.receive_text()

    assert gone.value.code == 4401
