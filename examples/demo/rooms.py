"""What the demo's accounts can do: every room, with what makes each visible."""

import os
from collections.abc import Iterator

from authcore import (
    Account,
    Anonymous,
    Audit,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
)
from authcore.feature import Feature


def rooms() -> list[Feature]:
    """Answer the rooms; with EMAIL_CODE=1 in the environment, signing in by password asks a mailed code as well."""
    return [*_always(), *_on_request()]


def _always() -> Iterator[Feature]:
    yield Password()
    yield PasswordReset()
    yield EmailVerification()
    yield EmailChange()
    yield MagicLink(create_users=True)  # whoever has no account has one with the first link
    yield Code(phone=True, create_users=True)
    yield Account(username=True, phone=True)
    yield Anonymous()
    yield Notices()
    yield Audit()


def _on_request() -> Iterator[Feature]:
    if os.environ.get("EMAIL_CODE") == "1":
        yield EmailCode(remember=True)
