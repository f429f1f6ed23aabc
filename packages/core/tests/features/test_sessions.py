"""The room `sessions` as Python calls: who is signed in, and the end of it, whatever the drive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Auth, Password, Request, Sessions, SignedIn, Tenant
from authcore.errors import (
    AmbiguousCredentials,
    AuthError,
    InvalidCredentials,
    InvalidRefreshToken,
    NotAuthenticated,
    NotFound,
)
from authcore.services.events import Event, Logout, SessionsEnded
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
ORIGIN = "http://127.0.0.1:8000"
WHOLE = {"email": EMAIL, "password": PASSWORD}
NOTHING = ["", "unknown", "ac1_at_" + "A" * 43, "ac1_rt_" + "A" * 43, "\ud800", "\x00"]


def carrying(made: SignedIn) -> Request:
    """Answer a request that carries a session, as its client would send it."""
    if made.session.transport == "cookie":
        return Request("POST", "/mine", headers={"cookie": f"authcore_session={made.access_token}", "origin": ORIGIN})
    return Request("POST", "/mine", headers={"authorization": f"Bearer {made.access_token}"})


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where sign-up needs no code."""
    return auth(Password(require_code=False))


@pytest.fixture
def calls(calling: Any, made: Auth) -> Any:
    """Its calls."""
    return calling(made)


@pytest.fixture(params=["cookie", "bearer"])
def held(calls: Any, request: pytest.FixtureRequest) -> SignedIn:
    """A session of either transport."""
    found = calls.password.sign_up(**WHOLE, transport=request.param)
    assert isinstance(found, SignedIn)
    return found


# --- looking ---


def test_who_holds_a_token_is_answered(calls: Any, held: SignedIn) -> None:
    """S27: user, id, session and both together, by the access token."""
    token = held.access_token

    assert calls.sessions.get_user(access_token=token) == held.user
    assert calls.sessions.get_user_id(access_token=token) == held.user.id
    assert calls.sessions.get_session(access_token=token) == held.session
    assert calls.sessions.current(access_token=token).user == held.user


def test_who_sends_a_request_is_answered(calling: Any, made: Auth, held: SignedIn) -> None:
    """S27: the same by the request, from the cookie or the header in which the session travels."""
    calls = calling(made, carrying(held))

    assert calls.sessions.get_user() == held.user
    assert calls.sessions.get_user_id() == held.user.id
    assert calls.sessions.get_session() == held.session
    assert [session.id for session in calls.sessions.list_sessions() if session.current] == [held.session.id]


def test_nobody_is_answered_by_none(calls: Any) -> None:
    """S27: looking raises nothing: what is no token, or nobody's, is nobody."""
    for token in NOTHING:
        assert calls.sessions.get_user(access_token=token) is None
        assert calls.sessions.get_user_id(access_token=token) is None
        assert calls.sessions.get_session(access_token=token) is None


def test_without_a_request_nobody_is_signed_in(calls: Any) -> None:
    """S27: a script is nobody; what asks for somebody says so."""
    assert calls.sessions.current() is None
    for ask in ("list_sessions", "end_other_sessions", "revoke_all_sessions", "reauthenticate"):
        with pytest.raises(NotAuthenticated):
            getattr(calls.sessions, ask)()


def test_two_credentials_are_refused_here_too(calling: Any, made: Auth, held: SignedIn) -> None:
    """R7: a request of one's own route is read as strictly as one of authcore's."""
    both = {"authorization": "Bearer x", "cookie": f"authcore_session={held.access_token}"}

    with pytest.raises(AmbiguousCredentials):
        calling(made, Request("GET", "/mine", headers=both)).sessions.get_user()


def test_server_code_lists_the_sessions_of_anybody(calls: Any, held: SignedIn, clock: FrozenClock) -> None:
    """`list_sessions(user_id=…)` answers the live ones, the latest first, none of them current."""
    clock.advance(1)
    later = calls.password.sign_in(**WHOLE)

    listed = calls.sessions.list_sessions(user_id=held.user.id)

    assert [(session.id, session.current) for session in listed] == [
        (later.session.id, False),
        (held.session.id, False),
    ]
    assert calls.sessions.list_sessions(user_id="nobody") == []


# --- ending ---


@pytest.mark.parametrize("by", ["access_token", "refresh_token", "request"])
def test_signing_out_answers_the_ended_session(
    calling: Any, made: Auth, held: SignedIn, clock: FrozenClock, by: str
) -> None:
    """S28: the session with `revoked_at`; the second time there is none to end."""
    if by == "refresh_token" and held.refresh_token is None:
        held = calling(made).password.sign_in(**WHOLE)
    given = {} if by == "request" else {by: getattr(held, by)}
    calls = calling(made, carrying(held) if by == "request" else None)
    heard: list[Event] = []
    made.on(Logout, heard.append)
    clock.advance(5)

    ended = calls.sessions.sign_out(**given)

    assert ended.session.id == held.session.id
    assert not ended.session.current
    assert (ended.user_id, ended.revoked_at) == (held.user.id, clock.now())
    assert calls.sessions.get_user(access_token=held.access_token) is None
    assert calls.sessions.sign_out(**given) is None
    assert len(heard) == 1


