"""Requests to other servers: https only, no redirects, no private address unless allowed (rule A10)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import idna

from authcore.backends import fork
from authcore.errors import ConfigurationError, Unavailable
from authcore.ports import HttpAnswer

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 5.0  # seconds for the whole request
MAX_BODY = 1024 * 1024  # bytes
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class _Target:
    host: str  # ASCII
    port: int
    rest: str  # path and query

    def dial(self, addresses: Iterable[str], headers: Mapping[str, str] | None) -> Iterable[dict[str, Any]]:
        # The checked address is dialled: looked up a second time, the name could lead elsewhere.
        own = {"Host": self._authority(), "Accept-Encoding": "identity", "Connection": "close"}
        given = {name: value for name, value in (headers or {}).items() if name.title() not in own}
        for address in addresses:
            yield {
                "url": f"https://{_literal(address)}:{self.port}{self.rest}",
                "headers": {**given, **own},
                "extensions": {"sni_hostname": self.host},  # the name that the certificate has to show
            }

    def _authority(self) -> str:
        return _literal(self.host) if self.port == 443 else f"{_literal(self.host)}:{self.port}"


class BlockingHttp:
    """ports.Http for blocking code."""

    def __init__(self, private_hosts: bool = False, context: ssl.SSLContext | None = None) -> None:
        self._private_hosts = private_hosts
        self._context = context
        self._client = fork.Lazy(self._make)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Send one request; raise Unavailable."""
        httpx2 = _httpx2()
        target, until = _parse(url), time.monotonic() + TIMEOUT
        for request in target.dial(_checked(_resolve(target), self._private_hosts), headers):
            try:
                with self._client.get().stream(method, content=body, timeout=_left(until), **request) as answer:
                    return _answer(answer, _collect(answer, until))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise Unavailable from error
        raise Unavailable

    def dispose(self) -> None:
        """Close the idle connections."""
        client = self._client.forget()
        if client is not None:
            client.close()

    def _make(self) -> httpx2.Client:
        client: httpx2.Client = _httpx2().Client(**_settings(self._context))
        return client


class AsyncHttp:
    """ports.Http for asyncio: a client for each running loop."""

    def __init__(self, private_hosts: bool = False, context: ssl.SSLContext | None = None) -> None:
        self._private_hosts = private_hosts
        self._context = context
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()
        fork.register(self)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Send one request; raise Unavailable."""
        httpx2 = _httpx2()
        target = _parse(url)
        try:
            async with asyncio.timeout(TIMEOUT):
                addresses = _checked(await _resolve_async(target), self._private_hosts)
                for request in target.dial(addresses, headers):
                    try:
                        async with self._client().stream(method, content=body, **request) as answer:
                            return _answer(answer, await _collect_async(answer))
                    except (httpx2.ConnectError, httpx2.ConnectTimeout):
                        continue
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise Unavailable from error
        raise Unavailable

    def dispose(self) -> None:
        """Forget every client; each loop closes its own sockets."""
        self._clients = WeakKeyDictionary()

    def before_fork(self) -> None:
        """Leave the parent's loops alone."""

    def after_fork_in_child(self) -> None:
        """Start without a client."""
        fork.abandon(self._clients)
        self._clients = WeakKeyDictionary()

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = _httpx2().AsyncClient(**_settings(self._context))
        return self._clients[loop]


def _httpx2() -> Any:
    try:
        import httpx2
    except ImportError as error:
        raise ConfigurationError("Asking other servers needs httpx2: pip install 'authcore[http]'.") from error
    return httpx2


def _settings(context: ssl.SSLContext | None) -> dict[str, Any]:
    return {
        "verify": context or ssl.create_default_context(),
        # A proxy from the environment would resolve names itself, and reach what is refused here.
        "trust_env": False,
        "follow_redirects": False,
        "timeout": TIMEOUT,
        # Kept open, a connection that showed one name's certificate would serve another name on its address.
        "limits": _httpx2().Limits(max_keepalive_connections=0),
    }


def _parse(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host = _ascii(parts.hostname or "")
        port = parts.port or 443
    except ValueError as error:
        raise Unavailable from error
    if parts.scheme != "https" or not host or "@" in parts.netloc:
        raise Unavailable
    return _Target(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _ascii(host: str) -> str:
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise Unavailable
    return left


def _resolve(target: _Target) -> list[str]:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable from error
    return _addresses(found)


async def _resolve_async(target: _Target) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable from error
    return _addresses(found)


def _addresses(found: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _checked(addresses: list[str], private_hosts: bool) -> list[str]:
    # One private address among public ones is reason enough to refuse: which one is dialled is chance.
    if not private_hosts and not all(is_public(address) for address in addresses):
        raise Unavailable
    return addresses


def is_public(text: str) -> bool:
    """Tell whether an address belongs to the public internet, also inside IPv6 (mapped, 6to4, NAT64)."""
    try:
        address = _unwrapped(ipaddress.ip_address(text))
    except ValueError:
        return False  # with a zone: link-local
    return address.is_global and not address.is_multicast


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _collect(answer: httpx2.Response, until: float) -> bytes:
    body = bytearray()
    for chunk in answer.iter_raw():
        _add(body, chunk)
        _left(until)
    return bytes(body)


async def _collect_async(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        _add(body, chunk)
    return bytes(body)


def _add(body: bytearray, chunk: bytes) -> None:
    body += chunk
    if len(body) > MAX_BODY:
        raise Unavailable


def _answer(answer: httpx2.Response, body: bytes) -> HttpAnswer:
    # Asked for as it is; a server that compresses all the same could send a small body that is a large one.
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable
    return HttpAnswer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)
