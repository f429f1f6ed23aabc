"""Signing in by a code that is sent, as it is told: asked for, then typed."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, field_error
from authcore.features.code import mails
from authcore.features.code.settings import CodeSettings
from authcore.services import accounts, challenges, limits, mailed, passwordless, phones, tokens
from authcore.services import transport as ways
from authcore.services.limits import Hit
from authcore.services.passwordless import Way
from authcore.services.sessions import Transport
from authcore.services.sign_in import ChallengeRequired, Outcome


async def request(
    ctx: Context, *, email: str | None = None, phone: str | None = None, transport: Transport | None = None
) -> ChallengeRequired:
    """Send a code to the owner of an address or a number; the answer is one for everybody (rule A2).

    Raises InvalidFields, also for a way that is not offered, and RateLimited.
    """
    via = ways.chosen(ctx, transport, None, None)
    if (email is None) == (phone is None):
        name = "email" if email is None else "phone"
        raise field_error(name, "missing" if email is None else "unknown", "Send either an email or a phone.")
    if phone is not None:
        return await _by_sms(ctx, phone, via)
    return await _by_mail(ctx, email or "", via)


async def _by_mail(ctx: Context, email: str, via: Transport) -> ChallengeRequired:
    way = _offered(ctx.settings(CodeSettings).email, "email")
    address = accounts.canonical_email(email)
    await limits.count(ctx, Hit("mail_sign_in.address"))
    hits = limits.sign_in_mails(address)
    begun = await passwordless.ask(ctx, way, address, mails.by_mail, via=via, allowances=hits)
    return ChallengeRequired(begun.view(ctx, hint=challenges.mask_email(address)), begun.cookies)


async def _by_sms(ctx: Context, phone: str, via: Transport) -> ChallengeRequired:
    way = _offered(ctx.settings(CodeSettings).phone, "phone")
    number = phones.canonical_phone(phone)
    await limits.count(ctx, Hit("sms.address"))
    begun = await passwordless.ask(ctx, way, number, mails.by_sms, via=via, allowances=phones.hits(number))
    return ChallengeRequired(begun.view(ctx, hint=phones.mask_phone(number)), begun.cookies)


def _offered(way: Way | None, field: str) -> Way:
    if way is None:
        raise field_error(field, "unknown", "There is no such field.")
    return way


async def verify(
    ctx: Context,
    *,
    challenge_id: str,
    code: str,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Spend a code and enter the pipeline; a wrong one counts.

    Raises InvalidFields, InvalidChallenge, InvalidCredentials, SignUpClosed, RateLimited.
    """
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    way = await _way_of(ctx, challenge_id)
    attempt = await mailed.attempt(ctx, way.kind, challenge_id=challenge_id, code=code)
    return await passwordless.enter(
        ctx, way, attempt, via=via, device_id=device_id, device_name=device_name, remember_me=remember_me
    )


async def _way_of(ctx: Context, challenge_id: str) -> Way:
    """Answer by which way a challenge went; an unknown one is refused by the first."""
    settings = ctx.settings(CodeSettings)
    offered = [way for way in (settings.email, settings.phone) if way is not None]
    if tokens.digest(challenge_id, "ch") is None:
        raise InvalidChallenge()
    for way in offered[1:]:
        if await ctx.db.read(challenges.find, ctx.tenant.id, way.kind, challenge_id) is not None:
            return way
    return offered[0]
