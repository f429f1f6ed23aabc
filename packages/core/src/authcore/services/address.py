"""Who the client is on the network (rule R3)."""

from __future__ import annotations

import ipaddress
import logging
from functools import lru_cache

from authcore.http import Request
from authcore.values import Value

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_log = logging.getLogger("authcore.address")
SHARED = "shared"
SHARED_FACTOR = 50  # a bucket that many clients may share gives this many times the allowance
KEPT = 256  # characters of a header that are remembered
_FORWARDING = ("x-forwarded-for", "forwarded", "x-real-ip")


class Client(Value, frozen=True):
    """`key` counts limits; `address` is for display, None where it is not known."""

    key: str
    address: str | None

    @property
    def factor(self) -> int:
        """Answer how many times the allowance this client's bucket holds."""
        return SHARED_FACTOR if self.key == SHARED else 1


def client_of(request: Request | None, trusted_proxies: tuple[str, ...]) -> Client:
    """Answer the client: the peer, or the right-most forwarded address that no trusted proxy reported of itself."""
    if request is None or request.peer is None:
        return Client(SHARED, None)
    client, undeclared = _seen(request, trusted_proxies)
    if undeclared is not None:
        _warn(undeclared)
    return client


def undeclared_proxy(request: Request | None, trusted_proxies: tuple[str, ...]) -> str | None:
    """Answer the address of what looks like a proxy and is not declared as one, or None."""
    return None if request is None or request.peer is None else _seen(request, trusted_proxies)[1]


def _seen(request: Request, trusted: tuple[str, ...]) -> tuple[Client, str | None]:
    peer, headers = request.peer or "", request.headers
    hops = headers.get("x-forwarded-for", "") if _is_trusted(peer, trusted) else ""
    # What anybody may send, and at any length, is not kept.
    judge = _judged if len(hops) <= KEPT else _judged.__wrapped__
    return judge(peer, hops, any(name in headers for name in _FORWARDING), trusted)


@lru_cache(maxsize=512)
def _judged(peer: str, hops: str, forwarding: bool, trusted: tuple[str, ...]) -> tuple[Client, str | None]:
    """Answer the client and the address of an undeclared proxy: a request asks for them several times."""
    if _is_trusted(peer, trusted):
        return _forwarded(peer, hops, forwarding, trusted), None
    address = _parse(peer)
    if address is None:
        return Client(SHARED, None), None
    # Balancers also stand in 100.64.0.0/10 (RFC 6598), which is neither private nor global.
    if forwarding and not address.is_global:
        return Client(SHARED, None), str(address)
    return _client(address), None


def _forwarded(peer: str, forwarded: str, forwarding: bool, trusted: tuple[str, ...]) -> Client:
    hops = [part.strip(" \t") for part in forwarded.split(",") if part.strip(" \t")]
    for hop in reversed(hops):
        if not _trusted(hop, trusted):
            address = _parse(hop)
            return _client(address) if address else Client(SHARED, None)
    own = _parse(peer)
    # A proxy that names the client in a header that is not read stands for many: they share one bucket.
    if own is None or forwarding:
        return Client(SHARED, None)
    return _client(own)


def _client(address: Address) -> Client:
    if isinstance(address, ipaddress.IPv6Address):
        # One household has a /64; counting single addresses of it counts nothing.
        return Client(str(ipaddress.ip_network((address, 64), strict=False)), str(address))
    return Client(str(address), str(address))


def _parse(text: str) -> Address | None:
    bare = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _trusted(peer: str, trusted: tuple[str, ...]) -> bool:
    if not trusted or peer == "unix":
        return peer in trusted
    address = _parse(peer)
    return address is not None and any(address in network for network in _networks(trusted))


@lru_cache(maxsize=512)
def _is_trusted(peer: str, trusted: tuple[str, ...]) -> bool:
    return _trusted(peer, trusted)


@lru_cache(maxsize=16)
def _networks(trusted: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in trusted if entry != "unix")


@lru_cache(maxsize=64)
def _warn(peer: str) -> None:
    _log.error(
        "Requests from %s carry forwarding headers, but no proxy is declared: all its clients share one limit. "
        "Set trusted_proxies=[%r].",
        peer,
        peer,
    )
