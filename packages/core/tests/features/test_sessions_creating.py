"""`create_session`: a session after the application's own check, still through the pipeline (S23, rule A1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from authcore import (
    Auth,
    ChallengeRequired,
    EmailCode,
    Password,
    Request,
    Sessions,
    SignedIn,
    Tenant,
    requirement,
)
from authcore.backends.mail import MemoryMailer
from authcore.errors import AuthError, InvalidCredentials, InvalidFields, NotFound, OriginNotAllowed, SignUpClosed
from authcore.services import accounts, passwords
from authcore.services.events import Login, ProfileUpdated, Registered, Verified

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
ORIGIN = "http://127.0.0.1:8000"
ADA = {"email": EMAIL, "display_name": "Ada"}
MakeAuth = Callable[..., Auth]


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application's own claims."""

    shop: int
    roles: list[str] = []


def fields(error: pytest.ExceptionInfo[InvalidFields]) -> dict[str, str]:
    """Answer the wrong fields by their codes."""
    details: Any = error.value.details
    return {each["field"]: each["code"] for each in details}


# --- whose ---


def test_a_new_user_is_made_and_signed_in(auth: MakeAuth, calling: Any) -> None:
    """S23, S26: the managed mode makes the user first; whoever signs in so has tokens like from any other way."""
    made = auth()
    happened: list[Any] = []
    made.on(Registered, happened.append)
    made.on(Login, happened.append)

    found = calling(made).sessions.create_session(user={**ADA, "email": " ADA@Example.com "}, transport="bearer")

    assert isinstance(found, SignedIn)
    assert (found.user.email, found.user.display_name, found.user.email_verified) == (EMAIL, "Ada", False)
    assert found.refresh_token is not None
    assert found.cookies == ()
    assert made.blocking.sessions.get_user(access_token=found.access_token) == found.user
    assert [type(event) for event in happened] == [Registered, Login]


def test_who_is_there_already_is_brought_up_to_date(auth: MakeAuth, calling: Any) -> None:
    """S23: the address finds its user again, under one id; a name that is given replaces the one before."""
    made = auth()
    changed: list[Any] = []
    made.on(ProfileUpdated, changed.append)
    calls = calling(made).sessions
    first = calls.create_session(user=ADA)

    again = calls.create_session(user={**ADA, "display_name": "Ada King"})
    unnamed = calls.create_session(user={"email": EMAIL})

    assert {first.user.id, again.user.id, unnamed.user.id} == {first.user.id}
    assert (again.user.display_name, unnamed.user.display_name) == ("Ada King", "Ada King")
    assert [event.user.display_name for event in changed] == ["Ada King"]


def test_an_address_is_proven_only_where_it_is_said(auth: MakeAuth, inside: Any) -> None:
    """A3: said to be proven, it is, and what nobody had proven is dropped: the password, every session."""
    made = auth(Password(require_code=False))
    proven: list[Any] = []
    made.on(Verified, proven.append)
    stranger = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    calls = made.blocking.sessions

    unsaid = calls.create_session(user={"email": EMAIL})
    assert isinstance(unsaid, SignedIn)
    assert unsaid.user.email_verified is False
    said = calls.create_session(user={"email": EMAIL, "email_verified": True})

    assert isinstance(stranger, SignedIn)
    assert isinstance(said, SignedIn)
    assert (said.user.id, said.user.email_verified) == (stranger.user.id, True)
    assert calls.get_user(access_token=stranger.access_token) is None
    assert calls.get_user(access_token=said.access_token) == said.user
    assert inside(made).rows(passwords.passwords) == []
    assert [event.user.id for event in proven] == [said.user.id]


def test_a_user_is_known_by_its_id(auth: MakeAuth, calling: Any) -> None:
    """S23: `user_id` signs in who is there, and raises NotFound for who is not, in another tenant as well."""
    made = auth(tenant=lambda request: Tenant(request.headers["host"]))
    one = calling(made, Request("POST", "/x", headers={"host": "one"})).sessions
    other = calling(made, Request("POST", "/x", headers={"host": "other"})).sessions
    ada = one.create_session(user=ADA).user

    assert one.create_session(user_id=ada.id).user == ada
    for wrong in ("nobody", "", "\0", "\ud800"):
        with pytest.raises(NotFound):
            one.create_session(user_id=wrong)
    with pytest.raises(NotFound):
        other.create_session(user_id=ada.id)


