"""Changing, setting and renewing a password: as Python calls, and what the transaction alone decides (rules T7, T9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, ChallengeRequired, Password, Request, Sessions, SignedIn
from authcore.context import Context
from authcore.errors import (
    AuthError,
    ConfigurationError,
    InvalidChallenge,
    InvalidCredentials,
    InvalidFields,
    NotAuthenticated,
    PasswordDisabled,
    ReauthenticationRequired,
)
from authcore.feature import Feature, SignInStep
from authcore.features.password import ChangeCode, store
from authcore.features.password.store import Binding
from authcore.services import accounts, challenges, credentials, events, passwords, sessions, sign_in
from authcore.services.challenges import ChallengeKind
from authcore.services.mailed import Mailed
from authcore.services.sign_in import Proof, SignInState, renewed
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
OTHER, WRONG = "fifteen other letters", "four loud herons wade"
WHOLE: dict[str, Any] = {"email": EMAIL, "password": PASSWORD}
UNKNOWN = "ac1_ch_" + "A" * 43
Make = Callable[..., Any]


def member(auth: Auth) -> SignedIn:
    """Make a user with a session."""
    made = auth.blocking.password.sign_up(**WHOLE)
    assert isinstance(made, SignedIn)
    return made


def asking(signed_in: Any) -> Request:
    """Answer a request of an application's own that carries a session."""
    return Request("POST", "/mine", headers={"authorization": f"Bearer {signed_in.access_token}"}, peer="192.0.2.9")


# --- by calls ---


def test_a_change_by_call_answers_the_session_that_goes_on(calling: Any, auth: Make) -> None:
    """S69, T7: `on(request)` knows whose password it is; the answer holds the user, the session and its secrets."""
    made = auth(Password(require_code=False))
    before = member(made)

    done = calling(made, asking(before)).password.update_password(current_password=PASSWORD, new_password=OTHER)

    calls = calling(made)
    assert (done.session.id, done.user.id) == (before.session.id, before.user.id)
    assert done.user.updated_at == done.updated_at
    assert calls.sessions.get_user_id(access_token=done.access_token) == before.user.id
    assert calls.sessions.get_user_id(access_token=before.access_token) is None
    assert calls.sessions.refresh(refresh_token=done.refresh_token).session.id == before.session.id
    assert OTHER not in repr(done)
    assert done.access_token not in repr(done)


def test_a_pending_change_by_call(calling: Any, auth: Make, client: Make) -> None:
    """S70: the code that was mailed lets the pending password take effect; the challenge holds a hash of it alone."""
    made = auth(Password(require_code=False, change_code=True))
    before = member(made)
    calls = calling(made, asking(before))

    begun = calls.password.update_password(current_password=PASSWORD, new_password=OTHER)
    done = calls.password.verify_password_change(challenge_id=begun.challenge.id, code=client(made).mailed_code())

    assert isinstance(begun, ChallengeRequired)
    assert done.session.id == before.session.id
    assert isinstance(calling(made).password.sign_in(email=EMAIL, password=OTHER), SignedIn)


def test_what_waits_for_a_code_is_a_hash(auth: Make, inside: Make) -> None:
    """S70, T1: the pending password stands nowhere, not even sealed."""
    made = auth(Password(require_code=False, change_code=True))
    before = member(made)
    made.blocking.on(asking(before)).password.update_password(current_password=PASSWORD, new_password=OTHER)
    side = inside(made)
    [pending] = side.read(challenges.pending, "default", ChangeCode().kind(), before.user.id, side.ctx().now())

    held = challenges.payload(side.ctx(), pending)

    assert held["digest"].startswith("$argon2id$")
    assert OTHER not in str(held)
    assert pending.user_id == before.user.id


