"""The room `sessions` as Python calls: sessions that are used, those that are too many, and tokens that come twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import pytest

from authcore import Auth, EmailCode, Password, Request, Sessions, SignedIn
from authcore.errors import InvalidRefreshToken, NotAuthenticated, NotFound
from authcore.features.email_code.tables import remembered
from authcore.services import sessions
from authcore.services.events import EVENTS, Event, RefreshReused, SessionsEnded
from authcore.stores import MaxConcurrentReached
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
WHOLE: dict[str, Any] = {"email": EMAIL, "password": PASSWORD, "transport": "bearer"}
STRATEGIES = ["sql", "memory", *(["jwt"] if find_spec("jwt") else []), "sealed"]
"""PyJWT is an extra; where it is not installed, the others say the same."""
Make = Callable[..., Auth]


def carrying(made: SignedIn) -> Request:
    """Answer a request that carries a bearer's session."""
    return Request("POST", "/mine", headers={"authorization": f"Bearer {made.access_token}"})


def joined(calls: Any) -> SignedIn:
    """Sign up and in."""
    found = calls.password.sign_up(**WHOLE)
    assert isinstance(found, SignedIn)
    return found


# --- touching ---


@pytest.fixture
def made(auth: Make) -> Auth:
    """An application whose sessions are over after ten idle minutes."""
    return auth(Password(require_code=False), Sessions(idle_timeout=timedelta(minutes=10)))


def test_a_session_is_touched_by_its_id(calling: Any, made: Auth, clock: FrozenClock) -> None:
    """S49: `touch` notes the use of a session and slides its end, within the minute as well."""
    calls = calling(made)
    held = joined(calls)
    clock.advance(9)

    touched = calls.sessions.touch(held.session.id)

    assert (touched.id, touched.current, touched.last_seen_at) == (held.session.id, False, clock.now())
    assert touched.expires_at == clock.now() + timedelta(minutes=10)
    clock.advance(599)
    assert [session.id for session in calls.sessions.list_sessions(user_id=held.user.id)] == [held.session.id]


def test_the_session_that_asks_is_touched(calling: Any, made: Auth, clock: FrozenClock) -> None:
    """S49: without an id it is the session of the request."""
    held = joined(calling(made))
    clock.advance(9)

    touched = calling(made, carrying(held)).sessions.touch()

    assert (touched.id, touched.current, touched.last_seen_at) == (held.session.id, True, clock.now())


@pytest.mark.parametrize("id_", ["", "unknown", "\x00", "\ud800", "0190a000-0000-7000-8000-000000000000"])
def test_an_unknown_session_is_not_touched(calling: Any, made: Auth, id_: str) -> None:
    """S49: an id that is no live session's raises NotFound."""
    with pytest.raises(NotFound):
        calling(made).sessions.touch(id_)


def test_what_is_over_is_not_touched(calling: Any, made: Auth, clock: FrozenClock) -> None:
    """S49: touching brings no session back, neither an ended one nor an idle one."""
    calls = calling(made)
    ended, idle = joined(calls), calls.password.sign_in(**WHOLE)
    calls.sessions.revoke_session(ended.session.id)
    clock.advance(600)

    for held in (ended, idle):
        with pytest.raises(NotFound):
            calls.sessions.touch(held.session.id)


def test_nobody_touches_nothing(calling: Any, made: Auth) -> None:
    """S49: without an id and without a session there is nothing to touch."""
    with pytest.raises(NotAuthenticated):
        calling(made).sessions.touch()


