"""The room's settings."""

from __future__ import annotations

from datetime import timedelta

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind
from authcore.services.guard import Grace
from authcore.values import Value


class EmailVerificationSettings(Value, frozen=True, kw_only=True):
    """Validated at start."""

    kind: ChallengeKind
    send_at_sign_up: bool
    link_needs_session: bool

    def __post_init__(self) -> None:
        for name in ("send_at_sign_up", "link_needs_session"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"EmailVerification({name}=…) is True or False.")
        if self.kind.link_ttl is None:
            raise ConfigurationError(
                "EmailVerification(link_ttl=None): its mails carry a link, so write a time such as timedelta(hours=24)."
            )


def grace_of(given: object) -> tuple[Grace, ...]:
    """Answer the setting `grace` as the guard reads it; raise ConfigurationError."""
    if given is None:
        return ()
    if not isinstance(given, timedelta) or not timedelta() < given <= timedelta(days=365):
        raise ConfigurationError(
            "EmailVerification(grace=…) is a timedelta above nothing and of at most 365 days, such as "
            "timedelta(days=7); None grants nothing."
        )
    return (Grace(given),)
