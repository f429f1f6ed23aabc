"""Several guards on one application, each as an object, and as a need of a route."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import litestar
import pytest
from litestar import Litestar, get, post
from litestar.response import Response
from litestar.testing import TestClient

from authcore import Auth, Guard, Request, User
from authcore_litestar import AuthCore, CurrentGuard, CurrentUser, current_guard, guard, require, set_cookies

ORIGIN = {"Origin": "http://app.localhost"}
Asked = litestar.Request[User | None, Any, Any]
Client = TestClient[Litestar]

SignUp = Callable[..., dict[str, Any]]
PERSON = {"email": "ada@example.com", "password": "a passphrase of some length"}


class Keys:
    """The driver of a guard: programs send a key in a header of their own."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    async def authenticate(self, request: Request) -> User | None:
        """Answer whose key it is."""
        now = datetime(2030, 1, 1, tzinfo=UTC)
        known = request.headers.get("x-api-key") == "k"
        return a_user(now) if known else None


def a_user(now: datetime) -> User:
    """Answer a user who is in no table of authcore's."""
    return User(
        id="7",
        email="grace@example.com",
        email_verified=True,
        display_name=None,
        anonymous=False,
        created_at=now,
        updated_at=now,
    )


GUARDS = {"web": Guard("session"), "api": Guard("token"), "keys": Guard(Keys, ambient=False)}


@get("/who/{name:str}")
async def who(request: Asked) -> dict[str, Any]:
    """Tell what a guard knows."""
    asked = guard(request, request.path_params["name"])
    user = await asked.user()
    return {"email": user.email if user else None, "check": await asked.check(), "guest": await asked.guest()}


@post("/enter/{name:str}", status_code=200)
async def enter(request: Asked) -> Response[dict[str, Any]]:
    """Sign in by a guard."""
    made = await guard(request, request.path_params["name"]).attempt(**await request.json())
    email = made.user.email if made.user else None
    return set_cookies(Response({"succeeded": made.succeeded, "email": email, "token": made.access_token}), made)


@post("/leave/{name:str}", status_code=200)
async def leave(request: Asked) -> Response[dict[str, Any]]:
    """Sign out of a guard."""
    ended = await guard(request, request.path_params["name"]).logout()
    return set_cookies(Response({"ended": ended is not None}), ended)


@post("/vouch", status_code=200, dependencies={"own": current_guard("api")})
async def vouch(request: Asked, own: CurrentGuard) -> dict[str, Any]:
    """Sign in whom the application has checked."""
    made = await own.login((await request.json())["id"], amr=("pwd",), scopes=["read"])
    return {"token": made.access_token}


@get("/api", guards=[require(guard="api")])
async def api(current_user: CurrentUser, current_guard: CurrentGuard) -> dict[str, Any]:
    """Tell who was let in, twice."""
    again = await current_guard.user()
    return {"email": current_user.email, "again": again.email if again else None}


async def tell(request: Asked) -> dict[str, Any]:
    """Tell who was let in."""
    return {"email": request.user.email if request.user else None}


OWN = [
    who,
    enter,
    leave,
    vouch,
    api,
    get("/keys", guards=[require(guard="keys")])(tell),
    get("/scoped", guards=[require(guard="api", scopes="read write")])(tell),
    get("/either", guards=[require(guard=["web", "api"], optional=True)])(tell),
]


@pytest.fixture
def client(declare: Callable[..., Auth]) -> Iterator[Client]:
    """Answer a client of an application with three guards."""
    app = Litestar(OWN, plugins=[AuthCore(declare(guards=GUARDS))], debug=True)
    with TestClient(app, base_url="http://app.localhost", raise_server_exceptions=True) as client:
        yield client


