"""What every route shares: cookies, origins, and one credential in a request."""

from __future__ import annotations

from typing import Literal

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import ORIGIN, Reply, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

EVIL = "https://evil.example"
SESSION = "__Host-authcore_session"


def assert_ambiguous(reply: Reply) -> None:
    """Check the one refusal of every ambiguity."""
    assert (reply.status, reply.code) == (400, "ambiguous_credentials")


# --- cookies ---


def test_cookies_are_pinned_to_the_host(world: World) -> None:
    """S126, R6: every cookie is `__Host-`, `Secure`, `HttpOnly`, `SameSite=Lax`, of the whole site and this host."""
    world.start(features=[Password(), Sessions(cookie_refresh=True)])
    client = world.client("cookie")
    started = client.sign_up(EMAIL, PASSWORD)
    verified = client.verify(started, world.code())

    cookies = [*started.cookies, *verified.cookies]

    assert sorted(cookie.name for cookie in cookies) == [
        *("__Host-authcore_challenge", "__Host-authcore_refresh", "__Host-authcore_session")
    ]
    for cookie in cookies:
        expected = {"path": "/", "secure": "", "httponly": "", "samesite": "Lax"}
        assert {**cookie.attributes, "max-age": ""} == {**expected, "max-age": ""}
        assert cookie.max_age


def test_a_cookie_is_cleared_as_it_was_set(world: World) -> None:
    """R6: the attributes of a cleared cookie are the very ones it was set with."""
    browser = world.client("cookie")
    made = browser.verify(browser.sign_up(EMAIL, PASSWORD), world.code()).cookie("session")

    cleared = browser.post("/sign-out", {}).cookie("session")

    assert made is not None
    assert cleared is not None
    assert (cleared.name, cleared.value, cleared.max_age) == (made.name, "", 0)
    assert {**cleared.attributes, "max-age": ""} == {**made.attributes, "max-age": ""}


def test_a_stem_of_ones_own(world: World) -> None:
    """`cookie_name` sets the stem, never the prefix."""
    world.start(cookie_name="shop")

    browser = world.member("cookie")

    assert set(browser.jar) == {"__Host-shop_session", "__Host-shop_challenge"}
    assert browser.who() == EMAIL


def test_a_cookie_of_a_domain(world: World) -> None:
    """R6: with a domain the prefix is `__Secure-`, since `__Host-` forbids one."""
    world.start(cookie_domain="app.example")
    browser = world.client("cookie")
    started = browser.sign_up(EMAIL, PASSWORD)

    made = browser.verify(started, world.code()).cookie("session")

    assert made is not None
    assert (made.name, made.attributes["domain"]) == ("__Secure-authcore_session", "app.example")
    assert browser.who() == EMAIL


def test_in_development_prefix_and_secure_fall_away(world: World) -> None:
    """On http the prefix and `Secure` fall away, and nothing else changes."""
    world.start(dev_mode=True, base_url=None)
    browser = world.client("cookie", host="127.0.0.1:8000")
    origin = "http://127.0.0.1:8000"
    started = browser.post("/sign-up", {"email": EMAIL, "password": PASSWORD}, origin=origin)
    answer = {"challenge_id": started.json["challenge"]["id"], "code": world.code()}

    made = browser.post("/sign-up/verify", answer, origin=origin).cookie("session")

    assert made is not None
    assert made.name == "authcore_session"
    assert set(made.attributes) == {"path", "max-age", "httponly", "samesite"}
    assert browser.who() == EMAIL


def look(world: World, *cookies: str) -> Reply:
    """Ask who is signed in, with each text as a Cookie header of its own."""
    return world.client("bearer").get("/session", headers=[("Cookie", text) for text in cookies])


def test_two_cookies_of_one_name_are_refused(world: World) -> None:
    """R6: never "first wins": two are refused, in whatever order and even if they are equal."""
    secret = world.member("cookie").session_secret
    mine, other = f"{SESSION}={secret}", f"{SESSION}=ac1_st_{'A' * 43}"

    for header in (f"{mine}; {other}", f"{other}; {mine}", f"{mine}; {mine}", f"{mine}; x=1; {SESSION}="):
        assert_ambiguous(look(world, header))


@pytest.mark.needs("repeated_headers")
def test_two_cookie_lines_are_one_header(world: World) -> None:
    """R1: Cookie sent in two lines reads as one: two of one name are refused, others do not disturb."""
    secret = world.member("cookie").session_secret

    assert_ambiguous(look(world, f"{SESSION}={secret}", f"{SESSION}=ac1_st_{'A' * 43}"))


