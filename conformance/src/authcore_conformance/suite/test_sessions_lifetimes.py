"""The room `sessions`: what ends a session by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Client, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

DAY = 86400


def start(world: World, **settings: Any) -> None:
    """Start the application with settings of sessions."""
    world.start(features=[Password(), Sessions(**settings)])


def expires_at(client: Client) -> str:
    """Answer when the session says that it ends."""
    found: str = client.get("/session").json["session"]["expires_at"]
    return found


# --- ttl ---


def test_a_cookie_session_lives_for_its_ttl(world: World) -> None:
    """S48: `ttl` is how long a cookie session lives unused, and what each use gives it again."""
    start(world, ttl=timedelta(hours=8))
    member = world.member("cookie")
    assert expires_at(member) == "2030-01-01T08:00:00Z"
    world.clock.advance(8 * 3600 - 1)
    assert member.who() == EMAIL
    assert expires_at(member) == "2030-01-01T15:59:59Z"

    world.clock.advance(8 * 3600)

    assert member.who() is None


def test_without_sliding_use_moves_nothing(world: World) -> None:
    """S48: under `sliding=False` a cookie session ends `ttl` after its making, and its cookie with it."""
    start(world, ttl=timedelta(hours=8), sliding=False)
    client = world.client("cookie")
    verified = client.verify(client.sign_up(EMAIL, PASSWORD), world.code())
    for _ in range(7):
        world.clock.advance(3600)
        assert client.who() == EMAIL
        assert client.refresh().json["session"]["expires_at"] == "2030-01-01T08:00:00Z"

    world.clock.advance(3600)

    assert [cookie.max_age for cookie in verified.cookies if cookie.name.endswith("_session")] == [8 * 3600]
    assert client.who() is None


def test_without_sliding_refreshes_move_nothing(world: World) -> None:
    """S48: under `sliding=False` a refresh family ends `refresh_ttl` after its making."""
    start(world, refresh_ttl=timedelta(days=3), ttl=timedelta(days=3), sliding=False)
    member = world.member()
    for day in (2, 1):
        world.clock.advance(DAY)
        assert member.refresh().json["refresh_expires_in"] == day * DAY

    world.clock.advance(DAY)

    assert member.refresh().code == "invalid_refresh_token"


# --- idle ---


def test_a_session_that_nobody_uses_is_over(world: World, transport: Transport) -> None:
    """S48: at the idle timeout a session is over for every route, and for a refresh, long before its ttl."""
    start(world, idle_timeout=timedelta(minutes=5))
    member = world.member(transport)
    assert expires_at(member) == "2030-01-01T00:05:00Z"
    world.clock.advance(300)

    replies = [member.get("/me"), member.refresh()]

    assert member.who() is None
    assert [(reply.status, reply.code) for reply in replies] == [
        (401, "not_authenticated"),
        (401, "invalid_refresh_token"),
    ]


def test_use_keeps_a_session_from_being_idle(world: World, transport: Transport) -> None:
    """S48: each noted use gives a session its idle timeout again."""
    start(world, idle_timeout=timedelta(minutes=5))
    member = world.member(transport)
    for _ in range(3):
        world.clock.advance(299)
        assert member.who() == EMAIL

    world.clock.advance(300)

    assert member.who() is None


def test_a_refresh_is_a_use(world: World) -> None:
    """S48: a bearer that does nothing but refresh is not idle, until it stops."""
    start(world, idle_timeout=timedelta(minutes=5))
    member = world.member()
    for _ in range(10):
        world.clock.advance(299)
        assert member.refresh().status == 200

    world.clock.advance(300)

    assert member.refresh().code == "invalid_refresh_token"
    assert [row["name"] for row in world.rows("authcore_event") if row["name"] == "RefreshReused"] == []


def test_no_use_passes_the_absolute_end(world: World, transport: Transport) -> None:
    """S48, T6: a session that is never idle ends at its absolute end."""
    days = {"ttl": timedelta(hours=1), "refresh_ttl": timedelta(hours=1), "absolute_ttl": timedelta(hours=2)}
    start(world, idle_timeout=timedelta(minutes=20), **days)
    member = world.member(transport)
    for _ in range(7):
        world.clock.advance(1020)
        assert member.refresh().status == 200
        assert member.who() == EMAIL

    world.clock.advance(60)

    assert member.who() is None
    assert member.refresh().code == "invalid_refresh_token"


@pytest.mark.parametrize(("interval", "seen"), [(1, "2030-01-01T00:00:02Z"), (300, "2030-01-01T00:00:00Z")])
def test_how_often_use_is_noted_is_a_setting(world: World, interval: int, seen: str) -> None:
    """S48: `touch_interval` is how old `last_seen_at` may be."""
    start(world, touch_interval=timedelta(seconds=interval))
    member = world.member("cookie")
    for _ in range(2):
        world.clock.advance(1)
        member.get("/me")

    assert member.get("/session").json["session"]["last_seen_at"] == seen


# --- touching ---


def test_a_touched_session_lives_on(world: World) -> None:
    """S49: `touch` notes a session's use without a request of its own."""
    start(world, idle_timeout=timedelta(minutes=5))
    member = world.member("cookie")
    session = member.get("/session").json["session"]["id"]
    world.clock.advance(299)

    touched = world.app.blocking.sessions.touch(session)
    world.clock.advance(299)

    assert touched.id == session
    assert member.who() == EMAIL
