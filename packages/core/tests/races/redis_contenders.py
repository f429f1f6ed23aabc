"""Contenders for one credential: four processes with ten threads each, at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from redis_servers import side

from authcore.backends.credentials.redis import RedisCredentialStore, RedisDenylist
from authcore.drive import run_blocking
from authcore.stores import AuthError, CredentialState

PROCESSES = 4
THREADS = 10
Try = tuple[str, Any]
"""What a contender does: the name of an act below, and what it is about."""


@dataclass(frozen=True)
class Setting:
    """Where all contend."""

    url: str
    prefix: str
    clustered: bool = False


def a_state(user: str, family: str | None = None) -> CredentialState:
    """Answer a state that lives for an hour."""
    now = datetime.now(UTC)
    end = now + timedelta(hours=1)
    return CredentialState(user_id=user, issued_at=now, expires_at=end, parent_credential_id=family)


class Acts:
    """What contenders do; each answers a number, for a test to add."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.store = RedisCredentialStore(client, f"{prefix}:cred")
        self.denied = RedisDenylist(client, f"{prefix}:dl")

    def consume(self, token: str) -> int:
        """Spend a token."""
        return int(run_blocking(self.store.consume(token)) is not None)

    def consume_naively(self, token: str) -> int:
        """Read, then delete: what the races must catch."""
        state = run_blocking(self.store.retrieve(token))
        if state is None:
            return 0
        self.client.delete(self.store._keys(token, state)[0])
        return 1

    def revoke(self, token: str) -> int:
        """End a token."""
        return int(run_blocking(self.store.revoke(token)))

    def revoke_all(self, user: str) -> int:
        """End every credential of a user."""
        return run_blocking(self.store.revoke_all_for_user(user))

    def persist(self, about: tuple[str, bytes]) -> int:
        """Make the credential of a seed."""
        return self._made(a_state(about[0]), about[1])

    def rotate(self, about: tuple[str, str]) -> int:
        """Spend a token and make its successor, as a rotation does."""
        token, user = about
        if run_blocking(self.store.consume(token)) is None:
            return 0
        return self._made(a_state(user, "family"), None)

    def deny(self, id_: str) -> int:
        """Deny an id."""
        return int(run_blocking(self.denied.add(id_, datetime.now(UTC) + timedelta(hours=1))))

    def _made(self, state: CredentialState, seed: bytes | None) -> int:
        try:
            run_blocking(self.store.persist(state, seed=seed))
        except AuthError:
            return 0
        return 1


@contextmanager
def contenders(setting: Setting) -> Iterator[Callable[[Sequence[Try]], list[int]]]:
    """Start the processes; answer a function that lets forty try at once, each in its turn of the tries."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    pipes, workers = [], []
    try:
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(setting, theirs, barrier), daemon=True)
            worker.start()
            pipes.append(ours)
            workers.append(worker)
        for pipe in pipes:
            assert pipe.recv() == "ready"
        yield lambda tries: _present(pipes, tries)
    finally:
        for pipe in pipes:
            with suppress(OSError):
                pipe.send(None)
        for worker in workers:
            worker.join(timeout=20)


def _present(pipes: Sequence[Connection], tries: Sequence[Try]) -> list[int]:
    everyone = [tries[number % len(tries)] for number in range(PROCESSES * THREADS)]
    for number, pipe in enumerate(pipes):
        pipe.send(everyone[number :: len(pipes)])
    return [answer for pipe in pipes for answer in pipe.recv()]


def _work(setting: Setting, pipe: Connection, barrier: Any) -> None:
    with side("blocking", setting.url, setting.clustered) as made:
        acts = Acts(made.client, setting.prefix)
        pipe.send("ready")
        while (tries := pipe.recv()) is not None:
            pipe.send(_volley(acts, tries, barrier))


def _volley(acts: Acts, tries: Sequence[Try], barrier: Any) -> list[int]:
    start = threading.Barrier(len(tries), action=barrier.wait)
    answers: list[int] = []

    def contend(name: str, about: Any) -> None:
        acts.client.ping()  # every thread has a connection before the start
        start.wait()
        answers.append(getattr(acts, name)(about))

    threads = [threading.Thread(target=contend, args=each) for each in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
