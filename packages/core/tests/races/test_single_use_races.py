"""Rule T2: of many who present a thing that is good once at the same moment, one succeeds, and it happens once."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from contenders import PROCESSES, Answered, Setting, Shot, contenders, declare, volley
from things import THINGS, Stage, Thing

from authcore.services import journal, outbox
from authcore.tables import shipped

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("AUTHCORE_RACE_ROUNDS", "4"))
CALLERS = 40
THREADS = 16
COUNTED_APART = {"authcore_attempt", "authcore_kv"}
"""Failures and windows, which losers add to."""

Fire = Callable[[Sequence[Shot]], list[Answered]]
GRACE = timedelta(0)
_NUMBERS = itertools.count()


class Ring:
    """A stage with its contenders, and what its database holds."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.stage = setting, Stage(declare(setting))
        self.stage.auth.create_tables()
        self._engine = sa.create_engine(setting.database, poolclass=sa.NullPool)

    def round(self, thing: Thing, fire: Fire) -> tuple[list[Answered], Counter[str]]:
        """Make a thing ready, let it be fired at, and answer the answers and what they left behind."""
        self.stage.auth.mailer.mails.clear()
        shots = thing.prepare(self.stage, f"racer-{next(_NUMBERS)}@example.com")
        before = self._held()
        answers = fire(shots)
        left = self._held()
        left.subtract(before)
        return answers, Counter({name: many for name, many in left.items() if many and name not in thing.noise})

    def alone(self, thing: Thing) -> Counter[str]:
        """Answer what one caller leaves behind whom nobody contends with."""
        answers, left = self.round(thing, lambda shots: volley(self.stage.auth, shots[:1]))
        assert [status for status, _ in answers] in ([200], [201]), answers
        return left

    def _held(self) -> Counter[str]:
        mails, told = outbox.effects.c.kind, journal.events.c.name
        with self._engine.connect() as tx:
            held = Counter(
                {
                    table.name: tx.scalar(sa.select(sa.func.count()).select_from(table))
                    for table in shipped().sorted_tables
                    if table.name not in COUNTED_APART
                }
            )
            for column in (mails, told):
                held.update(dict(tx.execute(sa.select(column, sa.func.count()).group_by(column)).all()))
        return held

    def close(self) -> None:
        """Close the stage."""
        self.stage.auth.dispose()


def judge(thing: Thing, answers: list[Answered]) -> int:
    """Require that whoever lost was told so, and answer how many won."""
    told = [status if status < 400 else answer["error"]["code"] for status, answer in answers]
    assert {each for each in told if each not in (200, 201)} <= thing.refusals
    return sum(each in (200, 201) for each in told)


