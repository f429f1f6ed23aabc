"""The scenarios whose transcripts are kept: each tells one story, and draws nothing but from the seeded ports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from authcore import (
    Account,
    Anonymous,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Password,
    PasswordReset,
    Sessions,
)
from authcore_conformance.client import Client, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "not the right letters"


def signing_up(world: World, transport: Transport) -> None:
    """Sign up, fail, ask again, prove the address, look around, sign out."""
    client = world.client(transport, headers=[("User-Agent", "Transcript/1")])
    started = client.sign_up(EMAIL, PASSWORD, display_name="Ada Ünal")
    client.sign_up(EMAIL, PASSWORD, display_name="Ada Ünal")
    client.verify(started, world.wrong_code())
    world.clock.advance(61)
    client.resend(started)
    client.verify(started, world.code(), device_name="Kitchen")
    client.get("/me")
    client.get("/session")
    client.get("/sessions")
    client.post("/sign-out", {})
    client.get("/session")


def signing_in(world: World, transport: Transport) -> None:
    """Sign in, refused and granted; two sessions, one ended from the other, then all."""
    first, second = world.member(transport), world.client(transport)
    second.sign_in(EMAIL, WRONG)
    second.sign_in("nobody@example.com", WRONG)
    second.sign_in(EMAIL, PASSWORD, device_id="d-1", device_name="Phone")
    listed = second.get("/sessions").json["sessions"]
    other = next(session["id"] for session in listed if not session["current"])
    second.delete(f"/sessions/{other}")
    first.get("/me")
    second.delete(f"/sessions/{other}")
    second.delete("/sessions")
    second.get("/me")


def going_on(world: World, transport: Transport) -> None:
    """Refresh, replay inside the grace and after it."""
    world.start(features=[Password(), Sessions(cookie_refresh=True)])
    client = world.member(transport)
    held = world.client(transport, jar=dict(client.jar), refresh_token=client.refresh_token)
    again = world.client(transport, jar=dict(client.jar), refresh_token=client.refresh_token)
    world.clock.advance(120)
    client.refresh()
    again.refresh()
    client.get("/me")
    world.clock.advance(11)
    held.refresh()
    client.get("/me")
    client.refresh()


def sliding(world: World) -> None:
    """A cookie session without a refresh token slides with use, and ends."""
    world.start(features=[Password(), Sessions(refresh_ttl=timedelta(days=10), absolute_ttl=timedelta(days=10))])
    client = world.member("cookie")
    world.clock.advance(3 * 86400)
    client.refresh()
    world.clock.advance(6 * 86400)
    client.get("/session")
    world.clock.advance(86400)
    client.get("/session")
    client.refresh()


def proving_again(world: World, transport: Transport) -> None:
    """What asks freshness is refused; a password and a code are proofs."""
    client = world.member(transport)
    world.clock.advance(600)
    client.post("/sessions/revoke-others", {})
    client.post("/reauthenticate", {"password": WRONG})
    client.post("/reauthenticate", {"password": PASSWORD})
    client.post("/sessions/revoke-others", {})
    started = client.post("/reauthenticate", {})
    client.post("/reauthenticate", {"challenge_id": challenge_id(started), "code": world.wrong_code()})
    client.post("/reauthenticate", {"challenge_id": challenge_id(started), "code": world.code()})


def at_once(world: World, transport: Transport) -> None:
    """Sign up without a code, twice."""
    world.start(features=[Password(require_code=False), Sessions()])
    client = world.client(transport)
    client.sign_up(EMAIL, PASSWORD)
    client.sign_up(EMAIL, PASSWORD)


def resetting(world: World, transport: Transport) -> None:
    """Forget a password: ask, ask again, look, mistype, choose another, and try the link once more."""
    world.start(features=[Password(), PasswordReset(), Sessions()])
    world.member(transport)
    client = world.client(transport, headers=[("User-Agent", "Transcript/1")])
    asked = client.post("/password/reset", {"email": EMAIL})
    client.post("/password/reset", {"email": EMAIL})
    client.post("/password/reset", {"email": "nobody@example.com"})
    by_code = {"challenge_id": challenge_id(asked), "code": world.code()}
    client.post("/password/reset/check", {**by_code, "code": world.wrong_code()})
    client.post("/password/reset/check", by_code)
    client.post("/password/reset/check", {"token": world.link()})
    client.get("/password/reset")
    client.get("/password/reset", headers=[("Accept", "text/html")])
    client.post("/password/reset/complete", {**by_code, "new_password": "short"})
    client.post("/password/reset/complete", {**by_code, "new_password": "fifteen other letters"})
    client.post("/password/reset/complete", {"token": world.link(), "new_password": PASSWORD})
    client.get("/session")


def changing(world: World, transport: Transport) -> None:
    """Change a password by a mailed code, mistyped and refused first; then let it grow old, and choose another."""
    world.start(features=[Password(change_code=True, max_age=timedelta(days=1)), Sessions()])
    client = world.member(transport, headers=[("User-Agent", "Transcript/1")])
    client.get("/password/policy")
    given = {"current_password": PASSWORD, "new_password": "fifteen other letters"}
    client.post("/password/change", {**given, "current_password": WRONG})
    client.post("/password/change", {**given, "new_password": PASSWORD})
    begun = client.post("/password/change", given)
    client.post("/password/change", given)
    answer = {"challenge_id": challenge_id(begun), "code": world.code()}
    client.post("/password/change/verify", {**answer, "code": world.wrong_code()})
    client.post("/password/change/verify", answer)
    client.post("/password/change/verify", answer)
    client.post("/password/set", {"new_password": "a third long password"})
    world.clock.advance(86400)
    old = client.sign_in(EMAIL, "fifteen other letters")
    client.post("/sign-in/new-password", {"challenge_id": challenge_id(old), "new_password": "short"})
    client.post("/sign-in/new-password", {"challenge_id": challenge_id(old), "new_password": "a third long password"})
    client.get("/session")


def visiting(world: World, transport: Transport) -> None:
    """Come without an account, be refused, become one; come again, and sign in to it."""
    world.start(features=[Password(), Anonymous(), Sessions()])
    guest = world.client(transport)
    guest.post("/anonymous", {})
    guest.post("/anonymous", {})
    guest.post("/password/set", {"new_password": PASSWORD})
    started = guest.sign_up(EMAIL, PASSWORD)
    guest.verify(started, world.code())
    guest.get("/session")
    again = world.client(transport)
    again.post("/anonymous", {"device_name": "Kitchen"})
    again.sign_in(EMAIL, PASSWORD)
    again.get("/sessions")


def without_password(world: World, transport: Transport) -> None:
    """Come in by a link, by the code beside it, by a mailed and by a texted code, each once."""
    world.start(features=[MagicLink(create_users=True), Code(phone=True, create_users=True), Sessions()])
    client = world.client(transport, headers=[("User-Agent", "Transcript/1")])
    asked = client.post("/magic-link", {"email": EMAIL})
    client.post("/magic-link", {"email": EMAIL})
    client.get("/magic-link")
    client.get("/magic-link", headers=[("Accept", "text/html")])
    client.post("/magic-link/consume", {"challenge_id": challenge_id(asked), "code": world.wrong_code()})
    client.post("/magic-link/consume", {"token": world.link(), "device_name": "Kitchen"})
    client.post("/magic-link/consume", {"token": world.link()})
    asked = client.post("/code", {"email": EMAIL})
    client.post("/code/verify", {"challenge_id": challenge_id(asked), "code": world.code()})
    asked = client.post("/code", {"phone": "+49 151 12345678"})
    texted = world.texts("+4915112345678")[-1].code
    client.post("/code/verify", {"challenge_id": challenge_id(asked), "code": texted})
    client.post("/code", {"phone": "0151 12345678"})
    client.get("/session")


def by_two_steps(world: World, transport: Transport) -> None:
    """Sign in by a password and a mailed code, sent again and mistyped; the browser is remembered, and spared it."""
    world.start(features=[Password(), EmailCode(remember=True), Sessions()])
    world.member(transport)
    client = world.client(transport, headers=[("User-Agent", "Transcript/1")])
    asked = client.sign_in(EMAIL, PASSWORD)
    client.sign_in(EMAIL, PASSWORD)
    world.clock.advance(61)
    client.post("/sign-in/email-code/resend", {"challenge_id": challenge_id(asked)})
    client.post("/sign-in/email-code", {"challenge_id": challenge_id(asked), "code": world.wrong_code()})
    answer = {"challenge_id": challenge_id(asked), "code": world.code(), "remember": True}
    signed_in = client.post("/sign-in/email-code", answer)
    client.post("/sign-out", {})
    kept = signed_in.json.get("remember_token")
    client.sign_in(EMAIL, PASSWORD, **({"remember_token": kept} if kept else {}))


def moving(world: World, transport: Transport) -> None:
    """Prove an address, change it for another, and take that back from the old one."""
    features = [Password(require_code=False), EmailVerification(), EmailChange(), Sessions()]
    world.start(features=features)
    client = world.client(transport, headers=[("User-Agent", "Transcript/1")])
    client.sign_up(EMAIL, PASSWORD)
    client.get("/email/verify")
    asked = client.post("/email/verify/send", {})
    world.clock.advance(61)
    client.post("/email/verify/resend", {})
    client.post("/email/verify/confirm", {"challenge_id": challenge_id(asked), "code": world.wrong_code()})
    client.post("/email/verify/confirm", {"challenge_id": challenge_id(asked), "code": world.code()})
    client.post("/email/verify/send", {})
    asked = client.post("/email/change", {"new_email": "bea@example.com"})
    client.post("/email/change", {"new_email": "no address"})
    client.get("/email/change")
    code = world.code("bea@example.com")
    client.post("/email/change/confirm", {"challenge_id": challenge_id(asked), "code": code})
    client.get("/email/change/undo")
    client.post("/email/change/undo", {"token": world.link()})
    client.post("/email/change/undo", {"token": world.link()})
    client.get("/session")


def unlocking(world: World) -> None:
    """Let a password work again that rests after too many failures, by the mailed link."""
    world.start(limits=False)
    world.member()
    client = world.client()
    for _ in range(100):
        client.sign_in(EMAIL, WRONG)
    client.sign_in(EMAIL, PASSWORD)
    client.get("/unlock")
    client.post("/unlock", {"token": world.link()})
    client.post("/unlock", {"token": world.link()})
    client.sign_in(EMAIL, PASSWORD)


def owning(world: World, transport: Transport) -> None:
    """Own an account: a name, more addresses, a number, an invitation, everything read out, and its end taken back."""
    account = Account(username=True, phone=True, several_emails=True, settling=timedelta(), invitations="members")
    world.start(features=[Password(), account, Sessions()])
    member = world.member(transport, headers=[("User-Agent", "Transcript/1")])
    member.patch("/me", {"display_name": "Ada", "username": "Ada.L", "locale": "de"})
    member.patch("/me", {"plan": "team"})
    started = member.post("/me/emails", {"email": "bea@example.com"})
    answer = {"challenge_id": challenge_id(started), "code": world.code("bea@example.com")}
    member.post("/me/emails/confirm", answer)
    member.post("/me/emails/confirm", answer)
    member.get("/me/emails/confirm", headers=[("Accept", "text/html")])
    member.post("/me/emails/primary", {"email": "bea@example.com"})
    member.get("/me/emails")
    member.post("/me/emails/remove", {"email": EMAIL})
    started = member.post("/me/phone", {"phone": "+49 151 12345678"})
    member.post(
        "/me/phone/confirm",
        {"challenge_id": challenge_id(started), "code": world.texts("+4915112345678")[-1].code},
    )
    member.delete("/me/phone")
    member.post("/invitations", {"email": "cyd@example.com"})
    guest = world.client(transport)
    guest.get("/invitations/accept")
    guest.post("/invitations/accept", {"token": world.link("cyd@example.com"), "password": PASSWORD})
    guest.post("/sign-in", {"username": "ada.l", "password": PASSWORD})
    member.get("/me/export")
    started = member.delete("/me")
    member.get("/me/deletion/confirm")
    confirmed = {"challenge_id": challenge_id(started), "code": world.code("bea@example.com")}
    member.post("/me/deletion/confirm", confirmed)
    member.get("/session")
    guest.get("/me/deletion/cancel")
    guest.post("/me/deletion/cancel", {"token": world.link("bea@example.com")})
    guest.post("/me/deletion/cancel", {"token": world.link("bea@example.com")})


def being_refused(world: World) -> None:
    """Paths, methods, bodies, origins and limits."""
    client, browser = world.client(), world.client("cookie")
    for method, path in (("GET", "/nothing"), ("GET", "/me/"), ("PUT", "/sign-in"), ("OPTIONS", "/sessions")):
        client.request(method, path)
    client.request("HEAD", "/session")
    for body in (b"{", b"null", b'{"email":"\xff"}', b'{"a":1,"a":2}', b'{"x":NaN}'):
        client.post("/sign-in", body)
    client.post("/sign-in", b"{}", headers=[("Content-Type", "text/plain")])
    client.post("/sign-up", {"email": "no address", "password": "short", "role": "owner"})
    client.sign_up("no address", PASSWORD)
    client.sign_up(EMAIL, "short")
    browser.post("/sign-in", {}, origin="https://evil.example")
    client.get("/me")
    client.get("/me", headers=[("Authorization", "Bearer a, Bearer b")])
    client.post("/refresh", {})
    _exhaust(client)


def _exhaust(client: Client) -> None:
    for _ in range(11):
        client.sign_in("nobody@example.com", WRONG)


Scenario = Callable[[World], None]


def _both(name: str, story: Callable[[World, Transport], None]) -> dict[str, Scenario]:
    return {
        f"{name}-cookie": lambda world: story(world, "cookie"),
        f"{name}-bearer": lambda world: story(world, "bearer"),
    }


SCENARIOS: dict[str, Scenario] = {
    **_both("at_once", at_once),
    "being_refused": being_refused,
    **_both("by_two_steps", by_two_steps),
    **_both("changing", changing),
    **_both("going_on", going_on),
    **_both("moving", moving),
    **_both("owning", owning),
    **_both("proving_again", proving_again),
    **_both("resetting", resetting),
    **_both("signing_in", signing_in),
    **_both("signing_up", signing_up),
    "sliding": sliding,
    "unlocking": unlocking,
    **_both("visiting", visiting),
    **_both("without_password", without_password),
}
