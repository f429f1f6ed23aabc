"""What `Sessions(…)` takes beside lifetimes, checked while an application starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from authcore.errors import ConfigurationError

if TYPE_CHECKING:
    from authcore.services.sessions import SessionSettings

LARGEST_BAG = 60 * 1024  # bytes of JSON, which a TEXT of MariaDB holds
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
# What a server, a proxy or authcore itself reads another meaning into.
_TAKEN = re.compile(
    r"(accept|authorization|connection|content-length|content-type|cookie|dpop|forwarded|host|keep-alive|origin|"
    r"proxy-authorization|referer|set-cookie|te|trailer|transfer-encoding|upgrade|user-agent|via|"
    r"(sec|x-forwarded|access-control|accept)-.*)\Z"
)


def check(settings: SessionSettings) -> None:
    """Raise ConfigurationError for an option that is no such thing, saying what to write."""
    if settings.remember_me not in ("always", "never", "ask"):
        raise ConfigurationError("Sessions(remember_me=…) is one of 'always', 'never' and 'ask'.")
    if settings.place is not None and not callable(settings.place):
        raise ConfigurationError("Sessions(place=…) is a function of an address that answers a text or None.")
    size: object = settings.bag_size
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST_BAG:
        raise ConfigurationError(f"Sessions(bag_size=…) lies between 1 and {LARGEST_BAG} bytes of JSON.")
    _check_header(settings.header, settings.transport)
    _check_claims(settings.claims)


def _check_header(name: object, transport: str) -> None:
    if name is None:
        return
    if not isinstance(name, str) or not _HEADER.match(name):
        raise ConfigurationError("Sessions(header=…) is the name of a header, such as 'X-Session-Id'.")
    # R5: what browsers send by themselves, and pages may set, is no place for a credential.
    if _TAKEN.match(name.lower()):
        raise ConfigurationError(f"Sessions(header={name!r}) means something else: write 'X-Session-Id'.")
    if transport == "cookie":
        raise ConfigurationError("Sessions(header=…) carries a bearer's token: write transport='both' or 'bearer'.")


def _check_claims(kind: object) -> None:
    if kind is None:
        return
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        raise ConfigurationError("Sessions(claims=…) is a subclass of msgspec.Struct.")
    try:
        msgspec.json.schema(kind)
    except TypeError as error:
        raise ConfigurationError(f"{kind.__name__} has a field that JSON has not ({error}).") from None
