"""Durations as people write them in settings."""

from __future__ import annotations

import re
from datetime import timedelta

from authcore.errors import ConfigurationError

_FORM = re.compile(r"(\d{1,6})(s|m|h|d)\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: object) -> timedelta:
    """Answer a duration given as `timedelta` or as text such as "30s", "5m", "12h" or "7d"; raise
    ConfigurationError.
    """
    if isinstance(value, timedelta):
        return value
    match = _FORM.match(value) if isinstance(value, str) else None
    if match is None:
        raise ConfigurationError(f"{value!r} is no duration: write a number and s, m, h or d, such as '5m'.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
