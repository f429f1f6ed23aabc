"""Redis that is away, hangs, refuses, or whose reply is lost on the way (O2)."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("redis", reason="the Redis driver is an extra")

import redis
from redis_servers import CLIENTS, Place, Server, once, side

from authcore.credentials import CredentialState, RedisCredentialStore, RedisDenylist
from authcore.drive import run_blocking
from authcore.errors import Unavailable
from authcore.testing.ports import FrozenClock


def a_state(clock: FrozenClock) -> CredentialState:
    """Answer a state of a family that lives for an hour."""
    end = clock.now() + timedelta(hours=1)
    return CredentialState(user_id="ada", issued_at=clock.now(), expires_at=end, parent_credential_id="f")


@pytest.fixture(params=CLIENTS)
def place(request: pytest.FixtureRequest, own_redis: Server) -> Iterator[Place]:
    """Each kind of client of a server that the test may stop; it waits at most half a second for an answer."""
    with side(request.param, own_redis.url, socket_timeout=0.5) as made:
        yield Place(made, "trouble")


def everything(
    store: RedisCredentialStore, denied: RedisDenylist, token: str, clock: FrozenClock
) -> list[Coroutine[Any, Any, Any]]:
    """Answer every call that asks Redis."""
    return [
        store.persist(a_state(clock)),
        store.retrieve(token),
        store.consume(token),
        store.update(token, a_state(clock)),
        store.revoke(token),
        store.revoke_family("ada", "f"),
        store.revoke_all_for_user("ada"),
        store.list_for_user("ada"),
        denied.add("id", clock.now() + timedelta(hours=1)),
        denied.has("id"),
    ]


def test_a_killed_server_is_unavailable_until_it_is_back(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """Killed in the middle, every call raises Unavailable; started again, the same client works."""
    store, denied = place.credentials(clock), place.denylist(clock)
    token = place.run(store.persist(a_state(clock)))
    own_redis.kill()

    for call in everything(store, denied, token, clock):
        with pytest.raises(Unavailable) as caught:
            place.run(call)
        assert (caught.value.status, dict(caught.value.headers)["Retry-After"]) == (503, "2")

    own_redis.start()
    token = place.run(store.persist(a_state(clock)))
    assert place.run(store.consume(token)) == a_state(clock)
    assert place.run(denied.add("id", clock.now() + timedelta(hours=1))) is True


def test_a_server_that_hangs_is_unavailable(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """A server that accepts and never answers is Unavailable once the client's timeout is over."""
    store, denied = place.credentials(clock), place.denylist(clock)
    token = place.run(store.persist(a_state(clock)))
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        for call in (store.retrieve(token), denied.has("id")):
            with pytest.raises(Unavailable):
                place.run(call)
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)

    assert place.run(store.retrieve(token)) == a_state(clock)


