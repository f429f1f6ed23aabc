"""What happened: a closed list of events, told to listeners that can harm nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, AuthError, Password, Sessions
from authcore.services import events
from authcore.services.events import EVENTS, Event
from authcore.testing.ports import FrozenClock

WRONG = "four loud herons wade"


@pytest.fixture
def told(auth: Callable[..., Auth]) -> Callable[..., tuple[Auth, list[Event]]]:
    """Make an Auth that tells every event to one list."""

    def make(*rooms: Any, **settings: Any) -> tuple[Auth, list[Event]]:
        made, heard = auth(*rooms, **settings), []
        for event in EVENTS:
            made.on(event, heard.append)
        return made, heard

    return make


def names(heard: list[Event]) -> list[str]:
    """Answer the names of what was told."""
    return [type(event).__name__ for event in heard]


def test_the_list_is_closed_and_sorted() -> None:
    """Rooms meet through these events and no others; every class of the module is listed."""
    defined = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)}

    assert set(EVENTS) == defined - {Event}
    assert [event.__name__ for event in EVENTS] == sorted(event.__name__ for event in EVENTS)


def test_a_life_of_an_account_is_told(
    told: Callable[..., tuple[Auth, list[Event]]], client: Callable[..., Any]
) -> None:
    """S7: sign-up, sign-in, failure and sign-out tell who and when."""
    made, heard = told()
    visitor = client(made)

    visitor.sign_up()
    visitor.sign_in(password=WRONG)
    token = visitor.sign_in().json["access_token"]
    visitor.post("/sign-out", bearer=token)

    assert names(heard) == [
        "Registered",
        "Verified",
        "Login",
        "Attempting",
        "Failed",
        "Attempting",
        "Login",
        "Logout",
    ]
    assert {event.tenant for event in heard} == {"default"}
    assert heard[0].user.email == "ada@example.com"
    assert heard[-1].user_id == heard[0].user.id
    assert heard[-1].session_id == heard[-2].session_id


def test_a_lockout_is_told(told: Callable[..., tuple[Auth, list[Event]]], client: Callable[..., Any]) -> None:
    """S16: the refusal for too many attempts is an event of its own."""
    made, heard = told()
    visitor = client(made)

    for _ in range(11):
        visitor.sign_in(password=WRONG)

    assert names(heard)[-2:] == ["Attempting", "Lockout"]


def test_ending_sessions_from_elsewhere_is_told(
    told: Callable[..., tuple[Auth, list[Event]]], client: Callable[..., Any]
) -> None:
    """S28: whoever ends sessions, by route or by Python call, is told of with their number; ending none is not."""
    made, heard = told()
    visitor = client(made)
    first = visitor.sign_up().json
    others = [visitor.sign_in().json for _ in range(3)]
    heard.clear()

    visitor.send("DELETE", f"/sessions/{others[0]['session']['id']}", bearer=first["access_token"])
    made.blocking.sessions.revoke_session(others[1]["access_token"])
    made.blocking.sessions.revoke_session(others[1]["access_token"])
    visitor.post("/sessions/revoke-others", bearer=first["access_token"])
    visitor.post("/sessions/revoke-others", bearer=first["access_token"])
    made.blocking.sessions.revoke_all_sessions(first["user"]["id"])

    assert [(type(event).__name__, event.count) for event in heard] == [("SessionsEnded", 1)] * 4
    assert {event.user_id for event in heard} == {first["user"]["id"]}


def test_reuse_is_told_once_and_kept(
    told: Callable[..., tuple[Auth, list[Event]]],
    client: Callable[..., Any],
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
) -> None:
    """T6: a stolen refresh token is one event, in the table and to listeners, however often it is presented."""
    made, heard = told(Password(), Sessions(grace=timedelta(0)))
    visitor = client(made)
    token = visitor.sign_up().json["refresh_token"]

    statuses = [visitor.post("/refresh", {"refresh_token": token}).status for _ in range(3)]

    assert statuses == [200, 401, 401]
    assert names(heard).count("RefreshReused") == 1
    assert [row.name for row in inside(made).rows(events.events)] == ["Registered", "RefreshReused"]


@pytest.mark.parametrize("broken", ["sync", "async"])
def test_a_failing_listener_harms_nobody(
    auth: Callable[..., Auth], client: Callable[..., Any], caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """A listener that raises stands in the log; the request is answered and the other listeners are told."""
    heard: list[Event] = []

    def fails(event: Event) -> None:
        raise RuntimeError("the listener's own fault")

    async def fails_later(event: Event) -> None:
        fails(event)

    made = auth()
    made.on(events.Login, {"sync": fails, "async": fails_later}[broken])
    made.on(events.Login, heard.append)

    reply = client(made).sign_up()

    assert reply.status == 200
    assert names(heard) == ["Login"]
    [record] = [record for record in caplog.records if record.name == "authcore.events"]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "A listener of Login failed.")


def test_a_listener_that_refuses_does_not_refuse_the_request(
    auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """Events are told after the commit: an AuthError of a listener is its own failure and no answer."""
    made = auth()

    def refuses(event: Event) -> None:
        raise AuthError("not today")

    made.on(events.Login, refuses)

    assert client(made).sign_up().status == 200


def test_listeners_are_told_after_the_commit(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A listener sees what the event tells of: it may read the user and the session."""
    made, seen = auth(), []
    made.on(events.Login, lambda event: seen.append(made.blocking.sessions.list_sessions(user_id=event.user.id)))

    client(made).sign_up()

    assert [len(found) for found in seen] == [1]


def test_a_listener_may_be_added_while_a_core_serves(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """An adapter that keeps its core still tells listeners that came later."""
    made, heard = auth(), []
    visitor = client(made)
    core = made.blocking_core()
    visitor.sign_up()

    made.on(events.Login, heard.append)
    visitor.sign_in()

    assert made.blocking_core() is core
    assert names(heard) == ["Login"]


def test_an_event_does_not_change() -> None:
    """What one listener gets, the next one gets as well."""
    event = events.Failed("default", FrozenClock().now(), "ada@example.com")

    with pytest.raises(AttributeError):
        event.email = "eve@example.com"  # type: ignore[misc]
