"""How long sessions live, and how many of a user's at a time: what `Sessions(…)` says, checked and put into dates.

`expires_at` of a session is when it ends if it is not used again: `ttl`, `refresh_ttl` and `idle_timeout` from its last
use, as far as that is noted, and never behind `ends_at`. So the one comparison that guards, listings and rotations make
knows all of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from authcore.errors import ConfigurationError
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.services.sessions import SessionSettings

GRACE = timedelta(seconds=10)
LONGEST_GRACE = timedelta(minutes=5)
LONGEST_INTERVAL = timedelta(days=1)
"""What noting asks the ledger, so that no credential is believed for longer than rows of revocations stay."""
SHORTEST_INTERVAL = timedelta(seconds=1)

Via = Literal["cookie", "bearer"]


class Limit(Value, frozen=True):
    """How many sessions a user may have at a time, and whether the oldest make room for one more."""

    most: int
    evicts: bool


# --- what is refused ---


def check(settings: SessionSettings) -> None:
    """Raise ConfigurationError for a setting that cannot be, with what to write instead."""
    for name in ("access_ttl", "refresh_ttl", "ttl", "absolute_ttl", "fresh", "touch_interval"):
        _positive(name, getattr(settings, name))
    if not isinstance(settings.sliding, bool):
        raise ConfigurationError("Sessions(sliding=…) is True or False.")
    if not SHORTEST_INTERVAL <= settings.touch_interval <= LONGEST_INTERVAL:
        raise ConfigurationError("Sessions(touch_interval=…) lies between timedelta(seconds=1) and timedelta(days=1).")
    if settings.access_ttl > settings.refresh_ttl:
        raise ConfigurationError("Sessions(access_ttl=…) cannot be longer than refresh_ttl.")
    if settings.absolute_ttl < max(settings.refresh_ttl, settings.ttl):
        raise ConfigurationError("Sessions(absolute_ttl=…) cannot be shorter than refresh_ttl or ttl.")
    _check_idle(settings)
    _check_rotation(settings)
    _check_limit(settings)


def _positive(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta():
        raise ConfigurationError(f"Sessions({name}=…) is a positive timedelta, such as timedelta(minutes=15).")


def _check_idle(settings: SessionSettings) -> None:
    if settings.idle_timeout is None:
        return
    _positive("idle_timeout", settings.idle_timeout)
    if settings.idle_timeout < settings.touch_interval:
        raise ConfigurationError(
            "Sessions(idle_timeout=…) cannot be shorter than touch_interval: use is noted so seldom that a session in "
            "use would count as idle."
        )


def _check_rotation(settings: SessionSettings) -> None:
    if settings.rotation not in ("sliding", "always", "none"):
        raise ConfigurationError("Sessions(rotation=…) is one of 'sliding', 'always' and 'none'.")
    if settings.on_reuse not in ("family", "user"):
        raise ConfigurationError("Sessions(on_reuse=…) is 'family' or 'user'.")
    if settings.on_rotation_reuse is not None and not callable(settings.on_rotation_reuse):
        raise ConfigurationError("Sessions(on_rotation_reuse=…) is a function of the event, or None.")
    grace: object = settings.grace
    if not isinstance(grace, timedelta) or not timedelta() <= grace <= LONGEST_GRACE:
        raise ConfigurationError("Sessions(grace=…) lies between timedelta(0) (strict) and timedelta(minutes=5).")
    if settings.rotation != "sliding" and grace != GRACE:
        raise ConfigurationError("Sessions(grace=…) belongs to rotation='sliding': leave it out beside another one.")


def _check_limit(settings: SessionSettings) -> None:
    most: object = settings.max_sessions
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise ConfigurationError("Sessions(max_sessions=…) is a whole number from 1 on, or None for no limit.")
    if settings.on_limit not in ("reject", "evict_oldest"):
        raise ConfigurationError("Sessions(on_limit=…) is 'reject' or 'evict_oldest'.")
    if most is None and settings.on_limit != "reject":
        raise ConfigurationError("Sessions(on_limit=…) says what happens at a limit: write max_sessions beside it.")


# --- what follows ---


def limit(settings: SessionSettings) -> Limit | None:
    """Answer how many sessions a user may have, None where that is nobody's business."""
    if settings.max_sessions is None:
        return None
    return Limit(settings.max_sessions, settings.on_limit == "evict_oldest")


def pairs(settings: SessionSettings, via: Via) -> bool:
    """Tell whether sessions of a transport have a refresh token."""
    return via == "bearer" or settings.cookie_refresh


def forgives(settings: SessionSettings) -> timedelta:
    """Answer how long a replaced refresh token is answered again, and the access token before it opens routes."""
    return timedelta() if settings.rotation == "always" else settings.grace


def noting(settings: SessionSettings) -> timedelta:
    """Answer how often use is noted: often enough that a session in use is never idle."""
    if settings.idle_timeout is None:
        return settings.touch_interval
    return min(settings.touch_interval, settings.idle_timeout / 2)


def absolute_end(settings: SessionSettings, via: Via, created_at: datetime) -> datetime:
    """Answer when a session is over, however much it is used."""
    return created_at + (settings.absolute_ttl if settings.sliding else _span(settings, via))


def unused_end(settings: SessionSettings, via: Via, now: datetime, ends_at: datetime) -> datetime:
    """Answer when a session ends that is made, refreshed or, without a refresh token, used now for the last time."""
    span = _span(settings, via)
    if settings.idle_timeout is not None:
        span = min(span, settings.idle_timeout)
    return min(now + span, ends_at)


def slid_end(settings: SessionSettings, via: Via, created_at: datetime, now: datetime) -> datetime | None:
    """Answer when a session ends that is used now for the last time, None where its use moves nothing."""
    ends_at = absolute_end(settings, via, created_at)
    if not pairs(settings, via):
        return unused_end(settings, via, now, ends_at)
    idle = settings.idle_timeout
    # What has a refresh token goes on by that one alone; use keeps it from being idle.
    return min(now + idle, ends_at) if idle is not None and idle < settings.refresh_ttl else None


def _span(settings: SessionSettings, via: Via) -> timedelta:
    return settings.refresh_ttl if pairs(settings, via) else settings.ttl