def test_signing_out_nobody_answers_none(calls: Any) -> None:
    """S28: nobody was signed in, and that is no error."""
    assert calls.sessions.sign_out() is None
    for token in NOTHING:
        assert calls.sessions.sign_out(access_token=token) is None
        assert calls.sessions.sign_out(refresh_token=token) is None


@pytest.mark.parametrize("by", ["id", "access", "refresh"])
def test_a_session_is_revoked_by_its_id_or_a_token(
    calls: Any, made: Auth, held: SignedIn, clock: FrozenClock, by: str
) -> None:
    """S28: `revoke_session(id or token)` answers the ended session, and its secrets open nothing any more."""
    if by == "refresh" and held.refresh_token is None:
        held = calls.password.sign_in(**WHOLE)
    known = {"id": held.session.id, "access": held.access_token, "refresh": held.refresh_token}
    heard: list[Event] = []
    made.on(SessionsEnded, heard.append)

    ended = calls.sessions.revoke_session(known[by])

    assert (ended.session.id, ended.user_id, ended.revoked_at) == (held.session.id, held.user.id, clock.now())
    assert calls.sessions.get_user(access_token=held.access_token) is None
    assert calls.sessions.revoke_session(known[by]) is None
    assert [event.count for event in heard] == [1]


def test_revoking_what_is_unknown_answers_none(calls: Any, held: SignedIn) -> None:
    """S28: nothing ended, nobody told, and no error."""
    assert [calls.sessions.revoke_session(unknown) for unknown in NOTHING] == [None] * len(NOTHING)
    assert calls.sessions.get_user(access_token=held.access_token) == held.user


def test_all_sessions_of_a_user_are_revoked(calls: Any, held: SignedIn) -> None:
    """S28: by id in server code; how many were live is answered, and nobody else's end."""
    second = calls.password.sign_in(**WHOLE)
    other = calls.password.sign_up(email="grace@example.com", password=PASSWORD)

    ended = [calls.sessions.revoke_all_sessions(user_id=held.user.id) for _ in range(2)]

    assert ended == [2, 0]
    assert calls.sessions.get_user(access_token=held.access_token) is None
    assert calls.sessions.get_user(access_token=second.access_token) is None
    assert calls.sessions.get_user(access_token=other.access_token) == other.user


@pytest.mark.parametrize("user_id", ["\0", "\ud800", "", "nobody"])
def test_what_is_no_users_id_has_no_sessions(calling: Any, made: Auth, held: SignedIn, user_id: str) -> None:
    """R1: whatever text an application hands over, nobody has sessions, and nobody's end, not even one's own."""
    plain = calling(made)

    assert plain.sessions.list_sessions(user_id=user_id) == []
    assert plain.sessions.revoke_all_sessions(user_id=user_id) == 0
    assert plain.sessions.get_user(access_token=held.access_token) == held.user


def test_all_of_ones_own_sessions_are_revoked(calling: Any, made: Auth, held: SignedIn) -> None:
    """S28: without an id it is the user who asks, with the session that asks."""
    calls = calling(made, carrying(held))

    assert calls.sessions.revoke_all_sessions() == 1
    assert calls.sessions.get_user() is None


def test_one_and_the_others_are_ended(calling: Any, made: Auth, held: SignedIn) -> None:
    """What the routes do for one's own sessions, calls do as well; another's is not found."""
    plain = calling(made)
    others = [plain.password.sign_in(**WHOLE) for _ in range(3)]
    foreign = plain.password.sign_up(email="grace@example.com", password=PASSWORD)
    calls = calling(made, carrying(held))

    assert calls.sessions.end_session(session_id=others[0].session.id) == 1
    assert calls.sessions.end_other_sessions() == 2
    for gone in (others[0].session.id, foreign.session.id, *NOTHING):
        with pytest.raises(NotFound):
            calls.sessions.end_session(session_id=gone)
    assert calls.sessions.get_user() == held.user


