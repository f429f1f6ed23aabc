"""The room's mail."""

from __future__ import annotations

from msgspec.structs import replace

from authcore.context import Context
from authcore.services import links, outbox
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect, MailPayload


def both(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail with a link and a code."""
    return outbox.mail(ctx, _payload(ctx, challenge))


def link_alone(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail with the link alone: whoever signed up knows no challenge that a code would answer."""
    return outbox.mail(ctx, replace(_payload(ctx, challenge), code=None))


def _payload(ctx: Context, challenge: Challenge) -> MailPayload:
    return MailPayload(
        kind="email_verification",
        to=challenge.recipient,
        code=challenge.code,
        token=challenge.token,
        url=url(ctx, challenge),
        expires_at=challenge.expires_at,
        data={"code_minutes": int(challenge.kind.ttl.total_seconds() // 60)},
    )


def url(ctx: Context, challenge: Challenge) -> str:
    """Answer the address that the link leads to."""
    return links.link(ctx, "email_verification", "/email/verify", challenge.token or "")
