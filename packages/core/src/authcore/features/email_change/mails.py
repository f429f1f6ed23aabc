"""The room's mails."""

from __future__ import annotations

from authcore.context import Context
from authcore.services import challenges, links, outbox
from authcore.services.challenges import Challenge
from authcore.services.outbox import Effect, MailPayload


def proof(ctx: Context, challenge: Challenge) -> Effect:
    """Answer the mail to the new address, with a link and a code; an address that is taken gets none."""
    token = challenge.token or ""
    payload = MailPayload(
        kind="email_change",
        to=challenge.recipient,
        code=challenge.code,
        token=challenge.token,
        url=links.link(ctx, "email_change", "/email/change", token),
        expires_at=challenge.expires_at,
        data={"code_minutes": int(challenge.kind.ttl.total_seconds() // 60)},
    )
    return outbox.mail(ctx, payload, void=challenge.void)


def changed(ctx: Context, old: str, new: str, undo: Challenge | None, locale: str | None) -> Effect:
    """Answer the mail that tells the old address, with the link that undoes the change where there is one."""
    token = undo.token if undo is not None else None
    payload = MailPayload(
        kind="email_changed",
        to=old,
        token=token,
        url=None if token is None else links.link(ctx, "email_change_undo", "/email/change/undo", token),
        expires_at=undo.expires_at if undo is not None else None,
        locale=locale,
        data={"new_email": challenges.mask_email(new)},
    )
    return outbox.mail(ctx, payload)


def undone(ctx: Context, to: str, locale: str | None, *, restored: bool) -> Effect:
    """Answer the mail that tells an address that a change was undone: `restored` is the one that has the account."""
    payload = MailPayload(kind="email_change_undone", to=to, locale=locale, data={"restored": restored})
    return outbox.mail(ctx, payload)
