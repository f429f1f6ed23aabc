"""The room `password` as Python calls: the same outcomes and refusals as over HTTP, whatever the drive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Auth, ChallengeRequired, Password, Request, Sessions, SignedIn
from authcore.errors import AuthError, InvalidChallenge, InvalidCredentials, InvalidFields, PasswordDisabled
from authcore.features.password import store
from authcore.services import password_policy as policy
from authcore.services.accounts import PLAIN, users
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
WRONG = "four loud herons wade"
WHOLE = {"email": EMAIL, "password": PASSWORD}
UNKNOWN = "ac1_ch_" + "A" * 43
CALLS = {
    "/sign-up": "sign_up",
    "/sign-up/verify": "verify_sign_up",
    "/sign-up/resend": "resend_sign_up",
    "/sign-in": "sign_in",
}
REFUSED: list[tuple[str, dict[str, str]]] = [
    ("/sign-up", {**WHOLE, "password": "short"}),
    ("/sign-up", {**WHOLE, "password": "passwordpassword"}),
    ("/sign-up", {**WHOLE, "password": "ada@example.com"}),
    ("/sign-up", {**WHOLE, "password_confirmation": WRONG}),
    ("/sign-up", {**WHOLE, "email": "nobody"}),
    ("/sign-up", {**WHOLE, "email": "ada@b\u00fccher"}),
    ("/sign-up", {**WHOLE, "display_name": "a\u2028b"}),
    ("/sign-up/verify", {"challenge_id": UNKNOWN, "code": "123456"}),
    ("/sign-up/verify", {"challenge_id": "nonsense", "code": "123456"}),
    ("/sign-up/resend", {"challenge_id": UNKNOWN}),
    ("/sign-in", {**WHOLE, "password": WRONG}),
    ("/sign-in", {**WHOLE, "email": "grace@example.com"}),
    ("/sign-in", {**WHOLE, "email": "nobody"}),
]


def test_a_life_by_calls_alone(calling: Any, auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """S1, S3, S9: sign-up answers a challenge, its code a session, and the password another one."""
    made = auth()
    calls = calling(made)

    begun = calls.password.sign_up(**WHOLE, display_name="Ada")
    verified = calls.password.verify_sign_up(
        challenge_id=begun.challenge.id, code=client(made).mailed_code(), device_name="Study"
    )
    signed_in = calls.password.sign_in(**WHOLE)

    assert isinstance(begun, ChallengeRequired)
    assert isinstance(verified, SignedIn)
    assert (verified.user.email, verified.user.email_verified, verified.user.display_name) == (EMAIL, True, "Ada")
    assert (verified.session.amr, verified.session.device_name) == (["pwd", "email"], "Study")
    assert signed_in.user == verified.user
    assert signed_in.session.id != verified.session.id
    assert calls.sessions.get_user(access_token=signed_in.access_token) == verified.user


def test_a_code_is_sent_again(
    calling: Any, auth: Callable[..., Auth], client: Callable[..., Any], clock: FrozenClock
) -> None:
    """S5: a resend answers the same challenge; after the interval with a code of its own."""
    made = auth()
    calls = calling(made)
    begun = calls.password.sign_up(**WHOLE)
    first = client(made).mailed_code()
    clock.advance(61)

    again = calls.password.resend_sign_up(challenge_id=begun.challenge.id)

    second = client(made).mailed_code()
    assert again.challenge.id == begun.challenge.id
    with pytest.raises(InvalidChallenge):
        calls.password.verify_sign_up(challenge_id=begun.challenge.id, code=first)
    assert isinstance(calls.password.verify_sign_up(challenge_id=begun.challenge.id, code=second), SignedIn)


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_a_call_raises_what_http_answers(
    calling: Any, auth: Callable[..., Auth], client: Callable[..., Any], path: str, body: dict[str, str]
) -> None:
    """The same errors as exceptions: status, code, sentence and details are those of the wire."""
    made = auth()
    client(made).sign_up()
    answered = client(made).post(path, body)

    with pytest.raises(AuthError) as caught:
        getattr(calling(made).password, CALLS[path])(**body)

    assert caught.value.status == answered.status
    assert caught.value.to_json() == answered.json


def test_a_refused_call_counts_as_a_request_does(
    calling: Any, auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A6: whoever writes routes of their own has the same limits: the eleventh attempt is refused, also by HTTP."""
    made = auth()
    visitor = client(made)
    calls = calling(made, Request("POST", "/mine", peer=visitor.peer))
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            calls.password.sign_in(email=EMAIL, password=WRONG)

    with pytest.raises(AuthError) as caught:
        calls.password.sign_in(email=EMAIL, password=WRONG)

    assert caught.value.code == "rate_limited"
    assert dict(caught.value.headers)["Retry-After"].isdigit()
    assert visitor.sign_in(password=WRONG).code == "rate_limited"


