"""What operators read of a failure: its cause, in one line, without secrets, and once a minute."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from authcore import Auth, Password, Request, Sessions, requirement
from authcore.credentials import CredentialState, InvalidConfig, MemoryCredentialStore, StatelessOperationUnsupported
from authcore.drive import Drive
from authcore.errors import AuthError, InvalidFields, NotFound, Overloaded, Unavailable
from authcore.reports import LONGEST, is_due, one_line, sentence
from authcore.services.tokens import spell

AWAY = "postgresql://ada:hunter2@127.0.0.1:1/none"
HEALTH = Request("GET", "/health", headers={"host": "127.0.0.1:8000"})


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what earlier tests have logged."""
    monkeypatch.setattr("authcore.reports._told", {})


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Answer what the logger `authcore` has got, at a level that is shown without any set-up."""
    caplog.set_level(logging.DEBUG)
    return lambda: [
        each.getMessage() for each in caplog.records if each.name == "authcore" and each.levelno >= logging.WARNING
    ]


@pytest.fixture
def away(auth: Callable[..., Auth]) -> Auth:
    """An application whose database is not there."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    return auth(database=AWAY)


def test_a_503_says_its_cause_in_the_log_once(away: Auth, told: Callable[[], list[str]]) -> None:
    """The client reads that the service is not available; the log says once why, without the URL's password."""
    answers = [away.blocking_core().dispatch(HEALTH) for _ in range(3)]

    [line] = told()
    assert [answer.status for answer in answers] == [503] * 3
    assert not [answer for answer in answers if b"refused" in answer.body]
    assert line.startswith("A request got 503 unavailable. The database does not answer: ")
    assert "refused" in line
    assert "hunter2" not in line
    assert line.isprintable()


async def test_a_guard_s_503_says_its_cause_too(away: Auth, told: Callable[[], list[str]]) -> None:
    """What an adapter answers for a guard comes from the same place."""
    core = away.async_core()
    bearer = {"host": "127.0.0.1:8000", "authorization": f"Bearer {spell('at', bytes(32))}"}
    with pytest.raises(Unavailable) as caught:
        await core.authorize(Request("GET", "/mine", headers=bearer), requirement())

    core.failure(caught.value)

    assert len(told()) == 1
    assert "refused" in told()[0]


def test_missing_tables_are_named_in_the_log(auth: Callable[..., Auth], told: Callable[[], list[str]]) -> None:
    """A database without tables is the commonest cause: the line says which command makes them."""
    production: dict[str, Any] = {"dev_mode": False, "base_url": "https://example.com", "hashing": None}
    core = auth(**production).blocking_core()
    body = b'{"refresh_token": "' + spell("rt", bytes(32)).encode() + b'"}'

    answer = core.dispatch(Request("POST", "/refresh", body, {"content-type": "application/json"}))

    assert answer.status == 503
    assert [line for line in told() if "authcore db upgrade" in line] == told() != []


@pytest.mark.parametrize("error", [NotFound(), Overloaded()])
def test_other_failures_are_no_news(auth: Callable[..., Auth], told: Callable[[], list[str]], error: AuthError) -> None:
    """A 404, and a 503 that asks for patience, are answers like others."""
    auth().blocking_core().failure(error)

    assert told() == []


class Misconfigured(MemoryCredentialStore):
    """A store whose settings turn out wrong at the first sign-in."""

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Say what to write instead."""
        raise InvalidConfig("The signing key is gone: write secret=[new, old], not postgresql://ada:hunter2@db/x.\n")


def test_a_500_says_its_cause_in_the_log_alone(auth: Callable[..., Auth], told: Callable[[], list[str]]) -> None:
    """O3: a stranger learns nothing of the settings; the log says once what to write, in one line without passwords."""
    core = auth(Password(require_code=False), Sessions(bearer=Misconfigured())).blocking_core()
    json_ = {"host": "127.0.0.1:8000", "content-type": "application/json"}
    body = b'{"email": "%s@example.com", "password": "three quiet herons wade", "transport": "bearer"}'

    answers = [core.dispatch(Request("POST", "/sign-up", body % name, json_)) for name in (b"ada", b"grace")]

    assert [answer.status for answer in answers] == [500, 500]
    assert json.loads(answers[0].body) == {"error": {"code": "invalid_config", "message": AuthError.message}}
    assert told() == [
        "A request got 500 invalid_config. The signing key is gone: write secret=[new, old], not "
        "postgresql://ada:***@db/x."
    ]


@pytest.mark.parametrize("error", [InvalidConfig("How it is set."), StatelessOperationUnsupported(details={"a": 1})])
def test_a_guard_s_500_says_nothing_either(
    auth: Callable[..., Auth], told: Callable[[], list[str]], error: AuthError
) -> None:
    """What an adapter answers for an application's own route comes from the same place."""
    answer = auth().blocking_core().failure(error)

    assert json.loads(answer.body) == {"error": {"code": error.code, "message": AuthError.message}}
    assert told() == [f"A request got 500 {error.code}. {error}"]


