"""The room `email_change` as Python calls, what it keeps of an address that was left, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Auth, ConfigurationError, EmailChange, Password, Request, SignedIn
from authcore.backends.mail import MemoryMailer
from authcore.errors import InvalidChallenge, InvalidFields, NotAuthenticated, ReauthenticationRequired
from authcore.features.email_change import store
from authcore.services import accounts
from authcore.services.accounts import EMAIL_PASSWORD, EMAIL_RESERVED, PHONE, identities, users
from authcore.services.events import DeletionCancelled, EmailChanged, EmailChangeUndone, Event, Verified
from authcore.testing.ports import FrozenClock

EMAIL, NEW, PASSWORD = "ada@example.com", "bea@example.com", "three quiet herons wade"
UNKNOWN = "ac1_ln_" + "A" * 43


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application where addresses can be changed."""
    return auth(Password(), EmailChange())


@pytest.fixture
def calls(calling: Any, made: Auth) -> Any:
    """Its calls."""
    return calling(made)


@pytest.fixture
def held(made: Auth, calls: Any, client: Callable[..., Any]) -> SignedIn:
    """A session of a user whose address is proven."""
    begun = calls.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    found = calls.password.verify_sign_up(challenge_id=begun.challenge.id, code=client(made).mailed_code())
    assert isinstance(found, SignedIn)
    return found


def carrying(held: SignedIn) -> Request:
    """Answer a request of a session."""
    return Request("POST", "/mine", headers={"authorization": f"Bearer {held.access_token}"})


def link_to(made: Auth, mailer: MemoryMailer, email: str) -> str:
    """Answer the token of the latest link to an address."""
    made.outbox.drain()
    return next(mail.token for mail in reversed(mailer.mails) if mail.to == email and mail.token)


@pytest.fixture
def move(made: Auth, calling: Any, mailer: MemoryMailer) -> Callable[[SignedIn, str], SignedIn]:
    """Change the address of a session's user; answer the session as it goes on."""

    def moved(held: SignedIn, email: str) -> SignedIn:
        mine = calling(made, carrying(held)).email_change
        mine.change(new_email=email, current_password=PASSWORD)
        done = mine.confirm(token=link_to(made, mailer, email))
        assert isinstance(done, SignedIn)
        return done

    return moved


def test_a_change_and_its_undo_by_calls(
    made: Auth, calls: Any, held: SignedIn, move: Any, mailer: MemoryMailer
) -> None:
    """A9, S119: change, confirm and undo answer the user, and tell EmailChanged, Verified and EmailChangeUndone."""
    heard: list[Event] = []
    for kind in (EmailChanged, Verified, EmailChangeUndone):
        made.on(kind, heard.append)

    done = move(held, NEW)
    restored = calls.email_change.undo(token=link_to(made, mailer, EMAIL))

    assert (done.user.email, done.session.id) == (NEW, held.session.id)
    assert done.access_token != held.access_token
    assert (restored.email, restored.email_verified) == (EMAIL, True)
    changed, verified, undone = heard
    assert isinstance(changed, EmailChanged)
    assert (changed.user.email, changed.old_email) == (NEW, EMAIL)
    assert isinstance(verified, Verified)
    assert isinstance(undone, EmailChangeUndone)
    assert undone.user.email == EMAIL


def test_a_listener_may_refuse_an_address(made: Auth, calling: Any, held: SignedIn, mailer: MemoryMailer) -> None:
    """S119: what a listener in the transaction raises leaves the address, and the link, as they were."""

    def only_ours(_tx: Any, event: EmailChanged) -> None:
        if not str(event.user.email).endswith("@ours.example"):
            raise InvalidFields()

    made.on(EmailChanged, only_ours, in_transaction=True)
    mine = calling(made, carrying(held))
    mine.email_change.change(new_email=NEW)
    link = link_to(made, mailer, NEW)

    for _ in range(2):
        with pytest.raises(InvalidFields):
            mine.email_change.confirm(token=link)

    assert mine.sessions.get_user().email == EMAIL


