"""The room's mails and text messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authcore.context import Context
from authcore.services import challenges, links, outbox
from authcore.services.challenges import Challenge
from authcore.services.mailed import Compose
from authcore.services.outbox import Effect, MailPayload, SmsPayload

_PATHS = {
    "account_email": "/me/emails/confirm",
    "invitation": "/invitations/accept",
    "deletion": "/me/deletion/confirm",
    "deletion_scheduled": "/me/deletion/cancel",
}


def secret(kind: str, locale: str | None, data: Mapping[str, Any] | None = None) -> Compose:
    """Answer what makes the message of a kind with a challenge's link and code; to a number it is a text message."""

    def compose(ctx: Context, challenge: Challenge) -> Effect:
        if "@" in challenge.recipient:
            return _mail(ctx, kind, challenge, locale, data or {})
        return text(ctx, kind, challenge, locale)

    return compose


def _mail(ctx: Context, kind: str, challenge: Challenge, locale: str | None, data: Mapping[str, Any]) -> Effect:
    token = challenge.token or ""
    payload = MailPayload(
        kind=kind,
        to=challenge.recipient,
        code=challenge.code,
        token=challenge.token,
        url=links.link(ctx, kind, _PATHS[kind], token),
        expires_at=challenge.expires_at,
        locale=locale,
        data={**data, "code_minutes": int(challenge.kind.ttl.total_seconds() // 60)},
    )
    return outbox.mail(ctx, payload, void=challenge.void)


def text(ctx: Context, kind: str, challenge: Challenge, locale: str | None) -> Effect:
    """Answer the text message with a challenge's code."""
    payload = SmsPayload(
        kind=kind, to=challenge.recipient, code=challenge.code or "", expires_at=challenge.code_until, locale=locale
    )
    return outbox.sms(ctx, payload, void=challenge.void)


def emails(ctx: Context, to: str, what: str, email: str, locale: str | None) -> Effect:
    """Answer the mail that tells an address what happened to the account's addresses: added, removed or primary."""
    data = {"what": what, "email": challenges.mask_email(email)}
    return outbox.mail(ctx, MailPayload(kind="account_emails", to=to, locale=locale, data=data))
