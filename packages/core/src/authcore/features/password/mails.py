"""The room's mails."""

from __future__ import annotations

from authcore.context import Context
from authcore.services import links, outbox
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect, MailPayload


def code(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail that proves the address; an address with an account is told so instead, by the same rows."""
    if challenge.void:
        return outbox.mail(ctx, MailPayload(kind="sign_up_existing", to=challenge.recipient, code=None))
    payload = MailPayload(
        kind="sign_up",
        to=challenge.recipient,
        code=challenge.code,
        expires_at=challenge.expires_at,
    )
    return outbox.mail(ctx, payload)


def unlock(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail with the link that lets a resting password work again."""
    token = challenge.token or ""
    payload = MailPayload(
        kind="unlock",
        to=challenge.recipient,
        token=token,
        url=links.link(ctx, "unlock", "/unlock", token),
        expires_at=challenge.expires_at,
    )
    return outbox.mail(ctx, payload, void=challenge.void)


def welcome(ctx: Context, email: str) -> Effect:
    """Answer the mail that follows a sign-up without a code (S2)."""
    return outbox.mail(ctx, MailPayload(kind="sign_up_welcome", to=email))


def change(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail with the code that lets a pending password take the place of the one before (S70)."""
    payload = MailPayload(
        kind="password_change", to=challenge.recipient, code=challenge.code, expires_at=challenge.expires_at
    )
    return outbox.mail(ctx, payload)
