"""A hundred users sign up at once while the mail server stops: who gets in, what is answered, which mails come.

`python benchmarks/hundred_users.py [--users N] [--adapter flask|fastapi|…] [--stop SECONDS] [--kill] [--out FILE]`

Four workers on PostgreSQL. Each user signs up, waits for the mail, types its code and opens a guarded page; a 503 is
repeated after its `Retry-After`. Status 0 if all got in by nothing but 200, 202 and such 503s, and each mail that the
outbox holds came, under one key. `--kill` kills a worker in the middle; connections that break are repeated then.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
import targets
from post_office import PostOffice

from authcore.services.outbox import LEASE, effects

USERS = 100
WORKERS = 4
STOP = 10.0  # seconds
PATIENCE = 120.0  # seconds for one user's way, and for what is left in the outbox
PASSWORD = "four words without sense"
CODE = re.compile(r"^(\d{6}) is your code", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """What was answered, and what came."""

    answers: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    inside: int = 0
    failures: list[str] = field(default_factory=list)
    effects: int = 0
    lost: int = 0
    under_two_keys: int = 0
    twice_under_one_key: int = 0
    seconds: float = 0.0

    def holds(self, users: int, *, killed: bool) -> bool:
        """Tell whether everybody got in, as they should, and each mail came."""
        # Who was answered nothing asks again: what was spent is refused then, and a sign-up is another challenge.
        usual = self.answers.keys() - {"200", "202", "503 with Retry-After"} <= ({"400"} if killed else set())
        counted = killed or not (self.broken or self.under_two_keys)
        return usual and counted and self.inside == users and not self.lost and self.effects >= users


class Refused(Exception):
    """An answer that is neither success nor a 503 with Retry-After."""


class User:
    """One user's way in, over connections of its own."""

    def __init__(self, port: int, number: int, office: PostOffice, *, killed: bool) -> None:
        self._port, self._office, self._killed = port, office, killed
        self.answers: Counter[str] = Counter()
        self.broken, self.inside = 0, False
        self._email = f"user{number:03}@people.example"
        self._until = time.monotonic() + PATIENCE

    def come_in(self) -> None:
        """Sign up, type the code, open the guarded page."""
        account = {"email": self._email, "password": PASSWORD, "transport": "bearer"}
        challenge = self._ask("POST", "/auth/sign-up", account)["challenge"]["id"]
        token = self._type_code(challenge) or self._ask("POST", "/auth/sign-in", account)["access_token"]
        hello = self._ask("GET", "/hello", headers={"Authorization": f"Bearer {token}"})
        self.inside = hello == {"hello": self._email}

    def _type_code(self, challenge: str) -> str | None:
        """Answer the access token, or None where the code was spent and the answer never came.

        A repeated sign-up is another challenge: where workers die the first mail may be that of the one before.
        """
        for number in range(1, 3 if self._killed else 2):
            mail = self._office.await_mail(self._email, number, PATIENCE)
            broken = self.broken
            try:
                typed = {"challenge_id": challenge, "code": _code(mail.text), "transport": "bearer"}
                token: str = self._ask("POST", "/auth/sign-up/verify", typed)["access_token"]
                return token
            except Refused:
                if not self._killed:
                    raise
                if self.broken > broken:
                    return None
        raise Refused("no mail had the code")

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Answer the body of a 200 or 202; ask again after a 503, and after a broken connection if workers die."""
        while time.monotonic() < self._until:
            try:
                status, again, content = self._send(method, path, body, headers or {})
            except (OSError, http.client.HTTPException):
                self.broken += 1
                if not self._killed:
                    raise
                time.sleep(0.2)
                continue
            self.answers[f"{status} with Retry-After" if again else str(status)] += 1
            if status in (200, 202):
                return json.loads(content)
            if not again:
                raise Refused(f"{method} {path} was answered {status}: {content!r}")
            time.sleep(float(again))
        raise TimeoutError(f"{method} {path} was answered 503 for {PATIENCE:.0f} seconds")

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> tuple[int, str | None, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            kind = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, {**kind, **headers})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Retry-After"), answer.read()
        finally:
            connection.close()


def _code(text: str) -> str:
    found = CODE.search(text)
    if found is None:
        raise ValueError("the mail has no line with a code")
    return found[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Let them come in; print what was seen; answer 0 if it is as it should be."""
    given = _options(arguments)
    seen, began = Seen(), time.monotonic()
    office = PostOffice()
    office.open()
    with TemporaryDirectory(prefix="authcore-bench-") as folder:
        clock = Path(folder) / "clock"
        clock.write_text("0")
        options = ("--adapter", given.adapter, "--workers", str(WORKERS), "--clock", str(clock))
        with targets.served("postgresql", *options, "--smtp", f"127.0.0.1:{office.port}") as target:
            _let_in(given, target, office, seen, clock)
            _count(target.database, office, seen)
    office.close()
    seen.seconds = round(time.monotonic() - began, 1)
    holds = seen.holds(given.users, killed=given.kill)
    told = {**asdict(seen), "holds": holds}
    print(*(f"{name:20} {value}" for name, value in told.items()), sep="\n")
    if given.out:
        given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0 if holds else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Let users sign up while the mail server stops.", allow_abbrev=False)
    parser.add_argument("--users", type=int, default=USERS, metavar="N")
    parser.add_argument("--adapter", choices=("flask", "fastapi", "django", "litestar"), default="fastapi")
    parser.add_argument("--stop", type=float, default=STOP, metavar="SECONDS", help="how long no mail is taken")
    parser.add_argument("--kill", action="store_true", help="kill a worker in the middle, too")
    parser.add_argument("--out", type=Path, help="a file for what was seen, as JSON")
    return parser.parse_args(arguments)


