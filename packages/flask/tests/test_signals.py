"""Each event as a blinker signal of the application."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authcore import Auth, events
from authcore_flask import AuthCore, signals

SignUp = Callable[..., dict[str, Any]]
Heard = list[tuple[Flask, events.Event]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listen to `Login` and keep what is sent."""
    found: Heard = []

    def hear(app: Flask, event: events.Event) -> None:
        found.append((app, event))

    with signals.Login.connected_to(hear):
        yield found


def test_a_signal_is_sent_by_the_application(app: Flask, client: FlaskClient, sign_up: SignUp, heard: Heard) -> None:
    """S119: a sign-up tells of its session, with the application as the sender."""
    body = sign_up(client)

    [(sender, event)] = heard
    assert sender is app
    assert isinstance(event, events.Login)
    assert (event.user.email, event.session_id) == ("ada@example.com", body["session"]["id"])


def test_there_is_a_signal_for_each_event() -> None:
    """S119: the signals are those of the closed list, and no others."""
    kinds = {name for name in events.__all__ if name != "Event"}

    assert set(dir(signals)) == kinds
    assert {getattr(signals, name).name for name in kinds} == kinds
    with pytest.raises(AttributeError, match="no event of authcore"):
        _ = signals.LoggedIn


def test_a_failing_receiver_harms_nobody(
    client: FlaskClient, sign_up: SignUp, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is answered, other receivers are called, and the log tells which signal it was."""

    def fails(app: Flask, event: events.Event) -> None:
        raise RuntimeError("the receiver's own fault")

    with signals.Login.connected_to(fails), signals.Registered.connected_to(fails):
        sign_up(client)

    assert len(heard) == 1
    told = [record.getMessage() for record in caplog.records if record.name == "authcore.events"]
    assert told == ["A receiver of the signal Registered failed.", "A receiver of the signal Login failed."]


def test_applications_that_share_an_auth_send_their_own(
    auth: Auth, app: Flask, client: FlaskClient, sign_up: SignUp, heard: Heard
) -> None:
    """What happened in one application is not sent by another one, though both mount one Auth."""
    other = Flask("other")
    AuthCore(other, auth)

    sign_up(client)
    sign_up(other.test_client(), "eve@example.com")

    assert [(sender, event.user.email) for sender, event in heard] == [
        (app, "ada@example.com"),
        (other, "eve@example.com"),
    ]


def test_an_application_dispatches_its_own(app: Flask, auth: Auth, heard: Heard, sign_up: SignUp) -> None:
    """S119: what an application's own sign-in dispatches is sent as well, outside of requests too."""
    sign_up(app.test_client())
    [(_, event)] = heard

    auth.events.dispatch(event)

    assert heard == [(app, event), (app, event)]