def test_without_a_code_a_call_signs_up_at_once(calling: Any, auth: Callable[..., Auth], mailer: Any) -> None:
    """S2: a session at once, the address unproven, and the mail goes out; the second time 409."""
    made = auth(Password(require_code=False))
    calls = calling(made)

    first = calls.password.sign_up(**WHOLE)

    made.outbox.drain()
    assert isinstance(first, SignedIn)
    assert not first.user.email_verified
    assert [mail.kind for mail in mailer.mails] == ["sign_up_welcome"]
    with pytest.raises(AuthError, match="There is an account") as caught:
        calls.password.sign_up(**WHOLE)
    assert (caught.value.status, caught.value.code) == (409, "account_exists")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sign_up", WHOLE),
        ("sign_up", {"email": "nobody", "password": ""}),
        ("verify_sign_up", {"challenge_id": UNKNOWN, "code": "123456"}),
        ("resend_sign_up", {"challenge_id": UNKNOWN}),
        ("sign_in", WHOLE),
        ("sign_in", {"email": "grace@example.com", "password": PASSWORD}),
    ],
)
def test_where_passwords_are_off_every_call_says_so(
    calling: Any, auth: Callable[..., Auth], name: str, given: dict[str, str]
) -> None:
    """S8: nobody is looked up, counted or judged: whatever is handed over, the refusal is the same."""
    calls = calling(auth(Password(enabled=False)))

    with pytest.raises(PasswordDisabled):
        getattr(calls.password, name)(**given)


# --- how the session travels ---


@pytest.mark.parametrize(("transport", "kind", "cookies"), [(None, "at", 0), ("bearer", "at", 0), ("cookie", "st", 1)])
def test_a_call_without_a_request_answers_tokens_unless_it_is_told(
    calling: Any, auth: Callable[..., Auth], transport: Any, kind: str, cookies: int
) -> None:
    """S26: a script gets tokens; a route of one's own may ask for cookies, and hands them on."""
    calls = calling(auth(Password(require_code=False)))

    made = calls.password.sign_up(**WHOLE, transport=transport)

    assert made.access_token.startswith(f"ac1_{kind}_")
    assert (made.refresh_token is None) == (kind == "st")
    assert [cookie.value for cookie in made.cookies] == [made.access_token] * cookies
    assert calls.sessions.get_user_id(access_token=made.access_token) == made.user.id


