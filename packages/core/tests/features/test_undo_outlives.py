"""What a thief may do with an account whose address it changed, and the undo that it cannot end (rule A9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Account, Auth, EmailChange, Password, PasswordReset
from authcore.backends.mail import MemoryMailer
from authcore.features.administration import flow as administration
from authcore.services.challenges import challenges
from authcore.testing.ports import FrozenClock

OWNER, THIEF = "ada@example.com", "mallory@example.com"


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where addresses are changed and accounts end."""
    return auth(Password(), PasswordReset(), Account(), EmailChange())


def link(made: Auth, mailer: MemoryMailer, kind: str) -> str:
    """Answer the latest link of a kind, to whomever."""
    made.outbox.drain()
    return next(mail.token for mail in reversed(mailer.mails) if mail.kind == kind and mail.token)


@pytest.fixture
def thief(made: Auth, client: Callable[..., Any], mailer: MemoryMailer) -> tuple[Any, str]:
    """A client with a stolen session that gave the account another address."""
    someone = client(made)
    token = someone.sign_up(OWNER, transport="bearer").json["access_token"]
    someone.post("/email/change", {"new_email": THIEF}, bearer=token)
    done = someone.post("/email/change/confirm", {"token": link(made, mailer, "email_change")}, bearer=token)
    return someone, done.json["access_token"]


def ends_and_keeps(made: Auth, someone: Any, token: str, mailer: MemoryMailer) -> None:
    """Ask for the end of the account, and take that back."""
    someone.send("DELETE", "/me", bearer=token)
    someone.post("/me/deletion/confirm", {"token": link(made, mailer, "deletion")})
    kept = someone.post("/me/deletion/cancel", {"token": link(made, mailer, "deletion_scheduled")})
    assert kept.status == 200


def test_a_deletion_that_is_cancelled_leaves_the_undo(
    made: Auth, thief: tuple[Any, str], client: Any, mailer: MemoryMailer
) -> None:
    """A9: the old address takes its account back, whatever the thief has asked for and taken back meanwhile."""
    undo = link(made, mailer, "email_changed")
    ends_and_keeps(made, *thief, mailer)

    restored = client(made).post("/email/change/undo", {"token": undo})

    assert restored.status == 200
    assert made.blocking.administration.find(email=OWNER).user.email == OWNER


def test_a_link_of_an_earlier_deletion_cancels_no_later_one(
    made: Auth, thief: tuple[Any, str], client: Any, mailer: MemoryMailer, clock: FrozenClock
) -> None:
    """A9: a thief's mailbox keeps no say in what the owner does with the account that it has back."""
    someone, token = thief
    undo = link(made, mailer, "email_changed")
    someone.send("DELETE", "/me", bearer=token)
    someone.post("/me/deletion/confirm", {"token": link(made, mailer, "deletion")})
    stolen = link(made, mailer, "deletion_scheduled")
    assert someone.post("/email/change/undo", {"token": undo}).status == 200
    clock.advance(60)
    owner = client(made)
    owner.post("/password/reset", {"email": OWNER})
    chosen = {
        "token": link(made, mailer, "password_reset"),
        "new_password": "seven loud cranes fly",
        "transport": "bearer",
    }
    mine = owner.post("/password/reset/complete", chosen).json["access_token"]
    owner.send("DELETE", "/me", bearer=mine)
    owner.post("/me/deletion/confirm", {"token": link(made, mailer, "deletion")})

    refused = someone.post("/me/deletion/cancel", {"token": stolen})

    assert (refused.status, refused.code) == (400, "invalid_challenge")
    assert made.blocking.administration.find(email=OWNER).state == "to_be_deleted"


def test_an_account_that_goes_leaves_other_tenants_alone(
    made: Auth, thief: tuple[Any, str], mailer: MemoryMailer, inside: Callable[[Auth], Any]
) -> None:
    """A9, T9: a tenant's account of the same address takes no challenge of another tenant with it."""
    undo = link(made, mailer, "email_changed")
    side = inside(made)
    north = side.ctx(tenant="north")
    other = side.run(administration.create(north, email=OWNER))

    assert side.run(administration.delete(north, user_id=other.id))

    assert OWNER in {row.recipient for row in side.rows(challenges)}
    assert made.blocking.email_change.undo(token=undo).email == OWNER
