"""Forgotten passwords: replaced by a mailed link or a typed code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from authcore.errors import ConfigurationError
from authcore.feature import Feature, MailTemplate, SmsTemplate, mails_from
from authcore.features.password_reset.calls import PasswordResetCalls
from authcore.features.password_reset.flow import ResetDone, ResetSent
from authcore.features.password_reset.routes import routes
from authcore.features.password_reset.schemas import PasswordResetStatus
from authcore.features.password_reset.settings import (
    PURPOSE,
    SMS_PURPOSE,
    USERS,
    Broker,
    BrokerSettings,
    PasswordResetSettings,
    brokers_of,
    most_requests,
)
from authcore.route import Route
from authcore.services import phones
from authcore.services.accounts import PHONE
from authcore.services.buckets import BUCKETS
from authcore.services.challenges import code_kind

__all__ = ["Broker", "PasswordReset", "PasswordResetStatus", "ResetDone", "ResetSent"]

_TEMPLATES = Path(__file__).parent / "templates"


class PasswordReset(Feature):
    """Let people who forgot their password choose another, by a link or a code in one mail.

    `phone=True` lets them ask for a code by text message too, to a number that the account has.
    `sign_in_after=False` ends a reset with `{"status": "reset"}` instead of a session. `max_requests_per_email` is how
    many mails an hour one mailbox gets. `brokers` are more ways to reset, for server code, by name.
    """

    name = "password_reset"
    requires = ("password",)
    calls = PasswordResetCalls
    routes: ClassVar[tuple[Route, ...]] = routes()
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate(
            PURPOSE,
            "auth-password-reset",
            _TEMPLATES,
            family="recovery",
            carries=("code", "link", "name"),
            sample={"code_minutes": 10},
        ),
    )

    def __init__(
        self,
        *,
        link_ttl: timedelta = timedelta(hours=1),
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        max_requests_per_email: int | None = None,
        phone: bool = False,
        sign_in_after: bool = True,
        brokers: Mapping[str, Broker] | None = None,
        mail_from: str | None = None,
    ) -> None:
        for name, value in (("sign_in_after", sign_in_after), ("phone", phone)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"PasswordReset({name}=…) is True or False.")
        kind = partial(
            code_kind,
            "PasswordReset",
            code_length=code_length,
            code_ttl=code_ttl,
            min_send_interval=min_send_interval,
            max_attempts=max_attempts,
        )
        mailed = kind(purpose=PURPOSE, mail=PURPOSE, link_ttl=link_ttl)
        texted = kind(purpose=SMS_PURPOSE, mail=SMS_PURPOSE, kind="sms_code")
        most = most_requests("PasswordReset(max_requests_per_email", max_requests_per_email)
        self.settings = PasswordResetSettings(
            sign_in_after,
            brokers_of(BrokerSettings(USERS, mailed, max_requests=most), brokers),
            BrokerSettings(USERS, texted, PHONE) if phone else None,
        )
        self.routes = routes(sign_in_after=sign_in_after, phone=phone)  # type: ignore[misc]
        if phone:
            phones.demand("PasswordReset(phone=True)")
            self.sms = (SmsTemplate(SMS_PURPOSE, "auth-password-reset", _TEMPLATES, family="recovery"),)  # type: ignore[misc]
        self.mails = mails_from("PasswordReset", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        usual = BUCKETS["reset.account"].allowance
        found = [
            f"PasswordReset: the broker {broker.name!r} lets strangers cause {broker.max_requests} mails an hour to "
            f"one mailbox, instead of {usual}."
            for broker in self.settings.brokers.values()
            if (broker.max_requests or 0) > usual
        ]
        if self.settings.phones is not None:
            found.append(
                "PasswordReset(phone=True): whoever takes over a number, by its contract or its network, resets by it."
            )
        return found
