"""Paths of the own site, which alone a browser is sent to (rule R8)."""

from __future__ import annotations

from urllib.parse import quote

from authcore.errors import ConfigurationError

LONGEST = 2000  # characters; more is no address that a person asked for
_NEVER = frozenset(' \\"<>#')


def is_own_path(text: object) -> bool:
    """Tell whether text is a path of the own site, with or without a query, as a browser reads it too."""
    # R8: browsers read "//evil" and "/\\evil" as another site's address, and drop tabs and newlines on the way.
    if not (isinstance(text, str) and text.isascii() and text.isprintable()) or _NEVER & set(text):
        return False
    return text.startswith("/") and not text.startswith("//")


def safe_next(text: object, default: str = "/") -> str:
    """Answer where to go on after a sign-in: `text` if it is a path of the own site, else `default`.

    `text` is what a browser sent as `next`, so it may be anything. Raises ConfigurationError for a `default` that is no
    path of the own site.
    """
    if not is_own_path(default):
        raise ConfigurationError(f"safe_next(…, {default!r}): write a path of the own site, such as '/'.")
    # Whoever joins paths further on may fold "/./" or "/x/..", and what remains must not begin with two slashes.
    if not isinstance(text, str) or len(text) > LONGEST or not is_own_path(text) or "//" in text.partition("?")[0]:
        return default
    return default if {".", ".."} & set(text.partition("?")[0].split("/")) else text


def with_next(page: str, path: str) -> str:
    """Answer the address of a page that leads back: `path` is what was asked for, decoded, as a request has it."""
    asked = quote(path, safe="/")
    if safe_next(asked, page) != asked:
        return page
    return f"{page}{'&' if '?' in page else '?'}next={quote(asked, safe='/')}"
