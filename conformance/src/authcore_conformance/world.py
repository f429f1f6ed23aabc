"""The world around one scenario: the application under test, and side doors to look behind it.

Tests act through the front door, `world.client()`. The side doors are the mailbox, the rows and the clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Executable, RowMapping, func, select

from authcore import Auth, Password, Sessions
from authcore.backends.argon2 import HashParameters
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.backends.system import SeededRandom
from authcore.drive import Drive, run_blocking
from authcore.ports import Mail, Sms
from authcore.services import retention
from authcore.tables import metadata
from authcore.testing.ports import FrozenClock
from authcore_conformance.client import Client, Transport
from authcore_conformance.driver import Driver, HttpRequest, HttpResponse
from authcore_conformance.loop_watch import watching
from authcore_conformance.scratch import Scratch
from authcore_conformance.strategies import Strategy

BASE_URL = "https://app.example"
SECRET = "the suite's own secret, 0123456789, for tests alone"
EMAIL = "ada@example.com"
PASSWORD = "twelve unread letters"


class CheapHashing(HashParameters):
    """A cost that no application may choose, so that the suite takes seconds."""

    def check(self) -> None:
        """Accept itself, outside development too."""


CHEAP = CheapHashing(memory_kib=8, time_cost=1)


class World:
    """One application, started at the first request unless `start` says how before."""

    def __init__(self, driver: Driver, scratch: Scratch, strategy: str = "sql") -> None:
        self.driver = driver
        self.database_url = scratch.url
        self.clock = FrozenClock()
        self._strategy = Strategy(strategy, self.clock, asyncio=driver.mode == "asyncio")
        self.mailer = MemoryMailer()
        self.sms = MemorySms()
        self.exchanges: list[tuple[HttpRequest, HttpResponse]] = []
        self._scratch = scratch
        self._auth: Auth | None = None
        self._settings: dict[str, Any] = {}
        self._random: SeededRandom | None = None
        self._stack = ExitStack()
        self._statements = self._stack.enter_context(watching())

    # --- starting and ending ---

    def start(self, **settings: Any) -> Auth:
        """Start the application anew, with `settings` of Auth beside the suite's own; the data stays."""
        self.stop()
        self._settings = settings
        self._auth = self.driver.start(self)
        return self._auth

    def seed(self, text: str) -> None:
        """Draw nothing at random from here on: whoever runs this scenario sees the same bytes."""
        self._random = SeededRandom(text.encode())

    def auth(self, **overrides: Any) -> Auth:
        """Answer the scenario's declaration: what the driver mounts."""
        given: dict[str, Any] = {
            "database": self.database_url,
            "secret": SECRET,
            "base_url": BASE_URL,
            "features": [Password(), Sessions()],
            "mailer": self.mailer,
            "sms": self.sms,
            "mail_from": "authcore@app.example",
            "hashing": CHEAP,
            "clock": self.clock,
            "random": self._random,
            "outbox": "external",
            "async_drive": "asyncio" if self.driver.mode == "asyncio" else "threads",
        }
        said = {**given, **self._settings, **overrides}
        return Auth(**{**said, "features": self._strategy.into(said["features"])})

    @property
    def app(self) -> Auth:
        """Answer the Auth of the running application."""
        return self._auth or self.start()

    def stop(self) -> None:
        """Stop the application, if it runs."""
        if self._auth is not None:
            self._auth = None
            self.driver.stop()

    def end(self) -> None:
        """Stop the application, and stop watching."""
        try:
            self.stop()
        finally:
            self._stack.close()

    # --- the front door ---

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request, and keep what went both ways."""
        _ = self.app
        response = self.driver.send(request)
        self.exchanges.append((request, response))
        return response

    def client(self, transport: Transport = "bearer", **known: Any) -> Client:
        """Answer a client that nobody has seen before."""
        return Client(self.send, self.app.prefix, transport, **known)

    def member(self, transport: Transport = "bearer", *, email: str = EMAIL, **known: Any) -> Client:
        """Answer a client that has just signed up, proved its address and is signed in."""
        client = self.client(transport, **known)
        started = client.sign_up(email, PASSWORD)
        assert started.status == 202, started
        verified = client.verify(started, self.code(email))
        assert verified.status == 200, verified
        return client

    # --- the mailbox ---

    def mails(self, email: str | None = None) -> list[Mail]:
        """Send what waits, and answer every mail so far, or those to one address."""
        self.app.outbox.drain()
        return [mail for mail in self.mailer.mails if email in (None, mail.to)]

    def texts(self, number: str | None = None) -> list[Sms]:
        """Send what waits, and answer every text message so far, or those to one number."""
        self.app.outbox.drain()
        return [sms for sms in self.sms.messages if number in (None, sms.to)]

    def code(self, email: str = EMAIL) -> str:
        """Answer the code of the latest mail to an address."""
        codes = [mail.code for mail in self.mails(email) if mail.code is not None]
        assert codes, f"no code was mailed to {email}"
        return codes[-1]

    def link(self, email: str = EMAIL) -> str:
        """Answer the token of the latest link that was mailed to an address."""
        tokens = [mail.token for mail in self.mails(email) if mail.token is not None]
        assert tokens, f"no link was mailed to {email}"
        return tokens[-1]

    def wrong_code(self, email: str = EMAIL) -> str:
        """Answer a code that was not mailed to an address."""
        sent = {mail.code for mail in self.mails(email)}
        return next(code for number in range(100) if (code := f"{number:06}") not in sent)

    # --- the rows ---

    def rows(self, table: str) -> Sequence[RowMapping]:
        """Answer every row of a table, in the order of its key."""
        found = metadata.tables[table]
        return self.query(select(found).order_by(*found.primary_key.columns))

    def query(self, statement: Executable) -> Sequence[RowMapping]:
        """Run a statement on the application's database, on a connection of the suite's own."""
        with self._scratch.engine.begin() as tx:
            result = tx.execute(statement)
            return result.mappings().all() if result.returns_rows else []

    def counts(self) -> Counter[str]:
        """Answer how many rows each table holds."""
        with self._scratch.engine.begin() as tx:
            tables = metadata.sorted_tables
            return Counter({t.name: tx.scalar(select(func.count()).select_from(t)) or 0 for t in tables})

    def added(self, act: Callable[[], object]) -> Counter[str]:
        """Act, and answer how many rows each table holds more than before."""
        before = self.counts()
        act()
        after = self.counts()
        after.subtract(before)
        return Counter({name: number for name, number in after.items() if number})

    # --- the clean-up ---

    def sweep(self) -> dict[str, int]:
        """Remove what nobody needs any longer, as every process does now and then; answer how much of each kind."""
        return run_blocking(retention.sweep(self.app.runtime(Drive.BLOCKING)))

    # --- what ran ---

    def statements(self, act: Callable[[], object]) -> list[str]:
        """Act, and answer the SQL that the application ran meanwhile."""
        before = len(self._statements.ran)
        act()
        return self._statements.ran[before:]

    @property
    def blocked(self) -> list[str]:
        """Answer the statements that ran on an event loop and made it wait."""
        return self._statements.blocked
