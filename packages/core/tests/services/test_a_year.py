"""Nothing grows without bound: a year of an application, swept as serving processes sweep, and what is left of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
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
    Request,
)
from authcore.backends.mail import MemoryMailer
from authcore.services import passwords, retention
from authcore.tables import shipped
from authcore.testing.ports import FrozenClock

SERVER = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
DAY, HOUR = 86_400, 3600
WEEKS, QUARTER = 52, 13
PASSWORD, WRONG = "three quiet herons wade", "four loud herons wade"
AUDIT = timedelta(days=60)
LASTING = {"authcore_user", "authcore_identity", "authcore_password", "authcore_password_history", "authcore_pseudonym"}
"""What an account is: it goes with the account."""


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
        Account(username=True, phone=True, several_emails=True, settling=timedelta()),
        Anonymous(),
        Audit(keep=AUDIT),
        Notices(),
    ]


class Town:
    """The people of an application, each as a client without cookies."""

    def __init__(self, auth: Auth, inside: Any, mailer: MemoryMailer, clock: FrozenClock) -> None:
        self.auth, self.inside, self.mailer, self.clock = auth, inside, mailer, clock
        self.tokens: dict[str, Any] = {}

    def does(self, method: str, path: str, body: Any = None, *, who: str | None = None, status: int = 200) -> Any:
        """Send a request, as somebody who is signed in or as nobody, and require its status."""
        headers = {"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
        headers |= {} if body is None else {"content-type": "application/json"}
        if who is not None:
            headers["authorization"] = f"Bearer {self.tokens[who]['access_token']}"
        raw = b"" if body is None else json.dumps(body).encode()
        result = self.auth.blocking_core().dispatch(Request(method, path, raw, headers, "203.0.113.7"))
        answer = json.loads(result.body or b"null")
        assert result.status == status, (path, answer)
        if who is not None and "access_token" in answer:
            self.tokens[who] = answer
        return answer

    def asks(self, path: str, body: Any = None, *, method: str = "POST", who: str | None = None) -> Any:
        """Ask for a mail, and answer the challenge with the code that came."""
        self.auth.outbox.drain()  # what waits from before is none of this
        begun = self.does(method, path, body, status=202, who=who)
        return {"challenge_id": begun["challenge"]["id"], "code": self.mailed().code}

    def mailed(self) -> Any:
        """Answer the latest mail that has a code."""
        self.auth.outbox.drain()
        return next(mail for mail in reversed(self.mailer.mails) if mail.code)

    def arrives(self, email: str) -> None:
        """Sign up, and prove the address."""
        proof = self.asks("/sign-up", {"email": email, "password": PASSWORD, "transport": "bearer"})
        self.tokens[email] = self.does("POST", "/sign-up/verify", {**proof, "transport": "bearer"})

    def returns(self, email: str, password: str = PASSWORD) -> Any:
        """Sign in by password and code, and be remembered."""
        whole = {"email": email, "password": password, "transport": "bearer"}
        proof = self.asks("/sign-in", whole)
        self.tokens[email] = self.does("POST", "/sign-in/email-code", {**proof, "remember": True})
        return self.tokens[email]

    def follows(self, address: str, who: str) -> None:
        """Sign in by a link."""
        self.asks("/magic-link", {"email": address, "transport": "bearer"})
        link = {"token": self.mailed().token, "transport": "bearer"}
        self.tokens[who] = self.does("POST", "/magic-link/consume", link)

    def is_spared(self, email: str, token: str) -> str:
        """Sign in by password where the code is spared; answer the next remember token."""
        whole = {"email": email, "password": PASSWORD, "transport": "bearer", "remember_token": token}
        return str(self.does("POST", "/sign-in", whole)["remember_token"])

    def days(self, many: float) -> None:
        """Let time pass, and sweep as often as a day goes by."""
        for _ in range(int(many)):
            self.clock.advance(DAY)
            self.sweep()
        self.clock.advance(DAY * (many - int(many)))

    def sweep(self) -> dict[str, int]:
        """Remove what is over."""
        removed: dict[str, int] = self.inside.run(retention.sweep(self.inside.runtime))
        return removed

    def held(self) -> Counter[str]:
        """Answer how many rows each table holds."""
        tables = shipped().sorted_tables
        return self.inside.read(
            lambda tx: Counter({t.name: tx.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables})
        )


@pytest.fixture
def town(
    auth: Callable[..., Auth],
    inside: Callable[[Auth], Any],
    any_database: str,
    mailer: MemoryMailer,
    clock: FrozenClock,
) -> Town:
    """A town in which nobody lives yet."""
    made = auth(*rooms(), database=any_database)
    made.create_tables()
    return Town(made, inside(made), mailer, clock)


# --- a week ---


def week(town: Town, number: int) -> None:
    """Live a week: whoever comes, comes back, fails, forgets, changes, invites, visits and leaves."""
    newcomer, guest = f"new{number}@example.com", f"guest{number}@example.com"
    town.arrives(newcomer)
    town.does("POST", "/sign-up", {"email": f"shy{number}@example.com", "password": PASSWORD}, status=202)
    _visit(town)
    town.days(1)
    _fail(town, newcomer, f"nobody{number}@example.com")
    town.returns(newcomer)
    town.does("POST", "/refresh", {"refresh_token": town.tokens[newcomer]["refresh_token"]})
    town.days(1)
    _forget(town, newcomer)
    town.days(1)
    _change(town, newcomer, f"other{number}@example.com")
    town.days(1)
    _by_link(town, newcomer, number)
    town.days(1)
    _invite(town, guest)
    town.days(2)
    if number >= 4:
        _leave(town, number - 4)
    town.mailer.mails.clear()


def _visit(town: Town) -> None:
    for _ in range(2):
        town.does("POST", "/anonymous", {"transport": "bearer"}, status=201)


def _fail(town: Town, known: str, unknown: str) -> None:
    for email in (known, unknown):
        town.does("POST", "/sign-in", {"email": email, "password": WRONG}, status=401)
        town.does("POST", "/password/reset", {"email": email}, status=202)
        town.does("POST", "/magic-link", {"email": email}, status=202)
        town.does("POST", "/code", {"email": email}, status=202)
    town.does("POST", "/code", {"phone": "+4915112345678"}, status=202)
    town.clock.advance(HOUR)


def _forget(town: Town, email: str) -> None:
    proof = town.asks("/password/reset", {"email": email, "transport": "bearer"})
    town.does("POST", "/password/reset/complete", {**proof, "new_password": WRONG, "transport": "bearer"})
    town.clock.advance(HOUR)
    town.returns(email, WRONG)
    proof = town.asks("/password/change", {"current_password": WRONG, "new_password": f"{PASSWORD} on"}, who=email)
    town.does("POST", "/password/change/verify", proof, who=email)


def _change(town: Town, email: str, other: str) -> None:
    town.returns(email, f"{PASSWORD} on")
    proof = town.asks("/email/change", {"new_email": other}, who=email)
    town.does("POST", "/email/change/confirm", proof, who=email)
    proof = town.asks("/me/emails", {"email": f"second-{email}"}, who=email)
    town.does("POST", "/me/emails/confirm", proof, who=email)
    town.does("POST", "/me/emails/remove", {"email": f"second-{email}"}, who=email)
    town.does("POST", "/me/emails", {"email": f"third-{email}"}, who=email, status=202)


def _by_link(town: Town, email: str, number: int) -> None:
    other = f"other{number}@example.com"
    town.follows(other, email)
    town.does("POST", "/code", {"email": other, "transport": "bearer"}, status=202)


def _invite(town: Town, guest: str) -> None:
    town.auth.blocking.account.invite(email=f"un{guest}")
    town.auth.outbox.drain()
    town.auth.blocking.account.invite(email=guest)
    link = {"token": town.mailed().token, "transport": "bearer"}
    town.tokens[guest] = town.does("POST", "/invitations/accept", link)


def _leave(town: Town, number: int) -> None:
    for email, now_at in ((f"new{number}@example.com", "other"), (f"guest{number}@example.com", "guest")):
        town.follows(f"{now_at}{number}@example.com", email)
        town.does("POST", "/me/deletion/confirm", town.asks("/me", method="DELETE", who=email))


# --- a year ---


class Regulars:
    """Who stays for the whole year: one who is remembered and signed in, one whose password rests."""

    def __init__(self, town: Town) -> None:
        self.town = town
        for email in ("ada@example.com", "eve@example.com"):
            town.arrives(email)
        self._come_back()
        row = {"key": passwords.attempt_key("default", "eve@example.com"), "failures": passwords.MAX_FAILURES}
        now = town.clock.now()
        town.inside.write(lambda tx: tx.execute(passwords.attempts.insert().values(**row, failed_at=now)))

    def _come_back(self) -> None:
        held = self.town.returns("ada@example.com")
        self.remember_token, self.refresh_token = held["remember_token"], held["refresh_token"]
        self.weeks = 0

    def live(self) -> None:
        """Sign in without the code, and go on with a session of weeks; after four of them, begin again."""
        self.weeks += 1
        self.remember_token = self.town.is_spared("ada@example.com", self.remember_token)
        gone_on = self.town.does("POST", "/refresh", {"refresh_token": self.refresh_token})
        self.refresh_token = gone_on["refresh_token"]
        if self.weeks == 4:
            self._come_back()

    def rest(self) -> None:
        """Find the password that rests still at rest."""
        town, whole = self.town, {"email": "eve@example.com", "password": PASSWORD}
        town.does("POST", "/sign-in", whole, status=401)


def test_a_year_leaves_no_more_than_a_quarter(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first quarter no table grows; what lives stays; in the end only accounts are left."""
    regulars, weeks = Regulars(town), []

    for number in range(WEEKS):
        week(town, number)
        regulars.live()
        weeks.append(town.held())
    regulars.rest()

    assert grown(weeks) == {}
    # Nobody ended everything at once, signed with a key of its own, or put anything into a bag.
    unused = {"authcore_epoch", "authcore_session_data", "authcore_signing_key"}
    assert set(weeks[-1]) - {name for name, rows in weeks[-1].items() if rows} == unused
    leave_and_stay(town)
    change_and_undo(town)
    be_silent(town, monkeypatch)


