"""Rule R3: who the client is on the network, and what it may make us believe."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Request
from authcore.services import address
from authcore.services.address import SHARED, Client, client_of, undeclared_proxy

PROXY = ("10.0.0.0/8",)


def client(peer: str | None, trusted: tuple[str, ...] = (), **headers: str) -> Client:
    """Answer the client of a request; `x_forwarded_for=` sends that header."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client_of(Request("POST", "/sign-in", headers=sent, peer=peer), trusted)


@pytest.mark.parametrize(
    ("peer", "trusted", "forwarded", "key"),
    [
        # Nobody is trusted: the peer it is, whatever the headers claim.
        ("81.2.69.7", (), None, "81.2.69.7"),
        ("81.2.69.7", (), "89.160.20.1", "81.2.69.7"),
        ("81.2.69.7", (), "81.2.69.7, 127.0.0.1", "81.2.69.7"),
        ("81.2.69.7", PROXY, "89.160.20.1", "81.2.69.7"),
        ("81.2.69.7:51234", (), None, "81.2.69.7"),
        # IPv6: a household is one client, a mapped address is the IPv4 that it is.
        ("2001:db8:1:2:3:4:5:6", (), None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::99", (), None, "2001:db8:1:2::/64"),
        ("2001:db8:1:3::99", (), None, "2001:db8:1:3::/64"),
        ("[2001:db8:1:2::99]:443", (), None, "2001:db8:1:2::/64"),
        ("fe80::1%eth0", (), None, "fe80::/64"),
        ("::ffff:81.2.69.7", (), None, "81.2.69.7"),
        ("::ffff:10.0.0.1", PROXY, "81.2.69.7", "81.2.69.7"),
        # A declared proxy: counted from the right, to the first that is none of ours.
        ("10.0.0.1", PROXY, "81.2.69.7", "81.2.69.7"),
        ("10.0.0.1", PROXY, "89.160.20.1, 81.2.69.7", "81.2.69.7"),
        ("10.0.0.1", PROXY, "6.6.6.6, 89.160.20.1, 81.2.69.7, 10.0.0.2", "81.2.69.7"),
        ("10.0.0.1", PROXY, "81.2.69.7:51234", "81.2.69.7"),
        ("10.0.0.1", PROXY, "[2001:db8:1:2::99]:51234", "2001:db8:1:2::/64"),
        ("10.0.0.1", PROXY, "::ffff:81.2.69.7", "81.2.69.7"),
        ("10.0.0.1", PROXY, " ,, 81.2.69.7 ,", "81.2.69.7"),
        ("10.0.0.1", PROXY, "10.9.9.9, 81.2.69.7", "81.2.69.7"),
        # The proxy itself asks, as its health checks do.
        ("10.0.0.1", PROXY, None, "10.0.0.1"),
        # What a proxy reports and nobody can read, or nobody but proxies, is shared.
        ("10.0.0.1", PROXY, "unknown", SHARED),
        ("10.0.0.1", PROXY, "81.2.69.7, unknown", SHARED),
        ("10.0.0.1", PROXY, "81.2.69.7, _hidden", SHARED),
        ("10.0.0.1", PROXY, "10.0.0.2, 10.0.0.3", SHARED),
        # A Unix socket has no address; declared, it is a proxy.
        ("unix", (), None, SHARED),
        ("unix", (), "81.2.69.7", SHARED),
        ("unix", ("unix",), "81.2.69.7", "81.2.69.7"),
        ("unix", ("unix", *PROXY), "81.2.69.7, 10.0.0.2", "81.2.69.7"),
        ("unix", ("unix",), None, SHARED),
        ("unix", PROXY, "81.2.69.7", SHARED),
        # A private peer that sends undeclared forwarding headers is a proxy that nobody declared.
        ("10.0.0.1", (), "81.2.69.7", SHARED),
        ("127.0.0.1", (), "81.2.69.7", SHARED),
        ("::1", (), "81.2.69.7", SHARED),
        ("fd00::1", (), "81.2.69.7", SHARED),
        ("100.64.0.1", (), "81.2.69.7", SHARED),
        ("169.254.1.1", (), "81.2.69.7", SHARED),
        ("127.0.0.1", (), None, "127.0.0.1"),
        # No address at all.
        (None, (), None, SHARED),
        (None, PROXY, "81.2.69.7", SHARED),
        ("", (), None, SHARED),
        ("testclient", (), None, SHARED),
    ],
)
def test_who_the_client_is(peer: str | None, trusted: tuple[str, ...], forwarded: str | None, key: str) -> None:
    """R3: the table of peers, declared proxies and `X-Forwarded-For`."""
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}

    found = client(peer, trusted, **headers)

    assert found.key == key
    assert (found.address is None) == (key == SHARED)


