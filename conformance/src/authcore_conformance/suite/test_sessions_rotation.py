"""The room `sessions`: refresh tokens that are replaced without a grace, and those that stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from authcore import Password, Sessions
from authcore_conformance.world import EMAIL, World


def start(world: World, rotation: str, **settings: Any) -> None:
    """Start the application with a rotation."""
    world.start(features=[Password(), Sessions(rotation=rotation, **settings)])  # type: ignore[arg-type]


def reuses(world: World) -> int:
    """Answer how many thefts stand in the events."""
    return sum(row["name"] == "RefreshReused" for row in world.rows("authcore_event"))


# --- always ---


def test_under_always_the_second_presentation_is_theft(world: World) -> None:
    """S41: without any time between, a replaced token is refused, its family ends, and one event is written."""
    start(world, "always")
    member = world.member()
    token = member.refresh_token

    first = member.refresh(token)
    again = world.client().post("/refresh", {"refresh_token": token})

    assert first.status == 200
    assert (again.status, again.code) == (401, "invalid_refresh_token")
    assert member.refresh().code == "invalid_refresh_token"
    assert member.who() is None
    assert reuses(world) == 1


def test_under_always_a_client_that_keeps_up_goes_on(world: World) -> None:
    """S41: who presents each token once is never refused."""
    start(world, "always")
    member = world.member()
    seen = {member.refresh_token}

    for _ in range(3):
        assert member.refresh().status == 200
        assert member.who() == EMAIL
        seen.add(member.refresh_token)

    assert len(seen) == 4
    assert reuses(world) == 0


# --- none ---


def test_under_none_the_refresh_token_stays(world: World) -> None:
    """S41: a refresh answers another access token and the very refresh token that was presented."""
    start(world, "none")
    member = world.member()
    token, access = member.refresh_token, {member.access_token}

    for _ in range(3):
        reply = member.refresh(token)
        assert (reply.status, reply.json["refresh_token"]) == (200, token)
        assert reply.json["refresh_expires_in"] == 30 * 86400
        assert member.who() == EMAIL
        access.add(member.access_token)

    assert len(access) == 4
    assert reuses(world) == 0


def test_under_none_a_pair_of_cookies_keeps_its_refresh_cookie(world: World) -> None:
    """S41: under cookies the refresh cookie is set again with the value that it had."""
    start(world, "none", cookie_refresh=True)
    browser = world.member("cookie")
    before = dict(browser.jar)

    reply = browser.refresh()

    kept = {name for name in before if browser.jar[name] == before[name]}
    assert reply.status == 200
    assert "__Host-authcore_refresh" in kept
    assert "__Host-authcore_session" not in kept
    assert browser.who() == EMAIL


def test_under_none_a_session_ends_at_its_absolute_end(world: World) -> None:
    """S41: a refresh token that stays slides with its use, and no further than the session."""
    start(world, "none", refresh_ttl=timedelta(days=2), ttl=timedelta(days=2), absolute_ttl=timedelta(days=3))
    member = world.member()
    left = []
    for _ in range(2):
        world.clock.advance(1.4 * 86400)
        left.append(member.refresh().json["refresh_expires_in"])

    world.clock.advance(0.2 * 86400)

    assert left == [1.6 * 86400, 0.2 * 86400]
    assert member.refresh().code == "invalid_refresh_token"
    assert reuses(world) == 0


def test_under_none_signing_out_ends_the_token(world: World) -> None:
    """S41: a token that stays is ended as any other is."""
    start(world, "none")
    member = world.member()
    token = member.refresh_token

    member.post("/sign-out", {})

    assert member.refresh(token).code == "invalid_refresh_token"
