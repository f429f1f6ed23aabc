"""The room `sessions`: rotating refresh tokens, and the end of a family."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Reply
from authcore_conformance.world import EMAIL, PASSWORD, World


def assert_refused(reply: Reply) -> None:
    """Check the one refusal of every refresh."""
    assert (reply.status, reply.code) == (401, "invalid_refresh_token")


def ended(world: World) -> list[bool]:
    """Answer of each session whether it has ended."""
    return [row["revoked_at"] is not None for row in world.rows("authcore_session")]


def reuses(world: World) -> int:
    """Answer how many thefts stand in the events."""
    return sum(row["name"] == "RefreshReused" for row in world.rows("authcore_event"))


def test_a_refresh_token_is_replaced(world: World) -> None:
    """S25, S32: a refresh answers another pair and the same session; the pair before is over."""
    member = world.member()
    old_access, old_refresh = member.access_token, member.refresh_token
    before = member.get("/session").json["session"]

    reply = member.refresh()

    assert (reply.status, reply.json["status"]) == (200, "refreshed")
    assert (reply.json["token_type"], reply.json["expires_in"]) == ("Bearer", 900)
    assert reply.json["session"]["id"] == before["id"]
    assert reply.json["session"]["auth_time"] == before["auth_time"]
    assert member.refresh_token != old_refresh
    assert member.access_token != old_access
    assert member.who() == EMAIL


def test_inside_the_grace_the_same_successor_is_answered(world: World) -> None:
    """T6: a client that lost the answer asks again and gets the very same bytes."""
    member = world.member()
    token = member.refresh_token

    first = member.refresh(token)
    again = member.refresh(token)
    world.clock.advance(10)
    late = member.refresh(token)

    assert first.body == again.body
    assert late.json["refresh_token"] == first.json["refresh_token"]
    assert late.json["access_token"] == first.json["access_token"]
    assert member.who() == EMAIL
    assert reuses(world) == 0


def test_after_the_grace_a_replay_is_theft(world: World) -> None:
    """T6, S25: after the grace the family dies, one event is written, and both stand before the 401 is answered."""
    member = world.member()
    token = member.refresh_token
    member.refresh()
    world.clock.advance(11)

    reply = member.refresh(token)

    assert_refused(reply)
    assert (ended(world), reuses(world)) == ([True], 1)
    assert member.who() is None
    assert_refused(member.refresh())


def test_a_theft_is_told_once(world: World) -> None:
    """T6: further presentations of a dead family write no further event."""
    member = world.member()
    token = member.refresh_token
    member.refresh()
    world.clock.advance(11)

    for _ in range(3):
        assert_refused(member.refresh(token))

    assert reuses(world) == 1


def test_a_rotated_successor_ends_the_grace(world: World) -> None:
    """T6: once the successor has itself been rotated, the parent is theft inside the grace as well."""
    member = world.member()
    parent = member.refresh_token
    member.refresh()
    member.refresh()

    reply = member.refresh(parent)

    assert_refused(reply)
    assert (ended(world), reuses(world)) == ([True], 1)


def test_using_the_access_token_does_not_end_the_grace(world: World) -> None:
    """T6: the use of the successor's access token does not count."""
    member = world.member()
    token = member.refresh_token
    first = member.refresh()
    assert member.who() == EMAIL

    again = member.refresh(token)

    assert again.json["refresh_token"] == first.json["refresh_token"]


def test_without_grace_every_second_presentation_is_theft(world: World) -> None:
    """T6: grace 0 is strict."""
    world.start(features=[Password(), Sessions(grace=timedelta(0))])
    member = world.member()
    token = member.refresh_token
    assert member.refresh().status == 200

    reply = member.refresh(token)

    assert_refused(reply)
    assert (ended(world), reuses(world)) == ([True], 1)


@pytest.mark.ledger
def test_the_old_access_token_lives_through_the_grace_at_most(world: World) -> None:
    """A replaced pair's access token ends with the grace: requests on their way still arrive."""
    member = world.member()
    held = world.client()
    held.access_token = member.access_token
    member.refresh()

    during = held.who()
    world.clock.advance(10)
    after = held.who()

    assert (during, after) == (EMAIL, None)


