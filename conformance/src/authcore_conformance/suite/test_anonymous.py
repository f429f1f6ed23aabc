"""Users without an account: a session first, the account later, and what they had goes with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authcore import Anonymous, EmailCode, EmailVerification, MagicLink, Password, PasswordReset, Sessions
from authcore.drive import Drive, run_blocking
from authcore.services import retention
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

EVIL = "https://evil.example"


class Merges:
    """What the application's hook was called with, as (anonymous id, user id)."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls: list[tuple[str, str]] = []
        self._fails = fails

    def __call__(self, anonymous: Any, user: Any) -> None:
        """Note the call."""
        assert anonymous.anonymous
        self.calls.append((anonymous.id, user.id))
        if self._fails:
            raise RuntimeError("the shop's database is away")


def rooms(world: World, *more: Any, password: Password | None = None, merge: Any = None) -> None:
    """Start an application that lets people in without an account."""
    world.start(features=[password or Password(), Sessions(), Anonymous(merge=merge), *more])


def guest(world: World, transport: Transport) -> tuple[Client, str]:
    """Answer a client with a session and without an account, and the id of its user."""
    client = world.client(transport)
    reply = client.post("/anonymous", {})
    assert reply.status == 201, reply
    return client, reply.json["user"]["id"]


def ids(world: World) -> set[str]:
    """Answer the ids of every user."""
    return {row["id"] for row in world.rows("authcore_user")}


def signed_up(world: World, client: Client, email: str = EMAIL) -> str:
    """Sign up by password and code, and answer the user's id."""
    started = client.sign_up(email, PASSWORD)
    return str(client.verify(started, world.code(email)).json["user"]["id"])


def test_a_session_needs_no_account(world: World, transport: Transport) -> None:
    """`POST /anonymous` answers 201 with a user that has no address, and a session that proves nothing."""
    rooms(world)
    client = world.client(transport)

    reply = client.post("/anonymous", {})

    assert (reply.status, reply.json["status"]) == (201, "signed_in")
    user, session = reply.json["user"], reply.json["session"]
    assert (user["anonymous"], user["email"], user["email_verified"]) == (True, None, False)
    assert (session["aal"], session["amr"], session["transport"]) == (0, [], transport)
    assert client.get("/me").json["user"] == user
    assert [each["id"] for each in client.get("/sessions").json["sessions"]] == [session["id"]]


def test_such_a_session_goes_on_and_ends_as_any_other(world: World, transport: Transport) -> None:
    """A refresh carries it on, and a sign-out ends it."""
    rooms(world)
    client, _ = guest(world, transport)

    refreshed = client.refresh()

    assert refreshed.status == 200
    assert client.get("/me").status == 200
    assert client.post("/sign-out", {}).status == 200
    assert client.get("/session").json == {"user": None, "session": None}


@pytest.mark.parametrize("signed_in", ["guest", "member"])
def test_a_session_is_not_given_up_for_an_anonymous_one(world: World, transport: Transport, signed_in: str) -> None:
    """Who has a session is refused with 409: another would take its place, and what the guest had with it."""
    rooms(world)
    client = guest(world, transport)[0] if signed_in == "guest" else world.member(transport)

    reply = client.post("/anonymous", {})

    assert (reply.status, reply.code) == (409, "already_signed_in")
    assert client.get("/me").status == 200


def test_another_site_makes_no_guest(world: World) -> None:
    """Rule R5: an answer that sets the session cookie asks for the own origin."""
    rooms(world)

    reply = world.client("cookie").post("/anonymous", {}, origin=EVIL)

    assert (reply.status, reply.code) == (403, "origin_not_allowed")
    assert ids(world) == set()


@pytest.mark.needs("own_routes")
def test_a_guard_asks_for_an_account(world: World, transport: Transport) -> None:
    """`require()` refuses who has none with 403, `require(anonymous=True)` lets both in."""
    rooms(world)
    client, _ = guest(world, transport)
    member = world.member(transport)

    refused, let_in, both = (
        client.visit("GET", "/app/hello"),
        client.visit("GET", "/app/anybody"),
        member.visit("GET", "/app/anybody"),
    )

    assert (refused.status, refused.code) == (403, "account_required")
    assert (let_in.status, let_in.json) == (200, {"email": None})
    assert (both.status, both.json) == (200, {"email": EMAIL})


