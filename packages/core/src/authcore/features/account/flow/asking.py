"""Who asks, and what the flows of a session share."""

from __future__ import annotations

from authcore.context import Authenticated, Context
from authcore.errors import InvalidFields, NotAuthenticated, field_error
from authcore.features.account.settings import AccountSettings
from authcore.features.account.store.identifiers import Change, Changed
from authcore.route import FRESH, SIGNED_IN
from authcore.services import access, accounts, events, guard, outbox, transport
from authcore.services import sign_in as pipeline
from authcore.services.accounts import Account
from authcore.services.events import Event
from authcore.services.outbox import Effect
from authcore.services.sign_in import NOTHING, SignedIn


def settings(ctx: Context) -> AccountSettings:
    """Answer the room's settings."""
    return ctx.settings(AccountSettings)


def member(ctx: Context, *, fresh: bool = False) -> Authenticated:
    """Answer who asks; raise NotAuthenticated, AccountRequired.

    `fresh` raises ReauthenticationRequired unless the authentication is a recent one (rule A9).
    """
    return guard.enforce(ctx, ctx.who, FRESH if fresh else SIGNED_IN)


async def account(ctx: Context, user_id: str) -> Account:
    """Answer the account of who asks; raise NotAuthenticated if it is gone by now."""
    found = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user)
    if found is None:
        raise NotAuthenticated()
    return found


def address(given: str) -> str:
    """Answer the one spelling of an address; raise InvalidFields."""
    try:
        return accounts.canonical_email(given)
    except InvalidFields:
        raise field_error("email", "invalid", "This is no e-mail address.") from None


def drawn(ctx: Context, who: Authenticated, event: type[Event], *told: Effect) -> Change:
    """Draw all that a change of what names a user needs, before its transaction."""
    return Change(
        tenant=ctx.tenant.id,
        user=who.user,
        now=ctx.now(),
        issued=pipeline.renewed(ctx, who.session, NOTHING, ctx.now()),
        happened=events.occur(ctx, event),
        told=told,
    )


async def done(ctx: Context, change: Change, changed: Changed) -> None:
    """Send and tell what a change decided."""
    if change.told:
        outbox.wake(ctx)
    await events.tell(ctx, changed.event)


async def carried(ctx: Context, change: Change, changed: Changed) -> SignedIn | Changed:
    """Answer the session with its other secrets, or, where no session ended, the change alone."""
    if not changed.carried:
        return changed
    issued = await access.hand_over(ctx, change.issued)
    return SignedIn(changed.user, issued, transport.session_cookies(ctx, issued))
