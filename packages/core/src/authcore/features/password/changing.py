"""Another password for who is signed in, and the first one for an account that has none (S69, S70, S71)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec.structs import replace

from authcore.context import Authenticated, Context
from authcore.errors import InvalidChallenge, InvalidCredentials, NotAuthenticated, field_error
from authcore.features.password import flow, mails, store
from authcore.features.password.errors import (
    AddressMissing,
    PasswordExists,
    PasswordMissing,
    PasswordTooYoung,
)
from authcore.features.password.store import Binding
from authcore.http import Cookie
from authcore.route import FRESH
from authcore.services import access, accounts, challenges, events, guard, limits, mailed, passwords
from authcore.services import password_policy as policy
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import Account, User
from authcore.services.challenges import Challenge
from authcore.services.limits import Hit
from authcore.services.password_policy import PasswordPolicy
from authcore.services.sessions import Issued, Session
from authcore.services.sign_in import NOTHING, ChallengeRequired, Proof
from authcore.values import Value

MAIL = Proof(("email",))


class PasswordUpdate(Value, frozen=True):
    """The password is another. The session that asked goes on under new secrets, every other one has ended."""

    hidden: ClassVar = frozenset({"issued"})
    updated_at: datetime
    user: User
    issued: Issued
    cookies: tuple[Cookie, ...] = ()

    @property
    def session(self) -> Session:
        """Answer the session, without secrets."""
        return self.issued.session

    @property
    def access_token(self) -> str:
        """Answer the secret that opens routes: a bearer token, or the session cookie's value."""
        return self.issued.access

    @property
    def refresh_token(self) -> str | None:
        """Answer the refresh token, or None where the session has none."""
        return self.issued.refresh


# --- another one ---


async def update_password(
    ctx: Context, *, new_password: str, current_password: str | None = None, password_confirmation: str | None = None
) -> PasswordUpdate | ChallengeRequired:
    """Replace the password of who is signed in, or mail the code that will; the session keeps its id.

    The right current password counts as fresh authentication (rule A9); where none is asked for, the session must be
    fresh. Raises NotAuthenticated, ReauthenticationRequired, InvalidCredentials, InvalidFields, Conflict (`code` tells
    which), PasswordDisabled, RateLimited, Overloaded.
    """
    settings, who = flow.enabled(ctx), _who(ctx)
    flow.confirm(new_password, password_confirmation)
    held = await ctx.db.read(passwords.state, who.user.id)
    if held is None:
        raise PasswordMissing()
    account, proof = await _proved(ctx, who, current_password, needed=settings.require_current)
    _refuse_young(ctx, held)
    clean = await _accepted(ctx, who.user, new_password)
    if settings.change is not None and who.user.email is not None:
        return await _pend(ctx, who, clean, settings.change)
    return await _bind(ctx, who, account.epoch, await ctx.hasher.hash(clean), proof)


async def _proved(ctx: Context, who: Authenticated, current: str | None, *, needed: bool) -> tuple[Account, Proof]:
    if current is not None:
        return await flow.proved(ctx, who.user, current), flow.PASSWORD
    if needed:
        raise field_error("current_password", "missing", "This field is required.")
    guard.enforce(ctx, who, FRESH)
    return await _account(ctx, who), NOTHING


def _refuse_young(ctx: Context, held: passwords.PasswordState) -> None:
    least = ctx.settings(PasswordPolicy).min_age
    if least is not None and held.must_change is None and ctx.now() < held.changed_at + least:
        raise PasswordTooYoung()


async def _bind(ctx: Context, who: Authenticated, epoch: int, digest: str, proof: Proof) -> PasswordUpdate:
    issued = pipeline.renewed(ctx, who.session, proof, ctx.now())
    made = _binding(ctx, who.user.id, epoch, digest, issued)
    happened = events.occur(ctx, events.PasswordChanged(ctx.tenant.id, ctx.now(), _changed(ctx, who.user)))
    if not await ctx.db.write(store.change, made, happened):
        raise NotAuthenticated()
    await events.tell(ctx, happened)
    return await _updated(ctx, who, issued)


def _binding(ctx: Context, user_id: str, epoch: int | None, digest: str, issued: Issued | None = None) -> Binding:
    return Binding(
        tenant=ctx.tenant.id,
        user_id=user_id,
        digest=digest,
        now=ctx.now(),
        keep=ctx.settings(PasswordPolicy).history,
        epoch=epoch,
        issued=issued,
    )


async def _updated(ctx: Context, who: Authenticated, issued: Issued) -> PasswordUpdate:
    issued = await access.hand_over(ctx, issued)
    return PasswordUpdate(ctx.now(), _changed(ctx, who.user), issued, ways.session_cookies(ctx, issued))


def _changed(ctx: Context, user: User) -> User:
    return replace(user, updated_at=ctx.now())


# --- by a mailed code ---


