"""Guards, dependencies and WebSockets of the application's own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from litestar import Litestar, Request, asgi, get, post
from litestar.exceptions import WebSocketDisconnect
from litestar.params import Body
from litestar.response import Response
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from authcore import Auth, ConfigurationError, Password, SignedIn, User
from authcore.testing.ports import FrozenClock
from authcore_litestar import (
    AuthCore,
    CurrentCalls,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    SignedInMiddleware,
    require,
    set_cookies,
)
from authcore_litestar.guards import NamedDependency

ORIGIN = {"Origin": "http://app.localhost"}
Client = TestClient[Litestar]
SignUp = Callable[..., dict[str, Any]]


def code_of(answer: Any) -> tuple[int, str]:
    """Answer the status and the code of a failure."""
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("path", ["/hello", "/me", "/mfa", "/twice"])
def test_signed_out_a_guarded_route_is_the_cores_401(client: Client, path: str) -> None:
    """A guard and `CurrentUser` refuse with the very answer of the core."""
    answer = client.get(path)

    assert code_of(answer) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_signed_in_a_guarded_route_knows_who_asks(client: Client, sign_up: SignUp, transport: str) -> None:
    """`request.user`, `CurrentUser` and `OptionalUser` are the user, by cookie and by token."""
    body = sign_up(client, transport=transport)
    headers = {"Authorization": f"Bearer {body['access_token']}"} if transport == "bearer" else {}

    answers = [client.get(path, headers=headers).json() for path in ("/hello", "/me", "/open")]

    session = body["session"]["id"]
    assert answers == [
        {"hello": "ada@example.com", "session": session},
        {"me": "ada@example.com", "session": session},
        {"email": "ada@example.com"},
    ]


class Member(User, frozen=True, kw_only=True):
    """An application's own type of user."""

    plan: str = "free"


@get("/plans")
async def plans(current_user: CurrentUser, optional_user: OptionalUser) -> dict[str, Any]:
    assert isinstance(current_user, Member)
    return {"injected": current_user.plan, "same": optional_user is current_user}


@get("/typed")
async def typed(current_user: NamedDependency[Member]) -> str:
    return current_user.plan


def test_an_applications_own_type_of_user_is_injected(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """`CurrentUser` and `OptionalUser` stand for `Auth(user=…)` as well, and so does the type itself."""
    auth = declare(user=Member)

    with TestClient(Litestar([plans, typed], plugins=[AuthCore(auth)]), base_url="http://app.localhost") as client:
        sign_up(client)
        answers = client.get("/plans"), client.get("/typed")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"injected": "free", "same": True}
    assert answers[1].text == "free"


def test_an_open_route_answers_everyone(client: Client) -> None:
    """`OptionalUser` is None for who is signed out."""
    assert client.get("/open").json() == {"email": None}


def test_a_second_factor_is_asked_for(client: Client, sign_up: SignUp) -> None:
    """`require(mfa=True)` sends a session of one factor to step up."""
    sign_up(client)

    answer = client.get("/mfa")

    assert code_of(answer) == (401, "insufficient_user_authentication")
    assert 'acr_values="aal2"' in answer.headers["www-authenticate"]


