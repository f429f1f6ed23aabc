"""The room `password_reset` as Python calls: brokers, their status values, and settings that are judged at start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from authcore import Account, Auth, ConfigurationError, Password, PasswordReset, SignedIn
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.errors import AuthError, InvalidChallenge, InvalidCredentials, InvalidFields, PasswordDisabled
from authcore.events import PasswordReset as PasswordWasReset
from authcore.events import PasswordResetLinkSent, Verified
from authcore.features.password_reset import Broker, PasswordResetStatus, store
from authcore.features.password_reset.flow import ResetDone, ResetSent
from authcore.features.password_reset.schemas import CompleteReset
from authcore.features.password_reset.store import Replacement
from authcore.ports import Mail
from authcore.services import credentials
from authcore.services.accounts import users
from authcore.services.challenges import challenges as challenge_table
from authcore.services.events import Event
from authcore.services.passwords import MAX_FAILURES
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
OTHER_PASSWORD, THIRD_PASSWORD = "four loud herons wade", "five grey herons wade"
UNKNOWN = "grace@example.com"
SENT, THROTTLED = PasswordResetStatus.RESET_LINK_SENT, PasswordResetStatus.RESET_THROTTLED
RESET, INVALID = PasswordResetStatus.PASSWORD_RESET, PasswordResetStatus.TOKEN_INVALID
MakeAuth = Callable[..., Auth]


@pytest.fixture
def open_auth(auth: MakeAuth) -> MakeAuth:
    """Make an Auth with the room, where sign-up needs no code and Ada has signed up."""

    def make(reset: PasswordReset | None = None, **settings: Any) -> Auth:
        made = auth(Password(require_code=False), reset or PasswordReset(), **settings)
        made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)
        return made

    return make


def last(auth: Auth, mailer: MemoryMailer, email: str = EMAIL) -> Mail:
    """Answer the latest mail with a reset."""
    auth.outbox.drain()
    return [mail for mail in mailer.mails if mail.kind == "password_reset" and mail.to == email][-1]


def signs_in(auth: Auth, password: str) -> bool:
    """Tell whether Ada's password is this one."""
    try:
        return isinstance(auth.blocking.password.sign_in(email=EMAIL, password=password), SignedIn)
    except AuthError:
        return False


# --- the flows of the routes ---


def test_a_reset_by_calls_alone(calling: Any, open_auth: MakeAuth, mailer: MemoryMailer) -> None:
    """S72, S73: request answers a challenge, check until when it opens, complete signs in."""
    made = open_auth()
    calls = calling(made).password_reset

    asked = calls.request(email=f" {EMAIL.upper()}")
    mail = last(made, mailer)
    by_code = calls.check(challenge_id=asked.challenge.id, code=mail.code)
    by_link = calls.check(token=mail.token)
    outcome = calls.complete(token=mail.token, new_password=OTHER_PASSWORD, device_name="Study")

    assert isinstance(asked, ResetSent)
    assert (by_code, by_link) == (asked.challenge.expires_at, mail.expires_at)
    assert isinstance(outcome, SignedIn)
    assert (outcome.user.email, outcome.session.amr, outcome.session.device_name) == (EMAIL, ["email"], "Study")
    assert signs_in(made, OTHER_PASSWORD)
    assert not signs_in(made, PASSWORD)


def test_a_reset_may_end_without_a_session(calling: Any, open_auth: MakeAuth, mailer: MemoryMailer) -> None:
    """S26: with `sign_in_after=False` the call answers the user and makes no session."""
    made = open_auth(PasswordReset(sign_in_after=False))
    calls = calling(made).password_reset
    calls.request(email=EMAIL)

    outcome = calls.complete(token=last(made, mailer).token, new_password=OTHER_PASSWORD)

    assert isinstance(outcome, ResetDone)
    assert (outcome.user.email, outcome.user.email_verified) == (EMAIL, True)


def test_where_passwords_are_off_every_call_says_so(calling: Any, auth: MakeAuth) -> None:
    """S8: whatever is handed over is not even looked at."""
    calls = calling(auth(Password(enabled=False), PasswordReset())).password_reset
    broker = calls.broker()

    tried: list[Callable[[], Any]] = [
        lambda: calls.request(email="nobody"),
        lambda: calls.check(),
        lambda: calls.complete(new_password=""),
        lambda: broker.send_reset_link("nobody"),
        lambda: broker.token_exists("nobody", ""),
        lambda: broker.reset("nobody", "", ""),
    ]

    for refused in tried:
        with pytest.raises(PasswordDisabled):
            refused()


