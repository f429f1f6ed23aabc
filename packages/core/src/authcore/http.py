"""What comes in and what goes out, as frozen values that no framework owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

BODY_CAP = 64 * 1024  # bytes

BodyFault = Literal["broken", "too_large"]
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request below the mount prefix.

    `path` is decoded and begins with "/" ("" is the bare prefix). `headers` has lower-case names, each once.
    `peer` is the address of the socket's other end, "unix" for a Unix socket, None if unknown.
    An adapter that could not read the whole body says so in `fault` and leaves `body` empty.
    """

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS, repr=False)
    peer: str | None = None
    fault: BodyFault | None = None

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


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set; `max_age` 0 clears it with the very attributes it was set with."""

    name: str
    value: str = field(repr=False)
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


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer: status, body bytes, cookies and all other headers."""

    status: int
    body: bytes = field(default=b"", repr=False)
    cookies: tuple[Cookie, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def header_list(self) -> list[tuple[str, str]]:
        """Answer every header to send, one pair for each cookie, without Content-Length."""
        return [*self.headers, *(("Set-Cookie", cookie.header()) for cookie in self.cookies)]
