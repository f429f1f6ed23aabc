"""The room's settings."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from authcore.errors import ConfigurationError
from authcore.services.accounts import EMAIL_PASSWORD, PHONE
from authcore.services.challenges import ChallengeKind
from authcore.services.sign_in import Proof
from authcore.values import Value

USERS = "users"
"""The broker of the room's own routes."""
PURPOSE, SMS_PURPOSE = "password_reset", "password_reset_sms"
UserProvider = Callable[[str], str | Awaitable[str | None] | None]
"""Answer the id of the user whom a canonical address belongs to, or None; sync or async."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_PAGE = re.compile(r"/[A-Za-z0-9._~/-]{1,200}\Z")


class Broker(Value, frozen=True, kw_only=True):
    """A second way to reset passwords, for server code: with its own tokens, users, lifetime and mail (S75).

    `user_provider` names the user of an address, by default whoever signs in with it. `template` replaces the files of
    the mail. `page` is the application's page that the link leads to, unless `Auth(build_link=…)` decides.
    """

    ttl: timedelta = timedelta(hours=1)
    template: str | None = None
    user_provider: UserProvider | None = None
    max_requests: int | None = None
    min_send_interval: timedelta = timedelta(seconds=60)
    page: str = "/password/reset"


class BrokerSettings(Value, frozen=True):
    """A broker as flows use it: what it sends, to whom, and how often.

    `provider` is what its accounts are known by: an address, or a phone.
    """

    name: str
    kind: ChallengeKind
    provider: str = EMAIL_PASSWORD
    template: str | None = None
    user_provider: UserProvider | None = None
    max_requests: int | None = None
    page: str | None = None  # None is authcore's own

    @property
    def proves(self) -> Proof:
        """Answer what a reset shows. The password was set, not shown: a sign-in by it still is to come."""
        return Proof(("sms",)) if self.provider == PHONE else Proof(("email",))


class PasswordResetSettings(Value, frozen=True):
    """Validated at start."""

    sign_in_after: bool
    brokers: Mapping[str, BrokerSettings]
    phones: BrokerSettings | None = None  # for who asks by a number, where that is offered

    @property
    def users(self) -> BrokerSettings:
        """Answer the broker of the routes."""
        return self.brokers[USERS]

    def broker(self, name: str) -> BrokerSettings:
        """Answer a broker; raise ConfigurationError for a name that there is none of."""
        if name not in self.brokers:
            known = ", ".join(map(repr, self.brokers))
            raise ConfigurationError(
                f"PasswordReset has no broker {name!r}, but {known}: see PasswordReset(brokers=…)."
            )
        return self.brokers[name]


def most_requests(owner: str, given: object) -> int | None:
    """Answer how many mails an hour one mailbox gets; raise ConfigurationError naming whose setting it is."""
    if given is None:
        return None
    if type(given) is not int or not 1 <= given <= 100:
        raise ConfigurationError(f"{owner}={given!r}) is a whole number between 1 and 100, or left out.")
    return given


def brokers_of(users: BrokerSettings, given: Any) -> Mapping[str, BrokerSettings]:
    """Answer every broker by name, validated; raise ConfigurationError saying what to write."""
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(
            "PasswordReset(brokers=…) is a dict such as {'staff': Broker(ttl=timedelta(hours=1))}."
        )
    return {USERS: users, **{name: _named(name, broker) for name, broker in (given or {}).items()}}


def _named(name: Any, broker: Any) -> BrokerSettings:
    if not isinstance(name, str) or not _NAME.match(name) or name == USERS:
        raise ConfigurationError(
            f"PasswordReset(brokers=…) names {name!r}: use at most 32 lower-case letters, digits and '_', "
            f"a letter first, and not {USERS!r}, whose settings are the room's own."
        )
    if not isinstance(broker, Broker):
        raise ConfigurationError(f"PasswordReset(brokers={{{name!r}: …}}) holds Broker(ttl=…, template=…) values.")
    _check(broker, f"Broker({name!r}): ")
    kind = ChallengeKind(
        purpose=f"{PURPOSE}:{name}",
        mail=PURPOSE,
        length=12,  # nobody is told it: a broker's mail carries the link alone
        ttl=broker.ttl,
        min_send_interval=broker.min_send_interval,
        link_ttl=broker.ttl,
    )
    most = most_requests(f"Broker({name!r}: max_requests", broker.max_requests)
    return BrokerSettings(
        name,
        kind,
        template=broker.template,
        user_provider=broker.user_provider,
        max_requests=most,
        page=broker.page,
    )


def _check(broker: Any, owner: str) -> None:
    ttl, interval = broker.ttl, broker.min_send_interval
    if not isinstance(ttl, timedelta) or not timedelta(minutes=5) <= ttl <= timedelta(days=7):
        raise ConfigurationError(f"{owner}ttl lies between timedelta(minutes=5) and timedelta(days=7).")
    if not isinstance(interval, timedelta) or not timedelta(seconds=1) <= interval <= ttl:
        raise ConfigurationError(f"{owner}min_send_interval lies between timedelta(seconds=1) and ttl.")
    if broker.template is not None and (not isinstance(broker.template, str) or not broker.template):
        raise ConfigurationError(f"{owner}template is the stem of the files of a mail, such as 'staff-reset'.")
    if broker.user_provider is not None and not callable(broker.user_provider):
        raise ConfigurationError(f"{owner}user_provider is a function of an address that answers a user's id or None.")
    if not isinstance(broker.page, str) or not _PAGE.match(broker.page) or broker.page.startswith("//"):
        raise ConfigurationError(f"{owner}page is a path of the site, such as '/staff/reset'.")