def test_a_change_of_credentials_ends_a_reset(
    open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer, clock: FrozenClock
) -> None:
    """T9: what ends a user's credentials (another password, address or factor, disabling) ends links that are out."""
    made = open_auth()
    calls = made.blocking.password_reset
    asked = calls.request(email=EMAIL)
    mail = last(made, mailer)
    [user] = inside(made).rows(users)

    inside(made).write(credentials.end, user.id, clock.now())

    with pytest.raises(InvalidChallenge):
        calls.complete(token=mail.token, new_password=OTHER_PASSWORD)
    with pytest.raises(InvalidChallenge):
        calls.complete(challenge_id=asked.challenge.id, code=mail.code or "", new_password=OTHER_PASSWORD)
    assert signs_in(made, PASSWORD)


def test_what_ends_between_judging_and_spending_is_not_spent(
    open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2, T9: credentials that end while the password is hashed take the reset with them."""
    made = open_auth()
    calls = made.blocking.password_reset
    calls.request(email=EMAIL)
    token, door = last(made, mailer).token, inside(made)
    [user] = door.rows(users)
    hasher = made.blocking_core().runtime.ports.hasher
    real = hasher.hash

    async def slow(password: str, *salt: Any) -> str:
        door.write(credentials.end, user.id, made.blocking_core().runtime.ports.clock.now())
        return await real(password, *salt)

    monkeypatch.setattr(hasher, "hash", slow)

    with pytest.raises(InvalidChallenge):
        calls.complete(token=token, new_password=OTHER_PASSWORD)

    monkeypatch.undo()
    assert signs_in(made, PASSWORD)


def test_of_two_that_were_judged_right_one_is_done(
    open_auth: MakeAuth, mailer: MemoryMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2: a link that is used twice at the same moment replaces the password once: spending decides, not judging."""
    made = open_auth()
    calls = made.blocking.password_reset
    calls.request(email=EMAIL)
    token = last(made, mailer).token
    hasher = made.blocking_core().runtime.ports.hasher
    real, others = hasher.hash, [THIRD_PASSWORD]

    async def slow(password: str, *salt: Any) -> str:
        if others:
            calls.complete(token=token, new_password=others.pop())
        return await real(password, *salt)

    monkeypatch.setattr(hasher, "hash", slow)

    with pytest.raises(InvalidChallenge):
        calls.complete(token=token, new_password=OTHER_PASSWORD)

    assert signs_in(made, THIRD_PASSWORD)


def test_a_refused_password_gives_the_attempt_back(
    open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer
) -> None:
    """A4: a password that the account's own past refuses costs the right code nothing."""
    made = open_auth()
    calls = made.blocking.password_reset
    asked = calls.request(email=EMAIL)
    way: dict[str, Any] = {"challenge_id": asked.challenge.id, "code": last(made, mailer).code}

    for _ in range(6):
        with pytest.raises(InvalidFields) as caught:
            calls.complete(**way, new_password=PASSWORD)

    assert caught.value.details == [
        {
            "field": "new_password",
            "code": "password_reused",
            "message": "Use a password that you have not used here before.",
        }
    ]
    assert [row.attempts for row in inside(made).rows(challenge_table)] == [0]
    assert isinstance(calls.complete(**way, new_password=OTHER_PASSWORD), SignedIn)


def test_an_accounts_past_is_told_to_nobody_without_the_mail(
    calling: Any, open_auth: MakeAuth, mailer: MemoryMailer
) -> None:
    """A2: without the right code the present password of an account answers as any other does."""
    made = open_auth()
    calls = calling(made).password_reset
    asked = calls.request(email=EMAIL)
    wrong = "000000" if last(made, mailer).code != "000000" else "111111"

    for guess in (PASSWORD, OTHER_PASSWORD):
        with pytest.raises(InvalidChallenge):
            calls.complete(challenge_id=asked.challenge.id, code=wrong, new_password=guess)


def test_a_link_never_gives_back_attempts_at_the_code(
    open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer
) -> None:
    """S116: attempts at a code stay counted, whatever is tried by the link beside it."""
    made = open_auth()
    calls = made.blocking.password_reset
    asked = calls.request(email=EMAIL)
    mail = last(made, mailer)
    wrong = "000000" if mail.code != "000000" else "111111"
    with pytest.raises(InvalidChallenge):
        calls.check(challenge_id=asked.challenge.id, code=wrong)

    with pytest.raises(InvalidFields):
        calls.complete(token=mail.token, new_password=PASSWORD)

    assert [row.attempts for row in inside(made).rows(challenge_table)] == [1]


# --- who hears of it ---


def test_events_tell_of_a_reset(open_auth: MakeAuth, mailer: MemoryMailer, clock: FrozenClock) -> None:
    """S119: a mail that went out, the address that was proven and the password are told; an unknown address is not."""
    made = open_auth()
    heard: list[Event] = []
    for kind in (PasswordResetLinkSent, Verified, PasswordWasReset):
        made.on(kind, heard.append)
    calls = made.blocking.password_reset

    calls.request(email=UNKNOWN)
    calls.request(email=EMAIL)
    calls.request(email=EMAIL)
    clock.advance(60)
    calls.request(email=EMAIL)
    calls.complete(token=last(made, mailer).token, new_password=OTHER_PASSWORD)

    assert [type(event) for event in heard] == [
        PasswordResetLinkSent,
        PasswordResetLinkSent,
        Verified,
        PasswordWasReset,
    ]
    assert isinstance(heard[0], PasswordResetLinkSent)
    assert heard[0].email == EMAIL
    assert isinstance(heard[3], PasswordWasReset)
    assert heard[3].user.email_verified


def test_a_function_is_all_that_telling_takes(auth: MakeAuth, clock: FrozenClock) -> None:
    """S74: a mailer that is a function gets address, token and time, as `onResetRequested` did."""
    told: list[tuple[str, str | None, Any]] = []
    made = auth(
        Password(require_code=False),
        PasswordReset(),
        mailer=lambda mail: told.append((mail.to, mail.token, mail.expires_at)),
    )
    made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)
    made.outbox.drain()
    told.clear()

    made.blocking.password_reset.request(email=EMAIL)
    made.outbox.drain()

    [(email, token, expires_at)] = told
    assert (email, expires_at) == (EMAIL, clock.now() + timedelta(hours=1))
    assert made.blocking.password_reset.broker().reset(EMAIL, token or "", OTHER_PASSWORD) is RESET