def test_calls_ask_what_routes_ask(calling: Any, made: Auth, calls: Any, held: SignedIn, clock: FrozenClock) -> None:
    """A9: without a request nobody is signed in; a stale session is asked to prove itself; nonsense is refused."""
    clock.advance(301)
    mine = calling(made, carrying(held)).email_change

    with pytest.raises(NotAuthenticated):
        calls.email_change.change(new_email=NEW)
    with pytest.raises(ReauthenticationRequired):
        mine.change(new_email=NEW)
    for nothing in ("", "nonsense", UNKNOWN):
        with pytest.raises(InvalidChallenge):
            mine.confirm(token=nothing)
        with pytest.raises(InvalidChallenge):
            calls.email_change.undo(token=nothing)


def test_a_password_counts_only_where_there_are_passwords(
    auth: Callable[..., Auth], calling: Any, held: SignedIn
) -> None:
    """A9: without the room of passwords a current password is an unknown field."""
    mine = calling(auth(EmailChange()), carrying(held)).email_change

    with pytest.raises(InvalidFields) as raised:
        mine.change(new_email=NEW, current_password=PASSWORD)

    assert [detail["field"] for detail in raised.value.details] == ["current_password"]


def test_an_address_that_was_left_is_kept_and_released(
    made: Auth, held: SignedIn, move: Any, inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """A9: for 7 days the old address opens nothing and has its owner; then cleaning releases it."""
    side = inside(made)
    move(held, NEW)
    tenant = "default"

    holder = side.read(accounts.holder, tenant, EMAIL_PASSWORD, EMAIL)
    owner = side.read(accounts.owner, tenant, EMAIL_PASSWORD, EMAIL)
    opened = side.read(accounts.by_identifier, tenant, EMAIL, accounts.PLAIN)
    early = side.write(store.release_old, clock.now() - timedelta(days=7), 10)
    clock.advance(7 * 86400 + 1)
    late = side.write(store.release_old, clock.now() - timedelta(days=7), 10)

    assert (holder, owner, opened) == (held.user.id, None, None)
    assert (early, late) == (0, 1)
    assert side.read(accounts.holder, tenant, EMAIL_PASSWORD, EMAIL) is None
    assert [row.identifier for row in side.rows(identities)] == [NEW]


def test_cleaning_releases_in_batches(
    made: Auth, held: SignedIn, move: Any, inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """Reserved addresses are released at most so many at once."""
    side = inside(made)
    for email in (NEW, "cyd@example.com", "dee@example.com"):
        held = move(held, email)
    clock.advance(8 * 86400)

    removed = [side.write(store.release_old, clock.now() - timedelta(days=7), 2) for _ in range(3)]

    assert removed == [2, 1, 0]


def test_an_undo_drops_what_came_with_the_change(
    made: Auth,
    calls: Any,
    held: SignedIn,
    move: Any,
    mailer: MemoryMailer,
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
) -> None:
    """A9: addresses and a phone that a thief added before the change or after it open the account no more; what is
    older than an undo can be stays."""
    side = inside(made)
    user_id = held.user.id
    for email, days in (("older@example.com", 8), ("earlier-thief@example.com", 1)):
        since = clock.now() - timedelta(days=days)
        side.write(accounts.add_identity, "default", EMAIL_PASSWORD, email, user_id, since)
    move(held, NEW)
    clock.advance(60)
    side.write(accounts.add_identity, "default", EMAIL_PASSWORD, "thief@example.com", user_id, clock.now())
    side.write(accounts.add_identity, "default", PHONE, "+15555550100", user_id, clock.now())
    side.write(lambda tx: tx.execute(users.update().values(phone="+15555550100")))

    calls.email_change.undo(token=link_to(made, mailer, EMAIL))

    kept = {(row.provider, row.identifier) for row in side.rows(identities)}
    assert kept == {(EMAIL_PASSWORD, EMAIL), (EMAIL_PASSWORD, "older@example.com")}
    assert [row.phone for row in side.rows(users)] == [None]


def test_one_of_one_s_own_addresses_may_become_the_first(
    made: Auth, held: SignedIn, move: Any, inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """A2: an address that opens the account already is its owner's to change to."""
    side = inside(made)
    side.write(accounts.add_identity, "default", EMAIL_PASSWORD, NEW, held.user.id, clock.now())

    done = move(held, NEW)

    assert done.user.email == NEW
    kept = {(row.provider, row.identifier) for row in side.rows(identities)}
    assert kept == {(EMAIL_PASSWORD, NEW), (EMAIL_RESERVED, EMAIL)}


def test_a_change_whose_session_ended_meanwhile_is_refused(
    made: Auth, calling: Any, held: SignedIn, mailer: MemoryMailer, inside: Callable[[Auth], Any], monkeypatch: Any
) -> None:
    """T9: credentials that end between the look-up and the transaction are not carried over by the change."""
    mine = calling(made, carrying(held)).email_change
    mine.change(new_email=NEW)
    link, real = link_to(made, mailer, NEW), store.confirm

    def late(tx: Any, change: Any, shape: Any) -> Any:
        # As an undo does that commits while this transaction waits for the user's row.
        tx.execute(users.update().values(credential_epoch=users.c.credential_epoch + 1))
        return real(tx, change, shape)

    monkeypatch.setattr(store, "confirm", late)
    with pytest.raises(InvalidChallenge):
        mine.confirm(token=link)

    assert [row.email for row in inside(made).rows(users)] == [EMAIL]


def test_an_undo_cancels_a_deletion(
    made: Auth,
    calls: Any,
    held: SignedIn,
    move: Any,
    mailer: MemoryMailer,
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
) -> None:
    """A9: a thief who has the account deleted, days from then, does not get rid of it."""
    heard: list[DeletionCancelled] = []
    made.on(DeletionCancelled, heard.append)
    move(held, NEW)
    inside(made).write(lambda tx: tx.execute(users.update().values(delete_at=clock.now() + timedelta(days=3))))

    calls.email_change.undo(token=link_to(made, mailer, EMAIL))

    assert [row.delete_at for row in inside(made).rows(users)] == [None]
    assert [event.user.email for event in heard] == [EMAIL]


def test_an_undo_ends_with_the_account(
    made: Auth, calls: Any, held: SignedIn, move: Any, mailer: MemoryMailer, inside: Callable[[Auth], Any]
) -> None:
    """A link to an account that is gone restores nothing."""
    move(held, NEW)
    link = link_to(made, mailer, EMAIL)
    inside(made).write(lambda tx: tx.execute(users.delete()))

    with pytest.raises(InvalidChallenge):
        calls.email_change.undo(token=link)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"undo_ttl": timedelta(hours=1)}, r"EmailChange\(undo_ttl=…\) lies between"),
        ({"undo_ttl": 7}, r"undo_ttl=…\) lies between"),
        ({"link_ttl": None}, r"EmailChange\(link_ttl=None\): its mails carry a link"),
        ({"link_ttl": timedelta(days=8)}, r"link_ttl=…\) lies between"),
        ({"code_length": 13}, r"EmailChange\(code_length=13\) is a whole number between 6 and 12"),
        ({"max_attempts": 11}, r"max_attempts=11\) is a whole number"),
        ({"mail_from": 5}, r"EmailChange\(mail_from=5\) is no address"),
    ],
)
def test_wrong_settings_are_refused_at_start(settings: dict[str, Any], says: str) -> None:
    """O1: each wrong setting is refused with a sentence that says what to write."""
    with pytest.raises(ConfigurationError, match=says):
        EmailChange(**settings)
