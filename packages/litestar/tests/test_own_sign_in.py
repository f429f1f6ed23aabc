"""Signing in after a check of the application's own, and the data bag, in the framework's idiom (S23, S51)."""

from typing import Any

from litestar import Litestar, Response, get, post
from litestar.testing import TestClient

from authcore import Auth
from authcore_litestar import AuthCore, CurrentCalls, CurrentUser, require, set_cookies

ORIGIN = {"Origin": "http://app.localhost"}


@post("/fill", status_code=200)
async def fill(current_calls: CurrentCalls) -> Response[None]:
    await current_calls.bag.put("cart", [7])
    return set_cookies(Response(None), await current_calls.bag.put("step", 2))


@post("/enter", status_code=200)
async def enter(current_calls: CurrentCalls) -> Response[None]:
    outcome = await current_calls.sessions.create_session(
        user={"email": "ada@example.com", "display_name": "Ada", "email_verified": True},
        amr=("pwd", "otp"),
        claims={"shop": 7},
    )
    return set_cookies(Response(None), outcome)


@get("/bag", guards=[require(mfa=True)])
async def bag(current_user: CurrentUser, current_calls: CurrentCalls) -> dict[str, Any]:
    return {"name": current_user.display_name, "bag": await current_calls.bag.all()}


@post("/regenerate", status_code=200)
async def regenerate(current_calls: CurrentCalls) -> Response[None]:
    return set_cookies(Response(None), await current_calls.bag.regenerate())


def test_a_handler_signs_in_whom_it_checked(auth: Auth) -> None:
    """S23, S51: a guest's bag is made by two puts, moves with the sign-in, and `regenerate` changes the cookie."""
    app = Litestar([fill, enter, bag, regenerate], plugins=[AuthCore(auth)])
    with TestClient(app, base_url="http://app.localhost") as client:
        client.post("/fill", headers=ORIGIN)
        held = set(client.cookies)
        client.post("/enter", headers=ORIGIN)
        first = client.cookies["authcore_session"]
        client.post("/regenerate", headers=ORIGIN)
        after = dict(client.cookies)
        looked = client.get("/bag").json()
        client.cookies.clear()
        refused = client.get("/bag", headers={"Cookie": f"authcore_session={first}"})

    assert held == {"authcore_bag"}
    assert set(after) == {"authcore_session"}
    assert after["authcore_session"] != first
    assert looked == {"name": "Ada", "bag": {"cart": [7], "step": 2}}
    assert refused.status_code == 401