def test_the_application_changes_a_password_itself(calling: Any, auth: Make, clock: FrozenClock) -> None:
    """S71: by the user's id and the present password, without a session; all sessions end, no code is mailed."""
    made = auth(Password(require_code=False, change_code=True))
    before = member(made)
    heard: list[events.Event] = []
    made.on(events.PasswordChanged, heard.append)
    clock.advance(5)

    user = calling(made).password.change_password(user_id=before.user.id, current_password=PASSWORD, new_password=OTHER)

    assert user.updated_at == clock.now()
    assert [type(event) for event in heard] == [events.PasswordChanged]
    assert calling(made).sessions.get_user_id(access_token=before.access_token) is None
    assert isinstance(calling(made).password.sign_in(email=EMAIL, password=OTHER), SignedIn)


@pytest.mark.parametrize("user_id", ["nobody", "", "a\0b", "\ud800"])
def test_an_unknown_user_has_no_password_to_change(calling: Any, auth: Make, user_id: str) -> None:
    """S71, R1: whatever is handed over as an id, the refusal is that of a wrong password."""
    calls = calling(auth(Password(require_code=False)))

    with pytest.raises(InvalidCredentials):
        calls.password.change_password(user_id=user_id, current_password=PASSWORD, new_password=OTHER)


def test_the_application_needs_the_present_password_too(calling: Any, auth: Make, inside: Make) -> None:
    """S71, A6: a wrong one changes nothing and is counted as at sign-in."""
    made = auth(Password(require_code=False))
    before = member(made)
    calls = calling(made)

    with pytest.raises(InvalidCredentials):
        calls.password.change_password(user_id=before.user.id, current_password=WRONG, new_password=OTHER)

    assert [row.failures for row in inside(made).rows(passwords.attempts)] == [1]
    assert isinstance(calls.password.sign_in(**WHOLE), SignedIn)


def test_who_is_not_signed_in_changes_and_sets_nothing(calling: Any, auth: Make) -> None:
    """S69: without a request that carries a session there is nobody whose password it would be."""
    calls = calling(auth(Password(change_code=True)))

    with pytest.raises(NotAuthenticated):
        calls.password.update_password(current_password=PASSWORD, new_password=OTHER)
    with pytest.raises(NotAuthenticated):
        calls.password.verify_password_change(challenge_id=UNKNOWN, code="123456")
    with pytest.raises(NotAuthenticated):
        calls.password.set_password(new_password=OTHER)


def test_where_no_code_is_mailed_none_opens_anything(calling: Any, auth: Make) -> None:
    """S70: without `change_code` there is no challenge to answer."""
    made = auth(Password(require_code=False))
    calls = calling(made, asking(member(made)))

    with pytest.raises(InvalidChallenge):
        calls.password.verify_password_change(challenge_id=UNKNOWN, code="123456")


def test_changes_are_limited_by_account(auth: Make) -> None:
    """A6: what costs hashes to judge is judged ten times an hour; what is refused at once is not counted."""
    made = auth(Password(require_code=False))
    calls = made.blocking.on(asking(member(made)))
    for new in ["short"] * 5 + [PASSWORD] * 10:
        with pytest.raises(InvalidFields):
            calls.password.update_password(current_password=PASSWORD, new_password=new)

    with pytest.raises(AuthError) as caught:
        calls.password.update_password(current_password=PASSWORD, new_password=OTHER)

    assert caught.value.code == "rate_limited"


def test_where_passwords_are_off_nothing_changes_one(calling: Any, auth: Make) -> None:
    """S8: the refusal is the same for each call, whatever is handed over."""
    calls = calling(auth(Password(enabled=False)))

    for name, given in (
        ("update_password", {"new_password": OTHER}),
        ("verify_password_change", {"challenge_id": UNKNOWN, "code": "123456"}),
        ("set_password", {"new_password": OTHER}),
        ("change_password", {"user_id": "u", "current_password": PASSWORD, "new_password": OTHER}),
        ("answer_new_password", {"challenge_id": UNKNOWN, "new_password": OTHER}),
    ):
        with pytest.raises(PasswordDisabled):
            getattr(calls.password, name)(**given)


# --- a first one ---