def test_a_mail_greets_by_name_only_who_proved_the_address(
    open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer, clock: FrozenClock
) -> None:
    """Who signs up chooses the name: an address that nobody has proven gets no words of theirs."""
    made = open_auth()
    inside(made).write(lambda tx: tx.execute(update(users).values(display_name="Buy this, Ada")))

    made.blocking.password_reset.request(email=EMAIL)
    unproven = last(made, mailer)
    made.blocking.password_reset.complete(token=unproven.token, new_password=OTHER_PASSWORD)
    made.blocking.password_reset.request(email=EMAIL)

    assert (unproven.username, last(made, mailer).username) == (None, "Buy this, Ada")
    assert "Buy this" not in unproven.text + unproven.html


# --- brokers ---


def staff(**settings: Any) -> PasswordReset:
    """Answer the room with a broker beside its own."""
    return PasswordReset(brokers={"staff": Broker(**settings)})


@pytest.mark.parametrize("name", ["users", "staff"])
def test_a_broker_sends_looks_and_resets(calling: Any, open_auth: MakeAuth, mailer: MemoryMailer, name: str) -> None:
    """S75: send_reset_link, token_exists and reset answer status values; a token works once."""
    made = open_auth(staff())
    broker = calling(made).password_reset.broker(name)

    sent = broker.send_reset_link(EMAIL)
    token = last(made, mailer).token
    exists = broker.token_exists(EMAIL, token)
    statuses = [broker.reset(EMAIL, token, OTHER_PASSWORD) for _ in range(2)]

    assert (sent, exists, statuses) == (SENT, True, [RESET, INVALID])
    assert broker.token_exists(EMAIL, token) is False
    assert signs_in(made, OTHER_PASSWORD)


def test_status_values_tell_nobody_apart(calling: Any, open_auth: MakeAuth, clock: FrozenClock) -> None:
    """A2, S75: the statuses for an unknown address are those for a known one: sent, throttled, invalid."""
    made = open_auth()
    broker = calling(made).password_reset.broker()
    answers = {}

    for email in (EMAIL, UNKNOWN):
        sent, soon = broker.send_reset_link(email), broker.send_reset_link(email)
        reset = broker.reset(email, "ac1_ln_" + "A" * 43, OTHER_PASSWORD)
        answers[email] = [sent, soon, reset, broker.token_exists(email, "nonsense")]

    assert answers[EMAIL] == answers[UNKNOWN] == [SENT, THROTTLED, INVALID, False]


