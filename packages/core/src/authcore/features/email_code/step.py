"""The room's step of the sign-in pipeline."""

from __future__ import annotations

from authcore.context import Context
from authcore.feature import SignInStep
from authcore.features.email_code import flow, remembering
from authcore.services.accounts import Account
from authcore.services.mailed import Mailed
from authcore.services.sign_in import Remembered, SignInState


class EmailCodeStep(SignInStep):
    """A mailed code, unless the address is proven already or the browser is remembered."""

    kind = remembering.STEP

    async def required(self, ctx: Context, state: SignInState) -> bool:
        """Tell whether this sign-in must pass the step."""
        return await flow.is_required(ctx, state)

    async def spare(self, ctx: Context, state: SignInState) -> SignInState | None:
        """Spend a remember token."""
        return await remembering.spare(ctx, state)

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        """Mail the code."""
        return await flow.begin(ctx, state)

    async def remember(self, ctx: Context, account: Account, state: SignInState) -> Remembered | None:
        """Hand out a remember token."""
        return await remembering.issue(ctx, state)

    async def give_back(self, ctx: Context, state: SignInState) -> None:
        """Let the remember token be spent again."""
        await remembering.give_back(ctx, state)
