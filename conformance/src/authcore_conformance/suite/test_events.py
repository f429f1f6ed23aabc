"""Events: what listeners hear, and when, under every drive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from authcore.errors import Conflict
from authcore.events import Event, Failed, Lockout, Login, Registered
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "twelve other letters"


def test_a_life_is_told_in_order(world: World) -> None:
    """Every event of a sign-up, a refusal and a sign-out is told by its name, with user or address (S7, S16, S119)."""
    heard: list[Any] = []
    world.app.events.on_every(heard.append)

    member = world.member()
    world.client().sign_in(EMAIL, WRONG)
    member.post("/sign-out")

    assert [type(event).__name__ for event in heard] == [
        "Registered",
        "Verified",
        "Authenticated",
        "Login",
        "Attempting",
        "Failed",
        "Logout",
        "CurrentDeviceLogout",
    ]
    assert {event.user.email if hasattr(event, "user") else event.email for event in heard} == {EMAIL}
    assert heard[3].session_id == heard[6].session_id


def test_listeners_may_be_async(world: World) -> None:
    """Sync and async listeners hear of one event, in the order in which they came (S119)."""
    heard: list[str] = []

    async def later(event: Event) -> None:
        heard.append("async")

    world.app.on(Login, lambda event: heard.append("sync"))
    world.app.on(Login, later)

    world.member()

    assert heard == ["sync", "async"]


def test_a_failing_listener_harms_nobody(world: World) -> None:
    """The request is answered, and the other listeners are told (S119)."""
    heard: list[Event] = []

    def fails(event: Event) -> None:
        raise Conflict

    world.app.on(Login, fails)
    world.app.on(Login, heard.append)

    member = world.member()

    assert member.get("/me").status == 200
    assert [type(event) for event in heard] == [Login]


@pytest.fixture
def noted(world: World) -> Iterator[World]:
    """The application, with a table of its own in the same database."""
    world.query(text("CREATE TABLE noted (email VARCHAR(320))"))
    yield world
    world.stop()
    world.query(text("DROP TABLE noted"))


def test_a_listener_in_the_transaction_is_part_of_it(noted: World) -> None:
    """What it writes is committed with the action, on the connection that it is given (S119)."""

    def note(tx: Connection, event: Registered) -> None:
        tx.execute(text("INSERT INTO noted VALUES (:email)"), {"email": event.user.email})

    noted.app.on(Registered, note, in_transaction=True)

    noted.member()

    assert [row["email"] for row in noted.query(text("SELECT email FROM noted"))] == [EMAIL]


def test_a_listener_in_the_transaction_can_undo_the_action(world: World) -> None:
    """What it raises rolls the action back and is the answer; nobody is told of what was not (S119)."""
    heard: list[Event] = []

    def refuses(tx: Connection, event: Registered) -> None:
        raise Conflict

    world.app.on(Registered, refuses, in_transaction=True)
    world.app.on(Registered, heard.append)
    client = world.client()

    refused = client.verify(client.sign_up(EMAIL, PASSWORD), world.code())

    assert (refused.status, refused.code) == (409, "conflict")
    assert world.rows("authcore_user") == []
    assert heard == []


def test_a_lockout_is_told_of_unknown_addresses_too(world: World) -> None:
    """The refusal for too many attempts is told with the address, whether there is an account or not (S16, S119)."""
    world.member()
    heard: list[Any] = []
    for kind in (Failed, Lockout):
        world.app.on(kind, heard.append)

    for email in (EMAIL, "eve@example.com"):
        client = world.client()
        for _ in range(11):
            client.sign_in(email, WRONG)

    known = [type(event) for event in heard if event.email == EMAIL]
    unknown = [type(event) for event in heard if event.email != EMAIL]
    assert known == unknown
    assert Lockout in known


def test_an_application_tells_of_its_own_sign_in(world: World) -> None:
    """What an application dispatches is heard as what the rooms tell (S119)."""
    heard: list[Event] = []
    event = Failed("default", world.clock.now(), EMAIL)
    world.app.on(Failed, heard.append)

    world.app.events.dispatch(event)

    assert heard == [event]
