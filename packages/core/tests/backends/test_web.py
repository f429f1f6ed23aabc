"""Requests to other servers, over real TLS to a server of the tests' own, from both sides."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from authcore.backends import web
from authcore.backends.web import AsyncHttp, BlockingHttp, is_public
from authcore.drive import run_blocking
from authcore.errors import Unavailable
from authcore.ports import HttpAnswer

Send = Callable[..., HttpAnswer]


class Handler(BaseHTTPRequestHandler):
    """Answer each path in its own way, and keep what was asked."""

    asked: list[tuple[str, str, dict[str, str], bytes]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        getattr(self, "on_" + self.path.strip("/").split("?")[0].split("/")[0])()

    do_POST = do_GET  # noqa: N815

    def on_plain(self) -> None:
        """Answer a body."""
        self._send(200, b"fine", {"X-Told": "yes"})

    def on_away(self) -> None:
        """Point elsewhere."""
        self._send(302, b"", {"Location": "https://example.com/"})

    def on_broken(self) -> None:
        """Answer an error."""
        self._send(500, b"oops", {})

    def on_large(self) -> None:
        """Answer more than is read."""
        self._send(200, b"x" * (web.MAX_BODY + 1), {})

    def on_packed(self) -> None:
        """Answer a compressed body that was not asked for."""
        self._send(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})

    def on_slow(self) -> None:
        """Answer a byte now and then."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def on_gone(self) -> None:
        """Break off."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """A server that does not mind clients who leave."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tls: Any) -> Iterator[Any]:
    """Answer a server on loopback with `port` and `asked`."""
    handler = type("Own", (Handler,), {"asked": []})
    server = QuietServer(("127.0.0.1", 0), handler)
    server.socket = tls.server.wrap_socket(server.socket, server_side=True)
    server.asked, server.port = handler.asked, server.server_port  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["blocking", "asyncio"])
def sender(request: pytest.FixtureRequest, tls: Any) -> Iterator[Callable[..., Send]]:
    """Answer a function that makes each side's `send`."""
    made: list[BlockingHttp] = []

    def make(private_hosts: bool = True, trusting: bool = True) -> Send:
        context = tls.client if trusting else None
        if request.param == "asyncio":
            http = AsyncHttp(private_hosts, context)
            return lambda *args, **kwargs: asyncio.run(http.send(*args, **kwargs))
        made.append(BlockingHttp(private_hosts, context))
        return lambda *args, **kwargs: run_blocking(made[-1].send(*args, **kwargs))

    yield make
    for http in made:
        http.dispose()


def test_a_request_is_answered(sender: Callable[..., Send], server: Any) -> None:
    """Method, headers, query and body arrive; status, headers and body come back."""
    send = sender()

    answer = send("POST", f"https://localhost:{server.port}/plain?a=1", headers={"X-Own": "1"}, body=b"asked")

    assert (answer.status, answer.body, answer.headers["x-told"]) == (200, b"fine", "yes")
    [(method, path, headers, body)] = server.asked
    assert (method, path, body) == ("POST", "/plain?a=1", b"asked")
    assert (headers["Host"], headers["X-Own"]) == (f"localhost:{server.port}", "1")


def test_a_caller_cannot_name_another_host(sender: Callable[..., Send], server: Any) -> None:
    """The Host header is the URL's, whatever the caller's headers say."""
    sender()("GET", f"https://localhost:{server.port}/plain", headers={"host": "internal", "HOST": "other"})

    [(_, _, headers, _)] = server.asked
    assert headers["Host"] == f"localhost:{server.port}"


def test_a_redirect_is_not_followed(sender: Callable[..., Send], server: Any) -> None:
    """A10: a redirect is an answer like any other."""
    answer = sender()("GET", f"https://localhost:{server.port}/away")

    assert (answer.status, answer.headers["location"]) == (302, "https://example.com/")
    assert len(server.asked) == 1


def test_an_error_of_the_server_is_an_answer(sender: Callable[..., Send], server: Any) -> None:
    """What a 500 means is the caller's to say."""
    assert sender()("GET", f"https://localhost:{server.port}/broken").status == 500


