"""Guards of WebSockets: who may open one, and from which site."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from authcore.errors import Conflict
from authcore_fastapi import CurrentUser, OptionalUser, require

SignUp = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def sockets(app: FastAPI) -> None:
    """Give the application WebSockets of its own."""

    @app.websocket("/live")
    async def live(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()
        await socket.send_json({"hello": user.email})
        await socket.close()

    @app.websocket("/either")
    async def either(socket: WebSocket, user: OptionalUser) -> None:
        await socket.accept()
        await socket.send_json({"hello": user.email if user else None})
        await socket.close()

    @app.websocket("/conflict")
    async def conflict(socket: WebSocket) -> None:
        await socket.accept()
        raise Conflict()


def refusal(client: TestClient, path: str = "/live", **headers: str) -> tuple[int, str]:
    """Answer the code and the reason with which a WebSocket is closed."""
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(path, headers=headers) as socket:
        socket.receive_json()
    return closed.value.code, closed.value.reason


def greeting(client: TestClient, path: str = "/live", **headers: str) -> Any:
    """Answer the first message of a WebSocket."""
    with client.websocket_connect(path, headers=headers) as socket:
        return socket.receive_json()


def test_a_guard_refuses_who_is_not_signed_in(client: TestClient) -> None:
    """Signed out, the handshake is refused with 1008 and the code of the failure."""
    assert refusal(client) == (1008, "not_authenticated")


def test_a_guard_lets_a_cookie_of_the_same_site_in(client: TestClient, sign_up: SignUp) -> None:
    """A browser on a listed site opens a WebSocket with its cookie."""
    sign_up(client)

    assert greeting(client, origin="http://testserver") == {"hello": "ada@example.com"}


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {}])
def test_another_site_opens_nothing_with_a_cookie(client: TestClient, sign_up: SignUp, headers: dict[str, str]) -> None:
    """A handshake is a GET, but other sites make browsers send it with cookies: it is asked for its origin (R5)."""
    sign_up(client)

    assert refusal(client, **headers) == (1008, "origin_not_allowed")


def test_a_bearer_token_needs_no_origin(app: FastAPI, sign_up: SignUp) -> None:
    """A client that is no browser opens a WebSocket with its token."""
    token = sign_up(TestClient(app), transport="bearer")["access_token"]

    assert greeting(TestClient(app), authorization=f"Bearer {token}") == {"hello": "ada@example.com"}


def test_an_optional_user_opens_the_socket_signed_out(client: TestClient) -> None:
    """`OptionalUser` works for WebSockets, too."""
    assert greeting(client, "/either") == {"hello": None}


def test_an_error_of_the_applications_own_socket_closes_it(client: TestClient) -> None:
    """An AuthError that escapes a socket's handler closes it with 1008 and its code."""
    assert refusal(client, "/conflict") == (1008, "conflict")


def test_a_requirement_guards_a_socket(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """`require(...)` asks the same of a WebSocket as of a route."""

    @app.websocket("/second-factor", dependencies=[Depends(require(mfa=True))])
    async def never(socket: WebSocket) -> None:
        await socket.accept()

    sign_up(client)

    closed = refusal(client, "/second-factor", origin="http://testserver")
    assert closed == (1008, "insufficient_user_authentication")


@pytest.mark.parametrize(
    ("origin", "email"), [("http://testserver", "ada@example.com"), ("https://evil.example", None), (None, None)]
)
def test_a_foreign_handshake_is_nobodys(client: TestClient, sign_up: SignUp, origin: str | None, email: Any) -> None:
    """R5: without a guard a handshake that another site may have sent with the cookie is nobody's."""
    sign_up(client)

    assert greeting(client, "/either", **({"origin": origin} if origin else {})) == {"hello": email}