# --- idle, wherever credentials live ---


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_token_of_any_strategy_is_idle_in_time(auth: Make, clock: FrozenClock, strategy: str) -> None:
    """S48: a session that nobody used for the idle timeout is over, though its token has time left."""
    made = auth(Password(require_code=False), Sessions(idle_timeout=timedelta(minutes=5), bearer=strategy))
    core = made.blocking_core()
    request = carrying(joined(made.blocking))
    clock.advance(299)
    before = core.authenticate(request)
    clock.advance(300)

    assert before is not None
    assert core.authenticate(request) is None
    assert made.blocking.on(request).sessions.get_user() is None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_token_of_any_strategy_notes_its_use(
    auth: Make, clock: FrozenClock, inside: Callable[[Auth], Any], strategy: str
) -> None:
    """S48: whoever uses a session keeps it beyond the idle timeout, by one write a minute."""
    made = auth(Password(require_code=False), Sessions(idle_timeout=timedelta(minutes=3), bearer=strategy))
    core, world = made.blocking_core(), inside(made)
    request = carrying(joined(made.blocking))

    seen = set()
    for _ in range(42):
        clock.advance(20)
        assert core.authenticate(request) is not None
        [row] = world.rows(sessions.sessions)
        seen.add(row.last_seen_at)

    assert len(seen) == 14 + 1
    assert clock.now() - max(seen) < timedelta(minutes=1)


def test_use_on_one_node_keeps_the_session_on_another(auth: Make, clock: FrozenClock) -> None:
    """S48: a node that heard nothing of a token for the idle timeout asks the ledger before it refuses."""
    rooms: Any = (Password(require_code=False), Sessions(idle_timeout=timedelta(minutes=3), bearer="sealed"))
    here, there = auth(*rooms), auth(*rooms)
    request = carrying(joined(here.blocking))
    assert there.blocking_core().authenticate(request) is not None
    for _ in range(4):
        clock.advance(100)
        assert here.blocking_core().authenticate(request) is not None

    assert there.blocking_core().authenticate(request) is not None


# --- too many ---


def limited(auth: Make, on_limit: str = "reject", *more: Any) -> Auth:
    """Answer an application where a user has one session at a time."""
    return auth(Password(require_code=False), Sessions(max_sessions=1, on_limit=on_limit), *more)  # type: ignore[arg-type]


def test_one_too_many_is_refused_by_call(calling: Any, auth: Make) -> None:
    """S37, S48: the refusal is an AuthError with its code; once the session is over, there is room."""
    calls = calling(limited(auth))
    held = joined(calls)

    with pytest.raises(MaxConcurrentReached) as refused:
        calls.password.sign_in(**WHOLE)
    calls.sessions.revoke_session(held.session.id)

    assert (refused.value.status, refused.value.code) == (409, "max_concurrent_reached")
    assert isinstance(calls.password.sign_in(**WHOLE), SignedIn)


def listening(auth: Auth) -> list[Event]:
    """Answer every event from here on, in the order in which listeners are told."""
    heard: list[Event] = []
    for kind in EVENTS:
        auth.on(kind, heard.append)
    return heard


def test_nobody_is_told_of_a_sign_in_that_was_refused(auth: Make) -> None:
    """S48: at the limit no event says that somebody signed in."""
    made = limited(auth)
    joined(made.blocking)
    heard = listening(made)

    with pytest.raises(MaxConcurrentReached):
        made.blocking.password.sign_in(**WHOLE)

    assert [type(event).__name__ for event in heard] == ["Attempting"]


def test_listeners_are_told_of_what_made_room(auth: Make, clock: FrozenClock) -> None:
    """S48: who is evicted is told of as one of the ends of sessions, before the sign-in."""
    made = limited(auth, "evict_oldest")
    held = joined(made.blocking)
    heard = listening(made)
    clock.advance(1)

    made.blocking.password.sign_in(**WHOLE)

    [ended] = [event for event in heard if isinstance(event, SessionsEnded)]
    assert (ended.user_id, ended.count, ended.at) == (held.user.id, 1, clock.now())
    assert [type(event).__name__ for event in heard] == ["Attempting", "SessionsEnded", "Authenticated", "Login"]
    assert made.blocking.sessions.get_user(access_token=held.access_token) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_evicted_token_of_any_strategy_opens_nothing(auth: Make, strategy: str) -> None:
    """S48: what made room is refused at the next request, wherever its credential lives."""
    rooms = Password(require_code=False), Sessions(max_sessions=1, on_limit="evict_oldest", bearer=strategy)
    made = auth(*rooms)
    request = carrying(joined(made.blocking))
    assert made.blocking_core().authenticate(request) is not None

    made.blocking.password.sign_in(**WHOLE)

    assert made.blocking_core().authenticate(request) is None


