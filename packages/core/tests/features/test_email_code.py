"""The room `email_code` as Python calls, its remember tokens in the store, and settings that are refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, ChallengeRequired, ConfigurationError, EmailCode, Password, Request, SignedIn
from authcore.errors import AuthError, InvalidChallenge, InvalidFields, NotAuthenticated
from authcore.features.email_code import store
from authcore.features.email_code.schemas import RememberedBrowser
from authcore.features.email_code.tables import remembered
from authcore.services import accounts, credentials
from authcore.services import sign_in as pipeline
from authcore.services.accounts import users
from authcore.services.challenges import challenges
from authcore.services.sign_in import Proof
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
WHOLE: dict[str, Any] = {"email": EMAIL, "password": PASSWORD}
Make = Callable[..., Auth]


@pytest.fixture
def made(auth: Make, client: Callable[..., Any], clock: FrozenClock) -> Auth:
    """An Auth that asks for the code, with a member who signed up an hour ago."""
    made = auth(Password(), EmailCode(remember=True))
    client(made).sign_up()
    clock.advance(3600)
    return made


def user_id(inside: Any) -> str:
    """Answer the member's id."""
    return str(inside.rows(users)[0].id)


def remember(calls: Any, client: Any, **device: str) -> str:
    """Sign in by calls, and answer the remember token."""
    begun = calls.password.sign_in(**WHOLE, transport="bearer", **device)
    code = client.mailed_code("email_code")
    signed_in = calls.email_code.verify(challenge_id=begun.challenge.id, code=code, remember=True)
    assert isinstance(signed_in, SignedIn)
    assert signed_in.remembered is not None
    return str(signed_in.remembered.token)


def test_a_sign_in_by_calls_alone(calling: Any, made: Auth, client: Callable[..., Any]) -> None:
    """S10, S11, S12: the password answers a challenge, the code a session, and the token spares the next code."""
    calls = calling(made)

    token = remember(calls, client(made))
    spared = calls.password.sign_in(**WHOLE, remember_token=token)

    assert isinstance(spared, SignedIn)
    assert spared.session.amr == ["pwd"]
    assert spared.remembered is not None
    assert spared.remembered.token not in (None, token)
    assert token not in repr(spared)


def test_a_code_is_sent_again_by_call(calling: Any, made: Auth, client: Callable[..., Any], clock: FrozenClock) -> None:
    """S10: a resend answers the same challenge with another code, once the interval has passed."""
    calls = calling(made)
    begun = calls.password.sign_in(**WHOLE)
    first = client(made).mailed_code("email_code")
    clock.advance(61)

    again = calls.email_code.resend(challenge_id=begun.challenge.id)

    assert isinstance(again, ChallengeRequired)
    assert again.challenge.id == begun.challenge.id
    with pytest.raises(InvalidChallenge):
        calls.email_code.verify(challenge_id=begun.challenge.id, code=first)


@pytest.mark.parametrize(
    ("path", "body", "call"),
    [
        ("/sign-in/email-code", {"challenge_id": "nonsense", "code": "123456"}, "verify"),
        ("/sign-in/email-code", {"challenge_id": "ac1_ch_" + "A" * 43, "code": "123456"}, "verify"),
        ("/sign-in/email-code", {"challenge_id": "a", "code": "1", "remember": True}, "verify"),
        ("/sign-in/email-code/resend", {"challenge_id": "ac1_ch_" + "A" * 43}, "resend"),
    ],
)
def test_a_call_raises_what_http_answers(
    calling: Any, auth: Make, client: Callable[..., Any], path: str, body: dict[str, Any], call: str
) -> None:
    """The same errors as exceptions: status, code, sentence and details are those of the wire."""
    made = auth(Password(), EmailCode())
    answered = client(made).post(path, body)

    with pytest.raises(AuthError) as caught:
        getattr(calling(made).email_code, call)(**body)

    assert caught.value.status == answered.status
    assert caught.value.to_json() == answered.json


