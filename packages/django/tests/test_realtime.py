"""WebSockets beside Django, with Channels and without, and streams: they end with the session of who opened them."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.test import RequestFactory
from live import PASSWORD, SOON, closed, free_port, refused, serving, without_errors
from websockets.sync.client import connect

from authcore import requirement
from authcore.errors import NotAuthenticated
from authcore_django import AuthcoreSocketMiddleware, get_auth, until_ended

left: list[int] = []

pytestmark = pytest.mark.skipif(os.environ.get("AUTHCORE_TEST_DJANGO") == "wsgi", reason="WSGI serves no WebSocket.")


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Speak ASGI: greet, send back what comes, and note how the socket ended."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    own = scope["authcore"]
    await send({"type": "websocket.send", "text": json.dumps({"hello": own.user.email, "key": own.subject.key})})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    left.append(message["code"])


def consumer() -> Any:
    """Answer a consumer of Channels that does the same, behind a router."""
    pytest.importorskip("channels", reason="Channels is not installed")
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import URLRouter
    from django.urls import path

    class Echo(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            own = self.scope["authcore"]
            await self.send(text_data=json.dumps({"hello": own.user.email, "key": own.subject.key}))

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data=text_data)

        async def disconnect(self, code: int) -> None:
            left.append(code)

    return URLRouter([path("live", Echo.as_asgi()), path("second-factor", Echo.as_asgi())])


def application(inner: Any) -> Any:
    """Answer what a project's asgi.py holds."""
    django = get_asgi_application()
    sockets = AuthcoreSocketMiddleware(inner, first_message=1.0)
    strict = AuthcoreSocketMiddleware(inner, needs=requirement(mfa=True))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        chosen = django
        if scope["type"] == "websocket":
            chosen = strict if scope["path"] == "/second-factor" else sockets
        await chosen(scope, receive, send)

    return app


@pytest.fixture(params=["plain", "channels"])
def site(
    request: pytest.FixtureRequest, declare: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> Iterator[str]:
    """The host and port of a served project; what the server logs as an error fails the test."""
    left.clear()
    inner = plain if request.param == "plain" else consumer()
    port = free_port()
    declare(base_url=f"http://127.0.0.1:{port}")
    with without_errors(caplog):
        with serving(application(inner), port):
            yield f"127.0.0.1:{port}"
        get_auth().dispose()


def sign_up(site: str, **more: Any) -> Any:
    """Sign somebody up."""
    body = {"email": "ada@example.com", "password": PASSWORD, "transport": "bearer", **more}
    made = httpx2.post(f"http://{site}/auth/sign-up", json=body, headers={"Origin": f"http://{site}"})
    assert made.status_code == 201, made.text
    return made


def test_a_sign_out_by_http_closes_the_socket(site: str) -> None:
    """A sign-out closes with 4401 within a second, and whoever serves the socket hears of it as a disconnect."""
    signed = sign_up(site).json()
    token = signed["access_token"]
    with connect(f"ws://{site}/live", subprotocols=["authcore.bearer", token], open_timeout=SOON) as client:
        assert client.subprotocol == "authcore.bearer"
        hello = json.loads(client.recv(timeout=SOON))
        assert hello == {"hello": "ada@example.com", "key": f"default:{signed['user']['id']}"}
        client.send("here")
        assert client.recv(timeout=SOON) == "here"

        began = time.monotonic()
        gone = httpx2.post(f"http://{site}/auth/sign-out", headers={"Authorization": f"Bearer {token}"})
        assert gone.status_code in (200, 204)
        assert closed(client) == (4401, "session_ended")
        took = time.monotonic() - began

    print(f"closed after {took:.3f} s")
    assert took < 1
    until = time.monotonic() + SOON
    while not left and time.monotonic() < until:  # the consumer hears of it in the server's own thread
        time.sleep(0.01)
    assert left == [4401]


def test_hostile_handshakes_are_refused(site: str) -> None:
    """R5, R7: a token in the query, a foreign origin, and a missing factor are 403, and no server's error."""
    token, live = sign_up(site).json()["access_token"], f"ws://{site}/live"
    made = sign_up(site, email="bob@example.com", transport="cookie")
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in made.cookies.items())}

    assert refused(f"{live}?access_token={token}") == 403
    assert refused(live, additional_headers=cookie, origin="https://evil.example") == 403
    assert refused(live, additional_headers=cookie) == 403
    assert refused(live, subprotocols=["authcore.bearer", "nonsense"]) == 403
    assert refused(f"ws://{site}/second-factor", subprotocols=["authcore.bearer", token]) == 403
    with connect(live, additional_headers=cookie, origin=f"http://{site}", open_timeout=SOON) as client:
        assert json.loads(client.recv(timeout=SOON))["hello"] == "bob@example.com"
    with connect(live, open_timeout=SOON) as client:
        assert closed(client) == (4408, "first_message_timeout")


def a_request() -> HttpRequest:
    """Answer a request of somebody who signed up."""
    signed = get_auth().blocking.password.sign_up(email="ada@example.com", password=PASSWORD, transport="bearer")
    return RequestFactory().get("/events", headers={"Authorization": f"Bearer {signed.access_token}"})  # type: ignore[union-attr]


def test_a_stream_of_a_plain_view_stops(declare: Callable[..., None]) -> None:
    """A StreamingHttpResponse over a generator ends with the session; signed out there is none."""
    declare()
    request = a_request()
    session = request_session(request)

    response = StreamingHttpResponse(until_ended(request, iter(range(1_000))))
    items = []
    for item in response:
        items.append(item)
        if len(items) == 3:
            get_auth().blocking.sessions.revoke_session(session)
        time.sleep(0.02)

    assert 3 <= len(items) < 100
    with pytest.raises(NotAuthenticated):
        until_ended(RequestFactory().get("/events"), iter([1]))


async def test_a_stream_of_an_async_view_stops(declare: Callable[..., None]) -> None:
    """An async generator ends with the session, before its next item."""
    from asgiref.sync import sync_to_async

    declare()
    request = await sync_to_async(a_request)()

    async def numbers() -> AsyncIterator[int]:
        for number in range(1_000):
            yield number

    response = StreamingHttpResponse(until_ended(request, numbers(), recheck=5))
    items = []
    async for item in response:
        items.append(item)
        if len(items) == 3:
            session = await sync_to_async(request_session)(request)
            await get_auth().asyncio.sessions.revoke_session(session)
            await sync_to_async(time.sleep)(0.7)

    assert items == [b"0", b"1", b"2"]


def request_session(request: HttpRequest) -> str:
    """Answer the id of the session of a request."""
    from authcore_django import current_session

    session = current_session(request)
    assert session is not None
    return session.id
