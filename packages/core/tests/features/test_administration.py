"""Looking after users from server code: every call, whatever the drive."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import pbkdf2_hmac
from typing import Any

import pytest

from authcore import Audit, Auth, Password, Tenant
from authcore.errors import ConfigurationError, InvalidCredentials, InvalidFields, NotFound
from authcore.features.administration.errors import UserExists
from authcore.services import events
from authcore.tables import shipped

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
WHOLE = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where sign-up needs no code."""
    return auth(Password(require_code=False))


@pytest.fixture
def calls(calling: Any, made: Auth) -> Any:
    """Its calls."""
    made.create_tables()
    return calling(made)


@pytest.fixture
def user(calls: Any) -> Any:
    """A user that signs in by password."""
    return calls.administration.create(**WHOLE, verified=True)


@pytest.fixture
def heard(made: Auth) -> list[str]:
    """The names of the events that listeners hear."""
    found: list[str] = []
    for kind in events.EVENTS:
        made.on(kind, lambda event: found.append(type(event).__name__))
    return found


# --- finding ---


def test_a_user_is_found_by_whatever_it_is_known_by(calls: Any) -> None:
    """The id, the address in any spelling, the username and the phone each answer the account."""
    made = calls.administration.create(**WHOLE, username="Countess", phone="+4915112345678", verified=True)

    for known in (
        {"user_id": made.id},
        {"email": " ADA@Example.COM"},
        {"username": "COUNTESS"},
        {"phone": "+4915112345678"},
    ):
        found = calls.administration.find(**known)
        assert found.user == made
        assert found.state == "active"
        assert found.has_password
    assert dict(found.identifiers) == {
        "email_password": EMAIL,
        "username": "countess",
        "phone": "+4915112345678",
    }


@pytest.mark.parametrize(
    "asked", [{"user_id": "nobody"}, {"user_id": "\ud800"}, {"email": "eve@example.com"}, {"phone": "+491"}]
)
def test_nobody_is_none(calls: Any, asked: dict[str, str]) -> None:
    """Who does not exist is answered None."""
    assert calls.administration.find(**asked) is None


@pytest.mark.parametrize("asked", [{}, {"email": EMAIL, "user_id": "x"}])
def test_one_thing_is_asked(calls: Any, asked: dict[str, str]) -> None:
    """Nothing, or two things that may disagree, is a mistake of the caller."""
    with pytest.raises(ConfigurationError, match="one of"):
        calls.administration.find(**asked)


def test_users_are_listed_page_by_page(calls: Any) -> None:
    """Each page goes on behind the last id, and every user stands on one."""
    made = {calls.administration.create(email=f"user{n}@example.com").id for n in range(5)}

    seen: list[str] = []
    while page := calls.administration.list(after=seen[-1] if seen else "", limit=2):
        seen += [info.user.id for info in page]

    assert seen == sorted(made)


def test_another_tenant_sees_nobody(auth: Callable[..., Auth], calls: Any, user: Any, inside: Any) -> None:
    """What belongs to one tenant is unknown in another."""
    from authcore.features.administration import flow

    world = inside(auth(Password(require_code=False), tenant=lambda request: Tenant("other")))

    assert world.run(flow.find(world.ctx(tenant="other"), user_id=user.id)) is None
    assert world.run(flow.delete(world.ctx(tenant="other"), user_id=user.id)) is False
    assert calls.administration.find(user_id=user.id) is not None


# --- making ---


def test_a_made_user_signs_in(calls: Any, heard: list[str]) -> None:
    """The password passes the policy, and opens the account."""
    calls.administration.create(**WHOLE)

    assert calls.password.sign_in(**WHOLE).user.email == EMAIL
    assert heard[0] == "Registered"


def test_a_digest_from_elsewhere_opens_and_is_replaced(made: Auth, calls: Any, inside: Any) -> None:
    """S68: a user brought with a hash of another system signs in, and the hash becomes a present one."""
    salt = "aSaltOfWerkzeug1"
    brought = f"pbkdf2:sha256:1000${salt}${pbkdf2_hmac('sha256', PASSWORD.encode(), salt.encode(), 1000).hex()}"
    calls.administration.create(email=EMAIL, password_digest=brought)

    assert calls.password.sign_in(**WHOLE).user.email == EMAIL
    [row] = inside(made).rows(shipped().tables["authcore_password"])
    assert row.digest != brought
    assert row.digest.startswith("$argon2id$")


@pytest.mark.parametrize("digest", ["", "secret", "md5$x$y", "$argon2id$broken"])
def test_a_digest_that_nothing_verifies_is_refused(calls: Any, digest: str) -> None:
    """An account whose password could never be right is not made."""
    with pytest.raises(InvalidFields):
        calls.administration.create(email=EMAIL, password_digest=digest)

    assert calls.administration.find(email=EMAIL) is None


@pytest.mark.parametrize("second", [WHOLE, {"email": "bea@example.com", "username": "Countess"}])
def test_what_is_taken_is_told_to_server_code(calls: Any, second: dict[str, str]) -> None:
    """An address or a name that somebody has is a conflict, and nothing is made."""
    calls.administration.create(**WHOLE, username="countess")

    with pytest.raises(UserExists):
        calls.administration.create(**second)

    assert len(calls.administration.list()) == 1


def test_a_user_is_known_by_something(calls: Any) -> None:
    """Without an address, a name and a phone nobody could ever sign in."""
    with pytest.raises(InvalidFields):
        calls.administration.create(password=PASSWORD)


