"""What every route shares: the client's address (rule R3), as sessions show it and limits count it."""

from __future__ import annotations

import pytest

from authcore_conformance.world import EMAIL, PASSWORD, World

pytestmark = pytest.mark.needs("client_address")
ALLOWED = 30  # resends in ten minutes from one address
PUBLIC, PROXY = "9.9.9.9", "10.1.2.3"


def seen(world: World, peer: str, *headers: tuple[str, str]) -> str | None:
    """Sign in from an address, and answer the one that the session shows."""
    reply = world.client(peer=peer, headers=headers).sign_in(EMAIL, PASSWORD)
    assert reply.status == 200, reply
    ip: str | None = reply.json["session"].get("ip")
    return ip


def knock(world: World, peer: str, times: int, *headers: tuple[str, str]) -> list[int]:
    """Ask for a code of nothing, and answer the statuses."""
    client = world.client(peer=peer, headers=headers)
    return [client.post("/sign-up/resend", {"challenge_id": "nothing"}).status for _ in range(times)]


@pytest.mark.parametrize(
    "header",
    [
        ("X-Forwarded-For", "1.2.3.4"),
        ("Forwarded", "for=1.2.3.4"),
        ("X-Real-IP", "1.2.3.4"),
        ("X_Forwarded_For", "1.2.3.4"),
    ],
)
def test_nobody_says_who_they_are(world: World, header: tuple[str, str]) -> None:
    """R3: forwarding headers of an undeclared peer are ignored: the session shows the peer."""
    world.member()

    assert seen(world, PUBLIC, header) == PUBLIC


def test_limits_count_the_peer_and_not_what_it_says(world: World) -> None:
    """R3: another X-Forwarded-For in each request does not make another client."""
    statuses = [
        status
        for number in range(ALLOWED + 1)
        for status in knock(world, PUBLIC, 1, ("X-Forwarded-For", f"1.2.3.{number}"))
    ]

    assert statuses == [400] * ALLOWED + [429]


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4"),
        ("1.2.3.4 ,10.9.9.9,\t10.8.8.8", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2a00:1450::5]:443", "2a00:1450::5"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, nonsense", None),
        ("6.6.6.6, unknown, 10.9.9.9", None),
    ],
)
def test_a_declared_proxy_is_believed_from_the_right(world: World, forwarded: str, expected: str | None) -> None:
    """R3: the client is the right-most address that no declared proxy reported of itself; what is none is nobody's."""
    world.start(trusted_proxies=["10.0.0.0/8"])
    world.member()

    assert seen(world, PROXY, ("X-Forwarded-For", forwarded)) == expected


@pytest.mark.needs("repeated_headers")
def test_forwarding_lines_are_one_list(world: World) -> None:
    """R3: the header in two lines is one list, so a client's own line stands left of the proxy's."""
    world.start(trusted_proxies=["10.0.0.0/8"])
    world.member()

    ip = seen(world, PROXY, ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "1.2.3.4"))

    assert ip == "1.2.3.4"


def test_clients_behind_a_proxy_are_counted_apart(world: World) -> None:
    """R3: behind a declared proxy each client has its own limit."""
    world.start(trusted_proxies=["10.0.0.0/8"])
    first, second = ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "1.2.3.5")

    statuses = knock(world, PROXY, ALLOWED + 1, first)

    assert statuses == [400] * ALLOWED + [429]
    assert knock(world, PROXY, 1, second) == [400]


def test_an_undeclared_proxy_locks_nobody_out(world: World) -> None:
    """R3: a private peer with undeclared forwarding headers shares a wide limit: no lock-out of the whole site."""
    world.member()
    header = ("X-Forwarded-For", "1.2.3.4")

    statuses = knock(world, PROXY, ALLOWED * 2, header)

    assert statuses == [400] * ALLOWED * 2
    assert seen(world, PROXY, header) is None


def test_mapped_addresses_are_one(world: World) -> None:
    """R3: an IPv4 address and its mapped form are one client."""
    world.member()

    statuses = knock(world, PUBLIC, ALLOWED // 2) + knock(world, f"::ffff:{PUBLIC}", ALLOWED // 2 + 1)

    assert statuses == [400] * ALLOWED + [429]
    assert seen(world, f"::ffff:{PUBLIC}") == PUBLIC


def test_a_household_is_one_client(world: World) -> None:
    """R3: the addresses of one IPv6 /64 count together, those of another do not."""
    statuses = knock(world, "2a00:1450:1:2::a", ALLOWED) + knock(world, "2a00:1450:1:2:ffff::b", 1)

    assert statuses == [400] * ALLOWED + [429]
    assert knock(world, "2a00:1450:1:3::a", 1) == [400]
