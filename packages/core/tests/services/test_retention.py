"""What is removed once nobody needs it, and what stays: by `sweep`, in bounded batches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from authcore import Auth, Password
from authcore.backends import kv_sql, sender
from authcore.errors import AuthError
from authcore.services import challenges, events, journal, outbox, retention, sessions
from authcore.services.passwords import attempts
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
KINDS = {
    *("challenges", "effects", "given_up", "events", "attempts", "kv"),
    *("sessions", "session_secrets", "session_data", "revocations", "signing_keys"),
}
TABLES = {
    "challenges": challenges.challenges,
    "effects": outbox.effects,
    "attempts": attempts,
    "sessions": sessions.sessions,
    "events": journal.events,
    "kv": kv_sql.table,
}


@pytest.fixture
def world(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> Any:
    """An application after a day: a code that was mailed, a user, a session, and a failed sign-in."""
    made = auth()
    begun = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)
    made.outbox.drain()
    code = made.mailer.mails[-1].code
    made.blocking.password.verify_sign_up(challenge_id=begun.challenge.id, code=code)
    fail(made, "nobody@example.com")
    return inside(made)


def fail(made: Auth, email: str) -> None:
    """Fail to sign in."""
    with pytest.raises(AuthError, match="not right"):
        made.blocking.password.sign_in(email=email, password="four loud herons wade")


def swept(world: Any) -> dict[str, int]:
    """Sweep, and answer what went."""
    found: dict[str, int] = world.run(retention.sweep(world.runtime))
    return found


def left(world: Any) -> dict[str, int]:
    """Answer how many rows each table holds."""
    return {name: len(world.rows(table)) for name, table in TABLES.items()}


def test_at_first_nothing_goes(world: Any) -> None:
    """A sweep names every kind, and removes nothing that is still needed."""
    before = left(world)

    removed = swept(world)

    assert removed == dict.fromkeys(KINDS, 0)
    assert left(world) == before


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("challenges", timedelta(days=7, minutes=10)),
        ("effects", timedelta(days=7)),
        ("attempts", timedelta(days=30)),
        ("sessions", timedelta(days=30 + 30)),
    ],
)
def test_each_kind_has_its_time(world: Any, clock: FrozenClock, kind: str, after: timedelta) -> None:
    """Challenges and effects stay for 7 days, sessions for 30 after their end, failures for 30; then they go."""
    before = left(world)[kind]
    clock.advance(after.total_seconds())

    in_time = swept(world)[kind]
    clock.advance(0.001)
    late = swept(world)[kind]

    assert (in_time, late) == (0, before)
    assert left(world)[kind] == 0


def test_thefts_and_expired_keys_go(world: Any, clock: FrozenClock) -> None:
    """The record of a theft stays for a year; counters whose time is over are nobody's."""
    world.auth.events.dispatch(events.RefreshReused("default", clock.now(), "somebody", "a-session"))
    counters = left(world)["kv"]
    clock.advance(timedelta(days=365).total_seconds())
    in_time = swept(world)
    clock.advance(1)

    late = swept(world)

    assert (in_time["events"], late["events"]) == (0, 1)
    assert in_time["kv"] == counters > 0
    assert left(world) == dict.fromkeys(TABLES, 0)
    assert world.rows(sessions.access) == world.rows(sessions.refresh) == []


def test_the_secrets_of_a_living_session_go_one_by_one(world: Any, clock: FrozenClock) -> None:
    """A session that is used for months does not pile up the tokens that it had."""
    made = world.auth
    held = made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    token = held.refresh_token
    for _ in range(4):
        clock.advance(timedelta(days=20).total_seconds())
        token = made.blocking.sessions.refresh(refresh_token=token).refresh

    removed = swept(world)

    assert removed["session_secrets"] > 0
    digests = {row.expires_at >= clock.now() - sessions.KEEP for row in world.rows(sessions.refresh)}
    assert digests == {True}
    assert made.blocking.sessions.refresh(refresh_token=token)


def test_a_password_that_rests_stays_at_rest(world: Any, clock: FrozenClock) -> None:
    """A6: after 100 failures time alone gives nobody another hundred."""
    row = {"key": bytes(32), "failures": 100, "failed_at": clock.now()}
    world.write(lambda tx: tx.execute(attempts.insert().values(**row)))
    clock.advance(timedelta(days=400).total_seconds())

    removed = swept(world)["attempts"]

    assert removed == 1
    assert [row.failures for row in world.rows(attempts)] == [100]


def test_what_could_not_be_sent_is_shown_for_a_month(world: Any, clock: FrozenClock) -> None:
    """A mail that was given up stays for 30 days, for people to see; then it names nobody any more."""
    given_up = {"next_at": None, "done_at": None}
    world.write(lambda tx: tx.execute(sa.update(outbox.effects).values(**given_up)))
    before = left(world)["effects"]
    clock.advance(timedelta(days=30).total_seconds())

    in_time = swept(world)["given_up"]
    clock.advance(0.001)
    late = swept(world)["given_up"]

    assert (in_time, late) == (0, before)
    assert left(world)["effects"] == 0


def test_a_sweep_is_bounded(world: Any, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction removes a few rows and each sweep a few batches; what is left goes with the next ones."""
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "MOST", 2)
    rows = [{"key": bytes([n]) * 32, "failures": 1, "failed_at": clock.now()} for n in range(10)]
    world.write(lambda tx: tx.execute(sa.insert(attempts), rows))
    clock.advance(timedelta(days=31).total_seconds())

    removed = [swept(world)["attempts"] for _ in range(3)]

    assert removed == [6, 5, 0]


def test_a_store_that_forgets_by_itself_is_left_alone(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """Keys in memory expire unasked, so there is nothing of theirs to sweep."""
    assert set(swept(inside(auth(Password(), key_value="memory")))) == KINDS - {"kv"}


def test_a_serving_process_sweeps_once_an_hour(auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over is removed some minutes after the start, and then hourly."""
    made, swept, now = auth(), [], [1000.0]
    monkeypatch.setattr(sender.time, "monotonic", lambda: now[0])

    async def sweep(runtime: Any) -> dict[str, int]:
        swept.append(now[0])
        return {}

    monkeypatch.setattr(retention, "sweep", sweep)
    for now[0] in (1000.0, 1200.0, 1400.0, 3000.0, 4900.0, 5100.0):
        made.outbox.housekeep()

    assert swept == [1400.0, 5100.0]


def test_the_senders_thread_sweeps(auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to ask for it: the thread that sends mails also removes what is over."""
    swept = threading.Event()

    async def sweep(runtime: Any) -> dict[str, int]:
        swept.set()
        return {}

    monkeypatch.setattr(retention, "sweep", sweep)
    monkeypatch.setattr(sender, "FIRST_SWEEP", 0.0)
    made = auth(outbox="thread")
    made.outbox.wake()

    assert swept.wait(10)
