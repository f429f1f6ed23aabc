"""The room's settings."""

from __future__ import annotations

from authcore.services.passwordless import Way
from authcore.values import Value

KIND = "magic_link"


class MagicLinkSettings(Value, frozen=True):
    """The way in, and whether a link opens only in the browser that asked for it."""

    way: Way
    same_browser: bool
