"""What `Sessions(…)` takes beside lifetimes: `remember_me`, `header`, `place`; and how its device is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from authcore import (
    Anonymous,
    Auth,
    Code,
    ConfigurationError,
    EmailCode,
    MagicLink,
    Password,
    PasswordReset,
    Request,
    Sessions,
    SignedIn,
)
from authcore.errors import AmbiguousCredentials, InvalidFields
from authcore.services.sessions import sessions
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
ORIGIN = "http://127.0.0.1:8000"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
MakeAuth = Callable[..., Auth]


# --- remember_me ---


@pytest.mark.parametrize(
    ("rule", "asked", "persistent"),
    [("always", None, True), ("never", None, False), ("ask", None, False), ("ask", False, False), ("ask", True, True)],
)
@pytest.mark.parametrize("pair", [False, True])
def test_cookies_outlive_the_browser_where_it_is_so_said(
    auth: MakeAuth, client: Any, inside: Any, rule: Any, asked: bool | None, persistent: bool, pair: bool
) -> None:
    """`remember_me`: a cookie has a Max-Age only if it may; refreshing and stepping up set it alike."""
    made = auth(Password(require_code=False), Sessions(remember_me=rule, cookie_refresh=pair))
    browser = client(made, browser=True)
    body = {} if asked is None else {"remember_me": asked}

    signed = browser.post("/sign-up", {"email": EMAIL, "password": PASSWORD, **body})
    refreshed = browser.post("/refresh", {})
    stepped = browser.post("/reauthenticate", {"password": PASSWORD})
    changed = browser.post("/password/change", {"current_password": PASSWORD, "new_password": PASSWORD[::-1]})

    assert [reply.status for reply in (signed, refreshed, stepped, changed)] == [201, 200, 200, 200]
    set_ = [cookie for reply in (signed, refreshed, stepped, changed) for cookie in reply.result.cookies]
    assert len(set_) == (8 if pair else 3)
    assert {cookie.max_age is not None for cookie in set_} == {persistent}
    assert all(("Max-Age" in cookie.header()) == persistent for cookie in set_)
    assert [row.persistent for row in inside(made).rows(sessions)] == [persistent]
    assert signed.json["session"].get("persistent", True) == persistent


def test_the_server_s_clock_is_the_same(auth: MakeAuth, client: Any, clock: FrozenClock) -> None:
    """`remember_me="never"`: whatever a browser does with its cookie, the session slides by `ttl` and ends by it."""
    made = auth(Password(require_code=False), Sessions(remember_me="never"))
    browser = client(made, browser=True)
    browser.post("/sign-up", {"email": EMAIL, "password": PASSWORD})

    for _ in range(3):
        clock.advance(6 * 24 * 3600)
        assert browser.get("/me").status == 200
    clock.advance(7 * 24 * 3600)
    assert browser.get("/me").status == 401


def test_what_was_asked_stands_until_the_last_step(auth: MakeAuth, client: Any) -> None:
    """`remember_me` is carried through the steps of a sign-in."""
    made = auth(Password(), EmailCode(), Sessions(remember_me="ask"))
    browser = client(made, browser=True)
    browser.sign_up()

    begun = browser.sign_in(remember_me=True)
    answer = {"challenge_id": begun.json["challenge"]["id"], "code": browser.mailed_code()}
    done = browser.post("/sign-in/email-code", answer)

    (cookie,) = (cookie for cookie in done.result.cookies if cookie.name.endswith("_session"))
    assert cookie.max_age


def test_a_later_wish_is_another_sign_in(auth: MakeAuth, client: Any) -> None:
    """A13: who ticks the box off on a second try, inside the interval, is not answered with the first one's sign-in."""
    made = auth(Password(), EmailCode(), Sessions(remember_me="ask"))
    browser = client(made, browser=True)
    browser.sign_up()
    browser.jar.pop("authcore_session")

    ids = [browser.sign_in(remember_me=wish).json["challenge"]["id"] for wish in (True, True, False)]

    assert ids[0] == ids[1] != ids[2]


