"""Rules T6 and T7 together: a refresh and a step-up of one session at the same moment never wait for each other."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from contenders import PASSWORD, Setting, declare, post, refresh

from authcore import Auth, Request
from authcore.services import sessions

pytestmark = pytest.mark.alone

ROUNDS = 40
GRACE = timedelta(seconds=10)


@pytest.fixture
def auth(postgresql: str) -> Iterator[Auth]:
    """One process of the application on PostgreSQL."""
    made = declare(Setting(postgresql, GRACE, threads=2))
    made.create_tables()
    yield made
    made.dispose()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each transaction was begun: at READ COMMITTED only a deadlock begins one again."""
    counted: Counter[str] = Counter()

    def watch(name: str) -> None:
        real = getattr(sessions, name)

        @functools.wraps(real)
        def run(*args: Any) -> Any:
            counted[name] += 1
            return real(*args)

        monkeypatch.setattr(sessions, name, run)

    watch("rotate")
    watch("step_up")
    return counted


def step_up(auth: Auth, access_token: str) -> tuple[int, Any]:
    """Prove again who is signed in, by password."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {access_token}"}
    body = json.dumps({"password": PASSWORD}).encode()
    result = auth.blocking_core().dispatch(Request("POST", "/reauthenticate", body, headers, "127.0.0.1"))
    return result.status, json.loads(result.body)


def opens(auth: Auth, access_token: str) -> bool:
    """Tell whether an access token opens routes."""
    return auth.blocking.sessions.get_user_id(access_token=access_token) is not None


def together(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Run two calls at the same moment, each in its thread; answer what they answered."""
    barrier, answers = threading.Barrier(2), [None, None]

    def run(number: int, work: Callable[[], Any]) -> None:
        barrier.wait()
        answers[number] = work()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return answers


def signed_up(auth: Auth, name: str) -> dict[str, Any]:
    """Sign somebody up."""
    body = {"email": f"{name}@example.com", "password": PASSWORD, "transport": "bearer"}
    status, answer = post(auth, "/sign-up", body)
    assert status == 201, answer
    return dict(answer)


def test_a_step_up_that_meets_a_rotation_waits_for_it(
    auth: Auth, postgresql: str, runs: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T6, T7: a step-up that comes while a token is being replaced lets it end, and is then the only one that lives."""
    held = signed_up(auth, "ada")
    real, met = sessions._succeed, threading.Event()

    def slow(*args: Any) -> Any:
        met.set()
        _wait_for_a_lock(postgresql)
        return real(*args)

    def late() -> tuple[int, Any]:
        met.wait(10)
        return step_up(auth, held["access_token"])

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "_succeed", slow)
        (refreshed, pair), (stepped_up, fresh) = together(lambda: refresh(auth, held["refresh_token"]), late)

    assert (refreshed, stepped_up) == (200, 200)
    assert runs == {"rotate": 1, "step_up": 1}
    assert [opens(auth, each["access_token"]) for each in (held, pair, fresh)] == [False, False, True]
    assert refresh(auth, pair["refresh_token"])[0] == 401
    assert refresh(auth, fresh["refresh_token"])[0] == 200


def test_refreshes_and_step_ups_never_stop_each_other(auth: Auth, runs: Counter[str]) -> None:
    """T6, T7: whichever comes first, no transaction is begun again, and the step-up's secrets alone live on."""
    held = signed_up(auth, "ada")
    login = {"email": "ada@example.com", "password": PASSWORD}

    for number in range(ROUNDS):
        _, held = post(auth, "/sign-in", login)

        def later(token: str = held["refresh_token"], pause: float = (number % 10) * 0.0007) -> tuple[int, Any]:
            time.sleep(pause)
            return refresh(auth, token)

        (refreshed, pair), (stepped_up, fresh) = together(later, functools.partial(step_up, auth, held["access_token"]))

        assert stepped_up == 200
        assert refreshed in (200, 401)
        assert opens(auth, fresh["access_token"])
        assert refreshed == 401 or not opens(auth, pair["access_token"])

    assert runs == {"rotate": ROUNDS, "step_up": ROUNDS}


def _wait_for_a_lock(url: str) -> None:
    """Wait until a transaction of this database waits for another one."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    until = time.monotonic() + 10
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(waiting).scalar_one() == 0:
            assert time.monotonic() < until
            time.sleep(0.01)
