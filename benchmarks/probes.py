"""What is asked about an address, and the accounts that have to be there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from serving import request
from targets import Target, engine_of

from authcore import Auth
from authcore.context import DEFAULT_TENANT
from authcore.services.passwords import MAX_FAILURES, attempt_key, attempts
from authcore_conformance.target_apps import Options, declaration

PASSWORD = "four words without sense"
WRONG = "four words of other sense"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Probe:
    """One row: a request with a name in it, and the status that both arms are answered.

    Without `again` each name is asked about once. `resting` asks after as many failures as there may be.
    `pause` stands before each request, in seconds: what a mail costs afterwards is over by then.
    """

    name: str
    path: str
    status: int
    again: bool = False
    field: Literal["email", "username"] = "email"
    password: str | None = None
    cost: Literal["cheap", "default"] = "cheap"
    resting: bool = False
    pause: float = 0.0

    def request(self, name: str) -> bytes:
        """Answer the request about one name."""
        body = {self.field: name if self.field == "username" else _address(name)}
        if self.password is not None:
            body |= {"password": self.password}
        return request("/auth" + self.path, body={**body, "transport": "bearer"}).encode()


MAIL = 0.01
SIGN_IN: dict[str, Any] = {"path": "/sign-in", "status": 401, "password": WRONG}
RESET: dict[str, Any] = {"path": "/password/reset", "status": 202, "pause": MAIL}
CODE: dict[str, Any] = {"path": "/code", "status": 202, "pause": MAIL}
LINK: dict[str, Any] = {"path": "/magic-link", "status": 202, "pause": MAIL}
PROBES = (
    Probe("sign-in", again=True, **SIGN_IN),
    Probe("sign-in, never failed", **SIGN_IN),
    Probe("sign-in by username", again=True, field="username", **SIGN_IN),
    Probe("sign-up", "/sign-up", 202, password=PASSWORD, pause=MAIL),
    Probe("password reset", **RESET),
    Probe("password reset, again", again=True, **RESET),
    Probe("code request", **CODE),
    Probe("code request, again", again=True, **CODE),
    Probe("magic-link request", **LINK),
    Probe("magic-link request, again", again=True, **LINK),
    Probe("sign-in, the unlock mail", resting=True, pause=MAIL, **SIGN_IN),
    Probe("sign-in, resting", resting=True, again=True, **SIGN_IN),
    Probe("sign-in at the default cost", again=True, cost="default", **SIGN_IN),
)
SHOWN_BY = {"dummy": ["sign-in", "sign-in at the default cost"], "write": ["password reset"]}
"""The rows that what is broken has to show in."""


def people(target: Target, accounts: int, *, cost: str) -> tuple[list[str], list[str]]:
    """Draw the names of both arms, all of one length and one shape, and make accounts of the first."""
    drawn: dict[str, None] = {}
    while len(drawn) < 2 * accounts:
        drawn["".join(random.choices(LETTERS, k=12))] = None
    names = list(drawn)
    known, unknown = names[:accounts], names[accounts:]
    _make(target, known, cheap=cost == "cheap")
    return known, unknown


def _make(target: Target, names: Sequence[str], *, cheap: bool) -> None:
    options = Options(
        adapter="flask",
        database=target.database,
        mailbox="mails",  # none is sent from here
        base_url=f"http://127.0.0.1:{target.port}",
        limits=False,
        cheap=cheap,
        usernames=True,
    )
    auth = Auth(**declaration(options))
    try:
        for name in names:
            account = {"email": _address(name), "username": name, "password": PASSWORD}
            auth.blocking.administration.create(verified=True, **account)
    finally:
        auth.dispose()


def let_rest(target: Target, names: Sequence[str]) -> None:
    """Let as many sign-ins have failed, for each name, as there may be."""
    keys = [attempt_key(DEFAULT_TENANT.id, _address(name)) for name in names]
    random.shuffle(keys)
    failed = {"failures": MAX_FAILURES, "failed_at": datetime.now(UTC)}
    engine = engine_of(target.database)
    with engine.begin() as tx:
        tx.execute(sa.delete(attempts))
        tx.execute(sa.insert(attempts), [{"key": key, **failed} for key in keys])
    engine.dispose()


def _address(name: str) -> str:
    return f"{name}@people.example"
