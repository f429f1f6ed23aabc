"""Tokens that say everything themselves: whatever ends a session ends them, and what they say is never old."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from authcore import Account, EmailVerification, JwtStrategy, Password, SealedStrategy, Sessions
from authcore_conformance.client import Client, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

pytestmark = pytest.mark.needs("own_routes")
OTHER = "fourteen loud owls sing"
KINDS: dict[str, tuple[Transport, dict[str, Any]]] = {
    "jwt": ("bearer", {"bearer": "jwt"}),
    "jwt-es256": ("bearer", {"bearer": JwtStrategy(algorithm="ES256")}),
    "sealed": ("bearer", {"bearer": SealedStrategy()}),
    "sealed-cookie": ("cookie", {"cookie": "sealed", "cookie_refresh": True}),
    "jwt-cookie": ("cookie", {"cookie": "jwt", "cookie_refresh": True}),
}


@pytest.fixture(params=KINDS)
def member(request: pytest.FixtureRequest, world: World) -> Client:
    """Answer who is signed in, with credentials of each kind in turn."""
    transport, settings = KINDS[request.param]
    world.start(features=[Password(), Account(), EmailVerification(), Sessions(**settings)])
    return world.member(transport)


def again(world: World, client: Client) -> Client:
    """Answer another client that holds the same credentials."""
    return world.client(
        client.transport, jar=dict(client.jar), access_token=client.access_token, refresh_token=client.refresh_token
    )


def hello(client: Client) -> int:
    """Answer the status of the application's own guarded route."""
    return client.visit("GET", "/app/hello").status


def test_a_token_opens_the_applications_routes(member: Client) -> None:
    """S29, S55, S56: the guard lets in who holds one, and knows who that is."""
    reply = member.visit("GET", "/app/hello")

    assert (reply.status, reply.json) == (200, {"email": EMAIL})
    assert member.who() == EMAIL


def test_signing_out_ends_it_at_once(world: World, member: Client) -> None:
    """T9: a token that was copied opens nothing once its session has ended."""
    thief = again(world, member)
    assert hello(thief) == 200

    member.post("/sign-out", {})

    assert (hello(thief), thief.who()) == (401, None)


def test_ending_the_others_ends_theirs_alone(world: World, member: Client) -> None:
    """T9: the other sessions' tokens open nothing, the one's that asked goes on."""
    other = world.client(member.transport)
    assert other.sign_in(EMAIL, PASSWORD).status == 200

    ended = member.post("/sessions/revoke-others", {})

    assert ended.json == {"ended": 1}
    assert (hello(member), hello(other)) == (200, 401)


def test_another_password_ends_every_token_but_the_next(world: World, member: Client) -> None:
    """T7, T9: other sessions end, and so does the secret that this one had before; its next one opens."""
    other, before = world.client(member.transport), again(world, member)
    assert other.sign_in(EMAIL, PASSWORD).status == 200

    changed = member.post("/password/change", {"current_password": PASSWORD, "new_password": OTHER})

    assert changed.status == 200
    assert [hello(each) for each in (member, before, other)] == [200, 401, 401]


def test_proving_again_replaces_the_secret(world: World, member: Client) -> None:
    """T7: after a step-up the token of before opens nothing, and the next one is fresh."""
    before = again(world, member)
    world.clock.advance(600)
    assert member.visit("GET", "/app/fresh").status == 401

    assert member.post("/reauthenticate", {"password": PASSWORD}).status == 200

    assert (member.visit("GET", "/app/fresh").status, hello(before)) == (200, 401)


def test_what_changes_shows_at_once(world: World, member: Client) -> None:
    """What a token says about its user is asked for anew once that has changed."""
    assert hello(member) == 200

    assert member.patch("/me", {"display_name": "Ada L."}).status == 200

    assert member.get("/me").json["user"]["display_name"] == "Ada L."
    assert hello(member) == 200
    world.app.blocking.administration.disable(user_id=member.get("/me").json["user"]["id"])
    assert hello(member) == 401


