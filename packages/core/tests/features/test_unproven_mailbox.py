"""What a stranger sets in an account of somebody else's address, and what is left of it once the owner comes (A3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET

from authcore import Account, Auth, Code, EmailVerification, MagicLink, Password, PasswordReset
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.services.accounts import EMAIL_PASSWORD, USERNAME, identities

OWNER, STRANGER, NUMBER = "ada@example.com", "mallory@example.com", "+4915112345678"
PASSWORD, OTHER = "three quiet herons wade", "seven loud cranes fly home"


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where users are made before they have proven their address."""
    account = Account(username=True, phone=True, several_emails=True)
    return auth(
        Password(require_code=False), EmailVerification(), PasswordReset(), MagicLink(), Code(phone=True), account
    )


@pytest.fixture
def stranger(made: Auth, client: Callable[..., Any], texts: MemorySms) -> Any:
    """Who signed up with the owner's address and added an address, a number and a name of its own."""
    someone = client(made)
    begun = someone.sign_up(OWNER, PASSWORD, transport="bearer")
    token = begun.json["access_token"]
    someone.send("PATCH", "/me", {"username": "mallory"}, bearer=token)
    asked = someone.post("/me/phone", {"phone": NUMBER}, bearer=token)
    made.outbox.drain()
    answer = {"challenge_id": asked.json["challenge"]["id"], "code": texts.messages[-1].code}
    assert someone.post("/me/phone/confirm", answer, bearer=token).status == 200
    asked = someone.post("/me/emails", {"email": STRANGER}, bearer=token)
    answer = {"challenge_id": asked.json["challenge"]["id"], "code": someone.mailed_code("account_email")}
    assert someone.post("/me/emails/confirm", answer, bearer=token).status == 200
    return someone


def link(made: Auth, mailer: MemoryMailer, kind: str) -> str | None:
    """Answer the latest link of a kind to the owner."""
    made.outbox.drain()
    return next(m.token for m in reversed(mailer.mails) if m.to == OWNER and m.kind == kind)


def by_reset(made: Auth, owner: Any, mailer: MemoryMailer) -> None:
    """Prove the mailbox by a reset."""
    owner.post("/password/reset", {"email": OWNER})
    answer = {"token": link(made, mailer, "password_reset"), "new_password": OTHER}
    assert owner.post("/password/reset/complete", answer).status == 200


def by_link(made: Auth, owner: Any, mailer: MemoryMailer) -> None:
    """Prove the mailbox by signing in by a link."""
    owner.post("/magic-link", {"email": OWNER})
    assert owner.post("/magic-link/consume", {"token": link(made, mailer, "magic_link")}).status == 200


def by_verification(made: Auth, owner: Any, mailer: MemoryMailer) -> None:
    """Prove the mailbox by the link that the sign-up mailed."""
    assert owner.post("/email/verify/confirm", {"token": link(made, mailer, "email_verification")}).status == 200


@pytest.mark.parametrize("prove", [by_reset, by_link, by_verification])
def test_what_a_stranger_added_opens_nothing_once_the_mailbox_is_proven(
    made: Auth, stranger: Any, client: Any, mailer: MemoryMailer, texts: MemorySms, inside: Any, prove: Any
) -> None:
    """A3: another address and a number, both truly the stranger's, go with the password: they are no way back in."""
    prove(made, client(made), mailer)
    before = len(texts.messages), len([mail for mail in mailer.mails if mail.to == STRANGER])

    stranger.post("/code", {"phone": NUMBER})
    stranger.post("/magic-link", {"email": STRANGER})
    stranger.post("/password/reset", {"email": STRANGER})
    made.outbox.drain()

    assert (len(texts.messages), len([mail for mail in mailer.mails if mail.to == STRANGER])) == before
    known = {(row.provider, row.identifier) for row in inside(made).rows(identities)}
    assert known == {(EMAIL_PASSWORD, OWNER), (USERNAME, "mallory")}
    assert made.blocking.administration.find(email=OWNER).user.phone is UNSET


def test_a_later_proof_of_a_proven_mailbox_drops_nothing(
    made: Auth, client: Any, mailer: MemoryMailer, texts: MemorySms, inside: Any
) -> None:
    """A3: who proved the address before anything else was added keeps it through every reset."""
    owner = client(made)
    by_verified = owner.sign_up(OWNER, PASSWORD, transport="bearer")
    token = by_verified.json["access_token"]
    assert owner.post("/email/verify/confirm", {"token": link(made, mailer, "email_verification")}, bearer=token)
    asked = owner.post("/me/phone", {"phone": NUMBER}, bearer=token)
    made.outbox.drain()
    answer = {"challenge_id": asked.json["challenge"]["id"], "code": texts.messages[-1].code}
    owner.post("/me/phone/confirm", answer, bearer=token)

    by_reset(made, owner, mailer)

    assert {row.identifier for row in inside(made).rows(identities)} == {OWNER, NUMBER}