# --- states ---


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(calls: Any, user: Any, heard: list[str]) -> None:
    """T9: sessions end with the disabling, stay ended, and the password works again after it."""
    session = calls.password.sign_in(**WHOLE)

    assert calls.administration.disable(user_id=user.id) is True
    assert calls.administration.disable(user_id=user.id) is False
    assert calls.sessions.current(access_token=session.access_token) is None
    with pytest.raises(InvalidCredentials):
        calls.password.sign_in(**WHOLE)
    assert calls.administration.find(user_id=user.id).state == "disabled"

    assert calls.administration.enable(user_id=user.id) is True
    assert calls.administration.enable(user_id=user.id) is False
    assert calls.sessions.current(access_token=session.access_token) is None
    assert calls.password.sign_in(**WHOLE).user.id == user.id
    assert [name for name in heard if name.startswith("User")] == ["UserDisabled", "UserEnabled"]


def test_a_compromised_password_opens_nothing(calls: Any, user: Any, heard: list[str]) -> None:
    """T9: the sessions that it opened end, and it is a wrong password from there on."""
    session = calls.password.sign_in(**WHOLE)

    assert calls.administration.mark_compromised(user_id=user.id) is True

    assert calls.sessions.current(access_token=session.access_token) is None
    assert calls.administration.find(user_id=user.id).state == "compromised"
    with pytest.raises(InvalidCredentials):
        calls.password.sign_in(**WHOLE)
    assert "PasswordCompromised" in heard


def test_a_password_to_be_changed_is_told_of(calls: Any, user: Any, heard: list[str]) -> None:
    """The state shows, and who has no password cannot be asked for another one."""
    passwordless = calls.administration.create(email="bea@example.com")

    assert calls.administration.require_password_change(user_id=user.id) is True
    assert calls.administration.require_password_change(user_id=passwordless.id) is False
    assert calls.administration.find(user_id=user.id).state == "must_change_password"
    assert heard.count("PasswordChangeRequired") == 1


def test_an_unproven_address_is_pending(calls: Any) -> None:
    """An account whose address nobody has proven is told as such."""
    made = calls.password.sign_up(**WHOLE)

    assert calls.administration.find(user_id=made.user.id).state == "pending"


def test_sessions_are_ended_from_outside(calls: Any, user: Any) -> None:
    """Every session of the user ends, and their number is answered."""
    held = [calls.password.sign_in(**WHOLE) for _ in range(3)]

    assert calls.administration.end_sessions(user_id=user.id) == 3
    assert [calls.sessions.current(access_token=each.access_token) for each in held] == [None] * 3
    assert calls.password.sign_in(**WHOLE).user.id == user.id


@pytest.mark.parametrize("call", ["disable", "enable", "require_password_change", "mark_compromised", "end_sessions"])
@pytest.mark.parametrize("user_id", ["nobody", "\ud800"])
def test_who_does_not_exist_is_not_found(calls: Any, call: str, user_id: str) -> None:
    """A call about nobody says so."""
    with pytest.raises(NotFound):
        getattr(calls.administration, call)(user_id=user_id)


# --- deleting ---


def test_after_deletion_no_row_mentions_the_user(made: Auth, calls: Any, inside: Any, heard: list[str]) -> None:
    """Every table is read: neither the id nor the address nor the name stands anywhere, and the address is free."""
    user = calls.administration.create(**WHOLE, username="countess", display_name="Ada King", verified=True)
    session = calls.password.sign_in(**WHOLE)
    with pytest.raises(InvalidCredentials):
        calls.password.sign_in(email=EMAIL, password="four loud cranes walk")
    calls.password.sign_up(email="bea@example.com", password=PASSWORD)

    assert calls.administration.delete(user_id=user.id) is True

    world = inside(made)
    for table in shipped().sorted_tables:
        for row in world.rows(table):
            text = repr(tuple(row))
            assert user.id not in text, table.name
            assert EMAIL not in text, table.name
            assert "countess" not in text, table.name
            assert session.session.id not in text, table.name
    assert calls.administration.delete(user_id=user.id) is False
    assert heard[-1] == "UserDeleted"
    assert calls.administration.create(**WHOLE).id != user.id


def test_what_waits_in_the_outbox_goes_with_the_user(made: Auth, calls: Any, inside: Any, mailer: Any) -> None:
    """A mail that was not sent yet is not sent after the deletion; those to others are."""
    first = calls.password.sign_up(**WHOLE)
    calls.password.sign_up(email="bea@example.com", password=PASSWORD)

    calls.administration.delete(user_id=first.user.id)
    made.outbox.drain()

    assert {mail.to for mail in mailer.mails} == {"bea@example.com"}


def test_audit_rows_are_about_nobody_after_a_deletion(auth: Callable[..., Auth], inside: Any) -> None:
    """The rows stay, and neither a pseudonym nor the digest of an address leads from a person to them."""
    made = auth(Password(require_code=False), Audit())
    made.create_tables()
    user = made.blocking.administration.create(**WHOLE)
    with pytest.raises(InvalidCredentials):
        made.blocking.password.sign_in(email=EMAIL, password="four loud cranes walk")
    assert made.blocking.audit.list(user=EMAIL)

    made.blocking.administration.delete(user_id=user.id)

    assert made.blocking.audit.list(user=EMAIL) == []
    assert made.blocking.audit.list(user=user.id) == []
    rows = inside(made).rows(shipped().tables["authcore_event"])
    assert {row.name for row in rows} >= {"Registered", "Failed", "UserDeleted"}
    assert {row.subject for row in rows} == {None}
