"""The cookies that authcore sets and reads (rules R1, R6, R7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from authcore.context import AppSettings
from authcore.errors import AmbiguousCredentials, ConfigurationError
from authcore.http import Cookie, Request

Name = Literal["session", "refresh", "challenge", "device", "bag"]
NAMES: tuple[Name, ...] = ("session", "refresh", "challenge", "device", "bag")
LONGEST = 3_800  # bytes of a value in one cookie
LINE = 4_096  # bytes that a browser keeps of a cookie with its attributes (RFC 6265 6.1); a part stays below
MOST_PARTS = 8
_VALUE = re.compile(r"[A-Za-z0-9._~-]{1,4096}\Z")
_PART = re.compile(r"[1-9][0-9]?\Z")


def cookie_name(app: AppSettings, name: Name) -> str:
    """Answer the full name: `__Host-` pins a cookie to one host and path, `__Secure-` to https (RFC 6265bis 4.1.3)."""
    prefix = "" if not app.secure else "__Secure-" if app.cookie_domain else "__Host-"
    return f"{prefix}{app.cookie_name}_{name}"


def make(app: AppSettings, name: Name, value: str, max_age: int | None) -> Cookie:
    """Answer a cookie to set."""
    full = cookie_name(app, name)
    return Cookie(full, value, max_age, domain=app.cookie_domain, secure=app.secure)


def make_split(app: AppSettings, name: Name, value: str, max_age: int | None) -> tuple[Cookie, ...]:
    """Answer the cookies that hold a value together: one where it fits, else `name`, `name.1`, `name.2` ….

    Raises ConfigurationError for a value that 8 cookies cannot hold.
    """
    longest_name = make(app, name, "", max_age)
    around = len(replace(longest_name, name=f"{longest_name.name}.{MOST_PARTS - 1}").header())
    room = min(LONGEST, LINE - 1 - around)
    parts = [value[at : at + room] for at in range(0, len(value), room)] or [""]
    if len(parts) > MOST_PARTS:
        raise ConfigurationError("A session does not fit into cookies: keep less in its claims and its user's fields.")
    return tuple(
        replace(longest_name, name=_part(longest_name.name, number), value=part) for number, part in enumerate(parts)
    )


def _part(full: str, number: int) -> str:
    return f"{full}.{number}" if number else full


def clear(app: AppSettings, name: Name) -> Cookie:
    """Answer the cookie that clears another, with the very attributes it was set with."""
    return make(app, name, "", 0)


def clear_carried(app: AppSettings, request: Request | None, name: Name) -> tuple[Cookie, ...]:
    """Answer what clears a cookie with every part of it that the request carries; nothing if it carries none."""
    header = request.headers.get("cookie", "") if request else ""
    gone = clear(app, name)
    if gone.name not in header:
        return ()
    carried = dict.fromkeys(found for found, _ in _pairs(header) if _number(found, gone.name) not in (None, 0))
    return (gone, *(replace(gone, name=part) for part in carried))


def read(app: AppSettings, request: Request | None, name: Name) -> str | None:
    """Answer a cookie's value or None; raise AmbiguousCredentials if servers could read it differently."""
    header = request.headers.get("cookie") if request else None
    full = cookie_name(app, name)
    if not header or full not in header:
        return None
    if "," in header:
        # R1: some servers join repeated Cookie lines by a comma, which then hides one cookie inside another.
        raise AmbiguousCredentials()
    return _joined(header, full)


def carried(app: AppSettings, request: Request) -> bool:
    """Tell whether the request carries any cookie of authcore's."""
    header = request.headers.get("cookie", "")
    return f"{app.cookie_name}_" in header and any(cookie_name(app, name) in header for name in NAMES)


def _pairs(header: str) -> Iterator[tuple[str, str]]:
    for part in header.split(";"):
        name, equals, value = part.strip(" \t").partition("=")
        if equals:
            yield name.rstrip(" \t"), value.strip(" \t")


def _number(name: str, full: str) -> int | None:
    """Answer which part of a value a cookie holds, None if it is another cookie."""
    if name == full:
        return 0
    if not name.startswith(f"{full}."):
        return None
    text = name[len(full) + 1 :]
    return int(text) if _PART.match(text) else None


def _joined(header: str, full: str) -> str | None:
    parts: dict[int, list[str]] = {}
    for name, value in _pairs(header):
        number = _number(name, full)
        if number is not None:
            parts.setdefault(number, []).append(value)
    # R6: whatever browsers make of a value in parts, it is read in one way, or not at all.
    if parts and max(parts) >= MOST_PARTS:
        raise AmbiguousCredentials()
    texts = {number: _only(values) for number, values in parts.items()}
    whole = [texts.get(number) for number in range(len(texts))]
    return "".join(text or "" for text in whole) or None if all(whole) else None


def _only(values: list[str]) -> str | None:
    if not values:
        return None
    # R6: two cookies of one name are refused, never "first wins"; an injected one must not shadow ours.
    if len(values) > 1 or not (values[0] == "" or _VALUE.match(values[0])):
        raise AmbiguousCredentials()
    return values[0] or None
