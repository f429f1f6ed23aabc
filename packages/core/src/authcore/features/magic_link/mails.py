"""The room's mail."""

from __future__ import annotations

from authcore.context import Context
from authcore.features.magic_link.settings import KIND
from authcore.services import links, outbox
from authcore.services.accounts import Account
from authcore.services.challenges import Challenge
from authcore.services.mailed import Compose
from authcore.services.outbox import Effect, MailPayload


def composer(account: Account | None) -> Compose:
    """Answer what makes the mail to the owner of an account, or to who is about to have one."""

    def compose(ctx: Context, challenge: Challenge) -> Effect:
        token = challenge.token or ""
        payload = MailPayload(
            kind=KIND,
            to=challenge.recipient,
            code=challenge.code,
            token=token,
            url=links.link(ctx, KIND, "/magic-link", token),
            expires_at=challenge.expires_at,
            username=account.greeting(challenge.recipient) if account else None,
            locale=account.locale if account else None,
            data={"code_minutes": challenge.code_minutes},
        )
        return outbox.mail(ctx, payload, void=challenge.void)

    return compose
