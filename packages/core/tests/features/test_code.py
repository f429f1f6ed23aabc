"""The room `code` as Python calls, whatever the drive, its settings, and the spelling of numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, Code, ConfigurationError, Password, SignedIn
from authcore.errors import InvalidChallenge, InvalidFields
from authcore.services import phones

PHONE = "+4915112345678"


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where an account grows from a code."""
    found = auth(Password(), Code(phone=True, create_users=True))
    found.create_tables()
    return found


@pytest.mark.parametrize("to", [{"email": "ada@example.com"}, {"phone": PHONE}])
def test_a_code_is_asked_for_and_spent(calling: Any, made: Auth, mailer: Any, texts: Any, to: dict[str, str]) -> None:
    """S90: the calls do what the routes do, by mail and by text message."""
    calls = calling(made)
    sent = calls.code.request(**to)
    made.outbox.drain()
    code = (mailer.mails or texts.messages)[-1].code

    signed_in = calls.code.verify(challenge_id=sent.challenge.id, code=code)

    assert isinstance(signed_in, SignedIn)
    assert all(getattr(signed_in.user, name) == value for name, value in to.items())
    with pytest.raises(InvalidChallenge):
        calls.code.verify(challenge_id=sent.challenge.id, code=code)


@pytest.mark.parametrize("id_", ["", "nothing", "\ud800", "\x00"])
def test_what_is_no_challenge_is_refused(made: Auth, id_: str) -> None:
    """Texts that a form of the application's own lets through are wrong, and break nothing."""
    with pytest.raises((InvalidChallenge, InvalidFields)):
        made.blocking.code.verify(challenge_id=id_, code="123456")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"email": "yes"}, r"email=…\) is True or False"),
        ({"phone": 1}, r"phone=…\) is True or False"),
        ({"create_users": None}, r"create_users=…\) is True or False"),
        ({"email": False}, "nowhere"),
        ({"code_length": 13}, "code_length"),
        ({"code_ttl": timedelta(seconds=1)}, "code_ttl"),
    ],
)
def test_a_setting_that_cannot_hold_is_refused_at_start(settings: dict[str, Any], says: str) -> None:
    """Each refusal names the setting and what it may be."""
    with pytest.raises(ConfigurationError, match=says):
        Code(**settings)


def test_text_messages_need_a_sender(auth: Callable[..., Auth]) -> None:
    """Outside development an application without a sender of text messages does not start."""
    production = {"dev_mode": False, "base_url": "https://example.com", "hashing": None, "sms": None}

    with pytest.raises(ConfigurationError, match="sms"):
        auth(Code(phone=True), **production)
    assert auth(Code(), **production) is not None


@pytest.mark.parametrize("text", ["+4915112345678", "+49 151 12345678", " +49 (151) 123-456 78 ", "+49.151.12345678"])
def test_a_number_has_one_spelling(text: str) -> None:
    """RFC 3966 5.1.4: what people put between digits for the eye is no part of the number."""
    assert phones.canonical_phone(text) == PHONE


@pytest.mark.parametrize("text", ["+390612345678"])
def test_a_zero_that_is_part_of_a_number_stays(text: str) -> None:
    """Italian numbers keep the zero behind the country."""
    assert phones.canonical_phone(text) == text


@pytest.mark.parametrize(
    "text", ["", "15112345678", "0151 12345678", "+", "+49", "+4915112345678;ext=9", "+49" + "1" * 70]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    """Without its country, too short, too long or with an extension."""
    with pytest.raises(InvalidFields):
        phones.canonical_phone(text)


@given(st.text(max_size=100))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """Whatever is typed ends in a canonical number, which stays the same when read again, or in InvalidFields."""
    try:
        found = phones.canonical_phone(text)
    except InvalidFields:
        return
    assert phones.canonical_phone(found) == found
    assert found[1:].isdigit()
    assert found.startswith(f"+{phones.country(found)}")
