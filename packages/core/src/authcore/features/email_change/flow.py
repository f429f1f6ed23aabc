"""Changing an address and taking that back, as they are told."""

from __future__ import annotations

from msgspec.structs import replace

from authcore.context import Authenticated, Context
from authcore.errors import InvalidChallenge, InvalidFields, field_error
from authcore.features.email_change import mails, store
from authcore.features.email_change.settings import EmailChangeSettings
from authcore.features.email_change.store import Back, Change, Undo
from authcore.route import FRESH, SIGNED_IN
from authcore.services import (
    access,
    accounts,
    challenges,
    events,
    guard,
    lifetimes,
    limits,
    mailed,
    outbox,
    sessions,
    transport,
)
from authcore.services.accounts import EMAIL_PASSWORD, User
from authcore.services.challenges import Attempt, Challenge
from authcore.services.limits import Hit
from authcore.services.sessions import Issued, SessionSettings
from authcore.services.sign_in import ChallengeRequired, SignedIn

# --- asking ---


async def change(ctx: Context, *, new_email: str, current_password: str | None = None) -> ChallengeRequired:
    """Mail the new address a link and a code; the answer is the same for one that is taken (rule A2).

    It needs a fresh authentication, or the current password (rule A9). A repeat with another address is another
    challenge and ends the earlier one (rule A13). Raises NotAuthenticated, ReauthenticationRequired,
    InvalidCredentials, InvalidFields, RateLimited.
    """
    who = guard.enforce(ctx, ctx.who, SIGNED_IN)
    await _prove_again(ctx, who, current_password)
    await limits.count(ctx, Hit("email_change.account", who.user.id))
    address = _address(who, new_email)
    holder = await ctx.db.read(accounts.holder, ctx.tenant.id, EMAIL_PASSWORD, address)
    wanted = await limits.allowed(ctx, Hit("email_change.recipient.account", address))
    void = holder not in (None, who.user.id) or not wanted
    begun = await mailed.start_proof(
        ctx, _settings(ctx).change, mails.proof, who, recipient=address, payload={"email": address}, void=void
    )
    return ChallengeRequired(begun.view(ctx, hint=challenges.mask_email(address)), begun.cookies)


async def _prove_again(ctx: Context, who: Authenticated, password: str | None) -> None:
    if password is None:
        guard.enforce(ctx, who, FRESH)
        return
    await limits.count(ctx, Hit("reauthenticate.account", who.user.id))
    for feature in ctx.runtime.features:
        for way in feature.reauthentications:
            if way.field == "password":
                await way.prove(ctx, password)
                return
    raise field_error("current_password", "unknown", "Passwords are not used here.")


def _address(who: Authenticated, given: str) -> str:
    try:
        address = accounts.canonical_email(given)
    except InvalidFields:
        raise field_error("new_email", "invalid", "This is no e-mail address.") from None
    if address == who.user.email:
        raise field_error("new_email", "unchanged", "This is your address already.")
    return address


# --- proving ---


async def confirm(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> SignedIn:
    """Spend the link or the code of the new address, in a session of the user who asked, and change the address.

    Every other session and all that depended on the account ends (rule T9); this session goes on under the same id,
    with other secrets. Raises NotAuthenticated, InvalidFields, InvalidChallenge, RateLimited.
    """
    who = guard.enforce(ctx, ctx.who, SIGNED_IN)
    attempt = await mailed.attempt(
        ctx, _settings(ctx).change, token=token, challenge_id=challenge_id, code=code, subject=who.user.id
    )
    found, _ = await mailed.held(ctx, attempt)
    drawn = await _draw(ctx, who, attempt, found)
    outcome = await ctx.db.write(store.confirm, drawn, ctx.app.user)
    if outcome is None:
        raise InvalidChallenge()
    outbox.wake(ctx)
    user, happened = outcome
    await events.tell_all(ctx, happened)
    issued = await access.hand_over(ctx, drawn.issued)
    return SignedIn(user, issued, transport.session_cookies(ctx, issued))


async def _draw(ctx: Context, who: Authenticated, attempt: Attempt, found: Challenge) -> Change:
    """Draw all that the change needs, before its transaction.

    Who comes back to an address that is still reserved gives the one in between nothing to undo it with: it may be the
    thief's. Nor does an address that was never proven get such a link: it may be a stranger's.
    """
    settings, user = _settings(ctx), who.user
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user.id, ctx.app.user)
    if account is None:
        raise InvalidChallenge()
    since = await ctx.db.read(store.reserved_at, ctx.tenant.id, user.id, found.recipient)
    undo = _undo(ctx, user, attempt) if user.email_verified and since is None else None
    old = user.email if user.email_verified else None
    link = undo.challenge if undo is not None else None
    return Change(
        attempt=attempt,
        user=user,
        epoch=account.epoch,
        issued=_renewed(ctx, who),
        undo=undo,
        since=since,
        mail=None if old is None else mails.changed(ctx, old, found.recipient, link, account.locale),
        changed=events.occur(ctx, events.EmailChanged),
        verified=events.occur(ctx, events.Verified),
        undo_purpose=settings.undo.purpose,
    )


def _undo(ctx: Context, user: User, attempt: Attempt) -> Undo:
    # Without `user_id`: a thief who changes the password ends no link of the mailbox that was robbed.
    drafted = challenges.draft(
        ctx, _settings(ctx).undo, subject=user.id, recipient=user.email or "", payload={}, bindings=()
    )
    made = replace(drafted, created_at=attempt.now, code_until=attempt.now)
    return Undo(made, challenges.code_digest(ctx, made.id, made.code or ""))


def _renewed(ctx: Context, who: Authenticated) -> Issued:
    session = replace(who.session, last_seen_at=ctx.now(), current=True)
    ends_at = lifetimes.absolute_end(ctx.settings(SessionSettings), session.transport, session.created_at)
    return sessions.secrets_for(ctx, session, ends_at)


# --- taking it back ---


async def undo(ctx: Context, *, token: str) -> User:
    """Spend the old address's link: the account is its again, signed out everywhere.

    The password opens nothing until a reset, by a mail to this address, replaces it; addresses and a phone that came
    after the change, or no longer than `undo_ttl` before it, are dropped, and so is a deletion that was asked for.
    Raises InvalidChallenge, RateLimited.
    """
    attempt = await challenges.attempt_link(ctx, _settings(ctx).undo, token)
    found, _ = await mailed.held(ctx, attempt)
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, found.subject, ctx.app.user)
    if account is None:
        raise InvalidChallenge()
    told = [mails.undone(ctx, found.recipient, account.locale, restored=True)]
    if account.user.email not in (None, found.recipient):
        told.append(mails.undone(ctx, account.user.email or "", account.locale, restored=False))
    undone, stays = events.occur_all(ctx, events.EmailChangeUndone, events.DeletionCancelled)
    outcome = await ctx.db.write(store.undo, Back(attempt, tuple(told), undone, stays), ctx.app.user)
    if outcome is None:
        raise InvalidChallenge()
    outbox.wake(ctx)
    user, happened = outcome
    await events.tell_all(ctx, happened)
    return user


def _settings(ctx: Context) -> EmailChangeSettings:
    return ctx.settings(EmailChangeSettings)