def test_a_refused_sign_in_spends_no_remember_token(
    auth: Make, client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """S12, S48: a browser that is spared the code stays so when it is refused at the limit."""
    made = auth(Password(), EmailCode(remember=True), Sessions(max_sessions=1))
    client(made).sign_up()
    calls, world = made.blocking, inside(made)
    calls.sessions.revoke_all_sessions(user_id=world.rows(sessions.sessions)[0].user_id)
    begun = calls.password.sign_in(**WHOLE)
    code = client(made).mailed_code("email_code")
    held = calls.email_code.verify(challenge_id=begun.challenge.id, code=code, remember=True)
    token = held.remembered.token

    with pytest.raises(MaxConcurrentReached):
        calls.password.sign_in(**WHOLE, remember_token=token)
    spent = [row.spent_at for row in world.rows(remembered)]
    calls.sessions.revoke_session(held.session.id)
    spared = calls.password.sign_in(**WHOLE, remember_token=token)

    assert spent == [None]
    assert isinstance(spared, SignedIn)


# --- tokens that come twice ---


def stolen(calls: Any) -> RefreshReused:
    """Present a refresh token twice, and answer the event that should be told."""
    held = joined(calls)
    calls.sessions.refresh(refresh_token=held.refresh_token)
    with pytest.raises(InvalidRefreshToken):
        calls.sessions.refresh(refresh_token=held.refresh_token)
    return RefreshReused("default", held.session.created_at, held.user.id, held.session.id)


def test_the_hook_is_told_of_a_theft(calling: Any, auth: Make) -> None:
    """S41: `on_rotation_reuse` is called with the event, once, after the family has ended."""
    heard: list[Any] = []

    def hook(event: RefreshReused) -> None:
        live = made.blocking.sessions.list_sessions(user_id=event.user_id)
        heard.append((event, live))

    made = auth(Password(require_code=False), Sessions(rotation="always", on_rotation_reuse=hook))

    event = stolen(calling(made))

    assert heard == [(event, [])]


def test_an_async_hook_is_awaited(auth: Make) -> None:
    """S41: a coroutine is awaited where the application runs on a loop."""
    heard: list[RefreshReused] = []

    async def hook(event: RefreshReused) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    made = auth(Password(require_code=False), Sessions(rotation="always", on_rotation_reuse=hook))

    async def steal() -> None:
        held = await made.asyncio.password.sign_up(**WHOLE)
        assert isinstance(held, SignedIn)
        await made.asyncio.sessions.refresh(refresh_token=held.refresh_token)
        with pytest.raises(InvalidRefreshToken):
            await made.asyncio.sessions.refresh(refresh_token=held.refresh_token)

    asyncio.run(steal())

    assert len(heard) == 1


def test_a_hook_that_fails_changes_nothing(calling: Any, auth: Make, caplog: pytest.LogCaptureFixture) -> None:
    """S41: the failure of the hook stands in the log; the refusal and the end of the family stay."""

    def hook(event: RefreshReused) -> None:
        raise RuntimeError("the pager is down")

    made = auth(Password(require_code=False), Sessions(rotation="always", on_rotation_reuse=hook))
    heard: list[RefreshReused] = []
    made.on(RefreshReused, heard.append)

    with caplog.at_level(logging.ERROR, "authcore.events"):
        event = stolen(calling(made))

    assert heard == [event]
    assert made.blocking.sessions.list_sessions(user_id=event.user_id) == []
    assert "the pager is down" in caplog.text


def test_a_refresh_token_that_stays_is_answered_again(calling: Any, auth: Make) -> None:
    """S41: under "none" a refresh answers the same refresh token beside another access token."""
    calls = calling(auth(Password(require_code=False), Sessions(rotation="none")))
    held = joined(calls)

    issued = [calls.sessions.refresh(refresh_token=held.refresh_token) for _ in range(2)]

    assert {each.refresh for each in issued} == {held.refresh_token}
    assert len({held.access_token, *(each.access for each in issued)}) == 3