def test_an_id_is_text(auth: MakeAuth) -> None:
    """S23: a number is no user's id, and is said to be none."""
    with pytest.raises(InvalidFields) as refused:
        auth().blocking.sessions.create_session(user_id=5)  # type: ignore[arg-type]

    assert fields(refused) == {"user_id": "wrong_type"}


def test_who_is_disabled_gets_no_session(auth: MakeAuth) -> None:
    """A1: the pipeline refuses a disabled account, by its id and by its address."""
    made = auth()
    ada = made.blocking.sessions.create_session(user=ADA)
    assert isinstance(ada, SignedIn)
    made.blocking.administration.disable(user_id=ada.user.id)

    for how in ({"user_id": ada.user.id}, {"user": {**ADA, "email_verified": True, "display_name": "X"}}):
        with pytest.raises(InvalidCredentials):
            made.blocking.sessions.create_session(**how)

    found = made.blocking.administration.find(user_id=ada.user.id)
    assert found is not None
    assert (found.user.display_name, found.user.email_verified) == ("Ada", False)


def test_one_of_both_is_given(auth: MakeAuth) -> None:
    """Neither `user` nor `user_id`, or both, is refused; so is a field that no user has (rule R2)."""
    calls = auth().blocking.sessions

    for how, expected in (
        ({}, {"user_id": "missing"}),
        ({"user": ADA, "user_id": "x"}, {"user_id": "invalid"}),
        ({"user": {**ADA, "aal": 3}}, {"aal": "unknown"}),
        ({"user": {"display_name": "Ada"}}, {"email": "missing"}),
        ({"user": {"email": "no address"}}, {"email": "invalid"}),
        ({"user": {**ADA, "display_name": "a\nb"}}, {"display_name": "invalid"}),
    ):
        with pytest.raises(InvalidFields) as refused:
            calls.create_session(**how)
        assert fields(refused) == expected


def test_a_hook_judges_who_may_be_made_and_not_who_is_there(auth: MakeAuth) -> None:
    """`Auth(sign_up=…)` is asked about a new user as about any other; who has an account signs in."""
    open_ = auth()
    open_.blocking.sessions.create_session(user=ADA)
    calls = auth(sign_up=lambda _candidate: False).blocking.sessions

    assert isinstance(calls.create_session(user=ADA), SignedIn)
    with pytest.raises(SignUpClosed):
        calls.create_session(user={"email": "bea@example.com"})


@pytest.mark.alone
def test_of_many_at_once_one_makes_the_user(auth: MakeAuth, inside: Any, any_database: str) -> None:
    """S23: sign-ins of one new address at the same moment share one user, and each has a session of its own."""
    made = auth(database=any_database)
    made.create_tables()
    start = threading.Barrier(8)
    answers: list[Any] = []

    def enter() -> None:
        start.wait()
        answers.append(made.blocking.sessions.create_session(user={**ADA, "email_verified": True}))

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len({answer.user.id for answer in answers}) == 1
    assert len({answer.session.id for answer in answers}) == 8
    assert len(inside(made).rows(accounts.users)) == 1


# --- the pipeline ---


