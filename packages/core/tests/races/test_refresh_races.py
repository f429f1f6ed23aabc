"""Rule T6 under real concurrency: four processes present one refresh token at the same moment."""

from __future__ import annotations

import itertools
import os
from datetime import timedelta

import pytest
import sqlalchemy as sa
from contenders import PASSWORD, PROCESSES, Setting, contenders, counted, declare, post, refreshing

from authcore import Auth
from authcore.services import journal, sessions

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("AUTHCORE_RACE_ROUNDS", "60"))
CALLERS = 200
STRICT, FORGIVING = timedelta(0), timedelta(seconds=10)


def family(auth: Auth, number: int) -> tuple[str, str]:
    """Sign up a user and answer the session's id and its refresh token."""
    body = {"email": f"racer{number}@example.com", "password": PASSWORD, "transport": "bearer"}
    status, answer = post(auth, "/sign-up", body)
    assert status == 201, answer
    return answer["session"]["id"], answer["refresh_token"]


def live(session_id: str) -> sa.Select[tuple[int]]:
    """Count a session while it is not revoked."""
    table = sessions.sessions
    return sa.select(sa.func.count()).where(table.c.id == session_id, table.c.revoked_at.is_(None))


def thefts(session_id: str) -> sa.Select[tuple[int]]:
    """Count the events that tell of a reused refresh token of a session."""
    table = journal.events
    return sa.select(sa.func.count()).where(table.c.session_id == session_id, table.c.name == "RefreshReused")


def test_inside_the_grace_every_caller_holds_the_same_successor(postgresql: str) -> None:
    """Inside the grace all callers are answered one pair, the family lives, and nobody is locked out (T6)."""
    setting = Setting(postgresql, FORGIVING, CALLERS // PROCESSES)
    auth = declare(setting)
    auth.create_tables()

    with contenders(setting) as present:
        for number in range(ROUNDS):
            session_id, token = family(auth, number)
            answers = present(refreshing(token))

            assert [status for status, _ in answers] == [200] * CALLERS
            assert len({(body["refresh_token"], body["access_token"]) for _, body in answers}) == 1
            assert counted(postgresql, live(session_id), thefts(session_id)) == [1, 0]
    auth.dispose()


def test_without_grace_one_caller_wins_and_the_family_dies(postgresql: str) -> None:
    """With grace 0 one caller is answered 200, the rest 401; the family is dead and one event is written (T6)."""
    setting = Setting(postgresql, STRICT, CALLERS // PROCESSES)
    auth = declare(setting)
    auth.create_tables()

    with contenders(setting) as present:
        for number in range(ROUNDS):
            session_id, token = family(auth, number)
            answers = present(refreshing(token))

            assert sorted(status for status, _ in answers) == [200] + [401] * (CALLERS - 1)
            assert counted(postgresql, live(session_id), thefts(session_id)) == [0, 1]
    auth.dispose()


def test_a_token_that_stays_is_every_callers(postgresql: str) -> None:
    """S41: under "none" all callers keep the one refresh token, each with an access token of its own."""
    setting = Setting(postgresql, FORGIVING, CALLERS // PROCESSES, rotation="none")
    auth = declare(setting)
    auth.create_tables()

    with contenders(setting) as present:
        for number in range(min(ROUNDS, 10)):
            session_id, token = family(auth, number)
            answers = present(refreshing(token))

            assert [status for status, _ in answers] == [200] * CALLERS
            assert {body["refresh_token"] for _, body in answers} == {token}
            assert len({body["access_token"] for _, body in answers}) == CALLERS
            assert counted(postgresql, live(session_id), thefts(session_id)) == [1, 0]
    auth.dispose()


def test_the_harness_catches_a_naive_store(postgresql: str) -> None:
    """A store that reads first and writes after gives several callers successors of their own: the races see it."""
    setting = Setting(postgresql, STRICT, CALLERS // PROCESSES, naive="rotate")
    auth = declare(setting)
    auth.create_tables()

    with contenders(setting) as present:
        for number in itertools.count():
            _, token = family(auth, number)
            winners = {body["refresh_token"] for status, body in present(refreshing(token)) if status == 200}
            if len(winners) > 1 or number >= ROUNDS:
                break

    assert len(winners) > 1
    auth.dispose()
