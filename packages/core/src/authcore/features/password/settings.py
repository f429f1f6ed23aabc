"""The room's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind, code_kind
from authcore.services.passwords import MAX_FAILURES
from authcore.values import Value


class Lockout(Value, frozen=True):
    """Refuse an account from an address for `decay`, once `max_attempts` tries in a row failed within it (S115).

    It counts the account together with the client's address: counted alone, a stranger could lock its owner out.
    """

    max_attempts: int = 5
    decay: timedelta = timedelta(minutes=60)

    def check(self) -> None:
        """Raise ConfigurationError for values that are none."""
        most, decay = (getattr(self, name) for name in ("max_attempts", "decay"))
        if type(most) is not int or not 1 <= most <= MAX_FAILURES:
            raise ConfigurationError(f"Lockout(max_attempts={most!r}) is a whole number between 1 and {MAX_FAILURES}.")
        if not isinstance(decay, timedelta) or not timedelta(seconds=1) <= decay <= timedelta(days=1):
            raise ConfigurationError("Lockout(decay=…) lies between timedelta(seconds=1) and timedelta(days=1).")


class ChangeCode(Value, frozen=True):
    """Let another password take effect once a mailed code was typed: what the code is like (S70)."""

    code_length: int = 6  # digits
    code_ttl: timedelta = timedelta(minutes=10)
    min_send_interval: timedelta = timedelta(seconds=60)
    max_attempts: int = 5

    def kind(self) -> ChallengeKind:
        """Answer the kind of challenge that this asks for; raise ConfigurationError."""
        return code_kind(
            "ChangeCode",
            purpose="password_change",
            mail="password_change",
            code_length=self.code_length,
            code_ttl=self.code_ttl,
            min_send_interval=self.min_send_interval,
            max_attempts=self.max_attempts,
        )


def change_kind(given: object) -> ChallengeKind | None:
    """Answer the kind of challenge of `Password(change_code=…)`, None for none; raise ConfigurationError."""
    if isinstance(given, ChangeCode):
        return given.kind()
    if not isinstance(given, bool):
        raise ConfigurationError("Password(change_code=…) is True, False or a ChangeCode(code_ttl=…).")
    return ChangeCode().kind() if given else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSettings:
    """Validated at start."""

    require_code: bool
    sign_up: ChallengeKind
    require_current: bool = True
    change: ChallengeKind | None = None  # None mails no code
    lockout: Lockout | None = None
    decoys: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What an application's process knows of the cost of stored digests, by tenant: see `decoys`."""

    def __post_init__(self) -> None:
        for name, value in (("require_code", self.require_code), ("require_current_password", self.require_current)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"Password({name}=…) is True or False.")
        if self.lockout is not None and not isinstance(self.lockout, Lockout):
            raise ConfigurationError("Password(lockout=…) is a Lockout(max_attempts=5, decay=…), or left out.")
        if self.lockout is not None:
            self.lockout.check()