@pytest.mark.needs("own_routes")
@pytest.mark.parametrize("path", ["/app/verified", "/app/mfa", "/app/fresh"])
def test_no_other_need_lets_a_guest_in(world: World, path: str) -> None:
    """A session that proves nothing passes no guard that asks for more than a session."""
    rooms(world)
    client, _ = guest(world, "bearer")

    reply = client.visit("GET", path)

    assert (reply.status, reply.code) == (403, "account_required")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/password/set", {"new_password": PASSWORD}),
        ("POST", "/password/change", {"current_password": "x", "new_password": PASSWORD}),
        ("POST", "/reauthenticate", {}),
        ("POST", "/email/verify/send", {}),
        ("DELETE", "/sessions", None),
        ("POST", "/sessions/revoke-others", {}),
    ],
)
def test_what_accounts_have_is_not_a_guests(world: World, method: str, path: str, body: Any) -> None:
    """Passwords, proofs and addresses are an account's: a guest is refused, and gets one by signing up alone."""
    rooms(world, EmailVerification())
    client, _ = guest(world, "bearer")

    reply = client.request(method, path, body)

    assert (reply.status, reply.code) == (403, "account_required")


def test_a_sign_up_makes_the_guest_the_account(world: World, transport: Transport) -> None:
    """The account has the guest's id; the session's secret is another, and the old one is dead (rule T7)."""
    rooms(world)
    client, user_id = guest(world, transport)
    before = world.client(transport, jar=dict(client.jar), access_token=client.access_token)

    started = client.sign_up(EMAIL, PASSWORD, display_name="Ada")
    reply = client.verify(started, world.code())

    assert reply.status == 200
    user = reply.json["user"]
    assert (user["id"], user["anonymous"], user["email"], user["display_name"]) == (user_id, False, EMAIL, "Ada")
    assert reply.json["session"]["amr"] == ["pwd", "email"]
    assert ids(world) == {user_id}
    assert before.get("/session").json["user"] is None
    assert client.get("/me").json["user"] == user
    assert world.client(transport).sign_in(EMAIL, PASSWORD).json["user"]["id"] == user_id


def test_a_sign_up_without_a_code_does_so_too(world: World, transport: Transport) -> None:
    """Under `require_code=False` the first answer is of the guest's own id."""
    rooms(world, password=Password(require_code=False))
    client, user_id = guest(world, transport)

    reply = client.sign_up(EMAIL, PASSWORD)

    assert (reply.status, reply.json["user"]["id"], reply.json["user"]["anonymous"]) == (201, user_id, False)
    assert client.get("/me").json["user"]["id"] == user_id


def test_only_the_guest_who_began_a_sign_up_becomes_it(world: World) -> None:
    """Rule A3: a code that another guest answers makes an account of its own; what it had is merged into that."""
    merges = Merges()
    rooms(world, merge=merges)
    first, first_id = guest(world, "bearer")
    second, second_id = guest(world, "bearer")
    started = first.sign_up(EMAIL, PASSWORD)

    reply = second.verify(started, world.code())

    made = reply.json["user"]["id"]
    assert made not in (first_id, second_id)
    assert merges.calls == [(second_id, made)]
    assert ids(world) == {first_id, made}


def test_a_guest_who_came_later_is_merged(world: World) -> None:
    """A sign-up that began before there was a guest makes an account of its own."""
    merges = Merges()
    rooms(world, merge=merges)
    client = world.client("cookie")
    started = client.sign_up(EMAIL, PASSWORD)
    guest_id = client.post("/anonymous", {}).json["user"]["id"]

    reply = client.verify(started, world.code())

    assert merges.calls == [(guest_id, reply.json["user"]["id"])]
    assert ids(world) == {reply.json["user"]["id"]}


def test_a_sign_up_elsewhere_leaves_the_guest(world: World) -> None:
    """The code typed where the guest's session is not makes an account, and the guest stays a guest."""
    rooms(world)
    client, user_id = guest(world, "bearer")
    started = client.sign_up(EMAIL, PASSWORD)

    reply = world.client("bearer").verify(started, world.code())

    assert reply.json["user"]["id"] != user_id
    assert client.get("/me").json["user"]["anonymous"] is True


