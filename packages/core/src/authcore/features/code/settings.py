"""The room's settings."""

from __future__ import annotations

from authcore.services.passwordless import Way
from authcore.values import Value

KIND, SMS_KIND = "sign_in_code", "sign_in_sms"


class CodeSettings(Value, frozen=True):
    """The ways in; None for one that is not offered."""

    email: Way | None
    phone: Way | None