@pytest.mark.parametrize("header", ["forwarded", "x_real_ip"])
def test_other_forwarding_headers_are_not_read(header: str) -> None:
    """R3: `Forwarded` and `X-Real-IP` name no client, but they give an undeclared or half-declared proxy away."""
    value = {"forwarded": "for=81.2.69.7", "x_real_ip": "81.2.69.7"}[header]

    found = [
        client("89.160.20.9", **{header: value}),
        client("10.0.0.1", **{header: value}),
        client("10.0.0.1", PROXY, **{header: value}),
        client("10.0.0.1", PROXY, x_forwarded_for="89.160.20.9", **{header: value}),
    ]

    assert [one.key for one in found] == ["89.160.20.9", SHARED, SHARED, "89.160.20.9"]


def test_what_anybody_may_send_at_any_length_is_not_kept() -> None:
    """What a client is found to be is remembered, but not by a header that an untrusted peer or no length bounds."""
    long = ", ".join(["203.0.113.7"] * 40)
    address._judged.cache_clear()

    keys = [
        client("10.0.0.1", PROXY, x_forwarded_for=long).key,
        *(client("81.2.69.7", x_forwarded_for=f"1.2.3.{number}").key for number in range(9)),
    ]

    assert keys == ["203.0.113.7", *["81.2.69.7"] * 9]
    assert address._judged.cache_info().currsize == 1


def test_the_whole_address_is_shown_where_the_network_is_counted() -> None:
    """R3: limits count a /64, a session shows the address."""
    assert client("2001:db8:1:2:3:4:5:6").address == "2001:db8:1:2:3:4:5:6"


def test_a_shared_bucket_holds_fifty_times_the_allowance() -> None:
    """R3: clients that cannot be told apart are limited together, and never locked out together."""
    assert client(None).factor == 50
    assert client("81.2.69.7").factor == 1


def test_a_call_without_a_request_is_shared() -> None:
    """R3: a Python call without a request has no address."""
    assert client_of(None, PROXY) == Client(SHARED, None)


def test_an_undeclared_proxy_stands_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    """R3: the error names the peer and the setting, once a process and not once a request."""
    address._warn.cache_clear()

    for _ in range(3):
        client("10.1.2.3", x_forwarded_for="81.2.69.7")

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "trusted_proxies=['10.1.2.3']" in record.getMessage()


@given(st.text(max_size=60), st.sampled_from(["81.2.69.7", "10.0.0.1", "unix", "::1", None]))
def test_what_a_client_writes_never_moves_it_out_of_its_bucket(spoofed: str, peer: str | None) -> None:
    """R3: whatever stands to the left of what the nearest proxy reported changes nothing, and never fails."""
    trusted = (*PROXY, "unix", "::1/128")
    reported = f"{spoofed}, 89.160.20.9"

    found = client(peer, trusted, x_forwarded_for=reported)

    expected = {"81.2.69.7": "81.2.69.7", None: SHARED}.get(peer, "89.160.20.9")
    assert found.key == expected


@pytest.mark.parametrize(
    ("peer", "trusted", "header", "found"),
    [
        ("10.1.2.3", (), "x_forwarded_for", "10.1.2.3"),
        ("10.1.2.3", (), "forwarded", "10.1.2.3"),
        ("10.1.2.3", (), "x_real_ip", "10.1.2.3"),
        ("::ffff:10.1.2.3", (), "x_forwarded_for", "10.1.2.3"),
        ("fd00::1", PROXY, "x_forwarded_for", "fd00::1"),
        ("10.1.2.3", PROXY, "x_forwarded_for", None),
        ("81.2.69.7", (), "x_forwarded_for", None),
        ("10.1.2.3", (), "user_agent", None),
        ("unix", (), "x_forwarded_for", None),
        ("unix", ("unix",), "x_forwarded_for", None),
        (None, (), "x_forwarded_for", None),
    ],
)
def test_which_peer_is_an_undeclared_proxy(
    peer: str | None, trusted: tuple[str, ...], header: str, found: str | None
) -> None:
    """R3: a private peer that forwards and is not declared is named; a public one, a declared one and none are not."""
    sent = {header.replace("_", "-"): "89.160.20.1"}

    assert undeclared_proxy(Request("POST", "/sign-in", headers=sent, peer=peer), trusted) == found
