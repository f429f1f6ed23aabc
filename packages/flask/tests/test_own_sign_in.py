"""Signing in after a check of the application's own, and the data bag, in the framework's idiom (S23, S51)."""

from typing import Any

from flask import Flask, jsonify
from flask.testing import FlaskClient

from authcore_flask import calls, current_user, require, set_cookies

ORIGIN = {"Origin": "http://localhost"}


def test_a_view_signs_in_whom_it_checked(app: Flask, client: FlaskClient) -> None:
    """S23, S51: a guest's bag is made by two puts, moves with the sign-in, and `regenerate` changes the cookie."""

    @app.post("/fill")
    def fill() -> Any:
        calls().bag.put("cart", [7])
        return set_cookies(jsonify(), calls().bag.put("step", 2))

    @app.post("/enter")
    def enter() -> Any:
        person = {"email": "ada@example.com", "display_name": "Ada", "email_verified": True}
        outcome = calls().sessions.create_session(user=person, amr=("pwd", "otp"), claims={"shop": 7})
        return set_cookies(jsonify(), outcome)

    @app.get("/bag")
    @require(mfa=True)
    def bag() -> Any:
        return {"name": current_user.display_name, "bag": calls().bag.all()}

    @app.post("/regenerate")
    def regenerate() -> Any:
        return set_cookies(jsonify(), calls().bag.regenerate())

    client.post("/fill", headers=ORIGIN)
    assert client.get_cookie("authcore_bag") is not None
    client.post("/enter", headers=ORIGIN)
    first = client.get_cookie("authcore_session")
    client.post("/regenerate", headers=ORIGIN)
    second = client.get_cookie("authcore_session")

    assert client.get_cookie("authcore_bag") is None
    assert client.get("/bag").json == {"name": "Ada", "bag": {"cart": [7], "step": 2}}
    assert first is not None
    assert second is not None
    assert first.value != second.value
    client.set_cookie("authcore_session", first.value)
    assert client.get("/bag").status_code == 401
