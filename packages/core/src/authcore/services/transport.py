"""How credentials travel: as cookies, or as tokens in the body."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Any, ClassVar

from authcore.context import Context
from authcore.decode import is_storable, to_struct
from authcore.errors import AmbiguousCredentials, field_error
from authcore.http import Cookie
from authcore.services import cookies, tokens
from authcore.services.address import client_of
from authcore.services.bodies import DeviceBody
from authcore.services.sessions import Client, Issued, SessionSettings, Transport, access_kind
from authcore.values import Value

BINDING_TTL = 3600  # seconds; longer than any challenge of a first factor lives


def resolve(ctx: Context, asked: Transport | None) -> Transport:
    """Answer the transport of a session to be made; raise InvalidFields if the application does not offer it."""
    offered = ctx.settings(SessionSettings).transport
    if offered != "both":
        if asked not in (None, offered):
            raise field_error("transport", "invalid", "This transport is not offered here.")
        return offered
    return asked or ("cookie" if _is_browser(ctx) else "bearer")


def chosen(
    ctx: Context,
    asked: Transport | None,
    device_id: str | None,
    device_name: str | None,
    remember_me: bool | None = None,
) -> Transport:
    """Answer the transport; refuse here what a body would not have let through: callers have forms of their own."""
    if remember_me is not None and ctx.settings(SessionSettings).remember_me != "ask":
        raise field_error("remember_me", "unknown", "There is no such field.")
    device = {"device_id": device_id, "device_name": device_name}
    to_struct({"transport": asked, **device}, DeviceBody)
    for field, text in device.items():
        if text is not None and not is_storable(text):
            raise field_error(field, "invalid", "This field is not valid.")
    return resolve(ctx, asked)


def persists(ctx: Context, via: Transport, remember_me: bool | None) -> bool:
    """Tell whether the cookies of a session to be made outlive the browser; tokens are the client's to keep."""
    rule = ctx.settings(SessionSettings).remember_me
    return via == "bearer" or rule == "always" or (rule == "ask" and remember_me is True)


def _is_browser(ctx: Context) -> bool:
    headers = ctx.request.headers if ctx.request else {}
    return "origin" in headers or any(name.startswith("sec-fetch-") for name in headers)


class Presented(Value, frozen=True):
    """The one access credential that a request carries, in the place that it came in."""

    hidden: ClassVar = frozenset({"text"})
    via: Transport
    text: str

    @property
    def digest(self) -> bytes | None:
        """Answer the digest of an opaque secret; None if it is none, or belongs into another place (rule T5)."""
        return tokens.digest(self.text, access_kind(self.via))


def presented(ctx: Context) -> Presented | None:
    """Answer the one access credential that the request carries, or None (rule R7).

    Raises AmbiguousCredentials for a cookie beside a bearer token, and for headers that servers read differently.
    """
    if ctx.request is None:
        return None
    settings = ctx.settings(SessionSettings)
    offered, headers = settings.transport, ctx.request.headers
    bearer = None if offered == "cookie" else _bearer(headers.get("authorization"))
    if settings.header is not None and (named := headers.get(settings.header.lower())) is not None:
        bearer = _beside(bearer, named)
    cookie = None if offered == "bearer" else cookies.read(ctx.app, ctx.request, "session")
    if bearer is None:
        return None if cookie is None else Presented("cookie", cookie)
    if cookie is not None:
        raise AmbiguousCredentials()
    return Presented("bearer", bearer)


def _beside(bearer: str | None, named: str) -> str:
    """Answer the token in the header of `Sessions(header=…)`, which stands in the place of a bearer's (S50)."""
    if bearer is not None or "," in named:
        raise AmbiguousCredentials()
    return named.strip(" \t")


def _bearer(header: str | None) -> str | None:
    if header is None:
        return None
    if "," in header:
        raise AmbiguousCredentials()
    scheme, _, value = header.partition(" ")
    return value.strip(" \t") if scheme.lower() == "bearer" else None


def client_info(
    ctx: Context,
    device_id: str | None = None,
    device_name: str | None = None,
    fingerprint: str | None = None,
) -> Client:
    """Answer where a session is being made."""
    agent = ctx.request.headers.get("user-agent") if ctx.request else None
    address = client_of(ctx.request, ctx.app.trusted_proxies).address
    return Client(address, _printable(agent), device_id, device_name, fingerprint)


def _printable(text: str | None) -> str | None:
    if text is None:
        return None
    return "".join(char for char in text if char.isprintable())[:400] or None


# --- answers ---


def seconds_until(end: datetime, now: datetime) -> int:
    """Answer whole seconds until a time, at least 0."""
    return max(0, int((end - now).total_seconds()))


def token_fields(issued: Issued, now: datetime) -> dict[str, Any]:
    """Answer the fields of RFC 6749 5.1, none under cookies."""
    if issued.transport == "cookie":
        return {}
    fields: dict[str, Any] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": seconds_until(issued.access_expires, now),
    }
    if issued.refresh is not None and issued.refresh_expires is not None:
        fields["refresh_token"] = issued.refresh
        fields["refresh_expires_in"] = seconds_until(issued.refresh_expires, now)
    return fields


def session_cookies(ctx: Context, issued: Issued) -> tuple[Cookie, ...]:
    """Answer the cookies that hand a session to a browser, none under bearer."""
    if issued.transport == "bearer":
        return ()
    made = [
        *_parts(ctx, cookies.make_split(ctx.app, "session", issued.access, _age(ctx, issued, issued.access_expires)))
    ]
    if issued.refresh is not None and issued.refresh_expires is not None:
        made.append(cookies.make(ctx.app, "refresh", issued.refresh, _age(ctx, issued, issued.refresh_expires)))
    return tuple(made)


def _age(ctx: Context, issued: Issued, expires: datetime) -> int | None:
    return seconds_until(expires, ctx.now()) if issued.session.persistent else None


def _parts(ctx: Context, made: tuple[Cookie, ...]) -> tuple[Cookie, ...]:
    """Answer the parts of a value, and clear those of an earlier and longer one that the request still carries."""
    names = {cookie.name for cookie in made}
    stale = [cookie for cookie in cookies.clear_carried(ctx.app, ctx.request, "session") if cookie.name not in names]
    return (*made, *stale)


def cleared_cookies(ctx: Context) -> tuple[Cookie, ...]:
    """Answer the cookies that take a session away from a browser: those of them that it sent.

    R5: an answer to a request without cookies sets none, so another site's sign-out changes nothing.
    """
    names: tuple[cookies.Name, ...] = ("session", "refresh")
    return tuple(cookie for name in names for cookie in cookies.clear_carried(ctx.app, ctx.request, name))


# --- the browser's binding to its challenges ---


def binding_of(ctx: Context) -> str | None:
    """Answer the stored form of the browser's binding, or None."""
    value = cookies.read(ctx.app, ctx.request, "challenge")
    return _binding_digest(value) if value and tokens.digest(value, "br") else None


def ensure_binding(ctx: Context, transport: Transport) -> tuple[str | None, tuple[Cookie, ...]]:
    """Answer the browser's binding, made if it has none, and the cookie that keeps it; nothing under bearer."""
    if transport == "bearer":
        return None, ()
    carried = cookies.read(ctx.app, ctx.request, "challenge")
    value = carried if carried and tokens.digest(carried, "br") else tokens.mint(ctx.random, "br")
    return _binding_digest(value), (cookies.make(ctx.app, "challenge", value, BINDING_TTL),)


def _binding_digest(value: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(value.encode()).digest()).decode()
