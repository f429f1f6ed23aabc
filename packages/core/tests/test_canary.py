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

from authcore import (
    Account,
    Anonymous,
    Audit,
    Auth,
    AuthError,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
    Sessions,
    SignedIn,
)
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.backends.system import SeededRandom
from authcore.drive import Drive, run_blocking
from authcore.features.password import ChangeCode
from authcore.features.password_reset import Broker
from authcore.services import passwords
from authcore.services.events import EVENTS
from authcore.testing.ports import FrozenClock

SECRET = "canary of the key ring 7f3b91d0c4"
RIGHT, WRONG, WEAK = "canary seven herons wade", "canary four loud herons", "canary77"
OTHER = "canary five grey herons"
EMAIL = "ada@example.com"
MOVED, MORE, NUMBER = "bea@example.com", "cyd@example.com", "+4915112345678"
TOKEN_FIELDS = ("access_token", "refresh_token", "remember_token")


class Life:
    """What a life of an account made (`secrets`) and where it may have left it (`traces`)."""

    def __init__(
        self, made: Auth, browser: Any, program: Any, mailer: MemoryMailer, texts: MemorySms, clock: FrozenClock
    ) -> None:
        self.made, self.browser, self.program = made, browser, program
        self.mailer, self.texts, self.clock = mailer, texts, clock
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
        """Answer every code and every token that a mail or a text message carried."""
        sent = (*self.mailer.mails, *self.texts.messages)
        return {secret for each in sent for secret in (each.code, getattr(each, "token", None)) if secret}

    def note(self, place: str, *shown: str) -> None:
        """Keep what was shown somewhere."""
        self.traces.setdefault(place, set()).update(shown)

    def look_around(self) -> None:
        """Note the repr of every object of authcore's that is alive."""
        ours = [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("authcore")]
        self.note("reprs", *map(repr, ours))

    def post(self, who: Any, path: str, body: Any = None, *, method: str = "POST", **how: Any) -> Any:
        """Send a request, note the secrets of its answer, and what a refusal says."""
        body = {} if body is None else body
        reply = who.send(method, path, body, **how)
        self.known |= {reply.json[field] for field in TOKEN_FIELDS if field in reply.json}
        self.known |= {cookie.value for cookie in reply.result.cookies if cookie.value}
        if reply.status >= 400:
            self.note("failures", repr(reply.result.header_list()) + reply.result.body.decode())
        else:
            # Structs without references are none of the collector's, so they are made again.
            route, _ = self.made.router.find(method, path)
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
        self._declared()

    def _declared(self) -> None:
        self.look_around()
        document, runtime = json.dumps(self.made.openapi), self.made.runtime(Drive.BLOCKING)
        self.note("declaration", document, repr(self.made), repr(runtime))

    def comes_back(self) -> str:
        """Sign in once more, and answer the access token."""
        return str(self.program.sign_in(EMAIL, RIGHT).json["access_token"])

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


