"""The room's mail and text message."""

from __future__ import annotations

from authcore.context import Context
from authcore.features.password_reset.settings import PURPOSE, SMS_PURPOSE, BrokerSettings
from authcore.services import links, outbox
from authcore.services.accounts import PHONE, Account
from authcore.services.challenges import Challenge
from authcore.services.mailed import Compose
from authcore.services.outbox import Effect, MailPayload, SmsPayload


def composer(broker: BrokerSettings, account: Account | None) -> Compose:
    """Answer what makes a broker's mail, or text message, to the owner of an account; without one it is void."""
    return _text(account) if broker.provider == PHONE else _mail(broker, account)


def _text(account: Account | None) -> Compose:
    def compose(ctx: Context, challenge: Challenge) -> Effect:
        payload = SmsPayload(
            kind=SMS_PURPOSE,
            to=challenge.recipient,
            code=challenge.code or "",
            expires_at=challenge.code_until,
            user_id=account.user.id if account else None,
            locale=account.locale if account else None,
        )
        return outbox.sms(ctx, payload, void=challenge.void)

    return compose


def _mail(broker: BrokerSettings, account: Account | None) -> Compose:
    def compose(ctx: Context, challenge: Challenge) -> Effect:
        token = challenge.token or ""
        payload = MailPayload(
            kind=PURPOSE,
            to=challenge.recipient,
            template=broker.template,
            code=challenge.code if broker.page is None else None,
            token=token,
            url=_url(ctx, broker, token),
            expires_at=challenge.expires_at,
            username=account.greeting(challenge.recipient) if account else None,
            locale=account.locale if account else None,
            data={"code_minutes": challenge.code_minutes},
            metadata={"broker": broker.name},
        )
        return outbox.mail(ctx, payload, void=challenge.void)

    return compose


def _url(ctx: Context, broker: BrokerSettings, token: str) -> str:
    if broker.page is None:
        return links.link(ctx, PURPOSE, "/password/reset", token)
    if ctx.app.build_link is not None:
        return links.link(ctx, f"{PURPOSE}_{broker.name}", "", token)
    return f"{ctx.base_url}{broker.page}#token={token}"
