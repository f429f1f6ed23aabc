"""What comes in and goes out: headers joined alike everywhere, one credential, cookies with all their attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, Cookie, Password, Request, Result, Sessions, join_headers

SECRET = "ac1_st_" + "A" * 43


# --- headers ---


@pytest.mark.parametrize(
    ("pairs", "joined"),
    [
        ([], {}),
        ([("Host", "example.com")], {"host": "example.com"}),
        ([("X-A", "1"), ("x-a", "2"), ("X-a", "3")], {"x-a": "1,2,3"}),
        ([("Cookie", "a=1"), ("cookie", "b=2")], {"cookie": "a=1; b=2"}),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], {"authorization": "Bearer a,Bearer b"}),
        ([("Cookie", ""), ("Cookie", "")], {"cookie": ";"}),
        ([("Cookie", "a=1"), ("Cookie", ""), ("Cookie", "b=2")], {"cookie": "a=1;; b=2"}),
        ([("X-A", " \t1\t ")], {"x-a": "1"}),
        ([("X-A", ""), ("X-A", "")], {"x-a": ","}),
        ([("X-A", "\x0b1\u00a0")], {"x-a": "\x0b1\u00a0"}),
    ],
)
def test_repeated_headers_are_joined(pairs: list[tuple[str, str]], joined: dict[str, str]) -> None:
    """R1: names in lower case; repeats by a comma, cookies by a semicolon; only blanks and tabs are stripped."""
    assert join_headers(pairs) == joined


names = st.sampled_from(["Cookie", "cookie", "Origin", "ORIGIN", "X-Forwarded-For"])

values = st.text(alphabet="ab=;, \t", max_size=6)


@given(st.lists(st.tuples(names, values), max_size=6))
def test_joining_again_changes_nothing(pairs: list[tuple[str, str]]) -> None:
    """R1: a server that joined already and one that did not look the same."""
    once = join_headers(pairs)

    assert join_headers(once.items()) == once
    assert list(once) == list(dict.fromkeys(name.lower() for name, _ in pairs))


# --- cookies ---


@pytest.mark.parametrize(
    ("cookie", "header"),
    [
        (Cookie("n", "v"), "n=v; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (Cookie("n", "v", 60), "n=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax"),
        (Cookie("n", "", 0), "n=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
        (
            Cookie("n", "v", domain="example.com", secure=False, same_site="Strict"),
            "n=v; Path=/; Domain=example.com; HttpOnly; SameSite=Strict",
        ),
    ],
)
def test_a_cookie_states_every_attribute(cookie: Cookie, header: str) -> None:
    """R6: SameSite is explicit, HttpOnly always there, and 0 seconds clear."""
    assert cookie.header() == header


@pytest.mark.parametrize(
    ("settings", "name", "attributes"),
    [
        ({}, "authcore_session", "; HttpOnly; SameSite=Lax"),
        ({"cookie_name": "shop"}, "shop_session", "; HttpOnly; SameSite=Lax"),
        ({"production": True}, "__Host-authcore_session", "; Secure; HttpOnly; SameSite=Lax"),
        (
            {"production": True, "cookie_domain": "example.com"},
            "__Secure-authcore_session",
            "; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
        ),
        ({"production": True, "cookie_name": "shop"}, "__Host-shop_session", "; Secure; HttpOnly; SameSite=Lax"),
    ],
)
def test_the_session_cookie_is_cleared_as_it_was_set(
    auth: Callable[..., Auth], client: Callable[..., Any], settings: dict[str, Any], name: str, attributes: str
) -> None:
    """R6: `__Host-` pins it, a domain makes it `__Secure-`, dev_mode drops both; clearing repeats every attribute."""
    production = settings.pop("production", False)
    more = {"dev_mode": False, "base_url": "https://example.com", "hashing": None} if production else {}
    application = auth(Password(require_code=False), **settings, **more)
    application.create_tables()
    visitor = client(application, browser=True)
    site = {"origin": "https://example.com"} if production else {}

    made = visitor.post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"}, **site)
    cleared = visitor.post("/sign-out", **site)

    [set_cookie] = [cookie for cookie in made.result.cookies if cookie.name == name]
    [clear] = [cookie for cookie in cleared.result.cookies if cookie.name == name]
    assert set_cookie.header() == f"{name}={set_cookie.value}; Path=/; Max-Age=7776000{attributes}"
    assert clear.header() == f"{name}=; Path=/; Max-Age=0{attributes}"


def test_a_cookies_value_stands_in_no_body_and_no_repr(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """Under cookie transport the secret is in `Set-Cookie` alone."""
    visitor = client(auth(), browser=True)

    reply = visitor.sign_up()

    secret = visitor.jar["authcore_session"]
    assert secret.encode() not in reply.result.body
    assert secret not in repr(reply.result)
    assert "access_token" not in reply.json


# --- which credential ---


@pytest.fixture
def signed_in(auth: Callable[..., Auth], client: Callable[..., Any]) -> tuple[Any, str, str]:
    """Sign one user in twice; answer a client, the cookie's secret and the bearer token."""
    made = auth()
    browser, program = client(made, browser=True), client(made)
    browser.sign_up()
    token = program.sign_in().json["access_token"]
    return program, browser.jar["authcore_session"], token


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"cookie": "authcore_session={s}"}, 200),
        ({"cookie": "a=b; authcore_session={s}; c=d"}, 200),
        ({"cookie": "authcore_session = {s}"}, 200),
        ({"cookie": "a=b;authcore_session={s}"}, 200),
        ({"authorization": "Bearer {t}"}, 200),
        ({"authorization": "bearer {t}"}, 200),
        ({"authorization": "Bearer  {t}"}, 200),
        # Another scheme is somebody else's: a proxy's Basic does not put out the cookie.
        ({"authorization": "Basic YTpi", "cookie": "authcore_session={s}"}, 200),
        ({"authorization": "Basic YTpi"}, 401),
        # R7: two credentials, or one that servers read differently.
        ({"authorization": "Bearer {t}", "cookie": "authcore_session={s}"}, 400),
        ({"authorization": "Bearer x", "cookie": "authcore_session={s}"}, 400),
        ({"authorization": "Bearer {t}, Bearer {t}"}, 400),
        ({"authorization": "Basic YTpi, Bearer {t}"}, 400),
        ({"cookie": "authcore_session={s}; authcore_session={s}"}, 400),
        ({"cookie": "authcore_session=; authcore_session={s}"}, 400),
        ({"cookie": "a=b,authcore_session={s}"}, 400),
        ({"cookie": 'authcore_session="{s}"'}, 400),
        ({"cookie": "authcore_session={s}%20"}, 400),
        # T5: each kind opens only from its own place.
        ({"cookie": "authcore_session={t}"}, 401),
        ({"authorization": "Bearer {s}"}, 401),
        ({"cookie": "Authcore_session={s}"}, 401),
        ({"cookie": "__Host-authcore_session={s}"}, 401),
        ({"cookie": "authcore_session="}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "{t}"}, 401),
        ({}, 401),
    ],
)
def test_one_credential_from_its_own_place(
    signed_in: tuple[Any, str, str], headers: dict[str, str], status: int
) -> None:
    """R1, R6, R7: exactly one credential, spelled in one way, or the request is refused."""
    program, secret, token = signed_in
    sent = {name: value.replace("{s}", secret).replace("{t}", token) for name, value in headers.items()}

    reply = program.get("/me", **sent)

    assert reply.status == status
    assert status == 200 or reply.code == {400: "ambiguous_credentials", 401: "not_authenticated"}[status]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/me?access_token={t}", "/session?token={t}"])