def test_past_its_allowance_a_broker_says_throttled(open_auth: MakeAuth, clock: FrozenClock) -> None:
    """S74, S75: a broker's own `max_requests`, beside the one of the room."""
    made = open_auth(PasswordReset(max_requests_per_email=1, brokers={"staff": Broker(max_requests=2)}))
    answers: dict[str, list[PasswordResetStatus]] = {"users": [], "staff": []}

    for _ in range(3):
        for name, told in answers.items():
            told.append(made.blocking.password_reset.broker(name).send_reset_link(EMAIL))
        clock.advance(60)

    assert answers == {"users": [SENT, THROTTLED, THROTTLED], "staff": [SENT, SENT, THROTTLED]}


def test_a_token_opens_its_own_broker_and_address_alone(
    calling: Any, open_auth: MakeAuth, mailer: MemoryMailer
) -> None:
    """T5: a token of one broker opens nothing of another, nor for another address, and is not spent by it."""
    made = open_auth(staff())
    made.blocking.password.sign_up(email=UNKNOWN, password=PASSWORD)
    calls = calling(made).password_reset
    calls.broker("staff").send_reset_link(EMAIL)
    token = last(made, mailer).token

    crossed = [calls.broker("users").reset(EMAIL, token, OTHER_PASSWORD)]
    crossed.append(calls.broker("staff").reset(UNKNOWN, token, OTHER_PASSWORD))

    assert crossed == [INVALID, INVALID]
    assert not calls.broker("users").token_exists(EMAIL, token)
    assert not calls.broker("staff").token_exists(UNKNOWN, token)
    with pytest.raises(InvalidChallenge):
        calls.complete(token=token, new_password=OTHER_PASSWORD)
    assert calls.broker("staff").reset(EMAIL, token, OTHER_PASSWORD) is RESET


def test_a_reset_by_one_broker_ends_those_of_others(open_auth: MakeAuth, mailer: MemoryMailer) -> None:
    """T9: the password is one, whoever replaced it."""
    made = open_auth(staff())
    users_, others = (made.blocking.password_reset.broker(name) for name in ("users", "staff"))
    users_.send_reset_link(EMAIL)
    first = last(made, mailer).token or ""
    others.send_reset_link(EMAIL)

    assert others.reset(EMAIL, last(made, mailer).token or "", OTHER_PASSWORD) is RESET
    assert users_.reset(EMAIL, first, THIRD_PASSWORD) is INVALID


def test_a_broker_has_a_lifetime_and_a_page_of_its_own(
    open_auth: MakeAuth, mailer: MemoryMailer, clock: FrozenClock
) -> None:
    """S75: `ttl` is how long the link opens; its mail holds no code, which no call would take."""
    made = open_auth(staff(ttl=timedelta(days=2), page="/staff/reset"))
    broker = made.blocking.password_reset.broker("staff")

    broker.send_reset_link(EMAIL)
    mail = last(made, mailer)

    assert mail.code is None
    assert mail.url == f"http://127.0.0.1:8000/staff/reset#token={mail.token}"
    assert mail.metadata == {"broker": "staff"}
    assert "2 days" in mail.text
    clock.advance(2 * 86400 - 1)
    assert broker.token_exists(EMAIL, mail.token or "")
    clock.advance(1)
    assert not broker.token_exists(EMAIL, mail.token or "")


def test_build_link_decides_for_brokers_too(open_auth: MakeAuth, mailer: MemoryMailer) -> None:
    """S91: the application's function gets the kind with the broker's name."""
    made = open_auth(staff(), build_link=lambda kind, token: f"http://127.0.0.1:8000/{kind}#{token}")

    made.blocking.password_reset.broker("staff").send_reset_link(EMAIL)

    mail = last(made, mailer)
    assert mail.url == f"http://127.0.0.1:8000/password_reset_staff#{mail.token}"


