"""The room's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind
from authcore.values import Value

MAX_FAILURES = 100  # consecutive; then the method rests until it is bound again, NIST SP 800-63B-4 3.2.2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSettings:
    """Validated at start."""

    require_code: bool
    sign_up: ChallengeKind
    lockout: Lockout | None = None
    decoys: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What an application's process knows of the cost of stored digests, by tenant: see `decoys`."""

    def __post_init__(self) -> None:
        if not isinstance(self.require_code, bool):
            raise ConfigurationError("Password(require_code=…) is True or False.")
        if self.lockout is not None and not isinstance(self.lockout, Lockout):
            raise ConfigurationError("Password(lockout=…) is a Lockout(max_attempts=5, decay=…), or left out.")
        if self.lockout is not None:
            self.lockout.check()