WAYS: dict[str, dict[str, Any]] = {
    "/sign-up": {"email": EMAIL, "password": PASSWORD},
    "/sign-up/verify": {"challenge_id": "x", "code": "000000"},
    "/sign-in": {"email": EMAIL, "password": PASSWORD},
    "/magic-link/consume": {"token": "x"},
    "/code/verify": {"challenge_id": "x", "code": "000000"},
    "/password/reset/complete": {"token": "x", "new_password": PASSWORD},
    "/anonymous": {},
}


@pytest.mark.parametrize("rule", ["always", "never", "ask"])
def test_only_where_it_is_asked_a_body_takes_it(auth: MakeAuth, client: Any, rule: Any) -> None:
    """R2: `remember_me` is a field of every route that makes a session under "ask", and unknown elsewhere."""
    rooms = (Password(), MagicLink(), Code(), PasswordReset(), Anonymous())
    made = auth(*rooms, Sessions(remember_me=rule))
    program = client(made)

    for path, body in WAYS.items():
        reply = program.post(path, {**body, "remember_me": True})
        unknown = reply.status == 422 and {each["field"]: each["code"] for each in reply.json["error"]["details"]} == {
            "remember_me": "unknown"
        }
        assert unknown == (rule != "ask"), path
    schemas = made.openapi["components"]["schemas"]
    assert ("remember_me" in schemas["AuthcoreSignIn"]["properties"]) == (rule == "ask")


def test_a_call_takes_it_where_a_body_does(auth: MakeAuth, calling: Any) -> None:
    """`remember_me=` of a Python call is refused as a body's would be; under bearer it changes nothing."""
    asked = calling(auth(Sessions(remember_me="ask"))).sessions
    made = {"user": {"email": EMAIL}, "remember_me": True}

    assert asked.create_session(**made, transport="cookie").cookies[0].max_age is not None
    assert asked.create_session(user={"email": EMAIL}, transport="cookie").cookies[0].max_age is None
    assert asked.create_session(user={"email": EMAIL}, transport="bearer").session.persistent is True
    with pytest.raises(InvalidFields):
        calling(auth()).sessions.create_session(**made)


# --- a header of one's own ---


@pytest.fixture
def headed(auth: MakeAuth) -> tuple[Auth, SignedIn]:
    """An application that reads X-Session-Id, and a bearer's session."""
    made = auth(Password(), Sessions(header="X-Session-Id"))
    found = made.blocking.sessions.create_session(user={"email": EMAIL}, transport="bearer")
    assert isinstance(found, SignedIn)
    return made, found


def test_a_token_comes_in_the_header(headed: tuple[Auth, SignedIn], client: Any) -> None:
    """S50: the opaque token opens routes, and needs no origin: no browser sends it by itself (rule R5)."""
    made, found = headed

    reply = client(made).post(
        "/sessions/revoke-others", {}, x_session_id=found.access_token, origin="https://x.example"
    )

    assert reply.status == 200
    assert client(made).get("/me", x_session_id=f"  {found.access_token}\t").json["user"]["id"] == found.user.id
    assert client(made).post("/sign-out", {}, x_session_id=found.access_token).status == 200
    assert client(made).get("/me", x_session_id=found.access_token).status == 401


def test_the_id_opens_nothing(headed: tuple[Auth, SignedIn], client: Any, auth: MakeAuth) -> None:
    """S50, T5: neither the session's id nor a secret of another kind is a token."""
    made, found = headed
    cookie = made.blocking.sessions.create_session(user={"email": EMAIL}, transport="cookie")
    assert isinstance(cookie, SignedIn)

    for wrong in (
        found.session.id,
        str(found.refresh_token),
        cookie.access_token,
        "",
        "Bearer",
        f"Bearer {found.access_token}",
    ):
        assert client(made).get("/me", x_session_id=wrong).status == 401
    assert client(auth()).get("/me", x_session_id=found.access_token).status == 401