def test_an_error_of_the_application_s_own_is_told_as_it_is(
    auth: Callable[..., Auth], told: Callable[[], list[str]]
) -> None:
    """S118: who writes an AuthError writes its sentence for clients; a 502 of theirs is news for the log."""

    class Upstream(AuthError):
        code = "upstream"
        status = 502
        message = "The registry does not answer."

    answer = auth().blocking_core().failure(Upstream())

    assert json.loads(answer.body) == {"error": {"code": "upstream", "message": "The registry does not answer."}}
    assert told() == ["A request got 502 upstream. The registry does not answer."]


def test_a_line_is_due_again_after_its_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason is told at most once a minute; another one is told at once."""
    now = time.monotonic()
    found = []
    for later, line in ((0, "a"), (59, "a"), (59, "b"), (60, "a"), (118, "b"), (119, "b")):
        monkeypatch.setattr("authcore.reports.time.monotonic", lambda later=later: now + later)
        found.append(is_due(line))

    assert found == [True, False, True, True, False, True]


def test_many_reasons_are_no_flood() -> None:
    """Reasons that differ at every request do not fill the log, nor the memory."""
    assert sum(is_due(f"reason {number}") for number in range(1000)) == 100


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\x1b[2J\u2028c", "a b [2J c"),
        ("postgresql://ada:p@ss:w/rd@host/x", "postgresql://ada:***@host/x"),
        ("invalid dsn: host=h password=hunter2 user=x", "invalid dsn: host=h password=*** user=x"),
        ("PASSWORD = 'hunter2 more' user=x", "PASSWORD = *** user=x"),
        ("password authentication failed for user ada", "password authentication failed for user ada"),
        ("x" * 400, "x" * (LONGEST - 1) + "…"),
    ],
)
def test_foreign_text_becomes_a_line(text: str, line: str) -> None:
    """O3: no line break, no escape, no password, no end."""
    assert one_line(text) == line


def test_secrets_are_hidden_however_they_are_spelled() -> None:
    """O3: in other letters, as a part of a URL, and where one secret stands inside another."""
    line = one_line("ADA@example.com ada%40example.com t=abc abc", ["ada@example.com", "t=abc", "abc", None, ""])

    assert line == "*** *** *** ***"


def test_a_reason_below_its_heading_is_found() -> None:
    """Where a driver's first line only announces, what follows it is told; else it is left out."""
    listed = OperationalError(None, None, Exception("All failures were:\n- refused"))
    detailed = OperationalError(None, None, Exception("refused\nDETAIL: Key (email)=(ada@example.com)"))

    lines = [sentence(_because(cause)) for cause in (listed, detailed)]

    assert lines == [
        "The database does not answer: All failures were: - refused",
        "The database does not answer: refused",
    ]


def test_the_outbox_says_why_it_cannot_be_read(away: Auth, caplog: pytest.LogCaptureFixture) -> None:
    """A sender whose database is away says so with the cause, and not at every look."""
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []
    for _ in range(2):
        away.outbox.wake()
        deadline = time.monotonic() + 20
        while not lines and time.monotonic() < deadline:
            time.sleep(0.02)
            lines = [each.getMessage() for each in caplog.records if each.name == "authcore.outbox"]
    away.outbox.stop()

    [line] = lines
    assert line.startswith("The outbox could not be read. The database does not answer: ")
    assert "refused" in line


def test_a_write_that_waits_too_long_has_a_reason(
    auth: Callable[..., Auth], tmp_path: Path, told: Callable[[], list[str]]
) -> None:
    """Behind another thread's long write, the reason is that, and no silence."""
    import threading

    from authcore.drive import run_blocking

    made = auth(database=f"sqlite:///{tmp_path / 'slow.db'}?timeout=0.1")
    db = made.runtime(Drive.BLOCKING).ports.db
    begun, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: run_blocking(db.write(lambda tx: (begun.set(), end.wait(20)))))
    thread.start()
    begun.wait(20)
    try:
        with pytest.raises(Unavailable) as caught:
            run_blocking(db.write(lambda tx: None))
    finally:
        end.set()
        thread.join()
    made.blocking_core().failure(caught.value)

    assert [line for line in told() if "took longer than 0.1 seconds" in line] == told() != []


def _because(cause: Exception) -> Unavailable:
    error = Unavailable()
    error.__cause__ = cause
    return error


def test_wrong_fields_are_told_one_by_one() -> None:
    """A traceback, and a command's error, names each wrong field; what a client called it moves no cursor (rule O3)."""
    details = [
        {"field": "password", "code": "too_short", "message": "Use at least 15 characters."},
        {"field": "a\nb", "code": "unknown", "message": "There is no such field."},
    ]

    error = InvalidFields(details=details)

    told = "Some fields are not valid. 'password': Use at least 15 characters. 'a\\nb': There is no such field."
    assert (str(error), sentence(error)) == (told, told)
    assert error.to_json()["error"]["message"] == "Some fields are not valid."
