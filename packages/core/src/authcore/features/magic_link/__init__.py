"""Signing in by a link, or by the code beside it, that is mailed; no password is needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from authcore.errors import ConfigurationError
from authcore.feature import Feature, MailTemplate, mails_from
from authcore.features.magic_link.calls import MagicLinkCalls
from authcore.features.magic_link.routes import ROUTES
from authcore.features.magic_link.settings import KIND, MagicLinkSettings
from authcore.route import Route
from authcore.services.accounts import EMAIL_PASSWORD
from authcore.services.challenges import code_kind
from authcore.services.passwordless import Way
from authcore.services.sign_in import Proof

__all__ = ["MagicLink", "MagicLinkCalls"]

_TEMPLATES = Path(__file__).parent / "templates"


class MagicLink(Feature):
    """Mail a link, with a code for another device beside it, that signs in once.

    `create_users` makes an account for who has none, at the first sign-in. `same_browser` opens the link only in the
    browser that asked for it. Times: the link lives `link_ttl`, the code `code_ttl`.
    """

    name = "magic_link"
    calls = MagicLinkCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(
            KIND,
            "auth-magic-link",
            _TEMPLATES,
            family="login",
            carries=("code", "link", "name"),
            sample={"code_minutes": 10},
        ),
    )

    def __init__(
        self,
        *,
        create_users: bool = False,
        same_browser: bool = False,
        link_ttl: timedelta = timedelta(minutes=15),
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        for name, value in (("create_users", create_users), ("same_browser", same_browser)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"MagicLink({name}=…) is True or False.")
        kind = code_kind(
            "MagicLink",
            purpose=KIND,
            mail=KIND,
            code_length=code_length,
            code_ttl=code_ttl,
            min_send_interval=min_send_interval,
            max_attempts=max_attempts,
            link_ttl=link_ttl,
        )
        # A8: a mail proves the mailbox and nothing more.
        self.settings = MagicLinkSettings(Way(EMAIL_PASSWORD, kind, Proof(("email",)), create_users), same_browser)
        self.mails = mails_from("MagicLink", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        longest = timedelta(hours=1)
        if (self.settings.way.kind.link_ttl or longest) > longest:
            return ["MagicLink(link_ttl=…) is above an hour: whoever reads the mailbox later is signed in."]
        return []
