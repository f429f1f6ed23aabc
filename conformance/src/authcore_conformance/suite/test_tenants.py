"""Tenants: an identity is (tenant, identifier), and nothing that belongs to one opens anything at another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from authcore import Request, Tenant
from authcore_conformance.client import Client, Reply, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

pytestmark = pytest.mark.needs("tenants")
OTHER_PASSWORD = "fifteen other letters"
NOWHERE = "0190a000-0000-7000-8000-000000000000"


def by_header(request: Request) -> Tenant:
    """Answer the tenant that a request names."""
    name = request.headers.get("x-tenant", "one")
    return Tenant(name, origins=(f"https://{name}.example",))


async def by_header_async(request: Request) -> Tenant:
    """Answer the same, as an asynchronous hook."""
    return by_header(request)


def at(world: World, tenant: str, **known: Any) -> Client:
    """Answer a client of one tenant."""
    return world.client(headers=[("X-Tenant", tenant)], **known)


def member_of(world: World, tenant: str, password: str = PASSWORD) -> Client:
    """Answer a client that signed up at a tenant."""
    client = at(world, tenant)
    assert client.verify(client.sign_up(EMAIL, password), world.code()).status == 200
    return client


@pytest.mark.parametrize("hook", [by_header, by_header_async])
def test_one_address_is_another_user_at_each_tenant(world: World, hook: Any) -> None:
    """Identities are keyed by tenant, whether the hook is sync or async: the same address, two accounts."""
    world.start(tenant=hook)
    one, two = member_of(world, "one"), member_of(world, "two", OTHER_PASSWORD)

    ids = [client.get("/me").json["user"]["id"] for client in (one, two)]

    assert ids[0] != ids[1]
    assert at(world, "one").sign_in(EMAIL, PASSWORD).status == 200
    assert at(world, "one").sign_in(EMAIL, OTHER_PASSWORD).status == 401
    assert at(world, "two").sign_in(EMAIL, OTHER_PASSWORD).status == 200


@dataclass
class Held:
    """All that a client of tenant one holds."""

    member: Client
    session_id: str
    sign_up_id: str
    sign_up_code: str
    reauthentication_id: str
    reauthentication_code: str


def everything_of_one(world: World) -> Held:
    """Answer a member of tenant one with a second session, a pending sign-up and a pending code."""
    member, phone, stranger = member_of(world, "one"), at(world, "one"), at(world, "one")
    phone.sign_in(EMAIL, PASSWORD)
    sign_up = stranger.sign_up("new@example.com", PASSWORD)
    sign_up_code = world.code("new@example.com")
    again = member.post("/reauthenticate", {})
    session_id = phone.get("/session").json["session"]["id"]
    return Held(member, session_id, challenge_id(sign_up), sign_up_code, challenge_id(again), world.code())


Send = Callable[[Client, Held], Reply]

ROUTES: dict[tuple[str, str], Send] = {
    ("POST", "/sign-up"): lambda c, h: c.sign_up(EMAIL, PASSWORD),
    ("POST", "/sign-up/verify"): lambda c, h: c.post(
        "/sign-up/verify", {"challenge_id": h.sign_up_id, "code": h.sign_up_code}
    ),
    ("POST", "/sign-up/resend"): lambda c, h: c.post("/sign-up/resend", {"challenge_id": h.sign_up_id}),
    ("POST", "/sign-in"): lambda c, h: c.sign_in(EMAIL, PASSWORD),
    ("POST", "/password/change"): lambda c, h: c.post(
        "/password/change", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    ),
    ("POST", "/refresh"): lambda c, h: c.refresh(h.member.refresh_token),
    ("POST", "/sign-out"): lambda c, h: c.post("/sign-out", {"refresh_token": h.member.refresh_token}),
    ("GET", "/session"): lambda c, h: c.get("/session"),
    ("GET", "/me"): lambda c, h: c.get("/me"),
    ("GET", "/sessions"): lambda c, h: c.get("/sessions"),
    ("DELETE", "/sessions"): lambda c, h: c.delete("/sessions"),
    ("DELETE", "/sessions/{id}"): lambda c, h: c.delete(f"/sessions/{h.session_id}"),
    ("POST", "/sessions/revoke-others"): lambda c, h: c.post("/sessions/revoke-others", {}),
    ("POST", "/reauthenticate"): lambda c, h: c.post(
        "/reauthenticate", {"challenge_id": h.reauthentication_id, "code": h.reauthentication_code}
    ),
}
OPEN = {
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
    ("GET", "/password/policy"),
    ("GET", "/unlock"),
}
"""What belongs to no tenant."""
ELSEWHERE = {
    ("POST", "/password/change/verify"): "its code: test_tenants_secrets",
    ("POST", "/unlock"): "its link: test_tenants_secrets",
    ("POST", "/password/set"): "it takes nothing but a session, as /password/change does",
    (
        "POST",
        "/sign-in/new-password",
    ): "its challenge is a sign-in's, as that of /sign-in/email-code in test_tenants_secrets",
}


def test_every_route_is_held_against_this(world: World) -> None:
    """A route that is added states here how it could cross tenants."""
    world.start(tenant=by_header)

    routes = {(route.method, route.path) for route in world.app.router.routes}

    assert routes == {*ROUTES, *OPEN, *ELSEWHERE}


def nobodys(held: Held) -> Held:
    """Answer what nobody ever held, of the same form."""
    made_up = Client(held.member._send, held.member.prefix, "bearer")
    made_up.refresh_token = "ac1_rt_" + "A" * 43
    unknown = "ac1_ch_" + "A" * 43
    return Held(made_up, NOWHERE, unknown, "000000", unknown, "000000")


def rows_of_one(world: World) -> dict[str, list[str]]:
    """Answer every row of tenant one, and every secret; limits are each request's own."""
    tables = world.counts().keys() - {"authcore_kv", "authcore_attempt"}
    return {table: [str(row) for row in world.rows(table) if row.get("tenant", "one") == "one"] for table in tables}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_crosses_tenants(world: World, method: str, path: str) -> None:
    """Credentials, ids and codes of one tenant do at another what made-up ones do: the same answer, nothing changed."""
    world.start(tenant=by_header)
    held, send = everything_of_one(world), ROUTES[method, path]
    before = rows_of_one(world)

    real = send(at(world, "two", access_token=held.member.access_token), held)
    made_up = send(at(world, "two", access_token="ac1_at_" + "A" * 43), nobodys(held))

    assert real.masked() == made_up.masked()
    assert rows_of_one(world) == before


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_does_not_cross_works_at_home(world: World, method: str, path: str) -> None:
    """The very requests that nothing comes of elsewhere succeed at the tenant where they belong."""
    world.start(tenant=by_header)
    held = everything_of_one(world)

    reply = ROUTES[method, path](at(world, "one", access_token=held.member.access_token), held)

    assert reply.status in (200, 202)
    assert reply.status != 200 or reply.json != {"user": None, "session": None}


