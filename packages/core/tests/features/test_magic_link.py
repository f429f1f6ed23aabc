"""The room `magic_link` as Python calls, whatever the drive, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, ChallengeRequired, ConfigurationError, MagicLink, Password, SignedIn
from authcore.errors import InvalidChallenge, SignUpClosed
from authcore.services import events

EMAIL = "ada@example.com"


def mailed(made: Auth, mailer: Any) -> Any:
    """Answer the latest mail."""
    made.outbox.drain()
    return mailer.mails[-1]


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where an account grows from a link."""
    found = auth(Password(), MagicLink(create_users=True))
    found.create_tables()
    return found


def test_a_link_is_asked_for_and_spent(calling: Any, made: Auth, mailer: Any) -> None:
    """S89: the calls do what the routes do, and answer typed outcomes."""
    calls = calling(made)
    heard: list[str] = []
    for kind in events.EVENTS:
        made.on(kind, lambda event: heard.append(type(event).__name__))

    sent = calls.magic_link.request(email=EMAIL)
    signed_in = calls.magic_link.consume(token=mailed(made, mailer).token)

    assert isinstance(sent, ChallengeRequired)
    assert isinstance(signed_in, SignedIn)
    assert signed_in.user.email_verified
    assert heard == ["Registered", "Authenticated", "Login"]
    with pytest.raises(InvalidChallenge):
        calls.magic_link.consume(token=mailed(made, mailer).token)


def test_a_door_that_closes_meanwhile_stays_closed(auth: Callable[..., Auth], made: Auth, mailer: Any) -> None:
    """A link that was mailed while sign-up was open makes no account after it was closed, and is not spent."""
    made.blocking.magic_link.request(email=EMAIL)
    token = mailed(made, mailer).token
    closed = auth(Password(), MagicLink(create_users=True), sign_up="closed")

    with pytest.raises(SignUpClosed):
        closed.blocking.magic_link.consume(token=token)

    assert isinstance(made.blocking.magic_link.consume(token=token), SignedIn)


def test_the_hook_is_asked_about_everybody(auth: Callable[..., Auth]) -> None:
    """A2: a hook that ran for unknown addresses alone would tell them apart by the clock."""
    asked: list[str | None] = []

    def rule(candidate: Any) -> bool:
        asked.append(candidate.email)
        return True

    made = auth(Password(), MagicLink(create_users=True), sign_up=rule)
    made.create_tables()
    made.blocking.administration.create(email=EMAIL, verified=True)
    asked.clear()

    made.blocking.magic_link.request(email=EMAIL)
    made.blocking.magic_link.request(email="eve@example.com")

    assert asked == [EMAIL, "eve@example.com"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"create_users": "yes"}, r"create_users=…\) is True or False"),
        ({"same_browser": 1}, r"same_browser=…\) is True or False"),
        ({"link_ttl": timedelta(minutes=1)}, "link_ttl"),
        ({"link_ttl": timedelta(days=8)}, "link_ttl"),
        ({"link_ttl": 900}, "link_ttl"),
        ({"code_ttl": timedelta(hours=2)}, "code_ttl"),
        ({"code_length": 4}, "code_length"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"min_send_interval": timedelta(hours=1)}, "min_send_interval"),
        ({"mail_from": "nobody"}, "mail_from"),
    ],
)
def test_a_setting_that_cannot_hold_is_refused_at_start(settings: dict[str, Any], says: str) -> None:
    """Each refusal names the setting and what it may be."""
    with pytest.raises(ConfigurationError, match=says):
        MagicLink(**settings)


def test_a_long_life_is_told_of() -> None:
    """`doctor` mentions links that open for more than an hour, and nothing else."""
    assert MagicLink().findings(None) == []
    assert "above an hour" in MagicLink(link_ttl=timedelta(hours=2)).findings(None)[0]