def test_a_broker_may_have_a_template(open_auth: MakeAuth, mailer: MemoryMailer, tmp_path: Any) -> None:
    """S75: `template` names the files of the mail, beside those that the application overrides."""
    for suffix, text in (("subject.txt", "For staff"), ("txt", "{{ url }}"), ("html", "<p>{{ url }}</p>")):
        (tmp_path / f"staff-reset.{suffix}").write_text(text)
    made = open_auth(staff(template="staff-reset"), mail_templates=tmp_path)

    made.blocking.password_reset.broker("staff").send_reset_link(EMAIL)

    mail = last(made, mailer)
    assert (mail.subject, mail.text, mail.template) == ("For staff", mail.url, "staff-reset")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_broker_asks_whose_an_address_is(
    calling: Any, open_auth: MakeAuth, inside: Callable[[Auth], Any], mailer: MemoryMailer, asynchronous: bool
) -> None:
    """S75: a user provider, sync or async, names the user of an address, or nobody."""
    known: dict[str, str] = {}
    asked: list[str] = []

    def find(email: str) -> str | None:
        asked.append(email)
        return known.get(email)

    async def find_later(email: str) -> str | None:
        return find(email)

    made = open_auth(staff(user_provider=find_later if asynchronous else find))
    broker = calling(made).password_reset.broker("staff")
    known["desk@example.com"] = inside(made).rows(users)[0].id

    told = [broker.send_reset_link(email) for email in (EMAIL, " Desk@Example.com ")]
    token = last(made, mailer, "desk@example.com").token

    assert told == [SENT, SENT]
    assert asked == [EMAIL, "desk@example.com"]
    assert EMAIL not in [mail.to for mail in mailer.mails if mail.kind == "password_reset"]
    assert broker.reset("desk@example.com", token, OTHER_PASSWORD) is RESET
    assert signs_in(made, OTHER_PASSWORD)
    assert [user.email_verified_at for user in inside(made).rows(users)] == [None]


def test_a_provider_that_answers_no_id_is_named(open_auth: MakeAuth) -> None:
    """A provider that answers a user instead of its id is a mistake of the application."""
    made = open_auth(staff(user_provider=lambda email: 7))

    with pytest.raises(ConfigurationError, match=r"'staff'.*user_provider"):
        made.blocking.password_reset.broker("staff").send_reset_link(EMAIL)


def test_a_broker_that_there_is_not_is_named(calling: Any, open_auth: MakeAuth) -> None:
    """A misspelt name says which there are."""
    broker = calling(open_auth(staff())).password_reset.broker("stuff")

    with pytest.raises(ConfigurationError, match="no broker 'stuff', but 'users', 'staff'"):
        broker.send_reset_link(EMAIL)


def test_a_reset_by_a_broker_judges_the_password(open_auth: MakeAuth, mailer: MemoryMailer) -> None:
    """A4, S75: a weak password, and a confirmation that differs, are wrong fields; the token stays good."""
    made = open_auth()
    broker = made.blocking.password_reset.broker()
    broker.send_reset_link(EMAIL)
    token = last(made, mailer).token or ""

    for given in (("short",), (OTHER_PASSWORD, "another one"), (PASSWORD,)):
        with pytest.raises(InvalidFields):
            broker.reset(EMAIL, token, *given)

    assert broker.reset(EMAIL, token, OTHER_PASSWORD, OTHER_PASSWORD) is RESET


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"link_ttl": timedelta(minutes=1)}, r"PasswordReset\(link_ttl=…\) lies between"),
        ({"code_ttl": 600}, r"PasswordReset\(code_ttl=…\) lies between"),
        ({"code_length": 4}, r"PasswordReset\(code_length=4\)"),
        ({"max_attempts": 0}, r"PasswordReset\(max_attempts=0\)"),
        ({"max_requests_per_email": 0}, r"PasswordReset\(max_requests_per_email=0\) is a whole number"),
        ({"max_requests_per_email": True}, "is a whole number between 1 and 100"),
        ({"sign_in_after": 1}, r"PasswordReset\(sign_in_after=…\) is True or False"),
        ({"phone": "yes"}, r"PasswordReset\(phone=…\) is True or False"),
        ({"mail_from": "nobody"}, "is no address"),
        ({"brokers": ["staff"]}, "is a dict such as"),
        ({"brokers": {"users": Broker()}}, "the room's own"),
        ({"brokers": {"Staff!": Broker()}}, "lower-case letters"),
        ({"brokers": {"staff": {"ttl": 60}}}, r"holds Broker\(ttl=…"),
        ({"brokers": {"staff": Broker(ttl=timedelta(days=30))}}, r"Broker\('staff'\): ttl lies between"),
        ({"brokers": {"staff": Broker(min_send_interval=timedelta())}}, "min_send_interval lies between"),
        ({"brokers": {"staff": Broker(template="")}}, "template is the stem"),
        ({"brokers": {"staff": Broker(user_provider=7)}}, "user_provider is a function"),  # type: ignore[arg-type]
        ({"brokers": {"staff": Broker(max_requests=1000)}}, r"Broker\('staff': max_requests=1000\)"),
        ({"brokers": {"staff": Broker(page="//evil.example")}}, "page is a path of the site"),
    ],
)
def test_a_wrong_setting_says_what_to_write(settings: dict[str, Any], told: str) -> None:
    """O1: settings are judged at start."""
    with pytest.raises(ConfigurationError, match=told):
        PasswordReset(**settings)


