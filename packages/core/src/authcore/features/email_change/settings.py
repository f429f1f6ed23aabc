"""The room's settings."""

from __future__ import annotations

from datetime import timedelta

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind
from authcore.values import Value


class EmailChangeSettings(Value, frozen=True, kw_only=True):
    """Validated at start: the mail to the new address, and the one by which the old address takes the change back."""

    change: ChallengeKind
    undo: ChallengeKind

    def __post_init__(self) -> None:
        if self.change.link_ttl is None:
            raise ConfigurationError(
                "EmailChange(link_ttl=None): its mails carry a link, so write a time such as timedelta(hours=1)."
            )


def undo_kind(ttl: object) -> ChallengeKind:
    """Answer the kind of the link that undoes a change; raise ConfigurationError."""
    if not isinstance(ttl, timedelta) or not timedelta(days=1) <= ttl <= timedelta(days=30):
        raise ConfigurationError("EmailChange(undo_ttl=…) lies between timedelta(days=1) and timedelta(days=30).")
    return ChallengeKind(purpose="email_change_undo", mail="email_changed", link_ttl=ttl)