def test_a_taken_address_is_not_told_to_guests(world: World) -> None:
    """Rule A2: a guest's sign-up is answered alike, and writes alike, whether there is an account or not."""
    world.start(features=[Password(), Sessions(), Anonymous()], limits=False)
    world.member("bearer")
    one, other = guest(world, "bearer")[0], guest(world, "bearer")[0]
    answers: list[Reply] = []

    known = world.added(lambda: answers.append(one.sign_up(EMAIL, PASSWORD)))
    unknown = world.added(lambda: answers.append(other.sign_up("abe@example.com", PASSWORD)))

    assert known == unknown
    assert answers[0].masked() == answers[1].masked()


def test_a_sign_in_merges_the_guest(world: World, transport: Transport) -> None:
    """The hook gets the guest and the account, once; then the guest is gone and its session dead."""
    merges = Merges()
    rooms(world, merge=merges)
    account = signed_up(world, world.client("bearer"))
    client, user_id = guest(world, transport)
    before = world.client(transport, jar=dict(client.jar), access_token=client.access_token)

    reply = client.sign_in(EMAIL, PASSWORD)

    assert (reply.status, reply.json["user"]["id"]) == (200, account)
    assert merges.calls == [(user_id, account)]
    assert ids(world) == {account}
    assert before.get("/session").json["user"] is None
    assert client.get("/me").json["user"]["id"] == account


def test_a_wrong_password_merges_nothing(world: World) -> None:
    """A sign-in that is refused leaves the guest as it was."""
    merges = Merges()
    rooms(world, merge=merges)
    signed_up(world, world.client("bearer"))
    client, user_id = guest(world, "bearer")

    assert client.sign_in(EMAIL, "no such letters here").status == 401

    assert merges.calls == []
    assert client.get("/me").json["user"]["id"] == user_id


def test_a_hook_that_fails_takes_no_sign_in_back(world: World) -> None:
    """The session is the account's; the guest's data stays, and the hook is not called again."""
    merges = Merges(fails=True)
    rooms(world, merge=merges)
    account = signed_up(world, world.client("bearer"))
    client, user_id = guest(world, "bearer")
    before = client.access_token

    reply = client.sign_in(EMAIL, PASSWORD)
    again = world.client("bearer", access_token=before).sign_in(EMAIL, PASSWORD)

    assert reply.json["user"]["id"] == again.json["user"]["id"] == account
    assert merges.calls == [(user_id, account)]
    assert ids(world) == {account, user_id}
    assert world.client("bearer", access_token=before).get("/session").json["user"] is None


def test_a_step_keeps_the_guest_until_it_is_passed(world: World, transport: Transport) -> None:
    """A sign-in that asks for a code merges once the code is right, from the guest's own session alone."""
    merges = Merges()
    rooms(world, EmailCode(), merge=merges)
    account = signed_up(world, world.client("bearer"))
    client, user_id = guest(world, transport)

    asked = client.sign_in(EMAIL, PASSWORD)
    assert (asked.status, merges.calls) == (202, [])
    assert client.get("/me").json["user"]["id"] == user_id
    done = client.post("/sign-in/email-code", {"challenge_id": challenge_id(asked), "code": world.code()})

    assert done.status == 200
    assert merges.calls == [(user_id, account)]


def test_a_step_passed_elsewhere_merges_nothing(world: World) -> None:
    """The code typed by a client without the guest's session signs in, and takes nothing along."""
    merges = Merges()
    rooms(world, EmailCode(), merge=merges)
    signed_up(world, world.client("bearer"))
    client, user_id = guest(world, "bearer")
    asked = client.sign_in(EMAIL, PASSWORD)

    answer = {"challenge_id": challenge_id(asked), "code": world.code()}
    done = world.client("bearer").post("/sign-in/email-code", answer)

    assert done.status == 200
    assert merges.calls == []
    assert client.get("/me").json["user"]["id"] == user_id


def test_a_link_makes_the_guest_the_account(world: World) -> None:
    """A link followed in the browser that asked for it keeps the guest's id for the account that it makes."""
    rooms(world, MagicLink(create_users=True))
    client, user_id = guest(world, "cookie")
    client.post("/magic-link", {"email": EMAIL})

    reply = client.post("/magic-link/consume", {"token": world.link()})

    assert (reply.status, reply.json["user"]["id"], reply.json["user"]["anonymous"]) == (200, user_id, False)


