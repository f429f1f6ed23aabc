"""Cross-site request forgery (rule R5): an unsafe request says where it comes from, or carries no cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from authcore.context import AppSettings, Tenant
from authcore.errors import HostNotAllowed, OriginNotAllowed
from authcore.http import Request
from authcore.services import cookies

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})
"""Hosts answered in dev_mode; the last is what test clients send, and no public name."""


def check_origin(app: AppSettings, tenant: Tenant, request: Request, *, mints: bool) -> None:
    """Raise OriginNotAllowed if the unsafe request may have been made by another site.

    `mints` says that the answer may set a cookie: login CSRF carries none.
    """
    carries = cookies.carried(app, request)
    if not (carries or mints):
        return
    origin = request.headers.get("origin")
    if origin is not None:
        if not _listed(app, tenant, request, origin):
            raise OriginNotAllowed()
        return
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin" or (site is None and not carries):
        return
    raise OriginNotAllowed()


def check_host(app: AppSettings, request: Request) -> None:
    """Raise HostNotAllowed in dev_mode for a host that is not loopback (DNS rebinding)."""
    host = request.headers.get("host")
    if app.dev_hosts is None or host is None:
        return
    name = _hostname(host)
    if name not in app.dev_hosts and not name.endswith(".localhost"):
        raise HostNotAllowed()


def _listed(app: AppSettings, tenant: Tenant, request: Request, origin: str) -> bool:
    if origin == "null":
        return False
    if origin in app.origins or origin in tenant.origins or origin == tenant.base_url:
        return True
    # In development the port differs from run to run: the very host that was asked, on loopback, is the same site.
    return app.dev_hosts is not None and origin == f"http://{request.headers.get('host')}"


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
