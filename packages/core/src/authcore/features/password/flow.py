"""Signing up and signing in, as they are told."""

from __future__ import annotations

from typing import Any

from authcore.context import Context
from authcore.decode import is_storable, to_struct
from authcore.errors import InvalidChallenge, InvalidCredentials, NotAuthenticated, RateLimited, field_error
from authcore.features.password import decoys, mails, policy, store
from authcore.features.password.errors import AccountExists, PasswordDisabled
from authcore.features.password.schemas import DeviceBody
from authcore.features.password.settings import MAX_FAILURES, MOST_LENGTH, PasswordSettings
from authcore.http import Cookie
from authcore.ports import PasswordMatch, PasswordMismatch
from authcore.services import accounts, challenges, events, limits, outbox, tokens
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import Account, NewUser
from authcore.services.challenges import Challenge
from authcore.services.limits import Hit
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
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
) -> Outcome:
    """Begin a registration, or make the user at once where no code is required.

    The answer is the same for a taken address, except under `require_code=False`, where AccountExists is
    raised (rule A2).
    Raises InvalidFields, PasswordDisabled, RateLimited, Overloaded.
    """
    settings = _enabled(ctx)
    address, name = accounts.canonical_email(email), _display_name(display_name)
    clean = policy.accept(ctx, password, email=address)
    if password_confirmation is not None and password_confirmation != password:
        raise field_error("password_confirmation", "mismatch", "The passwords do not match.")
    via = _transport(ctx, transport, device_id, device_name)
    await limits.count(ctx, Hit("sign_up.address"), Hit("sign_up.account", address))
    if settings.require_code:
        return await _pend(ctx, address, clean, name, via)
    return await _register(ctx, address, clean, name, via, device_id, device_name)


async def _pend(ctx: Context, email: str, password: str, name: str | None, via: Transport) -> ChallengeRequired:
    binding, cookies = ways.ensure_binding(ctx, via)
    taken, earlier = await _known(ctx, email, binding)
    old = _readable(ctx, earlier)
    # A13: one hash, whatever is pending. With the salt of this browser's own earlier try, it also tells
    # whether anything changed.
    digest = await ctx.hasher.hash(password, ctx.hasher.salt(old["digest"]) if old else None)
    if earlier and old == {"digest": digest, "display_name": name}:
        return await _repeat(ctx, earlier, cookies, hint=challenges.mask_email(email))
    made = challenges.draft(
        ctx,
        ctx.settings(PasswordSettings).sign_up,
        subject=email,
        recipient=email,
        payload={"digest": digest, "display_name": name},
        bindings=[binding] if binding else [],
        void=taken,
    )
    await _store(ctx, made)
    return ChallengeRequired(challenges.view(made, ctx.now(), hint=challenges.mask_email(email)), cookies)


async def _known(ctx: Context, email: str, binding: str | None) -> tuple[bool, Challenge | None]:
    """Answer whether the address is taken, and the registration that this very browser has pending for it."""
    kind, now = ctx.settings(PasswordSettings).sign_up, ctx.now()
    owner = await ctx.db.read(accounts.owner, ctx.tenant.id, accounts.EMAIL_PASSWORD, email)
    pending = await ctx.db.read(challenges.pending, ctx.tenant.id, kind, email, now)
    own = next((challenge for challenge in pending if binding is not None and binding in challenge.bindings), None)
    return owner is not None, own


def _readable(ctx: Context, earlier: Challenge | None) -> Any:
    """Answer what the earlier registration carries; None if there is none, or its key is gone (rule O4)."""
    try:
        return challenges.payload(ctx, earlier) if earlier else None
    except InvalidChallenge:
        return None


async def _store(ctx: Context, made: Challenge) -> None:
    key = challenges.code_digest(ctx, made.id, made.code or "")
    await ctx.db.write(store.pend, made, key, mails.code(ctx, made))
    outbox.wake(ctx)


