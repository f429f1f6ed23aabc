"""The room's settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind

LEAST_LENGTH = 8  # code points, NIST SP 800-63B-4 3.1.1.2
MOST_LENGTH = 256  # code points, counted before normalising
MAX_FAILURES = 100  # consecutive; then the method rests until it is bound again, NIST SP 800-63B-4 3.2.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSettings:
    """Validated at start."""

    enabled: bool
    require_code: bool
    min_length: int
    require_number: bool
    code_length: int
    code_ttl: timedelta
    min_send_interval: timedelta
    max_attempts: int

    def __post_init__(self) -> None:
        for name in ("enabled", "require_code", "require_number"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Password({name}=…) is True or False.")
        _number("min_length", self.min_length, LEAST_LENGTH, 128)
        _number("code_length", self.code_length, 6, 12)
        _number("max_attempts", self.max_attempts, 1, 10)
        if not _within(self.code_ttl, timedelta(minutes=1), timedelta(hours=1)):
            raise ConfigurationError("Password(code_ttl=…) lies between timedelta(minutes=1) and timedelta(hours=1).")
        if not _within(self.min_send_interval, timedelta(seconds=1), self.code_ttl):
            raise ConfigurationError("Password(min_send_interval=…) lies between timedelta(seconds=1) and code_ttl.")

    @property
    def sign_up(self) -> ChallengeKind:
        """Answer the kind of the code that proves an address at sign-up."""
        return ChallengeKind(
            purpose="sign_up",
            mail="sign_up",
            length=self.code_length,
            ttl=self.code_ttl,
            min_send_interval=self.min_send_interval,
            max_attempts=self.max_attempts,
        )


def _number(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"Password({name}={value!r}) is a whole number between {least} and {most}.")


def _within(value: object, least: timedelta, most: timedelta) -> bool:
    return isinstance(value, timedelta) and least <= value <= most
