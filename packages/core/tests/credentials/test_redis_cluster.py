"""Credentials in a Redis Cluster: where keys lie, and what happens while slots and nodes move."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("redis", reason="the Redis driver is an extra")

from redis_servers import CLIENTS, Place, Server, cluster, side, wait_for

from authcore.credentials import CredentialState, TokenRevoked
from authcore.errors import Unavailable
from authcore.testing.ports import FrozenClock

USERS = [f"user-{number}" for number in range(90)]


def a_state(clock: FrozenClock, user: str = "ada") -> CredentialState:
    """Answer a state of a family that lives for an hour."""
    end = clock.now() + timedelta(hours=1)
    return CredentialState(user_id=user, issued_at=clock.now(), expires_at=end, parent_credential_id="f")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A cluster whose slots and nodes these tests move."""
    with cluster(tmp_path_factory.mktemp("moving")) as servers:
        yield servers


@pytest.fixture(params=CLIENTS)
def place(request: pytest.FixtureRequest, moving: list[Server]) -> Iterator[Place]:
    """Each kind of client of it."""
    with side(request.param, moving[0].url, True) as made:
        yield Place(made, f"authcore-test-{secrets.token_hex(6)}")


def test_a_user_is_in_one_slot_and_users_are_everywhere(place: Place, moving: list[Server], clock: FrozenClock) -> None:
    """All keys of a user lie in the slot that each of their tokens names, and each node has its part of the users."""
    store, tokens = place.credentials(clock), {}
    for user in USERS:
        tokens[user] = [place.run(store.persist(a_state(clock, user))) for _ in range(3)]
        place.run(store.consume(tokens[user][0]))

    nodes = {server.port: _keys_by_tag(server, place.prefix) for server in moving}

    for of_user in tokens.values():
        (tag,) = {token[7:10] for token in of_user}
        (found,) = [tags[tag] for tags in nodes.values() if tag in tags]
        assert sorted(key.split(":")[-2] for key in found) == ["t", "t", "u"]
    assert all(len(tags) >= len(USERS) // 6 for tags in nodes.values()), {port: len(t) for port, t in nodes.items()}


def _keys_by_tag(server: Server, prefix: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with server.client() as client:
        for key in client.keys(f"{prefix}:*"):
            found.setdefault(key.decode().split("{")[1].split("}")[0], []).append(key.decode())
    return found


class Move:
    """A slot on its way from one node to another, key by key."""

    def __init__(self, servers: list[Server], slot: int) -> None:
        clients = [server.client() for server in servers]
        self._all = clients
        self.slot = slot
        owner = next(i for i, client in enumerate(clients) if _owns(client, slot))
        self._source, self._target = clients[owner], clients[(owner + 1) % len(clients)]
        self._port = servers[(owner + 1) % len(servers)].port
        self._from, self._to = (_id(client) for client in (self._source, self._target))

    def begin(self) -> None:
        """Open the slot on both nodes."""
        self._target.execute_command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self._from)
        self._source.execute_command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self._to)

    def carry(self, part: str) -> None:
        """Move the keys that have `part` in their name."""
        keys = self._source.execute_command("CLUSTER", "GETKEYSINSLOT", self.slot, 1000)
        chosen = [key for key in keys if part.encode() in key]
        self._source.execute_command("MIGRATE", "127.0.0.1", self._port, "", 0, 5000, "KEYS", *chosen)

    def finish(self) -> None:
        """Give the slot to its next owner."""
        for client in (self._target, self._source, *self._all):
            client.execute_command("CLUSTER", "SETSLOT", self.slot, "NODE", self._to)
        for client in self._all:
            client.close()


def _owns(client: Any, slot: int) -> bool:
    own = _id(client)
    for first, last, owner, *_ in client.execute_command("CLUSTER SLOTS"):
        if int(first) <= slot <= int(last):
            return _text(owner[2]) == own
    return False


def _id(client: Any) -> str:
    return _text(client.execute_command("CLUSTER", "MYID"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _move(servers: list[Server], token: str) -> Move:
    with servers[0].client() as client:
        return Move(servers, int(client.execute_command("CLUSTER", "KEYSLOT", token[7:10])))


def test_a_moved_slot_is_followed(place: Place, moving: list[Server], clock: FrozenClock) -> None:
    """A client whose map of slots is old follows to the node that a user's keys have gone to."""
    store = place.credentials(clock)
    token, other = (place.run(store.persist(a_state(clock))) for _ in range(2))
    move = _move(moving, token)
    move.begin()
    move.carry(":")
    move.finish()

    assert place.run(store.retrieve(token)) == a_state(clock)
    assert place.run(store.consume(other)) == a_state(clock)
    assert place.run(store.persist(a_state(clock)))
    assert len(place.run(store.list_for_user("ada"))) == 2
    assert place.run(store.revoke_all_for_user("ada")) == 2
    assert place.run(store.retrieve(token)) is None


@pytest.mark.parametrize("first", [":t:", ":u:"])
def test_a_slot_on_its_way_hides_nothing(place: Place, moving: list[Server], clock: FrozenClock, first: str) -> None:
    """While a user's keys lie on two nodes, ending them succeeds or is Unavailable; nothing ends half or is missed."""
    store = place.credentials(clock)
    token = place.run(store.persist(a_state(clock, f"half{first}")))
    move = _move(moving, token)
    move.begin()
    move.carry(first)

    for work in (store.consume(token), store.revoke_all_for_user(f"half{first}")):
        with pytest.raises(Unavailable):
            place.run(work)
    during = place.run(store.retrieve(token))
    move.carry(":")
    move.finish()

    assert during == a_state(clock, f"half{first}")
    assert place.run(store.revoke_all_for_user(f"half{first}")) == 1
    assert place.run(store.retrieve(token)) is None
    with pytest.raises(TokenRevoked):
        place.run(store.persist(a_state(clock, f"half{first}")))


def test_a_node_that_dies_is_unavailable_until_it_is_back(
    place: Place, moving: list[Server], clock: FrozenClock
) -> None:
    """A killed node's users are answered Unavailable; started again, it serves them, over the same client."""
    store = place.credentials(clock)
    token = place.run(store.persist(a_state(clock)))
    slot = _move(moving, token).slot
    owner = next(server for server in moving if _server_owns(server, slot))
    owner.kill()

    for work in (store.retrieve(token), store.consume(token), store.persist(a_state(clock))):
        with pytest.raises(Unavailable):
            place.run(work)

    owner.start()
    wait_for(lambda: _works(place, clock), "a cluster that works again")
    again = place.run(store.persist(a_state(clock)))
    assert place.run(store.consume(again)) == a_state(clock)


def _server_owns(server: Server, slot: int) -> bool:
    with server.client() as client:
        return _owns(client, slot)


def _works(place: Place, clock: FrozenClock) -> bool:
    store = place.credentials(clock)
    try:
        for user in USERS:
            place.run(store.persist(a_state(clock, user)))
    except Unavailable:
        return False
    return True
