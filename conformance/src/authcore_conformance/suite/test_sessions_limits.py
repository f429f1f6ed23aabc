"""The room `sessions`: how many of a user's there may be at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Account, Code, EmailCode, MagicLink, Password, PasswordReset, Sessions
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER = "eve@example.com"


def start(world: World, *rooms: Any, most: int = 1, **settings: Any) -> None:
    """Start the application with a limit."""
    world.start(features=[Password(), *rooms, Sessions(max_sessions=most, **settings)])


def assert_full(reply: Reply) -> None:
    """Check the one refusal at the limit, which hands out nothing."""
    assert (reply.status, reply.code) == (409, "max_concurrent_reached")
    assert set(reply.json["error"]) == {"code", "message"}
    assert not [cookie for cookie in reply.cookies if cookie.name.endswith(("_session", "_refresh"))]


def test_one_session_too_many_is_refused(world: World, transport: Transport) -> None:
    """S37, S117: at the limit a right password is answered 409, nothing is stored, and the others live on."""
    start(world, most=2)
    first, second, late = world.member(transport), world.client(), world.client(transport)
    assert second.sign_in(EMAIL, PASSWORD).status == 200

    added = world.added(lambda: assert_full(late.sign_in(EMAIL, PASSWORD)))

    assert added["authcore_session"] == added["authcore_access"] == added["authcore_refresh"] == 0
    assert [client.who() for client in (first, second, late)] == [EMAIL, EMAIL, None]


def test_there_is_room_once_a_session_is_over(world: World) -> None:
    """S48: signed out and idle sessions do not count."""
    start(world, idle_timeout=timedelta(minutes=5))
    member, phone = world.member(), world.client()
    member.post("/sign-out", {})
    assert phone.sign_in(EMAIL, PASSWORD).status == 200
    assert_full(world.client().sign_in(EMAIL, PASSWORD))
    world.clock.advance(300)

    reply = world.client().sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert phone.who() is None


def test_the_limit_is_each_users_own(world: World) -> None:
    """S48: what somebody else has does not count."""
    start(world)
    member, eve = world.member(), world.member(email=OTHER)

    assert (member.who(), eve.who()) == (EMAIL, OTHER)


def test_a_browser_that_signs_in_again_needs_no_room(world: World) -> None:
    """S48, T7: the session whose cookie is written over is not counted."""
    start(world)
    browser = world.member("cookie")

    reply = browser.sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert browser.who() == EMAIL


def test_the_oldest_makes_room(world: World, transport: Transport) -> None:
    """S37, S48: under "evict_oldest" what was made first ends, whatever was used last."""
    start(world, most=2, on_limit="evict_oldest")
    first, second, third = world.member(transport), world.client(), world.client(transport)
    world.clock.advance(1)
    second.sign_in(EMAIL, PASSWORD)
    world.clock.advance(60)
    assert first.who() == EMAIL

    reply = third.sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert [client.who() for client in (first, second, third)] == [None, EMAIL, EMAIL]
    assert first.refresh().code == "invalid_refresh_token"


def test_only_a_right_credential_is_told_of_the_limit(world: World) -> None:
    """S48, A2: at the limit a wrong password and an unknown address are answered as ever, and alike."""
    start(world)
    world.member()

    wrong = world.client().sign_in(EMAIL, "three unread numbers")
    unknown = world.client().sign_in(OTHER, PASSWORD)

    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    assert wrong.masked() == unknown.masked()


# --- every way in ---


def _by_password(world: World, client: Client) -> Reply:
    return client.sign_in(EMAIL, PASSWORD)


def _by_link(world: World, client: Client) -> Reply:
    client.post("/magic-link", {"email": EMAIL})
    return client.post("/magic-link/consume", {"token": world.mails(EMAIL)[-1].token})


def _by_code(world: World, client: Client) -> Reply:
    asked = client.post("/code", {"email": EMAIL})
    return client.post("/code/verify", {"challenge_id": challenge_id(asked), "code": world.code()})


def _by_invitation(world: World, client: Client) -> Reply:
    world.app.blocking.account.invite(email=OTHER)
    token = world.mails(OTHER)[-1].token
    world.member(email=OTHER)
    return client.post("/invitations/accept", {"token": token, "password": PASSWORD})


@pytest.mark.parametrize("way", [_by_password, _by_link, _by_code, _by_invitation])
def test_no_way_in_passes_the_limit(world: World, transport: Transport, way: Callable[[World, Client], Reply]) -> None:
    """S48, A1: the limit stands where sessions are made, so every first factor meets it."""
    start(world, MagicLink(), Code(), Account())
    world.member()

    assert_full(way(world, world.client(transport)))


def test_the_limit_is_told_after_the_last_step(world: World) -> None:
    """S48, A1: a sign-in that must prove more is asked for it first, and told of the limit by the last answer."""
    start(world, EmailCode())
    world.member()
    client = world.client()

    asked = client.sign_in(EMAIL, PASSWORD)
    wrong = client.post("/sign-in/email-code", {"challenge_id": challenge_id(asked), "code": world.wrong_code()})
    right = client.post("/sign-in/email-code", {"challenge_id": challenge_id(asked), "code": world.code()})

    assert asked.status == 202
    assert (wrong.status, wrong.code) == (400, "invalid_challenge")
    assert_full(right)


def test_a_reset_password_signs_in_at_the_limit(world: World) -> None:
    """S48, T9: a reset ends every session, so its own sign-in finds room."""
    start(world, PasswordReset())
    member, client = world.member(), world.client()
    client.post("/password/reset", {"email": EMAIL})
    body = {"token": world.mails(EMAIL)[-1].token, "new_password": "three unread numbers"}

    reply = client.post("/password/reset/complete", body)

    assert reply.status == 200
    assert (member.who(), client.who()) == (None, EMAIL)
