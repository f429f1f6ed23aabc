"""The step that asks for another password before there is a session: where one is too old, or must be changed."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from authcore.context import Context
from authcore.decode import convert
from authcore.errors import InvalidChallenge
from authcore.feature import SignInStep
from authcore.features.password import flow, store
from authcore.features.password.store import Binding
from authcore.services import accounts, challenges, events, passwords
from authcore.services import password_policy as policy
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.challenges import Attempt, ChallengeKind
from authcore.services.mailed import Mailed
from authcore.services.password_policy import PasswordPolicy
from authcore.services.sign_in import NOTHING, Outcome, SignInState

STEP = "new_password"
RENEWAL = ChallengeKind(
    purpose="renew_password",
    kind=STEP,
    ttl=timedelta(minutes=10),
    min_send_interval=timedelta(0),  # nothing is sent
)
_NO_CODE = ""
"""The right password was the proof: the challenge's id, in the browser that holds it, is all that answers it."""


class NewPassword(SignInStep):
    """Another password, where the one that was right must be changed; behind every step that proves who it is."""

    kind = STEP
    last = True

    async def required(self, ctx: Context, state: SignInState) -> bool:
        """Tell whether this sign-in was by a password that must be changed."""
        if "pwd" not in state.amr or not ctx.settings(PasswordPolicy).enabled:
            return False
        held = await ctx.db.read(passwords.state, state.user_id)
        return held is not None and is_due(ctx, held)

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        """Store the sign-in on its way; nothing is mailed."""
        binding, cookies = ways.ensure_binding(ctx, state.transport)
        drafted = challenges.draft(
            ctx,
            RENEWAL,
            subject=state.user_id,
            recipient="",
            payload=msgspec.to_builtins(state),
            bindings=[binding] if binding else [],
            user_id=state.user_id,
        )
        made = replace(drafted, code=None)
        await ctx.db.write(challenges.insert_row, made, *challenges.code_digest(ctx, made.id, _NO_CODE))
        return Mailed(made, cookies)


def is_due(ctx: Context, held: passwords.PasswordState) -> bool:
    """Tell whether a password must be changed at the next sign-in."""
    most = ctx.settings(PasswordPolicy).max_age
    return held.must_change == "required" or (most is not None and ctx.now() >= held.changed_at + most)


async def answer_new_password(
    ctx: Context, *, challenge_id: str, new_password: str, password_confirmation: str | None = None
) -> Outcome:
    """Replace the password that had to be changed, and go on with the sign-in.

    A password that the policy refuses leaves the challenge open. Raises InvalidChallenge, InvalidFields,
    PasswordDisabled, RateLimited, Overloaded.
    """
    flow.enabled(ctx)
    flow.confirm(new_password, password_confirmation)
    attempt = await challenges.attempt(ctx, RENEWAL, challenge_id, _NO_CODE, ways.binding_of(ctx))
    state = await _on_its_way(ctx, attempt)
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id, ctx.app.user)
    if account is None or account.disabled or account.epoch != state.epoch:
        raise InvalidChallenge()
    clean = await policy.accepted(ctx, new_password, email=account.user.email, user_id=account.user.id)
    made = Binding(
        tenant=ctx.tenant.id,
        user_id=account.user.id,
        digest=await ctx.hasher.hash(clean),
        now=ctx.now(),
        keep=ctx.settings(PasswordPolicy).history,
        epoch=state.epoch,
    )
    user = replace(account.user, updated_at=ctx.now())
    happened = events.occur(ctx, events.PasswordChanged(ctx.tenant.id, ctx.now(), user))
    epoch = await ctx.db.write(store.renew, attempt, made, happened)
    if epoch is None:
        raise InvalidChallenge()
    await events.tell(ctx, happened)
    return await pipeline.resume(ctx, replace(state, epoch=epoch), STEP, NOTHING)


async def _on_its_way(ctx: Context, attempt: Attempt) -> SignInState:
    found = await ctx.db.read(challenges.find_open, ctx.tenant.id, RENEWAL, attempt.id, ctx.now())
    # Judged before the policy is: it tells who asks which passwords were used here.
    if found is None or (found.bindings and attempt.binding not in found.bindings):
        raise InvalidChallenge()
    return convert(challenges.payload(ctx, found), SignInState)
