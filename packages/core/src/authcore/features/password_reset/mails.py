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
            username=_greeted(account, challenge.recipient),
            locale=account.locale if account else None,
            data={"code_minutes": _code_minutes(challenge)},
            metadata={"broker": broker.name},
        )
        return outbox.mail(ctx, payload, void=challenge.void)

    return compose


def _code_minutes(challenge: Challenge) -> int:
    # The link lives longer than the code beside it: the mail tells both.
    return max(1, round((challenge.code_until - challenge.sent_at).total_seconds() / 60))


def _url(ctx: Context, broker: BrokerSettings, token: str) -> str:
    if broker.page is None:
        return links.link(ctx, PURPOSE, "/password/reset", token)
    if ctx.app.build_link is not None:
        return links.link(ctx, f"{PURPOSE}_{broker.name}", "", token)
    return f"{ctx.base_url}{broker.page}#token={token}"


def _greeted(account: Account | None, address: str) -> str | None:
    # Who signs up writes the address and the name: an address that nobody has proven gets no words of theirs.
    if account is None or not account.user.email_verified or account.user.email != address:
        return None
    return account.user.display_name