@pytest.mark.parametrize(
    "header", ["theme=1,{}", "{},theme=1", "{}, {}", '__Host-authcore_session="{secret}"', "{}%20", "{}\\"]
)
def test_a_cookie_that_servers_read_differently_is_refused(world: World, header: str) -> None:
    """R1: a comma beside authcore's cookie, or a character outside its alphabet, is refused and never guessed at."""
    secret = world.member("cookie").session_secret
    text = header.replace("{secret}", str(secret)).replace("{}", f"{SESSION}={secret}")

    assert_ambiguous(look(world, text))


@pytest.mark.parametrize(
    "header", ["{}; theme=1", "a=1;{};b=2", ' {} ; q="x y"', "{}; x__Host-authcore_session=1; flag"]
)
def test_other_cookies_do_not_disturb(world: World, header: str) -> None:
    """Cookies of the application stand beside authcore's."""
    secret = world.member("cookie").session_secret

    reply = look(world, header.replace("{}", f"{SESSION}={secret}"))

    assert reply.json["user"]["email"] == EMAIL


def test_cookie_names_have_case(world: World) -> None:
    """A cookie of another spelling is another cookie."""
    secret = world.member("cookie").session_secret

    reply = look(world, f"{SESSION.lower()}={secret}")

    assert reply.json["user"] is None


# --- origins ---


CARRIED: list[tuple[str | None, str | None, bool]] = [
    # Origin, Sec-Fetch-Site, allowed
    (ORIGIN, None, True),
    (ORIGIN, "cross-site", True),
    ("https://admin.example", None, True),
    (EVIL, None, False),
    (EVIL, "same-origin", False),
    ("null", None, False),
    ("null", "same-origin", False),
    ("", None, False),
    ("http://app.example", None, False),
    ("https://app.example:8443", None, False),
    ("https://app.example.evil.example", None, False),
    ("https://app.example/", None, False),
    (f"{ORIGIN},{EVIL}", None, False),
    (f"{ORIGIN} {EVIL}", None, False),
    (None, "same-origin", True),
    (None, "same-site", False),
    (None, "cross-site", False),
    (None, "none", False),
    (None, None, False),
]


def told(origin: str | None, site: str | None) -> list[tuple[str, str]]:
    """Answer the headers by which a browser says where a request comes from."""
    pairs = [("Origin", origin), ("Sec-Fetch-Site", site)]
    return [(name, value) for name, value in pairs if value is not None]


@pytest.mark.parametrize(("origin", "site", "allowed"), CARRIED)
def test_a_request_with_a_cookie_says_where_it_comes_from(
    world: World, origin: str | None, site: str | None, allowed: bool
) -> None:
    """R5: `Origin` must be listed, else `Sec-Fetch-Site` be same-origin; a browser that says neither is refused."""
    world.start(trusted_origins=["https://admin.example"])
    browser = world.member("cookie")

    reply = browser.post("/sessions/revoke-others", {}, origin=None, headers=told(origin, site))

    assert reply.status == (200 if allowed else 403)
    if not allowed:
        assert reply.code == "origin_not_allowed"
        assert "send Origin or use bearer" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("origin", "site", "allowed"),
    [
        (ORIGIN, None, True),
        (EVIL, None, False),
        ("null", None, False),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        (None, None, True),
    ],
)
def test_signing_in_says_where_it_comes_from(world: World, origin: str | None, site: str | None, allowed: bool) -> None:
    """R5: login CSRF carries no cookie: where an answer would set one the same holds, but silence is an app's."""
    world.member()
    body = {"email": EMAIL, "password": PASSWORD}

    reply = world.client("bearer").post("/sign-in", body, headers=told(origin, site))

    assert reply.status == (200 if allowed else 403)
    assert allowed or reply.all("set-cookie") == []


def test_no_other_site_changes_anything(world: World) -> None:
    """S126, R5: another site's request with the browser's cookies is refused on every unsafe route, unread."""
    browser = world.member("cookie")
    routes = [(r.method, r.path.replace("{id}", "abc")) for r in world.app.router.routes if r.unsafe]

    replies = [browser.request(method, path, b"{", origin=EVIL) for method, path in routes]

    assert len(replies) >= 9
    assert {(reply.status, reply.code) for reply in replies} == {(403, "origin_not_allowed")}
    assert browser.who() == EMAIL


def test_no_other_site_gets_a_cookie_set(world: World) -> None:
    """R5: whatever another site asks for without cookies, no answer sets or clears one."""
    world.member()
    bodies = {
        "/sign-up": {"email": "x@example.com", "password": PASSWORD},
        "/sign-in": {"email": EMAIL, "password": PASSWORD},
    }
    routes = [(r.method, r.path.replace("{id}", "abc")) for r in world.app.router.routes if r.unsafe]

    for method, path in routes:
        reply = world.client("cookie").request(method, path, bodies.get(path, {}), origin=EVIL)
        assert reply.all("set-cookie") == [], path


