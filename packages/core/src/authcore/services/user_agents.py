"""What a `User-Agent` (RFC 9110 10.1.5) says, by a name that people read: "Firefox on Windows", "curl 8".

It is a client's own word: good for a list of one's own sessions, and no proof of anything.
"""

from __future__ import annotations

import re

LONGEST = 400  # characters that are read
MAX_NAME = 60  # characters of a name
# In this order: each of them also claims to be those below it.
_BROWSERS = {
    "Edg/": "Edge",
    "EdgA/": "Edge",
    "EdgiOS/": "Edge",
    "OPR/": "Opera",
    "OPT/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Vivaldi/": "Vivaldi",
    "YaBrowser/": "Yandex Browser",
    "DuckDuckGo/": "DuckDuckGo",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "HeadlessChrome/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._+-]{0,39})(?:/([0-9]{1,6}))?")


def readable(user_agent: str | None) -> str | None:
    """Answer a printable name of at most 60 characters, or None for what names nothing."""
    text = (user_agent or "")[:LONGEST]
    browser = _found(_BROWSERS, text) if text.startswith(("Mozilla/", "Opera/")) else None
    if browser is None:
        return _product(text)
    system = _found(_SYSTEMS, text)
    return f"{browser} on {system}" if system else browser


def _found(names: dict[str, str], text: str) -> str | None:
    return next((name for mark, name in names.items() if mark in text), None)


def _product(text: str) -> str | None:
    """Answer the first product and its major version: the name of an app or a library."""
    match = _PRODUCT.match(text)
    if match is None or match[1] == "Mozilla":
        return _found(_SYSTEMS, text)
    return f"{match[1]} {match[2]}" if match[2] else match[1]
