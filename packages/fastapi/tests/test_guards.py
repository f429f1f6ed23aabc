"""Guards of an application's own routes, and who is asking."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from authcore import Auth, AuthError, ConfigurationError, Password, SignedIn, Tenant, User
from authcore.backends.mail import MemoryMailer
from authcore.errors import NotAuthenticated
from authcore.testing.ports import FrozenClock
from authcore_fastapi import (
    AuthCore,
    CurrentCalls,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    current_session,
    current_user,
    optional_user,
    require,
    set_cookies,
)

SignUp = Callable[..., dict[str, Any]]
CREDENTIALS = {"email": "ada@example.com", "password": "a passphrase of some length"}
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture(autouse=True)
def routes(app: FastAPI) -> None:
    """Give the application routes of its own."""

    @app.api_route("/hello", methods=["GET", "POST"])
    async def hello(user: CurrentUser, session: CurrentSession) -> dict[str, Any]:
        return {"hello": user.email, "session": session.id}

    @app.post("/hook", dependencies=[Depends(require(csrf=False))])
    async def hook() -> dict[str, Any]:
        return {"done": True}

    @app.get("/open")
    def opened(user: OptionalUser) -> dict[str, Any]:
        return {"email": user.email if user else None}


def test_a_guard_refuses_who_is_not_signed_in(client: TestClient) -> None:
    """Signed out, a guarded route is 401 in the one failure shape, and says which scheme would do."""
    answer = client.get("/hello")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_guard_lets_a_cookie_in(client: TestClient, sign_up: SignUp) -> None:
    """Signed in by cookie, a route sees its user and session."""
    signed_in = sign_up(client)

    answer = client.get("/hello")

    assert answer.json() == {"hello": "ada@example.com", "session": signed_in["session"]["id"]}


def test_a_guard_lets_a_bearer_token_in(app: FastAPI, sign_up: SignUp) -> None:
    """Signed in by bearer token, a route sees the same."""
    tokens = sign_up(TestClient(app), transport="bearer")

    answer = TestClient(app).get("/hello", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert answer.json()["hello"] == "ada@example.com"


def test_two_credentials_are_refused(client: TestClient, sign_up: SignUp) -> None:
    """A cookie beside a bearer token is 400, for a guard as for the core's own routes (R7)."""
    sign_up(client)

    answer = client.get("/hello", headers={"Authorization": "Bearer ac1_at_other"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ambiguous_credentials")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://testserver"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_an_unsafe_route_asks_a_cookie_for_its_origin(
    client: TestClient, sign_up: SignUp, headers: dict[str, str], status: int
) -> None:
    """A POST with authcore's cookie says where it comes from (R5); `csrf=False` opts out."""
    sign_up(client)

    guarded, opted_out = client.post("/hello", headers=headers), client.post("/hook", headers=headers)

    assert (guarded.status_code, opted_out.status_code) == (status, 200)


def test_needs_are_decided_by_the_core(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """`verified`, `mfa` and `fresh` refuse with the codes that say what is missing."""
    clock, app = FrozenClock(), FastAPI()
    AuthCore(app, declare(clock=clock))
    for name, needs in (("verified", {"verified": True}), ("mfa", {"mfa": True}), ("fresh", {"fresh": "5m"})):
        app.get(f"/{name}", dependencies=[Depends(require(**needs))])(lambda: {"done": True})
    client = TestClient(app)
    sign_up(client)

    fresh = client.get("/fresh")
    clock.advance(301)
    codes = [client.get(f"/{name}").json()["error"]["code"] for name in ("verified", "mfa", "fresh")]

    assert fresh.json() == {"done": True}
    assert codes == ["email_not_verified", "insufficient_user_authentication", "reauthentication_required"]


def test_a_need_that_does_not_exist_fails_where_it_is_written() -> None:
    """A misspelt requirement is an error at import, never a guard that lets everyone in."""
    with pytest.raises(TypeError, match="mfaa"):
        require(mfaa=True)


def test_a_router_can_be_guarded_as_a_whole(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """`APIRouter(dependencies=[…])` guards every route in it."""
    router = APIRouter(prefix="/inner", dependencies=[Depends(require())])
    router.get("/one")(lambda: {"done": True})
    app.include_router(router)
    refused = client.get("/inner/one")
    sign_up(client)

    assert refused.status_code == 401
    assert client.get("/inner/one").json() == {"done": True}


def test_signed_out_the_optional_user_is_none(client: TestClient, sign_up: SignUp) -> None:
    """`OptionalUser` is None without a session and the user with one."""
    before = client.get("/open").json()
    sign_up(client)

    assert (before, client.get("/open").json()) == ({"email": None}, {"email": "ada@example.com"})


def test_a_request_looks_its_user_up_once(
    app: FastAPI, client: TestClient, sign_up: SignUp, lookups: list[str]
) -> None:
    """However many guards and questions there are, one request costs one look-up."""

    @app.get("/often", dependencies=[Depends(require(fresh="5m"))])
    async def often(
        first: CurrentUser, again: Annotated[User, Depends(require())], session: CurrentSession, user: OptionalUser
    ) -> dict[str, Any]:
        return {"same": first is again is user}

    sign_up(client)
    client.get("/open")
    del lookups[:]
    answer = client.get("/often")

    assert (answer.json(), len(lookups)) == ({"same": True}, 1)


def test_a_credential_that_opens_nothing_is_looked_up_once(
    app: FastAPI, client: TestClient, lookups: list[str]
) -> None:
    """That nobody was found is remembered as well."""
    token = "ac1_at_" + "A" * 43

    @app.get("/ask")
    async def ask(nobody: OptionalUser, user: CurrentUser) -> None: ...

    client.get("/auth/health")
    answer = client.get("/ask", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, len(lookups)) == (401, 1)


def test_equal_requirements_are_one_dependency() -> None:
    """Requirements that ask the same are equal and hash alike; others are not."""
    assert require(fresh="5m") == require(fresh="300s")
    assert len({require(), require(), current_user}) == 1
    assert require() != require(mfa=True)
    assert current_session != current_user


@pytest.mark.parametrize("dependency", [require(), current_user])
def test_a_test_can_override_the_current_user(app: FastAPI, client: TestClient, auth: Auth, dependency: Any) -> None:
    """`dependency_overrides[require()]` puts a user of the test's in the place of who is signed in."""
    made = auth.blocking.password.sign_up(**CREDENTIALS)
    assert isinstance(made, SignedIn)
    app.dependency_overrides[dependency] = lambda: made.user
    app.dependency_overrides[current_session] = lambda: made.session

    answer = client.get("/hello")

    assert answer.json() == {"hello": "ada@example.com", "session": made.session.id}


def test_a_test_can_override_the_optional_user(app: FastAPI, client: TestClient, auth: Auth) -> None:
    """The optional user is a dependency of its own."""
    made = auth.blocking.password.sign_up(**CREDENTIALS)
    app.dependency_overrides[optional_user] = lambda: made.user

    assert client.get("/open").json() == {"email": "ada@example.com"}


class Counting:
    """A hop that counts how often a worker thread is asked for."""

    def __init__(self, inner: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.count, self._inner = 0, inner

    async def __call__(self, function: Callable[[], Any]) -> Any:
        """Count, then hop."""
        self.count += 1
        return await self._inner(function)


@pytest.fixture
def hops(auth: Auth) -> Counting:
    """Count the hops of guards and flows."""
    counting = Counting(auth.backends.guard_hop)
    auth.backends.guard_hop = auth.backends.flow_hop = counting
    return counting


def connection(app: FastAPI, *headers: tuple[bytes, bytes], kind: str = "http") -> HTTPConnection:
    """Answer a connection as a guard sees it."""
    method = {"method": "GET"} if kind == "http" else {}
    return HTTPConnection({"type": kind, "path": "/hello", "headers": list(headers), "app": app, **method})


def test_a_guard_without_a_credential_neither_hops_nor_waits(app: FastAPI, hops: Counting) -> None:
    """Signed out, guards end in their first step, without a worker thread or an event loop."""
    with pytest.raises(NotAuthenticated):
        current_user(connection(app)).send(None)
    with pytest.raises(StopIteration) as nobody:
        optional_user(connection(app)).send(None)

    assert nobody.value.value is None
    assert hops.count == 0


def test_a_guard_on_sqlite_reads_on_the_loop(app: FastAPI, hops: Counting, sign_up: SignUp) -> None:
    """Signed in, a guard's one read ends in its first step too, once the tables are known to be there."""
    token = sign_up(TestClient(app), transport="bearer")["access_token"]
    before = hops.count

    with pytest.raises(StopIteration) as found:
        current_user(connection(app, (b"authorization", f"Bearer {token}".encode()))).send(None)

    assert found.value.value.email == "ada@example.com"
    assert hops.count == before


def test_a_guard_sets_no_cookie(client: TestClient, sign_up: SignUp) -> None:
    """A guard's answer, let in or refused, never sets a cookie."""
    refused = client.get("/hello")
    sign_up(client)

    assert "set-cookie" not in refused.headers
    assert "set-cookie" not in client.get("/hello").headers


def test_calls_are_made_for_the_current_request(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """An application's own sign-in route awaits the flow and hands the cookies to the browser."""

    @app.post("/my-sign-in")
    async def my_sign_in(response: Response, calls: CurrentCalls) -> dict[str, Any]:
        outcome = await calls.password.sign_in(**CREDENTIALS)
        assert isinstance(outcome, SignedIn)
        set_cookies(response, outcome)
        return {"hello": outcome.user.email}

    @app.post("/my-sign-out")
    async def my_sign_out(session: CurrentSession, calls: CurrentCalls) -> dict[str, Any]:
        ended = await calls.sessions.sign_out()
        return {"ended": ended is not None and ended.session.id == session.id}

    sign_up(TestClient(app))
    signed_in = client.post("/my-sign-in", headers=ORIGIN)

    assert signed_in.json() == {"hello": "ada@example.com"}
    assert client.get("/hello").status_code == 200
    assert client.post("/my-sign-out", headers=ORIGIN).json() == {"ended": True}
    assert client.get("/hello").status_code == 401


def test_an_error_of_a_call_is_answered_with_its_code(app: FastAPI, client: TestClient) -> None:
    """A refusal of a flow that an application's own route called is the answer, unless the route catches it."""

    @app.post("/my-sign-in")
    async def my_sign_in(calls: CurrentCalls) -> None:
        await calls.password.sign_in(**CREDENTIALS)

    @app.post("/caught")
    async def caught(calls: CurrentCalls) -> dict[str, Any]:
        try:
            await calls.password.sign_in(**CREDENTIALS)
        except AuthError as error:
            return {"caught": error.code}
        return {}

    assert client.post("/my-sign-in", headers=ORIGIN).status_code == 401
    assert client.post("/caught", headers=ORIGIN).json() == {"caught": "invalid_credentials"}


def test_a_tenant_hook_sees_the_applications_request(declare: Callable[..., Auth]) -> None:
    """The hook that names the tenant reads method, path, peer and every header of a guarded request."""
    seen = []

    async def tenant(request: Any) -> Tenant:
        seen.append((request.method, request.path, request.peer, request.headers.get("x-shop")))
        return Tenant("shop")

    app = FastAPI()
    AuthCore(app, declare(tenant=tenant))
    app.get("/caf\u00e9", dependencies=[Depends(require())])(lambda: "never")

    answer = TestClient(app).get("/caf\u00e9", headers={"X-Shop": "a"})

    assert answer.status_code == 401
    assert set(seen) == {("GET", "/caf\u00e9", "testclient", "a")}


def test_the_quickstart(declare: Callable[..., Auth]) -> None:
    """Sign-up, the mailed code, and the guarded route: what the documentation shows works as it stands."""
    mailer = MemoryMailer()
    auth = declare(features=[Password()], mailer=mailer)
    app = FastAPI()
    authcore = AuthCore(app, auth)

    @app.get("/hello")
    async def hello(user: CurrentUser) -> dict[str, Any]:
        return {"hello": user.email}

    client = TestClient(app)
    pending = client.post("/auth/sign-up", json=CREDENTIALS, headers=ORIGIN)
    auth.outbox.drain()
    answer = {"challenge_id": pending.json()["challenge"]["id"], "code": mailer.mails[0].code}
    verified = client.post("/auth/sign-up/verify", json=answer, headers=ORIGIN)

    assert (pending.status_code, verified.status_code) == (202, 200)
    assert client.get("/hello").json() == {"hello": "ada@example.com"}
    assert isinstance(authcore, AuthCore)


EVIL = {"Origin": "https://evil.example"}


def test_a_foreign_request_acts_for_nobody_until_a_guard_waives_it(
    app: FastAPI, client: TestClient, sign_up: SignUp
) -> None:
    """R5: `OptionalUser` keeps back whom another site may have sent, until `require(csrf=False)` has let them in."""

    @app.post("/either")
    async def either(user: OptionalUser) -> dict[str, Any]:
        return {"email": user.email if user else None}

    app.post("/waived", dependencies=[Depends(require(csrf=False))])(either)
    sign_up(client)

    answers = [
        client.post(path, headers=how).json()["email"] for path in ("/either", "/waived") for how in (ORIGIN, EVIL)
    ]

    assert answers == ["ada@example.com", None, "ada@example.com", "ada@example.com"]


def test_calls_do_nothing_for_another_site(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """R5: an application's own route signs nobody in or out for a foreign page (login CSRF)."""

    @app.post("/enter")
    async def enter(calls: CurrentCalls, response: Response) -> str:
        set_cookies(response, await calls.password.sign_in(**CREDENTIALS, transport="cookie"))
        return "in"

    @app.post("/leave")
    async def leave(calls: CurrentCalls, response: Response) -> str:
        set_cookies(response, await calls.sessions.sign_out())
        return "out"

    sign_up(client)
    stranger = TestClient(app)

    refused = [client.post("/leave", headers=EVIL), stranger.post("/enter", headers=EVIL)]
    still = client.get("/auth/session").json()["user"]
    left = client.post("/leave", headers=ORIGIN)

    codes = [(answer.status_code, answer.json()["error"]["code"]) for answer in refused]
    assert codes == [(403, "origin_not_allowed")] * 2
    assert not any("set-cookie" in answer.headers for answer in refused)
    assert still["email"] == "ada@example.com"
    assert left.headers["set-cookie"].startswith("authcore_session=;")
    assert client.post("/leave", headers=ORIGIN).json() == "out"


def test_a_mounted_application_knows_its_own_users_alone(
    app: FastAPI, client: TestClient, sign_up: SignUp, declare: Callable[..., Auth]
) -> None:
    """Whom the outer application has looked up is nobody to a sub-application with an Auth of its own."""
    inner = FastAPI()
    AuthCore(inner, declare(cookie_name="other"))

    @inner.get("/secret")
    async def secret(user: CurrentUser) -> dict[str, Any]:
        return {"let in": user.email}

    @app.middleware("http")
    async def look(request: Any, go_on: Any) -> Any:
        await optional_user(request)
        return await go_on(request)

    app.mount("/inner", inner)
    sign_up(client)

    answer = client.get("/inner/secret")

    assert client.get("/hello").status_code == 200
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")


def test_require_without_parentheses_says_what_to_write(app: FastAPI) -> None:
    """`Depends(require)` is refused where the route is declared, and so is a keyword that it has not."""
    for declare in (
        lambda: app.get("/bare", dependencies=[Depends(require)])(lambda: "x"),
        lambda: require(lambda: "x"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError, match=r"write Depends\(require\(\)\)"):
            declare()
    with pytest.raises(TypeError, match=r"require\(\) got .*'verifed'"):
        require(verifed=True)  # type: ignore[call-arg]
