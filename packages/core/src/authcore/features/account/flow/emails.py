"""Several addresses of one account."""

from __future__ import annotations

from collections.abc import Sequence

from authcore.context import Authenticated, Context
from authcore.errors import InvalidChallenge, field_error
from authcore.features.account import mails
from authcore.features.account.errors import TooManyEmails
from authcore.features.account.flow import asking
from authcore.features.account.schemas import EmailEntry
from authcore.features.account.store import identifiers as store
from authcore.features.account.store.identifiers import Changed
from authcore.services import accounts, challenges, events, limits, mailed
from authcore.services.accounts import EMAIL_PASSWORD, User
from authcore.services.limits import Hit
from authcore.services.outbox import Effect
from authcore.services.sign_in import ChallengeRequired, SignedIn


async def list_emails(ctx: Context) -> Sequence[EmailEntry]:
    """Answer the addresses that open the account, the primary one first; raise NotAuthenticated."""
    return await _listed(ctx, asking.member(ctx).user)


async def _listed(ctx: Context, user: User) -> Sequence[EmailEntry]:
    found = await ctx.db.read(store.emails, ctx.tenant.id, user.id)
    # A further address is an identity once it was proven; the first one may be there before.
    entries = [
        EmailEntry(
            email=row.identifier,
            primary=row.identifier == user.email,
            verified=row.identifier != user.email or user.email_verified,
        )
        for row in found
    ]
    return sorted(entries, key=lambda entry: not entry.primary)


async def add(ctx: Context, *, email: str) -> ChallengeRequired:
    """Mail another address a link and a code; the answer is the same for one that is taken (rule A2).

    Raises NotAuthenticated, ReauthenticationRequired, TooManyEmails, InvalidFields, RateLimited.
    """
    who = asking.member(ctx, fresh=True)
    address = asking.address(email)
    await limits.count(ctx, Hit("email_change.account", who.user.id))
    own = await ctx.db.read(store.emails, ctx.tenant.id, who.user.id)
    if address in {row.identifier for row in own}:
        raise field_error("email", "unchanged", "This is your address already.")
    if len(own) >= asking.settings(ctx).max_emails:
        raise TooManyEmails()
    owner = await ctx.db.read(accounts.holder, ctx.tenant.id, EMAIL_PASSWORD, address)
    wanted = await limits.allowed(ctx, Hit("email_change.recipient.account", address))
    compose = mails.secret("account_email", (await asking.account(ctx, who.user.id)).locale)
    void = owner is not None or not wanted
    begun = await mailed.start_proof(
        ctx, asking.settings(ctx).email, compose, who, recipient=address, payload={"email": address}, void=void
    )
    return ChallengeRequired(begun.view(ctx, hint=challenges.mask_email(address)), begun.cookies)


async def confirm(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> Sequence[EmailEntry]:
    """Spend the link or the code of another address, in a session of the user who asked; answer all addresses.

    The primary address is told. Raises NotAuthenticated, InvalidFields, InvalidChallenge, RateLimited.
    """
    who, settings = asking.member(ctx), asking.settings(ctx)
    attempt = await mailed.attempt(
        ctx, settings.email, token=token, challenge_id=challenge_id, code=code, subject=who.user.id
    )
    found, _ = await mailed.held(ctx, attempt)
    told = await _told(ctx, who, "added", found.recipient, who.user.email)
    change = asking.drawn(ctx, who, events.EmailAdded, *told)
    changed = await ctx.db.write(store.add_email, attempt, change, settings.max_emails, ctx.app.user)
    if changed is None:
        raise InvalidChallenge()
    await asking.done(ctx, change, changed)
    return await _listed(ctx, changed.user)


async def make_primary(ctx: Context, *, email: str) -> User:
    """Let another one of the account's addresses be the primary one, to which mails go; the one before is told.

    Raises NotAuthenticated, ReauthenticationRequired, InvalidFields.
    """
    who, address = asking.member(ctx, fresh=True), asking.address(email)
    if address == who.user.email:
        raise field_error("email", "unchanged", "This is your primary address already.")
    told = await _told(ctx, who, "primary", address, who.user.email if who.user.email_verified else None)
    change = asking.drawn(ctx, who, events.EmailChanged, *told)
    changed = await ctx.db.write(store.make_primary, change, address, ctx.app.user)
    await asking.done(ctx, change, changed)
    return changed.user


async def remove(ctx: Context, *, email: str) -> SignedIn | Changed:
    """Let an address open the account no more; it and the primary one are told, and every other session ends.

    Raises NotAuthenticated, ReauthenticationRequired, InvalidFields, PrimaryEmail, EmailsTooNew.
    """
    who, address = asking.member(ctx, fresh=True), asking.address(email)
    told = await _told(ctx, who, "removed", address, address, who.user.email)
    change = asking.drawn(ctx, who, events.EmailRemoved, *told)
    settling = asking.settings(ctx).settling
    changed = await ctx.db.write(store.remove_email, change, address, settling, ctx.app.user)
    await asking.done(ctx, change, changed)
    return await asking.carried(ctx, change, changed)


async def _told(ctx: Context, who: Authenticated, what: str, email: str, *to: str | None) -> list[Effect]:
    locale = (await asking.account(ctx, who.user.id)).locale
    return [mails.emails(ctx, each, what, email, locale) for each in to if each is not None]