def test_a_call_for_a_request_knows_the_browser(
    calling: Any, auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """`on(request)`: a browser gets cookies, its challenge is bound to it, and the session shows its address."""
    made = auth()
    browser = Request(
        "POST", "/mine", headers={"origin": "http://127.0.0.1:8000", "user-agent": "B/1"}, peer="192.0.2.9"
    )
    begun = calling(made, browser).password.sign_up(**WHOLE)
    code = client(made).mailed_code()
    answer = {"challenge_id": begun.challenge.id, "code": code}
    [binding] = begun.cookies
    bound = Request("POST", "/mine", headers={**browser.headers, "cookie": f"{binding.name}={binding.value}"})

    with pytest.raises(InvalidChallenge):
        calling(made, browser).password.verify_sign_up(**answer)
    signed_in = calling(made, bound).password.verify_sign_up(**answer)

    assert [cookie.name for cookie in signed_in.cookies] == ["authcore_session"]
    assert signed_in.session.user_agent == "B/1"


def test_a_transport_that_is_not_offered_is_refused(calling: Any, auth: Callable[..., Auth]) -> None:
    """S22: what the application does not offer over HTTP, a call does not make either."""
    calls = calling(auth(Password(require_code=False), Sessions(transport="cookie")))

    with pytest.raises(InvalidFields) as caught:
        calls.password.sign_up(**WHOLE, transport="bearer")

    assert caught.value.details == [
        {"field": "transport", "code": "invalid", "message": "This transport is not offered here."}
    ]


# --- what a caller may hand over ---

STRANGE = ["\ud800" * 20, "three\x00quiet\x00herons", "three quiet herons \U0001f9a2\u200d\u2642", " " * 20, ""]


@pytest.mark.parametrize("text", STRANGE)
def test_a_strange_password_is_accepted_or_refused(calling: Any, auth: Callable[..., Auth], text: str) -> None:
    """R1: a caller's own decoder may let lone surrogates and NUL through; they crash nothing, and mean themselves."""
    calls = calling(auth(Password(require_code=False)))

    try:
        calls.password.sign_up(email=EMAIL, password=text)
    except InvalidFields:
        with pytest.raises(InvalidCredentials):
            calls.password.sign_in(email=EMAIL, password=text)
    else:
        assert isinstance(calls.password.sign_in(email=EMAIL, password=text), SignedIn)


def test_a_password_is_capped_before_it_is_normalised(
    calling: Any, auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: a caller's own decoder may let any length through; what no password can be is not even normalised."""
    normalised: list[int] = []
    real = policy.normalise
    monkeypatch.setattr(policy, "normalise", lambda text: (normalised.append(len(text)), real(text))[1])
    calls = calling(auth(Password(require_code=False)))
    calls.password.sign_up(email=EMAIL, password="a" + "\ufdfa" * 255)
    normalised.clear()

    with pytest.raises(InvalidCredentials):
        calls.password.sign_in(email=EMAIL, password="a" + "\ufdfa" * 255 + "\u0301" * 10_000)

    assert max(normalised) <= 256


@pytest.mark.parametrize("email", ["\ud800@example.com", "ada@exam\ud800ple.com", "ada@\x00.com", "", "@", "a@b@c"])
def test_a_strange_address_is_no_address(calling: Any, auth: Callable[..., Auth], email: str) -> None:
    """A5: whatever text is handed over is an address or a wrong field."""
    calls = calling(auth())

    with pytest.raises(InvalidFields):
        calls.password.sign_in(email=email, password=PASSWORD)
    with pytest.raises(InvalidFields):
        calls.password.sign_up(email=email, password=PASSWORD)


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("device_name", "x" * 500, "too_long"),
        ("device_name", "a\0b", "invalid"),
        ("device_name", "\ud800", "invalid"),
        ("device_name", "", "too_short"),
        ("device_id", "x" * 201, "too_long"),
        ("device_id", "\0", "invalid"),
        ("transport", "weird", "invalid"),
        ("transport", "\0", "invalid"),
    ],
)
def test_what_a_body_would_not_let_through_is_a_wrong_field(
    calling: Any, auth: Callable[..., Auth], inside: Callable[[Auth], Any], field: str, text: str, code: str
) -> None:
    """R1: texts of an application's own form are judged before anything is counted, made or stored."""
    made = auth(Password(require_code=False))
    calls = calling(made)
    held = {"challenge_id": UNKNOWN, "code": "123456"}

    for name, given in (("sign_up", WHOLE), ("sign_in", WHOLE), ("verify_sign_up", held)):
        with pytest.raises(InvalidFields) as caught:
            getattr(calls.password, name)(**given, **{field: text})
        assert [(detail["field"], detail["code"]) for detail in caught.value.details] == [(field, code)]

    assert inside(made).rows(users) == []


@pytest.mark.parametrize("challenge_id", ["a\0b", "\ud800", "", "x" * 5000])
def test_what_is_no_challenge_id_is_an_invalid_challenge(
    calling: Any, auth: Callable[..., Auth], challenge_id: str
) -> None:
    """R1: no database is asked for what it would not take."""
    calls = calling(auth())

    with pytest.raises(InvalidChallenge):
        calls.password.resend_sign_up(challenge_id=challenge_id)
    with pytest.raises(InvalidChallenge):
        calls.password.verify_sign_up(challenge_id=challenge_id, code="123456")


# --- when a password rests ---


def test_the_application_unlocks_a_password_that_rests(calling: Any, auth: Callable[..., Auth]) -> None:
    """A6: after 100 failures the right password opens again once the application says so, however it spells it."""
    calls = calling(auth(Password(require_code=False), limits=False))
    calls.password.sign_up(**WHOLE)
    for _ in range(100):
        with pytest.raises(InvalidCredentials):
            calls.password.sign_in(email=EMAIL, password=WRONG)
    with pytest.raises(InvalidCredentials):
        calls.password.sign_in(**WHOLE)

    told = [calls.password.unlock(email=f" {EMAIL.upper()}") for _ in range(2)]

    assert told == [True, False]
    assert isinstance(calls.password.sign_in(**WHOLE), SignedIn)


def test_unlocking_tells_what_is_no_address(calling: Any, auth: Callable[..., Auth]) -> None:
    """A5: an address that nobody can have is a wrong field; one that nobody has had no failures."""
    calls = calling(auth())

    assert calls.password.unlock(email="nobody@example.com") is False
    with pytest.raises(InvalidFields):
        calls.password.unlock(email="a\0b@example.com")


def test_what_is_known_of_an_address_shows_no_digest(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """O3: the digest of a password reaches no log and no report of locals."""
    made = auth(Password(require_code=False))
    made.blocking.password.sign_up(**WHOLE)

    found = inside(made).read(store.credential, "default", EMAIL, PLAIN)

    assert found.digest.startswith("$argon2id$")
    assert "argon2" not in repr(found)
