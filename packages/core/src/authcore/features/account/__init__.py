"""An account's life: its profile, what identifies its user, invitations, its end, and all that is stored of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from authcore.feature import Feature, MailTemplate, SmsTemplate, Sweep, mails_from
from authcore.features.account.calls import AccountCalls
from authcore.features.account.flow import leaving
from authcore.features.account.routes import routes
from authcore.features.account.settings import AccountSettings, cancel_kind, flag, invitation_kind
from authcore.route import Route
from authcore.services import phones
from authcore.services.challenges import ChallengeKind, code_kind
from authcore.services.identifiers import Identifiers

_TEMPLATES = Path(__file__).parent / "templates"
_MINUTES = {"code_minutes": 10}
_TEXTS = (
    SmsTemplate("account_phone", "auth-account-phone", _TEMPLATES),
    SmsTemplate("invitation", "auth-invitation", _TEMPLATES, family="invite"),
    SmsTemplate("deletion", "auth-deletion", _TEMPLATES),
    SmsTemplate("deletion_scheduled", "auth-deletion-scheduled", _TEMPLATES),
)


class Account(Feature):
    """Let users look after their account: profile, names, invitations, export, and its end.

    `username`, `phone` and `several_emails` are what identifies a user beside one address. Who may invite over HTTP is
    `invitations`: server code alone, or "members". A deletion is confirmed by mail unless `confirm_deletion=False`,
    and can be cancelled for `deletion_grace`.
    """

    name = "account"
    calls = AccountCalls
    routes: ClassVar[tuple[Route, ...]] = routes(
        username=False, several_emails=False, phone=False, members_invite=False
    )
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate("account_email", "auth-account-email", _TEMPLATES, carries=("code", "link"), sample=_MINUTES),
        MailTemplate(
            "account_emails", "auth-account-emails", _TEMPLATES, sample={"what": "added", "email": "g***@example.com"}
        ),
        MailTemplate(
            "invitation",
            "auth-invitation",
            _TEMPLATES,
            family="invite",
            carries=("code", "link"),
            sample={"code_minutes": 1440},
        ),
        MailTemplate("deletion", "auth-deletion", _TEMPLATES, carries=("code", "link"), sample=_MINUTES),
        MailTemplate("deletion_scheduled", "auth-deletion-scheduled", _TEMPLATES, carries=("code", "link")),
    )
    sweeps: ClassVar[tuple[Sweep, ...]] = (Sweep("deletions", leaving.sweep),)

    def __init__(
        self,
        *,
        username: bool = False,
        phone: bool = False,
        several_emails: bool = False,
        max_emails: int = 5,
        settling: timedelta = timedelta(days=7),
        invitations: Literal["server", "members"] = "server",
        invitation_ttl: timedelta = timedelta(days=7),
        deletion_grace: timedelta = timedelta(days=14),
        confirm_deletion: bool = True,
        link_ttl: timedelta = timedelta(hours=1),
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        def kind(purpose: str, *, link: bool = True) -> ChallengeKind:
            return code_kind(
                "Account",
                purpose=purpose,
                mail=purpose,
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
                link_ttl=link_ttl if link else None,
                kind="email_code" if link else "sms_code",
            )

        self.settings = AccountSettings(
            email=kind("account_email"),
            phone=kind("account_phone", link=False),
            invitation=invitation_kind(invitation_ttl),
            deletion=kind("deletion"),
            cancel=cancel_kind(deletion_grace),
            max_emails=max_emails,
            settling=settling,
            texts=flag("phone", phone),
            invitations=invitations,
            grace=deletion_grace,
            confirm_deletion=confirm_deletion,
        )
        if phone:
            phones.demand("Account(phone=True)")
            self.sms = _TEXTS  # type: ignore[misc]
        self.shares = (Identifiers(username=flag("username", username), phone=phone),)
        self.routes = routes(  # type: ignore[misc]
            username=username,
            several_emails=flag("several_emails", several_emails),
            phone=phone,
            members_invite=invitations == "members",
        )
        self.mails = mails_from("Account", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        found = []
        if any(route.path == "/me/emails" for route in self.routes) and not self.settings.settling:
            found.append("Account(settling=timedelta()): whoever takes over a session throws the owner's address out.")
        if not self.settings.confirm_deletion and not self.settings.grace:
            found.append(
                "Account(confirm_deletion=False, deletion_grace=timedelta()): one request of a session that was left "
                "open deletes an account for good."
            )
        return found
