"""Each event as one of Litestar's."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar import Litestar
from litestar.events import listener
from litestar.testing import TestClient

from authcore import Auth, events
from authcore_litestar import AuthCore

SignUp = Callable[..., dict[str, Any]]


def started(auth: Auth, *listeners: Any) -> TestClient[Litestar]:
    """Answer a client of an application with listeners."""
    return TestClient(Litestar(plugins=[AuthCore(auth)], listeners=listeners), base_url="http://app.localhost")


def test_an_event_is_emitted_under_its_name(auth: Auth, sign_up: SignUp) -> None:
    """S119: a sign-up tells of its session, to async and to sync listeners of that event alone."""
    heard: list[Any] = []

    @listener("authcore.Login")
    async def note(event: events.Login) -> None:
        heard.append(event)

    @listener("authcore.Login", "authcore.Logout")
    def count(event: events.Event) -> None:
        heard.append(type(event))

    with started(auth, note, count) as client:
        body = sign_up(client)

    assert len(heard) == 2
    assert events.Login in heard
    [event] = [each for each in heard if isinstance(each, events.Login)]
    assert (event.user.email, event.session_id) == ("ada@example.com", body["session"]["id"])


def test_a_failing_listener_harms_nobody(auth: Auth, sign_up: SignUp, capfd: pytest.CaptureFixture[str]) -> None:
    """The request is answered, the log tells of it, and the next event is heard."""
    heard: list[str] = []

    @listener("authcore.Login")
    async def fails(event: events.Login) -> None:
        heard.append(event.session_id)
        raise RuntimeError("the listener's own fault")

    with started(auth, fails) as client:
        first = sign_up(client)["session"]["id"]
        client.cookies.clear()
        second = sign_up(client, "eve@example.com")["session"]["id"]

    assert heard == [first, second]
    assert "the listener's own fault" in capfd.readouterr().err


def test_blocking_code_beside_the_loop_is_heard(auth: Auth, sign_up: SignUp) -> None:
    """S119: what is dispatched in another thread reaches the loop of the application that runs."""
    heard: list[events.Event] = []

    @listener("authcore.Failed")
    async def note(event: events.Failed) -> None:
        heard.append(event)

    with started(auth, note) as client:
        sign_up(client)
        event = events.Failed("default", datetime(2030, 1, 1, tzinfo=UTC), "eve@example.com")
        auth.events.dispatch(event)

    auth.events.dispatch(event)  # nothing runs any more, so nobody is told
    assert heard == [event]