def test_an_old_sign_in_is_not_fresh(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """`require(fresh="5m")` counts from the authentication."""
    clock = FrozenClock()
    app = Litestar([get("/fresh", guards=[require(fresh="5m")])(_nothing)], plugins=[AuthCore(declare(clock=clock))])
    with TestClient(app, base_url="http://app.localhost") as client:
        sign_up(client)

        early = client.get("/fresh")
        clock.advance(timedelta(minutes=6).total_seconds())
        late = client.get("/fresh")

    assert early.status_code == 200
    assert code_of(late) == (401, "reauthentication_required")


async def _nothing() -> None: ...


def test_an_unsafe_route_says_where_it_comes_from(client: Client, sign_up: SignUp) -> None:
    """A guard checks the origin of the application's own unsafe routes, unless told not to (rule R5)."""
    sign_up(client)

    silent, evil, own = (client.post("/act", headers=headers) for headers in ({}, {"Origin": "https://evil"}, ORIGIN))
    hook = client.post("/hook")

    assert code_of(silent) == code_of(evil) == (403, "origin_not_allowed")
    assert own.status_code == hook.status_code == 200


def test_a_request_looks_up_once(client: Client, sign_up: SignUp, lookups: list[str]) -> None:
    """Two guards and two dependencies of one request cost one statement."""
    sign_up(client)
    lookups.clear()

    answer = client.get("/twice")

    assert answer.json() == {"same": True}
    assert len(lookups) == 1


def test_dependencies_that_litestar_resolves_together_look_up_once(
    declare: Callable[..., Auth], sign_up: SignUp, lookups: list[str]
) -> None:
    """Litestar resolves the dependencies of a handler side by side: the second waits for what the first looks up."""
    import anyio

    from authcore import Tenant

    async def tenant_of(_request: Any) -> Tenant:
        await anyio.lowlevel.checkpoint()
        return Tenant("one")

    async def tell(current_user: CurrentUser, current_session: CurrentSession) -> dict[str, str | None]:
        return {"email": current_user.email, "id": current_session.id}

    app = Litestar([get("/tell")(tell)], plugins=[AuthCore(declare(tenant=tenant_of))])
    with TestClient(app, base_url="http://app.localhost") as client:
        session = sign_up(client)["session"]
        lookups.clear()

        answer = client.get("/tell")

    assert answer.json() == {"email": "ada@example.com", "id": session["id"]}
    assert len(lookups) == 1


def test_a_guard_without_credentials_does_no_work(auth: Auth, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends no credential is refused without a hop to a thread and without a statement."""
    hops: list[object] = []

    async def counted(step: Callable[[], Any]) -> Any:
        hops.append(step)
        return step()

    monkeypatch.setattr(auth.backends, "guard_hop", counted)
    monkeypatch.setattr(auth.backends, "flow_hop", counted)

    answers = [client.get(path).status_code for path in ("/hello", "/me", "/open")]

    assert (answers, hops) == ([401, 401, 200], [])


def test_a_websocket_needs_a_session_and_an_origin(client: Client, sign_up: SignUp) -> None:
    """A handshake with a cookie is refused to other sites, and to those that do not say who they are (rule R5)."""
    for path in ("/ws", "/ws-user"):
        client.cookies.clear()
        signed_out = _closed(client, path, ORIGIN)
        sign_up(client, email=f"{path[1:]}@example.com")

        refused = [_closed(client, path, headers) for headers in ({}, {"Origin": "https://evil"})]
        with client.websocket_connect(path, headers=ORIGIN) as socket:
            greeting = socket.receive_json()

        assert (signed_out.code, signed_out.detail) == (1008, "not_authenticated")
        assert [(close.code, close.detail) for close in refused] == [(1008, "origin_not_allowed")] * 2
        assert greeting == {"hello": f"{path[1:]}@example.com"}


def _closed(client: Client, path: str, headers: dict[str, str]) -> WebSocketDisconnect:
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect(path, headers=headers):
        pass
    return caught.value


def test_a_websocket_takes_a_token_without_an_origin(client: Client, sign_up: SignUp) -> None:
    """A client that is no browser sends a bearer token."""
    token = sign_up(client, transport="bearer")["access_token"]

    with client.websocket_connect("/ws", headers={"Authorization": f"Bearer {token}"}) as socket:
        greeting = socket.receive_json()

    assert greeting == {"hello": "ada@example.com"}


def test_the_middleware_looks_up_where_the_application_puts_it(auth: Auth, sign_up: SignUp, lookups: list[str]) -> None:
    """Behind it `request.user` answers without a guard, signed in or out, and costs one statement."""

    async def whoami(request: Request[Any, Any, Any]) -> dict[str, str | None]:
        return {"email": request.user.email if request.user else None}

    app = Litestar([get("/whoami", middleware=[SignedInMiddleware()])(whoami)], plugins=[AuthCore(auth)])
    with TestClient(app, base_url="http://app.localhost") as client:
        signed_out = client.get("/whoami").json()
        sign_up(client)
        lookups.clear()

        signed_in = client.get("/whoami").json()

    assert (signed_out, signed_in) == ({"email": None}, {"email": "ada@example.com"})
    assert len(lookups) == 1


def test_calls_make_flows_of_the_applications_own(declare: Callable[..., Auth]) -> None:
    """A handler signs people in by a Python call, and hands its cookies on."""

    async def enter(data: Annotated[dict[str, str], Body()], current_calls: CurrentCalls) -> Response[dict[str, str]]:
        outcome = await current_calls.password.sign_in(
            email=data["email"], password=data["password"], transport="cookie"
        )
        assert isinstance(outcome, SignedIn)
        return set_cookies(Response({"hello": outcome.user.email or ""}), outcome)

    auth = declare(features=[Password(require_code=False)])
    app = Litestar([post("/enter", status_code=200)(enter)], plugins=[AuthCore(auth)])
    person = {"email": "ada@example.com", "password": "a passphrase of some length"}
    with TestClient(app, base_url="http://app.localhost") as client:
        client.post("/auth/sign-up", json=person, headers=ORIGIN)
        client.cookies.clear()

        entered = client.post("/enter", json=person, headers=ORIGIN)
        session = client.get("/auth/session").json()
        refused = client.post("/enter", json={**person, "password": "another passphrase"}, headers=ORIGIN)

    assert entered.json() == {"hello": "ada@example.com"}
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert session["user"]["email"] == "ada@example.com"
    assert code_of(refused) == (401, "invalid_credentials")


def test_a_dependency_of_the_application_keeps_its_name(auth: Auth) -> None:
    """An application that has a `current_user` of its own keeps it."""
    from litestar.di import Provide

    from authcore_litestar.guards import NamedDependency

    async def own_user() -> str:
        return "somebody else"

    async def tell(current_user: NamedDependency[str]) -> str:
        return current_user

    app = Litestar([get("/tell")(tell)], plugins=[AuthCore(auth)], dependencies={"current_user": Provide(own_user)})
    with TestClient(app) as client:
        assert client.get("/tell").text == "somebody else"


def test_an_async_hook_of_the_application_runs_on_the_loop(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """A tenant hook may await under this adapter; each guard asks it."""
    import anyio

    from authcore import Tenant

    async def tenant_of(request: Any) -> Tenant:
        await anyio.lowlevel.checkpoint()
        return Tenant(request.headers.get("x-tenant", "one"))

    app = Litestar([get("/own", guards=[require()])(_nothing)], plugins=[AuthCore(declare(tenant=tenant_of))])
    with TestClient(app, base_url="http://app.localhost") as client:
        sign_up(client)

        own, other = client.get("/own"), client.get("/own", headers={"X-Tenant": "two"})

    assert (own.status_code, other.status_code) == (200, 401)


EVIL = {"Origin": "https://evil.example"}


async def either(optional_user: OptionalUser) -> dict[str, str | None]:
    """Answer who asks, if anybody does."""
    return {"email": optional_user.email if optional_user else None}


def test_a_foreign_request_acts_for_nobody_until_a_guard_waives_it(auth: Auth, sign_up: SignUp) -> None:
    """R5: `OptionalUser` keeps back whom another site may have sent, until `require(csrf=False)` has let them in."""
    routes = [
        post("/either", status_code=200)(either),
        post("/waived", status_code=200, guards=[require(csrf=False)])(either),
    ]
    with TestClient(Litestar(routes, plugins=[AuthCore(auth)]), base_url="http://app.localhost") as client:
        sign_up(client)

        answers = [
            client.post(path, headers=how).json()["email"] for path in ("/either", "/waived") for how in (ORIGIN, EVIL)
        ]

    assert answers == ["ada@example.com", None, "ada@example.com", "ada@example.com"]


def test_calls_do_nothing_for_another_site(auth: Auth, sign_up: SignUp) -> None:
    """R5: an application's own route signs nobody in or out for a foreign page; a sign-out's cookies are cleared."""

    async def leave(current_calls: CurrentCalls) -> Response[str]:
        return set_cookies(Response("out"), await current_calls.sessions.sign_out())

    app = Litestar([post("/leave", status_code=200)(leave)], plugins=[AuthCore(auth)])
    with TestClient(app, base_url="http://app.localhost") as client:
        sign_up(client)

        refused = client.post("/leave", headers=EVIL)
        still = client.get("/auth/session").json()["user"]
        left, again = client.post("/leave", headers=ORIGIN), client.post("/leave", headers=ORIGIN)

    assert code_of(refused) == (403, "origin_not_allowed")
    assert still["email"] == "ada@example.com"
    assert 'authcore_session=""; ' in left.headers["set-cookie"]
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert (again.text, "set-cookie" in again.headers) == ("out", False)


@pytest.mark.parametrize("opt", [{"authcore": {"note": "mine"}}, {"authcore": True}, {"authcore.own": True}])
def test_an_opt_of_the_applications_own_opens_no_guard(auth: Auth, opt: dict[str, Any]) -> None:
    """Whatever an application writes into `opt`, on any layer, its guards stand."""
    handler = get("/own", guards=[require()], opt=opt)(either)
    for app in (Litestar([handler], plugins=[AuthCore(auth)]), Litestar([handler], plugins=[AuthCore(auth)], opt=opt)):
        with TestClient(app, base_url="http://app.localhost") as client:
            assert code_of(client.get("/own")) == (401, "not_authenticated")


def test_a_mounted_application_knows_its_own_users_alone(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """Whom the outer application has looked up is nobody to a mounted one with an Auth of its own."""
    inner = Litestar([get("/secret", guards=[require()])(either)], plugins=[AuthCore(declare(cookie_name="other"))])

    @asgi("/inner", is_mount=True, copy_scope=True)
    async def mount(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    outer = Litestar([mount], plugins=[AuthCore(declare())], middleware=[SignedInMiddleware()])
    with TestClient(outer, base_url="http://app.localhost") as client:
        sign_up(client)

        assert code_of(client.get("/inner/secret")) == (401, "not_authenticated")


def test_require_without_parentheses_says_what_to_write(auth: Auth) -> None:
    """`guards=[require]` is refused at start, and a keyword that it has not where it is written."""
    handler = get("/bare", guards=[require])(either)  # type: ignore[list-item]

    with pytest.raises(ConfigurationError, match=r"write guards=\[require\(\)\]"):
        Litestar([handler], plugins=[AuthCore(auth)])
    with pytest.raises(TypeError, match=r"require\(\) got .*'verifed'"):
        require(verifed=True)  # type: ignore[call-arg]


def test_a_missing_authcore_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Outside its debug mode Litestar keeps the exception to itself: the log has the sentence."""
    with (
        TestClient(Litestar([get("/own", guards=[require()])(_nothing)], logging_config=None)) as client,
        caplog.at_level("ERROR", "authcore"),
    ):
        assert client.get("/own").status_code == 500

    assert "This application has no AuthCore: write Litestar(plugins=[AuthCore(auth)])." in caplog.text


async def _nothing() -> None: ...