async def _pend(ctx: Context, who: Authenticated, password: str, kind: challenges.ChallengeKind) -> ChallengeRequired:
    binding, cookies = ways.ensure_binding(ctx, who.session.transport)
    own = await _own(ctx, who, kind)
    old = mailed.readable(ctx, own) if own else None
    # A13: with the salt of this session's own earlier try, one hash also tells whether anything changed.
    digest = await ctx.hasher.hash(password, ctx.hasher.salt(old["digest"]) if old else None)
    pending = {"digest": digest, "session": who.session.id}
    if own and old == pending:
        made = await mailed.repeat(ctx, own, mails.change, binding)
    else:
        made = challenges.draft(
            ctx,
            kind,
            subject=who.user.id,
            recipient=who.user.email or "",
            payload=pending,
            bindings=[binding] if binding else [],
            user_id=who.user.id,
        )
        await mailed.store(ctx, made, mails.change, alone=True)
    hint = challenges.mask_email(made.recipient)
    return ChallengeRequired(challenges.view(made, ctx.now(), hint=hint), cookies)


async def _own(ctx: Context, who: Authenticated, kind: challenges.ChallengeKind) -> Challenge | None:
    """Answer the open challenge that this very session began, of either transport."""
    for found in await ctx.db.read(challenges.pending, ctx.tenant.id, kind, who.user.id, ctx.now()):
        held: Any = mailed.readable(ctx, found)
        if held is not None and held["session"] == who.session.id and found.recipient == who.user.email:
            return found
    return None


async def verify_password_change(ctx: Context, *, challenge_id: str, code: str) -> PasswordUpdate:
    """Spend the mailed code and replace the password by the pending one, in the session that asked for it.

    Raises NotAuthenticated, InvalidChallenge, PasswordDisabled, RateLimited.
    """
    settings, who = flow.enabled(ctx), _who(ctx)
    if settings.change is None:
        raise InvalidChallenge()
    attempt = await mailed.attempt(ctx, settings.change, challenge_id=challenge_id, code=code, subject=who.user.id)
    _, held = await mailed.held(ctx, attempt)
    if held["session"] != who.session.id:
        raise InvalidChallenge()
    issued = pipeline.renewed(ctx, who.session, MAIL, ctx.now())
    made = _binding(ctx, who.user.id, None, held["digest"], issued)
    happened = events.occur(ctx, events.PasswordChanged(ctx.tenant.id, ctx.now(), _changed(ctx, who.user)))
    if not await ctx.db.write(store.change_by_code, attempt, made, happened):
        raise InvalidChallenge()
    await events.tell(ctx, happened)
    return await _updated(ctx, who, issued)


# --- the first one ---


async def set_password(ctx: Context, *, new_password: str, password_confirmation: str | None = None) -> PasswordUpdate:
    """Give the account of who is signed in its first password; the session must be fresh, and keeps its id.

    Raises NotAuthenticated, ReauthenticationRequired, PasswordExists, AddressMissing, InvalidFields, PasswordDisabled,
    RateLimited, Overloaded.
    """
    flow.enabled(ctx)
    who = guard.enforce(ctx, ctx.who, FRESH)
    flow.confirm(new_password, password_confirmation)
    account = await _account(ctx, who)
    if who.user.email is None:
        raise AddressMissing()
    if await ctx.db.read(passwords.state, who.user.id) is not None:
        raise PasswordExists()
    clean = await _accepted(ctx, who.user, new_password)
    issued = pipeline.renewed(ctx, who.session, NOTHING, ctx.now())
    made = _binding(ctx, who.user.id, account.epoch, await ctx.hasher.hash(clean), issued)
    happened = events.occur(ctx, events.PasswordSet(ctx.tenant.id, ctx.now(), _changed(ctx, who.user)))
    if not await ctx.db.write(store.set_first, made, happened):
        raise PasswordExists()
    await events.tell(ctx, happened)
    return await _updated(ctx, who, issued)


# --- by the application ---


async def change_password(ctx: Context, *, user_id: str, current_password: str, new_password: str) -> User:
    """Replace a user's password, given the present one; every session of the user ends. Server code only.

    No code is mailed. Raises InvalidCredentials, InvalidFields, Conflict (`code` tells which), PasswordDisabled,
    RateLimited, Overloaded.
    """
    flow.enabled(ctx)
    known = await flow.known(ctx, user_id)
    if known is None:
        raise InvalidCredentials()
    held = await ctx.db.read(passwords.state, known.user.id)
    account = await flow.proved(ctx, known.user, current_password)
    if held is not None:
        _refuse_young(ctx, held)
    clean = await _accepted(ctx, account.user, new_password)
    user = _changed(ctx, account.user)
    made = _binding(ctx, user.id, account.epoch, await ctx.hasher.hash(clean))
    happened = events.occur(ctx, events.PasswordChanged(ctx.tenant.id, ctx.now(), user))
    if not await ctx.db.write(store.change, made, happened):
        raise InvalidCredentials()
    await events.tell(ctx, happened)
    return user


# --- what they share ---


async def _accepted(ctx: Context, user: User, password: str) -> str:
    """Answer what the policy makes of a password; one that costs hashes to judge is counted, one too short is not."""
    policy.accept(ctx, password, email=user.email, field="new_password")
    await limits.count(ctx, Hit("password_change.account", user.id))
    return await policy.accepted(ctx, password, email=user.email, user_id=user.id)


def _who(ctx: Context) -> Authenticated:
    if ctx.who is None:
        raise NotAuthenticated()
    return ctx.who


async def _account(ctx: Context, who: Authenticated) -> Account:
    found = await ctx.db.read(accounts.by_id, ctx.tenant.id, who.user.id, ctx.app.user)
    if found is None:
        raise NotAuthenticated()
    return found