def test_bearer_needs_no_origin(world: World) -> None:
    """R5: a request without a cookie cannot be forged: a page elsewhere may use bearer tokens."""
    member = world.member("bearer")

    reply = member.post("/sessions/revoke-others", {}, headers=[("Origin", EVIL)])

    assert reply.status == 200


# --- one credential ---


def test_two_credentials_are_refused(world: World) -> None:
    """R7: a cookie beside a bearer token is refused, though both be right, and on every route that asks who it is."""
    browser, phone = world.member("cookie"), world.client("bearer")
    phone.sign_in(EMAIL, PASSWORD)
    both = [("Cookie", browser.cookie_header), ("Origin", ORIGIN)]

    for method, path in (("GET", "/me"), ("GET", "/session"), ("POST", "/sign-out"), ("DELETE", "/sessions")):
        assert_ambiguous(phone.request(method, path, headers=both))
    assert (browser.who(), phone.who()) == (EMAIL, EMAIL)


@pytest.mark.needs("repeated_headers")
def test_two_bearer_tokens_are_refused(world: World) -> None:
    """R1, R7: Authorization twice, or with a comma, is refused alike."""
    token = world.member().access_token
    value = f"Bearer {token}"

    apart = world.client().get("/me", headers=[("Authorization", value), ("Authorization", value)])
    joined = world.client().get("/me", headers=[("Authorization", f"{value}, {value}")])

    assert_ambiguous(apart)
    assert_ambiguous(joined)


def test_a_token_in_the_query_is_not_read(world: World) -> None:
    """R7: a token in a query string opens nothing."""
    token = world.member().access_token

    replies = [world.client().get(f"/me?{name}={token}") for name in ("access_token", "token", "authorization")]

    assert [reply.status for reply in replies] == [401] * 3


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Digest x", "Bearer", "Bearer ", ""])
def test_another_scheme_does_not_disturb_a_cookie(world: World, header: str) -> None:
    """A gate in front of a site may ask for Basic; the session cookie counts beside it. An empty bearer is none."""
    browser = world.member("cookie")

    reply = browser.get("/session", headers=[("Authorization", header)])

    if header.startswith("Bearer"):
        assert_ambiguous(reply)
    else:
        assert reply.json["user"]["email"] == EMAIL


# --- which transport ---


@pytest.mark.parametrize(
    ("headers", "asked", "expected"),
    [
        ([], None, "bearer"),
        ([("Origin", ORIGIN)], None, "cookie"),
        ([("Sec-Fetch-Site", "same-origin")], None, "cookie"),
        ([("Sec-Fetch-Mode", "cors")], None, "cookie"),
        ([("Origin", ORIGIN)], "bearer", "bearer"),
        ([], "cookie", "cookie"),
    ],
)
def test_under_both_the_request_says_which(
    world: World, headers: list[tuple[str, str]], asked: Transport | None, expected: str
) -> None:
    """Unsaid, a browser gets the cookie and any other client the tokens; a request that says which gets that."""
    world.member()
    body = {"email": EMAIL, "password": PASSWORD, **({"transport": asked} if asked else {})}

    reply = world.client("bearer").post("/sign-in", body, headers=headers)

    assert reply.json["session"]["transport"] == expected
    assert ("access_token" in reply.json) == (expected == "bearer")
    assert bool(reply.all("set-cookie")) == (expected == "cookie")


@pytest.mark.parametrize("offered", ["cookie", "bearer"])
def test_an_application_may_offer_one_transport(world: World, offered: Literal["cookie", "bearer"]) -> None:
    """S22: where one transport is offered every session has it, asking for the other names the field, and the
    other's credentials open nothing.
    """
    world.member("cookie")
    browser, phone = world.client("cookie"), world.client("bearer")
    assert browser.sign_in(EMAIL, PASSWORD).status == phone.sign_in(EMAIL, PASSWORD).status == 200
    world.start(features=[Password(), Sessions(transport=offered)])
    other: Transport = "bearer" if offered == "cookie" else "cookie"

    refused = world.client().sign_in(EMAIL, PASSWORD, transport=other)
    made = world.client(other).sign_in(EMAIL, PASSWORD)

    assert refused.fields == {"transport": "invalid"}
    assert made.json["session"]["transport"] == offered
    assert {"cookie": browser.who(), "bearer": phone.who()} == {offered: EMAIL, other: None}


def test_a_session_keeps_its_transport(world: World, transport: Transport) -> None:
    """A session's transport is fixed when it is made: refresh and reauthentication keep it."""
    member = world.member(transport)

    replies = [member.refresh(), member.post("/reauthenticate", {"password": PASSWORD})]

    for reply in replies:
        assert reply.json["session"]["transport"] == transport
        assert ("access_token" in reply.json) == (transport == "bearer")
