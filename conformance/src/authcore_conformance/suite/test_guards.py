"""The application's own routes: each adapter's guard asks the core, and refuses in the core's words."""

from __future__ import annotations

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import ORIGIN, Client, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

pytestmark = pytest.mark.needs("own_routes")
EVIL = "https://evil.example"


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