def credentials(name: str, answer: Any) -> dict[str, str]:
    """Answer the headers that carry what an attempt handed out."""
    if name == "api":
        return {"Authorization": f"Bearer {answer.json()['token']}"}
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize(("name", "other"), [("web", "api"), ("api", "web")])
def test_a_guard_signs_in_by_its_own_credential(client: Client, sign_up: SignUp, name: str, other: str) -> None:
    """S16, S18, S19: `attempt` is true with a cookie or tokens, by which that guard alone knows who asks."""
    sign_up(client)

    wrong = client.post(f"/enter/{name}", json={**PERSON, "password": "something else entirely"}, headers=ORIGIN)
    right = client.post(f"/enter/{name}", json=PERSON, headers=ORIGIN)
    carried = credentials(name, right)
    client.cookies.clear()
    known, unknown = client.get(f"/who/{name}", headers=carried), client.get(f"/who/{other}", headers=carried)

    assert (wrong.json()["succeeded"], wrong.headers.get("set-cookie")) == (False, None)
    assert (right.json()["succeeded"], right.json()["email"]) == (True, "ada@example.com")
    assert (right.json()["token"] is None, right.headers.get("set-cookie") is None) == (name == "web", name == "api")
    assert known.json() == {"email": "ada@example.com", "check": True, "guest": False}
    assert unknown.json() == {"email": None, "check": False, "guest": True}


def test_a_guard_signs_out(client: Client, sign_up: SignUp) -> None:
    """S18: `logout` ends the session of the guard that is asked, and takes its cookie away."""
    sign_up(client)
    carried = credentials("web", client.post("/enter/web", json=PERSON, headers=ORIGIN))
    client.cookies.clear()

    other = client.post("/leave/api", headers={**carried, **ORIGIN})
    still = client.get("/who/web", headers=carried)
    left = client.post("/leave/web", headers={**carried, **ORIGIN})

    assert (other.json(), still.json()["check"]) == ({"ended": False}, True)
    assert left.json() == {"ended": True}
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert client.get("/who/web", headers=carried).json()["guest"]


def test_a_named_guard_is_who_the_current_user_is(client: Client, sign_up: SignUp, lookups: list[str]) -> None:
    """S17: behind `require(guard="api")` the current user and the guard without a name are its own, looked up once."""
    sign_up(client)
    carried = credentials("api", client.post("/enter/api", json=PERSON, headers=ORIGIN))
    client.cookies.clear()
    client.get("/api", headers=carried)
    lookups.clear()

    answer, refused = client.get("/api", headers=carried), client.get("/api")

    assert answer.json() == {"email": "ada@example.com", "again": "ada@example.com"}
    assert len(lookups) == 1
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authenticated")


def test_a_driver_of_ones_own_is_a_guard(client: Client) -> None:
    """S17, S20: a driver that the application wrote, made of the Auth, lets in whose key it knows."""
    let_in, refused = client.get("/keys", headers={"X-Api-Key": "k"}), client.get("/keys")

    assert let_in.json() == {"email": "grace@example.com"}
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authenticated")


def test_a_session_of_fewer_scopes(client: Client, sign_up: SignUp) -> None:
    """RFC 6750 3.1: `login(scopes=…)` makes a session that a route refuses which asks for more."""
    body = sign_up(client)
    narrow = client.post("/vouch", json={"id": body["user"]["id"]}, headers=ORIGIN)
    carried = credentials("api", narrow)
    client.cookies.clear()

    scoped, plain = client.get("/scoped", headers=carried), client.get("/api", headers=carried)

    assert plain.status_code == 200
    assert (scoped.status_code, scoped.json()["error"]["code"]) == (403, "insufficient_scope")
    assert scoped.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="read write"'


def test_an_optional_guard_lets_nobody_in(client: Client, sign_up: SignUp) -> None:
    """`require(optional=True)` lets in whom any of its guards knows, and nobody."""
    sign_up(client)
    carried = [credentials(name, client.post(f"/enter/{name}", json=PERSON, headers=ORIGIN)) for name in ("web", "api")]
    client.cookies.clear()

    answers = [client.get("/either", headers=headers).json()["email"] for headers in (*carried, {})]

    assert answers == ["ada@example.com", "ada@example.com", None]


def test_a_guard_that_is_not_there(client: Client) -> None:
    """S17: a misspelt guard is the application's mistake, said with the names that exist."""
    answer = client.get("/who/app")

    assert answer.status_code == 500
    assert "There is no guard 'app'" in answer.text
