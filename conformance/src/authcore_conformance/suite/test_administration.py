"""What the administration does to an account, as its owner sees it over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from authcore_conformance.client import Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

TRANSPORTS: tuple[Transport, ...] = ("bearer", "cookie")


def administration(world: World) -> Any:
    """Answer the calls of server code."""
    return world.app.blocking.administration


def user_id(world: World) -> str:
    """Answer the id of the one user."""
    [row] = world.rows("authcore_user")
    return str(row["id"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_disabled_user_is_signed_out_and_kept_out(world: World, transport: Transport) -> None:
    """Disabling ends the session at once and refuses the right password as a wrong one (rules T9, A2)."""
    member = world.member(transport)

    administration(world).disable(user_id=user_id(world))

    assert member.get("/session").json == {"user": None, "session": None}
    right = world.client(transport).post("/sign-in", {"email": EMAIL, "password": PASSWORD})
    wrong = world.client(transport).post("/sign-in", {"email": EMAIL, "password": "no such letters here"})
    assert (right.status, right.body) == (wrong.status, wrong.body)
    assert right.code == "invalid_credentials"


def test_an_enabled_user_signs_in_again(world: World) -> None:
    """After enabling, the password works, and what ended stays ended."""
    member = world.member()
    administration(world).disable(user_id=user_id(world))

    administration(world).enable(user_id=user_id(world))

    assert member.get("/session").json["user"] is None
    assert world.client().post("/sign-in", {"email": EMAIL, "password": PASSWORD}).status == 200


def test_a_compromised_password_is_a_wrong_one(world: World) -> None:
    """Whoever knows it learns nothing and gets nothing (rule A2)."""
    member = world.member()

    administration(world).mark_compromised(user_id=user_id(world))

    assert member.get("/session").json["user"] is None
    refused = world.client().post("/sign-in", {"email": EMAIL, "password": PASSWORD})
    assert (refused.status, refused.code) == (401, "invalid_credentials")


def test_a_deleted_user_is_nobody(world: World) -> None:
    """The session ends, the password opens nothing, and the address can be signed up again."""
    member = world.member()

    administration(world).delete(user_id=user_id(world))

    assert member.get("/session").json["user"] is None
    assert world.client().post("/sign-in", {"email": EMAIL, "password": PASSWORD}).code == "invalid_credentials"
    assert world.rows("authcore_user") == []
    assert world.member().get("/me").json["user"]["email"] == EMAIL


def test_nothing_of_it_is_reached_over_http(world: World) -> None:
    """No route finds, makes or changes users for strangers."""
    paths = set(world.client().get("/openapi.json").json["paths"])

    assert not [path for path in paths if "admin" in path or "users" in path]
