"""Several guards on one application, each as an object, and as a need of a route."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Body, Depends, FastAPI, Response
from fastapi.testclient import TestClient
from named_guards import AwaitedKeys, NamedGuards, guards
from starlette import requests

from authcore import Auth, ConfigurationError, User
from authcore.calls import Asyncio
from authcore.guards import GuardCalls
from authcore_fastapi import (
    AuthCore,
    CurrentGuard,
    CurrentUser,
    OptionalUser,
    current_guard,
    guard,
    require,
    set_cookies,
)

Api = Annotated[GuardCalls[Asyncio], Depends(current_guard("api"))]


@pytest.fixture
def client(declare: Callable[..., Auth]) -> TestClient:
    """Answer a client of an application with three guards."""
    app = FastAPI()
    AuthCore(app, declare(guards=guards(AwaitedKeys)))

    @app.get("/who/{name}")
    async def who(request: requests.Request, name: str) -> dict[str, Any]:
        asked = guard(request, name)
        user = await asked.user()
        return {"email": user.email if user else None, "check": await asked.check(), "guest": await asked.guest()}

    @app.post("/enter/{name}")
    async def enter(
        request: requests.Request, response: Response, name: str, person: Annotated[dict[str, str], Body()]
    ) -> dict[str, Any]:
        made = await guard(request, name).attempt(**person)
        set_cookies(response, made)
        email = made.user.email if made.user else None
        return {"succeeded": made.succeeded, "email": email, "token": made.access_token}

    @app.post("/leave/{name}")
    async def leave(request: requests.Request, response: Response, name: str) -> dict[str, Any]:
        ended = await guard(request, name).logout()
        set_cookies(response, ended)
        return {"ended": ended is not None}

    @app.post("/vouch")
    async def vouch(api: Api, person: Annotated[dict[str, str], Body()]) -> dict[str, Any]:
        made = await api.login(person["id"], amr=("pwd",), scopes=["read"])
        return {"token": made.access_token}

    @app.get("/api", dependencies=[Depends(require(guard="api"))])
    async def own(user: CurrentUser, current: CurrentGuard) -> dict[str, Any]:
        again = await current.user()
        return {"email": user.email, "again": again.email if again else None}

    @app.get("/keys")
    async def keys(user: Annotated[User, Depends(require(guard="keys"))]) -> dict[str, Any]:
        return {"email": user.email}

    @app.get("/scoped", dependencies=[Depends(require(guard="api", scopes="read write"))])
    async def scoped() -> dict[str, Any]:
        return {}

    @app.get("/either", dependencies=[Depends(require(guard=["web", "api"], optional=True))])
    async def either(user: OptionalUser) -> dict[str, Any]:
        return {"email": user.email if user else None}

    return TestClient(app)


class TestNamedGuards(NamedGuards):
    """What every adapter does alike."""

    origin: ClassVar = {"Origin": "http://testserver"}


def test_a_guard_that_is_not_there(client: TestClient) -> None:
    """S17: a misspelt guard is the application's mistake, said with the names that exist."""
    with pytest.raises(ConfigurationError, match=r"There is no guard 'app'"):
        client.get("/who/app")
