"""Rule T2 at a change of address: one link changes once and undoes once, and one address goes to one user."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authcore import Auth, EmailChange, EmailVerification, Password, Request, SignedIn
from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer
from authcore.errors import AuthError
from authcore.services.accounts import EMAIL_PASSWORD, identities

pytestmark = pytest.mark.alone

ROUNDS = 8
CONTENDERS = 12
PASSWORD = "three quiet herons wade"


@pytest.fixture
def mailer() -> MemoryMailer:
    """The mailbox of everybody."""
    return MemoryMailer()


@pytest.fixture(params=["postgresql", "sqlite"])
def auth(request: pytest.FixtureRequest, tmp_path: Any, mailer: MemoryMailer) -> Iterator[Auth]:
    """An application on a real server, and on a file."""
    file = f"sqlite:///{tmp_path / 'auth.db'}"
    made = Auth(
        dev_mode=True,
        secret="races-need-one-secret-for-all-processes",
        database=file if request.param == "sqlite" else request.getfixturevalue("postgresql"),
        features=[Password(require_code=False), EmailVerification(), EmailChange()],
        hashing=CHEAP,
        mailer=mailer,
        limits=False,
        outbox="external",
    )
    made.create_tables()
    yield made
    made.dispose()


def at_once(calls: list[Callable[[], Any]]) -> Counter[str]:
    """Make all calls at the same moment; answer how each ended, by the code of its failure."""
    barrier, ended = threading.Barrier(len(calls)), Counter[str]()

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            call()
            ended["done"] += 1
        except AuthError as error:
            ended[error.code] += 1

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return ended


def member(auth: Auth, email: str) -> tuple[SignedIn, Request]:
    """Answer a user whose address is proven, with a request of its session."""
    made = auth.blocking.password.sign_up(email=email, password=PASSWORD, transport="bearer")
    assert isinstance(made, SignedIn)
    auth.blocking.email_verification.mark_email_as_verified(made.user)
    return made, Request("POST", "/mine", headers={"authorization": f"Bearer {made.access_token}"})


def link_to(auth: Auth, mailer: MemoryMailer, email: str, kind: str) -> str:
    """Answer the token of the latest mail of a kind to an address."""
    auth.outbox.drain()
    return next(mail.token for mail in reversed(mailer.mails) if mail.to == email and mail.kind == kind and mail.token)


def test_a_link_changes_once_and_undoes_once(auth: Auth, mailer: MemoryMailer) -> None:
    """T2: of many who spend one link at once, one changes the address, and one undoes the change."""
    for number in range(ROUNDS):
        old, new = f"old{number}@example.com", f"new{number}@example.com"
        _, request = member(auth, old)
        mine = auth.blocking.on(request).email_change
        mine.change(new_email=new)
        link = link_to(auth, mailer, new, "email_change")

        changes = at_once([lambda: mine.confirm(token=link)] * CONTENDERS)  # noqa: B023 - run in this round
        undo = link_to(auth, mailer, old, "email_changed")
        undos = at_once([lambda: auth.blocking.email_change.undo(token=undo)] * CONTENDERS)  # noqa: B023

        # Who is late finds the link spent, or its session with another secret.
        assert changes["done"] == 1
        assert changes.keys() <= {"done", "invalid_challenge", "not_authenticated"}
        assert undos == {"done": 1, "invalid_challenge": CONTENDERS - 1}


def test_one_address_goes_to_one_user(auth: Auth, mailer: MemoryMailer) -> None:
    """A5: of several users who prove the same address at once, one gets it; the others keep their own."""
    for number in range(ROUNDS):
        wanted, calls = f"wanted{number}@example.com", []
        for asking in range(4):
            _, request = member(auth, f"asks{number}-{asking}@example.com")
            mine = auth.blocking.on(request).email_change
            mine.change(new_email=wanted)
            link = link_to(auth, mailer, wanted, "email_change")
            calls.append(lambda mine=mine, link=link: mine.confirm(token=link))

        ended = at_once(calls)

        assert ended == {"done": 1, "invalid_challenge": 3}
        assert len(owners(auth, wanted)) == 1


def owners(auth: Auth, email: str) -> list[str]:
    """Answer the ids of the users whom the tenant knows by an address."""
    chosen = identities.select().where(identities.c.identifier == email, identities.c.provider == EMAIL_PASSWORD)

    async def read(ctx: Any) -> list[str]:
        found = await ctx.db.read(lambda tx: tx.execute(chosen).all())
        return [row.user_id for row in found]

    return auth.blocking_core().run(read)
