"""Rule O3: one life of an account, after which every secret that it made is looked for wherever it must not be."""

from __future__ import annotations

import gc
import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from authcore import Auth, AuthError, Password, PasswordReset, Sessions, SignedIn
from authcore.backends.mail import MemoryMailer
from authcore.backends.system import SeededRandom
from authcore.drive import Drive
from authcore.services.events import EVENTS
from authcore.testing.ports import FrozenClock

SECRET = "canary of the key ring 7f3b91d0c4"
RIGHT, WRONG, WEAK = "canary seven herons wade", "canary four loud herons", "canary77"
OTHER = "canary five grey herons"
EMAIL = "ada@example.com"
TOKEN_FIELDS = ("access_token", "refresh_token")


class Life:
    """What a life of an account made (`secrets`) and where it may have left it (`traces`)."""

    def __init__(self, made: Auth, browser: Any, program: Any, mailer: MemoryMailer, clock: FrozenClock) -> None:
        self.made, self.browser, self.program, self.mailer, self.clock = made, browser, program, mailer, clock
        self.known: set[str] = set()
        self.traces: dict[str, set[str]] = {}
        for event in EVENTS:
            made.on(event, self._told)

    def _told(self, event: Any) -> None:
        self.note("events", repr(event))
        # In the middle of a flow: what it holds right now is there to be shown.
        self.look_around()

    @property
    def secrets(self) -> set[str]:
        """Answer everything that somebody could sign in with."""
        return {SECRET, RIGHT, WRONG, WEAK, OTHER, *self.mailed, *self.known}

    @property
    def mailed(self) -> set[str]:
        """Answer every code and every token that a mail carried."""
        return {secret for mail in self.mailer.mails for secret in (mail.code, mail.token) if secret}

    def note(self, place: str, *shown: str) -> None:
        """Keep what was shown somewhere."""
        self.traces.setdefault(place, set()).update(shown)

    def look_around(self) -> None:
        """Note the repr of every object of authcore's that is alive."""
        ours = [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("authcore")]
        self.note("reprs", *map(repr, ours))

    def post(self, who: Any, path: str, body: Any = None, **how: Any) -> Any:
        """Send a request, note the secrets of its answer, and what a refusal says."""
        body = {} if body is None else body
        reply = who.post(path, body, **how)
        self.known |= {reply.json[field] for field in TOKEN_FIELDS if field in reply.json}
        self.known |= {cookie.value for cookie in reply.result.cookies if cookie.value}
        if reply.status >= 400:
            self.note("failures", repr(reply.result.header_list()) + reply.result.body.decode())
        else:
            # Structs without references are none of the collector's, so they are made again.
            route, _ = self.made.router.find("POST", path)
            answer = msgspec.json.decode(reply.result.body, type=route.answers[reply.status])
            self.note("structs", repr(msgspec.convert(body, route.body)), repr(answer))
        return reply

    def refused(self, call: Callable[..., Any], **given: Any) -> None:
        """Make a Python call that is refused, and note all that the exception says."""
        with pytest.raises(AuthError) as caught:
            call(**given)
        error = caught.value
        shown = "".join(traceback.format_exception(error))
        self.note("exceptions", repr(error), json.dumps(error.to_json()), shown)

    def live(self) -> None:
        """Sign up, fail, sign in, refresh, prove again, fail again, sign out: by HTTP and by Python."""
        whole = {"email": EMAIL, "password": RIGHT}
        self.post(self.browser, "/sign-up", {**whole, "password": WEAK})
        self.post(self.browser, "/sign-up", {**whole, "password_confirmation": WRONG})
        begun = self.post(self.browser, "/sign-up", whole).json["challenge"]["id"]
        self.post(self.browser, "/sign-up/verify", {"challenge_id": begun, "code": "canary"})
        code = self._code()
        self.post(self.browser, "/sign-up/verify", {"challenge_id": begun, "code": code})
        self.post(self.browser, "/refresh")
        self._prove_again()
        self._be_stolen_from(whole)
        self._forget()
        self.post(self.browser, "/sign-out")
        self._call(challenge_id=begun, code=code)
        self.look_around()
        document, runtime = json.dumps(self.made.openapi), self.made.runtime(Drive.BLOCKING)
        self.note("declaration", document, repr(self.made), repr(runtime))

    def _code(self) -> str:
        # Whoever sends the first mail fails once, and says in its error what it was sending.
        self.made.outbox.drain()
        self.clock.advance(60)
        return str(self.browser.mailed_code())

    def _prove_again(self) -> None:
        self.post(self.browser, "/reauthenticate", {"password": WRONG})
        self.post(self.browser, "/reauthenticate", {"password": RIGHT})
        proof = self.post(self.browser, "/reauthenticate").json["challenge"]["id"]
        self.post(self.browser, "/reauthenticate", {"challenge_id": proof, "code": self._code()})

    def _be_stolen_from(self, whole: dict[str, str]) -> None:
        self.post(self.program, "/sign-in", {**whole, "password": WRONG})
        tokens = self.post(self.program, "/sign-in", whole).json
        self.post(self.program, "/refresh", {"refresh_token": tokens["refresh_token"]})
        self.clock.advance(11)
        self.post(self.program, "/refresh", {"refresh_token": tokens["refresh_token"]})
        self.post(self.program, "/sign-in", b'{"password": "' + RIGHT.encode() + b'"')
        self.post(self.program, "/sign-in", {**whole, "token": tokens["access_token"]})

    def _forget(self) -> None:
        for by_link, password in ((False, OTHER), (True, RIGHT)):
            asked = self.post(self.browser, "/password/reset", {"email": EMAIL}).json["challenge"]["id"]
            way = {"challenge_id": asked, "code": self._code()}
            way = {"token": self.mailer.mails[-1].token or ""} if by_link else way
            self.post(self.browser, "/password/reset/check", way)
            for chosen in (WEAK, password, password):
                self.post(self.browser, "/password/reset/complete", {**way, "new_password": chosen})

    def _call(self, **spent: str) -> None:
        calls = self.made.blocking
        self.refused(calls.password.sign_in, email=EMAIL, password=WRONG)
        self.refused(calls.password.sign_up, email=EMAIL, password=WEAK)
        self.refused(calls.password.verify_sign_up, **spent)
        self.refused(calls.sessions.refresh, refresh_token=max(self.known))
        signed_in = calls.password.sign_in(email=EMAIL, password=RIGHT)
        assert isinstance(signed_in, SignedIn)
        self.known |= {signed_in.access_token, signed_in.refresh_token or ""}
        self.note("reprs", repr(signed_in), repr(signed_in.issued))


