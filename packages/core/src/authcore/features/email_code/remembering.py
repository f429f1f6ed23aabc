"""Tokens by which a browser is spared the code: 256 bits, stored as SHA-256, good once and for one account (S12, S13).

One counts only after a proved first factor and never raises what that proved. Each use replaces it; the last of them
ends when the first would have.
"""

from __future__ import annotations

import hashlib

from msgspec.structs import replace

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import AmbiguousCredentials, NotAuthenticated
from authcore.features.email_code import store
from authcore.features.email_code.schemas import RememberedBrowser
from authcore.features.email_code.settings import EmailCodeSettings
from authcore.features.email_code.store import Presented, Refusal
from authcore.services import cookies, events, tokens
from authcore.services.sign_in import Remembered, SignInState
from authcore.services.transport import seconds_until

STEP = "email_code"


async def spare(ctx: Context, state: SignInState) -> SignInState | None:
    """Spend the remember token that came with a sign-in; answer the state in which the code is passed, or None."""
    token = _presented(ctx, state)
    digest = tokens.digest(token, "rm") if token else None
    if digest is None or not ctx.settings(EmailCodeSettings).remember:
        return None
    reused = events.occur(ctx, events.RememberTokenReused(ctx.tenant.id, ctx.now(), state.user_id))
    ends_at = await ctx.db.write(store.spend, _whose(ctx, state, digest), reused)
    if isinstance(ends_at, Refusal):
        if ends_at.reused:
            await events.tell(ctx, reused)
        return None
    return replace(state, passed=[*state.passed, STEP], remember=True, remember_token=token, remember_until=ends_at)


def _presented(ctx: Context, state: SignInState) -> str | None:
    """Answer the token from the place that the sign-in's transport gives it (rules R7, T5)."""
    cookie = cookies.read(ctx.app, ctx.request, "device")
    if state.remember_token is not None and cookie not in (None, state.remember_token):
        raise AmbiguousCredentials()
    return cookie if state.transport == "cookie" else state.remember_token


def _whose(ctx: Context, state: SignInState, digest: bytes) -> Presented:
    return Presented(
        digest=digest,
        tenant=ctx.tenant.id,
        user_id=state.user_id,
        epoch=state.epoch,
        transport=state.transport,
        device=hashlib.sha256(state.device_id.encode()).digest() if state.device_id else None,
        now=ctx.now(),
    )


async def issue(ctx: Context, state: SignInState) -> Remembered | None:
    """Hand out a token, or the successor of the one that was spent; None where nobody is remembered."""
    settings = ctx.settings(EmailCodeSettings)
    if not settings.remember:
        return None
    token = tokens.mint(ctx.random, "rm")
    ends_at = state.remember_until or ctx.now() + settings.remember_ttl
    made = _whose(ctx, state, tokens.must_digest(token, "rm"))
    await ctx.db.write(store.keep, made, ends_at, _spent(state))
    if state.transport == "bearer":
        return Remembered(token, ends_at)
    return Remembered(None, ends_at, (cookies.make(ctx.app, "device", token, seconds_until(ends_at, ctx.now())),))


async def give_back(ctx: Context, state: SignInState) -> None:
    """Let the token that was spent for a sign-in be spent again."""
    digest = _spent(state)
    if digest is not None:
        await ctx.db.write(store.give_back, ctx.tenant.id, state.user_id, digest)


def _spent(state: SignInState) -> bytes | None:
    if state.remember_until is None or state.remember_token is None:
        return None
    return tokens.digest(state.remember_token, "rm")


async def forget_remembered(ctx: Context, *, user_id: str | None = None) -> int:
    """Ask for the code again in every browser of a user, by default of the one who asks; answer how many were spared
    it. Raises NotAuthenticated.
    """
    whose = _asked(ctx, user_id)
    return await ctx.db.write(store.forget, ctx.tenant.id, whose, ctx.now()) if is_storable(whose) else 0


async def list_remembered(ctx: Context, *, user_id: str | None = None) -> list[RememberedBrowser]:
    """Answer the browsers of a user that are spared the code, by default of the one who asks; raise
    NotAuthenticated.
    """
    whose = _asked(ctx, user_id)
    return await ctx.db.read(store.list_live, ctx.tenant.id, whose, ctx.now()) if is_storable(whose) else []


def _asked(ctx: Context, user_id: str | None) -> str:
    if user_id is not None:
        return user_id
    if ctx.who is None:
        raise NotAuthenticated()
    return ctx.who.user.id
