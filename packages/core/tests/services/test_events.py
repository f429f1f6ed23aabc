"""What happened: a closed list of events, told to listeners that can harm nobody."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import authcore
from authcore import Auth, AuthError, ConfigurationError, Password, Sessions
from authcore import events as public
from authcore.errors import Forbidden
from authcore.feature import Feature
from authcore.services import accounts, events, journal, sessions
from authcore.services.events import EVENTS, Event
from authcore.testing.ports import FrozenClock

PASSWORD = "three quiet herons wade"
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


UNDECIDED = {"Attempting", "Failed", "Lockout", "BreachCheckFailed"}
_EMITTED = re.compile(r"events\.emit\(\s*ctx,\s*(?:events\.)?(\w+)")


def test_rooms_write_events_in_the_transaction_that_decides() -> None:
    """`emit` has a transaction of its own, so it is for what none decides: all else could be lost, or told in vain."""
    sources = [path.read_text(encoding="utf-8") for path in Path(authcore.__file__).parent.rglob("*.py")]

    emitted = {name for source in sources for name in _EMITTED.findall(source)}

    assert emitted - {"event"} == UNDECIDED


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
        "Authenticated",
        "Login",
        "Attempting",
        "Failed",
        "Attempting",
        "Authenticated",
        "Login",
        "Logout",
        "CurrentDeviceLogout",
    ]
    assert {event.tenant for event in heard} == {"default"}
    assert heard[0].user.email == "ada@example.com"
    login, logout, device = heard[-3:]
    assert login.user.id == logout.user.id == device.user.id == heard[0].user.id
    assert login.session_id == logout.session_id == device.session_id


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

    ended = [event for event in heard if isinstance(event, events.SessionsEnded)]
    assert [(event.user_id, event.count) for event in ended] == [(first["user"]["id"], 1)] * 4
    assert names(heard) == ["SessionsEnded", "SessionsEnded", "SessionsEnded", "OtherDeviceLogout", "SessionsEnded"]
    assert heard[3].user.id == first["user"]["id"]


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
    assert [row.name for row in inside(made).rows(journal.events)] == ["RefreshReused"]


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


# --- in the transaction ---


@pytest.fixture
def notes(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> tuple[Auth, Any, sa.Table]:
    """An Auth, its side door, and a table of the application's own in the same database."""
    made = auth(Password(require_code=False))
    made.create_tables()
    table = sa.Table("note", sa.MetaData(), sa.Column("text", sa.String(100)))
    door = inside(made)
    door.write(table.create)
    return made, door, table


def test_a_listener_in_the_transaction_writes_with_the_action(
    notes: tuple[Auth, Any, sa.Table], client: Callable[..., Any]
) -> None:
    """S119: what it writes over the connection it is given is committed with the action."""
    made, door, table = notes

    def note(tx: sa.Connection, event: events.Registered) -> None:
        tx.execute(table.insert(), {"text": event.user.email})

    made.on(events.Registered, note, in_transaction=True)

    client(made).sign_up()

    assert [row.text for row in door.rows(table)] == ["ada@example.com"]


class Undone(Exception):
    """What a listener in the transaction raises."""


def undo(tx: sa.Connection, event: Event) -> None:
    """Undo what happened."""
    raise Undone


def test_a_listener_in_the_transaction_undoes_the_action(notes: tuple[Auth, Any, sa.Table]) -> None:
    """S119: what it raises rolls back the action with all that was written, and reaches whoever asked."""
    made, door, table = notes
    told: list[Event] = []

    def refuses(tx: sa.Connection, event: events.Registered) -> None:
        tx.execute(table.insert(), {"text": "never"})
        raise Undone

    made.on(events.Registered, refuses, in_transaction=True)
    made.on(events.Registered, told.append)

    with pytest.raises(Undone):
        made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)

    assert door.rows(table) == door.rows(accounts.users) == told == []


@pytest.mark.parametrize(
    ("kind", "undone"),
    [
        (events.Authenticated, {"sign_in"}),
        (events.Login, {"sign_in"}),
        (events.Logout, {"sign_out"}),
        (events.SessionsEnded, {"revoke", "revoke_all"}),
    ],
)
def test_what_a_session_lives_through_can_be_undone(
    notes: tuple[Auth, Any, sa.Table], kind: type[Event], undone: set[str]
) -> None:
    """S119: the transactions of a sign-in and of every end of a session are the listeners' too."""
    made, door, _ = notes
    calls = made.blocking.sessions
    known = {"email": "ada@example.com", "password": PASSWORD}
    user = made.blocking.password.sign_up(**known).user
    held = [made.blocking.password.sign_in(**known).access_token for _ in range(4)]
    made.on(kind, undo, in_transaction=True)
    ways: dict[str, Callable[[str], Any]] = {
        "sign_in": lambda _: made.blocking.password.sign_in(**known),
        "sign_out": lambda token: calls.sign_out(access_token=token),
        "revoke": lambda token: calls.revoke_session(token),
        "revoke_all": lambda _: calls.revoke_all_sessions(user.id),
    }
    found = set()

    for token, (name, way) in zip(held, ways.items(), strict=True):
        before = [(row.id, row.revoked_at) for row in door.rows(sessions.sessions)]
        try:
            way(token)
        except Undone:
            found.add(name)
            assert [(row.id, row.revoked_at) for row in door.rows(sessions.sessions)] == before

    assert found == undone


def test_a_listener_in_the_transaction_cannot_be_async(auth: Callable[..., Auth]) -> None:
    """Nothing can be awaited inside a transaction: the sentence says so when it is registered."""

    async def later(tx: sa.Connection, event: Event) -> None: ...

    with pytest.raises(ConfigurationError, match="synchronous function of"):
        auth().on(events.Login, later, in_transaction=True)


