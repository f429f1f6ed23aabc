"""Resetting a forgotten password, as it is told: asked for, looked at, done."""

from __future__ import annotations

from datetime import datetime

from authcore.context import Context
from authcore.errors import field_error
from authcore.features.password_reset import asking, replacing
from authcore.features.password_reset.settings import BrokerSettings, PasswordResetSettings
from authcore.http import Cookie
from authcore.services import accounts, challenges, guests, mailed, phones, tokens
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import User
from authcore.services.challenges import ChallengeView
from authcore.services.sessions import Transport
from authcore.services.sign_in import Outcome
from authcore.values import Value


class ResetSent(Value, frozen=True):
    """A challenge, mailed if the address has an account; `cookies` bind it to the browser."""

    challenge: ChallengeView
    cookies: tuple[Cookie, ...] = ()


class ResetDone(Value, frozen=True):
    """The password is another, and nobody is signed in by it."""

    user: User


async def request(
    ctx: Context, *, email: str | None = None, phone: str | None = None, transport: Transport | None = None
) -> ResetSent:
    """Mail a link and a code to the owner of an address, or text a code to the owner of a number.

    The answer is one for every address and number (rule A2). Raises InvalidFields, also for a `phone` where that is
    not offered, PasswordDisabled, RateLimited.
    """
    replacing.enabled(ctx)
    via = ways.chosen(ctx, transport, None, None)
    settings = ctx.settings(PasswordResetSettings)
    if phone is not None and settings.phones is not None and email is None:
        number = phones.canonical_phone(phone)
        return await _ask(ctx, settings.phones, number, via, phones.mask_phone(number))
    if phone is not None:
        raise field_error("phone", "unknown", "There is no such field, or not beside an email.")
    if email is None:
        raise field_error("email", "missing", "This field is required.")
    address = accounts.canonical_email(email)
    return await _ask(ctx, settings.users, address, via, challenges.mask_email(address))


async def _ask(ctx: Context, broker: BrokerSettings, subject: str, via: Transport, hint: str) -> ResetSent:
    sent = await asking.send(ctx, broker, subject, via)
    return ResetSent(sent.mailed.view(ctx, hint=hint), sent.mailed.cookies)


async def check(
    ctx: Context, *, token: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> datetime:
    """Answer until when a link's token, or a code, opens; a code that is checked counts as an attempt (S73).

    Raises InvalidFields, InvalidChallenge, PasswordDisabled, RateLimited.
    """
    replacing.enabled(ctx)
    broker = await _broker_of(ctx, challenge_id)
    attempt = await mailed.attempt(ctx, broker.kind, token=token, challenge_id=challenge_id, code=code)
    found = (await replacing.judge(ctx, attempt)).challenge
    return found.code_until if token is None else found.expires_at


async def complete(
    ctx: Context,
    *,
    new_password: str,
    token: str | None = None,
    challenge_id: str | None = None,
    code: str | None = None,
    password_confirmation: str | None = None,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome | ResetDone:
    """Replace the password, end everything that the earlier one opened, and enter the pipeline (rules T9, A8).

    The address is proven by it. A password that is refused spends nothing. Raises InvalidFields, InvalidChallenge,
    PasswordDisabled, RateLimited, Overloaded.
    """
    replacing.enabled(ctx)
    settings = ctx.settings(PasswordResetSettings)
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    replacing.refuse_weak(ctx, new_password, password_confirmation)
    broker = await _broker_of(ctx, challenge_id)
    attempt = await mailed.attempt(ctx, broker.kind, token=token, challenge_id=challenge_id, code=code)
    guest, bag = await guests.answering(ctx, attempt), await guests.brings_bag(ctx, attempt)
    done = await replacing.replace(ctx, broker, attempt, new_password)
    if not settings.sign_in_after:
        return ResetDone(done.account.user)
    return await pipeline.complete(
        ctx,
        done.account,
        broker.proves,
        via=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        guest=guest,
        bag=bag,
    )


async def _broker_of(ctx: Context, challenge_id: str | None) -> BrokerSettings:
    """Answer whose challenge it is: what was texted stands apart; an unknown id is refused by the broker of mails."""
    settings = ctx.settings(PasswordResetSettings)
    texted = settings.phones
    if texted is None or challenge_id is None or tokens.digest(challenge_id, "ch") is None:
        return settings.users
    found = await ctx.db.read(challenges.find, ctx.tenant.id, texted.kind, challenge_id)
    return settings.users if found is None else texted
