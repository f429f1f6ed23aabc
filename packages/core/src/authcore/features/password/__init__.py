"""Sign-up and sign-in by e-mail address and password."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from authcore.feature import Feature, MailTemplate, Reauthentication, Retention, SignInStep, mails_from
from authcore.features.password import flow, store
from authcore.features.password.calls import PasswordCalls
from authcore.features.password.renewing import NewPassword
from authcore.features.password.routes import DISABLED, ROUTES
from authcore.features.password.settings import ChangeCode, Lockout, PasswordSettings, change_kind
from authcore.route import Route
from authcore.services import breaches
from authcore.services.breaches import Breaches, BreachFiles, BreachService
from authcore.services.challenges import code_kind
from authcore.services.password_policy import PasswordPolicy
from authcore.services.passwords import attempts, history, passwords

__all__ = ["BreachFiles", "BreachService", "ChangeCode", "Lockout", "Password"]

_TEMPLATES = Path(__file__).parent / "templates"


class Password(Feature):
    """Let people sign up and sign in with an e-mail address and a password.

    `enabled=False` answers every one of its routes with 403 `password_disabled`. `require_code=False` makes a
    session at sign-up, before the address is proven. Code settings are those of the sign-up mail. `min_length` is in
    code points; `breached` is a BreachService(), the path of a downloaded list, or an object of one's own.
    `history` is how many passwords before the present one are refused, from `min_age` to `max_age` one may be kept.
    `change_code`, True or a ChangeCode, lets a change wait for a mailed code.
    """

    name = "password"
    calls = PasswordCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    tables = (passwords, attempts, history)
    steps: ClassVar[tuple[SignInStep, ...]] = (NewPassword(),)
    mails: ClassVar[tuple[MailTemplate, ...]] = (
        MailTemplate("sign_up", "auth-sign-up", _TEMPLATES, carries=("code",)),
        MailTemplate("sign_up_welcome", "auth-sign-up-welcome", _TEMPLATES),
        MailTemplate("sign_up_existing", "auth-sign-up-existing", _TEMPLATES),
        MailTemplate("password_change", "auth-password-update", _TEMPLATES, carries=("code",)),
        MailTemplate("unlock", "auth-unlock", _TEMPLATES, carries=("link",)),
    )
    retentions = (Retention("attempts", timedelta(days=30), store.clean_attempts),)
    reauthentications = (Reauthentication("password", flow.prove),)

    def __init__(
        self,
        *,
        enabled: bool = True,
        require_code: bool = True,
        min_length: int = 15,
        require_lowercase: bool = False,
        require_uppercase: bool = False,
        require_number: bool = False,
        require_symbol: bool = False,
        breached: Breaches | str | PathLike[str] | None = None,
        history: int = 0,
        min_age: timedelta | None = None,
        max_age: timedelta | None = None,
        require_current_password: bool = True,
        change_code: bool | ChangeCode = False,
        code_length: int = 6,
        code_ttl: timedelta = timedelta(minutes=10),
        min_send_interval: timedelta = timedelta(seconds=60),
        max_attempts: int = 5,
        lockout: Lockout | None = None,
        mail_from: str | None = None,
    ) -> None:
        self.policy = PasswordPolicy(
            enabled=enabled,
            min_length=min_length,
            require_lowercase=require_lowercase,
            require_uppercase=require_uppercase,
            require_number=require_number,
            require_symbol=require_symbol,
            breached=breaches.source(breached),
            history=history,
            min_age=min_age,
            max_age=max_age,
        )
        self.shares = (self.policy,)
        self.settings = PasswordSettings(
            require_code=require_code,
            lockout=lockout,
            require_current=require_current_password,
            change=change_kind(change_code),
            sign_up=code_kind(
                "Password",
                purpose="sign_up",
                mail="sign_up",
                code_length=code_length,
                code_ttl=code_ttl,
                min_send_interval=min_send_interval,
                max_attempts=max_attempts,
            ),
        )
        if not enabled:
            self.routes = DISABLED  # type: ignore[misc]
        self.mails = mails_from("Password", type(self).mails, mail_from)  # type: ignore[misc]

    def findings(self, app: Any) -> Sequence[str]:
        """Name the settings that weaken something."""
        found = []
        if self.policy.min_length < 15:
            found.append(
                "Password(min_length=…) is below 15 while it may be the only factor (NIST SP 800-63B-4 3.1.1.2)."
            )
        if self.policy.max_age is not None:
            found.append(
                "Password(max_age=…) makes people choose weaker passwords; NIST SP 800-63B-4 3.1.1.2 asks for a change "
                "only where a password is known to others."
            )
        if not self.settings.require_code:
            found.append(
                "Password(require_code=False): sign-up answers 409 account_exists, so it tells who has an account."
            )
        return found