def test_a_strangers_link_takes_nothing_along(world: World) -> None:
    """A link that a stranger asked for neither upgrades nor merges the guest who is made to follow it (login CSRF)."""
    merges = Merges()
    rooms(world, MagicLink(create_users=True), merge=merges)
    stranger = world.client("cookie")
    stranger.post("/magic-link", {"email": "eve@example.com"})
    client, user_id = guest(world, "cookie")

    reply = client.post("/magic-link/consume", {"token": world.link("eve@example.com")})

    assert (reply.status, reply.json["user"]["anonymous"]) == (200, False)
    assert reply.json["user"]["id"] != user_id
    assert merges.calls == []
    assert user_id in ids(world)


def test_a_code_beside_a_link_takes_the_guest_along(world: World, transport: Transport) -> None:
    """A code is typed where it was asked for, so it makes the guest the account under bearer too."""
    rooms(world, MagicLink(create_users=True))
    client, user_id = guest(world, transport)
    asked = client.post("/magic-link", {"email": EMAIL})

    reply = client.post("/magic-link/consume", {"challenge_id": challenge_id(asked), "code": world.code()})

    assert (reply.status, reply.json["user"]["id"]) == (200, user_id)


def test_a_reset_that_signs_in_merges_the_guest(world: World) -> None:
    """Who forgot the password and asked in this browser keeps what it had as a guest."""
    merges = Merges()
    rooms(world, PasswordReset(), merge=merges)
    account = signed_up(world, world.client("bearer"))
    client, user_id = guest(world, "cookie")
    client.post("/password/reset", {"email": EMAIL})

    reply = client.post("/password/reset/complete", {"token": world.link(), "new_password": "another quiet heron"})

    assert (reply.status, reply.json["user"]["id"]) == (200, account)
    assert merges.calls == [(user_id, account)]


def test_another_sites_sign_in_merges_nothing(world: World) -> None:
    """Rule R5: a sign-in that another site sends with the guest's cookie is refused before anything is looked at."""
    merges = Merges()
    rooms(world, merge=merges)
    signed_up(world, world.client("bearer"))
    client, user_id = guest(world, "cookie")

    reply = client.post("/sign-in", {"email": EMAIL, "password": PASSWORD}, origin=EVIL)

    assert (reply.status, reply.code) == (403, "origin_not_allowed")
    assert merges.calls == []
    assert client.get("/me").json["user"]["id"] == user_id


def test_guests_of_one_address_are_limited(world: World) -> None:
    """Each is a row that stays a while: the bucket `anonymous.address` holds 60 an hour (rule A6)."""
    rooms(world)
    for _ in range(60):
        assert world.client("bearer").post("/anonymous", {}).status == 201

    reply = world.client("bearer").post("/anonymous", {})

    assert (reply.status, reply.code) == (429, "rate_limited")
    assert len(ids(world)) == 60


def test_without_the_room_there_is_no_way_in(world: World) -> None:
    """An application that does not enable it has no such route."""
    assert world.client("bearer").post("/anonymous", {}).status == 404


def test_a_closed_sign_up_stays_closed_to_guests(world: World) -> None:
    """`sign_up="closed"` lets guests in, and lets none of them become an account."""
    world.start(features=[Password(), Sessions(), Anonymous()], sign_up="closed")
    client, user_id = guest(world, "bearer")

    reply = client.sign_up(EMAIL, PASSWORD)

    assert (reply.status, reply.code) == (403, "sign_up_closed")
    assert client.get("/me").json["user"]["id"] == user_id


def test_a_disabled_guest_is_no_guest(world: World) -> None:
    """The administration ends a guest's session as any other, and nothing makes an account of it."""
    rooms(world)
    client, user_id = guest(world, "bearer")
    world.app.blocking.administration.disable(user_id=user_id)

    assert client.get("/session").json["user"] is None
    assert signed_up(world, client) != user_id


def test_guests_are_erased_once_nobody_can_be_them(world: World) -> None:
    """After the session's end and `keep` they are gone with all that is stored of them; who has a session stays."""
    world.start(features=[Password(), Sessions(), Anonymous(keep=timedelta(days=2))])
    gone, gone_id = guest(world, "bearer")
    gone.post("/sign-out", {})
    stays, stays_id = guest(world, "cookie")

    world.clock.advance(2 * 86400 + 1)
    removed = clean(world)

    assert removed["anonymous"] == 1
    assert ids(world) == {stays_id}
    assert not [row for row in world.rows("authcore_session") if row["user_id"] == gone_id]
    assert stays.get("/me").status == 200


def clean(world: World) -> dict[str, int]:
    """Run the clean-up, as `authcore clean` does."""
    return run_blocking(retention.sweep(world.app.runtime(Drive.BLOCKING)))
