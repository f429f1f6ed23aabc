"""Keys change while four processes behind one address are asked all the time, and no request fails (S33, rule O4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fleet import NODE, Answer, Fleet, Load, fleet, kid, person
from rotating_node import ACCESS, VARIABLE, declare

from authcore.backends.mail import MemoryMailer
from authcore.backends.system import OffsetClock
from authcore.services import signing_keys

pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")

OLD = "the old secret of all processes, long enough"
NEW = "the new secret of all processes, long enough"
STEP = 5  # seconds that the clock is moved by at once
CLIENTS = 4
Told = dict[str, Any]


@pytest.fixture
def told(postgres_url: str, tmp_path: Path) -> Told:
    """Answer what every process declares, over tables that are there."""
    told = {
        "database": postgres_url,
        "secret": OLD,
        "algorithm": "HS256",
        "clock": str(tmp_path / "clock"),
        "codes": False,
    }
    auth = declare(told)
    auth.create_tables()
    auth.dispose()
    return told


class Time:
    """The clock of all processes, which is moved while they serve."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._offset = 0.0
        self.clock = OffsetClock(path)

    def pass_by(self, span: timedelta, load: Load) -> None:
        """Let time pass in small steps, and in each of them let every client ask about once."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self._offset += STEP
            beside = self._path.with_suffix(".next")
            beside.write_text(str(self._offset))
            beside.replace(self._path)
            load.go_on(CLIENTS)


def command(told: Told, *arguments: str) -> str:
    """Run `authcore …` for the application of all processes; answer what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "authcore", *arguments, "--app", "rotating_node:declared"],
        cwd=NODE.parent,
        env={**os.environ, VARIABLE: json.dumps(told)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def published(fleet: Fleet) -> list[list[str]]:
    """Answer the keys that each process publishes."""
    answers = fleet.everywhere("GET", "/.well-known/jwks.json")
    return [sorted(key["kid"] for key in answer.body["keys"]) for answer in answers]


def tell(capsys: pytest.CaptureFixture[str], load: Load, began: float, more: str) -> None:
    """Print what was measured."""
    with capsys.disabled():
        asked = ", ".join(f"{count} {what}" for what, count in sorted(load.asked.items()))
        print(f"\n{load.requests} requests in {time.monotonic() - began:.1f} s, {len(load.failures)} failed: {asked}")
        print(f"{len(load.processes)} processes answered; {more}")


class Bearer:
    """A program that signs in, refreshes and calls a guarded route, and uses tokens nearly to their end."""

    def __init__(self, load: Load, clock: OffsetClock) -> None:
        self.load, self.clock = load, clock
        self.person = person()
        self.signed: Counter[str] = Counter()
        self.kept: list[tuple[str, datetime]] = []
        self.oldest: Counter[str] = Counter()
        load.ask("POST", "/sign-up", self.person)

    def __call__(self) -> None:
        """Sign in, refresh a few times, and call with each fresh token and with the oldest that lives."""
        session = self.load.ask("POST", "/sign-in", self.person).body
        self.kept.append((self.open(session), self.clock.now() + ACCESS - timedelta(minutes=1)))
        for _ in range(3):
            session = refreshed(self.load, session)
            self.open(session)
            self.open_oldest()

    def open(self, session: Any) -> str:
        """Call the guarded route with a fresh token; answer it."""
        token = str(session["access_token"])
        self.signed[kid(token)] += 1
        self.load.ask("GET", "/orders", token=token)
        return token

    def open_oldest(self) -> None:
        """Call the guarded route with the oldest token that lives for another minute."""
        now = self.clock.now()
        self.kept = [(token, until) for token, until in self.kept if until > now]
        for token, _ in self.kept[:1]:
            self.oldest[kid(token)] += 1
            self.load.ask("GET", "/orders", token=token)


def test_no_request_fails_while_the_signing_key_changes(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """O4: `authcore keys rotate` publishes the next key beside the old one, signs with it, and the old one goes."""
    told = {**told, "algorithm": "ES256"}
    clock, began = Time(told["clock"]), time.monotonic()
    with fleet(told) as processes:
        load = Load(processes)
        clients = [Bearer(load, clock.clock) for _ in range(CLIENTS)]
        with load.of(*clients):
            load.go_on(100)
            (old,) = published(processes)[0]

            printed = command(told, "keys", "rotate")
            clock.pass_by(signing_keys.RELOAD, load)
            both = published(processes)
            before = sum((client.signed for client in clients), Counter())
            clock.pass_by(signing_keys.AHEAD, load)
            signing = published(processes)
            active = sum((client.oldest for client in clients), Counter())
            clock.pass_by(ACCESS + signing_keys.SLACK, load)
            after = published(processes)
            load.go_on(100)
        signed = sum((client.signed for client in clients), Counter())
        opened = sum((client.oldest for client in clients), Counter())

    (new,) = after[0]
    late = opened[old] - active[old]
    more = f"tokens signed by the old key {signed[old]}, by the one after it {signed[new]}, opened late {late}"
    tell(capsys, load, began, more)
    assert load.failures == []
    assert f"Published: {new}." in printed
    assert both == signing == [sorted([old, new])] * len(both)
    assert after == [[new]] * len(after)
    assert set(before) == {old}
    assert set(signed) == {old, new}
    assert min(*signed.values(), late) > 20
    assert len(load.processes) == 4


class SignUps:
    """People who sign up by a mailed code, read by a process that knows both secrets."""

    def __init__(self, load: Load, told: Told) -> None:
        self.load = load
        self._mailer = MemoryMailer()
        self._auth = declare(told, mailer=self._mailer)
        self._mutex = threading.Lock()

    def begin(self, who: dict[str, str]) -> str:
        """Begin to sign up; answer the challenge."""
        return str(self.load.ask("POST", "/sign-up", who, expected={202}).body["challenge"]["id"])

    def finish(self, who: dict[str, str], challenge: str) -> Any:
        """Prove the address by the mailed code; answer the session."""
        with self._mutex:
            self._auth.outbox.drain()
            code = next(mail.code for mail in self._mailer.mails if mail.to == who["email"])
        return self.load.ask("POST", "/sign-up/verify", {"challenge_id": challenge, "code": code}).body

    def __call__(self) -> Any:
        """Sign somebody up."""
        who = person()
        return self.finish(who, self.begin(who))

    def close(self) -> None:
        """Close what reads the mails."""
        self._auth.dispose()


class Grace:
    """A program whose answers get lost: each refresh token is presented twice."""

    def __init__(self, load: Load, session: Any) -> None:
        self.load, self.session = load, session
        self.signed: Counter[str] = Counter()

    def __call__(self) -> None:
        """Refresh twice with one token: both answers are one successor, and both open."""
        first, again = refreshed(self.load, self.session), refreshed(self.load, self.session)
        if first["refresh_token"] != again["refresh_token"]:
            self.load.fail("POST /refresh answered two successors", 200, None)
        for each in (first, again):
            self.signed[kid(each["access_token"])] += 1
            self.load.ask("GET", "/orders", token=each["access_token"])
        self.session = again


def refreshed(load: Load, session: Any) -> Any:
    """Present a session's refresh token."""
    return load.ask("POST", "/refresh", {"refresh_token": session["refresh_token"]}).body


class Browser:
    """A browser with sealed cookies."""

    def __init__(self, load: Load, who: dict[str, str]) -> None:
        self.load = load
        self.person = {**who, "transport": "cookie"}

    def sign_in(self) -> dict[str, str]:
        """Sign in; answer the cookies."""
        return dict(self.load.ask("POST", "/sign-in", self.person, jar={}).cookies)

    def __call__(self) -> None:
        """Sign in, and renew the cookies a few times."""
        jar = self.sign_in()
        for _ in range(3):
            self.load.ask("GET", "/orders", jar=jar)
            jar.update(self.load.ask("POST", "/refresh", {}, jar=jar).cookies)


class Begun:
    """What was made under the old secret alone, and is used when another one has come."""

    def __init__(self, load: Load, sign_ups: SignUps, who: dict[str, str]) -> None:
        self.load, self.sign_ups, self.browser = load, sign_ups, Browser(load, who)
        self.session = load.ask("POST", "/sign-in", who).body
        self.jar = self.browser.sign_in()
        self.lost = load.ask("POST", "/sign-in", who).body
        self.successor = refreshed(load, self.lost)["refresh_token"]
        self.codes = [(each, sign_ups.begin(each)) for each in (person() for _ in range(2))]

    def is_used(self) -> list[int]:
        """Open what each process must open, lose an answer again, and prove an address; answer what was not equal."""
        opened = self.load.fleet.everywhere("GET", "/orders", token=self.session["access_token"])
        opened += self.load.fleet.everywhere("GET", "/orders", jar=self.jar)
        again = {refreshed(self.load, self.lost)["refresh_token"] for _ in range(8)}
        session = self.sign_ups.finish(*self.codes.pop())
        self.load.ask("GET", "/orders", token=session["access_token"])
        return [each.status for each in opened if each.status != 200] + [0] * (again != {self.successor})


def test_no_request_fails_while_the_secret_changes(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """S33, T6: `[old, new]` on each process, then `[new, old]`: tokens, cookies, successors and codes go on."""
    told, began = {**told, "codes": True}, time.monotonic()
    with fleet(told) as processes:
        load = Load(processes)
        sign_ups = SignUps(load, {**told, "secret": [OLD, NEW]})
        who = person()
        sign_ups.finish(who, sign_ups.begin(who))
        begun = Begun(load, sign_ups, who)
        grace = [Grace(load, sign_ups()) for _ in range(2)]
        with load.of(*grace, Browser(load, who), sign_ups):
            load.go_on(50)
            processes.replace_each({**told, "secret": [OLD, NEW]})
            unequal = begun.is_used()
            known = sum((client.signed for client in grace), Counter())
            processes.replace_each({**told, "secret": [NEW, OLD]})
            unequal += begun.is_used()
            load.go_on(50)
        sign_ups.close()
        last = {kid(load.ask("POST", "/sign-in", who).body["access_token"]) for _ in range(8)}

    signed = sum((client.signed for client in grace), Counter())
    (old,), (new,) = known, last
    tell(capsys, load, began, f"tokens under the old secret {signed[old]}, under the one after it {signed[new]}")
    assert load.failures == []
    assert unequal == []
    assert new != old
    assert set(signed) == {old, new}
    assert len(load.processes) == 12


def test_a_secret_that_others_do_not_know_is_refused_by_them(told: Told) -> None:
    """S33: one that signs with a secret before all know it is refused by the others, so it is given last at first."""
    with fleet(told, 2) as processes:
        load = Load(processes)
        who = person()
        load.ask("POST", "/sign-up", who)
        ahead = processes.replace(0, {**told, "secret": [NEW, OLD]})
        signed = next(each for each in repeated(load, who) if each.process == ahead)

        said = processes.everywhere("GET", "/orders", token=signed.body["access_token"])

    assert {each.status for each in said if each.process == ahead} == {200}
    assert {each.status for each in said if each.process != ahead} == {401}


def repeated(load: Load, who: dict[str, str]) -> Iterator[Answer]:
    """Sign in again and again, wherever the request arrives."""
    for _ in range(1000):
        yield load.ask("POST", "/sign-in", who)
