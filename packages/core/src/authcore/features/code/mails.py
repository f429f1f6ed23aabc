"""The room's mail and text message."""

from __future__ import annotations

from authcore.context import Context
from authcore.features.code.settings import KIND, SMS_KIND
from authcore.services import outbox
from authcore.services.accounts import Account
from authcore.services.challenges import Challenge
from authcore.services.mailed import Compose
from authcore.services.outbox import Effect, MailPayload, SmsPayload


def by_mail(account: Account | None) -> Compose:
    """Answer what makes the mail to the owner of an account, or to who is about to have one."""

    def compose(ctx: Context, challenge: Challenge) -> Effect:
        payload = MailPayload(
            kind=KIND,
            to=challenge.recipient,
            code=challenge.code,
            expires_at=challenge.code_until,
            locale=account.locale if account else None,
        )
        return outbox.mail(ctx, payload, void=challenge.void)

    return compose


def by_sms(account: Account | None) -> Compose:
    """Answer what makes the text message to the owner of an account, or to who is about to have one."""

    def compose(ctx: Context, challenge: Challenge) -> Effect:
        payload = SmsPayload(
            kind=SMS_KIND,
            to=challenge.recipient,
            code=challenge.code or "",
            expires_at=challenge.code_until,
            user_id=account.user.id if account else None,
            locale=account.locale if account else None,
        )
        return outbox.sms(ctx, payload, void=challenge.void)

    return compose
