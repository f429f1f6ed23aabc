"""Samples: every kind of mail and text message with made-up data, for a preview and for tests; nothing is real."""

from __future__ import annotations

from datetime import timedelta

from authcore.context import Context, Runtime
from authcore.feature import MailTemplate, SmsTemplate
from authcore.ports import Mail, Sms
from authcore.services import links, mails
from authcore.services.outbox import MailPayload, SmsPayload

CODE = "482913"
TOKEN = "this-is-no-token"  # noqa: S105 - nor is it one
_KEY = "sample"


def mail(runtime: Runtime, template: MailTemplate, language: str) -> Mail:
    """Answer a sample of a kind of mail, in a language."""
    carries = template.carries
    link = links.link(Context(runtime), template.kind, f"/{template.kind.replace('_', '-')}", TOKEN)
    payload = MailPayload(
        kind=template.kind,
        to="ada@example.com",
        code=CODE if "code" in carries else None,
        token=TOKEN if "link" in carries else None,
        url=link if "link" in carries else None,
        expires_at=runtime.ports.clock.now() + (timedelta(days=1) if "link" in carries else timedelta(minutes=10)),
        username="Ada Lovelace" if "name" in carries else None,
        locale=language,
        data=dict(template.sample),
    )
    return mails.render(runtime, _KEY, payload)


def sms(runtime: Runtime, template: SmsTemplate, language: str) -> Sms:
    """Answer a sample of a kind of text message, in a language."""
    payload = SmsPayload(
        kind=template.kind,
        to="+15555550100",
        code=CODE,
        expires_at=runtime.ports.clock.now() + timedelta(minutes=10),
        locale=language,
        data=dict(template.sample),
    )
    return mails.render_sms(runtime, _KEY, payload)
