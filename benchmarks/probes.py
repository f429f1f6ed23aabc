"""What is asked about an address, and the accounts that have to be there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
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

    Without `again` each name is asked about once. `resting` are passwords after as many failures as there may be.
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
        body = {self.field: name}
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
    Probe("sign-in, the unlock mail", resting=True, pause=MAIL, **SIGN_IN),
    Probe("sign-in, resting", resting=True, again=True, **SIGN_IN),
    Probe("sign-up", "/sign-up", 202, password=PASSWORD, pause=MAIL),
    Probe("password reset", **RESET),
    Probe("password reset, again", again=True, **RESET),
    Probe("code request", **CODE),
    Probe("code request, again", again=True, **CODE),
    Probe("magic-link request", **LINK),
    Probe("magic-link request, again", again=True, **LINK),
    Probe("sign-in at the default cost", again=True, cost="default", **SIGN_IN),
)
SHOWN_BY = {"dummy": ["sign-in", "sign-in at the default cost"], "write": ["password reset"]}
"""The rows that what is broken has to show in."""


def names(probe: Probe, accounts: int) -> tuple[list[str], list[str]]:
    """Draw the names of both arms, all of one length and one shape; the first half is to have accounts."""
    drawn = list({"".join(random.choices(LETTERS, k=12)) for _ in range(2 * accounts)})
    if len(drawn) < 2 * accounts:
        return names(probe, accounts)
    shaped = [name if probe.field == "username" else f"{name}@people.example" for name in drawn]
    return shaped[:accounts], shaped[accounts:]


def prepare(probe: Probe, target: Target, known: Sequence[str], unknown: Sequence[str]) -> None:
    """Make the accounts of one arm; let the passwords of both rest if the row wants it."""
    options = Options(
        adapter="flask",
        database=target.database,
        mailbox="mails",  # none is sent from here
        base_url=f"http://127.0.0.1:{target.port}",
        limits=False,
        cheap=probe.cost == "cheap",
        usernames=True,
    )
    with ExitStack() as stack:
        auth = Auth(**declaration(options))
        stack.callback(auth.dispose)
        for name in known:
            email = name if probe.field == "email" else f"{name}@people.example"
            username = name if probe.field == "username" else None
            auth.blocking.administration.create(email=email, password=PASSWORD, verified=True, username=username)
    if probe.resting:
        _let_rest(target, [*known, *unknown])


def _let_rest(target: Target, addresses: Sequence[str]) -> None:
    rows = [
        {"key": attempt_key(DEFAULT_TENANT.id, address), "failures": MAX_FAILURES, "failed_at": datetime.now(UTC)}
        for address in addresses
    ]
    random.shuffle(rows)
    engine = engine_of(target.database)
    with engine.begin() as tx:
        tx.execute(sa.insert(attempts), rows)
    engine.dispose()
