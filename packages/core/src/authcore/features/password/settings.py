"""The room's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
    sign_up: ChallengeKind
    decoys: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What an application's process knows of the cost of stored digests, by tenant: see `decoys`."""

    def __post_init__(self) -> None:
        for name in ("enabled", "require_code", "require_number"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Password({name}=…) is True or False.")
        if type(self.min_length) is not int or not LEAST_LENGTH <= self.min_length <= 128:
            raise ConfigurationError(
                f"Password(min_length={self.min_length!r}) is a whole number between {LEAST_LENGTH} and 128."
            )