def test_a_tenant_ends_only_its_own(calling: Any, auth: Callable[..., Auth]) -> None:
    """Ids and tokens of another tenant are unknown, also to server code."""
    made = auth(Password(require_code=False), tenant=lambda request: Tenant(request.headers["x-tenant"]))
    north, south = (calling(made, Request("POST", "/mine", headers={"x-tenant": name})) for name in ("north", "south"))
    held = north.password.sign_up(**WHOLE)

    for known in (held.session.id, held.access_token, held.refresh_token):
        assert south.sessions.revoke_session(known) is None
    assert south.sessions.revoke_all_sessions(user_id=held.user.id) == 0
    assert south.sessions.list_sessions(user_id=held.user.id) == []
    assert south.sessions.get_user(access_token=held.access_token) is None
    assert south.sessions.sign_out(access_token=held.access_token) is None
    assert north.sessions.get_user(access_token=held.access_token) == held.user


# --- going on ---


def test_a_refresh_token_is_replaced(calls: Any, clock: FrozenClock) -> None:
    """S25: the successor opens, a replay after the grace ends the family."""
    held = calls.password.sign_up(**WHOLE)

    issued = calls.sessions.refresh(refresh_token=held.refresh_token)

    assert issued.session.id == held.session.id
    assert calls.sessions.get_user(access_token=issued.access) == held.user
    clock.advance(11)
    for token in (held.refresh_token, issued.refresh):
        with pytest.raises(InvalidRefreshToken):
            calls.sessions.refresh(refresh_token=token)
    assert calls.sessions.get_user(access_token=issued.access) is None


def test_what_is_no_refresh_token_is_refused(calls: Any) -> None:
    """S25: unknown, misspelt and missing are one answer."""
    for token in (*NOTHING, None):
        with pytest.raises(InvalidRefreshToken):
            calls.sessions.refresh(refresh_token=token)


def test_a_password_proves_again(calling: Any, made: Auth, held: SignedIn, clock: FrozenClock) -> None:
    """T7: the session keeps its id and gets new secrets; the old ones die at once."""
    clock.advance(600)
    calls = calling(made, carrying(held))

    with pytest.raises(InvalidCredentials):
        calls.sessions.reauthenticate(password="four loud herons wade")
    again = calls.sessions.reauthenticate(password=PASSWORD)

    assert again.session.id == held.session.id
    assert again.session.auth_time == clock.now()
    assert calls.sessions.get_user(access_token=held.access_token) is None
    assert calls.sessions.get_user(access_token=again.access_token) == held.user


def test_a_mailed_code_proves_again(
    calling: Any, made: Auth, held: SignedIn, client: Callable[..., Any], clock: FrozenClock
) -> None:
    """A browser's challenge is bound to it by a cookie; with both the code steps the session up."""
    begun = calling(made, carrying(held)).sessions.reauthenticate()
    answer = {"challenge_id": begun.challenge.id, "code": client(made).mailed_code("reauthenticate")}
    asking = carrying(held)
    bindings = "".join(f"; {cookie.name}={cookie.value}" for cookie in begun.cookies)
    headers = {name: value + (bindings if name == "cookie" else "") for name, value in asking.headers.items()}

    again = calling(made, Request("POST", "/mine", headers=headers)).sessions.reauthenticate(**answer)

    assert len(begun.cookies) == (1 if held.session.transport == "cookie" else 0)
    assert set(again.session.amr) == {"pwd", "email"}


def test_a_refusal_is_that_of_the_wire(calling: Any, made: Auth, held: SignedIn, client: Callable[..., Any]) -> None:
    """The same errors as exceptions: status, code and body."""
    visitor = client(made)
    answered = {
        "refresh": visitor.post("/refresh", {"refresh_token": "unknown"}),
        "end_session": visitor.send("DELETE", "/sessions/unknown", bearer=_bearer(calling(made))),
        "list_sessions": visitor.get("/sessions"),
    }
    calls = calling(made, carrying(held))
    raised = {
        "refresh": (calls, {"refresh_token": "unknown"}),
        "end_session": (calls, {"session_id": "unknown"}),
        "list_sessions": (calling(made), {}),
    }

    for name, (who, given) in raised.items():
        with pytest.raises(AuthError) as caught:
            getattr(who.sessions, name)(**given)
        assert (caught.value.status, caught.value.to_json()) == (answered[name].status, answered[name].json)


def _bearer(calls: Any) -> str:
    return str(calls.password.sign_in(**WHOLE, transport="bearer").access_token)


def test_cookie_pairs_rotate_by_request(calling: Any, auth: Callable[..., Auth]) -> None:
    """S25: with `cookie_refresh=True` a route of one's own refreshes from the request's cookie."""
    made = auth(Password(require_code=False), Sessions(cookie_refresh=True))
    held = calling(made).password.sign_up(**WHOLE, transport="cookie")
    jar = "; ".join(f"{cookie.name}={cookie.value}" for cookie in held.cookies)

    issued = calling(made, Request("POST", "/mine", headers={"cookie": jar, "origin": ORIGIN})).sessions.refresh()

    assert issued.refresh != held.refresh_token
    assert calling(made).sessions.get_user(access_token=issued.access) == held.user
