"""Signing up and signing in, as they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import (
    InvalidChallenge,
    InvalidCredentials,
    NotAuthenticated,
    PasswordDisabled,
    field_error,
)
from authcore.features.password import decoys, guesses, mails, store, unlocking
from authcore.features.password.errors import AccountExists
from authcore.features.password.settings import PasswordSettings
from authcore.ports import PasswordMatch, PasswordMismatch
from authcore.services import (
    accounts,
    admission,
    challenges,
    events,
    guests,
    identifiers,
    limits,
    mailed,
    outbox,
    passwords,
    user_fields,
)
from authcore.services import password_policy as policy
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import Account, User
from authcore.services.admission import Candidate
from authcore.services.limits import Hit
from authcore.services.password_policy import MOST_LENGTH, PasswordPolicy
from authcore.services.sessions import Transport
from authcore.services.sign_in import ChallengeRequired, Outcome, Proof

PASSWORD = Proof(("pwd",))
PASSWORD_AND_MAIL = Proof(("pwd", "email"))


# --- sign-up ---


async def sign_up(
    ctx: Context,
    *,
    email: str,
    password: str,
    password_confirmation: str | None = None,
    display_name: str | None = None,
    fields: Mapping[str, Any] | None = None,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Begin a registration, or make the user at once where no code is required.

    `fields` are the application's own of `Auth(user=…)`; over HTTP only the editable ones come in (rule R2).

    The answer is the same for a taken address, except under `require_code=False`, where AccountExists is
    raised (rule A2).
    Raises InvalidFields, PasswordDisabled, SignUpClosed, RateLimited, Overloaded.
    """
    settings = enabled(ctx)
    own = user_fields.checked(dict(fields or {}), ctx.app.user, editable=False)
    address, name = accounts.canonical_email(email), _display_name(display_name)
    policy.accept(ctx, password, email=address)
    confirm(password, password_confirmation)
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    await limits.count(ctx, Hit("sign_up.address"), Hit("sign_up.account", address), Hit("hash.share"))
    await admission.admit(ctx, Candidate("sign_up", ctx.tenant.id, address, display_name=name))
    clean = await policy.accepted(ctx, password, email=address, field="password")
    profile = {"display_name": name, "fields": own}
    if settings.require_code:
        return await _pend(ctx, address, clean, profile, via)
    return await _register(ctx, address, clean, profile, via, device_id, device_name, remember_me)


async def _pend(ctx: Context, email: str, password: str, profile: dict[str, Any], via: Transport) -> ChallengeRequired:
    binding, cookies = ways.ensure_binding(ctx, via)
    hint = challenges.mask_email(email)
    guest = await guests.present(ctx)
    profile = {**profile, "guest": guest.user.id if guest else None}
    taken = await ctx.db.read(accounts.holder, ctx.tenant.id, accounts.EMAIL_PASSWORD, email) is not None
    kind = ctx.settings(PasswordSettings).sign_up
    earlier = await mailed.earlier(ctx, kind, email, binding, own=True)
    old = mailed.readable(ctx, earlier) if earlier else None
    # A13: one hash, whatever is pending. With the salt of this browser's own earlier try, it also tells
    # whether anything changed.
    digest = await ctx.hasher.hash(password, ctx.hasher.salt(old["digest"]) if old else None)
    if earlier and old == {"digest": digest, **profile}:
        again = await mailed.repeat(ctx, earlier, mails.code)
        return ChallengeRequired(challenges.view(again, ctx.now(), hint=hint), cookies)
    made = challenges.draft(
        ctx,
        kind,
        subject=email,
        recipient=email,
        payload={"digest": digest, **profile},
        bindings=[binding] if binding else [],
        void=taken,
    )
    await mailed.store(ctx, made, mails.code)
    return ChallengeRequired(challenges.view(made, ctx.now(), hint=hint), cookies)


async def _register(
    ctx: Context,
    email: str,
    password: str,
    profile: dict[str, Any],
    via: Transport,
    device_id: str | None,
    device_name: str | None,
    remember_me: bool | None,
) -> Outcome:
    digest = await ctx.hasher.hash(password)
    guest = await guests.present(ctx)
    new = await admission.new_user(ctx, way="sign_up", email=email, guest=guest, **profile)
    mail = mails.welcome(ctx, email)
    happened = events.occur_all(ctx, *guests.born(ctx, new))
    if not await ctx.db.write(store.register, new, digest, mail, happened):
        raise AccountExists()
    outbox.wake(ctx)
    await events.tell_all(ctx, happened)
    return await pipeline.complete(
        ctx, new.account(), PASSWORD, via=via, device_id=device_id, device_name=device_name, remember_me=remember_me
    )


