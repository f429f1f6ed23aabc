"""What a device is known by, and how a mail names it.

A device that sends a `device_id` is known by that. Any other is known by its browser and system, without their
versions, which change every month, and by its network, since half of all browsers are alike: a /16 of IPv4 or a /32 of
IPv6, about one provider, so that an address that changes daily is no other device.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from authcore.context import Context
from authcore.services.keys import mac
from authcore.services.sessions import Client

# In this order: each of them also claims to be those below it.
_BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "iPhone": "iOS",
    "iPad": "iOS",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
_IPV4_PREFIX, _IPV6_PREFIX = 16, 32


def digests(ctx: Context, user_id: str, client: Client) -> list[bytes]:
    """Answer what a user's device is known by, under each key of the application, the newest first."""
    parts = [part.encode() for part in (user_id, *_marks(client))]
    return [mac(key, *parts) for key in ctx.app.keys.all("device")]


def _marks(client: Client) -> tuple[str, ...]:
    if client.device_id:
        return ("id", client.device_id)
    agent = client.user_agent or ""
    browser, system = _named(_BROWSERS, agent), _named(_SYSTEMS, agent)
    return ("looks", browser or agent.partition("/")[0], system or "", _network(client.ip))


def _named(names: dict[str, str], agent: str) -> str | None:
    return next((name for mark, name in names.items() if mark in agent), None)


def _network(ip: str | None) -> str:
    try:
        address = ip_address(ip or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    prefix = _IPV6_PREFIX if address.version == 6 else _IPV4_PREFIX
    return str(ip_network(f"{address}/{prefix}", strict=False))


def label(client: Client) -> str | None:
    """Answer a name such as "Firefox, Linux", or None.

    It is made of known words alone: whoever signs in writes its own `User-Agent` and `device_name`, and the owner would
    read them in a mail of the site's.
    """
    agent = client.user_agent or ""
    named = [name for name in (_named(_BROWSERS, agent), _named(_SYSTEMS, agent)) if name]
    return ", ".join(named) or None
