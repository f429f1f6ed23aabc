"""What comes in and what goes out, as frozen values that no framework owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import msgspec

from authcore.values import Value

BODY_CAP = 64 * 1024  # bytes

BodyFault = Literal["broken", "too_large"]
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request(Value, frozen=True):
    """One HTTP request below the mount prefix.

    `path` is decoded and begins with "/" ("" is the bare prefix). `headers` has lower-case names, each once.
    `peer` is the address of the socket's other end, "unix" for a Unix socket, None if unknown.
    An adapter that could not read the whole body says so in `fault` and leaves `body` empty.
    `memory` is what calls that are made for the request tell one another.
    """

    hidden: ClassVar = frozenset({"body", "headers", "memory"})
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = _NO_HEADERS
    peer: str | None = None
    fault: BodyFault | None = None
    memory: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def wants_page(self) -> bool:
        """Tell whether a person's browser asks: other clients take no HTML (RFC 9110 12.5.1)."""
        return "text/html" in self.headers.get("accept", "").lower()


def join_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Answer headers with lower-case names, repeated ones joined: Cookie by "; ", all others by ",".

    WSGI servers join repeated headers and ASGI servers do not; after this both look the same (RFC 9110 5.3,
    RFC 9113 8.2.3).
    """
    joined: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.lower(), value.strip(" \t")
        if key in joined:
            # Stripped again: behind the blank of "; " an empty value leaves one that a second joining would take away.
            text = (joined[key] + ("; " if key == "cookie" else ",") + text).strip(" \t")
        joined[key] = text
    return joined


class Cookie(Value, frozen=True):
    """A cookie to set; `max_age` 0 clears it with the very attributes it was set with."""

    hidden: ClassVar = frozenset({"value"})
    name: str
    value: str
    max_age: int | None = None  # seconds; None lasts as long as the browser runs
    path: str = "/"
    domain: str | None = None
    secure: bool = True
    same_site: Literal["Lax", "Strict", "None"] = "Lax"

    def header(self) -> str:
        """Answer the value of `Set-Cookie` (RFC 6265bis 4.1)."""
        parts = [f"{self.name}={self.value}", f"Path={self.path}"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.domain:
            parts.append(f"Domain={self.domain}")
        if self.secure:
            parts.append("Secure")
        return "; ".join([*parts, "HttpOnly", f"SameSite={self.same_site}"])


class Result(Value, frozen=True):
    """The whole answer: status, body bytes, cookies and all other headers."""

    hidden: ClassVar = frozenset({"body"})
    status: int
    body: bytes = b""
    cookies: tuple[Cookie, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def header_list(self) -> list[tuple[str, str]]:
        """Answer every header to send, one pair for each cookie, without Content-Length."""
        return [*self.headers, *(("Set-Cookie", cookie.header()) for cookie in self.cookies)]
