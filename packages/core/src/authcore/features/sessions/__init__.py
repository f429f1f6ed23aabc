"""Sessions: who is signed in, where, and the end of it. Always on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from authcore.feature import Feature, MailTemplate, Retention, mails_from
from authcore.features.sessions.calls import SessionCalls
from authcore.features.sessions.routes import routes
from authcore.services.challenges import code_kind
from authcore.services.sessions import KEEP, SessionSettings, access, clean, clean_secrets, refresh, sessions

_TEMPLATES = Path(__file__).parent / "templates"


class Sessions(Feature):
    """Keep people signed in.

    `transport` is "cookie", "bearer" or "both". `access_ttl` and `refresh_ttl` are a bearer's, `cookie_ttl` slides
    with use, and no session outlives `absolute_ttl`. Within `grace` a replaced refresh token answers the same
    successor; after it, `on_reuse` ends the "family" or every session of the "user". `fresh` is the age below which an
    authentication counts as fresh. Code settings are those of the mail that proves again who is signed in.
    """

    name = "sessions"
    calls = SessionCalls
    tables = (sessions, access, refresh)
    retentions = (
        Retention("sessions", KEEP, clean),
        Retention("session_secrets", KEEP, clean_secrets),
    )
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate("reauthenticate", "auth-reauthenticate", _TEMPLATES, carries=("code",)),
    )

    def __init__(
        self,
        *,
        transport: Literal["cookie", "bearer", "both"] = "both",
        access_ttl: timedelta = timedelta(minutes=15),
        refresh_ttl: timedelta = timedelta(days=30),
        cookie_ttl: timedelta = timedelta(days=7),
        absolute_ttl: timedelta = timedelta(days=90),
        grace: timedelta = timedelta(seconds=10),
        on_reuse: Literal["family", "user"] = "family",
        fresh: timedelta = timedelta(minutes=5),
        fresh_to_end: bool = True,
        cookie_refresh: bool = False,
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        mail_from: str | None = None,
    ) -> None:
        self.settings = SessionSettings(
            transport=transport,
            access_ttl=access_ttl,
            refresh_ttl=refresh_ttl,
            cookie_ttl=cookie_ttl,
            absolute_ttl=absolute_ttl,
            grace=grace,
            on_reuse=on_reuse,
            fresh=fresh,
            fresh_to_end=fresh_to_end,
            cookie_refresh=cookie_refresh,
            reauthenticate=code_kind(
                "Sessions",
                purpose="reauthenticate",
                mail="reauthenticate",
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
            ),
        )
        self.routes = routes(fresh_to_end=fresh_to_end)  # type: ignore[misc]
        self.mails = mails_from("Sessions", type(self).mails, mail_from)  # type: ignore[misc]