def test_no_token_is_read_from_a_query(signed_in: tuple[Any, str, str], method: str, path: str) -> None:
    """R7: a query never reaches the core as part of a route, and carries no credential."""
    program, _, token = signed_in

    assert program.send(method, path.replace("{t}", token)).status == 404


@pytest.mark.parametrize(("transport", "works"), [("cookie", "st"), ("bearer", "at")])
def test_only_the_offered_transport_opens(
    auth: Callable[..., Auth], client: Callable[..., Any], transport: str, works: str
) -> None:
    """S22: an application that offers one transport reads the other's credentials as none, also from older days."""
    both = auth()
    browser, program = client(both, browser=True), client(both)
    browser.sign_up()
    token = program.sign_in().json["access_token"]
    one = client(auth(Password(), Sessions(transport=transport)))

    statuses = {
        "st": one.get("/me", cookie=f"authcore_session={browser.jar['authcore_session']}").status,
        "at": one.get("/me", bearer=token).status,
    }

    assert statuses == {"st": 401, "at": 401, works: 200}


# --- values ---


def test_requests_and_results_do_not_change_and_tell_no_secret() -> None:
    """O3: what carries headers, bodies and cookies prints none of them."""
    request = Request("POST", "/sign-in", b'{"password": "hunter2"}', {"cookie": f"a={SECRET}"}, "81.2.69.7")
    result = Result(200, b'{"access_token": "hunter2"}', (Cookie("a", SECRET),))

    assert "hunter2" not in repr(request) + repr(result)
    assert SECRET not in repr(request) + repr(result)
    with pytest.raises(AttributeError):
        request.path = "/elsewhere"  # type: ignore[misc]


def test_each_cookie_has_a_header_of_its_own() -> None:
    """RFC 6265 3: Set-Cookie lines are never folded into one."""
    result = Result(200, cookies=(Cookie("a", "1"), Cookie("b", "2")), headers=(("X-A", "1"),))

    assert [name for name, _ in result.header_list()] == ["X-A", "Set-Cookie", "Set-Cookie"]
