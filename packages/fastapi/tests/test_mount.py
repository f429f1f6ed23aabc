"""The mount: what stands under the prefix, in one application and in several."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.testclient import TestClient

from authcore import Auth, ConfigurationError, Password, Sessions
from authcore.errors import Conflict
from authcore_fastapi import AuthCore, CurrentUser

SignUp = Callable[..., dict[str, Any]]
CREDENTIALS = {"email": "ada@example.com", "password": "a passphrase of some length"}
ORIGIN = {"Origin": "http://testserver"}


def test_a_route_of_the_core_answers_under_the_prefix(client: TestClient) -> None:
    """The mount hands a path below the prefix to the core."""
    answer = client.get("/auth/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers.get_list("content-type") == ["application/json"]
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "path",
    [
        "/auth",
        "/auth/",
        "/auth/nowhere",
        "/auth/health/",
        "/auth//health",
        "/auth/health%0A",
        "/auth/sessions/a%2Fb",
        "/auth/%00",
        "/auth/%FF",
        "/auth/caf%C3%A9",
    ],
)
def test_the_core_answers_whatever_stands_below_the_prefix(client: TestClient, path: str) -> None:
    """Odd slashes, encoded slashes, control bytes and broken UTF-8 end in the core's 404, without a redirect."""
    answer = client.get(path, follow_redirects=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/authx", "/authx/health", "/Auth/health"])
def test_a_neighbour_of_the_prefix_is_the_applications(client: TestClient, path: str) -> None:
    """A path that only looks like the prefix is left to FastAPI."""
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("method", ["PUT", "BREW", "TRACE"])
def test_the_core_refuses_methods_it_does_not_have(client: TestClient, method: str) -> None:
    """Known and unknown methods alike get the core's 405 with Allow."""
    answer = client.request(method, "/auth/sign-in")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_options_is_the_cores(client: TestClient) -> None:
    """OPTIONS answers 204 with Allow and neither a body, a type nor a length."""
    answer = client.options("/auth/sign-in")

    assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, "OPTIONS, POST", b"")
    assert not {"content-type", "content-length"} & set(answer.headers)


def test_head_is_get_without_a_body(client: TestClient) -> None:
    """HEAD has GET's status and type, no body and no invented length."""
    answer = client.head("/auth/health")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"
    assert "content-length" not in answer.headers