@pytest.fixture
def life(
    auth: Callable[..., Auth],
    client: Callable[..., Any],
    mailer: MemoryMailer,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> Life:
    """A life that was lived with every logger at its most talkative, SQLAlchemy's too."""
    for talkative in (None, "sqlalchemy"):
        caplog.set_level(logging.DEBUG, talkative)
    failed: list[str] = []

    def send(mail: Any) -> None:
        if not failed:
            failed.append(mail.key)
            raise OSError(f"550 refused: {mail.text}")
        mailer.send(mail)

    gc.freeze()  # what other tests left behind is none of this life's
    # Seeded, so that no code of six digits is met by chance.
    seeded = SeededRandom(b"canary")
    rooms = (Password(code_length=12), PasswordReset(code_length=12), Sessions(cookie_refresh=True))
    made = auth(*rooms, secret=SECRET, mailer=send, random=seeded)
    lived = Life(made, client(made, browser=True), client(made), mailer, clock)
    try:
        lived.live()
    finally:
        gc.unfreeze()
    return lived


def test_the_life_made_secrets_that_are_found_where_they_belong(life: Life) -> None:
    """The search itself works: codes in their mails, tokens and cookies of each kind, and traces of each kind."""
    mails = "".join(mail.text for mail in life.mailer.mails)

    assert {secret[:7] for secret in life.known} >= {"ac1_at_", "ac1_st_", "ac1_rt_"}
    assert {*life.browser.jar.values()} <= life.secrets
    assert {secret for secret in life.secrets if secret in mails} == life.mailed
    assert {secret[:7] for secret in life.mailed} >= {"ac1_ln_"}
    assert set(life.traces) == {"declaration", "events", "exceptions", "failures", "reprs", "structs"}
    assert any(trace.startswith("Challenge(") for trace in life.traces["reprs"])
    assert any(trace.startswith("SignIn(…)") for trace in life.traces["structs"])


def test_no_secret_is_told(life: Life) -> None:
    """O3: no event, no repr of any object, no HTTP failure, no exception and no document shows a secret."""
    told = {
        trace[:80]
        for traces in life.traces.values()
        for trace in traces
        if any(secret in trace for secret in life.secrets)
    }

    assert told == set()


def test_no_secret_is_logged(life: Life, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """O3: no logger at any level, with its exceptions, and nothing printed, shows a secret."""
    records = caplog.get_records("setup")
    lines = [logging.Formatter().format(record) + str(record.__dict__) for record in records]

    assert any("failed at try 1" in line for line in lines)
    assert any(record.name.startswith("sqlalchemy") for record in records)
    assert [line for line in lines if any(secret in line for secret in life.secrets)] == []
    assert capfd.readouterr() == ("", "")


def test_no_secret_is_stored(life: Life, tmp_path: Path) -> None:
    """O3, T1: the very bytes of the database and its journal hold no password, code, token or key."""
    files = [path for path in tmp_path.iterdir() if path.name.startswith("auth.db")]
    stored = b"".join(path.read_bytes() for path in files)

    assert EMAIL.encode() in stored
    assert [secret for secret in life.secrets if secret.encode() in stored] == []


def test_what_a_client_may_read_holds_no_credential(life: Life) -> None:
    """A session's id opens nothing, and no answer about oneself repeats what opens."""
    token = life.program.sign_in(EMAIL, RIGHT).json["access_token"]

    answers = [life.program.get(path, bearer=token).result.body.decode() for path in ("/me", "/session", "/sessions")]

    assert [secret for secret in {*life.secrets, token} if any(secret in answer for answer in answers)] == []
