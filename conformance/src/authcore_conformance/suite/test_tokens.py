"""Rule T5: a secret of one kind, in the place of another, opens nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authcore import Password, PasswordReset, Sessions
from authcore_conformance.client import Client, Reply, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

SESSION, REFRESH, CHALLENGE = (f"__Host-authcore_{stem}" for stem in ("session", "refresh", "challenge"))


def secrets(world: World) -> dict[str, str]:
    """Answer a live secret of every kind that a client ever holds."""
    phone, browser = world.client("bearer"), world.client("cookie")
    phone.sign_in(EMAIL, PASSWORD)
    browser.sign_in(EMAIL, PASSWORD)
    started = browser.sign_up("new@example.com", PASSWORD)
    world.client().post("/password/reset", {"email": EMAIL})
    session = phone.get("/session").json
    return {
        "access token": str(phone.access_token),
        "refresh token": str(phone.refresh_token),
        "session cookie": browser.jar[SESSION],
        "refresh cookie": browser.jar[REFRESH],
        "challenge cookie": browser.jar[CHALLENGE],
        "challenge id": challenge_id(started),
        "code": world.code("new@example.com"),
        "reset link": world.link(),
        "session id": session["session"]["id"],
        "user id": session["user"]["id"],
        "address": EMAIL,
    }


def with_cookie(name: str, path: str, *, refreshing: bool = False) -> Callable[[Client, str], Reply]:
    """Answer what presents a secret as a cookie."""

    def present(client: Client, secret: str) -> Reply:
        headers = [("Cookie", f"{name}={secret}"), ("Origin", "https://app.example")]
        return client.request("POST" if refreshing else "GET", path, {} if refreshing else None, headers=headers)

    return present


PLACES: dict[str, tuple[str, Callable[[Client, str], Reply]]] = {
    # place: the kind that opens it, and how a secret is presented there
    "Authorization": (
        "access token",
        lambda client, secret: client.get("/me", headers=[("Authorization", f"Bearer {secret}")]),
    ),
    "session cookie": ("session cookie", with_cookie(SESSION, "/me")),
    "refresh cookie": ("refresh cookie", with_cookie(REFRESH, "/refresh", refreshing=True)),
    "refresh cookie at a page": ("", with_cookie(REFRESH, "/me")),
    "challenge cookie at a page": ("", with_cookie(CHALLENGE, "/me")),
    "refresh_token": ("refresh token", lambda client, secret: client.post("/refresh", {"refresh_token": secret})),
    "challenge_id": (
        "",
        lambda client, secret: client.post("/sign-up/verify", {"challenge_id": secret, "code": "000000"}),
    ),
    "challenge_id of a resend": (
        "",
        lambda client, secret: client.post("/sign-up/resend", {"challenge_id": secret}),
    ),
    "password": ("", lambda client, secret: client.sign_in(EMAIL, secret)),
    "reset": ("reset link", lambda client, secret: client.post("/password/reset/check", {"token": secret})),
    "unlock": ("", lambda client, secret: client.post("/unlock", {"token": secret})),
}


@pytest.mark.parametrize("place", PLACES)
def test_only_its_own_place_takes_a_secret(world: World, place: str) -> None:
    """T5: the whole matrix of kinds and places has successes on the diagonal alone."""
    world.start(features=[Password(), PasswordReset(), Sessions(cookie_refresh=True)], limits=False)
    world.member()
    right, present = PLACES[place]

    statuses = {kind: present(world.client(), secret).status for kind, secret in secrets(world).items()}

    opened = [kind for kind, status in statuses.items() if status < 400]
    assert opened == ([right] if right else [])
    assert all(status < 500 for status in statuses.values())


def test_a_code_opens_only_its_own_challenge(world: World) -> None:
    """A13, T5: a code mailed for one purpose opens nothing of another."""
    member = world.member()
    stranger = world.client()
    again = member.post("/reauthenticate", {})
    reauthentication_code = world.code()
    sign_up = stranger.sign_up("new@example.com", PASSWORD)
    sign_up_code = world.code("new@example.com")

    crossed = [
        stranger.verify(sign_up, reauthentication_code),
        stranger.verify(again, reauthentication_code),
        member.post("/reauthenticate", {"challenge_id": challenge_id(again), "code": sign_up_code}),
        member.post("/reauthenticate", {"challenge_id": challenge_id(sign_up), "code": sign_up_code}),
    ]

    assert [(reply.status, reply.code) for reply in crossed] == [(400, "invalid_challenge")] * 4
    assert stranger.verify(sign_up, sign_up_code).status == 200


@pytest.mark.parametrize("spoil", ["{}=", "{} ", "{}.", "{}A", "x{}", "{}\u00e9"])
def test_a_secret_has_one_spelling(world: World, spoil: str) -> None:
    """T3: a secret with anything added is no secret, and does not end the session that it resembles."""
    member = world.member()

    reply = member.refresh(spoil.replace("{}", str(member.refresh_token)))

    assert (reply.status, reply.code) == (401, "invalid_refresh_token")
    assert member.who() == EMAIL


def test_the_last_character_has_one_spelling(world: World) -> None:
    """T3: 43 characters carry two bits more than 256: no other spelling of them is read."""
    member = world.member()
    token = str(member.access_token)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    thief = world.client()
    thief.access_token = twin

    assert thief.who() is None


def test_a_tokens_way_cannot_be_changed(world: World) -> None:
    """T5: a browser's refresh cookie presented in a body was taken from where it belongs: its family ends."""
    world.start(features=[Password(), Sessions(cookie_refresh=True)])
    browser = world.member("cookie")

    reply = world.client("bearer").refresh(browser.jar[REFRESH])

    assert (reply.status, reply.code) == (401, "invalid_refresh_token")
    assert browser.who() is None