@pytest.mark.parametrize(
    ("listener", "how", "names"),
    [
        (lambda: None, {}, r"listener\(event\)"),
        (lambda event: None, {"in_transaction": True}, r"listener\(connection, event\)"),
    ],
)
def test_a_listener_takes_what_it_is_called_with(
    auth: Callable[..., Auth], listener: Any, how: dict[str, Any], names: str
) -> None:
    """One that does not would fail at the first event, and inside a transaction roll its action back."""
    with pytest.raises(ConfigurationError, match=names):
        auth().on(events.Login, listener, **how)


def test_a_listener_in_the_transaction_that_answers_a_coroutine_is_named(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any]
) -> None:
    """What turns out to be async only when it is called fails by a sentence that names it."""

    async def later() -> None: ...

    def hidden(tx: sa.Connection, event: Event) -> Any:
        return later()

    made = auth()
    made.on(events.Failed, hidden, in_transaction=True)

    with pytest.raises(TypeError, match=r"hidden.*nothing can be awaited"):
        made.blocking.events.dispatch(events.Failed("default", FrozenClock().now(), "ada@example.com"))


def test_refusing_an_attempt_refuses_the_sign_in(notes: tuple[Auth, Any, sa.Table]) -> None:
    """S119: `Attempting` is told before anything is looked up, so raising there keeps an address out."""
    made, _, _ = notes
    made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)

    def keeps_out(tx: sa.Connection, event: events.Attempting) -> None:
        raise Forbidden()

    made.on(events.Attempting, keeps_out, in_transaction=True)

    with pytest.raises(Forbidden):
        made.blocking.password.sign_in(email="ada@example.com", password=PASSWORD)


# --- every event, and an application's own ---


def test_one_listener_may_hear_of_every_event(
    told: Callable[..., tuple[Auth, list[Event]]], client: Callable[..., Any]
) -> None:
    """`on_every` hears what listeners of each type hear together, after the commit and in the transaction."""
    made, heard = told()
    every: list[Event] = []
    inside_: list[Event] = []
    made.events.on_every(every.append)
    made.events.on_every(lambda tx, event: inside_.append(event), in_transaction=True)

    visitor = client(made)
    visitor.post("/sign-out", bearer=visitor.sign_up().json["access_token"])

    assert every == heard == inside_
    assert len(heard) == 6


async def test_an_application_dispatches_events_of_its_own(told: Callable[..., tuple[Auth, list[Event]]]) -> None:
    """S119: what a sign-in of the application's own dispatches is heard, from blocking and from async code."""
    made, heard = told()
    event = events.Lockout("default", FrozenClock().now(), "ada@example.com")

    await made.asyncio.events.dispatch(event)
    assert heard == [event]


def test_the_dispatcher_listens_and_tells(auth: Callable[..., Auth]) -> None:
    """S119: `auth.events` is the dispatcher: `on` and `dispatch` by one name."""
    made, heard = auth(), []
    event = events.Failed("default", FrozenClock().now(), "ada@example.com")

    made.events.on(events.Failed, heard.append)
    made.events.dispatch(event)
    made.blocking.events.dispatch(event)

    assert heard == [event, event]


@pytest.mark.parametrize("event", ["Login", None, events.Login, object()])
def test_only_events_are_dispatched(auth: Callable[..., Auth], event: Any) -> None:
    """The list is closed for dispatching too."""
    with pytest.raises(TypeError, match="no event of authcore"):
        auth().events.dispatch(event)


def test_a_room_listens_with_the_context(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A room's listener is a flow: it gets the context, and may use its ports."""
    counted: list[int] = []

    async def count(ctx: Any, event: events.Login) -> None:
        found = await ctx.db.read(sessions.list_live, ctx.tenant.id, event.user.id, ctx.now(), None)
        counted.append(len(found))

    class Counting(Feature):
        name = "counting"
        listeners = ((events.Login, count),)

    client(auth(Password(), Counting())).sign_up()

    assert counted == [1]


def test_reauthentication_is_told(told: Callable[..., tuple[Auth, list[Event]]], client: Callable[..., Any]) -> None:
    """S119: `Authenticated` tells that a user proved who it is, where no session is made too."""
    made, heard = told()
    visitor = client(made)
    signed_up = visitor.sign_up().json
    heard.clear()

    visitor.post("/reauthenticate", {"password": PASSWORD}, bearer=signed_up["access_token"])

    assert names(heard) == ["Authenticated", "Reauthenticated"]
    assert heard[0].user.id == signed_up["user"]["id"]
    assert heard[1].session_id == signed_up["session"]["id"]


def test_a_void_event_is_told_to_nobody(
    told: Callable[..., tuple[Auth, list[Event]]], inside: Callable[[Auth], Any]
) -> None:
    """A2: what is written for an account that does not exist calls no listener, inside or after."""
    made, heard = told()
    made.events.on_every(lambda tx, event: heard.append(event), in_transaction=True)
    door = inside(made)
    ctx = door.ctx()
    sent = events.PasswordResetLinkSent("default", ctx.now(), "nobody@example.com")

    happened = events.occur(ctx, sent, void=True)
    door.write(events.write, happened)
    door.run(events.tell(ctx, happened))

    assert heard == []


def test_the_public_names_are_the_events() -> None:
    """`authcore.events` holds what an application listens to: every event, and their base."""
    assert set(public.__all__) == {kind.__name__ for kind in EVENTS} | {"Event"}
    assert all(getattr(public, kind.__name__) is kind for kind in EVENTS)