def test_the_room_needs_passwords(auth: MakeAuth) -> None:
    """Without the room `password` there is nothing to reset."""
    with pytest.raises(ConfigurationError, match="needs the room 'password'"):
        auth(PasswordReset())


def test_the_doctor_mentions_a_wide_allowance(auth: MakeAuth) -> None:
    """S74: what lets strangers fill a mailbox is a finding; the defaults are none."""
    wide = PasswordReset(max_requests_per_email=20)

    assert PasswordReset().findings(None) == []
    assert ["20 mails an hour" in finding for finding in wide.findings(None)] == [True]
    assert ["takes over a number" in finding for finding in PasswordReset(phone=True).findings(None)] == [True]


def test_a_phone_is_read_where_it_is_offered_alone(calling: Any, open_auth: MakeAuth) -> None:
    """R2: without `phone=True` a call knows no such field, and without either it asks for an address."""
    calls = calling(open_auth()).password_reset

    for given, told in (({"phone": "+4915112345678"}, ("phone", "unknown")), ({}, ("email", "missing"))):
        with pytest.raises(InvalidFields) as caught:
            calls.request(**given)
        details: Any = caught.value.details
        assert [(detail["field"], detail["code"]) for detail in details] == [told]


def test_a_texted_code_wakes_the_password_of_an_account_without_an_address(auth: MakeAuth, texts: MemorySms) -> None:
    """A6: after 100 failures a password rests until it is bound again, also where a phone alone names the account."""
    number = "+4915112345678"
    made = auth(Password(), PasswordReset(phone=True), Account(phone=True), limits=False)
    made.blocking.administration.create(phone=number, password=PASSWORD)
    for _ in range(MAX_FAILURES):
        with pytest.raises(InvalidCredentials):
            made.blocking.password.sign_in(phone=number, password="a wrong password, often")
    states = [made.blocking.administration.find(phone=number).state]

    asked = made.blocking.password_reset.request(phone=number)
    made.outbox.drain()
    code = texts.messages[-1].code
    made.blocking.password_reset.complete(challenge_id=asked.challenge.id, code=code, new_password=OTHER_PASSWORD)

    states.append(made.blocking.administration.find(phone=number).state)
    assert states == ["locked", "active"]
    assert isinstance(made.blocking.password.sign_in(phone=number, password=OTHER_PASSWORD), SignedIn)


def test_numbers_need_the_library_that_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: `phone=True` without the extra is refused at start, not at the first request."""
    monkeypatch.setattr("authcore.services.phones.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"PasswordReset\(phone=True\) .* install authcore\[phone\]"):
        PasswordReset(phone=True)


def test_a_body_shows_nothing() -> None:
    """O3: neither the token nor the password reaches a log or a report of locals."""
    body = CompleteReset(token="a token", new_password=OTHER_PASSWORD)

    assert repr(body) == "CompleteReset(…)"


def test_what_the_transaction_is_given_shows_no_digest(
    open_auth: MakeAuth, mailer: MemoryMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O3: the digest of the password is hidden in what the store function gets."""
    made = open_auth()
    seen: list[Replacement] = []
    real = store.replace

    def watched(tx: Any, given: Replacement) -> Any:
        seen.append(given)
        return real(tx, given)

    monkeypatch.setattr(store, "replace", watched)
    made.blocking.password_reset.request(email=EMAIL)

    made.blocking.password_reset.complete(token=last(made, mailer).token, new_password=OTHER_PASSWORD)

    [given] = seen
    assert given.digest.startswith("$argon2id$")
    assert "argon2" not in repr(given)
