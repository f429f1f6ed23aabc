"""Replacing the password by what was mailed: judged, then hashed outside transactions, then spent and stored in one."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import AuthError, InvalidChallenge, PasswordDisabled, field_error
from authcore.features.password_reset import store
from authcore.features.password_reset.settings import BrokerSettings
from authcore.features.password_reset.store import Replaced, Replacement
from authcore.services import challenges, events
from authcore.services import password_policy as policy
from authcore.services.challenges import Attempt, Refused, Spent
from authcore.services.password_policy import PasswordPolicy

FIELD = "new_password"


def enabled(ctx: Context) -> None:
    """Raise PasswordDisabled where there are no passwords (S8)."""
    if not ctx.settings(PasswordPolicy).enabled:
        raise PasswordDisabled()


def refuse_weak(ctx: Context, password: str, confirmation: str | None) -> None:
    """Raise InvalidFields for what no account would take; it counts nothing and says nothing of any account."""
    policy.accept(ctx, password, email=None, field=FIELD)
    if confirmation is not None and confirmation != password:
        raise field_error("password_confirmation", "mismatch", "The passwords do not match.")


async def judge(ctx: Context, attempt: Attempt) -> Spent:
    """Answer the challenge that the code or link opens, and leave it open; raise InvalidChallenge."""
    checked = await ctx.db.write(challenges.check, attempt)
    if isinstance(checked, Refused):
        raise InvalidChallenge()
    return checked


async def replace(ctx: Context, broker: BrokerSettings, attempt: Attempt, password: str) -> Replaced:
    """Replace the password of the account that the code or link was mailed to; raise InvalidChallenge, InvalidFields.

    What the account's own history or address refuses is told to nobody but who holds the mail, and spends nothing.
    """
    checked = await judge(ctx, attempt)
    digest = await _digest(ctx, attempt, checked, password)
    given = Replacement(
        checked=checked,
        digest=digest,
        now=ctx.now(),
        keep=ctx.settings(PasswordPolicy).history,
        provider=broker.provider if broker.user_provider is None else None,
        shape=ctx.app.user,
        verified=events.occur(ctx, events.Verified),
        reset=events.occur(ctx, events.PasswordReset),
    )
    done = await ctx.db.write(store.replace, given)
    if done is None:
        raise InvalidChallenge()
    await events.tell_all(ctx, done.happened)
    return done


async def _digest(ctx: Context, attempt: Attempt, checked: Spent, password: str) -> str:
    challenge = checked.challenge
    try:
        clean = await policy.accepted(ctx, password, email=challenge.subject, user_id=challenge.user_id, field=FIELD)
        return await ctx.hasher.hash(clean)
    except AuthError:
        if attempt.token is None:
            await ctx.db.write(challenges.give_back, checked)
        raise
