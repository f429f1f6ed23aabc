"""What a client may show beside the field where a password is chosen."""

from __future__ import annotations

from authcore.context import Context
from authcore.features.password.schemas import PolicyBody
from authcore.services import strength as judge
from authcore.services.password_policy import MOST_LENGTH, PasswordPolicy
from authcore.services.strength import Score


async def policy(ctx: Context) -> PolicyBody:
    """Answer what a password must be, as far as it can be said in numbers."""
    settings = ctx.settings(PasswordPolicy)
    return PolicyBody(
        min_length=settings.min_length,
        max_length=MOST_LENGTH,
        require_lowercase=settings.require_lowercase,
        require_uppercase=settings.require_uppercase,
        require_number=settings.require_number,
        require_symbol=settings.require_symbol,
    )


async def strength(ctx: Context, *, password: str, email: str | None = None) -> Score:
    """Answer how well a password resists guessing, from 0 (at once) to 4 (hardly); it decides nothing.

    `email` and the site's name count as guessed. What decides is the policy.
    """
    return judge.estimate(password, [word for word in (email, ctx.product) if word])