def test_steps_stand_between_as_always(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """A1: what the application checked is a first factor: the mailed code is asked for before there is a session."""
    made = auth(Password(), EmailCode())
    calls = made.blocking

    begun = calls.sessions.create_session(
        user=ADA, amr=("pwd",), transport="bearer", claims={"shop": 7}, scopes=["read"], fingerprint="f"
    )

    assert isinstance(begun, ChallengeRequired)
    made.outbox.drain()
    done = calls.email_code.verify(challenge_id=begun.challenge.id, code=str(mailer.mails[-1].code))
    assert isinstance(done, SignedIn)
    assert (done.session.amr, done.session.aal) == (["pwd", "email"], 1)
    assert (done.session.claims, done.session.scopes, done.session.fingerprint) == ({"shop": 7}, ["read"], "f")


def test_a_step_that_was_done_is_not_asked_again(auth: MakeAuth) -> None:
    """A1: `amr` may say that the address was proven just now."""
    made = auth(Password(), EmailCode())

    found = made.blocking.sessions.create_session(user=ADA, amr=("pwd", "email"))

    assert isinstance(found, SignedIn)
    assert (found.session.amr, found.session.aal) == (["pwd", "email"], 1)


def test_a_repeat_with_other_powers_is_another_challenge(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """A13: inside the interval a repeat is answered alike only if it would make the very same session."""
    made = auth(Password(), EmailCode())
    calls = made.blocking.sessions

    whole = calls.create_session(user=ADA, amr=("pwd",), transport="bearer")
    again = calls.create_session(user=ADA, amr=("pwd",), transport="bearer")
    limited = calls.create_session(user=ADA, amr=("pwd",), transport="bearer", scopes=["read"])
    claimed = calls.create_session(user=ADA, amr=("pwd",), transport="bearer", claims={"a": 1})

    ids = [each.challenge.id for each in (whole, again, limited, claimed) if isinstance(each, ChallengeRequired)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("amr", "aal"),
    [
        ((), 1),
        (("pwd",), 1),
        (("otp",), 1),
        (("pwd", "otp"), 2),
        (("pwd", "hwk"), 2),
        (("face", "hwk"), 2),
        (("pwd", "pin"), 1),
        (("mfa",), 2),
        (("pwd", "mfa"), 2),
        (("pwd", "email"), 1),
        (("pwd", "sms", "mfa"), 1),
        (("email", "mfa"), 1),
        (("pwd", "otp", "email"), 2),
        (("user", "geo"), 1),
    ],
)
def test_the_level_follows_from_what_was_proven(auth: MakeAuth, amr: tuple[str, ...], aal: int) -> None:
    """A1, A8: two kinds of factor are level 2; mailed and texted codes are none, whatever is called MFA."""
    found = auth().blocking.sessions.create_session(user=ADA, amr=amr)

    assert isinstance(found, SignedIn)
    assert (found.session.aal, found.session.amr) == (aal, list(amr))


@pytest.mark.parametrize(
    "amr", ["pwd", ("PWD",), ("a b",), ("",), (1,), tuple(f"m{n}" for n in range(11)), ("x" * 33,)]
)
def test_what_is_no_method_is_refused(auth: MakeAuth, amr: Any) -> None:
    """`amr` is a short list of short names."""
    with pytest.raises(InvalidFields) as refused:
        auth().blocking.sessions.create_session(user=ADA, amr=amr)

    assert fields(refused) == {"amr": "invalid"}


def test_a_browser_gets_its_cookie(auth: MakeAuth) -> None:
    """S23, T7: made for a request, the session goes to its browser, and the one that it held before ends."""
    made = auth()
    browser = Request("POST", "/mine", headers={"origin": ORIGIN})
    first = made.blocking.on(browser).sessions.create_session(user=ADA)
    assert isinstance(first, SignedIn)
    held = Request("POST", "/mine", headers={"origin": ORIGIN, "cookie": f"authcore_session={first.access_token}"})

    second = made.blocking.on(held).sessions.create_session(user=ADA, device_id="d", device_name="The study")

    assert isinstance(second, SignedIn)
    assert [cookie.name for cookie in second.cookies] == ["authcore_session"]
    assert (second.session.device_id, second.session.device_name) == ("d", "The study")
    assert made.blocking.sessions.get_user(access_token=first.access_token) is None
    assert made.blocking.sessions.get_user(access_token=second.access_token) == second.user


def test_another_site_makes_no_session(auth: MakeAuth) -> None:
    """R5: login CSRF is refused here as at every other way in."""
    evil = Request("POST", "/mine", headers={"origin": "https://evil.example"})
    calls = auth().blocking.on(evil)

    with pytest.raises(OriginNotAllowed):
        calls.sessions.create_session(user=ADA)


# --- what it carries ---


def test_claims_scopes_and_fingerprint_stay(auth: MakeAuth, clock: Any) -> None:
    """S43: they stand on the session at every look, and outlive a refresh and a step-up."""
    made = auth(Password())
    given = {"claims": {"shop": 7, "tags": ["a"]}, "scopes": ["orders:read", "orders:read", "profile"]}
    calls = made.blocking.sessions
    made.blocking.administration.create(email=EMAIL, password=PASSWORD)
    found = calls.create_session(user=ADA, fingerprint="fp-1", transport="bearer", **given)  # type: ignore[arg-type]
    assert isinstance(found, SignedIn)

    refreshed = calls.refresh(refresh_token=found.refresh_token)
    asking = Request("POST", "/x", headers={"authorization": f"Bearer {refreshed.access}"})  # type: ignore[union-attr]
    again = made.blocking.on(asking).sessions.reauthenticate(password=PASSWORD)

    assert isinstance(again, SignedIn)
    looked = calls.get_session(access_token=again.access_token)
    assert looked is not None
    for session in (found.session, again.session, looked):
        assert session.claims == {"shop": 7, "tags": ["a"]}
        assert session.scopes == ["orders:read", "profile"]
        assert session.fingerprint == "fp-1"


def test_roles_are_a_claim(auth: MakeAuth) -> None:
    """S23: roles come from server code alone, and stand on the session as its claim `roles`."""
    calls = auth().blocking.sessions

    found = calls.create_session(user={**ADA, "roles": ["editor"]}, claims={"shop": 7})

    assert isinstance(found, SignedIn)
    assert found.session.claims == {"roles": ["editor"], "shop": 7}
    with pytest.raises(InvalidFields):
        calls.create_session(user={**ADA, "roles": ["editor"]}, claims={"roles": ["owner"]})


def test_typed_claims_are_checked_and_read(auth: MakeAuth) -> None:
    """S43: `Sessions(claims=…)` refuses what is no such struct, and `claims_as` answers one."""
    calls = auth(Sessions(claims=Claims)).blocking.sessions

    by_struct = calls.create_session(user=ADA, claims=Claims(shop=7))
    by_dict = calls.create_session(user={**ADA, "roles": ["x"]}, claims={"shop": 8})

    assert isinstance(by_struct, SignedIn)
    assert isinstance(by_dict, SignedIn)
    assert by_struct.session.claims_as(Claims) == Claims(7)
    looked = calls.get_session(access_token=by_dict.access_token)
    assert looked is not None
    assert looked.claims_as(Claims) == Claims(8, ["x"])
    for wrong, expected in (
        ({"shop": "7"}, {"shop": "wrong_type"}),
        ({}, {"shop": "missing"}),
        ({"shop": 7, "x": 1}, {"x": "unknown"}),
    ):
        with pytest.raises(InvalidFields) as refused:
            calls.create_session(user=ADA, claims=wrong)
        assert fields(refused) == expected
    with pytest.raises(msgspec.ValidationError):
        looked.claims_as(msgspec.defstruct("Later", [("other", int)]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"claims": {"x": "y" * 2048}}, {"claims": "too_long"}),
        ({"claims": {"x": object()}}, {"claims": "invalid"}),
        ({"claims": {"x": "\0"}}, {"claims": "invalid"}),
        ({"claims": {"x": "\ud800"}}, {"claims": "invalid"}),
        ({"claims": [1]}, {"claims": "wrong_type"}),
        ({"scopes": "read"}, {"scopes": "invalid"}),
        ({"scopes": ["a b"]}, {"scopes": "invalid"}),
        ({"scopes": ['"']}, {"scopes": "invalid"}),
        ({"scopes": [f"s{n}" for n in range(101)]}, {"scopes": "invalid"}),
        ({"fingerprint": ""}, {"fingerprint": "invalid"}),
        ({"fingerprint": "x" * 201}, {"fingerprint": "invalid"}),
        ({"device_name": "x" * 201}, {"device_name": "too_long"}),
        ({"transport": "carrier pigeon"}, {"transport": "invalid"}),
        ({"remember_me": True}, {"remember_me": "unknown"}),
    ],
)
def test_what_does_not_fit_is_refused_before_anybody_is_made(
    auth: MakeAuth, inside: Any, given: Any, expected: dict[str, str]
) -> None:
    """R2: a claim, a scope or a name that no session holds leaves no user behind."""
    made = auth()

    with pytest.raises(InvalidFields) as refused:
        made.blocking.sessions.create_session(user=ADA, **given)

    assert fields(refused) == expected
    assert inside(made).rows(accounts.users) == []


def test_a_raised_level_opens_what_asks_for_it(auth: MakeAuth) -> None:
    """A1: `require(mfa=True)` lets in whom the application proved by two factors, and nobody by a code."""
    made = auth()
    strong = made.blocking.sessions.create_session(user=ADA, amr=("pwd", "otp"), transport="bearer")
    weak = made.blocking.sessions.create_session(user=ADA, amr=("pwd", "sms"), transport="bearer")
    assert isinstance(strong, SignedIn)
    assert isinstance(weak, SignedIn)

    def ask(token: str) -> Any:
        request = Request("GET", "/mine", headers={"authorization": f"Bearer {token}"})
        return made.blocking_core().authorize(request, requirement(mfa=True))

    assert ask(strong.access_token).user == strong.user
    with pytest.raises(AuthError) as refused:
        ask(weak.access_token)
    assert refused.value.code == "insufficient_user_authentication"
