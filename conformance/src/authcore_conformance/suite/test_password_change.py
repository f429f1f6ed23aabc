"""The room `password`: another password, by the present one or by a mailed code, and a first one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from authcore import Password, Sessions
from authcore.features.password import ChangeCode
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import EMAIL, PASSWORD, World

OTHER, THIRD = "fifteen other letters", "a third long password"
WRONG = "not the right letters"
MINUTES = 60


def change(client: Client, new: str = OTHER, current: str | None = PASSWORD, **more: Any) -> Reply:
    """Ask for another password."""
    given = {} if current is None else {"current_password": current}
    return client.post("/password/change", {"new_password": new, **given, **more})


def verify(client: Client, begun: Reply, code: str) -> Reply:
    """Answer the code of a change."""
    return client.post("/password/change/verify", {"challenge_id": challenge_id(begun), "code": code})


def opens(world: World, password: str) -> bool:
    """Tell whether a password signs in."""
    reply = world.client().sign_in(EMAIL, password)
    assert reply.status in (200, 401), reply
    return reply.status == 200


def with_code(world: World, **settings: Any) -> None:
    """Start an application in which a change waits for a mailed code."""
    world.start(features=[Password(change_code=ChangeCode(**settings)), Sessions()])


# --- by the present password ---


def test_a_change_takes_the_present_password(world: World, transport: Transport) -> None:
    """S69, S71: with the present password another one takes effect at once, and the one before opens nothing."""
    member = world.member(transport)
    world.clock.advance(1)

    reply = change(member, password_confirmation=OTHER)

    assert reply.status == 200
    tokens = {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert set(reply.json) == {"updated_at", "user", "session"} | (tokens if transport == "bearer" else set())
    assert reply.json["updated_at"] == reply.json["user"]["updated_at"] == "2030-01-01T00:00:01Z"
    assert opens(world, OTHER)
    assert not opens(world, PASSWORD)


def test_the_session_goes_on_under_another_secret(world: World, transport: Transport) -> None:
    """T7: the session that asked keeps its id and gets another secret; the secret before is dead."""
    member = world.member(transport)
    before, secret = member.get("/session").json["session"], member.session_secret
    thief = world.client(transport, jar=dict(member.jar), access_token=member.access_token)

    reply = change(member)

    assert reply.json["session"]["id"] == before["id"]
    assert member.session_secret != secret
    assert member.who() == EMAIL
    assert thief.who() is None


def test_every_other_session_ends(world: World, transport: Transport) -> None:
    """T9: what was opened with the password before has ended, refresh tokens among it."""
    member, elsewhere = world.member(transport), world.client("bearer")
    elsewhere.sign_in(EMAIL, PASSWORD)
    old_refresh = member.refresh_token

    change(member)

    assert elsewhere.who() is None
    assert elsewhere.refresh().code == "invalid_refresh_token"
    assert [session["current"] for session in member.get("/sessions").json["sessions"]] == [True]
    if old_refresh is not None:
        assert world.client("bearer").refresh(old_refresh).code == "invalid_refresh_token"
        assert member.who() == EMAIL


def test_the_present_password_is_asked_for(world: World, transport: Transport) -> None:
    """S69: by default nobody changes a password without the present one; the field is named."""
    member = world.member(transport)

    reply = change(member, current=None)

    assert (reply.status, reply.fields) == (422, {"current_password": "missing"})
    assert opens(world, PASSWORD)


def test_a_wrong_present_password_counts_as_at_sign_in(world: World, transport: Transport) -> None:
    """A6, S69: it is refused as at sign-in and counted in the same places; the right one forgets what was counted."""
    member = world.member(transport)

    reply = change(member, current=WRONG)

    assert (reply.status, reply.code) == (401, "invalid_credentials")
    assert [row["failures"] for row in world.rows("authcore_attempt")] == [1]
    assert member.who() == EMAIL
    assert change(member).status == 200
    assert world.rows("authcore_attempt") == []


def test_guessing_by_a_stolen_session_is_limited(world: World) -> None:
    """A6, S114: an account with an address has ten tries in a minute, at sign-in and here together."""
    member = world.member()
    replies = [change(member, current=WRONG) for _ in range(10)]

    late = change(member)

    assert {reply.status for reply in replies} == {401}
    assert (late.status, late.code) == (429, "rate_limited")
    assert late.header("retry-after") is not None


def test_the_present_password_counts_as_fresh(world: World, transport: Transport) -> None:
    """A9: who gives it need not prove again who it is, however old the session; and has proven it now."""
    member = world.member(transport)
    world.clock.advance(14 * MINUTES)

    reply = change(member)

    assert reply.status == 200
    assert reply.json["session"]["auth_time"] == "2030-01-01T00:14:00Z"


def test_nobody_changes_a_password_signed_out(world: World, transport: Transport) -> None:
    """S69: a change needs a session."""
    world.member()

    reply = change(world.client(transport))

    assert (reply.status, reply.code) == (401, "not_authenticated")


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("too short", "too_short"),
        ("passwordpassword", "password_too_common"),
        (EMAIL, "password_too_personal"),
        (PASSWORD, "password_reused"),
    ],
)
def test_one_policy_holds_at_a_change(world: World, new: str, code: str) -> None:
    """A4, S64: what sign-up refuses a change refuses, and the present password is no other one."""
    member = world.member()

    reply = change(member, new)

    assert (reply.status, reply.fields) == (422, {"new_password": code})
    assert opens(world, PASSWORD)


def test_two_different_spellings_are_told(world: World) -> None:
    """S69: `password_confirmation`, when sent, must be the password."""
    member = world.member()

    reply = change(member, password_confirmation=THIRD)

    assert (reply.status, reply.fields) == (422, {"password_confirmation": "mismatch"})


def test_an_account_without_a_password_has_none_to_change(world: World, transport: Transport) -> None:
    """S69: it is told that a first password is set, not changed."""
    member = world.member(transport)
    world.query(delete(metadata.tables["authcore_password"]))

    reply = change(member)

    assert (reply.status, reply.code) == (409, "password_missing")


# --- without the present password ---


def test_where_none_is_asked_for_a_fresh_session_changes_it(world: World, transport: Transport) -> None:
    """S69, A9: with `require_current_password=False` who has just signed in sets another password directly."""
    world.start(features=[Password(require_current_password=False), Sessions()])
    member = world.member(transport)
    world.clock.advance(4 * MINUTES)

    reply = change(member, current=None)

    assert reply.status == 200
    assert reply.json["session"]["auth_time"] == "2030-01-01T00:00:00Z"  # nothing was proven, so nothing is fresher
    assert opens(world, OTHER)


def test_where_none_is_asked_for_an_old_session_proves_who_it_is(world: World, transport: Transport) -> None:
    """A9: past five minutes the session must authenticate again, and may then."""
    world.start(features=[Password(require_current_password=False), Sessions()])
    member = world.member(transport)
    world.clock.advance(6 * MINUTES)

    stale = change(member, current=None)
    member.post("/reauthenticate", {"password": PASSWORD})
    fresh = change(member, current=None)

    assert (stale.status, stale.code) == (401, "reauthentication_required")
    assert 'max_age="300"' in (stale.header("www-authenticate") or "")
    assert fresh.status == 200


def test_where_none_is_asked_for_a_given_one_must_be_right(world: World) -> None:
    """A9: who gives a password all the same is judged by it."""
    world.start(features=[Password(require_current_password=False), Sessions()])
    member = world.member()

    reply = change(member, current=WRONG)

    assert (reply.status, reply.code) == (401, "invalid_credentials")


# --- by a mailed code ---


def test_a_pending_password_waits_for_its_code(world: World, transport: Transport) -> None:
    """S70: a code is mailed and nothing changes until it is typed; then the password is the pending one."""
    with_code(world)
    member, elsewhere = world.member(transport), world.client()
    elsewhere.sign_in(EMAIL, PASSWORD)

    begun = change(member)

    assert (begun.status, begun.json["challenge"]["kind"]) == (202, "email_code")
    assert begun.json["challenge"]["hint"] == "a***@example.com"
    assert world.mails(EMAIL)[-1].kind == "password_change"
    assert (opens(world, PASSWORD), opens(world, OTHER)) == (True, False)
    assert elsewhere.who() == EMAIL
    done = verify(member, begun, world.code())
    assert done.status == 200
    assert set(done.json) >= {"updated_at", "user", "session"}
    assert (opens(world, PASSWORD), opens(world, OTHER)) == (False, True)
    assert (member.who(), elsewhere.who()) == (EMAIL, None)


def test_the_code_of_a_change_opens_once(world: World, transport: Transport) -> None:
    """T2, S70: a code that was spent changes nothing again."""
    with_code(world)
    member = world.member(transport)
    begun, code = change(member), world.code()
    assert verify(member, begun, code).status == 200

    again = verify(member, begun, code)

    assert (again.status, again.code) == (400, "invalid_challenge")


def test_wrong_codes_of_a_change_are_counted(world: World) -> None:
    """S70, S116: after `max_attempts` the right code opens nothing either."""
    with_code(world, max_attempts=2)
    member = world.member()
    begun = change(member)
    for _ in range(2):
        assert verify(member, begun, world.wrong_code()).code == "invalid_challenge"

    late = verify(member, begun, world.code())

    assert (late.status, late.code) == (400, "invalid_challenge")
    assert opens(world, PASSWORD)


def test_the_code_of_a_change_expires(world: World) -> None:
    """S70: `code_ttl` is ten minutes unless it is set."""
    with_code(world, code_ttl=timedelta(minutes=3))
    member = world.member()
    begun = change(member)
    world.clock.advance(3 * MINUTES)

    late = verify(member, begun, world.code())

    assert (late.status, late.code) == (400, "invalid_challenge")


def test_the_same_password_again_is_the_same_challenge(world: World, transport: Transport) -> None:
    """S70, S116, A13: inside the interval nothing is mailed, after it a fresh code under the same id."""
    with_code(world)
    member = world.member(transport)
    first = change(member)
    sent = len(world.mails(EMAIL))

    inside = change(member)
    still = len(world.mails(EMAIL))
    world.clock.advance(61)
    after = change(member)

    assert challenge_id(inside) == challenge_id(first) == challenge_id(after)
    assert (still, len(world.mails(EMAIL))) == (sent, sent + 1)
    assert verify(member, after, world.code()).status == 200
    assert opens(world, OTHER)


def test_another_password_is_another_challenge(world: World, transport: Transport) -> None:
    """A13: a code opens only the password that it was mailed for; the earlier challenge ends."""
    with_code(world)
    member = world.member(transport)
    first, first_code = change(member, OTHER), world.code()

    second, second_code = change(member, THIRD), world.code()

    assert challenge_id(second) != challenge_id(first)
    assert verify(member, first, first_code).code == "invalid_challenge"
    assert verify(member, second, second_code).status == 200
    assert opens(world, THIRD)


def test_another_session_cannot_answer(world: World, transport: Transport) -> None:
    """A13: a pending password belongs to the session that asked for it, and another session's is another challenge."""
    with_code(world)
    member, elsewhere = world.member(transport), world.client(transport)
    elsewhere.sign_in(EMAIL, PASSWORD)
    begun, code = change(member), world.code()

    refused = verify(elsewhere, begun, code)
    own = change(elsewhere)

    assert (refused.status, refused.code) == (400, "invalid_challenge")
    assert challenge_id(own) != challenge_id(begun)
    assert verify(member, begun, code).code == "invalid_challenge"  # the later one ended it


