"""Contenders: processes with threads that present one refresh token at the same moment, and what each was answered."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import sqlalchemy as sa

from authcore import Auth, Password, Request, Sessions
from authcore.backends.argon2 import CHEAP
from authcore.services import sessions
from authcore.services.sessions import Rotation, RotationRefused

PASSWORD = "three quiet herons wade"
PROCESSES = 4


@dataclass(frozen=True)
class Setting:
    """What every process declares alike."""

    database: str
    grace: timedelta
    threads: int
    naive: bool = False


def declare(setting: Setting) -> Auth:
    """Answer the Auth of one process."""
    return Auth(
        dev_mode=True,
        secret="races-need-one-secret-for-all-processes",
        database=setting.database,
        features=[Password(require_code=False), Sessions(grace=setting.grace)],
        hashing=CHEAP,
        limits=False,
        outbox="external",
    )


@contextmanager
def contenders(setting: Setting) -> Iterator[Callable[[str], list[tuple[int, Any]]]]:
    """Start the processes; answer a function that lets all of them present a token and collects (status, body)."""
    context = multiprocessing.get_context("spawn")
    pipes, workers = [], []
    try:
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(setting, theirs), daemon=True)
            worker.start()
            pipes.append(ours)
            workers.append(worker)
        for pipe in pipes:
            assert pipe.recv() == "ready"
        yield lambda token: _present(pipes, token)
    finally:
        for pipe in pipes:
            with suppress(OSError):
                pipe.send(None)
        for worker in workers:
            worker.join(timeout=20)


def _present(pipes: list[Connection], token: str) -> list[tuple[int, Any]]:
    for pipe in pipes:
        pipe.send(token)
    return [answer for pipe in pipes for answer in pipe.recv()]


def _work(setting: Setting, pipe: Connection) -> None:
    if setting.naive:
        sessions.rotate = naive_rotate
    auth = declare(setting)
    auth.blocking_core().dispatch(Request("GET", "/health"))
    pipe.send("ready")
    while (token := pipe.recv()) is not None:
        pipe.send(_volley(auth, token, setting.threads))
    auth.dispose()


def _volley(auth: Auth, token: str, threads: int) -> list[tuple[int, Any]]:
    barrier = threading.Barrier(threads)
    answers: list[tuple[int, Any]] = []

    def contend() -> None:
        barrier.wait()
        answers.append(refresh(auth, token))

    started = [threading.Thread(target=contend) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return answers


def post(auth: Auth, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Send one JSON body to the core and answer status and body."""
    raw = json.dumps(body).encode()
    result = auth.blocking_core().dispatch(
        Request("POST", path, raw, {"content-type": "application/json"}, "127.0.0.1")
    )
    return result.status, json.loads(result.body)


def refresh(auth: Auth, token: str) -> tuple[int, Any]:
    """Present a refresh token."""
    return post(auth, "/refresh", {"refresh_token": token})


def naive_rotate(tx: sa.Connection, turn: Rotation) -> Any:
    """Rotate by reading first and writing after: the store that the harness must catch."""
    row = tx.execute(sessions._BY_REFRESH, {"digest_": turn.digest, "tenant_": turn.tenant}).one_or_none()
    if row is None or row.used_at is not None:
        return RotationRefused()
    known = {"used_at": turn.now, "nonce": turn.nonce, "key_id": turn.key_id, "next_digest": turn.next_refresh}
    tx.execute(sa.update(sessions.refresh).where(sessions.refresh.c.digest == turn.digest).values(**known))
    session = tx.execute(sessions._SESSION_WITH_USER, {"id_": row.session_id, "tenant_": turn.tenant}).one()
    return sessions._succeed(tx, turn, session)
