"""What `Sessions(…)` takes beside lifetimes: short and long cookies, a header, places, bags."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest

from authcore import Editable, EmailCode, Password, Request, Sessions, SignedIn, User
from authcore_conformance.client import ORIGIN, Client, Reply, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
NAME = "__Host-authcore_session"


class Member(User, frozen=True, kw_only=True):
    """A user with a field that no single cookie holds."""

    note: Annotated[str, Editable] = ""


def start(world: World, **settings: Any) -> None:
    """Start the application with options of its sessions."""
    world.start(features=[Password(), Sessions(**settings)])


def session_cookies(reply: Reply) -> list[Any]:
    """Answer the cookies of a session that a reply sets."""
    return [cookie for cookie in reply.cookies if "_session" in cookie.name or "_refresh" in cookie.name]


# --- remember_me ---


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize(
    ("rule", "asked", "persistent"),
    [("always", {}, True), ("never", {}, False), ("ask", {}, False), ("ask", {"remember_me": True}, True)],
)
def test_cookies_outlive_the_browser_where_it_is_so_said(
    world: World, rule: Any, asked: dict[str, bool], persistent: bool, pair: bool
) -> None:
    """`remember_me`: with a Max-Age or without, the same at sign-in, refresh and step-up; the session is no shorter."""
    start(world, remember_me=rule, cookie_refresh=pair)
    browser = world.client("cookie")

    replies = [browser.verify(browser.sign_up(EMAIL, PASSWORD), world.code(), **asked)]
    replies.append(browser.post("/reauthenticate", {"password": PASSWORD}))
    replies.append(browser.refresh())

    assert [reply.status for reply in replies] == [200, 200, 200]
    ages = [cookie.max_age for reply in replies for cookie in session_cookies(reply)]
    assert len(ages) == (6 if pair else 2)
    assert {age is not None for age in ages} == {persistent}
    world.clock.advance(6 * 24 * 3600)
    if pair:
        assert browser.refresh().status == 200
    assert browser.who() == EMAIL


@pytest.mark.parametrize("rule", ["always", "never"])
def test_where_nobody_is_asked_the_field_is_unknown(world: World, transport: Transport, rule: Any) -> None:
    """R2: `remember_me` is a field under "ask" alone."""
    start(world, remember_me=rule)
    world.member()

    reply = world.client(transport).sign_in(EMAIL, PASSWORD, remember_me=True)

    assert (reply.status, reply.fields) == (422, {"remember_me": "unknown"})


def test_tokens_are_the_client_s_to_keep(world: World) -> None:
    """Under bearer `remember_me` changes nothing."""
    start(world, remember_me="ask")
    world.member()

    replies = [world.client("bearer").sign_in(EMAIL, PASSWORD, remember_me=wish) for wish in (True, False)]

    assert [reply.json["refresh_expires_in"] for reply in replies] == [30 * 24 * 3600] * 2
    assert all("persistent" not in reply.json["session"] for reply in replies)


# --- a domain ---


def test_every_cookie_of_a_domain_is_set_and_cleared_alike(world: World) -> None:
    """R6: with `cookie_domain` each cookie is `__Secure-` and names the domain, cleared as it was set."""
    world.start(
        cookie_domain="app.example", features=[Password(), EmailCode(remember=True), Sessions(cookie_refresh=True)]
    )
    browser = world.client("cookie")
    replies = [browser.sign_up(EMAIL, PASSWORD)]
    replies.append(browser.verify(replies[0], world.code()))
    started = browser.sign_in(EMAIL, PASSWORD)
    answer = {"challenge_id": started.json["challenge"]["id"], "code": world.code(), "remember": True}
    replies += [started, browser.post("/sign-in/email-code", answer), browser.post("/sign-out", {})]

    cookies = [cookie for reply in replies for cookie in reply.cookies]

    assert {cookie.name for cookie in cookies} == {
        f"__Secure-authcore_{stem}" for stem in ("challenge", "session", "refresh", "device")
    }
    for cookie in cookies:
        expected = {"path": "/", "domain": "app.example", "secure": "", "httponly": "", "samesite": "Lax"}
        assert {name: text for name, text in cookie.attributes.items() if name != "max-age"} == expected
    assert sorted(cookie.name for cookie in cookies if cookie.max_age == 0) == [
        "__Secure-authcore_refresh",
        "__Secure-authcore_session",
    ]


# --- a header ---


def test_a_token_comes_in_a_header_of_one_s_own(world: World) -> None:
    """S50: the bearer's token opens routes in the header, of authcore and of the application."""
    start(world, header="X-Session-Id")
    phone = world.member()
    nobody = world.client()
    headed = [("X-Session-Id", phone.access_token or "")]

    assert nobody.get("/me", headers=headed).json["user"]["email"] == EMAIL
    assert nobody.visit("GET", "/app/hello", headers=headed).json == {"email": EMAIL}
    assert nobody.visit("POST", "/app/act", {}, headers=headed).status == 200