def test_a_first_password_by_call(calling: Any, auth: Make, inside: Make) -> None:
    """T9: an account without a password gets one, its failures at the address are forgotten, `PasswordSet` is told."""
    made = auth(Password(require_code=False))
    before = member(made)
    inside(made).write(passwords.drop, before.user.id)
    heard: list[events.Event] = []
    made.on(events.PasswordSet, heard.append)
    with pytest.raises(InvalidCredentials):
        made.blocking.password.sign_in(email=EMAIL, password=WRONG)

    done = calling(made, asking(before)).password.set_password(new_password=OTHER)

    assert done.session.id == before.session.id
    assert done.session.auth_time == before.session.auth_time
    assert [event.user.id for event in heard] == [before.user.id]  # type: ignore[attr-defined]
    assert inside(made).rows(passwords.attempts) == []
    assert isinstance(calling(made).password.sign_in(email=EMAIL, password=OTHER), SignedIn)


def test_a_first_password_needs_a_fresh_session_by_call_too(calling: Any, auth: Make, clock: FrozenClock) -> None:
    """A9: the flow asks for it, not the route alone."""
    made = auth(Password(require_code=False))
    before = member(made)
    clock.advance(301)

    with pytest.raises(ReauthenticationRequired):
        calling(made, asking(before)).password.set_password(new_password=OTHER)


def test_an_account_without_an_address_has_none_to_sign_in_with(auth: Make, inside: Make) -> None:
    """A9: a password that nothing could be typed beside would be of no use, and is refused by name."""
    made = auth(Password(require_code=False))
    before = member(made)
    side = inside(made)
    side.write(passwords.drop, before.user.id)
    side.write(lambda tx: tx.execute(accounts.users.update().values(email=None)))

    with pytest.raises(AuthError) as caught:
        made.blocking.on(asking(before)).password.set_password(new_password=OTHER)

    assert (caught.value.status, caught.value.code) == (409, "address_missing")


# --- what the transaction decides ---


def binding(auth: Auth, inside: Any, signed_in: SignedIn, digest: str, epoch: int | None) -> Binding:
    """Draw a change of password as the flow does."""
    ctx: Context = inside(auth).ctx()
    issued = renewed(ctx, signed_in.session, Proof(("pwd",)), ctx.now())
    return Binding("default", signed_in.user.id, digest, ctx.now(), 0, epoch, issued)


def test_of_two_changes_at_once_one_comes_too_late(auth: Make, inside: Make) -> None:
    """T9: what was proven under credentials that have changed since replaces nothing."""
    made = auth(Password(require_code=False))
    before, side = member(made), inside(made)
    happened = events.occur(side.ctx(), events.PasswordChanged("default", side.ctx().now(), before.user))
    first, second = (binding(made, inside, before, digest, 0) for digest in ("first", "second"))

    told = [side.write(store.change, each, happened) for each in (first, second)]

    assert told == [True, False]
    assert side.read(passwords.digest_of, before.user.id) == "first"


def test_a_session_that_ended_meanwhile_is_not_revived(auth: Make, inside: Make) -> None:
    """T9: a change whose session was ended while it was on its way changes nothing."""
    made = auth(Password(require_code=False))
    before, side = member(made), inside(made)
    happened = events.occur(side.ctx(), events.PasswordChanged("default", side.ctx().now(), before.user))
    drawn = binding(made, inside, before, "late", 0)
    side.write(sessions.revoke_all, "default", before.user.id, side.ctx().now())

    told = side.write(store.change, drawn, happened)

    assert told is False
    assert side.read(passwords.digest_of, before.user.id) != "late"
    assert made.blocking.sessions.list_sessions(user_id=before.user.id) == []


