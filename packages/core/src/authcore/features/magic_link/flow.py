"""Signing in by a mailed link, as it is told: asked for, then spent."""

from __future__ import annotations

from authcore.context import Context
from authcore.features.magic_link import mails
from authcore.features.magic_link.settings import MagicLinkSettings
from authcore.services import accounts, limits, mailed, passwordless
from authcore.services import transport as ways
from authcore.services.challenges import mask_email
from authcore.services.limits import Hit
from authcore.services.sessions import Transport
from authcore.services.sign_in import ChallengeRequired, Outcome


async def request(ctx: Context, *, email: str, transport: Transport | None = None) -> ChallengeRequired:
    """Mail a link and a code to the owner of an address; the answer is one for every address (rule A2).

    Raises InvalidFields, RateLimited.
    """
    via = ways.chosen(ctx, transport, None, None)
    address = accounts.canonical_email(email)
    await limits.count(ctx, Hit("mail_sign_in.address"))
    begun = await passwordless.ask(
        ctx,
        ctx.settings(MagicLinkSettings).way,
        address,
        mails.composer,
        via=via,
        allowances=limits.sign_in_mails(address),
    )
    return ChallengeRequired(begun.view(ctx, hint=mask_email(address)), begun.cookies)


async def consume(
    ctx: Context,
    *,
    token: str | None = None,
    challenge_id: str | None = None,
    code: str | None = None,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Spend a link's token, or the code beside it, and enter the pipeline.

    Raises InvalidFields, InvalidChallenge, InvalidCredentials, SignUpClosed, RateLimited.
    """
    settings = ctx.settings(MagicLinkSettings)
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    attempt = await mailed.attempt(
        ctx, settings.way.kind, token=token, challenge_id=challenge_id, code=code, bound=settings.same_browser
    )
    return await passwordless.enter(
        ctx, settings.way, attempt, via=via, device_id=device_id, device_name=device_name, remember_me=remember_me
    )
