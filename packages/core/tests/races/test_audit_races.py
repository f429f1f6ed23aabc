"""The audit under real concurrency: a user's first events come at the same moment."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from authcore import Audit, Auth, Password
from authcore.backends.mail import MemoryMailer
from authcore.events import SessionsEnded
from authcore.services import journal
from authcore.testing.ports import FrozenClock

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("AUTHCORE_RACE_ROUNDS", "60")) // 4
CALLERS = 16


def test_a_user_has_one_pseudonym_whoever_comes_first(postgresql: str) -> None:
    """Of many events that are the user's first, each becomes a row, and all rows tell of one pseudonym."""
    auth = Auth(
        dev_mode=True,
        secret="a secret of these tests, long enough",
        database=postgresql,
        features=[Password(), Audit()],
        mailer=MemoryMailer(),
        outbox="external",
    )
    auth.create_tables()
    at, together = FrozenClock().now(), Barrier(CALLERS)

    def tell(user_id: str) -> None:
        together.wait()
        auth.events.dispatch(SessionsEnded("default", at, user_id, 1))

    with ThreadPoolExecutor(CALLERS) as callers:
        for number in range(ROUNDS):
            list(callers.map(tell, [f"user-{number}"] * CALLERS))
    auth.dispose()

    told = sa.select(journal.events.c.who, sa.func.count()).group_by(journal.events.c.who)
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
    with engine.connect() as tx:
        keys = set(tx.execute(sa.select(journal.pseudonyms.c.pseudonym)).scalars())
        rows = dict(tx.execute(told).all())
    assert rows == dict.fromkeys(keys, CALLERS)
    assert len(keys) == ROUNDS
