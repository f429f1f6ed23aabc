"""The room `sessions`: who is signed in, where, and the end of it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Client, Reply, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER = "eve@example.com"


def another(world: World, transport: Transport = "bearer", email: str = EMAIL) -> Client:
    """Answer one more client of a member, signed in."""
    client = world.client(transport)
    assert client.sign_in(email, PASSWORD).status == 200
    return client


def session_id(client: Client) -> str:
    """Answer the id of a client's own session."""
    found: str = client.get("/session").json["session"]["id"]
    return found


# --- looking ---


def test_me_answers_the_user(world: World, transport: Transport) -> None:
    """S27, S35: `GET /me` answers the whole user, and nothing else."""
    member = world.member(transport)

    reply = member.get("/me")

    assert reply.status == 200
    assert set(reply.json) == {"user"}
    assert set(reply.json["user"]) == {
        *("id", "email", "email_verified", "display_name", "anonymous", "created_at", "updated_at"),
    }


@pytest.mark.parametrize("path", ["/me", "/sessions"])
def test_nobody_sees_nothing(world: World, path: str) -> None:
    """S29: without a session the answer is 401 with a challenge (RFC 9110 15.5.2)."""
    reply = world.client().get(path)

    assert (reply.status, reply.code) == (401, "not_authenticated")
    assert reply.header("www-authenticate") == "Bearer"


def test_session_answers_nulls_for_nobody(world: World) -> None:
    """`GET /session` is open to all: both null when nobody is signed in."""
    reply = world.client().get("/session")

    assert (reply.status, reply.json) == (200, {"user": None, "session": None})


def test_session_answers_user_and_session(world: World, transport: Transport) -> None:
    """S27: `GET /session` answers both, and the session's id opens nothing."""
    member = world.member(transport)

    reply = member.get("/session")

    session = reply.json["session"]
    assert set(session) >= {
        *("id", "created_at", "expires_at", "last_seen_at", "current", "transport", "aal", "amr", "auth_time"),
    }
    assert (session["current"], session["transport"]) == (True, transport)
    assert member.session_secret is not None
    assert member.session_secret not in reply.body.decode()
    thief = world.client("bearer")
    thief.access_token = session["id"]
    assert thief.who() is None


def test_sessions_lists_the_live_ones(world: World, transport: Transport) -> None:
    """`GET /sessions` lists one's own live sessions, the latest first, and marks the one that asks."""
    member = world.member(transport)
    world.member(email=OTHER)
    world.clock.advance(1)
    phone = another(world)
    world.clock.advance(1)
    gone = another(world)
    gone.post("/sign-out", {})

    listed = member.get("/sessions").json["sessions"]

    assert [(session["id"], session["current"]) for session in listed] == [
        (session_id(phone), False),
        (session_id(member), True),
    ]


# --- ending ---


@pytest.mark.ledger
def test_secrets_are_stored_as_digests_alone(world: World) -> None:
    """S24, T1: the ledger knows access and refresh tokens by their SHA-256, and no row holds either."""
    member = world.member()
    access, refresh = member.access_token or "", member.refresh_token or ""

    rows = {table: repr(world.rows(table)) for table in ("authcore_session", "authcore_access", "authcore_refresh")}

    assert not [table for table, text in rows.items() if access in text or refresh in text]
    assert [bytes(row["digest"]) for row in world.rows("authcore_access")] == [sha256(access.encode()).digest()]
    assert [bytes(row["digest"]) for row in world.rows("authcore_refresh")] == [sha256(refresh.encode()).digest()]


def test_sign_out_ends_the_session(world: World, transport: Transport) -> None:
    """S28, S36: after sign-out neither secret opens anything, and the row says when it ended."""
    member = world.member(transport)
    held = Client(world.send, member.prefix, transport, jar=dict(member.jar), access_token=member.access_token)

    reply = member.post("/sign-out", {})

    assert (reply.status, reply.body) == (200, b'{"status":"signed_out"}')
    assert held.who() is None
    if transport == "bearer":
        assert member.refresh().code == "invalid_refresh_token"
    [row] = world.rows("authcore_session")
    assert row["revoked_at"] is not None


