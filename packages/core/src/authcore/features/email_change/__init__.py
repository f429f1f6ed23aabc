"""Changing one's address: the new one is proven, and the old one can take the change back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from authcore.feature import Feature, MailTemplate, Retention, mails_from
from authcore.features.email_change import store
from authcore.features.email_change.calls import EmailChangeCalls
from authcore.features.email_change.routes import ROUTES
from authcore.features.email_change.settings import EmailChangeSettings, undo_kind
from authcore.route import Route
from authcore.services.challenges import code_kind

_TEMPLATES = Path(__file__).parent / "templates"


class EmailChange(Feature):
    """Let users change their address.

    The new address proves itself by the code or the link that is mailed to it. The old one is told at once, and can
    undo the change for `undo_ttl`: so long it belongs to nobody else.
    """

    name = "email_change"
    calls = EmailChangeCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(
            "email_change",
            "auth-email-change",
            _TEMPLATES,
            carries=("code", "link"),
            sample={"code_minutes": 10},
        ),
        MailTemplate(
            "email_changed",
            "auth-email-changed",
            _TEMPLATES,
            carries=("link",),
            sample={"new_email": "g***@example.com"},
        ),
        MailTemplate("email_change_undone", "auth-email-change-undone", _TEMPLATES, sample={"restored": True}),
    )

    def __init__(
        self,
        *,
        undo_ttl: timedelta = timedelta(days=7),
        link_ttl: timedelta = timedelta(hours=1),
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        self.settings = EmailChangeSettings(
            change=code_kind(
                "EmailChange",
                purpose="email_change",
                mail="email_change",
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
                link_ttl=link_ttl,
            ),
            undo=undo_kind(undo_ttl),
        )
        self.retentions = (Retention("reserved_emails", undo_ttl, store.release_old),)  # type: ignore[misc]
        self.mails = mails_from("EmailChange", type(self).mails, mail_from)  # type: ignore[misc]
