"""Mails that tell an account's owner of what happened to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from authcore.feature import Feature, MailTemplate, Retention, mails_from
from authcore.features.notices import flow, store
from authcore.features.notices.settings import NoticeSettings
from authcore.features.notices.tables import known_devices
from authcore.services import events

_TEMPLATES = Path(__file__).parent / "templates"
KEEP = timedelta(days=400)


class Notices(Feature):
    """Tell an account's owner, by mail, of sign-ins and changes that may not be the owner's own.

    `after_failures` is how many refused sign-ins a successful one must follow to be told of, None for never.
    """

    name = "notices"
    tables = (known_devices,)
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(
            "notice_new_device",
            "auth-notice-new-device",
            _TEMPLATES,
            family="notify_new_device",
            sample={"device": "Firefox, Linux", "ip": "203.0.113.7"},
        ),
        MailTemplate("notice_failures", "auth-notice-failures", _TEMPLATES, sample={"count": 6}),
        MailTemplate("notice_password", "auth-notice-password", _TEMPLATES),
        MailTemplate("notice_password_set", "auth-notice-password-set", _TEMPLATES),
        MailTemplate("notice_email", "auth-notice-email", _TEMPLATES),
        MailTemplate("notice_phone", "auth-notice-phone", _TEMPLATES),
        MailTemplate("notice_username", "auth-notice-username", _TEMPLATES),
    )
    retentions = (Retention("known_devices", KEEP, store.clean),)

    def __init__(
        self,
        *,
        new_device: bool = True,
        password: bool = True,
        email: bool = True,
        factor: bool = True,
        after_failures: int | None = 5,
        mail_from: str | None = None,
    ) -> None:
        self.settings = NoticeSettings(
            new_device=new_device, password=password, email=email, factor=factor, after_failures=after_failures
        )
        self.listeners = tuple(_listeners(self.settings))  # type: ignore[misc]
        self.mails = mails_from("Notices", type(self).mails, mail_from)  # type: ignore[misc]


def _listeners(settings: NoticeSettings) -> Iterator[tuple[type, Callable[..., Any]]]:
    if settings.new_device:
        yield events.Login, flow.met
    if settings.after_failures is not None:
        yield events.Failed, flow.failed
        yield events.Login, flow.succeeded
    if settings.password:
        yield events.PasswordChanged, flow.password
        yield events.PasswordReset, flow.password
        yield events.PasswordSet, flow.password_set
    if settings.email:
        yield events.EmailChanged, flow.email
    if settings.factor:
        yield events.PhoneChanged, flow.phone
        yield events.UsernameChanged, flow.username
