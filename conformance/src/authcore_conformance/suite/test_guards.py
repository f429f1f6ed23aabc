"""The application's own routes: each adapter's guard asks the core, and refuses in the core's words."""

from __future__ import annotations

import pytest
from sqlalchemy import null, update

from authcore import Guard, Password, Sessions
from authcore.services.sessions import sessions
from authcore_conformance.client import ORIGIN, Client, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

pytestmark = pytest.mark.needs("own_routes")
EVIL = "https://evil.example"
PAGE = [("Accept", "text/html,application/xhtml+xml;q=0.9")]


def test_a_guard_lets_the_member_in(world: World, transport: Transport) -> None:
    """S29: behind `require()` the handler runs for who is signed in, and knows who that is."""
    member = world.member(transport)

    reply = member.visit("GET", "/app/hello")

    assert (reply.status, reply.json) == (200, {"email": EMAIL})


@pytest.mark.parametrize("path", ["/app/hello", "/app/verified", "/app/mfa", "/app/fresh"])
def test_a_guard_refuses_nobody_in_the_cores_words(world: World, path: str) -> None:
    """S29, S118: without a session the answer is the core's, byte for byte, before the handler runs."""
    client = world.client()

    guarded, own = client.visit("GET", path), client.get("/me")

    assert guarded.status == 401
    assert guarded.masked() == own.masked()


@pytest.mark.parametrize("path", ["/app/act", "/app/hook"])
def test_a_guard_refuses_nobody_on_unsafe_routes(world: World, path: str) -> None:
    """S29: an unsafe route of the application's is guarded alike."""
    reply = world.client().visit("POST", path, {})

    assert (reply.status, reply.code) == (401, "not_authenticated")


def test_an_ended_session_is_refused_at_once(world: World, transport: Transport) -> None:
    """S29: a session that has ended opens nothing from then on, in the same process too."""
    member = world.member(transport)
    thief = world.client(transport, jar=dict(member.jar), access_token=member.access_token)
    assert thief.visit("GET", "/app/hello").status == 200
    member.post("/sign-out", {})

    reply = thief.visit("GET", "/app/hello")

    assert (reply.status, reply.code) == (401, "not_authenticated")


def test_an_expired_session_is_refused(world: World) -> None:
    """S29: an access token's end holds for the application's own routes."""
    member = world.member()
    world.clock.advance(900)

    reply = member.visit("GET", "/app/hello")

    assert reply.status == 401


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/app/act", ORIGIN, 200),
        ("/app/act", EVIL, 403),
        ("/app/act", None, 403),
        ("/app/act", "null", 403),
        ("/app/hook", EVIL, 200),
        ("/app/hook", None, 200),
    ],
)
def test_a_guard_checks_the_origin(world: World, path: str, origin: str | None, status: int) -> None:
    """R5: `require()` checks an unsafe request's origin as the core's own routes do; `csrf=False` opts out."""
    browser = world.member("cookie")

    reply = browser.visit("POST", path, {}, origin=origin)

    assert reply.status == status
    assert reply.json == {"done": True} if status == 200 else reply.code == "origin_not_allowed"


def test_bearer_acts_from_anywhere(world: World) -> None:
    """R5: a bearer's unsafe request needs no origin, and may name any."""
    member = world.member("bearer")

    replies = [member.visit("POST", "/app/act", {}, headers=how) for how in ([], [("Origin", EVIL)])]

    assert [(reply.status, reply.json) for reply in replies] == [(200, {"done": True})] * 2


def test_two_credentials_are_refused_here_too(world: World) -> None:
    """R7: a cookie beside a bearer token is refused on the application's own routes."""
    browser, phone = world.member("cookie"), world.client()
    phone.sign_in(EMAIL, PASSWORD)

    reply = phone.visit("GET", "/app/hello", headers=[("Cookie", browser.cookie_header)])

    assert (reply.status, reply.code) == (400, "ambiguous_credentials")