@pytest.fixture(scope="module")
def on_postgresql(kept_postgresql: str) -> Iterator[Callable[[str], tuple[Ring, Fire]]]:
    """Answer the ring of a cast, with its processes; they stay until another cast comes."""
    yield from _rings(lambda cast: Setting(kept_postgresql, GRACE, CALLERS // PROCESSES, cast=cast))


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Ring, Fire]]]:
    """The same on one file, that four processes share."""
    file = tmp_path_factory.mktemp("races") / "auth.db"
    yield from _rings(lambda cast: Setting(f"sqlite:///{file}", GRACE, THREADS // PROCESSES, cast=cast))


def _rings(setting: Callable[[str], Setting]) -> Iterator[Callable[[str], tuple[Ring, Fire]]]:
    held: dict[str, tuple[Any, Ring, Fire]] = {}

    def close() -> None:
        for fighting, ring, _ in held.values():
            fighting.__exit__(None, None, None)
            ring.close()
        held.clear()

    def make(cast: str) -> tuple[Ring, Fire]:
        if cast not in held:
            close()
            ring = Ring(setting(cast))
            fighting = contenders(ring.setting)
            held[cast] = (fighting, ring, fighting.__enter__())
        return held[cast][1:]

    yield make
    close()


BY_CAST = sorted(THINGS, key=lambda name: THINGS[name].cast)


# First, while nobody else holds connections to the server.
@pytest.mark.parametrize("name", ["sign-in link", "sign-in code", "reset link"])
def test_a_naive_store_is_caught(name: str, kept_postgresql: str) -> None:
    """T2: where a challenge is read first and spent after, several of the forty succeed: the races see it."""
    thing = THINGS[name]
    ring = Ring(Setting(kept_postgresql, GRACE, CALLERS // PROCESSES, naive="spend", cast=thing.cast))

    with contenders(ring.setting) as fire:
        caught = any(judge(thing, ring.round(thing, fire)[0]) > 1 for _ in range(max(ROUNDS, 20)))

    assert caught
    ring.close()


@pytest.mark.parametrize("name", BY_CAST)
def test_forty_callers_of_four_processes(name: str, on_postgresql: Callable[[str], tuple[Ring, Fire]]) -> None:
    """T2: on PostgreSQL one of forty succeeds in each round, and leaves what it would have left alone."""
    thing = THINGS[name]
    ring, fire = on_postgresql(thing.cast)
    alone = ring.alone(thing)

    for _ in range(ROUNDS):
        answers, left = ring.round(thing, fire)

        assert (len(answers), judge(thing, answers)) == (CALLERS, 1)
        assert left == alone


@pytest.mark.parametrize("name", BY_CAST)
def test_sixteen_threads_of_one_process(name: str, tmp_path: Path) -> None:
    """T2: on SQLite one of sixteen threads that share an application succeeds in each round."""
    thing = THINGS[name]
    ring = Ring(Setting(f"sqlite:///{tmp_path / 'auth.db'}", GRACE, THREADS, cast=thing.cast))
    alone = ring.alone(thing)

    for _ in range(ROUNDS):
        answers, left = ring.round(thing, lambda shots: volley(ring.stage.auth, every(shots, THREADS)))

        assert (len(answers), judge(thing, answers)) == (THREADS, 1)
        assert left == alone
    ring.close()


@pytest.mark.parametrize("name", ["sign-in link", "two invitations of one address", "reset code", "remember token"])
def test_four_processes_share_a_file(name: str, on_sqlite: Callable[[str], tuple[Ring, Fire]]) -> None:
    """T2: on SQLite the callers of several processes are no more than one either."""
    thing = THINGS[name]
    ring, fire = on_sqlite(thing.cast)
    alone = ring.alone(thing)

    for _ in range(ROUNDS):
        answers, left = ring.round(thing, fire)

        assert (len(answers), judge(thing, answers)) == (THREADS, 1)
        assert left == alone


def test_who_comes_too_late_does_not_win(on_postgresql: Callable[[str], tuple[Ring, Fire]]) -> None:
    """T2: while some find a link open and others find it over, one of the first succeeds and none of the others."""
    thing = THINGS["sign-in link"]
    ring, fire = on_postgresql(thing.cast)
    over = timedelta(minutes=15).total_seconds()

    for _ in range(ROUNDS):
        mixed, _ = ring.round(thing, lambda shots: fire([*shots, *later(shots, over)]))
        late, left = ring.round(thing, lambda shots: fire(later(shots, over)))
        at_its_end, _ = ring.round(thing, lambda shots: fire([*later(shots, over - 0.1), *later(shots, over - 0.2)]))

        assert judge(thing, mixed) == 1
        assert (judge(thing, late), left) == (0, Counter())
        assert judge(thing, at_its_end) <= 1


def test_a_code_is_spent_or_sent_again(on_postgresql: Callable[[str], tuple[Ring, Fire]]) -> None:
    """T2, A13: of many who answer a code and many who ask for another one, one alone has done something."""
    thing = THINGS["sign-up code"]
    ring, fire = on_postgresql(thing.cast)
    alone, resent = ring.alone(thing), Counter({"authcore_effect": 1, "mail": 1})

    for _ in range(ROUNDS):
        answers, left = ring.round(thing, lambda shots: fire([*shots, *resends(shots)]))

        signed_in = [status for status, _ in answers].count(200)
        assert {status for status, _ in answers} <= {200, 202, 400}
        assert left == (alone if signed_in else resent)
        assert signed_in <= 1


def later(shots: Sequence[Shot], seconds: float) -> list[Shot]:
    """Answer the same requests, sent so much later."""
    return [replace(shot, late=seconds) for shot in shots]


def resends(shots: Sequence[Shot]) -> list[Shot]:
    """Answer requests for another code, once the interval has passed."""
    return [Shot("/sign-up/resend", {"challenge_id": shot.body["challenge_id"]}, late=61.0) for shot in shots]


def every(shots: Sequence[Shot], many: int) -> list[Shot]:
    """Answer one request for each of `many` callers, who take turns."""
    return [shots[number % len(shots)] for number in range(many)]
