"""Several guards on one application, each as an object, and as a need of a route."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import litestar
import pytest
from litestar import Litestar, get, post
from litestar.response import Response
from litestar.testing import TestClient
from named_guards import AwaitedKeys, NamedGuards, guards

from authcore import Auth, User
from authcore_litestar import AuthCore, CurrentGuard, CurrentUser, current_guard, guard, require, set_cookies

Asked = litestar.Request[User | None, Any, Any]
Client = TestClient[Litestar]


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
    app = Litestar(OWN, plugins=[AuthCore(declare(guards=guards(AwaitedKeys)))], debug=True)
    with TestClient(app, base_url="http://app.localhost", raise_server_exceptions=True) as client:
        yield client


class TestNamedGuards(NamedGuards):
    """What every adapter does alike."""

    origin: ClassVar = {"Origin": "http://app.localhost"}


def test_a_guard_that_is_not_there(client: Client) -> None:
    """S17: a misspelt guard is the application's mistake, said with the names that exist."""
    answer = client.get("/who/app")

    assert answer.status_code == 500
    assert "There is no guard 'app'" in answer.text
