"""Contenders: processes with threads that send requests at the same moment, and what each was answered."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, Literal

import sqlalchemy as sa
from naive import NAIVE

from authcore import (
    Account,
    Anonymous,
    Auth,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
    Request,
    Sessions,
)
from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms

PASSWORD = "three quiet herons wade"
PROCESSES = 4
Answered = tuple[int, Any]


@dataclass(frozen=True)
class Setting:
    """What every process declares alike: the rooms of a cast, the grace of refreshes, and which store is naive.

    `limit` is how many sessions a user may have, and `on_limit` what happens there; `rotation` is of refresh tokens.
    """

    database: str
    grace: timedelta
    threads: int
    naive: str | None = None
    cast: str = "refreshing"
    limit: int | None = None
    on_limit: Literal["reject", "evict_oldest"] = "reject"
    rotation: Literal["sliding", "always", "none"] = "sliding"


@dataclass(frozen=True)
class Shot:
    """One request. `late` contenders send it so many seconds after the clock of the others."""

    path: str
    body: Mapping[str, Any]
    bearer: str | None = None
    method: str = "POST"
    late: float = 0.0


@dataclass
class Clock:
    """The time of the system, moved on per thread."""

    ahead: threading.local = field(default_factory=threading.local)

    def now(self) -> datetime:
        """Answer the time, aware, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=getattr(self.ahead, "seconds", 0.0))


def rooms(setting: Setting) -> list[Any]:
    """Answer the rooms of a cast."""
    sessions = Sessions(
        grace=setting.grace, rotation=setting.rotation, max_sessions=setting.limit, on_limit=setting.on_limit
    )
    if setting.cast == "refreshing":
        return [Password(require_code=False), sessions]
    if setting.cast == "open":
        return [Password(require_code=False), EmailVerification(send_at_sign_up=False), sessions]
    if setting.cast == "code":
        return [Password(require_code=False), EmailCode(remember=True), sessions]
    return [
        Password(change_code=True),
        PasswordReset(),
        EmailVerification(),
        EmailChange(),
        MagicLink(),
        Code(phone=True),
        Account(username=True, phone=True, several_emails=True),
        Anonymous(),
        Notices(),
        sessions,
    ]


def declare(setting: Setting, **settings: Any) -> Auth:
    """Answer the Auth of one process."""
    return Auth(
        **{
            "dev_mode": True,
            "secret": "races-need-one-secret-for-all-processes",
            "database": setting.database,
            "features": rooms(setting),
            "hashing": CHEAP,
            "limits": False,
            "outbox": "external",
            "mailer": MemoryMailer(),
            "sms": MemorySms(),
            **settings,
        }
    )


@contextmanager
def contenders(setting: Setting) -> Iterator[Callable[[Sequence[Shot]], list[Answered]]]:
    """Start the processes; answer a function that lets them send requests at once and collects (status, body).

    Each thread takes its turn of the requests, so that one alone is everybody's.
    """
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
        yield lambda shots: _present(pipes, shots, setting.threads)
    finally:
        for pipe in pipes:
            with suppress(OSError):
                pipe.send(None)
        for worker in workers:
            worker.join(timeout=20)


def _present(pipes: Sequence[Connection], shots: Sequence[Shot], threads: int) -> list[Answered]:
    everyone = [shots[number % len(shots)] for number in range(threads * len(pipes))]
    for number, pipe in enumerate(pipes):
        pipe.send(everyone[number :: len(pipes)])
    return [answer for pipe in pipes for answer in pipe.recv()]


def _work(setting: Setting, pipe: Connection, barrier: Any) -> None:
    if setting.naive is not None:
        NAIVE[setting.naive]()
    clock = Clock()
    auth = declare(setting, clock=clock)
    auth.blocking_core().dispatch(Request("GET", "/health"))
    pipe.send("ready")
    while (shots := pipe.recv()) is not None:
        pipe.send(volley(auth, shots, clock, barrier))
    auth.dispose()


def volley(auth: Auth, shots: Sequence[Shot], clock: Clock | None = None, others: Any = None) -> list[Answered]:
    """Send each request in a thread of its own, all at the same moment; with `others`, as many processes do."""
    start = threading.Barrier(len(shots), action=others.wait if others is not None else None)
    answers: list[Answered] = []

    def contend(shot: Shot) -> None:
        if clock is not None:
            clock.ahead.seconds = shot.late
        start.wait()
        answers.append(send(auth, shot))

    started = [threading.Thread(target=contend, args=(shot,)) for shot in shots]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return answers


def send(auth: Auth, shot: Shot) -> Answered:
    """Send one request to the core and answer status and body."""
    headers = {"content-type": "application/json"}
    if shot.bearer is not None:
        headers["authorization"] = f"Bearer {shot.bearer}"
    raw = json.dumps(shot.body).encode()
    result = auth.blocking_core().dispatch(Request(shot.method, shot.path, raw, headers, "127.0.0.1"))
    return result.status, json.loads(result.body)


def post(auth: Auth, path: str, body: dict[str, Any]) -> Answered:
    """Send one JSON body to the core and answer status and body."""
    return send(auth, Shot(path, body))


def refreshing(token: str) -> list[Shot]:
    """Answer the request that presents a refresh token."""
    return [Shot("/refresh", {"refresh_token": token})]


def refresh(auth: Auth, token: str) -> Answered:
    """Present a refresh token."""
    return send(auth, refreshing(token)[0])


def counted(url: str, *statements: sa.Select[Any]) -> list[Any]:
    """Answer counts straight from the database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [connection.execute(statement).scalar_one() for statement in statements]
