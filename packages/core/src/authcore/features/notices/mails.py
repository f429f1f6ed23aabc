"""The room's mails."""

from __future__ import annotations

from typing import Any

from authcore.context import Context
from authcore.services import outbox
from authcore.services.accounts import User
from authcore.services.outbox import Effect, MailPayload


def notice(
    ctx: Context,
    kind: str,
    user: User,
    locale: str | None,
    *,
    to: str | None = None,
    data: dict[str, Any] | None = None,
) -> Effect | None:
    """Answer the mail that tells a user of something, by default at its address; None where it has none."""
    address = to or user.email
    if address is None:
        return None
    payload = MailPayload(
        kind=kind,
        to=address,
        username=user.display_name if user.email_verified else None,
        locale=locale,
        data=data or {},
    )
    return outbox.mail(ctx, payload)
