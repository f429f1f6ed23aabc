"""Refusals that count: what they count is committed before they are answered, under every drive."""

from __future__ import annotations

from authcore_conformance.client import challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World


def test_a_wrong_code_leaves_its_attempt(world: World) -> None:
    """A wrong code's attempt stands in the challenge's row, and the challenge is as open as before."""
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)

    reply = client.verify(started, world.wrong_code())

    assert reply.status == 400
    [row] = world.rows("authcore_challenge")
    assert (row["id"], row["attempts"], row["spent_at"]) == (challenge_id(started), 1, None)
    assert client.verify(started, world.code()).status == 200


def test_twenty_wrong_codes_leave_five_attempts(world: World) -> None:
    """An attempt is reserved before the code is compared: no number of tries passes the cap."""
    client = world.client()
    started = client.sign_up(EMAIL, PASSWORD)
    wrong = world.wrong_code()

    statuses = [client.verify(started, wrong).status for _ in range(20)]

    assert statuses == [400] * 20
    [row] = world.rows("authcore_challenge")
    assert row["attempts"] == row["max_attempts"] == 5


def test_a_failed_sign_in_leaves_its_count(world: World) -> None:
    """A failed sign-in's count stands in its row, for an address with an account and for one without."""
    world.member()

    statuses = [world.client().sign_in(email, "wrong").status for email in (EMAIL, "eve@example.com", EMAIL)]

    assert statuses == [401] * 3
    assert sorted(row["failures"] for row in world.rows("authcore_attempt")) == [1, 2]


def test_a_reused_refresh_token_leaves_the_family_dead(world: World) -> None:
    """The theft of a refresh token is committed with its event before the 401 is answered."""
    member = world.member()
    token = member.refresh_token
    member.refresh()
    world.clock.advance(11)

    reply = member.refresh(token)

    assert reply.status == 401
    [session] = world.rows("authcore_session")
    thefts = [row for row in world.rows("authcore_event") if row["name"] == "RefreshReused"]
    assert session["revoked_at"] is not None
    assert [theft["session_id"] for theft in thefts] == [session["id"]]


def test_a_limit_counts_what_it_refuses(world: World) -> None:
    """A request beyond a limit is counted and nothing else: no attempt, no failure, no mail."""
    world.member()
    client = world.client()
    for _ in range(10):
        client.sign_in(EMAIL, "wrong")
    failures = [row["failures"] for row in world.rows("authcore_attempt")]

    reply = client.sign_in(EMAIL, "wrong")

    assert reply.status == 429
    assert [row["failures"] for row in world.rows("authcore_attempt")] == failures == [10]