def test_reuse_may_end_every_session_of_the_user(world: World) -> None:
    """S41: `on_reuse="user"` ends all sessions of the user; by default the family alone ends."""
    for setting, expected in (("family", EMAIL), ("user", None)):
        world.start(features=[Password(), Sessions(on_reuse=setting)])  # type: ignore[arg-type]
        email = EMAIL if setting == "family" else "eve@example.com"
        member, phone = world.member(email=email), world.client()
        phone.sign_in(email, PASSWORD)
        token = member.refresh_token
        member.refresh()
        world.clock.advance(11)

        assert_refused(member.refresh(token))

        assert phone.who() == expected


def test_an_expired_refresh_token_ends_its_family(world: World) -> None:
    """S25: presented after its 30 days, a token is refused and its family ends."""
    member = world.member()
    world.clock.advance(30 * 86400)

    reply = member.refresh()

    assert_refused(reply)
    assert ended(world) == [True]


def test_every_refusal_is_the_same(world: World) -> None:
    """S25: unknown, misspelt, revoked and replaced tokens are one answer."""
    member = world.member()
    token = member.refresh_token or ""
    member.refresh()
    world.clock.advance(11)

    replies = [
        member.refresh(text)
        for text in (token, token, "ac1_rt_" + "A" * 43, "nonsense", token[:-1], f"{token}=", token.swapcase())
    ]

    assert {str(reply.masked()) for reply in replies} == {str(replies[0].masked())}
    assert_refused(replies[0])


def test_nothing_to_refresh_is_refused(world: World) -> None:
    """A refresh without a token and without a cookie is refused alike."""
    reply = world.client().post("/refresh", {})

    assert_refused(reply)


# --- cookies that come as a pair ---


PAIR = [Password(), Sessions(cookie_refresh=True)]


def test_a_pair_of_cookies_rotates(world: World) -> None:
    """`cookie_refresh=True`: two cookies come, both are replaced by a refresh, and no secret stands in a body."""
    world.start(features=PAIR)
    browser = world.member("cookie")
    before = dict(browser.jar)

    reply = browser.refresh()

    assert (reply.status, set(reply.json)) == (200, {"status", "session"})
    names = ["__Host-authcore_session", "__Host-authcore_refresh"]
    assert [cookie.name for cookie in reply.cookies] == names
    assert [cookie.max_age for cookie in reply.cookies] == [900, 2592000]
    assert all(browser.jar[name] != before[name] for name in names)
    assert all(cookie.value.encode() not in reply.body for cookie in reply.cookies)
    assert browser.who() == EMAIL


def test_a_replayed_refresh_cookie_is_theft(world: World) -> None:
    """T6: a refresh cookie that was replaced ends its family, as a token does."""
    world.start(features=PAIR)
    browser = world.member("cookie")
    stolen = world.client("cookie", jar=dict(browser.jar))
    browser.refresh()
    world.clock.advance(11)

    assert_refused(stolen.refresh())

    assert (ended(world), reuses(world)) == ([True], 1)
    assert browser.who() is None


def test_signing_out_ends_the_pair(world: World) -> None:
    """Both cookies are cleared, and neither opens anything any more."""
    world.start(features=PAIR)
    browser = world.member("cookie")
    held = world.client("cookie", jar=dict(browser.jar))

    reply = browser.post("/sign-out", {})

    assert sorted(cookie.name for cookie in reply.cookies if cookie.max_age == 0) == [
        "__Host-authcore_refresh",
        "__Host-authcore_session",
    ]
    assert held.who() is None
    assert_refused(held.refresh())


def test_a_body_token_beside_a_foreign_refresh_cookie_is_ambiguous(world: World) -> None:
    """R7: a refresh token in the body beside a refresh cookie of another family is refused, and both live on."""
    world.start(features=PAIR)
    browser = world.member("cookie")
    phone = world.client()
    phone.sign_in(EMAIL, PASSWORD)

    reply = browser.refresh(phone.refresh_token)

    assert (reply.status, reply.code) == (400, "ambiguous_credentials")
    assert phone.refresh().status == 200
    assert browser.refresh().status == 200
