"""The room `email_verification` as Python calls, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, ConfigurationError, EmailVerification, Password, PasswordReset, Request, SignedIn, User
from authcore.backends.mail import MemoryMailer
from authcore.errors import InvalidChallenge, InvalidFields, NotAuthenticated, NotFound, RateLimited
from authcore.features.email_verification.errors import AlreadyVerified, NoEmail
from authcore.services.accounts import users
from authcore.services.events import Verified
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
UNKNOWN = "ac1_ln_" + "A" * 43


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where sign-up needs no code."""
    return auth(Password(require_code=False), EmailVerification())


@pytest.fixture
def calls(calling: Any, made: Auth) -> Any:
    """Its calls."""
    return calling(made)


@pytest.fixture
def held(calls: Any) -> SignedIn:
    """A session of a user whose address is not proven."""
    found = calls.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    assert isinstance(found, SignedIn)
    return found


def carrying(held: SignedIn) -> Request:
    """Answer a request of a session."""
    return Request("POST", "/mine", headers={"authorization": f"Bearer {held.access_token}"})


def token_of(made: Auth, mailer: MemoryMailer) -> str:
    """Answer the token of the latest mail that carries one."""
    made.outbox.drain()
    return next(mail.token for mail in reversed(mailer.mails) if mail.token)


# --- server code ---


def test_server_code_mails_and_proves(calls: Any, made: Auth, held: SignedIn, mailer: MemoryMailer) -> None:
    """S77: send_verification mails a user, verify_email spends the token and answers the proven user, once."""
    begun = calls.email_verification.send_verification(held.user.id, EMAIL.upper())
    token = token_of(made, mailer)

    proven = calls.email_verification.verify_email(token)

    assert begun.challenge.hint == "a***@example.com"
    assert (proven.id, proven.email_verified) == (held.user.id, True)
    with pytest.raises(InvalidChallenge):
        calls.email_verification.verify_email(token)


def test_resending_is_the_same_request(calls: Any, held: SignedIn, clock: FrozenClock) -> None:
    """S77: resend_verification answers the open challenge, and counts in the same allowance of three an hour."""
    first = calls.email_verification.send_verification(held.user.id)
    again = [calls.email_verification.resend_verification(held.user.id)]
    for _ in range(2):
        clock.advance(61)
        again.append(calls.email_verification.resend_verification(held.user.id))
    clock.advance(61)

    assert {each.challenge.id for each in again} == {first.challenge.id}
    with pytest.raises(RateLimited):
        calls.email_verification.resend_verification(held.user.id)


def test_another_address_is_not_mailed(calls: Any, made: Auth, held: SignedIn, mailer: MemoryMailer) -> None:
    """S77: the address that a caller names must be the user's; unknown and unspeakable users are not found."""
    with pytest.raises(InvalidFields):
        calls.email_verification.send_verification(held.user.id, "eve@example.com")
    for nobody in ("", "nobody", "\ud800", "\x00"):
        with pytest.raises(NotFound):
            calls.email_verification.send_verification(nobody)

    made.outbox.drain()
    assert {mail.kind for mail in mailer.mails} == {"sign_up_welcome"}


def test_a_link_of_the_application_s_own_mail(calls: Any, held: SignedIn) -> None:
    """S79: verification_url answers a link, verify spends its token for that user alone; the first ends the others."""
    first, second = (calls.email_verification.verification_url(user) for user in (held.user, held.user.id))
    token = first.partition("#token=")[2]
    other = calls.password.sign_up(email="eve@example.com", password=PASSWORD).user

    with pytest.raises(InvalidChallenge):
        calls.email_verification.verify(other, token)
    proven = calls.email_verification.verify(held.user, token)

    assert first.startswith("http://127.0.0.1:8000/auth/email/verify#token=ac1_ln_")
    assert proven.email_verified
    with pytest.raises(InvalidChallenge):
        calls.email_verification.verify(held.user, second.partition("#token=")[2])


def test_in_the_own_request_nothing_ends(calling: Any, made: Auth, calls: Any, held: SignedIn) -> None:
    """A3: a call for a request of the user keeps password and session, one without a request drops both."""
    token = calls.email_verification.verification_url(held.user).partition("#token=")[2]

    calling(made, carrying(held)).email_verification.verify_email(token)

    assert calls.sessions.get_user(access_token=held.access_token).email_verified
    assert isinstance(calls.password.sign_in(email=EMAIL, password=PASSWORD), SignedIn)