def test_it_is_one_credential_of_a_request(headed: tuple[Auth, SignedIn], client: Any) -> None:
    """R7, R1: beside Authorization or a cookie it is refused, though they agree; so is a comma, or the header twice."""
    made, found = headed
    token = found.access_token
    for more in (
        {"authorization": f"Bearer {token}"},
        {"cookie": "authcore_session=ac1_st_" + "A" * 43},
        {"x_session_id": f"{token},{token}"},
    ):
        reply = client(made).get("/me", **{"x_session_id": token, **more})
        assert (reply.status, reply.code) == (400, "ambiguous_credentials")
    assert client(made).get("/me", x_session_id=token, authorization="Basic eDp5").status == 200


def test_an_application_s_own_routes_read_it(headed: tuple[Auth, SignedIn]) -> None:
    """S50: guards and calls for a request read the header as the mounted routes do."""
    made, found = headed
    request = Request("GET", "/mine", headers={"x-session-id": found.access_token})

    who = made.blocking_core().authenticate(request)

    assert who is not None
    assert who.user == found.user
    assert made.blocking.on(request).sessions.get_user() == found.user
    both = Request("GET", "/mine", headers={"x-session-id": found.access_token, "authorization": "Bearer x"})
    with pytest.raises(AmbiguousCredentials):
        made.blocking_core().authenticate(both)


def test_the_document_tells_of_the_header(headed: tuple[Auth, SignedIn], auth: MakeAuth) -> None:
    """S50: the header is a security scheme of every route that asks who is signed in, where it is set."""
    made, _ = headed
    scheme = {"type": "apiKey", "in": "header", "name": "X-Session-Id"}

    assert made.openapi["components"]["securitySchemes"]["authcoreHeader"] == scheme
    assert {"authcoreHeader": []} in made.openapi["paths"]["/auth/me"]["get"]["security"]
    assert "authcoreHeader" not in auth().openapi["components"]["securitySchemes"]


@pytest.mark.parametrize(
    "name", ["", "a b", "X:Y", "X_Y", "é", "Cookie", "authorization", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", 7]
)
def test_a_header_is_a_name_that_means_nothing_else(name: Any) -> None:
    """What servers, proxies and browsers write is refused while the application starts."""
    with pytest.raises(ConfigurationError, match="header"):
        Sessions(header=name)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("remember_me", "sometimes"), ("place", "Berlin"), ("claims", dict), ("claims", 7)],
)
def test_a_wrong_option_says_what_to_write(setting: str, value: Any) -> None:
    """O1: every wrong option is refused while the application starts."""
    with pytest.raises(ConfigurationError, match=setting):
        Sessions(**{setting: value})


def test_a_header_needs_bearers() -> None:
    """`header` beside `transport="cookie"` would never be read."""
    with pytest.raises(ConfigurationError, match="transport"):
        Sessions(header="X-Session-Id", transport="cookie")


def test_claims_are_what_json_has() -> None:
    """A struct of what JSON cannot hold is refused."""
    kind = msgspec.defstruct("Odd", [("value", complex)])

    with pytest.raises(ConfigurationError, match="Odd"):
        Sessions(claims=kind)


# --- where, and by what ---


