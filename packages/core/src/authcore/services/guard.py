"""Who is asking, and whether that is enough: the decision behind every guard."""

from __future__ import annotations

from datetime import datetime, timedelta

from authcore.context import Authenticated, Context
from authcore.errors import (
    AccountRequired,
    AuthError,
    EmailNotVerified,
    InsufficientScope,
    InsufficientUserAuthentication,
    NotAuthenticated,
    ReauthenticationRequired,
)
from authcore.http import Request
from authcore.route import Requirement
from authcore.services import lifetimes, sessions, transport
from authcore.services.access import StoredAccess
from authcore.services.sessions import SessionSettings
from authcore.services.transport import Presented
from authcore.values import Value

_CHALLENGE = (("WWW-Authenticate", "Bearer"),)
_INVALID = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)


class Grace(Value, frozen=True):
    """How long after it was made a user passes `verified=True` with an address that is not proven."""

    unverified: timedelta


async def authenticate(ctx: Context, *, strict: bool = True) -> Authenticated | None:
    """Answer who is asking, or None; raise AmbiguousCredentials. Notes the use of the session at most once a minute.

    What a token says about its user is believed where `strict` is False: it is at most as old as the token.
    """
    given = transport.presented(ctx)
    return None if given is None else await holder(ctx, given, strict=strict)


async def holder(ctx: Context, given: Presented, *, strict: bool = True, noting: bool = True) -> Authenticated | None:
    """Answer who holds an access credential, or None; `noting` writes down that the session was used."""
    now, stored = ctx.now(), ctx.runtime.stored.get(given.via)
    if stored is not None:
        who = await stored.find(ctx, given.text, strict=strict)
        # A token that says everything itself cannot say when it was used: only what asks the ledger anyway notes that.
        idle = ctx.settings(SessionSettings).idle_timeout
        silent = stored.store.stateless and not strict and idle is None
        return who if who is None or silent or not noting else await _noted(ctx, stored, given, who, now)
    digest = given.digest
    if digest is None:
        return None
    who = await ctx.db.read(sessions.lookup, ctx.tenant.id, digest, now, ctx.app.user)
    if who is not None and noting and stale(ctx, who, now):
        await note_use(ctx, who, now)
    return who


async def _noted(
    ctx: Context, stored: StoredAccess, given: Presented, who: Authenticated, now: datetime
) -> Authenticated | None:
    if not stale(ctx, who, now):
        return who
    if not await note_use(ctx, who, now):
        await stored.drop(given.text)
        return None
    if stored.store.stateless:
        stored.note(ctx, given.text, now)
        return who
    return who if await stored.refresh(ctx, given.text) else None


def stale(ctx: Context, who: Authenticated, now: datetime) -> bool:
    """Tell whether the session's use should be noted."""
    return now - who.session.last_seen_at >= lifetimes.noting(ctx.settings(SessionSettings))


async def note_use(ctx: Context, who: Authenticated, now: datetime) -> bool:
    """Write down that the session was used, and slide its end; tell whether it was not over."""
    session = who.session
    end = lifetimes.slid_end(ctx.settings(SessionSettings), session.transport, session.created_at, now)
    return await ctx.db.write(sessions.touch, who.session.id, end, now)


def enforce(ctx: Context, who: Authenticated | None, needs: Requirement, *, bearer: bool = True) -> Authenticated:
    """Answer who is asking if that is enough, else raise the failure that says what is missing.

    `bearer` tells whether a bearer token was looked at.
    """
    try:
        return _enforce(ctx, who, needs, bearer)
    except AuthError as error:
        error.location = _page_instead(ctx, needs)
        raise


def _page_instead(ctx: Context, needs: Requirement) -> str | None:
    """Answer where a browser that asked for a page is sent, None for all that is no page."""
    if needs.redirect is None or ctx.request is None or not asks_for_page(ctx.request, needs.redirect):
        return None
    return needs.redirect


def asks_for_page(request: Request, page: str) -> bool:
    """Tell whether a browser asks for another page than `page`: one that sends to itself would never end."""
    return request.method in ("GET", "HEAD") and request.path != page.partition("?")[0] and request.wants_page


def _enforce(ctx: Context, who: Authenticated | None, needs: Requirement, bearer: bool) -> Authenticated:
    if who is None:
        raise NotAuthenticated(headers=_challenge(ctx) if bearer else _CHALLENGE)
    if who.user.anonymous and not needs.anonymous:
        raise AccountRequired()
    if needs.scopes and who.session.scopes is not None and not set(needs.scopes) <= set(who.session.scopes):
        raise InsufficientScope(headers=_scoped(needs.scopes))
    if needs.verified and not (who.user.email_verified or _in_grace(ctx, who)):
        raise EmailNotVerified()
    if needs.mfa and who.session.aal < 2:
        raise InsufficientUserAuthentication(headers=_stepping_up('acr_values="aal2"'))
    _enforce_freshness(ctx, who, needs)
    return who


def _challenge(ctx: Context) -> tuple[tuple[str, str], ...]:
    # RFC 6750 3.1: who sent no token is told of no error. Expired, revoked, unknown or malformed is not told either.
    given = transport.presented(ctx)
    return _INVALID if given is not None and given.via == "bearer" else _CHALLENGE


def enforce_whole(who: Authenticated | None) -> None:
    """Raise InsufficientScope for a session that was given less than its user's whole power.

    What the rooms do to an account, taking it over among it, stands in no scope.
    """
    if who is not None and who.session.scopes is not None:
        raise InsufficientScope(headers=_scoped(()))


def _scoped(scopes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    # RFC 6750 3: `scope` lists what the resource asks for.
    asked = f', scope="{" ".join(scopes)}"' if scopes else ""
    return (("WWW-Authenticate", f'Bearer error="insufficient_scope"{asked}'),)


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
