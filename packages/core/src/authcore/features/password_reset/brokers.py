"""Resets that an application's own code asks for, by a broker's name (S75)."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge
from authcore.features.password_reset import asking, replacing
from authcore.features.password_reset.schemas import PasswordResetStatus
from authcore.features.password_reset.settings import PasswordResetSettings
from authcore.services import accounts, challenges


async def send_reset_link(ctx: Context, name: str, email: str) -> PasswordResetStatus:
    """Mail a broker's link to the owner of an address: RESET_LINK_SENT for every address (rule A2).

    RESET_THROTTLED, for every address alike, inside the interval and past the allowance. Raises InvalidFields,
    PasswordDisabled, RateLimited.
    """
    replacing.enabled(ctx)
    broker = ctx.settings(PasswordResetSettings).broker(name)
    sent = await asking.send(ctx, broker, accounts.canonical_email(email), "bearer")
    return PasswordResetStatus.RESET_LINK_SENT if sent.went_out else PasswordResetStatus.RESET_THROTTLED


async def token_exists(ctx: Context, name: str, email: str, token: str) -> bool:
    """Tell whether a broker's token opens, and was mailed to this address; nothing is spent.

    Raises InvalidFields, PasswordDisabled, RateLimited.
    """
    replacing.enabled(ctx)
    kind = ctx.settings(PasswordResetSettings).broker(name).kind
    address = accounts.canonical_email(email)
    try:
        attempt = await challenges.attempt_link(ctx, kind, token, subject=address)
    except InvalidChallenge:
        return False
    return await ctx.db.read(challenges.find_for, attempt) is not None


async def reset(
    ctx: Context, name: str, email: str, token: str, new_password: str, password_confirmation: str | None = None
) -> PasswordResetStatus:
    """Replace the password by a broker's token: PASSWORD_RESET, or TOKEN_INVALID; nobody is signed in.

    Unknown, used, expired, another broker's and another address's tokens are one status. Raises InvalidFields for the
    password, PasswordDisabled, RateLimited, Overloaded.
    """
    replacing.enabled(ctx)
    broker = ctx.settings(PasswordResetSettings).broker(name)
    address = accounts.canonical_email(email)
    replacing.refuse_weak(ctx, new_password, password_confirmation)
    try:
        attempt = await challenges.attempt_link(ctx, broker.kind, token, subject=address)
        await replacing.replace(ctx, broker, attempt, new_password)
    except InvalidChallenge:
        return PasswordResetStatus.TOKEN_INVALID
    return PasswordResetStatus.PASSWORD_RESET
