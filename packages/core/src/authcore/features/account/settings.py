"""The room's settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from authcore.errors import ConfigurationError
from authcore.services.challenges import ChallengeKind
from authcore.values import Value

DAY = timedelta(days=1)
INVITATION_CODE = DAY
"""How long the code of an invitation opens; its link opens for `invitation_ttl`."""
CANCEL = "deletion_cancel"
LONG_CODE = 8  # digits, of codes that live for days


class AccountSettings(Value, frozen=True, kw_only=True):
    """Validated at start."""

    email: ChallengeKind
    phone: ChallengeKind
    invitation: ChallengeKind
    deletion: ChallengeKind
    cancel: ChallengeKind | None  # None deletes at once
    max_emails: int
    settling: timedelta
    texts: bool
    invitations: Literal["server", "members"]
    grace: timedelta
    confirm_deletion: bool

    def __post_init__(self) -> None:
        if type(self.max_emails) is not int or not 2 <= self.max_emails <= 10:
            raise ConfigurationError(f"Account(max_emails={self.max_emails!r}) is a whole number between 2 and 10.")
        _within("settling", self.settling, timedelta(), 30 * DAY)
        if self.invitations not in ("server", "members"):
            raise ConfigurationError(f"Account(invitations={self.invitations!r}) is 'server' or 'members'.")
        if not isinstance(self.confirm_deletion, bool):
            raise ConfigurationError("Account(confirm_deletion=…) is True or False.")


def flag(name: str, given: Any) -> bool:
    """Answer a setting that is True or False; raise ConfigurationError."""
    if not isinstance(given, bool):
        raise ConfigurationError(f"Account({name}=…) is True or False.")
    return given


def invitation_kind(ttl: Any) -> ChallengeKind:
    """Answer the kind of an invitation, whose link opens for `ttl`; raise ConfigurationError."""
    _within("invitation_ttl", ttl, timedelta(hours=1), 30 * DAY)
    return ChallengeKind(
        purpose="invitation", mail="invitation", length=LONG_CODE, ttl=min(INVITATION_CODE, ttl), link_ttl=ttl
    )


def cancel_kind(grace: Any) -> ChallengeKind | None:
    """Answer the kind by which a deletion is cancelled as long as `grace`; None if there is none."""
    _within("deletion_grace", grace, timedelta(), 90 * DAY)
    if not grace:
        return None
    return ChallengeKind(purpose=CANCEL, mail="deletion_scheduled", length=LONG_CODE, ttl=grace, link_ttl=grace)


def _within(name: str, given: Any, least: timedelta, most: timedelta) -> None:
    if not isinstance(given, timedelta) or not least <= given <= most:
        raise ConfigurationError(f"Account({name}=…) lies between {_told(least)} and {_told(most)}.")


def _told(time: timedelta) -> str:
    return f"timedelta(days={time.days})" if not time.seconds else f"timedelta(hours={time.seconds // 3600})"