def grown(weeks: list[Counter[str]]) -> dict[str, tuple[int, int]]:
    """Answer the tables that held more in the last quarter than in the second, with both."""
    second, last = weeks[QUARTER : 2 * QUARTER], weeks[-QUARTER:]
    peaks = {name: (max(w[name] for w in second), max(w[name] for w in last)) for name in weeks[0]}
    return {name: peak for name, peak in peaks.items() if peak[1] > peak[0]}


def leave_and_stay(town: Town) -> None:
    """Find an account that is to go still there near the end of its grace, and keep it."""
    town.returns("ada@example.com")
    proof = town.asks("/me", method="DELETE", who="ada@example.com")
    town.does("POST", "/me/deletion/confirm", proof)
    cancel = town.mailed().token
    town.days(13.9)
    town.does("POST", "/me/deletion/cancel", {"token": cancel})


def change_and_undo(town: Town) -> None:
    """Find the way back from a change of address still open near its end."""
    town.returns("ada@example.com")
    proof = town.asks("/email/change", {"new_email": "taken@example.com"}, who="ada@example.com")
    town.does("POST", "/email/change/confirm", proof, who="ada@example.com")
    town.auth.outbox.drain()
    undo = next(mail.token for mail in reversed(town.mailer.mails) if mail.kind == "email_changed")
    town.days(6.9)
    town.does("POST", "/email/change/undo", {"token": undo})


def be_silent(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let more than a year pass without anybody: sweeps in small bounds, then two at once, leave accounts alone."""
    town.clock.advance(401 * DAY)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "BATCH", 2)
        patch.setattr(retention, "MOST", 2)
        removed = town.sweep()
    # Secrets of a session are of two kinds.
    assert {name: many for name, many in removed.items() if many > 4 and name not in ("kv", "session_secrets")} == {}
    assert sum(removed.values()) > 0

    with ThreadPoolExecutor(2) as both:
        for _ in range(3):
            town.auth.outbox.drain()
            list(both.map(lambda _: town.sweep(), range(2)))
            town.clock.advance(AUDIT.total_seconds())  # what the sweeps told of is over, too

    left = {name: many for name, many in town.held().items() if many}
    users = left["authcore_user"]
    assert set(left) <= {*LASTING, "authcore_known_device", "authcore_attempt", "authcore_schema_version"}
    assert left["authcore_known_device"] <= users
    assert left["authcore_attempt"] == 1
