"""Proving the address of a user who signed up without a code: by a link, and by a code in the same mail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from authcore.feature import Feature, MailTemplate, mails_from
from authcore.features.email_verification import flow
from authcore.features.email_verification.calls import EmailVerificationCalls
from authcore.features.email_verification.routes import ROUTES
from authcore.features.email_verification.settings import EmailVerificationSettings, grace_of
from authcore.route import Route
from authcore.services.challenges import code_kind
from authcore.services.events import Registered

_TEMPLATES = Path(__file__).parent / "templates"


class EmailVerification(Feature):
    """Let users show that their address is theirs, and let routes ask for it by `verified=True`.

    `grace` lets users whose address is not proven pass `verified=True` for so long after they signed up.
    `send_at_sign_up` mails the link to who signs up without a code. `link_needs_session` refuses a link in a browser
    where its user is not signed in; else it works there too, and what nobody proved before ends.
    """

    name = "email_verification"
    calls = EmailVerificationCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(
            "email_verification",
            "auth-email-verification",
            _TEMPLATES,
            carries=("code", "link"),
            sample={"code_minutes": 10},
        ),
    )

    def __init__(
        self,
        *,
        grace: timedelta | None = None,
        send_at_sign_up: bool = True,
        link_needs_session: bool = False,
        link_ttl: timedelta = timedelta(hours=24),
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        self.settings = EmailVerificationSettings(
            send_at_sign_up=send_at_sign_up,
            link_needs_session=link_needs_session,
            kind=code_kind(
                "EmailVerification",
                purpose="email_verification",
                mail="email_verification",
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
                link_ttl=link_ttl,
            ),
        )
        self.shares = grace_of(grace)
        if send_at_sign_up:
            self.listeners = ((Registered, flow.greet),)  # type: ignore[misc]
        self.mails = mails_from("EmailVerification", type(self).mails, mail_from)  # type: ignore[misc]
