"""A mailed code between a proved first factor and the session."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from authcore.context import Context
from authcore.decode import convert
from authcore.errors import InvalidChallenge, field_error
from authcore.features.email_code import mails, store
from authcore.features.email_code.settings import EmailCodeSettings
from authcore.services import accounts, events, mailed
from authcore.services import sign_in as pipeline
from authcore.services.accounts import User
from authcore.services.events import Occurred
from authcore.services.mailed import Mailed
from authcore.services.sign_in import ChallengeRequired, Outcome, Proof, SignInState

MAIL = Proof(("email",))  # rule A8: a mailed code never raises the level


async def is_required(ctx: Context, state: SignInState) -> bool:
    """Tell whether the code is asked: of whoever has an address and has not just proven it (S10)."""
    if not ctx.settings(EmailCodeSettings).required or "email" in state.amr:
        return False
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id, ctx.app.user)
    return account is not None and account.user.email is not None


async def begin(ctx: Context, state: SignInState) -> Mailed:
    """Mail the code; a repeat inside the interval answers the same challenge and mails nothing (S14)."""
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id, ctx.app.user)
    if account is None or account.user.email is None:
        raise InvalidChallenge()
    held = {
        "state": replace(state, remember_token=None),
        "username": account.user.display_name if account.user.email_verified else None,
        "locale": account.locale,
    }
    return await mailed.start(
        ctx,
        ctx.settings(EmailCodeSettings).code,
        mails.code,
        subject=_subject(state),
        recipient=account.user.email,
        via=state.transport,
        user_id=state.user_id,
        payload=held,
    )


def _subject(state: SignInState) -> str:
    # A repeat goes on from where the first sign-in stood: only one that has proved the same, and asks for a session of
    # the same power, may be answered with it.
    return ":".join((state.user_id, str(state.aal), ",".join(state.amr), ",".join(state.passed), *_asked(state)))


def _asked(state: SignInState) -> list[str]:
    asked = {"persistent": state.persistent, "scopes": state.scopes, "claims": state.claims}
    if asked == {"persistent": True, "scopes": None, "claims": None}:
        return []
    return [hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]]


async def verify(ctx: Context, *, challenge_id: str, code: str, remember: bool = False) -> Outcome:
    """Spend the code of a sign-in and go on with it; with `remember` this browser is spared the next ones (S11).

    Raises InvalidFields for `remember` where nobody is remembered, InvalidChallenge, InvalidCredentials, RateLimited.
    A wrong code counts; unknown, expired, used and wrong are one answer.
    """
    settings = ctx.settings(EmailCodeSettings)
    if remember and not settings.remember:
        raise field_error("remember", "not_offered", "Browsers are not remembered here.")
    attempt = await mailed.attempt(ctx, settings.code, challenge_id=challenge_id, code=code)
    challenge, held = await mailed.held(ctx, attempt)
    state = convert(held["state"], SignInState)
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id, ctx.app.user)
    if account is None or account.user.email != challenge.recipient:
        raise InvalidChallenge()
    passed = await ctx.db.write(store.pass_code, attempt, state.user_id, _verified(ctx, account.user))
    if passed is None:
        raise InvalidChallenge()
    await events.tell_all(ctx, passed.told)
    return await pipeline.resume(ctx, replace(state, remember=remember), "email_code", MAIL)


def _verified(ctx: Context, user: User) -> Occurred:
    proven = replace(user, email_verified=True, updated_at=ctx.now())
    return events.occur(ctx, events.Verified(ctx.tenant.id, ctx.now(), proven))


async def resend(ctx: Context, *, challenge_id: str) -> ChallengeRequired:
    """Mail a fresh code under the same id, once the interval has passed; raise InvalidChallenge, RateLimited."""
    again = await mailed.resend(ctx, ctx.settings(EmailCodeSettings).code, mails.code, challenge_id)
    return ChallengeRequired(again.view(ctx))
