"""Rule T2 for remember tokens: of many sign-ins that present one at the same moment, one is spared the code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from contenders import Setting, declare

from authcore import Auth
from authcore.context import Context, Tenant
from authcore.drive import Drive, run_blocking
from authcore.features.email_code import store
from authcore.features.email_code.store import Presented, Refusal
from authcore.features.email_code.tables import remembered
from authcore.services import events

pytestmark = pytest.mark.alone

ROUNDS, THREADS = 40, 8
Spend = Callable[[sa.Connection, Presented, Any], datetime | Refusal]


@pytest.fixture
def auth(postgresql: str) -> Iterator[Auth]:
    """One process of the application on PostgreSQL."""
    made = declare(Setting(postgresql, timedelta(0), threads=THREADS))
    made.create_tables()
    yield made
    made.dispose()


def naive_spend(tx: sa.Connection, shown: Presented, _reused: Any) -> datetime | Refusal:
    """Spend by reading first and writing after: the store that the harness must catch."""
    row = tx.execute(sa.select(remembered).where(remembered.c.digest == shown.digest)).one()
    if row.spent_at is not None:
        return Refusal()
    tx.execute(sa.update(remembered).where(remembered.c.digest == shown.digest).values(spent_at=shown.now))
    expires_at: datetime = row.expires_at
    return expires_at


def winners(auth: Auth, spend: Spend, number: int) -> int:
    """Let all threads present one token, and answer how many were spared."""
    runtime = auth.runtime(Drive.BLOCKING)
    ctx = Context(runtime, Tenant("default"), None)
    token = Presented(number.to_bytes(32, "big"), "default", "u-1", 0, "bearer", None, ctx.now())
    run_blocking(ctx.db.write(store.keep, token, ctx.now() + timedelta(days=1), None))
    reused = events.occur(ctx, events.RememberTokenReused("default", ctx.now(), "u-1"))
    barrier, outcomes = threading.Barrier(THREADS), []

    def contend() -> None:
        barrier.wait()
        outcomes.append(run_blocking(ctx.db.write(spend, token, reused)))

    started = [threading.Thread(target=contend) for _ in range(THREADS)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert len(outcomes) == THREADS
    return sum(isinstance(outcome, datetime) for outcome in outcomes)


def test_one_sign_in_of_many_is_spared(auth: Auth) -> None:
    """T2: exactly one of the contenders spends the token, in every round."""
    assert {winners(auth, store.spend, number) for number in range(ROUNDS)} == {1}


def test_the_harness_catches_a_naive_store(auth: Auth) -> None:
    """T2: a store that reads first and writes after spares several."""
    assert max(winners(auth, naive_spend, number) for number in range(ROUNDS)) > 1