async def _repeat(
    ctx: Context, challenge: Challenge, cookies: tuple[Cookie, ...], *, hint: str | None = None
) -> ChallengeRequired:
    """Answer the same challenge; once the interval has passed, with a fresh code (S14)."""
    if challenges.may_send(challenge, ctx.now()):
        fresh = challenges.renewed(ctx, challenge)
        key = challenges.code_digest(ctx, fresh.id, fresh.code or "")
        if await ctx.db.write(store.resend, challenge, fresh.sent_at, key, mails.code(ctx, fresh)):
            outbox.wake(ctx)
            challenge = fresh
    return ChallengeRequired(challenges.view(challenge, ctx.now(), hint=hint), cookies)


async def _register(
    ctx: Context,
    email: str,
    password: str,
    name: str | None,
    via: Transport,
    device_id: str | None,
    device_name: str | None,
) -> Outcome:
    digest = await ctx.hasher.hash(password)
    new = NewUser.draft(ctx, email=email, verified=False, display_name=name)
    mail, event = mails.welcome(ctx, email), events.draft(ctx, events.Registered)
    if not await ctx.db.write(store.register, new, digest, mail, event):
        raise AccountExists()
    outbox.wake(ctx)
    await events.emit(ctx, events.Registered(ctx.tenant.id, ctx.now(), new.user()))
    return await pipeline.complete(
        ctx, Account(new.user(), 0, False), PASSWORD, via=via, device_id=device_id, device_name=device_name
    )


async def verify_sign_up(
    ctx: Context,
    *,
    challenge_id: str,
    code: str,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
) -> Outcome:
    """Spend the code, make the user, and sign in; raise InvalidChallenge, PasswordDisabled, RateLimited.

    A wrong code counts; unknown, expired, used and wrong are one answer.
    """
    settings = _enabled(ctx)
    via = _transport(ctx, transport, device_id, device_name)
    attempt = await challenges.attempt(ctx, settings.sign_up, challenge_id, code, binding=_binding(ctx))
    pending = await ctx.db.read(challenges.find, ctx.tenant.id, settings.sign_up, challenge_id)
    if pending is None:
        raise InvalidChallenge()
    held = challenges.payload(ctx, pending)
    new = NewUser.draft(ctx, email=pending.recipient, verified=True, display_name=held["display_name"])
    event = events.draft(ctx, events.Registered)
    if not await ctx.db.write(store.verify, attempt, new, held["digest"], event):
        raise InvalidChallenge()
    await events.emit(ctx, events.Registered(ctx.tenant.id, ctx.now(), new.user()))
    await events.emit(ctx, events.Verified(ctx.tenant.id, ctx.now(), new.user()))
    return await pipeline.complete(
        ctx,
        Account(new.user(), 0, False),
        PASSWORD_AND_MAIL,
        via=via,
        device_id=device_id,
        device_name=device_name,
    )


async def resend_sign_up(ctx: Context, *, challenge_id: str) -> ChallengeRequired:
    """Mail a fresh code under the same id, once the interval has passed; raise InvalidChallenge,
    PasswordDisabled, RateLimited.
    """
    settings = _enabled(ctx)
    await limits.count(ctx, Hit("resend.address"))
    if tokens.digest(challenge_id, "ch") is None:
        raise InvalidChallenge()
    found = await ctx.db.read(challenges.find_open, ctx.tenant.id, settings.sign_up, challenge_id, ctx.now())
    binding = _binding(ctx)
    if found is None or (found.bindings and binding not in found.bindings):
        raise InvalidChallenge()
    challenges.payload(ctx, found)  # under a key that is gone no code would open it
    if challenges.may_send(found, ctx.now()):
        await limits.count(ctx, Hit("sign_up.account", found.subject))
    return await _repeat(ctx, found, ())


# --- sign-in ---


