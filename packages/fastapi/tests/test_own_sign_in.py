"""Signing in after a check of the application's own, and the data bag, in the framework's idiom (S23, S51)."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient

from authcore import User
from authcore_fastapi import CurrentCalls, require, set_cookies

ORIGIN = {"Origin": "http://testserver"}


def test_a_route_signs_in_whom_it_checked(app: FastAPI, client: TestClient) -> None:
    """S23, S51: a guest's bag is made by two puts, moves with the sign-in, and `regenerate` changes the cookie."""

    @app.post("/fill")
    async def fill(response: Response, calls: CurrentCalls) -> None:
        await calls.bag.put("cart", [7])
        set_cookies(response, await calls.bag.put("step", 2))

    @app.post("/enter")
    async def enter(response: Response, calls: CurrentCalls) -> None:
        outcome = await calls.sessions.create_session(
            user={"email": "ada@example.com", "display_name": "Ada", "email_verified": True},
            amr=("pwd", "otp"),
            claims={"shop": 7},
        )
        set_cookies(response, outcome)

    @app.get("/bag")
    async def bag(user: Annotated[User, Depends(require(mfa=True))], calls: CurrentCalls) -> dict[str, Any]:
        return {"name": user.display_name, "bag": await calls.bag.all()}

    @app.post("/regenerate")
    async def regenerate(response: Response, calls: CurrentCalls) -> None:
        set_cookies(response, await calls.bag.regenerate())

    client.post("/fill", headers=ORIGIN)
    assert set(client.cookies) == {"authcore_bag"}
    client.post("/enter", headers=ORIGIN)
    first = client.cookies["authcore_session"]
    client.post("/regenerate", headers=ORIGIN)

    assert set(client.cookies) == {"authcore_session"}
    assert client.get("/bag").json() == {"name": "Ada", "bag": {"cart": [7], "step": 2}}
    assert client.cookies["authcore_session"] != first
    client.cookies.clear()
    assert client.get("/bag", headers={"Cookie": f"authcore_session={first}"}).status_code == 401