def test_a_change_in_between_ends_what_is_pending(world: World, transport: Transport) -> None:
    """T9, S71: a password that was replaced meanwhile takes the pending one and its session with it."""
    with_code(world)
    member = world.member(transport)
    begun, code = change(member), world.code()
    [user] = world.rows("authcore_user")
    calls = world.app.blocking.password

    calls.change_password(user_id=user["id"], current_password=PASSWORD, new_password=THIRD)

    assert verify(member, begun, code).code == "not_authenticated"
    member.sign_in(EMAIL, THIRD)
    assert verify(member, begun, code).code == "invalid_challenge"
    assert (opens(world, OTHER), opens(world, THIRD)) == (False, True)


def test_the_wrong_present_password_mails_nothing(world: World) -> None:
    """S70: the code comes after the present password, not in its place."""
    with_code(world)
    member = world.member()
    sent = len(world.mails())

    reply = change(member, current=WRONG)

    assert reply.code == "invalid_credentials"
    assert len(world.mails()) == sent


# --- the first one ---


def without_password(world: World, transport: Transport) -> Client:
    """Answer a member whose account has no password."""
    member = world.member(transport)
    world.query(delete(metadata.tables["authcore_password"]))
    return member


def test_a_first_password_is_set(world: World, transport: Transport) -> None:
    """T7, T9: who has just signed in without a password sets one; the session keeps its id, others end."""
    member = without_password(world, transport)
    before = member.get("/session").json["session"]["id"]

    reply = member.post("/password/set", {"new_password": OTHER})

    assert (reply.status, reply.json["session"]["id"]) == (200, before)
    assert opens(world, OTHER)
    assert member.who() == EMAIL


def test_a_first_password_needs_a_fresh_session(world: World, transport: Transport) -> None:
    """A9: past five minutes the session must authenticate again."""
    member = without_password(world, transport)
    world.clock.advance(6 * MINUTES)

    reply = member.post("/password/set", {"new_password": OTHER})

    assert (reply.status, reply.code) == (401, "reauthentication_required")


def test_a_password_is_not_set_over_another(world: World, transport: Transport) -> None:
    """A9: where there is one it is changed, which asks for it."""
    member = world.member(transport)

    reply = member.post("/password/set", {"new_password": OTHER})

    assert (reply.status, reply.code) == (409, "password_exists")
    assert opens(world, PASSWORD)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"new_password": "short"}, {"new_password": "too_short"}),
        ({"new_password": OTHER, "password_confirmation": THIRD}, {"password_confirmation": "mismatch"}),
        ({}, {"new_password": "missing"}),
    ],
)
def test_a_first_password_meets_the_policy(world: World, body: dict[str, str], fields: dict[str, str]) -> None:
    """A4: the policy of sign-up holds for a first password too."""
    member = without_password(world, "bearer")

    reply = member.post("/password/set", body)

    assert (reply.status, reply.fields) == (422, fields)