async def verify_sign_up(
    ctx: Context,
    *,
    challenge_id: str,
    code: str,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Spend the code, make the user, and sign in; raise InvalidChallenge, PasswordDisabled, RateLimited.

    A wrong code counts; unknown, expired, used and wrong are one answer.
    """
    settings = enabled(ctx)
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    attempt = await challenges.attempt(ctx, settings.sign_up, challenge_id, code, binding=ways.binding_of(ctx))
    pending = await ctx.db.read(challenges.find, ctx.tenant.id, settings.sign_up, challenge_id)
    if pending is None:
        raise InvalidChallenge()
    held = challenges.payload(ctx, pending)
    guest = await guests.present(ctx)
    # Only who began the sign-up becomes its account; another guest of this browser signs in to it.
    becomes = guest if guest is not None and guest.user.id == held.get("guest") else None
    new = await admission.new_user(
        ctx,
        way="sign_up",
        email=pending.recipient,
        verified=True,
        display_name=held["display_name"],
        fields=held["fields"],
        guest=becomes,
    )
    told = (*guests.born(ctx, new), events.Verified(ctx.tenant.id, ctx.now(), new.user()))
    happened = events.occur_all(ctx, *told)
    if not await ctx.db.write(store.verify, attempt, new, held["digest"], happened):
        raise InvalidChallenge()
    await events.tell_all(ctx, happened)
    return await pipeline.complete(
        ctx,
        new.account(),
        PASSWORD_AND_MAIL,
        via=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        guest=guest,
    )


async def resend_sign_up(ctx: Context, *, challenge_id: str) -> ChallengeRequired:
    """Mail a fresh code under the same id, once the interval has passed; raise InvalidChallenge,
    PasswordDisabled, RateLimited.
    """
    again = await mailed.resend(ctx, enabled(ctx).sign_up, mails.code, challenge_id, allowance="sign_up.account")
    return ChallengeRequired(again.view(ctx))


# --- sign-in ---


async def sign_in(
    ctx: Context,
    *,
    email: str | None = None,
    username: str | None = None,
    phone: str | None = None,
    password: str,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
    remember_token: str | None = None,
) -> Outcome:
    """Check a password and enter the pipeline; raise InvalidCredentials, PasswordDisabled, RateLimited, Overloaded.

    Who signs in is named by one of `email`, `username` and `phone`, as far as `Account(…)` uses them; raises
    InvalidFields. Unknown name, wrong password, disabled and resting accounts are one answer, at one cost. A
    `remember_token` spares a step of the pipeline; one that is not this account's is ignored (S12).
    """
    enabled(ctx)
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    account = await identified(ctx, password, email=email, username=username, phone=phone)
    return await pipeline.complete(
        ctx,
        account,
        PASSWORD,
        via=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        remember_token=remember_token,
        guest=await guests.present(ctx),
    )


async def identified(
    ctx: Context, password: str, *, email: str | None, username: str | None, phone: str | None
) -> Account:
    """Answer the account of a name whose password this is; raise InvalidCredentials, counted, and InvalidFields."""
    provider, name = identifiers.named(ctx, email=email, username=username, phone=phone)
    await events.emit(ctx, events.Attempting(ctx.tenant.id, ctx.now(), name))
    await guesses.begin(ctx, name)
    account = await _checked(ctx, provider, name, password)
    await guesses.forgive(ctx, name)
    return account


async def _checked(ctx: Context, provider: str, name: str, password: str) -> Account:
    """Answer the account whose password this is; count the failure and raise InvalidCredentials otherwise."""
    decoy = await decoys.choose(ctx, name)
    found = await ctx.db.read(store.credential, ctx.tenant.id, name, ctx.app.user, provider)
    match = await _verify(ctx, found.digest, decoy, password)
    rests = found.failures >= passwords.MAX_FAILURES or found.must_change == "compromised"
    if match is None or rests or found.account is None or found.account.disabled:
        owned = found.account is not None
        await ctx.db.write(store.count_failure, ctx.tenant.id, found.key, ctx.now(), owned=owned)
        await unlocking.offer(ctx, found)
        await events.emit(ctx, events.Failed(ctx.tenant.id, ctx.now(), name))
        raise InvalidCredentials()
    if found.failures:
        await ctx.db.write(passwords.forgive, ctx.tenant.id, found.key)
    if match.needs_rehash and found.digest is not None:
        fresh = await ctx.hasher.hash(policy.normalise(password))
        await ctx.db.write(passwords.rehash, found.account.user.id, found.digest, fresh, ctx.now())
    return found.account


async def _verify(ctx: Context, digest: str | None, decoy: str, password: str) -> PasswordMatch | None:
    """Answer the match, or None; an address without a digest costs the decoy's hash (rule A2)."""
    if len(password) > MOST_LENGTH:  # no password is so long; over HTTP the body refuses it before
        digest, password = None, ""
    try:
        match = await ctx.hasher.verify(digest or decoy, policy.normalise(password))
    except PasswordMismatch:
        return None
    return match if digest is not None else None


async def prove(ctx: Context, password: str) -> Proof:
    """Prove again, by password, who is signed in; raise InvalidCredentials, counted as at sign-in."""
    enabled(ctx)
    if ctx.who is None:
        raise NotAuthenticated()
    await proved(ctx, ctx.who.user, password)
    return PASSWORD


async def proved(ctx: Context, user: User, password: str) -> Account:
    """Answer the account of a user whose password this is; raise InvalidCredentials, counted as at sign-in."""
    email = user.email or user.id
    await guesses.begin(ctx, email)
    account = await _checked(ctx, store.USER, user.id, password)
    if account.user.id != user.id:
        raise InvalidCredentials()
    await guesses.forgive(ctx, email)
    return account


async def known(ctx: Context, user_id: str) -> Account | None:
    """Answer a tenant's account by an id of any making."""
    return await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user) if is_storable(user_id) else None


# --- what they share ---


def enabled(ctx: Context) -> PasswordSettings:
    """Answer the room's settings; raise PasswordDisabled where passwords are not used (S8)."""
    if not ctx.settings(PasswordPolicy).enabled:
        raise PasswordDisabled()
    return ctx.settings(PasswordSettings)


def confirm(password: str, confirmation: str | None) -> None:
    """Raise InvalidFields if a password was typed twice, and not alike."""
    if confirmation is not None and confirmation != password:
        raise field_error("password_confirmation", "mismatch", "The passwords do not match.")


def _display_name(given: str | None) -> str | None:
    name = given.strip() if given is not None else None
    if name is not None and (len(name) > 200 or not name.isprintable()):
        raise field_error("display_name", "invalid", "This is no name that can be shown.")
    return name or None