def _let_in(given: argparse.Namespace, target: targets.Target, office: PostOffice, seen: Seen, clock: Path) -> None:
    with ThreadPoolExecutor(given.users) as pool:
        users = [User(target.port, number, office, killed=given.kill) for number in range(given.users)]
        coming = [pool.submit(user.come_in) for user in users]
        _await(lambda: len(office.mails()) >= given.users // 4, coming)
        office.close()
        if given.kill:
            os.kill(targets.leaves(target.process)[0], signal.SIGKILL)
        time.sleep(given.stop)
        office.open()
        if given.kill:
            # What the killed one was about to send is leased to it: here a minute passes at once.
            clock.write_text(str(LEASE.total_seconds() + 1))
        done, _ = wait(coming)
    seen.answers = dict(sum((user.answers for user in users), Counter()))
    seen.broken = sum(user.broken for user in users)
    seen.inside = sum(user.inside for user in users)
    seen.failures = sorted({f"{type(error).__name__}: {error}" for one in done if (error := one.exception())})


def _await(so: Any, coming: Sequence[Future[None]]) -> None:
    """Wait until something is so, at most until all who come are done."""
    while not so() and not all(one.done() for one in coming):
        time.sleep(0.01)


def _count(database: str, office: PostOffice, seen: Seen) -> None:
    """Compare what came with what the outbox holds, once it has nothing left to do."""
    keys = _sent_keys(database)
    came = Counter((mail.to, mail.message_id) for mail in office.mails())
    ids = {message_id.partition("@")[0].strip("<") for _, message_id in came}
    seen.effects = len(keys)
    seen.lost = len({hashlib.sha256(key.encode()).hexdigest()[:40] for key in keys} - ids)
    each = Counter({(mail.to, mail.subject, mail.message_id): 1 for mail in office.mails()})
    kinds = Counter((to, subject) for to, subject, _ in each)
    seen.under_two_keys = sum(count > 1 for count in kinds.values())
    seen.twice_under_one_key = sum(count - 1 for count in came.values())


def _sent_keys(database: str) -> list[str]:
    """Answer the keys of all mails that are to be sent, after the last of them is done."""
    engine, until = targets.engine_of(database), time.monotonic() + PATIENCE
    waiting = sa.select(sa.func.count()).select_from(effects).where(effects.c.done_at.is_(None))
    try:
        while time.monotonic() < until:
            with engine.connect() as connection:
                if not connection.scalar(waiting):
                    break
            time.sleep(0.2)
        with engine.connect() as connection:
            return list(connection.scalars(sa.select(effects.c.key).where(effects.c.void.is_(False))))
    finally:
        engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
