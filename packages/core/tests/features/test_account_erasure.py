"""After an account's end nothing that is stored names its user: every table and every key is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from authcore import (
    Account,
    Anonymous,
    Audit,
    Auth,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
)
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.services import retention
from authcore.testing.ports import FrozenClock

SERVER = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
FIRST, SECOND, THIRD, PENDING = (f"{name}.quinx@example.com" for name in ("ada", "bea", "cyd", "dot"))
NUMBER, OTHER_NUMBER = "+4915112345678", "+4915198765432"
USERNAME, NAME = "quinx-the-first", "Augusta Quinx"
PASSWORD, OTHER = "three quiet herons wade", "four loud herons wade"
NAMED = (FIRST, SECOND, THIRD, PENDING, NUMBER, OTHER_NUMBER, USERNAME, NAME)


def rooms() -> list[Any]:
    """Answer every room, each storing as much as it can."""
    return [
        Password(history=3, change_code=True),
        PasswordReset(),
        EmailVerification(),
        EmailChange(),
        EmailCode(remember=True),
        MagicLink(),
        Code(phone=True),
        Account(
            username=True,
            phone=True,
            several_emails=True,
            settling=timedelta(),
            invitations="members",
            deletion_grace=timedelta(hours=1),  # so short that no clean-up takes the rows for their age
        ),
        Anonymous(),
        Audit(),
        Notices(),
    ]


def stored(url: str) -> dict[str, list[str]]:
    """Answer all that stands in a database, by table and column: each value as text."""
    engine = sa.create_engine(url)
    with engine.connect() as tx:
        metadata = sa.MetaData()
        metadata.reflect(tx)
        found = {
            f"{table.name}.{column}": [_text(value) for value in tx.execute(sa.select(table.c[column])).scalars()]
            for table in metadata.sorted_tables
            for column in table.columns.keys()  # noqa: SIM118 - no dict
        }
    engine.dispose()
    return found


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def naming(url: str, *words: str) -> dict[str, list[str]]:
    """Answer which of the words stand where."""
    everywhere = stored(url)
    return {
        word: places
        for word in words
        if (places := [place for place, texts in everywhere.items() if any(word in text for text in texts)])
    }


class Life:
    """One person with a browser, and a mailbox."""

    def __init__(self, auth: Auth, browser: Any, mailer: MemoryMailer, texts: MemorySms) -> None:
        self.auth, self.browser, self.mailer, self.texts = auth, browser, mailer, texts

    def code(self, to: str) -> str:
        """Answer the code of the latest message to an address or a number."""
        self.auth.outbox.drain()
        sent = [*self.mailer.mails, *self.texts.messages]
        return next(each.code for each in reversed(sent) if each.to == to and each.code)

    def does(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Send a request and require its status."""
        reply = self.browser.send(method, path, body)
        assert reply.status == status, (path, reply.result)
        return reply.json

    def proves(self, method: str, path: str, body: Any, to: str, then: str, **more: Any) -> Any:
        """Ask for a code to `to`, and answer it."""
        begun = self.does(method, path, body, 202)
        return self.does("POST", then, {"challenge_id": begun["challenge"]["id"], "code": self.code(to), **more})


def lived(life: Life, clock: FrozenClock) -> str:
    """Do all that leaves something behind; answer the user's id."""
    life.does("POST", "/anonymous", {}, 201)
    sign_up = {"email": FIRST, "password": PASSWORD, "display_name": NAME}
    user = life.proves("POST", "/sign-up", sign_up, FIRST, "/sign-up/verify")["user"]
    life.does("PATCH", "/me", {"username": USERNAME, "locale": "en"})
    life.proves("POST", "/me/emails", {"email": SECOND}, SECOND, "/me/emails/confirm")
    life.proves("POST", "/me/phone", {"phone": NUMBER}, NUMBER, "/me/phone/confirm")
    life.does("POST", "/invitations", {"email": "guest@example.com"}, 202)
    change = {"current_password": PASSWORD, "new_password": OTHER}
    life.proves("POST", "/password/change", change, FIRST, "/password/change/verify")
    for name in ({"email": FIRST}, {"email": SECOND}, {"username": USERNAME}, {"phone": NUMBER}):
        life.does("POST", "/sign-in", {**name, "password": "no such words at all"}, 401)
    sign_in = {"username": USERNAME, "password": OTHER}
    life.proves("POST", "/sign-in", sign_in, FIRST, "/sign-in/email-code", remember=True)
    for path, name in (("password/reset", "email"), ("magic-link", "email"), ("code", "email")):
        life.does("POST", f"/{path}", {name: SECOND}, 202)
    life.does("POST", "/code", {"phone": NUMBER}, 202)
    life.does("POST", "/me/phone", {"phone": OTHER_NUMBER}, 202)
    life.proves("POST", "/me/phone", {"phone": OTHER_NUMBER}, OTHER_NUMBER, "/me/phone/confirm")
    life.does("POST", "/me/emails/remove", {"email": SECOND})
    life.proves("POST", "/email/change", {"new_email": THIRD}, THIRD, "/email/change/confirm")
    life.does("POST", "/me/emails", {"email": PENDING}, 202)
    life.does("POST", "/reauthenticate", {}, 202)
    clock.advance(1)
    return str(user["id"])


def test_nothing_names_who_has_left(
    auth: Callable[..., Auth],
    client: Any,
    inside: Any,
    any_database: str,
    clock: FrozenClock,
    mailer: MemoryMailer,
    texts: MemorySms,
) -> None:
    """No row of any table and no key of any store holds the id, an address, the name, the username or a number."""
    made = auth(*rooms(), database=any_database)
    life = Life(made, client(made, browser=True), mailer, texts)
    user_id = lived(life, clock)
    before = naming(any_database, user_id, *NAMED)
    life.proves("DELETE", "/me", None, THIRD, "/me/deletion/confirm")
    clock.advance(3600)
    door = inside(made)

    removed = door.run(retention.sweep(door.runtime))

    assert set(before) >= {user_id, FIRST, THIRD, PENDING, OTHER_NUMBER, USERNAME, NAME}
    assert removed["deletions"] == 1
    assert naming(any_database, user_id, *NAMED) == {}
    assert stored(any_database)["authcore_event.name"].count("UserDeleted") == 1
