"""The room's settings."""

from __future__ import annotations

from authcore.errors import ConfigurationError
from authcore.values import Value


class NoticeSettings(Value, frozen=True, kw_only=True):
    """Of what an account's owner is told; `after_failures` is None or the failures that a sign-in must follow."""

    new_device: bool
    password: bool
    email: bool
    factor: bool
    after_failures: int | None

    def __post_init__(self) -> None:
        for name in ("new_device", "password", "email", "factor"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Notices({name}=…) is True or False.")
        if self.after_failures is not None and not _is_count(self.after_failures):
            raise ConfigurationError("Notices(after_failures=…) is None or a whole number between 1 and 100.")


def _is_count(given: object) -> bool:
    return type(given) is int and 1 <= given <= 100
