"""A mailed code at sign-in, after the password."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from authcore.feature import Feature, MailTemplate, Retention, mails_from
from authcore.features.email_code import store
from authcore.features.email_code.calls import EmailCodeCalls
from authcore.features.email_code.routes import ROUTES
from authcore.features.email_code.settings import EmailCodeSettings
from authcore.features.email_code.step import EmailCodeStep
from authcore.features.email_code.tables import remembered
from authcore.services.challenges import code_kind

_TEMPLATES = Path(__file__).parent / "templates"


class EmailCode(Feature):
    """Ask for a mailed code at every sign-in that has not proven the mailbox.

    `remember=True` lets a client ask to be spared it for `remember_ttl`. `required=False` asks nobody.
    """

    name = "email_code"
    calls = EmailCodeCalls
    routes = ROUTES
    tables = (remembered,)
    steps = (EmailCodeStep(),)
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate("email_code", "auth-sign-in", _TEMPLATES, family="mfa", carries=("code",)),
    )
    retentions = (Retention("remember", timedelta(0), store.clean),)

    def __init__(
        self,
        *,
        required: bool = True,
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        remember: bool = False,
        remember_ttl: timedelta = timedelta(days=30),
        mail_from: str | None = None,
    ) -> None:
        self.settings = EmailCodeSettings(
            code=code_kind(
                "EmailCode",
                purpose="email_code",
                mail="email_code",
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
            ),
            required=required,
            remember=remember,
            remember_ttl=remember_ttl,
        )
        self.mails = mails_from("EmailCode", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        if self.settings.required:
            return []
        return ["EmailCode(required=False) asks nobody for a code: leave the room out, or require it."]