def test_the_application_may_know_better(calls: Any, made: Auth, held: SignedIn) -> None:
    """S79: has_verified_email and mark_email_as_verified: the event is told once, and the session stays."""
    heard: list[Any] = []
    made.on(Verified, heard.append)
    assert calls.email_verification.has_verified_email(held.user) is False

    marked = [calls.email_verification.mark_email_as_verified(held.user.id) for _ in range(2)]

    assert marked == [True, False]
    assert calls.email_verification.has_verified_email(held.user.id) is True
    assert [event.user.email_verified for event in heard] == [True]
    assert calls.sessions.get_user(access_token=held.access_token) is not None
    with pytest.raises(AlreadyVerified):
        calls.email_verification.verification_url(held.user)


def test_a_user_without_an_address_has_nothing_to_prove(
    calls: Any, made: Auth, held: SignedIn, inside: Callable[[Auth], Any]
) -> None:
    """S79: who has no address is told so, and is marked by nobody."""
    inside(made).write(lambda tx: tx.execute(users.update().values(email=None)))

    for call in (calls.email_verification.send_verification, calls.email_verification.mark_email_as_verified):
        with pytest.raises(NoEmail):
            call(held.user.id)


def test_codes_need_a_session_by_call_too(calls: Any, held: SignedIn) -> None:
    """A13: without a request nobody is signed in, so a code is answered by nobody; a link that is none is refused."""
    begun = calls.email_verification.send_verification(held.user.id)

    with pytest.raises(NotAuthenticated):
        calls.email_verification.confirm(challenge_id=begun.challenge.id, code="123456")
    with pytest.raises(NotAuthenticated):
        calls.email_verification.send()
    for nothing in ("", "nonsense", UNKNOWN):
        with pytest.raises(InvalidChallenge):
            calls.email_verification.verify_email(nothing)


def test_an_event_tells_of_the_proof(calling: Any, made: Auth, calls: Any, held: SignedIn) -> None:
    """S119: Verified is told with the user as it is then."""
    heard: list[User] = []
    made.on(Verified, lambda event: heard.append(event.user))
    token = calls.email_verification.verification_url(held.user).partition("#token=")[2]

    calling(made, carrying(held)).email_verification.verify_email(token)

    assert [(user.id, user.email_verified) for user in heard] == [(held.user.id, True)]


def test_users_of_server_code_are_mailed_nothing(made: Auth, held: SignedIn, mailer: MemoryMailer) -> None:
    """S2: who was made without a request, as by an import, gets the welcome alone."""
    made.outbox.drain()

    assert held.user.email_verified is False
    assert [mail.kind for mail in mailer.mails] == ["sign_up_welcome"]


def test_who_lost_the_password_gets_in_by_reset(auth: Callable[..., Auth], calling: Any, mailer: MemoryMailer) -> None:
    """A3: the owner of the mailbox, whose link dropped a stranger's password, chooses one by a reset."""
    made = auth(Password(require_code=False), PasswordReset(), EmailVerification())
    calls = calling(made)
    stranger = calls.password.sign_up(email=EMAIL, password=PASSWORD)
    calls.email_verification.verify_email(
        calls.email_verification.verification_url(stranger.user).partition("#token=")[2]
    )

    reset = made.blocking_core().dispatch(_reset_request())
    made.outbox.drain()

    assert reset.status == 202
    assert [mail.kind for mail in mailer.mails if mail.to == EMAIL][-1] == "password_reset"


def _reset_request() -> Request:
    body = b'{"email": "ada@example.com"}'
    return Request("POST", "/password/reset", body, {"content-type": "application/json"}, "203.0.113.7")


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"grace": timedelta(0)}, r"EmailVerification\(grace=…\) is a timedelta above nothing"),
        ({"grace": 7}, r"grace=…\) is a timedelta"),
        ({"grace": timedelta(days=366)}, r"at most 365 days"),
        ({"send_at_sign_up": "yes"}, r"send_at_sign_up=…\) is True or False"),
        ({"link_needs_session": 1}, r"link_needs_session=…\) is True or False"),
        ({"link_ttl": None}, r"link_ttl=None\): its mails carry a link"),
        ({"link_ttl": timedelta(days=8)}, r"link_ttl=…\) lies between"),
        ({"code_length": 4}, r"code_length=4\) is a whole number between 6 and 12"),
        ({"code_ttl": timedelta(days=1)}, r"code_ttl=…\) lies between"),
        ({"max_attempts": 0}, r"max_attempts=0\) is a whole number"),
        ({"mail_from": "nobody"}, r"EmailVerification\(mail_from='nobody'\) is no address"),
    ],
)
def test_wrong_settings_are_refused_at_start(settings: dict[str, Any], says: str) -> None:
    """O1: each wrong setting is refused with a sentence that says what to write."""
    with pytest.raises(ConfigurationError, match=says):
        EmailVerification(**settings)