def test_a_guard_may_ask_a_proven_address(world: World, transport: Transport) -> None:
    """`require(verified=True)` answers 403 `email_not_verified` until the address is proven."""
    world.start(features=[Password(require_code=False), Sessions()])
    unproven = world.client(transport)
    unproven.sign_up("eve@example.com", PASSWORD)
    world.start()
    proven = world.member(transport)

    refused, taken = unproven.visit("GET", "/app/verified"), proven.visit("GET", "/app/verified")

    assert (refused.status, refused.code) == (403, "email_not_verified")
    assert (taken.status, taken.json) == (200, {"email": EMAIL})


def test_a_guard_may_ask_a_second_factor(world: World, transport: Transport) -> None:
    """`require(mfa=True)` answers 401 with RFC 9470's challenge to a session of one factor."""
    member = world.member(transport)

    reply = member.visit("GET", "/app/mfa")

    assert (reply.status, reply.code) == (401, "insufficient_user_authentication")
    assert reply.header("www-authenticate") == ('Bearer error="insufficient_user_authentication", acr_values="aal2"')


def test_a_guard_may_ask_freshness(world: World, transport: Transport) -> None:
    """`require(fresh="5m")` answers 401 with RFC 9470's challenge once the authentication is older."""
    member = world.member(transport)
    world.clock.advance(300)
    assert member.visit("GET", "/app/fresh").status == 200
    world.clock.advance(1)

    reply = member.visit("GET", "/app/fresh")

    assert (reply.status, reply.code) == (401, "reauthentication_required")
    assert reply.header("www-authenticate") == 'Bearer error="insufficient_user_authentication", max_age="300"'


def test_refusals_are_private(world: World) -> None:
    """R9: a guard's refusal is `no-store`, like every answer of the core's."""
    reply = world.client().visit("GET", "/app/hello")

    assert reply.header("cache-control") == "no-store"
    assert reply.header("content-type") == "application/json"


def test_an_open_route_may_ask_who_it_is(world: World, transport: Transport) -> None:
    """The idiom for the current user answers nobody, or who is signed in, without refusing anyone."""
    member, nobody = world.member(transport), world.client(transport)
    stale = world.client(transport, jar={"__Host-authcore_session": "ac1_st_" + "A" * 43}, access_token="nonsense")

    replies = [client.visit("GET", "/app/open") for client in (member, nobody, stale)]

    assert [(reply.status, reply.json["email"]) for reply in replies] == [(200, EMAIL), (200, None), (200, None)]


@pytest.mark.parametrize(
    ("origin", "email"),
    [(ORIGIN, EMAIL), (EVIL, None), (None, None), ("null", None)],
    ids=["own", "evil", "none", "null"],
)
def test_a_foreign_request_is_nobodys(world: World, origin: str | None, email: str | None) -> None:
    """R5: without a guard the current user is nobody where another site may have sent the cookie."""
    browser = world.member("cookie")

    reply = browser.visit("POST", "/app/open", {}, origin=origin)

    assert (reply.status, reply.json) == (200, {"email": email})


def test_a_bearers_request_is_its_own_from_anywhere(world: World) -> None:
    """R5: no other site can send a bearer token, so the current user is known whatever the origin."""
    member = world.member("bearer")

    reply = member.visit("POST", "/app/open", {}, headers=[("Origin", EVIL)])

    assert (reply.status, reply.json) == (200, {"email": EMAIL})


@pytest.mark.ledger
def test_who_is_signed_in_is_looked_up_once(world: World, transport: Transport) -> None:
    """A request that asks twice who is signed in looks it up once; without a credential nothing is looked up."""
    member, nobody = world.member(transport), world.client(transport)
    member.visit("GET", "/app/open")

    for client, expected in ((member, 1), (nobody, 0)):
        assert look_ups(world, client) == expected


def look_ups(world: World, client: Client) -> int:
    """Answer how often the application reads sessions for one request to the open route."""
    ran = world.statements(lambda: client.visit("GET", "/app/open"))
    return sum("authcore_session" in statement for statement in ran)


