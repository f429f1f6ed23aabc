"""Sessions: who is signed in, where, and the end of it. Always on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from authcore.feature import Feature, MailTemplate, Retention, mails_from
from authcore.features.sessions import flow
from authcore.features.sessions.calls import SessionCalls
from authcore.features.sessions.routes import routes
from authcore.services import bags, strategies
from authcore.services import revocations as revoked
from authcore.services import signing_keys as keys
from authcore.services.challenges import code_kind
from authcore.services.events import RefreshReused
from authcore.services.revocations import epochs, revocations
from authcore.services.sessions import KEEP, SessionSettings, access, clean, clean_secrets, refresh, sessions
from authcore.services.signing_keys import signing_keys

_TEMPLATES = Path(__file__).parent / "templates"


class Sessions(Feature):
    """Keep people signed in.

    `transport` is "cookie", "bearer" or "both". `access_ttl` and `refresh_ttl` are a bearer's, `ttl` a cookie's; both
    slide with use, or count from the sign-in where `sliding` is False, and no session outlives `absolute_ttl`. One that
    was not used for `idle_timeout` is over. Use is noted once a `touch_interval`.

    `rotation` "sliding" replaces a refresh token at each use, and within `grace` answers the same successor again;
    "always" replaces it without any grace, "none" keeps it. Theft ends the "family" or, by `on_reuse`, every session of
    the "user", and calls `on_rotation_reuse` with the event. Of `max_sessions` at a time, `on_limit` refuses one more
    (`max_concurrent_reached`) or ends the one that was made first.

    `fresh` is the age below which an
    authentication counts as fresh. `remember_me` keeps cookies "always" until the session's end, "never" longer than
    the browser runs, or "ask"s with `remember_me` in the body. `header` is one in which a bearer's token may come, too.
    `place` is a hook of an address, asked where sessions are listed, that answers a text or None. `claims` is the
    struct that `create_session(claims=…)` must be, `bag_size` the most bytes of a data bag. Code settings are
    those of the mail that proves again who is signed in.
    """

    name = "sessions"
    calls = SessionCalls
    tables = (sessions, access, refresh, bags.bags, revocations, epochs, signing_keys)
    retentions = (
        Retention("revocations", revoked.KEEP, revoked.clean),
        Retention("signing_keys", keys.KEEP, keys.clean),
        Retention("sessions", KEEP, clean),
        Retention("session_secrets", KEEP, clean_secrets),
        Retention("session_data", bags.KEEP, bags.clean),
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
        ttl: timedelta = timedelta(days=7),
        sliding: bool = True,
        idle_timeout: timedelta | None = None,
        absolute_ttl: timedelta = timedelta(days=90),
        rotation: Literal["sliding", "always", "none"] = "sliding",
        grace: timedelta = timedelta(seconds=10),
        on_reuse: Literal["family", "user"] = "family",
        on_rotation_reuse: Callable[[RefreshReused], Any] | None = None,
        max_sessions: int | None = None,
        on_limit: Literal["reject", "evict_oldest"] = "reject",
        touch_interval: timedelta = timedelta(seconds=60),
        fresh: timedelta = timedelta(minutes=5),
        fresh_to_end: bool = True,
        cookie_refresh: bool = False,
        cookie: Any = "sql",
        bearer: Any = "sql",
        remember_me: Literal["always", "never", "ask"] = "always",
        header: str | None = None,
        place: Callable[[str], Any] | None = None,
        claims: type[msgspec.Struct] | None = None,
        bag_size: int = 16 * 1024,
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
            ttl=ttl,
            sliding=sliding,
            idle_timeout=idle_timeout,
            absolute_ttl=absolute_ttl,
            rotation=rotation,
            grace=grace,
            on_reuse=on_reuse,
            on_rotation_reuse=on_rotation_reuse,
            max_sessions=max_sessions,
            on_limit=on_limit,
            touch_interval=touch_interval,
            fresh=fresh,
            fresh_to_end=fresh_to_end,
            cookie_refresh=cookie_refresh,
            cookie=cookie,
            bearer=bearer,
            remember_me=remember_me,
            header=header,
            place=place,
            claims=claims,
            bag_size=bag_size,
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
        strategies.check_pair(self.settings.cookie, self.settings.bearer)
        if on_rotation_reuse is not None:
            self.listeners = ((RefreshReused, flow.tell_of_reuse),)  # type: ignore[misc]
        self.routes = routes(fresh_to_end=fresh_to_end)  # type: ignore[misc]
        self.mails = mails_from("Sessions", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        found = []
        for name in ("cookie", "bearer"):
            if getattr(self.settings, name) == "memory":
                found.append(f"Sessions({name}='memory'): every process knows its own, and a restart ends them all.")
        if self.settings.rotation == "none":
            # RFC 9700 section 2.2.2
            found.append(
                "Sessions(rotation='none') cannot tell a stolen refresh token: leave it out, or keep refresh_ttl short."
            )
        return found
