"""The cookies that authcore sets and reads (rules R1, R6, R7)."""

from __future__ import annotations

import re
from typing import Literal

from authcore.context import AppSettings
from authcore.errors import AmbiguousCredentials
from authcore.http import Cookie, Request

Name = Literal["session", "refresh", "challenge", "device"]
_VALUE = re.compile(r"[A-Za-z0-9._~-]{1,4096}\Z")


def cookie_name(app: AppSettings, name: Name) -> str:
    """Answer the full name: `__Host-` pins a cookie to one host and path, `__Secure-` to https (RFC 6265bis 4.1.3)."""
    prefix = "" if not app.secure else "__Secure-" if app.cookie_domain else "__Host-"
    return f"{prefix}{app.cookie_name}_{name}"


def make(app: AppSettings, name: Name, value: str, max_age: int | None) -> Cookie:
    """Answer a cookie to set."""
    full = cookie_name(app, name)
    return Cookie(full, value, max_age, domain=app.cookie_domain, secure=app.secure)


def clear(app: AppSettings, name: Name) -> Cookie:
    """Answer the cookie that clears another, with the very attributes it was set with."""
    return make(app, name, "", 0)


def read(app: AppSettings, request: Request | None, name: Name) -> str | None:
    """Answer a cookie's value or None; raise AmbiguousCredentials if servers could read it differently."""
    header = request.headers.get("cookie") if request else None
    full = cookie_name(app, name)
    if not header or full not in header:
        return None
    if "," in header:
        # R1: some servers join repeated Cookie lines by a comma, which then hides one cookie inside another.
        raise AmbiguousCredentials()
    return _only(_values(header, full))


def carried(app: AppSettings, request: Request) -> bool:
    """Tell whether the request carries any cookie of authcore's."""
    header = request.headers.get("cookie", "")
    return f"{app.cookie_name}_" in header and any(
        cookie_name(app, name) in header for name in ("session", "refresh", "challenge", "device")
    )


def _values(header: str, full: str) -> list[str]:
    pairs = (part.strip(" \t").partition("=") for part in header.split(";"))
    return [value.strip(" \t") for name, equals, value in pairs if equals and name.rstrip(" \t") == full]


def _only(values: list[str]) -> str | None:
    if not values:
        return None
    # R6: two cookies of one name are refused, never "first wins"; an injected one must not shadow ours.
    if len(values) > 1 or not (values[0] == "" or _VALUE.match(values[0])):
        raise AmbiguousCredentials()
    return values[0] or None