def test_every_cookie_is_a_header_of_its_own(declare: Callable[..., Auth]) -> None:
    """Several cookies of one answer stay apart."""
    app = FastAPI()
    AuthCore(app, declare(features=[Password(require_code=False), Sessions(cookie_refresh=True)]))

    answer = TestClient(app).post("/auth/sign-up", json=CREDENTIALS, headers=ORIGIN)

    names = [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")]
    assert names == ["authcore_session", "authcore_refresh"]


@pytest.mark.parametrize("root_path", ["", "/api/v1"])
def test_a_root_path_is_honoured(auth: Auth, root_path: str) -> None:
    """Behind a proxy that takes a prefix away, and behind one that leaves it, the routes are found."""
    app = FastAPI()
    AuthCore(app, auth)
    client = TestClient(app, root_path=root_path)

    assert client.get("/auth/health").status_code == 200
    assert client.get(root_path + "/auth/health").status_code == 200


def test_a_mounted_application_has_routes_of_its_own(auth: Auth) -> None:
    """An application that is mounted in another finds the prefix below its own mount."""
    outer, inner = FastAPI(), FastAPI()
    AuthCore(inner, auth)
    outer.mount("/shop", inner)
    client = TestClient(outer)

    assert client.get("/shop/auth/health").json() == {"status": "ok"}
    assert client.get("/auth/health").status_code == 404


def test_an_applications_catch_all_does_not_win(auth: Auth) -> None:
    """An application's own `/{path:path}`, declared before, leaves the prefix to authcore."""
    app = FastAPI()

    @app.get("/{path:path}")
    def everything(path: str) -> str:
        return path

    AuthCore(app, auth)
    client = TestClient(app)

    assert client.get("/auth/health").json() == {"status": "ok"}
    assert client.get("/else/where").json() == "else/where"


def test_routers_of_the_application_are_guarded(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """Guards work in routers that are included before and after the mount."""
    router = APIRouter(prefix="/inner")

    @router.get("/hello")
    async def hello(user: CurrentUser) -> dict[str, Any]:
        return {"hello": user.email}

    app.include_router(router)
    refused = client.get("/inner/hello")
    sign_up(client)

    assert refused.status_code == 401
    assert client.get("/inner/hello").json() == {"hello": "ada@example.com"}


def test_two_applications_in_one_process_share_nothing(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """A session of one application opens nothing in another, whose Auth is another."""
    apps = [FastAPI(), FastAPI()]
    for app in apps:
        AuthCore(app, declare())

        @app.get("/hello")
        async def hello(user: CurrentUser) -> dict[str, Any]:
            return {"hello": user.email}

    token = sign_up(TestClient(apps[0]), transport="bearer")["access_token"]

    answers = [TestClient(app).get("/hello", headers={"Authorization": f"Bearer {token}"}) for app in apps]

    assert [answer.status_code for answer in answers] == [200, 401]


def test_an_application_without_authcore_is_told_so() -> None:
    """A guard in an application that mounts nothing raises the sentence that helps."""
    app = FastAPI()

    @app.get("/hello")
    async def hello(user: CurrentUser) -> str:
        return user.id

    with pytest.raises(ConfigurationError, match="has no AuthCore"):
        TestClient(app).get("/hello")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_of_the_applications_own_handler_is_answered_alike(
    app: FastAPI, client: TestClient, kind: str
) -> None:
    """An AuthError that escapes a handler has its code, status and `to_json()` (S118)."""
    error = Conflict("Somebody was faster.", headers=(("Retry-After", "3"),))

    @app.get("/sync")
    def busy() -> None:
        raise error

    @app.get("/async")
    async def busy_too() -> None:
        raise error

    answer = client.get(f"/{kind}")

    assert answer.json() == {"error": {"code": "conflict", "message": "Somebody was faster."}}
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "3")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.content))


def test_middleware_of_the_application_sees_the_mounted_routes(app: FastAPI, client: TestClient) -> None:
    """Middleware runs for authcore's routes, also one that reads the body before."""

    @app.middleware("http")
    async def note(request: Any, call_next: Any) -> Any:
        await request.body()
        response = await call_next(request)
        response.headers["x-seen"] = "yes"
        return response

    answer = client.post("/auth/sign-up", json=CREDENTIALS, headers=ORIGIN)

    assert (answer.status_code, answer.headers["x-seen"]) == (201, "yes")


def test_a_websocket_under_the_prefix_is_the_applications(app: FastAPI, client: TestClient) -> None:
    """The core has no WebSockets: what an application declares below the prefix answers."""

    @app.websocket("/auth/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    with client.websocket_connect("/auth/live") as socket:
        assert socket.receive()["type"] == "websocket.close"


@pytest.mark.parametrize("early", [True, False])
def test_an_applications_own_routes_do_not_shadow_the_mount(auth: Auth, early: bool) -> None:
    """Below the prefix all is authcore's, whichever was registered first."""
    app = FastAPI()
    if early:
        app.get("/auth/health")(lambda: "mine")
    AuthCore(app, auth)
    if not early:
        app.get("/auth/health")(lambda: "mine")

    assert TestClient(app).get("/auth/health").json() == {"status": "ok"}


def test_a_mount_of_something_else_says_what_to_write(auth: Auth) -> None:
    """Swapped arguments, an Auth that is none and a second AuthCore are refused where they are written."""
    app = FastAPI()
    for given in ((auth, app), (app, "auth")):
        with pytest.raises(ConfigurationError, match=r"write AuthCore\(app, auth\)"):
            AuthCore(*given)  # type: ignore[arg-type]
    AuthCore(app, auth)

    with pytest.raises(ConfigurationError, match="has an AuthCore already"):
        AuthCore(app, auth)