async def sign_in(
    ctx: Context,
    *,
    email: str,
    password: str,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
) -> Outcome:
    """Check a password and enter the pipeline; raise InvalidCredentials, PasswordDisabled, RateLimited, Overloaded.

    Unknown address, wrong password, disabled and resting accounts are one answer, at one cost.
    """
    _enabled(ctx)
    via = _transport(ctx, transport, device_id, device_name)
    address = accounts.canonical_email(email)
    await events.emit(ctx, events.Attempting(ctx.tenant.id, ctx.now(), address))
    await _count(ctx, address)
    account = await _checked(ctx, address, password)
    await limits.clear(ctx, Hit("sign_in.account_address", address))
    return await pipeline.complete(ctx, account, PASSWORD, via=via, device_id=device_id, device_name=device_name)


async def _count(ctx: Context, email: str) -> None:
    try:
        await limits.count(
            ctx, Hit("sign_in.account_address", email), Hit("sign_in.account", email), Hit("sign_in.address")
        )
    except RateLimited:
        await events.emit(ctx, events.Lockout(ctx.tenant.id, ctx.now(), email))
        raise


async def _checked(ctx: Context, email: str, password: str) -> Account:
    """Answer the account whose password this is; count the failure and raise InvalidCredentials otherwise."""
    decoy = await decoys.choose(ctx, email)
    found = await ctx.db.read(store.credential, ctx.tenant.id, email)
    match = await _verify(ctx, found.digest, decoy, password)
    rests = found.failures >= MAX_FAILURES or found.account is None or found.account.disabled
    if match is None or rests or found.account is None:
        owned = found.account is not None
        await ctx.db.write(store.count_failure, ctx.tenant.id, email, ctx.now(), owned=owned)
        await events.emit(ctx, events.Failed(ctx.tenant.id, ctx.now(), email))
        raise InvalidCredentials()
    if found.failures:
        await ctx.db.write(store.forgive, ctx.tenant.id, email)
    if match.needs_rehash and found.digest is not None:
        fresh = await ctx.hasher.hash(policy.normalise(password))
        await ctx.db.write(store.rehash, found.account.user.id, found.digest, fresh, ctx.now())
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


async def unlock(ctx: Context, *, email: str) -> bool:
    """Let a password that rests after 100 failures work again; tell whether failures were counted. Server code only.

    It forgets the failures of the address, whoever caused them, and changes neither the password nor the windows of
    `rate_limited`, which pass by themselves. Raises InvalidFields.
    """
    return await ctx.db.write(store.forgive, ctx.tenant.id, accounts.canonical_email(email))


async def prove(ctx: Context, password: str) -> Proof:
    """Prove again, by password, who is signed in; raise InvalidCredentials, counted as at sign-in."""
    _enabled(ctx)
    if ctx.who is None or ctx.who.user.email is None:
        raise NotAuthenticated()
    await _count(ctx, ctx.who.user.email)
    account = await _checked(ctx, ctx.who.user.email, password)
    if account.user.id != ctx.who.user.id:
        raise InvalidCredentials()
    return PASSWORD


# --- what they share ---


def _enabled(ctx: Context) -> PasswordSettings:
    settings = ctx.settings(PasswordSettings)
    if not settings.enabled:
        raise PasswordDisabled()
    return settings


def _display_name(given: str | None) -> str | None:
    name = given.strip() if given is not None else None
    if name is not None and (len(name) > 200 or not name.isprintable()):
        raise field_error("display_name", "invalid", "This is no name that can be shown.")
    return name or None


def _transport(ctx: Context, asked: Transport | None, device_id: str | None, device_name: str | None) -> Transport:
    """Answer the transport; refuse here what a body would not have let through: callers have forms of their own."""
    device = {"device_id": device_id, "device_name": device_name}
    to_struct({"transport": asked, **device}, DeviceBody)
    for field, text in device.items():
        if text is not None and not is_storable(text):
            raise field_error(field, "invalid", "This field is not valid.")
    return ways.resolve(ctx, asked)


def _binding(ctx: Context) -> str | None:
    return ways.binding_of(ctx)