@pytest.mark.needs("own_routes")
def test_guards_know_the_tenant(world: World) -> None:
    """On the application's own routes another tenant's session is "not signed in"."""
    world.start(tenant=by_header)
    member = member_of(world, "one")
    abroad = at(world, "two", access_token=member.access_token)

    home, away = member.visit("GET", "/app/hello"), abroad.visit("GET", "/app/hello")

    assert (home.status, away.status, away.code) == (200, 401, "not_authenticated")
    assert abroad.visit("GET", "/app/open").json == {"email": None}


def test_limits_are_each_tenants_own(world: World) -> None:
    """A6: what is counted at one tenant limits nobody at another."""
    world.start(tenant=by_header)
    member_of(world, "one")
    member_of(world, "two")
    one = at(world, "one")
    assert [one.sign_in(EMAIL, "wrong").status for _ in range(11)] == [401] * 10 + [429]

    reply = at(world, "two").sign_in(EMAIL, PASSWORD)

    assert reply.status == 200


def test_a_tenant_lists_its_own_origins(world: World) -> None:
    """R5: a tenant's origins are allowed at that tenant alone."""
    world.start(tenant=by_header)
    browser = world.client("cookie", headers=[("X-Tenant", "two")])
    body = {"email": "new@example.com", "password": PASSWORD}

    own = browser.post("/sign-up", body, origin="https://two.example")
    foreign = browser.post("/sign-up", body, origin="https://one.example")

    assert (own.status, foreign.status) == (202, 403)
