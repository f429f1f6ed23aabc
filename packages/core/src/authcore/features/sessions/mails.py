"""The room's mail."""

from __future__ import annotations

from authcore.context import Context
from authcore.services import outbox
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect, MailPayload


def code(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail that proves again who is signed in."""
    payload = MailPayload(
        kind="reauthenticate", to=challenge.recipient, code=challenge.code, expires_at=challenge.expires_at
    )
    return outbox.mail(ctx, payload)
