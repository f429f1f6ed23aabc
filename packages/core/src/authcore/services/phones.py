"""Phone numbers: one spelling, E.164 (RFC 3966 5.1.4), and only numbers that there are."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from authcore.errors import ConfigurationError, field_error
from authcore.services.limits import Hit


def demand(owner: str) -> None:
    """Raise ConfigurationError, naming the room, unless the library that knows numbers is installed."""
    if find_spec("phonenumbers") is None:
        raise ConfigurationError(f"{owner} reads phone numbers: install authcore[phone].")


def canonical_phone(text: str) -> str:
    """Answer the one spelling of a number, such as `+4915112345678`; raise InvalidFields.

    Blanks, hyphens, dots and brackets are read past. A number without its country is refused: which one was meant
    depends on where the server stands.
    """
    import phonenumbers

    found: str = phonenumbers.format_number(_parsed(text), phonenumbers.PhoneNumberFormat.E164)
    return found


def country(phone: str) -> str:
    """Answer the calling code of a canonical number, as text."""
    return str(_parsed(phone).country_code)


def hits(phone: str) -> tuple[Hit, ...]:
    """Answer the buckets of messages to a number: one past its allowance is not sent, and nobody is told."""
    return (
        Hit("sms.number", phone),
        Hit("sms_day.number", phone),
        Hit("sms.country", country(phone)),
        Hit("sms.everyone"),
    )


def mask_phone(phone: str) -> str:
    """Answer a hint made from what the caller sent: `+49***78`."""
    return f"{phone[:3]}***{phone[-2:]}"


def _parsed(text: str) -> Any:
    import phonenumbers

    try:
        number = phonenumbers.parse(text[:64])
    except phonenumbers.NumberParseException:
        raise _invalid() from None
    # An extension is no number that a message reaches.
    if number.extension or not phonenumbers.is_valid_number(number):
        raise _invalid()
    return number


def _invalid() -> Exception:
    return field_error("phone", "invalid", "This is no phone number: begin with + and the country.")
