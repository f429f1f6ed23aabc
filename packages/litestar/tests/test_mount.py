"""The plugin: what stands under the prefix, and what is left to the application."""

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

from authcore import Auth, ConfigurationError, Password, Sessions
from authcore_litestar import AuthCore, require

JSON = [("Content-Type", "application/json"), ("Origin", "http://app.localhost"), ("Host", "app.localhost")]
Client = TestClient[Litestar]
Ask = Callable[..., Any]


def test_a_route_of_the_core_answers_under_the_prefix(client: Client) -> None:
    """The catch-all hands a path below the prefix to the core."""
    answer = client.get("/auth/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


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
        "/auth/./health",
        "/auth/../auth/health",
    ],
)
async def test_the_core_answers_whatever_stands_below_the_prefix(app: Litestar, ask: Ask, path: str) -> None:
    """Odd slashes, encoded slashes, control bytes and broken UTF-8 end in the core's 404."""
    answer = await ask(app, "GET", path)

    assert answer.code == (404, "not_found")


@pytest.mark.parametrize("path", ["/authx", "/authx/health", "/Auth/health", "//auth/health"])
async def test_a_neighbour_of_the_prefix_is_the_applications(app: Litestar, ask: Ask, path: str) -> None:
    """A path that only looks like the prefix is left to Litestar."""
    answer = await ask(app, "GET", path)

    assert answer.status == 404
    assert b'"detail":"Not Found"' in answer.body


@pytest.mark.parametrize("method", ["PUT", "BREW", "TRACE", "CONNECT", "PROPFIND"])
async def test_the_core_refuses_methods_it_does_not_have(app: Litestar, ask: Ask, method: str) -> None:
    """Methods known and unknown to the router alike get the core's 405 with Allow."""
    answer = await ask(app, method, "/auth/sign-in")

    assert answer.code == (405, "method_not_allowed")
    assert answer.all("allow") == ["OPTIONS, POST"]


async def test_an_unknown_method_under_an_unknown_path_is_not_found(app: Litestar, ask: Ask) -> None:
    """The path is judged before the method, as everywhere."""
    answer = await ask(app, "BREW", "/auth/nowhere")

    assert answer.code == (404, "not_found")


async def test_a_wrong_method_elsewhere_is_the_applications(auth: Auth, ask: Ask) -> None:
    """Outside the prefix the application's own handler of 405 is asked, or Litestar answers."""
    plain = Litestar([get("/own")(_own)], plugins=[AuthCore(auth)])
    handled = Litestar([get("/own")(_own)], plugins=[AuthCore(auth)], exception_handlers={HTTPException: _teapot})
    bare = Litestar([get("/own")(_own)])

    answers = [await ask(app, "DELETE", "/own") for app in (plain, handled, bare)]

    assert [answer.status for answer in answers] == [405, 418, 405]
    assert answers[0].all("allow") == answers[2].all("allow")


async def _own() -> str:
    return "own"


def _teapot(_request: Request[Any, Any, Any], _error: Exception) -> Response[str]:
    return Response("a teapot", status_code=418)


async def test_options_is_the_cores(app: Litestar, ask: Ask) -> None:
    """OPTIONS answers 204 with Allow and neither a body, a type nor a length."""
    answer = await ask(app, "OPTIONS", "/auth/sign-in")

    assert (answer.status, answer.all("allow"), answer.body) == (204, ["OPTIONS, POST"], b"")
    assert answer.all("content-type") == answer.all("content-length") == []


async def test_head_is_get_without_a_body(app: Litestar, ask: Ask) -> None:
    """HEAD has GET's status and type, no body and no invented length."""
    answer = await ask(app, "HEAD", "/auth/health")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.all("content-type") == ["application/json"]
    assert answer.all("content-length") == []