def test_remembering_that_is_not_offered_spends_nothing(auth: Make, client: Callable[..., Any]) -> None:
    """S13: the refusal comes before the code is counted."""
    made = auth(Password(), EmailCode(max_attempts=1))
    client(made).sign_up()
    begun = client(made).sign_in().json["challenge"]["id"]
    code = client(made).mailed_code("email_code")

    with pytest.raises(InvalidFields):
        made.blocking.email_code.verify(challenge_id=begun, code=code, remember=True)

    assert isinstance(made.blocking.email_code.verify(challenge_id=begun, code=code), SignedIn)


# --- what the code stands behind ---


def test_a_repeat_that_proved_less_is_another_challenge(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """A sign-in goes on from what itself has proved, never from another's of the same account (rules A1, A8)."""
    way = inside(made)
    account = way.read(accounts.by_id, "default", user_id(way), accounts.PLAIN)

    strong = way.run(pipeline.complete(way.ctx(), account, Proof(("hwk",), aal=2), via="bearer"))
    weak = way.run(pipeline.complete(way.ctx(), account, Proof(("pwd",)), via="bearer"))

    assert strong.challenge.id != weak.challenge.id
    code = client(made).mailed_code("email_code")
    finished = made.blocking.email_code.verify(challenge_id=weak.challenge.id, code=code)
    assert isinstance(finished, SignedIn)
    assert (finished.session.aal, finished.session.amr) == (1, ["pwd", "email"])


def test_whoever_has_no_address_is_not_asked(made: Auth, inside: Callable[[Auth], Any]) -> None:
    """There is nowhere to mail to: the first factor alone signs in, as for an account of a phone (S10)."""
    way = inside(made)
    way.write(lambda tx: tx.execute(users.update().values(email=None)))
    account = way.read(accounts.by_id, "default", user_id(way), accounts.PLAIN)

    outcome = way.run(pipeline.complete(way.ctx(), account, Proof(("sms",)), via="bearer"))

    assert isinstance(outcome, SignedIn)


def test_a_code_for_an_address_that_was_lost_opens_nothing(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """The code proves the mailbox that it was sent to, so it must still be the account's (rule A13)."""
    begun = client(made).sign_in().json["challenge"]["id"]
    code = client(made).mailed_code("email_code")
    inside(made).write(lambda tx: tx.execute(users.update().values(email="grace@example.com")))

    with pytest.raises(InvalidChallenge):
        made.blocking.email_code.verify(challenge_id=begun, code=code)


def test_the_challenge_holds_no_remember_token(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """A token that spared nothing is not carried along, not even sealed (rule O3)."""
    from authcore.services.seal import unseal

    client(made).sign_in(remember_token="ac1_rm_" + "A" * 43)

    row = next(row for row in inside(made).rows(challenges) if row.purpose == "email_code")
    held = unseal(inside(made).ctx().app.keys, "challenge/email_code", row.payload)
    assert held["state"]["remember_token"] is None


def test_the_mail_is_written_in_the_users_language(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any], mailer: Any
) -> None:
    """The account's language goes before the request's, in the first mail and when it is sent again."""
    inside(made).write(lambda tx: tx.execute(users.update().values(locale="fr", display_name="Ada")))

    client(made).sign_in()

    client(made).mailed_code("email_code")
    assert (mailer.mails[-1].locale, mailer.mails[-1].username) == ("fr", "Ada")


# --- remember tokens ---


def test_browsers_are_listed_and_forgotten(
    calling: Any, made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """S12: those that are spared the code are listed, and asked again once they are forgotten."""
    calls, whose = calling(made), user_id(inside(made))
    token = remember(calls, client(made))

    listed = calls.email_code.list_remembered(user_id=whose)
    forgotten = calls.email_code.forget_remembered(user_id=whose)

    assert listed == [RememberedBrowser(clock.now(), clock.now() + timedelta(days=30), "bearer")]
    assert forgotten == 1
    assert calls.email_code.list_remembered(user_id=whose) == []
    assert isinstance(calls.password.sign_in(**WHOLE, remember_token=token), ChallengeRequired)


def test_who_sends_the_request_forgets_its_own(made: Auth, client: Callable[..., Any]) -> None:
    """Without a user's id the calls are about who asks; nobody is refused."""
    begun = client(made).sign_in().json["challenge"]["id"]
    answer = {"challenge_id": begun, "code": client(made).mailed_code("email_code"), "remember": True}
    token = client(made).post("/sign-in/email-code", answer).json["access_token"]
    mine = made.blocking.on(Request("POST", "/mine", headers={"authorization": f"Bearer {token}"})).email_code

    assert len(mine.list_remembered()) == 1
    assert mine.forget_remembered() == 1
    with pytest.raises(NotAuthenticated):
        made.blocking.email_code.forget_remembered()


def test_ids_that_no_database_takes_are_nobodys(made: Auth) -> None:
    """Server code may hand over anything: no user, and no crash."""
    assert made.blocking.email_code.forget_remembered(user_id="a\0b") == 0
    assert made.blocking.email_code.list_remembered(user_id="\ud800") == []


def test_one_of_many_contenders_is_spared(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """T2: eight sign-ins with one token at the same moment spend it once, and nobody is taken for a thief."""
    token = remember(made.blocking, client(made))
    ready, outcomes = threading.Barrier(8), []

    def sign_in() -> None:
        ready.wait()
        outcomes.append(made.blocking.password.sign_in(**WHOLE, remember_token=token))

    threads = [threading.Thread(target=sign_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [outcome for outcome in outcomes if isinstance(outcome, SignedIn)]
    assert (len(outcomes), len(winners)) == (8, 1)
    [live] = [row for row in inside(made).rows(remembered) if row.spent_at is None]
    assert live.replaced_at is None


def test_a_token_spent_without_a_successor_is_no_theft(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """A sign-in that stopped after the token was spent leaves its owner with the old one: it is ignored then."""
    token = remember(made.blocking, client(made))
    way = inside(made)
    way.write(lambda tx: tx.execute(remembered.update().values(spent_at=clock.now())))
    clock.advance(3600)

    outcome = made.blocking.password.sign_in(**WHOLE, remember_token=token)

    assert isinstance(outcome, ChallengeRequired)
    assert len(way.rows(remembered)) == 1


def test_tokens_end_with_the_epoch(made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any]) -> None:
    """T9: whatever ends a user's credentials ends the tokens, and the list shows none."""
    token = remember(made.blocking, client(made))
    way = inside(made)
    whose = user_id(way)
    way.write(credentials.end, whose, way.ctx().now())

    assert made.blocking.email_code.list_remembered(user_id=whose) == []
    assert isinstance(made.blocking.password.sign_in(**WHOLE, remember_token=token), ChallengeRequired)


def test_expired_tokens_are_removed(
    made: Auth, client: Callable[..., Any], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """Nothing grows without bound: what expired goes, what lives stays, so many rows at a time."""
    remember(made.blocking, client(made))
    clock.advance(20 * 86400)
    remember(made.blocking, client(made))
    clock.advance(11 * 86400)

    removed = inside(made).write(store.clean, clock.now(), 5)

    assert removed == 1
    assert len(inside(made).rows(remembered)) == 1


# --- settings ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"required": "yes"},
        {"remember": 1},
        {"remember_ttl": 30},
        {"remember_ttl": timedelta(minutes=59)},
        {"remember_ttl": timedelta(days=366)},
        {"code_length": 5},
        {"code_ttl": timedelta(hours=2)},
        {"min_send_interval": timedelta(hours=2)},
        {"max_attempts": 0},
        {"mail_from": "nobody"},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    """The sentence names the setting and says what it may be."""
    [name] = wrong

    with pytest.raises(ConfigurationError, match=rf"EmailCode\({name}="):
        EmailCode(**wrong)


@pytest.mark.parametrize(("required", "sentences"), [(True, 0), (False, 1)])
def test_the_doctor_mentions_a_room_that_asks_nobody(required: bool, sentences: int) -> None:
    """`required=False` holds but does nothing."""
    assert len(EmailCode(required=required).findings(None)) == sentences