def test_a_full_server_makes_nothing_and_ends_everything(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """A full server makes and changes no credential, Unavailable; what is there is read, consumed and revoked."""
    store = place.credentials(clock)
    tokens = [place.run(store.persist(a_state(clock), seed=bytes(31) + bytes([n]))) for n in range(4)]
    with own_redis.client() as admin:
        admin.config_set("maxmemory", "1")

    for refused in (store.persist(a_state(clock)), store.update(tokens[0], a_state(clock))):
        with pytest.raises(Unavailable):
            place.run(refused)

    assert place.run(store.retrieve(tokens[0])) == a_state(clock)
    assert place.run(store.consume(tokens[0])) == a_state(clock)
    assert place.run(store.revoke(tokens[1])) is True
    assert place.run(store.revoke_family("ada", "f")) == 2
    assert place.run(store.list_for_user("ada")) == []


def test_too_few_replicas_are_unavailable(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """A server that lacks the replicas it should write to makes no credential and ends none: Unavailable."""
    store = place.credentials(clock)
    token = place.run(store.persist(a_state(clock)))
    with own_redis.client() as admin:
        admin.config_set("min-replicas-to-write", "1")

    for refused in (store.persist(a_state(clock)), store.consume(token), store.revoke_all_for_user("ada")):
        with pytest.raises(Unavailable):
            place.run(refused)

    assert place.run(store.retrieve(token)) == a_state(clock)


def test_a_replica_is_unavailable_for_writes(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """A server that became a replica refuses to write: Unavailable."""
    with own_redis.client() as admin:
        admin.replicaof("127.0.0.1", 1)

    with pytest.raises(Unavailable):
        place.run(place.credentials(clock).persist(a_state(clock)))


def test_a_busy_server_is_unavailable(place: Place, own_redis: Server, clock: FrozenClock) -> None:
    """A server that somebody's endless script keeps busy is Unavailable, and works when the script is ended."""
    store = place.credentials(clock)
    token = place.run(store.persist(a_state(clock)))
    with own_redis.client() as admin, own_redis.client(socket_timeout=20) as other:
        admin.config_set("busy-reply-threshold", 50)
        endless = threading.Thread(target=_ignore_errors, args=(lambda: other.eval("while true do end", 0),))
        endless.start()
        try:
            assert any(_is_unavailable(place, store, token) for _ in range(1_000))
        finally:
            _end_script(admin)
            endless.join(timeout=20)

    assert place.run(store.retrieve(token)) == a_state(clock)


def _is_unavailable(place: Place, store: RedisCredentialStore, token: str) -> bool:
    try:
        place.run(store.retrieve(token))
    except Unavailable:
        return True
    return False


def _ignore_errors(work: Callable[[], Any]) -> None:
    with suppress(redis.RedisError):
        work()


def _end_script(admin: Any) -> None:
    for _ in range(1_000):
        with suppress(redis.RedisError):
            admin.script_kill()
            return


def test_a_right_that_lacks_is_no_outage(own_redis: Server, clock: FrozenClock) -> None:
    """A user of Redis without the right to run scripts is told what lacks, not that the service is away."""
    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~*", "+get")

    with own_redis.client(username="weak", password="weak") as client:
        store = RedisCredentialStore(client, clock=clock)
        with pytest.raises(redis.exceptions.NoPermissionError):
            run_blocking(store.persist(a_state(clock)))


class Losing:
    """A wire to a server, on which the reply of the next EVAL is lost and the connection cut."""

    def __init__(self, target: int) -> None:
        self._target, self._lose, self.evals = target, threading.Event(), 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next(self) -> None:
        """Lose the reply of the next EVAL."""
        self.evals = 0
        self._lose.set()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        # redis-py sends a command and waits, so what comes in one go is one question, then one answer.
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, suppress(OSError):
            while question := client.recv(1 << 20):
                server.sendall(question)
                answer = server.recv(1 << 20)
                self.evals += b"EVAL" in question
                if b"EVAL" in question and self._lose.is_set():
                    self._lose.clear()
                    return
                client.sendall(answer)


@contextmanager
def losing(target: int, **how: Any) -> Iterator[tuple[Losing, Any]]:
    """Answer a wire that can lose a reply, and a client over it."""
    wire = Losing(target)
    try:
        with redis.Redis(port=wire.port, **how) as client:
            yield wire, client
    finally:
        wire.close()


def test_a_lost_reply_spends_once_and_says_so(own_redis: Server, clock: FrozenClock) -> None:
    """A client without retries: the caller of a consume whose reply was lost sees Unavailable, and nobody spends it."""
    with losing(own_redis.port, retry=once()) as (wire, client):
        store = RedisCredentialStore(client, clock=clock)
        token = run_blocking(store.persist(a_state(clock)))
        wire.lose_next()

        with pytest.raises(Unavailable):
            run_blocking(store.consume(token))

        assert wire.evals == 1
        assert run_blocking(store.consume(token)) is None


def test_scripts_that_are_sent_again_change_nothing_more(own_redis: Server, clock: FrozenClock) -> None:
    """A client that sends again what had no reply makes one credential, and never spends one twice."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    again = {"retry": Retry(NoBackoff(), 3), "retry_on_error": [redis.ConnectionError]}
    with losing(own_redis.port, **again) as (wire, client):
        store = RedisCredentialStore(client, clock=clock)
        wire.lose_next()
        token = run_blocking(store.persist(a_state(clock)))
        made = (wire.evals, len(run_blocking(store.list_for_user("ada"))))
        wire.lose_next()
        spent = run_blocking(store.consume(token)), wire.evals

    assert made[1] == 1
    assert made[0] == 2
    assert spent == (None, 2)  # the second run finds nothing: hence the advice to send once