async def test_every_cookie_is_a_header_of_its_own(declare: Callable[..., Auth], ask: Ask) -> None:
    """Several cookies of one answer stay apart, each as the core wrote it."""
    app = Litestar(plugins=[AuthCore(declare(features=[Password(require_code=False), Sessions(cookie_refresh=True)]))])
    body = b'{"email": "ada@example.com", "password": "a passphrase of some length"}'

    answer = await ask(app, "POST", "/auth/sign-up", JSON, body)

    cookies = answer.all("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["authcore_session", "authcore_refresh"]
    assert all(cookie.endswith("; HttpOnly; SameSite=Lax") for cookie in cookies)


async def test_a_prefix_and_a_root_path_are_honoured(declare: Callable[..., Auth], ask: Ask) -> None:
    """The prefix is the declaration's, below wherever a proxy mounts the application."""
    app = Litestar(plugins=[AuthCore(declare(prefix="/api/v1/login"))])

    answers = [
        await ask(app, "GET", "/below/api/v1/login/health", root_path="/below"),
        await ask(app, "GET", "/api/v1/login/health"),
        await ask(app, "GET", "/auth/health"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 404]


async def test_an_applications_catch_all_does_not_win(auth: Auth, ask: Ask) -> None:
    """An application's own `/{path:path}` leaves the prefix to authcore."""
    app = Litestar([get("/{rest:path}")(_own)], plugins=[AuthCore(auth)])

    answers = [await ask(app, "GET", path) for path in ("/auth/health", "/auth/nowhere", "/else/where")]

    assert [answer.body for answer in answers[::2]] == [b'{"status":"ok"}', b"own"]
    assert answers[1].code == (404, "not_found")


async def test_guards_and_csrf_of_the_whole_application_let_people_sign_in(auth: Auth, ask: Ask) -> None:
    """A guard on every route asks nobody for a session on the way to one; Litestar's CSRF token is not asked for."""
    app = Litestar(
        [get("/own")(_own)],
        plugins=[AuthCore(auth)],
        guards=[require()],
        csrf_config=CSRFConfig(secret="x" * 32),
        response_headers=[ResponseHeader(name="X-Own", value="yes")],
    )
    body = b'{"email": "ada@example.com", "password": "a passphrase of some length"}'

    own, signed_up = await ask(app, "GET", "/own"), await ask(app, "POST", "/auth/sign-up", JSON, body)

    assert own.code == (401, "not_authenticated")
    assert (signed_up.status, signed_up.all("x-own")) == (201, ["yes"])


async def test_an_applications_after_request_sees_the_mounted_routes(auth: Auth, ask: Ask) -> None:
    """`after_request` gets a Response whose headers it may change, as for any other route."""

    async def stamp(response: Response[Any]) -> Response[Any]:
        response.headers["x-stamp"] = "1"
        return response

    app = Litestar(plugins=[AuthCore(auth)], after_request=stamp)

    answer = await ask(app, "GET", "/auth/health")

    assert (answer.status, answer.all("x-stamp")) == (200, ["1"])


async def test_an_error_of_the_applications_own_handler_is_answered_alike(app: Litestar, ask: Ask) -> None:
    """An AuthError that escapes a handler has its code, status and `to_json()` (S118)."""
    answer = await ask(app, "GET", "/raise")

    assert answer.code == (409, "conflict")
    assert answer.all("cache-control") == ["no-store"]


async def test_an_application_may_answer_errors_its_own_way(auth: Auth, ask: Ask) -> None:
    """The application's own handler of AuthError wins over the plugin's."""
    from authcore import AuthError

    app = Litestar(
        [get("/own", guards=[require()])(_own)], plugins=[AuthCore(auth)], exception_handlers={AuthError: _teapot}
    )

    answer = await ask(app, "GET", "/own")

    assert answer.status == 418


async def test_the_peer_and_repeated_headers_reach_the_core(app: Litestar, ask: Ask) -> None:
    """Two cookies of one name in two lines are refused, as in one (rule R6)."""
    headers = [("Cookie", "authcore_session=a"), ("Cookie", "authcore_session=b")]

    answer = await ask(app, "GET", "/auth/me", headers)

    assert answer.code == (400, "ambiguous_credentials")


# --- two of them ---


async def test_two_applications_in_one_process_share_nothing(declare: Callable[..., Auth], ask: Ask) -> None:
    """A session of one application opens nothing in another, whose Auth is another."""
    apps = [Litestar([get("/own", guards=[require()])(_own)], plugins=[AuthCore(declare())]) for _ in range(2)]
    body = b'{"email": "ada@example.com", "password": "a passphrase of some length"}'
    made = await ask(apps[0], "POST", "/auth/sign-up", JSON, body)
    cookie = [("Cookie", made.all("set-cookie")[0].partition(";")[0])]

    answers = [await ask(app, "GET", "/own", cookie) for app in apps]

    assert [answer.status for answer in answers] == [200, 401]


async def test_an_application_without_authcore_is_told_so(ask: Ask) -> None:
    """A guard in an application that mounts nothing raises the sentence that helps."""
    app = Litestar([post("/own", guards=[require()])(_own)], debug=True)

    answer = await ask(app, "POST", "/own")

    assert answer.status == 500
    assert b"has no AuthCore" in answer.body


@pytest.mark.parametrize("path", ["/auth", "/auth/health", "/auth/mine", "/auth/{rest:path}"])
def test_a_route_of_the_applications_own_below_the_prefix_is_refused(auth: Auth, path: str) -> None:
    """Litestar's router would prefer it to the mount: the application is told at start, or where it registers it."""
    handler = get(path)(_own)

    with pytest.raises(ConfigurationError, match="all below /auth is authcore's"):
        Litestar([handler], plugins=[AuthCore(auth)])
    app = Litestar(plugins=[AuthCore(auth)])
    with pytest.raises(ConfigurationError if path in ("/auth/health", "/auth/mine") else Exception):
        app.register(handler)


def test_a_mount_of_something_else_says_what_to_write(auth: Auth) -> None:
    """An Auth that is none and a second AuthCore are refused at start."""
    with pytest.raises(ConfigurationError, match=r"write Litestar\(plugins=\[AuthCore\(auth\)\]\)"):
        AuthCore("auth")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="has an AuthCore already"):
        Litestar(plugins=[AuthCore(auth), AuthCore(auth)])
