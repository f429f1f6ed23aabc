"""Signing in by a code that is sent to a mailbox or a phone; no password is needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from authcore.errors import ConfigurationError
from authcore.feature import Feature, MailTemplate, SmsTemplate, mails_from
from authcore.features.code.calls import CodeCalls
from authcore.features.code.routes import ROUTES
from authcore.features.code.settings import KIND, SMS_KIND, CodeSettings
from authcore.route import Route
from authcore.services import phones
from authcore.services.accounts import EMAIL_PASSWORD, PHONE
from authcore.services.challenges import ChallengeKind, code_kind
from authcore.services.passwordless import Way
from authcore.services.sign_in import Proof

__all__ = ["Code", "CodeCalls"]

_TEMPLATES = Path(__file__).parent / "templates"


class Code(Feature):
    """Send a code that signs in once, by mail and, with `phone=True`, by text message.

    `create_users` makes an account for who has none, at the first sign-in. A code lives `code_ttl`.
    """

    name = "code"
    calls = CodeCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(KIND, "auth-code", _TEMPLATES, family="login", carries=("code", "name")),
    )

    def __init__(
        self,
        *,
        email: bool = True,
        phone: bool = False,
        create_users: bool = False,
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        for name, value in (("email", email), ("phone", phone), ("create_users", create_users)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"Code({name}=…) is True or False.")
        if not (email or phone):
            raise ConfigurationError("Code(email=False, phone=False) sends codes nowhere: leave one of them True.")

        def kind(purpose: str, kind: str) -> ChallengeKind:
            return code_kind(
                "Code",
                purpose=purpose,
                mail=purpose,
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
                kind=kind,
            )

        self.settings = CodeSettings(
            Way(EMAIL_PASSWORD, kind(KIND, "email_code"), Proof(("email",)), create_users) if email else None,
            # A8, NIST SP 800-63B-4 3.1.3: a code by text message is a single factor, and a restricted one.
            Way(PHONE, kind(SMS_KIND, "sms_code"), Proof(("sms",)), create_users) if phone else None,
        )
        self.mails = mails_from("Code", type(self).mails if email else (), mail_from)  # type: ignore[misc]
        if phone:
            phones.demand("Code(phone=True)")
            self.sms = (SmsTemplate(SMS_KIND, "auth-code", _TEMPLATES, family="login"),)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        if self.settings.phone is None:
            return []
        return ["Code(phone=True): whoever takes over a number, by its contract or its network, signs in by it."]
