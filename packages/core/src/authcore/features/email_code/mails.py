"""The room's mail."""

from __future__ import annotations

from authcore.context import Context
from authcore.services import mailed, outbox
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect, MailPayload


def code(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail with the code of a sign-in, in the user's language (S10)."""
    held = mailed.readable(ctx, challenge) or {}
    payload = MailPayload(
        kind="email_code",
        to=challenge.recipient,
        code=challenge.code,
        expires_at=challenge.code_until,
        username=held.get("username"),
        locale=held.get("locale"),
    )
    return outbox.mail(ctx, payload)