def test_sign_out_of_nobody_is_fine(world: World, transport: Transport) -> None:
    """Sign-out answers 200 also where nobody was signed in, and with a session that has ended."""
    member = world.member(transport)
    held = Client(world.send, member.prefix, transport, jar=dict(member.jar), access_token=member.access_token)
    member.post("/sign-out", {})

    replies = [world.client(transport).post("/sign-out", {}), held.post("/sign-out", {}), held.post("/sign-out")]

    assert [reply.status for reply in replies] == [200, 200, 200]


def test_sign_out_by_refresh_token(world: World) -> None:
    """S35: a refresh token in the body ends its session, without an access token too."""
    member = world.member()

    reply = world.client().post("/sign-out", {"refresh_token": member.refresh_token})

    assert reply.status == 200
    assert member.who() is None


def test_one_session_can_be_ended(world: World, transport: Transport) -> None:
    """`DELETE /sessions/{id}` ends that session alone."""
    member, phone = world.member(transport), another(world)
    third = another(world)

    reply = member.delete(f"/sessions/{session_id(phone)}")

    assert (reply.status, reply.body) == (200, b'{"ended":1}')
    assert [client.who() for client in (member, phone, third)] == [EMAIL, None, EMAIL]


def test_other_peoples_sessions_are_not_found(world: World) -> None:
    """Another's session, an ended one and an unknown one are one answer, and nothing changes."""
    member, eve = world.member(), world.member(email=OTHER)
    gone = another(world)
    ended = session_id(gone)
    gone.post("/sign-out", {})

    replies = [
        member.delete(f"/sessions/{name}")
        for name in (session_id(eve), ended, "0190a000-0000-7000-8000-000000000000", "x")
    ]

    assert [(reply.status, reply.code) for reply in replies] == [(404, "not_found")] * 4
    assert eve.who() == OTHER


def test_the_others_can_be_ended(world: World, transport: Transport) -> None:
    """`POST /sessions/revoke-others` ends all sessions but the one that asks, and nobody else's."""
    member, phone, tablet = world.member(transport), another(world), another(world, "cookie")
    eve = world.member(email=OTHER)

    reply = member.post("/sessions/revoke-others", {})

    assert (reply.status, reply.body) == (200, b'{"ended":2}')
    assert [client.who() for client in (member, phone, tablet, eve)] == [EMAIL, None, None, OTHER]


def test_all_can_be_ended(world: World, transport: Transport) -> None:
    """S28: `DELETE /sessions` ends every session, the asking one too, and nobody else's."""
    member, phone = world.member(transport), another(world)
    eve = world.member(email=OTHER)

    reply = member.delete("/sessions")

    assert (reply.status, reply.body) == (200, b'{"ended":2}')
    assert [client.who() for client in (member, phone, eve)] == [None, None, OTHER]
    assert phone.refresh().code == "invalid_refresh_token"


def ending(client: Client, others: str) -> list[Reply]:
    """Ask for all three ends of sessions."""
    return [
        client.delete(f"/sessions/{others}"),
        client.post("/sessions/revoke-others", {}),
        client.delete("/sessions"),
    ]


def test_ending_sessions_asks_a_fresh_authentication(world: World, transport: Transport) -> None:
    """A9: five minutes after signing in, ending sessions answers RFC 9470's challenge, and nothing ends."""
    member, phone = world.member(transport), another(world)
    world.clock.advance(301)

    replies = ending(member, session_id(phone))

    for reply in replies:
        assert (reply.status, reply.code) == (401, "reauthentication_required")
        assert reply.header("www-authenticate") == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert (member.who(), phone.who()) == (EMAIL, EMAIL)


def test_freshness_lasts_five_minutes(world: World) -> None:
    """A9: at five minutes exactly the authentication is still fresh."""
    member = world.member()
    world.clock.advance(300)

    reply = member.post("/sessions/revoke-others", {})

    assert reply.status == 200


def test_refreshing_makes_nothing_fresh(world: World) -> None:
    """T7: freshness is measured from the authentication; a refresh does not extend it."""
    member = world.member()
    world.clock.advance(301)
    assert member.refresh().status == 200

    reply = member.post("/sessions/revoke-others", {})

    assert reply.code == "reauthentication_required"


def test_freshness_is_a_setting(world: World) -> None:
    """`fresh_to_end=False` ends sessions whatever the authentication's age; `fresh` is the age."""
    world.start(features=[Password(), Sessions(fresh_to_end=False)])
    member, phone = world.member(), another(world)
    world.clock.advance(3600)
    member.refresh()

    replies = ending(member, session_id_by_row(world, phone))

    assert [reply.status for reply in replies] == [200, 200, 200]


