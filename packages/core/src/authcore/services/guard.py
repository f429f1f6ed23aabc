"""Who is asking, and whether that is enough: the decision behind every guard."""

from __future__ import annotations

from datetime import datetime, timedelta

from authcore.context import Authenticated, Context
from authcore.errors import (
    AccountRequired,
    AuthError,
    EmailNotVerified,
    InsufficientUserAuthentication,
    NotAuthenticated,
    ReauthenticationRequired,
)
from authcore.route import Requirement
from authcore.services import sessions, transport
from authcore.services.sessions import SessionSettings
from authcore.values import Value

_CHALLENGE = (("WWW-Authenticate", "Bearer"),)


class Grace(Value, frozen=True):
    """How long after it was made a user passes `verified=True` with an address that is not proven."""

    unverified: timedelta


async def authenticate(ctx: Context) -> Authenticated | None:
    """Answer who is asking, or None; raise AmbiguousCredentials. Notes the use of the session at most once a minute."""
    digest = transport.credential_digest(ctx)
    if digest is None:
        return None
    now = ctx.now()
    who = await ctx.db.read(sessions.lookup, ctx.tenant.id, digest, now, ctx.app.user)
    if who is not None and stale(ctx, who, now):
        await note_use(ctx, who, now)
    return who


def stale(ctx: Context, who: Authenticated, now: datetime) -> bool:
    """Tell whether the session's use should be noted."""
    return now - who.session.last_seen_at >= ctx.settings(SessionSettings).touch_interval


async def note_use(ctx: Context, who: Authenticated, now: datetime) -> None:
    """Write down that the session was used, and slide its end."""
    end = sessions.slid_end(ctx.settings(SessionSettings), who.session, now)
    await ctx.db.write(sessions.touch, who.session.id, end, now)


def enforce(ctx: Context, who: Authenticated | None, needs: Requirement) -> Authenticated:
    """Answer who is asking if that is enough, else raise the failure that says what is missing."""
    try:
        return _enforce(ctx, who, needs)
    except AuthError as error:
        error.location = _page_instead(ctx, needs)
        raise


def _page_instead(ctx: Context, needs: Requirement) -> str | None:
    """Answer where a browser that asked for a page is sent, None for all that is no page."""
    request = ctx.request
    if needs.redirect is None or request is None or request.method not in ("GET", "HEAD"):
        return None
    # A page that sends to itself would never end.
    if request.path == needs.redirect.partition("?")[0] or not request.wants_page:
        return None
    return needs.redirect


def _enforce(ctx: Context, who: Authenticated | None, needs: Requirement) -> Authenticated:
    if who is None:
        raise NotAuthenticated(headers=_CHALLENGE)
    if who.user.anonymous and not needs.anonymous:
        raise AccountRequired()
    if needs.verified and not (who.user.email_verified or _in_grace(ctx, who)):
        raise EmailNotVerified()
    if needs.mfa and who.session.aal < 2:
        raise InsufficientUserAuthentication(headers=_stepping_up('acr_values="aal2"'))
    _enforce_freshness(ctx, who, needs)
    return who


def _in_grace(ctx: Context, who: Authenticated) -> bool:
    grace = ctx.runtime.settings.get(Grace)
    return grace is not None and ctx.now() - who.user.created_at < grace.unverified


def _enforce_freshness(ctx: Context, who: Authenticated, needs: Requirement) -> None:
    limit = ctx.settings(SessionSettings).fresh if needs.default_fresh else needs.fresh
    # Freshness counts from the authentication; a refresh never extends it (T7).
    if limit is not None and ctx.now() - who.session.auth_time > limit:
        raise ReauthenticationRequired(headers=_stepping_up(f'max_age="{int(limit.total_seconds())}"'))


def _stepping_up(what: str) -> tuple[tuple[str, str], ...]:
    # RFC 9470 section 3
    return (("WWW-Authenticate", f'Bearer error="insufficient_user_authentication", {what}'),)