def test_a_first_password_is_set_once(auth: Make, inside: Make) -> None:
    """T2: of two first passwords at once one is stored."""
    made = auth(Password(require_code=False))
    before, side = member(made), inside(made)
    side.write(passwords.drop, before.user.id)
    happened = events.occur(side.ctx(), events.PasswordSet("default", side.ctx().now(), before.user))
    first, second = (binding(made, inside, before, digest, 0) for digest in ("first", "second"))

    told = [side.write(store.set_first, each, happened) for each in (first, second)]

    assert told == [True, False]
    assert side.read(passwords.digest_of, before.user.id) == "first"


def test_a_listener_that_raises_rolls_the_change_back(auth: Make) -> None:
    """One transaction: password, sessions and event happen together or not at all."""
    made = auth(Password(require_code=False))
    before = member(made)

    def refuse(_tx: Any, _event: Any) -> None:
        raise RuntimeError("not today")

    made.on(events.PasswordChanged, refuse, in_transaction=True)

    with pytest.raises(RuntimeError, match="not today"):
        made.blocking.on(asking(before)).password.update_password(current_password=PASSWORD, new_password=OTHER)

    assert made.blocking.sessions.get_user_id(access_token=before.access_token) == before.user.id
    assert isinstance(made.blocking.password.sign_in(**WHOLE), SignedIn)


def test_a_change_forgets_failures_at_every_address(auth: Make, inside: Make) -> None:
    """A6: a password that is bound again does not rest at another address of the account."""
    made = auth(Password(require_code=False))
    before, side = member(made), inside(made)
    second, now = "ada@second.example", side.ctx().now()
    side.write(accounts.add_identity, "default", accounts.EMAIL_PASSWORD, second, before.user.id, now)
    with pytest.raises(InvalidCredentials):
        made.blocking.password.sign_in(email=second, password=WRONG)

    made.blocking.on(asking(before)).password.update_password(current_password=PASSWORD, new_password=OTHER)

    assert side.rows(passwords.attempts) == []


# --- a password that must be changed ---


def begin(auth: Auth, inside: Any) -> ChallengeRequired:
    """Sign in where another password is asked for."""
    before = member(auth)
    assert inside(auth).write(passwords.require_change, before.user.id) is True
    begun = auth.blocking.password.sign_in(**WHOLE)
    assert isinstance(begun, ChallengeRequired)
    return begun


def test_another_password_by_call(calling: Any, auth: Make, inside: Make) -> None:
    """A1, T9: the sign-in goes on, and the mark is gone with the password that had it."""
    made = auth(Password(require_code=False))
    begun = begin(made, inside)

    done = calling(made).password.answer_new_password(challenge_id=begun.challenge.id, new_password=OTHER)

    assert isinstance(done, SignedIn)
    assert done.session.amr == ["pwd"]
    [row] = inside(made).rows(passwords.passwords)
    assert row.must_change is None


def test_a_disabled_account_does_not_go_on(auth: Make, inside: Make) -> None:
    """T9: who was disabled meanwhile replaces nothing."""
    made = auth(Password(require_code=False))
    begun, side = begin(made, inside), inside(made)
    side.write(lambda tx: tx.execute(accounts.users.update().values(disabled_at=side.ctx().now())))

    with pytest.raises(InvalidChallenge):
        made.blocking.password.answer_new_password(challenge_id=begun.challenge.id, new_password=OTHER)


def test_credentials_that_ended_end_the_challenge(auth: Make, inside: Make) -> None:
    """T9: whatever ends the user's credentials ends the sign-in that waits for another password."""
    made = auth(Password(require_code=False))
    begun, side = begin(made, inside), inside(made)
    [user] = side.rows(accounts.users)
    side.write(credentials.end, user.id, side.ctx().now())

    with pytest.raises(InvalidChallenge):
        made.blocking.password.answer_new_password(challenge_id=begun.challenge.id, new_password=OTHER)


def test_another_way_in_is_not_asked_for_another_password(auth: Make, inside: Make) -> None:
    """A1: only who signed in by the password is asked for another; it proves nothing of the other ways."""
    made = auth(Password(require_code=False))
    begin(made, inside)
    side = inside(made)
    ctx = side.ctx()
    [account] = [side.read(accounts.by_id, "default", user.id, ctx.app.user) for user in side.rows(accounts.users)]

    done = side.run(sign_in.complete(ctx, account, Proof(("email",)), via="bearer"))

    assert isinstance(done, SignedIn)