def test_a_session_tells_its_device(auth: MakeAuth, client: Any) -> None:
    """S43: the user agent by a readable name, in every answer that holds a session."""
    made = auth(Password(require_code=False))
    program = client(made)
    body = {"email": EMAIL, "password": PASSWORD, "device_name": "The study"}

    signed = program.post("/sign-up", body, user_agent=FIREFOX)
    token = signed.json["access_token"]
    look = program.get("/session", bearer=token)
    listed = program.get("/sessions", bearer=token)
    again = program.post("/reauthenticate", {"password": PASSWORD}, bearer=token)
    refreshed = program.post("/refresh", {"refresh_token": again.json["refresh_token"]})

    told = [reply.json["session"] for reply in (signed, look, again, refreshed)] + listed.json["sessions"]
    assert [(each["device"], each["device_name"]) for each in told] == [("Firefox on Linux", "The study")] * 5
    assert "place" not in listed.json["sessions"][0]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_place_is_the_application_s(auth: MakeAuth, calling: Any, kind: str) -> None:
    """The hook of `Sessions(place=…)` is asked once for each address, and only where sessions are listed."""
    asked: list[str] = []

    def place(ip: str) -> str:
        asked.append(ip)
        return f"near {ip}\x1b"

    async def later(ip: str) -> str:
        return place(ip)

    made = auth(Sessions(place=place if kind == "sync" else later))
    peers = ("203.0.113.7", "203.0.113.7", "198.51.100.1", None)
    for peer in peers:
        request = Request("POST", "/x", headers={"user-agent": FIREFOX}, peer=peer)
        user = calling(made, request).sessions.create_session(user={"email": EMAIL}, transport="bearer").user
    assert asked == []

    listed = calling(made).sessions.list_sessions(user_id=user.id)

    assert sorted((each.ip or "", each.place or "") for each in listed) == [
        ("", ""),
        ("198.51.100.1", "near 198.51.100.1"),
        *[("203.0.113.7", "near 203.0.113.7")] * 2,
    ]
    assert {each.device for each in listed} == {"Firefox on Linux"}
    assert sorted(asked) == ["198.51.100.1", "203.0.113.7"]


@pytest.mark.parametrize("answer", [None, 7, "", "x" * 300])
def test_a_place_is_a_text_or_nothing(auth: MakeAuth, answer: Any) -> None:
    """What is no text is no place, and a long one is cut."""
    made = auth(Sessions(place=lambda _ip: answer))
    calls = made.blocking.on(Request("POST", "/x", peer="203.0.113.7")).sessions
    user = calls.create_session(user={"email": EMAIL}).user  # type: ignore[union-attr]

    (listed,) = made.blocking.sessions.list_sessions(user_id=user.id)

    assert listed.place == ("x" * 200 if answer == "x" * 300 else None)


def test_a_place_that_fails_is_none(auth: MakeAuth, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises is logged, and takes no list of sessions away."""

    def place(_ip: str) -> str:
        raise LookupError("no such map")

    made = auth(Sessions(place=place))
    calls = made.blocking.on(Request("POST", "/x", peer="203.0.113.7")).sessions
    user = calls.create_session(user={"email": EMAIL}).user  # type: ignore[union-attr]

    with caplog.at_level(logging.ERROR, "authcore.sessions"):
        (listed,) = made.blocking.sessions.list_sessions(user_id=user.id)

    assert listed.place is None
    assert "place" in caplog.text


def test_use_is_noted_once_a_minute(auth: MakeAuth, inside: Any, client: Any, clock: FrozenClock) -> None:
    """S43: `last_seen_at` is written at most once a minute, however often a session is used."""
    made = auth()
    found = made.blocking.sessions.create_session(user={"email": EMAIL}, transport="bearer")
    assert isinstance(found, SignedIn)
    seen = []

    for _ in range(9):
        clock.advance(20)
        assert client(made).get("/me", bearer=found.access_token).status == 200
        seen.append((inside(made).rows(sessions)[0].last_seen_at - found.session.created_at).total_seconds())

    assert [round(each) for each in seen] == [0, 0, 60, 60, 60, 120, 120, 120, 180]


@pytest.mark.parametrize("fresh", [True, False])
def test_ending_a_session_asks_freshness(auth: MakeAuth, client: Any, clock: FrozenClock, fresh: bool) -> None:
    """A9: whoever has been signed in for a while proves again who it is, unless the application says otherwise."""
    made = auth(Sessions(fresh_to_end=fresh))
    held = [made.blocking.sessions.create_session(user={"email": EMAIL}, transport="bearer") for _ in range(2)]
    token = held[0].access_token  # type: ignore[union-attr]
    clock.advance(301)

    for method, path in (
        ("DELETE", f"/sessions/{held[1].session.id}"),  # type: ignore[union-attr]
        ("POST", "/sessions/revoke-others"),
        ("DELETE", "/sessions"),
    ):
        reply = client(made).send(method, path, bearer=token)
        assert reply.status == (401 if fresh else 200)
        assert not fresh or reply.code == "reauthentication_required"