@pytest.mark.parametrize("path", ["large", "packed", "gone"])
def test_an_answer_that_cannot_be_read_is_unavailable(sender: Callable[..., Send], server: Any, path: str) -> None:
    """Too large, compressed or broken off: a 503."""
    with pytest.raises(Unavailable):
        sender()("GET", f"https://localhost:{server.port}/{path}")


def test_a_slow_answer_is_given_up(sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is for the whole answer: a byte now and then does not stretch it."""
    monkeypatch.setattr(web, "TIMEOUT", 0.3)
    send = sender()
    began = time.monotonic()

    with pytest.raises(Unavailable):
        send("GET", f"https://localhost:{server.port}/slow")

    assert time.monotonic() - began < 1.5


def test_private_addresses_are_refused(sender: Callable[..., Send], server: Any) -> None:
    """A10: a name that leads to this machine or its network is not asked, and not even dialled."""
    send = sender(private_hosts=False)

    for host in ("localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1"):
        with pytest.raises(Unavailable):
            send("GET", f"https://{host}:{server.port}/plain")

    assert server.asked == []


def test_a_name_with_one_private_address_is_refused(
    sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A10: one private address among public ones is enough, since which is dialled is chance."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolver({"mixed.example": ["93.184.215.14", "10.0.0.1"]}))

    with pytest.raises(Unavailable):
        sender(private_hosts=False)("GET", "https://mixed.example/")


def test_a_name_is_looked_up_once(sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: the address that was checked is the one that is dialled, and the certificate is the name's."""
    looked_up: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", _resolver({"localhost": ["127.0.0.1"]}, looked_up))

    answer = sender()("GET", f"https://localhost:{server.port}/plain")

    assert answer.status == 200
    assert looked_up.count("localhost") == 1


def test_the_next_address_is_tried(sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an address that refuses is asked at its next one."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolver({"localhost": ["127.0.0.9", "127.0.0.1"]}))

    assert sender()("GET", f"https://localhost:{server.port}/plain").status == 200


@pytest.mark.parametrize(
    "url",
    ["http://localhost:{}/plain", "ftp://localhost:{}/", "//localhost:{}/", "https:///plain", "https://u:p@localhost:{}/plain",
     "https://localhost:99999/", "https://[::1/", "https://\u2603.\u0000/", "", "https://nowhere.invalid/"],
)  # fmt: skip
def test_only_plain_https_urls_are_asked(sender: Callable[..., Send], server: Any, url: str) -> None:
    """A10: anything but https with a host and no user is refused; a name that nobody knows is a 503."""
    with pytest.raises(Unavailable):
        sender()("GET", url.format(server.port))

    assert server.asked == []


def test_a_certificate_has_to_be_vouched_for(sender: Callable[..., Send], server: Any) -> None:
    """A server that cannot prove its name is not asked."""
    with pytest.raises(Unavailable):
        sender(trusting=False)("GET", f"https://localhost:{server.port}/plain")

    assert server.asked == []


def test_a_certificate_has_to_be_the_names(
    sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate of another name proves nothing."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolver({"other.example": ["127.0.0.1"]}))

    with pytest.raises(Unavailable):
        sender()("GET", f"https://other.example:{server.port}/plain")

    assert server.asked == []


def test_a_proxy_of_the_environment_is_not_used(
    sender: Callable[..., Send], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would look names up by itself and so pass by the check."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert sender()("GET", f"https://localhost:{server.port}/plain").status == 200


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True), ("64:ff9b::5db8:d70e", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.0.1", False), ("::", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False),
        ("255.255.255.255", False), ("fe80::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False),
        ("2001:0:53aa:64c:0:0:f5ff:fffe", False), ("no address", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    """A10: private, loopback, link-local, shared, multicast, and each of them inside IPv6."""
    assert is_public(address) is public


def _resolver(known: dict[str, list[str]], looked_up: list[str] | None = None) -> Callable[..., Any]:
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if looked_up is not None:
            looked_up.append(str(host))
        if host not in known:
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    return resolve