def test_the_id_of_a_session_opens_nothing(world: World) -> None:
    """S50, T5: the header takes no session's id, no refresh token and no cookie's secret."""
    start(world, header="X-Session-Id")
    phone, browser = world.member(), world.client("cookie")
    browser.sign_in(EMAIL, PASSWORD)
    session_id = phone.get("/session").json["session"]["id"]

    for wrong in (session_id, phone.refresh_token, browser.session_secret, "x"):
        reply = world.client().get("/me", headers=[("X-Session-Id", str(wrong))])
        assert (reply.status, reply.code) == (401, "not_authenticated")


def test_a_header_is_one_credential_among_the_others(world: World) -> None:
    """R7: beside Authorization, or a session's cookie, it is refused, and so is a comma."""
    start(world, header="X-Session-Id")
    phone, browser = world.member(), world.client("cookie")
    browser.sign_in(EMAIL, PASSWORD)
    token = phone.access_token or ""

    replies = [
        phone.get("/me", headers=[("X-Session-Id", token)]),
        browser.get("/me", headers=[("X-Session-Id", token)]),
        world.client().get("/me", headers=[("X-Session-Id", f"{token},{token}")]),
    ]

    assert [(reply.status, reply.code) for reply in replies] == [(400, "ambiguous_credentials")] * 3


def test_unless_it_is_named_the_header_is_nothing(world: World) -> None:
    """S50: without the setting no header but Authorization carries a token."""
    token = world.member().access_token or ""

    assert world.client().get("/me", headers=[("X-Session-Id", token)]).status == 401


# --- where and by what ---


def test_sessions_are_told_apart_by_device_and_place(world: World, transport: Transport) -> None:
    """S43: the list says by which browser on which system, where the application knows it, and which is one's own."""
    start(world, place=lambda ip: {"198.51.100.7": "Berlin"}.get(ip))
    mine = world.member(transport, headers=[("User-Agent", FIREFOX)])
    other = world.client("bearer", peer="203.0.113.9", headers=[("User-Agent", SAFARI)])
    other.sign_in(EMAIL, PASSWORD, device_name="My phone")

    listed = mine.get("/sessions").json["sessions"]

    told = [(each["device"], each.get("place"), each.get("device_name"), each["current"]) for each in listed]
    assert sorted(told, key=str) == [
        ("Firefox on Windows", "Berlin", None, True),
        ("Safari on iPhone", None, "My phone", False),
    ]
    assert mine.get("/session").json["session"]["device"] == "Firefox on Windows"
    assert "place" not in mine.get("/session").json["session"]


def test_a_place_that_fails_takes_nothing_away(world: World) -> None:
    """A hook that raises leaves the list as it is, without places."""

    def place(_ip: str) -> str:
        raise LookupError("no map")

    start(world, place=place)
    member = world.member()

    reply = member.get("/sessions")

    assert reply.status == 200
    assert ["place" in each for each in reply.json["sessions"]] == [False]


# --- long cookies ---


def test_a_long_cookie_travels_in_parts(world: World) -> None:
    """R6, S52: what no single cookie holds is set in parts below 4096 bytes, read back joined, and cleared whole."""
    features = [Password(), Sessions(cookie="sealed", cookie_refresh=True, access_ttl=timedelta(minutes=5))]
    world.start(user=Member, features=features)
    browser = world.client("cookie")

    made = browser.verify(browser.sign_up(EMAIL, PASSWORD, note="n" * 5200), world.code())

    parts = {name: value for name, value in browser.jar.items() if "_session" in name}
    assert made.status == 200
    assert set(parts) == {NAME, f"{NAME}.1", f"{NAME}.2"}
    assert max(len(line.encode()) for line in made.all("set-cookie")) < 4096
    assert browser.who() == EMAIL
    assert browser.visit("GET", "/app/hello").json == {"email": EMAIL}
    for header, status in (
        (f"{NAME}={parts[NAME]}; {NAME}.2={parts[NAME + '.2']}", 401),
        (f"{browser.cookie_header}; {NAME}.1=x", 400),
        (f"{browser.cookie_header}; {NAME}.8=x", 400),
    ):
        assert world.client().get("/me", headers=[("Cookie", header)]).status == status
    gone = browser.post("/sign-out", {})
    assert {cookie.name for cookie in gone.cookies if cookie.max_age == 0} >= set(parts)
    assert not any("_session" in name for name in browser.jar)


