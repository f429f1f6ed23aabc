"""Proving an address, as it is told."""

from __future__ import annotations

from msgspec.structs import replace

from authcore.context import Authenticated, Context
from authcore.decode import is_storable
from authcore.errors import InvalidChallenge, NotFound, field_error
from authcore.features.email_verification import mails, store
from authcore.features.email_verification.errors import AlreadyVerified, NoEmail
from authcore.features.email_verification.settings import EmailVerificationSettings
from authcore.route import SIGNED_IN
from authcore.services import accounts, challenges, events, guard, mailed
from authcore.services.accounts import User
from authcore.services.challenges import Challenge
from authcore.services.sessions import Transport
from authcore.services.sign_in import ChallengeRequired

# --- asking ---


async def send(ctx: Context) -> ChallengeRequired:
    """Mail a link and a code to who is signed in; raise NotAuthenticated, AlreadyVerified, NoEmail, RateLimited.

    A repeat inside the interval sends nothing and answers the same challenge, later with a fresh code and link.
    """
    who = guard.enforce(ctx, ctx.who, SIGNED_IN)
    return await _begin(ctx, who.user, who.session.transport)


async def send_verification(ctx: Context, user_id: str, email: str | None = None) -> ChallengeRequired:
    """Mail a link and a code to a user (S77). Server code only.

    An `email` must be the user's. Raises NotFound, InvalidFields, AlreadyVerified, NoEmail, RateLimited.
    """
    user = await _user(ctx, user_id)
    if email is not None and accounts.canonical_email(email) != user.email:
        raise field_error("email", "mismatch", "This is not the user's address.")
    return await _begin(ctx, user, "bearer")


async def resend_verification(ctx: Context, user_id: str) -> ChallengeRequired:
    """Mail a user once more (S77), as `send_verification` does. Server code only."""
    return await send_verification(ctx, user_id)


async def verification_url(ctx: Context, user: User | str) -> str:
    """Answer a link that proves a user's address, for a mail of the application's own (S79). Server code only.

    Each call makes another link; the first that is used ends all. Raises NotFound, AlreadyVerified, NoEmail.
    """
    made = _by_link_alone(ctx, await _user(ctx, user))
    key = challenges.code_digest(ctx, made.id, made.code or "")
    await ctx.db.write(challenges.insert_row, made, *key)
    return mails.url(ctx, made)


async def greet(ctx: Context, event: events.Registered) -> None:
    """Mail the link to who has just signed up without a code; users that server code makes get none."""
    if ctx.request is None or event.user.email is None or event.user.email_verified:
        return
    await mailed.store(ctx, _by_link_alone(ctx, event.user), mails.link_alone)


async def _begin(ctx: Context, user: User, via: Transport) -> ChallengeRequired:
    email = _unproven(user)
    begun = await mailed.start(
        ctx,
        _settings(ctx).kind,
        mails.both,
        subject=user.id,
        recipient=email,
        user_id=user.id,
        via=via,
        payload={},
        allowance="verification.account",
    )
    return ChallengeRequired(begun.view(ctx, hint=challenges.mask_email(email)), begun.cookies)


def _by_link_alone(ctx: Context, user: User) -> Challenge:
    made = challenges.draft(
        ctx,
        _settings(ctx).kind,
        subject=user.id,
        recipient=_unproven(user),
        user_id=user.id,
        payload={},
        bindings=(),
    )
    # Nobody is told its code: it opens nothing, and a request for a mail is not answered by this challenge.
    return replace(made, code_until=made.created_at)


def _unproven(user: User) -> str:
    if user.email is None:
        raise NoEmail()
    if user.email_verified:
        raise AlreadyVerified()
    return user.email


# --- proving ---


async def confirm(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> User:
    """Spend a link, or a code of who is signed in, and answer the user, whose address is proven.

    A link that is opened where its user is not signed in drops the password and ends every session (rule A3).
    Raises NotAuthenticated for a code without its session, InvalidFields, InvalidChallenge, RateLimited.
    """
    who = ctx.who or await guard.authenticate(ctx)
    if token is None or _settings(ctx).link_needs_session:
        who = guard.enforce(ctx, who, SIGNED_IN)
        return await _confirm(ctx, who, who.user.id, token, challenge_id, code)
    return await _confirm(ctx, who, None, token, challenge_id, code)


async def verify_email(ctx: Context, token: str) -> User:
    """Spend a link's token (S77), as `confirm` does; raise InvalidChallenge, RateLimited, NotAuthenticated."""
    return await confirm(ctx, token=token)


async def verify(ctx: Context, user: User | str, token: str) -> User:
    """Spend a link's token if it is this user's (S79), as `confirm` does; raise InvalidChallenge, RateLimited."""
    who = ctx.who or await guard.authenticate(ctx)
    return await _confirm(ctx, who, _id(user), token, None, None)


async def _confirm(
    ctx: Context,
    who: Authenticated | None,
    subject: str | None,
    token: str | None,
    challenge_id: str | None,
    code: str | None,
) -> User:
    kind = _settings(ctx).kind
    attempt = await mailed.attempt(ctx, kind, token=token, challenge_id=challenge_id, code=code, subject=subject)
    happened = events.occur(ctx, events.Verified)
    signed_in = who.user.id if who else None
    event = await ctx.db.write(store.confirm, attempt, signed_in, happened, ctx.app.user)
    if not isinstance(event, events.Verified):
        raise InvalidChallenge()
    await events.tell(ctx, event)
    return event.user


# --- server code ---


async def has_verified_email(ctx: Context, user: User | str) -> bool:
    """Tell whether a user's address is proven (S79); raise NotFound. Server code only."""
    return (await _user(ctx, user)).email_verified


async def mark_email_as_verified(ctx: Context, user: User | str) -> bool:
    """Note that the application itself knows the address to be the user's (S79); tell whether it was not before.

    The password and all sessions stay. Raises NotFound, NoEmail. Server code only.
    """
    found = await _user(ctx, user)
    if found.email is None:
        raise NoEmail()
    happened = events.occur(ctx, events.Verified)
    event = await ctx.db.write(store.mark, ctx.tenant.id, found.id, ctx.now(), happened, ctx.app.user)
    if event is not None:
        await events.tell(ctx, event)
    return event is not None


async def _user(ctx: Context, user: User | str) -> User:
    """Answer the user as it is stored: what a caller holds may be older."""
    user_id = _id(user)
    found = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user) if is_storable(user_id) else None
    if found is None or found.disabled:
        raise NotFound()
    return found.user


def _id(user: User | str) -> str:
    return user if isinstance(user, str) else user.id


def _settings(ctx: Context) -> EmailVerificationSettings:
    return ctx.settings(EmailVerificationSettings)