@pytest.mark.ledger
def test_a_guard_notes_the_use_of_the_session(world: World, transport: Transport) -> None:
    """A guard slides a session that is used on the application's own routes, and sets no cookie for it."""
    member = world.member(transport)
    world.clock.advance(600)

    reply = member.visit("GET", "/app/hello")

    assert (reply.status, reply.all("set-cookie")) == (200, [])
    assert member.get("/session").json["session"]["last_seen_at"] == "2030-01-01T00:10:00Z"


def test_an_error_from_a_handler_is_answered_in_its_own_words(world: World) -> None:
    """S118: an AuthError that escapes the application's handler is answered with its status, code and body."""
    reply = world.client().visit("GET", "/app/raise")

    assert reply.status == 409
    assert reply.body == b'{"error":{"code":"conflict","message":"This conflicts with what is there."}}'
    assert reply.header("content-type") == "application/json"


def test_the_application_keeps_its_own_pages(world: World) -> None:
    """Pages that the application has not are its own 404, not the core's."""
    reply = world.client().visit("GET", "/app/nothing")

    assert reply.status == 404
    assert b'"not_found"' not in reply.body


# --- what a session may do, which guard reads it, and who is let in without one ---

SCOPED = 'Bearer error="insufficient_scope", scope="read write"'
NAMED = {"web": Guard("session"), "api": Guard("token")}


def narrow(world: World, scopes: list[str] | None) -> None:
    """Give every session these scopes, as server code that makes one may."""
    world.query(update(sessions).values(scopes=null() if scopes is None else scopes))


def test_a_session_without_scopes_has_its_users_whole_power(world: World, transport: Transport) -> None:
    """S83, RFC 6750 3.1: who signed in by hand passes whatever scopes a route asks for."""
    member = world.member(transport)

    reply = member.visit("GET", "/app/scoped")

    assert (reply.status, reply.json) == (200, {"email": EMAIL})


@pytest.mark.ledger
@pytest.mark.parametrize(
    ("scopes", "status"), [(["write", "read", "more"], 200), (["read"], 403), ([], 403), (["Read", "write"], 403)]
)
def test_every_scope_is_needed(world: World, transport: Transport, scopes: list[str], status: int) -> None:
    """RFC 6750 3.1: a session that lacks a scope is 403 `insufficient_scope`, whose challenge names what is needed."""
    member = world.member(transport)
    narrow(world, scopes)

    scoped, plain = member.visit("GET", "/app/scoped"), member.visit("GET", "/app/hello")

    assert (scoped.status, plain.status) == (status, 200)
    if status == 403:
        assert scoped.code == "insufficient_scope"
        assert scoped.header("www-authenticate") == SCOPED


def test_a_token_that_is_no_longer_good_is_told_as_such(world: World) -> None:
    """RFC 6750 3.1: expired, ended, unknown and malformed are one answer; who sends none is told of no error."""
    ended, expired = world.member(), world.client()
    expired.sign_in(EMAIL, PASSWORD)
    stranger = world.client(access_token="ac1_at_" + "A" * 43)
    malformed = world.client(access_token="nonsense")
    ended.post("/sign-out", {})
    world.clock.advance(901)

    replies = [client.visit("GET", "/app/hello") for client in (ended, expired, stranger, malformed)]
    silent, browser = world.client().visit("GET", "/app/hello"), world.client("cookie", jar=dead_cookie())

    assert {(reply.status, reply.code) for reply in replies} == {(401, "not_authenticated")}
    assert {reply.header("www-authenticate") for reply in replies} == {'Bearer error="invalid_token"'}
    assert {reply.body for reply in replies} == {silent.body}
    assert silent.header("www-authenticate") == "Bearer"
    assert browser.visit("GET", "/app/hello").header("www-authenticate") == "Bearer"


def dead_cookie() -> dict[str, str]:
    """Answer a browser's cookies with a session that is none."""
    return {"__Host-authcore_session": "ac1_st_" + "A" * 43}