class LifeInEveryRoom(Life):
    """A life that passes through every room: by codes, links and text messages, as a guest, invited and leaving."""

    def live(self) -> None:
        """Come as a guest, stay, be remembered, change everything that can change, be locked out, and go."""
        self._arrive()
        self._be_remembered()
        self._use_links_and_codes()
        self._change()
        self._move_and_return()
        self._be_served()
        self._be_locked_out()
        self._go()
        self._declared()

    def proves(self, path: str, body: Any, then: str, *, method: str = "POST", **more: Any) -> Any:
        """Ask for a code, fail with another one, answer it, and answer it once more."""
        begun = self.post(self.browser, path, body, method=method)
        challenge = begun.json["challenge"]["id"]
        self.post(self.browser, then, {"challenge_id": challenge, "code": "canary", **more})
        proof = {"challenge_id": challenge, "code": self._code(), **more}
        done = self.post(self.browser, then, proof)
        assert done.status == 200, (then, done.json)
        self.post(self.browser, then, proof)
        return done

    def follows(self, then: str, who: Any = None, **more: Any) -> Any:
        """Spend the latest link, and once more."""
        self.made.outbox.drain()
        token = next(mail.token for mail in reversed(self.mailer.mails) if mail.token)
        done = self.post(who or self.browser, then, {"token": token, **more})
        assert done.status == 200, (then, done.json)
        self.post(who or self.browser, then, {"token": token, **more})
        return done

    def comes_back(self) -> str:
        """Sign in once more, by the latest link."""
        self.post(self.program, "/magic-link", {"email": EMAIL, "transport": "bearer"})
        return str(self.follows("/magic-link/consume", self.program, transport="bearer").json["access_token"])

    def _code(self) -> str:
        code = super()._code()
        return str(self.texts.messages.pop(0).code) if self.texts.messages else code

    def _arrive(self) -> None:
        self.post(self.browser, "/anonymous")
        self.proves("/sign-up", {"email": EMAIL, "password": RIGHT}, "/sign-up/verify")
        self.post(self.browser, "/me", {"username": "canary-ada"}, method="PATCH")

    def _be_remembered(self) -> None:
        whole = {"email": EMAIL, "password": RIGHT}
        self.post(self.browser, "/sign-out")
        self.proves("/sign-in", whole, "/sign-in/email-code", remember=True)
        self.post(self.browser, "/sign-in", whole)
        begun = self.post(self.program, "/sign-in", whole).json["challenge"]["id"]
        proof = {"challenge_id": begun, "code": self._code(), "remember": True}
        first = self.post(self.program, "/sign-in/email-code", proof).json["remember_token"]
        self.post(self.program, "/sign-in", {**whole, "remember_token": first})
        self.clock.advance(11)
        # In two hands: every token of the user ends.
        self.post(self.program, "/sign-in", {**whole, "remember_token": first})

    def _use_links_and_codes(self) -> None:
        self.post(self.browser, "/magic-link", {"email": EMAIL})
        self.follows("/magic-link/consume")
        self.proves("/magic-link", {"email": EMAIL}, "/magic-link/consume")
        self.proves("/code", {"email": EMAIL}, "/code/verify")

    def _change(self) -> None:
        self.proves("/me/phone", {"phone": NUMBER}, "/me/phone/confirm")
        self.proves("/me/emails", {"email": MORE}, "/me/emails/confirm")
        change = {"current_password": RIGHT, "new_password": OTHER}
        self.proves("/password/change", change, "/password/change/verify")
        self.post(self.browser, "/password/change", {**change, "current_password": WRONG})

    def _move_and_return(self) -> None:
        self.proves("/email/change", {"new_email": MOVED, "current_password": OTHER}, "/email/change/confirm")
        self.follows("/email/change/undo", self.program)
        self.post(self.browser, "/password/reset", {"email": EMAIL})
        self.follows("/password/reset/complete", new_password=RIGHT)

    def _be_served(self) -> None:
        calls = self.made.blocking
        user = calls.administration.create(email="dot@example.com", password=OTHER)
        self.known.add(calls.email_verification.verification_url(user).rpartition("=")[2])
        calls.email_verification.send_verification(user.id)
        self.follows("/email/verify/confirm", self.program)
        calls.password_reset.broker("letters").send_reset_link(EMAIL)
        invited = calls.account.invite(email="eli@example.com")
        self.note("reprs", repr(user), repr(invited))
        self.follows("/invitations/accept", self.program, password=OTHER)
        self.refused(calls.email_verification.send_verification, user_id=user.id)
        self._renew(calls)

    def _renew(self, calls: Any) -> None:
        found = calls.administration.find(email=EMAIL)
        calls.administration.require_password_change(user_id=found.user.id)
        begun = self.post(self.program, "/sign-in", {"email": EMAIL, "password": RIGHT}).json["challenge"]["id"]
        asked = self.post(self.program, "/sign-in/email-code", {"challenge_id": begun, "code": self._code()})
        renewal = {"challenge_id": asked.json["challenge"]["id"]}
        for chosen in (WEAK, RIGHT, OTHER):
            self.post(self.program, "/sign-in/new-password", {**renewal, "new_password": chosen})

    def _be_locked_out(self) -> None:
        key = passwords.attempt_key("default", EMAIL)
        row = {"key": key, "failures": passwords.MAX_FAILURES - 1, "failed_at": self.clock.now()}
        runtime = self.made.runtime(Drive.BLOCKING)
        run_blocking(runtime.ports.db.write(lambda tx: tx.execute(passwords.attempts.insert().values(**row))))
        self.post(self.program, "/sign-in", {"email": EMAIL, "password": WRONG})
        self.follows("/unlock", self.program)

    def _go(self) -> None:
        self.post(self.browser, "/magic-link", {"email": EMAIL})
        self.follows("/magic-link/consume")
        exported = self.browser.get("/me/export").result.body.decode()
        self.note("declaration", exported)
        self.proves("/me", None, "/me/deletion/confirm", method="DELETE")
        self.follows("/me/deletion/cancel", self.program)


LIVES: dict[str, tuple[type[Life], Callable[[], tuple[Any, ...]]]] = {
    "the first rooms": (
        Life,
        lambda: (Password(code_length=12), PasswordReset(code_length=12), Sessions(cookie_refresh=True)),
    ),
    "every room": (
        LifeInEveryRoom,
        lambda: (
            Password(code_length=12, change_code=ChangeCode(code_length=12)),
            PasswordReset(code_length=12, brokers={"letters": Broker()}),
            EmailVerification(code_length=12),
            EmailChange(code_length=12),
            EmailCode(code_length=12, remember=True),
            MagicLink(code_length=12),
            Code(code_length=12, phone=True),
            Account(code_length=12, username=True, phone=True, several_emails=True),
            Anonymous(),
            Audit(),
            Notices(),
            Sessions(cookie_refresh=True, code_length=12),
        ),
    ),
}


@pytest.fixture(params=LIVES)
def life(
    request: pytest.FixtureRequest,
    auth: Callable[..., Auth],
    client: Callable[..., Any],
    mailer: MemoryMailer,
    texts: MemorySms,
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
    kind, rooms = LIVES[request.param]
    made = auth(*rooms(), secret=SECRET, mailer=send, random=seeded)
    lived = kind(made, client(made, browser=True), client(made), mailer, texts, clock)
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
    token = life.comes_back()

    answers = [life.program.get(path, bearer=token).result.body.decode() for path in ("/me", "/session", "/sessions")]

    assert [secret for secret in {*life.secrets, token} if any(secret in answer for answer in answers)] == []
