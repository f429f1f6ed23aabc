"""The room's settings."""

from __future__ import annotations

from datetime import timedelta

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind
from authcore.values import Value

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=365)


class EmailCodeSettings(Value, frozen=True, kw_only=True):
    """Whether a code is asked, of what kind, and whether a browser may be spared it."""

    code: ChallengeKind
    required: bool
    remember: bool
    remember_ttl: timedelta

    def __post_init__(self) -> None:
        for name in ("required", "remember"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"EmailCode({name}=…) is True or False.")
        if not _is_between(self.remember_ttl):
            raise ConfigurationError(
                "EmailCode(remember_ttl=…) lies between timedelta(hours=1) and timedelta(days=365)."
            )


def _is_between(given: object) -> bool:
    return isinstance(given, timedelta) and SHORTEST <= given <= LONGEST
