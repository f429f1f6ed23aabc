"""The audit: what happens over HTTP becomes rows that name nobody, and costs known and unknown addresses the same."""

from __future__ import annotations

import pytest

from authcore import Audit, Password, Sessions
from authcore.events import UserDeleted
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "twelve other letters"


@pytest.fixture
def audited(world: World) -> World:
    """The application with the audit."""
    world.start(features=[Password(), Sessions(), Audit()])
    return world


def happened(world: World) -> list[tuple[str, str]]:
    """Answer what happened and how it ended, by name."""
    return sorted((row["name"], row["outcome"]) for row in world.rows("authcore_event"))


def test_a_life_becomes_rows(audited: World) -> None:
    """Each event of a sign-up, a refusal, a sign-in and a sign-out is a row (S119)."""
    member = audited.member()
    audited.client().sign_in(EMAIL, WRONG)
    member.sign_in(EMAIL, PASSWORD)
    member.post("/sign-out")

    assert happened(audited) == [
        ("Attempting", "open"),
        ("Attempting", "open"),
        ("Authenticated", "success"),
        ("Authenticated", "success"),
        ("CurrentDeviceLogout", "success"),
        ("Failed", "failure"),
        ("Login", "success"),
        ("Login", "success"),
        ("Logout", "success"),
        ("Registered", "success"),
        ("Verified", "success"),
    ]


def test_rows_tell_who_by_one_pseudonym(audited: World) -> None:
    """Neither the user's id nor an address stands in a row; the pseudonym's key stands apart (rule O3)."""
    member = audited.member()
    audited.client().sign_in(EMAIL, WRONG)
    user_id = member.get("/me").json["user"]["id"]

    rows = audited.rows("authcore_event")

    [key] = audited.rows("authcore_pseudonym")
    assert key["user_id"] == user_id
    assert {row["who"] for row in rows} == {key["pseudonym"], None}
    assert [row["name"] for row in rows if EMAIL in str(row) or user_id in str(row) or "ac1_" in str(row)] == []


def test_the_key_goes_with_the_account(audited: World) -> None:
    """Once the account is gone its rows stay and name nobody."""
    member = audited.member()
    user_id = member.get("/me").json["user"]["id"]
    before = len(audited.rows("authcore_event"))

    audited.app.events.dispatch(UserDeleted("default", audited.clock.now(), user_id))

    assert audited.rows("authcore_pseudonym") == []
    assert len(audited.rows("authcore_event")) == before + 1


def test_known_and_unknown_addresses_cost_the_same_writes(audited: World) -> None:
    """A refused sign-in runs the same statements for an address with an account and for one without (rule A2)."""
    audited.member()
    for email in (EMAIL, "eve@example.com"):  # what is made at a first failure is there from here on
        audited.client().sign_in(email, WRONG)

    known = audited.statements(lambda: audited.client().sign_in(EMAIL, WRONG))
    unknown = audited.statements(lambda: audited.client().sign_in("eve@example.com", WRONG))

    assert [text for text in known if "authcore_event" in text] != []
    assert writes(known) == writes(unknown)


def writes(statements: list[str]) -> list[str]:
    """Answer the statements that write."""
    return [text for text in statements if text.split(" ", 1)[0].upper() in ("INSERT", "UPDATE", "DELETE")]


def test_requests_for_unknown_addresses_leave_the_same_rows(audited: World) -> None:
    """A refused sign-in adds the same rows of the audit, and no pseudonym (rule A2)."""
    audited.member()

    known = audited.added(lambda: audited.client().sign_in(EMAIL, WRONG))
    unknown = audited.added(lambda: audited.client().sign_in("eve@example.com", WRONG))

    assert known["authcore_event"] == unknown["authcore_event"] == 2
    assert known["authcore_pseudonym"] == unknown["authcore_pseudonym"] == 0


def test_a_lockout_is_denied(audited: World) -> None:
    """The refusal for too many attempts is a row, committed before the 429 (S16, S119)."""
    client = audited.client()

    statuses = [client.sign_in("eve@example.com", WRONG).status for _ in range(11)]

    assert statuses[-1] == 429
    assert ("Lockout", "denied") in happened(audited)


def test_without_the_room_nothing_but_thefts_is_kept(world: World) -> None:
    """An application that wants no audit has no rows of it."""
    world.member()
    world.client().sign_in(EMAIL, WRONG)

    assert happened(world) == []
    assert world.rows("authcore_pseudonym") == []