def session_id_by_row(world: World, client: Client) -> str:
    """Answer a session's id without using the session: its access token may be over."""
    refreshed = client.refresh()
    found: str = refreshed.json["session"]["id"]
    return found


# --- living and dying ---


def test_an_access_token_lives_fifteen_minutes(world: World) -> None:
    """S22: a bearer's access token is over after 15 minutes, and a refresh goes on."""
    member = world.member()
    world.clock.advance(899)
    assert member.who() == EMAIL
    world.clock.advance(1)
    assert member.who() is None

    reply = member.refresh()

    assert reply.status == 200
    assert member.who() == EMAIL


def test_a_cookie_session_slides_with_use(world: World) -> None:
    """Use slides a cookie session's end by seven days, without setting a cookie; unused it ends."""
    member = world.member("cookie")
    for _ in range(3):
        world.clock.advance(6 * 86400)
        reply = member.get("/me")
        assert (reply.status, reply.all("set-cookie")) == (200, [])

    world.clock.advance(7 * 86400)

    assert member.who() is None


def test_refresh_slides_a_cookie_session(world: World) -> None:
    """`POST /refresh` on a cookie session slides the row, answers the session alone, and sets nothing."""
    member = world.member("cookie")
    world.clock.advance(3600)

    reply = member.refresh()

    assert (reply.status, set(reply.json), reply.json["status"]) == (200, {"status", "session"}, "refreshed")
    assert reply.json["session"]["expires_at"] == "2030-01-08T01:00:00Z"
    assert reply.json["session"]["last_seen_at"] == "2030-01-01T01:00:00Z"
    assert reply.all("set-cookie") == []


def test_use_is_noted_once_a_minute(world: World, transport: Transport) -> None:
    """A guard writes at most once a minute: `last_seen_at` moves then, and not before."""
    member = world.member(transport)
    world.clock.advance(59)
    assert member.get("/session").json["session"]["last_seen_at"] == "2030-01-01T00:00:00Z"

    world.clock.advance(1)
    member.get("/session")

    assert member.get("/session").json["session"]["last_seen_at"] == "2030-01-01T00:01:00Z"


def test_no_sliding_passes_the_absolute_end(world: World, transport: Transport) -> None:
    """T6: however often it is used, a session ends at its absolute end, which the cookie's Max-Age names."""
    settings = Sessions(absolute_ttl=timedelta(days=30), refresh_ttl=timedelta(days=7))
    world.start(features=[Password(), settings])
    member = world.client(transport)
    started = member.sign_up(EMAIL, PASSWORD)
    verified = member.verify(started, world.code())
    if transport == "cookie":
        assert [cookie.max_age for cookie in verified.cookies if cookie.name.endswith("_session")] == [30 * 86400]

    for _ in range(5):
        world.clock.advance(6 * 86400 - 1)
        reply = member.refresh()
        assert reply.status == (200 if world.clock.now().month == 1 else 401)
    world.clock.advance(5)

    assert member.who() is None
    assert member.refresh().code == "invalid_refresh_token"


# --- one browser, one session ---


def test_a_browser_that_signs_in_again_leaves_its_session(world: World) -> None:
    """T7: a sign-in in the same browser is a session with a secret of its own; the one it replaces is over."""
    browser = world.member("cookie")
    old = Client(world.send, browser.prefix, "cookie", jar=dict(browser.jar))

    reply = browser.sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert browser.session_secret != old.session_secret
    assert (old.who(), browser.who()) == (None, EMAIL)
    assert len(browser.get("/sessions").json["sessions"]) == 1


def test_a_second_user_in_one_browser_replaces_the_first(world: World) -> None:
    """T7: whoever signs in, the browser's session before is over."""
    browser = world.member("cookie")
    world.member(email=OTHER)
    old = Client(world.send, browser.prefix, "cookie", jar=dict(browser.jar))

    browser.sign_in(OTHER, PASSWORD)

    assert (old.who(), browser.who()) == (None, OTHER)


def test_bearer_sessions_stand_beside_each_other(world: World) -> None:
    """Each sign-in under bearer is another session; none ends another."""
    first = world.member()

    second = another(world)

    assert (first.who(), second.who()) == (EMAIL, EMAIL)
    assert len(first.get("/sessions").json["sessions"]) == 2
