"""Each event as a signal of Django's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from authcore import events
from authcore_django import get_auth, signals

Post = Any
PASSWORD = "a passphrase of some length"


class Heard(list[tuple[Any, events.Event]]):
    """A receiver that keeps what was sent."""

    def __call__(self, sender: Any, event: events.Event, **_signal: Any) -> None:
        self.append((sender, event))


@pytest.fixture
def connect() -> Iterator[Callable[..., None]]:
    """Connect a receiver until the end of the test."""
    made: list[tuple[Any, Any]] = []

    def connect(signal: Any, receiver: Any) -> None:
        signal.connect(receiver)
        made.append((signal, receiver))

    yield connect
    for signal, receiver in made:
        signal.disconnect(receiver)


def sign_up(email: str = "ada@example.com") -> Any:
    """Sign up by the Python call."""
    return get_auth().blocking.password.sign_up(email=email, password=PASSWORD, transport="bearer")


def test_a_signal_is_sent_by_the_class_of_the_event(post: Post, project: str, connect: Callable[..., None]) -> None:
    """S119: a sign-up over HTTP tells of its session, under WSGI and under ASGI."""
    heard = Heard()
    connect(signals.Login, heard)

    body = {"email": "ada@example.com", "password": PASSWORD, "transport": "bearer"}
    answer = post("/auth/sign-up", body)

    assert answer.status == 201
    [(sender, event)] = heard
    assert sender is events.Login
    assert isinstance(event, events.Login)
    assert (event.user.email, event.session_id) == ("ada@example.com", answer.json["session"]["id"])


def test_there_is_a_signal_for_each_event() -> None:
    """S119: the signals are those of the closed list, and no others."""
    assert set(dir(signals)) == {name for name in events.__all__ if name != "Event"}
    with pytest.raises(AttributeError, match="no event of authcore"):
        _ = signals.LoggedIn


def test_an_async_receiver_is_awaited(post: Post, project: str, connect: Callable[..., None]) -> None:
    """A receiver may be async, under WSGI and under ASGI."""
    heard = []

    async def hear(sender: Any, event: events.Event, **_signal: Any) -> None:
        heard.append(sender)

    connect(signals.Login, hear)

    post("/auth/sign-up", {"email": "ada@example.com", "password": PASSWORD, "transport": "bearer"})

    assert heard == [events.Login]


def test_a_failing_receiver_harms_nobody(
    project: str, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """The call is answered, the other receivers are called, and Django's log has the failure."""
    heard = Heard()

    def fails(sender: Any, **_event: Any) -> None:
        raise RuntimeError("the receiver's own fault")

    connect(signals.Login, fails)
    connect(signals.Login, heard)

    sign_up()

    assert len(heard) == 1
    assert [record.name for record in caplog.records if record.exc_info] == ["django.dispatch"]


def test_without_autocommit_signals_come_at_once(project: str, connect: Callable[..., None]) -> None:
    """Of a commit by hand Django tells nobody: receivers are called as soon as it is written."""
    heard = Heard()
    user_id = sign_up().user.id
    connect(signals.SessionsEnded, heard)

    transaction.set_autocommit(False, using=project)
    try:
        get_auth().blocking.sessions.revoke_all_sessions(user_id)
        told = len(heard)
        transaction.commit(using=project)
    finally:
        transaction.set_autocommit(True, using=project)

    assert told == len(heard) == 1


def test_within_a_transaction_of_the_application_signals_come_after_its_commit(
    project: str, connect: Callable[..., None]
) -> None:
    """What a receiver hears of can be seen; what was rolled back is not heard of."""
    heard = Heard()
    connect(signals.SessionsEnded, heard)
    users = [sign_up(f"{name}@example.com").user.id for name in ("ada", "eve")]
    end_all = get_auth().blocking.sessions.revoke_all_sessions

    with transaction.atomic(using=project):
        end_all(users[0])
        inside = list(heard)
    with transaction.atomic(using=project):
        end_all(users[1])
        transaction.set_rollback(True, using=project)

    assert inside == []
    assert [event.user_id for _, event in heard] == users[:1]