def test_its_use_is_noted_where_the_ledger_is_asked(world: World, member: Client) -> None:
    """S56: the application's own routes ask nobody, so they note nothing; authcore's own do, at most once a minute."""

    def seen() -> str:
        return str(member.get("/session").json["session"]["last_seen_at"])

    world.clock.advance(120)
    assert hello(member) == 200

    assert [seen(), seen()] == ["2030-01-01T00:00:00Z", "2030-01-01T00:02:00Z"]


def test_it_ends_with_its_time(world: World, member: Client) -> None:
    """An access token lives for `access_ttl`, and a refresh goes on from there."""
    world.clock.advance(900)
    assert hello(member) == 401

    assert member.refresh().status == 200

    assert hello(member) == 200


def test_the_same_refresh_answers_the_same_successor(world: World, member: Client) -> None:
    """T6: inside the grace a repeated refresh is answered alike, and a third party's later one ends the family."""
    late = again(world, member)
    assert member.refresh().status == 200
    assert late.refresh().status == 200
    assert late.refresh_token == member.refresh_token
    if member.transport == "bearer":
        first = world.app.blocking.sessions.get_session(access_token=member.access_token or "")
        assert first == world.app.blocking.sessions.get_session(access_token=late.access_token or "")
    thief = again(world, member)
    assert member.refresh().status == 200
    world.clock.advance(11)

    assert thief.refresh().status == 401

    assert hello(member) == 401


def test_another_spelling_opens_nothing(world: World, member: Client) -> None:
    """T3: a token has one text; a character more, less or another one is no token."""
    token = member.session_secret or ""
    head, _, tail = token.partition(".")
    spellings = [token + "=", token + "A", token[:-1], f"{head}.{tail[::-1]}", f"{head}..{tail}", token.upper()]

    statuses = []
    for text in spellings:
        thief = again(world, member)
        thief.access_token = text
        thief.jar = {name: text if name.endswith("_session") else value for name, value in thief.jar.items()}
        statuses.append(thief.visit("GET", "/app/hello").status)

    assert set(statuses) <= {400, 401}


def test_a_bearer_token_is_no_cookie_and_a_cookie_no_bearer_token(world: World, member: Client) -> None:
    """T5: a token opens in the place that it was made for alone."""
    token = member.session_secret or ""
    if member.transport == "bearer":
        wrong = world.client("cookie", jar={"__Host-authcore_session": token})
    else:
        wrong = world.client("bearer", access_token=token)

    assert hello(wrong) == 401


@pytest.mark.parametrize("change", [{"alg": "none"}, {"alg": "RS256"}, {"typ": "rt+jwt"}, {"kid": "another"}])
def test_a_header_of_somebody_elses_opens_nothing(world: World, change: dict[str, str]) -> None:
    """T4: the algorithm, the type and the key are those that this application wrote."""
    world.start(features=[Password(), Sessions(bearer="jwt")])
    member = world.member()
    head, payload, signature = (member.access_token or "").split(".")
    said = {**json.loads(urlsafe_b64decode(head + "==")), **change}
    forged = urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    for text in (f"{forged}.{payload}.{signature}", f"{forged}.{payload}."):
        member.access_token = text
        assert hello(member) == 401


def test_the_key_set_shows_public_keys_alone(world: World) -> None:
    """`/.well-known/jwks.json` names the keys that verify, may be kept for a while, and never shows a secret."""
    world.start(features=[Password(), Sessions(bearer=JwtStrategy(algorithm="ES256"))])
    member = world.member()
    head = json.loads(urlsafe_b64decode((member.access_token or "").split(".")[0] + "=="))

    reply = world.client().get("/.well-known/jwks.json")

    assert (reply.status, reply.all("cache-control")) == (200, ["public, max-age=30"])
    (key,) = reply.json["keys"]
    assert (key["kid"], key["alg"], key["use"], key["kty"]) == (head["kid"], "ES256", "sig", "EC")
    assert "d" not in key


@pytest.mark.ledger
def test_without_public_keys_the_set_is_empty(world: World) -> None:
    """Where nothing is signed, or a secret signs, the set holds nothing."""
    assert world.client().get("/.well-known/jwks.json").json == {"keys": []}
    world.start(features=[Password(), Sessions(bearer="jwt")])
    assert world.member().access_token is not None

    assert world.client().get("/.well-known/jwks.json").json == {"keys": []}
