"""A session that ends between the guard and the transaction changes nothing of what names its user (rule T9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Account, Auth, Password
from authcore.backends.sms import MemorySms
from authcore.features.account.store import identifiers as store
from authcore.services import credentials
from authcore.services.accounts import identities, users
from authcore.services.sessions import sessions

EMAIL, FURTHER, NUMBER = "ada@example.com", "bea@example.com", "+4915112345678"


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where users have several addresses and a number."""
    return auth(Password(), Account(phone=True, several_emails=True))


@pytest.fixture
def thief(made: Auth, client: Callable[..., Any], texts: MemorySms) -> tuple[Any, str]:
    """A client with the token of a session whose user has a second address and a number."""
    someone = client(made)
    token = someone.sign_up(EMAIL, transport="bearer").json["access_token"]
    asked = someone.post("/me/emails", {"email": FURTHER}, bearer=token)
    answer = {"challenge_id": asked.json["challenge"]["id"], "code": someone.mailed_code("account_email")}
    assert someone.post("/me/emails/confirm", answer, bearer=token).status == 200
    asked = someone.post("/me/phone", {"phone": NUMBER}, bearer=token)
    made.outbox.drain()
    answer = {"challenge_id": asked.json["challenge"]["id"], "code": texts.messages[-1].code}
    assert someone.post("/me/phone/confirm", answer, bearer=token).status == 200
    return someone, token


@pytest.mark.parametrize(
    ("method", "path", "body", "step"),
    [
        ("POST", "/me/emails/primary", {"email": FURTHER}, "make_primary"),
        ("POST", "/me/emails/remove", {"email": FURTHER}, "remove_email"),
        ("DELETE", "/me/phone", None, "drop_phone"),
    ],
)
def test_a_session_that_a_reset_ended_is_not_carried_on(
    made: Auth, thief: Any, inside: Any, monkeypatch: Any, method: str, path: str, body: Any, step: str
) -> None:
    """T9: the owner's reset commits while the thief's request waits; neither the session nor its change outlives it."""
    someone, token = thief
    real: Callable[..., Any] = getattr(store, step)

    def late(tx: Any, change: Any, *rest: Any) -> Any:
        # As a reset does that commits while this transaction waits for the user's row.
        credentials.end(tx, change.user.id, change.now)
        return real(tx, change, *rest)

    monkeypatch.setattr(store, step, late)
    before = (inside(made).rows(users), inside(made).rows(identities), inside(made).rows(sessions))

    reply = someone.send(method, path, body, bearer=token)

    assert (reply.status, reply.code) == (401, "not_authenticated")
    assert (inside(made).rows(users), inside(made).rows(identities), inside(made).rows(sessions)) == before