def test_a_shorter_cookie_takes_the_longer_one_s_parts_away(world: World) -> None:
    """R6: no part of an earlier value stays behind to spoil the next one."""
    features = [Password(), Sessions(cookie="sealed", cookie_refresh=True, access_ttl=timedelta(minutes=5))]
    world.start(user=Member, features=features)
    browser = world.client("cookie")
    browser.verify(browser.sign_up(EMAIL, PASSWORD, note="n" * 5200), world.code())
    jar = dict(browser.jar)
    world.query(world_users().update().values(fields=None))

    reply = browser.sign_in(EMAIL, PASSWORD)

    assert reply.status == 200
    assert f"{NAME}.2" in jar
    assert [name for name in browser.jar if "_session" in name] == [NAME]
    assert browser.who() == EMAIL


def world_users() -> Any:
    """Answer the table of users."""
    from authcore.services.accounts import users

    return users


# --- bags ---


def hand_bag(world: World, client: Client, **data: Any) -> None:
    """Put into the bag of a client's browser, as a route of the application does."""
    headers = {"origin": ORIGIN, **({"cookie": client.cookie_header} if client.jar else {})}
    bag = world.app.blocking.on(Request("POST", "/app/cart", headers=headers)).bag
    for key, value in data.items():
        for cookie in bag.put(key, value).cookies:
            client.jar[cookie.name] = cookie.value


def bag_of(world: World, client: Client) -> dict[str, Any]:
    """Answer what is in the bag of a client's browser."""
    request = Request("GET", "/app/cart", headers={"cookie": client.cookie_header})
    return world.app.blocking.on(request).bag.all()


def test_a_guest_s_bag_moves_at_sign_in(world: World) -> None:
    """S51: made before anybody was signed in, it stands at the session after; its cookie is taken away."""
    start(world)
    world.member()
    browser = world.client("cookie")
    hand_bag(world, browser, cart=[7], step=2)
    assert set(browser.jar) == {"__Host-authcore_bag"}

    reply = browser.sign_in(EMAIL, PASSWORD)

    gone = reply.cookie("bag")
    assert gone is not None
    assert (gone.value, gone.max_age, gone.attributes["path"]) == ("", 0, "/")
    assert set(browser.jar) == {NAME}
    assert bag_of(world, browser) == {"cart": [7], "step": 2}


def test_a_bag_s_secret_opens_nothing(world: World) -> None:
    """T5, R5: it is no session, neither as a cookie nor as a bearer's token; another site cannot use it either."""
    start(world)
    world.member()
    browser = world.client("cookie")
    hand_bag(world, browser, cart=[7])
    secret = browser.jar["__Host-authcore_bag"]

    as_cookie = world.client().get("/me", headers=[("Cookie", f"{NAME}={secret}")])
    as_token = world.client().get("/me", headers=[("Authorization", f"Bearer {secret}")])
    forged = browser.post("/sign-in", {"email": EMAIL, "password": PASSWORD}, origin="https://evil.example")

    assert [as_cookie.status, as_token.status] == [401, 401]
    assert (forged.status, forged.code) == (403, "origin_not_allowed")
    assert bag_of(world, browser) == {"cart": [7]}


def test_a_session_made_by_the_application_is_a_session(world: World, transport: Transport) -> None:
    """S23: `create_session` after a check of the application's own opens routes, up to the level that it stated."""
    strong = world.app.blocking.sessions.create_session(
        user={"email": EMAIL, "email_verified": True}, amr=("pwd", "otp"), transport=transport
    )
    assert isinstance(strong, SignedIn)
    client = world.client(transport)
    if transport == "bearer":
        client.access_token = strong.access_token
    else:
        client.jar = {cookie.name: cookie.value for cookie in strong.cookies}

    assert client.who() == EMAIL
    assert client.visit("GET", "/app/mfa").json == {"email": EMAIL}
    assert client.visit("GET", "/app/verified").status == 200


def test_a_session_with_scopes_does_nothing_to_the_account(world: World) -> None:
    """What rooms do to an account stands in no scope: such a session sees who it is, and may sign out."""
    user = world.member().get("/me").json["user"]
    made = world.app.blocking.sessions.create_session(
        user_id=user["id"], amr=["pwd"], transport="bearer", scopes=["read"]
    )
    assert isinstance(made, SignedIn)
    client = world.client(access_token=made.access_token, refresh_token=made.refresh_token)

    asked = [client.get("/sessions"), client.delete("/sessions"), client.post("/sessions/revoke-others", {})]

    assert [(reply.status, reply.code) for reply in asked] == [(403, "insufficient_scope")] * 3
    assert client.get("/me").status == 200
    assert client.refresh().status == 200
    assert client.post("/sign-out", {}).status == 200


def test_a_browser_keeps_one_session_though_its_cookie_lapsed(world: World) -> None:
    """T7: beside a refresh cookie the session's own lapses early; the next sign-in still ends the one before."""
    world.start(features=[Password(), Sessions(cookie_refresh=True)])
    browser = world.member("cookie")
    del browser.jar["__Host-authcore_session"]

    assert browser.sign_in(EMAIL, PASSWORD).status == 200

    assert len(browser.get("/sessions").json["sessions"]) == 1