def test_a_named_guard_reads_its_own_credential_alone(world: World, transport: Transport) -> None:
    """S17: `require(guard="api")` lets tokens in, the default guard "web" cookies; each other's are nobody's."""
    world.start(guards=NAMED)
    member = world.member(transport)

    web, api = member.visit("GET", "/app/hello"), member.visit("GET", "/app/api")

    assert (web.status, api.status) == ((200, 401) if transport == "cookie" else (401, 200))
    assert (web if transport == "cookie" else api).json == {"email": EMAIL}
    assert (api if transport == "cookie" else web).header("www-authenticate") == "Bearer"


@pytest.mark.ledger
def test_a_named_guard_looks_up_once(world: World) -> None:
    """S17: the handler's current user is who the guard let in, and nothing is read again for it."""
    world.start(guards=NAMED)
    member = world.member("bearer")
    member.visit("GET", "/app/api")

    ran = world.statements(lambda: member.visit("GET", "/app/api"))

    assert sum("authcore_session" in statement for statement in ran) == 1


def test_a_token_of_nobody_is_told_by_the_guard_that_reads_it(world: World) -> None:
    """RFC 6750 3.1: the guard of tokens says `invalid_token`, the guard of cookies does not speak of a token."""
    world.start(guards=NAMED)
    stranger = world.client(access_token="ac1_at_" + "A" * 43)

    api, web = stranger.visit("GET", "/app/api"), stranger.visit("GET", "/app/hello")

    assert (api.status, web.status) == (401, 401)
    assert api.header("www-authenticate") == 'Bearer error="invalid_token"'
    assert web.header("www-authenticate") == "Bearer"


def test_an_optional_guard_lets_nobody_in(world: World, transport: Transport) -> None:
    """`require(optional=True)` lets in who sends no credential, or none that is live, as nobody."""
    member, nobody = world.member(transport), world.client(transport)
    stale = world.client(transport, jar=dead_cookie(), access_token="nonsense")

    replies = [client.visit("GET", "/app/optional") for client in (member, nobody, stale)]

    assert [(reply.status, reply.json) for reply in replies] == [
        (200, {"email": EMAIL}),
        (200, {"email": None}),
        (200, {"email": None}),
    ]


def test_two_credentials_are_refused_where_none_is_needed(world: World) -> None:
    """R7: an optional guard refuses two credentials as every other does."""
    browser, phone = world.member("cookie"), world.client()
    phone.sign_in(EMAIL, PASSWORD)

    reply = phone.visit("GET", "/app/optional", headers=[("Cookie", browser.cookie_header)])

    assert (reply.status, reply.code) == (400, "ambiguous_credentials")


# --- the application's sign-in page ---


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/app/hello", "/sign-in?next=/app/hello"),
        ("/app/mfa", "/sign-in?next=/app/mfa"),
        ("/app/page", None),
        ("/app/optional", None),
    ],
)
def test_a_browser_is_sent_to_the_sign_in_page(world: World, path: str, location: str | None) -> None:
    """S113: signed out, a browser that asks for a page goes to `Auth(sign_in_page=…)`; a `redirect=` wins."""
    world.start(sign_in_page="/sign-in")
    nobody = world.client("cookie")

    page = nobody.visit("GET", path, headers=PAGE)
    program = nobody.visit("GET", path)

    assert page.header("location") == ("/verify" if path == "/app/page" else location)
    assert page.status == (303 if page.header("location") else 200)
    assert program.status == (200 if path == "/app/optional" else 401)
    assert program.header("location") is None


def test_only_who_is_signed_out_is_sent_to_sign_in(world: World) -> None:
    """S113: who is signed in and lacks something is told so, and an unsafe request is never sent anywhere."""
    world.start(sign_in_page="/sign-in")
    member = world.member("cookie")

    lacking = member.visit("GET", "/app/mfa", headers=PAGE)
    act = world.client("cookie").visit("POST", "/app/act", {}, headers=PAGE)
    mounted = world.client("cookie").get("/me", headers=PAGE)

    assert (lacking.status, lacking.code) == (401, "insufficient_user_authentication")
    assert (act.status, act.code) == (401, "not_authenticated")
    assert (mounted.status, mounted.header("location")) == (401, None)