def test_a_required_change_does_not_wait_for_its_age(auth: Make, inside: Make) -> None:
    """A4: `min_age` keeps nobody from a change that is asked for."""
    made = auth(Password(require_code=False, min_age=timedelta(days=1)))
    before = member(made)
    inside(made).write(passwords.require_change, before.user.id)

    done = made.blocking.on(asking(before)).password.update_password(current_password=PASSWORD, new_password=OTHER)

    assert not isinstance(done, ChallengeRequired)
    assert done.session.id == before.session.id


def test_a_compromised_password_stays_so(auth: Make, inside: Make) -> None:
    """A4: asking for a change does not open again what others know; marking it ends the sessions (T9)."""
    made = auth(Password(require_code=False))
    before, side = member(made), inside(made)

    marked = side.write(passwords.mark_compromised, before.user.id, side.ctx().now())
    asked = side.write(passwords.require_change, before.user.id)

    assert (marked, asked) == (True, False)
    assert made.blocking.sessions.get_user_id(access_token=before.access_token) is None
    with pytest.raises(InvalidCredentials):
        made.blocking.password.sign_in(**WHOLE)
    assert side.write(passwords.mark_compromised, "nobody", side.ctx().now()) is False


SECOND = ChallengeKind(purpose="second", kind="second")


@dataclass
class Second(SignInStep):
    """A step that proves who it is, declared after the room of passwords."""

    kind = "second"

    async def required(self, ctx: Context, state: SignInState) -> bool:
        return True

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        made = challenges.draft(ctx, SECOND, subject=state.user_id, recipient="", payload=None, bindings=[])
        return Mailed(made)


class Factor(Feature):
    """A room with a second factor."""

    name = "factor"
    steps = (Second(),)


def test_another_password_comes_behind_every_factor(auth: Make, inside: Make) -> None:
    """A1, A8: who has the password alone does not replace it: first every step that proves who signs in."""
    made = auth(Password(require_code=False))
    begin(made, inside)

    begun = auth(Password(), Factor()).blocking.password.sign_in(**WHOLE)

    assert begun.challenge.kind == "second"


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"change_code": "yes"}, "change_code"),
        ({"require_current_password": 1}, "require_current_password"),
        ({"history": 11}, "between 0 and 10"),
        ({"history": -1}, "between 0 and 10"),
        ({"min_age": 5}, "min_age"),
        ({"max_age": timedelta()}, "max_age"),
        ({"min_age": timedelta(days=2), "max_age": timedelta(days=1)}, "min_age"),
        ({"require_symbol": "no"}, "require_symbol"),
        ({"breached": 7}, "breached"),
        ({"breached": "/no/such/place"}, "is not there"),
        ({"change_code": ChangeCode(code_length=3)}, r"ChangeCode\(code_length=3\)"),
    ],
)
def test_a_wrong_setting_refuses_to_start(settings: dict[str, Any], sentence: str) -> None:
    """O1: each sentence names the setting and what to write."""
    with pytest.raises(ConfigurationError, match=sentence):
        Password(**settings)


def test_the_codes_of_sign_up_and_change_have_settings_of_their_own(auth: Make, client: Make) -> None:
    """S116: a longer code for a change leaves that of the sign-up as it is."""
    made = auth(Password(change_code=ChangeCode(code_length=8)), Sessions())
    signed_up = client(made).sign_up()

    begun = client(made).post(
        "/password/change",
        {"current_password": PASSWORD, "new_password": OTHER},
        bearer=signed_up.json["access_token"],
    )

    assert begun.status == 202
    assert len(client(made).mailed_code("sign_up")) == 6
    assert len(client(made).mailed_code("password_change")) == 8
