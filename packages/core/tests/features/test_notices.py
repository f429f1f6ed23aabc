"""The room `notices`: what makes a device another one, what is told of by events, and settings that are refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from authcore import Auth, ConfigurationError, Notices, Password
from authcore.backends.mail import MemoryMailer
from authcore.events import (
    EmailChanged,
    Event,
    Login,
    LoginFromNewDevice,
    PasswordChanged,
    PasswordReset,
    PasswordSet,
    PhoneChanged,
    UsernameChanged,
)
from authcore.feature import Feature
from authcore.features.notices import KEEP, devices, store
from authcore.features.notices.tables import known_devices
from authcore.services import events
from authcore.services.accounts import User, users
from authcore.services.sessions import Client
from authcore.testing.ports import FrozenClock

EMAIL = "ada@example.com"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
CHANGES: list[tuple[type[Any], str]] = [
    (PasswordChanged, "notice_password"),
    (PasswordReset, "notice_password"),
    (PasswordSet, "notice_password_set"),
    (PhoneChanged, "notice_phone"),
    (UsernameChanged, "notice_username"),
]


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An Auth with the room."""
    return auth(Password(), Notices())


@pytest.fixture
def owner(made: Auth, client: Callable[..., Any]) -> User:
    """The one user of it, as events tell of it."""
    reply = client(made).sign_up(display_name="Ada")
    found = made.blocking.sessions.get_user(access_token=reply.json["access_token"])
    assert found is not None
    return found


def kinds(made: Auth, mailer: MemoryMailer, to: str = EMAIL) -> list[str]:
    """Answer the notices to an address."""
    made.outbox.drain()
    return [mail.kind for mail in mailer.mails if mail.to == to and mail.kind.startswith("notice_")]


# --- changes ---


@pytest.mark.parametrize(("kind", "notice"), CHANGES, ids=[kind.__name__ for kind, _ in CHANGES])
def test_a_change_is_told_of(made: Auth, owner: User, mailer: MemoryMailer, kind: type[Any], notice: str) -> None:
    """A changed password, phone or username mails the owner's address, whoever told of the event."""
    made.events.dispatch(kind("default", NOW, owner))

    assert kinds(made, mailer) == [notice]
    assert mailer.mails[-1].username == "Ada"


def test_nobody_without_an_address_is_told(made: Auth, owner: User, mailer: MemoryMailer) -> None:
    """An account that has no address gets no mail, and nothing fails."""
    before = len(mailer.mails)

    made.events.dispatch(PhoneChanged("default", NOW, replace(owner, email=None)))

    made.outbox.drain()
    assert len(mailer.mails) == before


def test_a_name_of_an_unproven_address_is_not_mailed(made: Auth, owner: User, mailer: MemoryMailer) -> None:
    """Who signs up writes name and address: the site mails no stranger's words to anybody."""
    made.events.dispatch(PasswordChanged("default", NOW, replace(owner, email_verified=False)))

    assert kinds(made, mailer) == ["notice_password"]
    assert mailer.mails[-1].username is None


def test_a_mail_is_written_in_the_users_language(
    made: Auth, owner: User, mailer: MemoryMailer, inside: Callable[[Auth], Any]
) -> None:
    """The account's language goes before that of whoever caused the mail."""
    inside(made).write(lambda tx: tx.execute(users.update().values(locale="de")))

    made.events.dispatch(PasswordChanged("default", NOW, owner))

    assert kinds(made, mailer) == ["notice_password"]
    assert mailer.mails[-1].locale == "de"


def test_the_address_that_loses_is_told(made: Auth, owner: User, mailer: MemoryMailer) -> None:
    """A changed address is told to the one that lost the account, and not to the other."""
    changed = replace(owner, email="grace@example.com")

    made.events.dispatch(EmailChanged("default", NOW, changed, EMAIL))

    assert kinds(made, mailer) == ["notice_email"]
    assert kinds(made, mailer, "grace@example.com") == []


class _Changing(Feature):
    """A room of the name that tells the losing address itself."""

    name = "email_change"


def test_the_address_is_told_once(auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer) -> None:
    """Where the room that changes addresses tells the loser, this one does not."""
    made = auth(Password(), Notices(), _Changing())
    reply = client(made).sign_up()
    owner = made.blocking.sessions.get_user(access_token=reply.json["access_token"])
    assert owner is not None

    made.events.dispatch(EmailChanged("default", NOW, replace(owner, email="grace@example.com"), EMAIL))

    assert kinds(made, mailer) == []


@pytest.mark.parametrize("setting", ["new_device", "password", "email", "factor"])
def test_what_is_switched_off_is_not_told_of(
    auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer, setting: str
) -> None:
    """Each kind of notice has its setting, which silences that kind alone."""
    chosen: dict[str, Any] = {setting: False}
    made = auth(Password(), Notices(**chosen))
    reply = client(made).sign_up()
    owner = made.blocking.sessions.get_user(access_token=reply.json["access_token"])
    assert owner is not None

    client(made).sign_in(device_id="d-2")
    everything: list[Event] = [kind("default", NOW, owner) for kind, _ in CHANGES]
    for event in (*everything, EmailChanged("default", NOW, owner, EMAIL)):
        made.events.dispatch(event)

    silent = {
        "new_device": {"notice_new_device"},
        "password": {"notice_password", "notice_password_set"},
        "email": {"notice_email"},
        "factor": {"notice_phone", "notice_username"},
    }
    all_kinds = {mail.kind for mail in Notices.mails} - {"notice_failures"}
    assert set(kinds(made, mailer)) == all_kinds - silent[setting]


# --- devices ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Client("203.0.113.7", CHROME.format(139)), Client("203.0.200.9", CHROME.format(141)), True),
        (Client("203.0.113.7", CHROME.format(139)), Client("203.1.113.7", CHROME.format(139)), False),
        (Client("203.0.113.7", CHROME.format(139)), Client("203.0.113.7", CHROME.format(139) + " Edg/139"), False),
        (Client("2001:db8:1::1", "curl/8"), Client("2001:db8:ffff::2", "curl/9"), True),
        (Client("2001:db8:1::1", "curl/8"), Client("2001:db9:1::1", "curl/8"), False),
        (Client("::ffff:203.0.113.7", "curl/8"), Client("203.0.113.8", "curl/8"), True),
        (Client("203.0.113.7", "a", "d-1"), Client("198.51.100.7", "b", "d-1"), True),
        (Client("203.0.113.7", "a", "d-1"), Client("203.0.113.7", "a", "d-2"), False),
        (Client(), Client(None, "", None, "Kitchen"), True),
        (Client(None, "id", "d-1"), Client(None, "d-1"), False),
    ],
)
def test_what_a_device_is_known_by(
    made: Auth, inside: Callable[[Auth], Any], one: Client, other: Client, same: bool
) -> None:
    """Browser, system and network without versions and hosts, or the `device_id` alone."""
    ctx = inside(made).ctx()

    found = [devices.digests(ctx, "u-1", client) for client in (one, other)]

    assert (found[0] == found[1]) is same
    assert devices.digests(ctx, "u-2", one) != found[0]


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (CHROME.format(141), "Chrome, Windows"),
        (CHROME.format(141) + " Edg/141.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari, iOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36", "Chrome, Android"),
        ("call +1 555 0100", None),
        (None, None),
    ],
)
def test_how_a_mail_names_a_device(agent: str | None, label: str | None) -> None:
    """By known words alone, never by what the client wrote (rule O3)."""
    assert devices.label(Client("203.0.113.7", agent, "d-1", "Kitchen")) == label


def test_a_changed_secret_makes_no_device_unknown(
    auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer
) -> None:
    """While the former secret is still in the ring, devices are known (rule O4)."""
    former, latter = "the former secret of these tests!!", "the latter secret of these tests!!"
    client(auth(Password(), Notices(), secret=former)).sign_up()
    made = auth(Password(), Notices(), secret=[latter, former])

    client(made).sign_in()

    assert kinds(made, mailer) == []


def test_the_last_device_is_never_forgotten(
    made: Auth, client: Callable[..., Any], clock: FrozenClock, inside: Callable[[Auth], Any], mailer: MemoryMailer
) -> None:
    """Others are forgotten when they were not seen for 400 days; a stranger who comes then is still told of."""
    client(made).sign_up()
    clock.advance(60)
    client(made).sign_in(device_id="d-1")
    clock.advance((KEEP + timedelta(days=1)).total_seconds())

    removed = inside(made).write(store.clean, clock.now() - KEEP, 10)
    again = inside(made).write(store.clean, clock.now() - KEEP, 10)
    client(made, peer="198.51.100.1").sign_in()

    assert (removed, again) == (1, 0)
    assert kinds(made, mailer) == ["notice_new_device"] * 2


def test_two_sign_ins_at_a_time_tell_once(
    made: Auth, owner: User, mailer: MemoryMailer, inside: Callable[[Auth], Any]
) -> None:
    """Of several sign-ins on one device at the same moment one writes the row and the mail (rule T2)."""
    ready = threading.Barrier(4)

    def sign_in() -> None:
        ready.wait()
        made.blocking.events.dispatch(Login("default", NOW, owner, "no such session"))

    threads = [threading.Thread(target=sign_in) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert kinds(made, mailer) == ["notice_new_device"]
    assert len(inside(made).rows(known_devices)) == 2


def test_a_device_is_noted_once(made: Auth, owner: User, inside: Callable[[Auth], Any]) -> None:
    """Where two transactions meet one device, the later one goes on without it (rule T2)."""
    digest = b"d" * 32

    noted = inside(made).write(lambda tx: [store.add(tx, owner.id, digest, NOW) for _ in range(2)])

    assert noted == [True, False]
    assert len(inside(made).rows(known_devices, known_devices.c.digest == digest)) == 1


def test_an_anonymous_users_device_is_not_noted(made: Auth, owner: User, inside: Callable[[Auth], Any]) -> None:
    """Who has no account has nobody to be told."""
    anonymous = replace(owner, id="anonymous", anonymous=True, email=None)

    made.events.dispatch(Login("default", NOW, anonymous, "no such session"))

    assert {row.user_id for row in inside(made).rows(known_devices)} == {owner.id}


def test_the_event_is_told_without_an_address(made: Auth, owner: User, mailer: MemoryMailer) -> None:
    """An account without an address has devices too: listeners hear of another one, and no mail is written."""
    heard: list[LoginFromNewDevice] = []
    made.on(LoginFromNewDevice, heard.append)

    made.events.dispatch(Login("default", NOW, replace(owner, email=None), "no such session"))

    assert [event.user.id for event in heard] == [owner.id]
    assert kinds(made, mailer) == []


# --- settings ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_device": 1},
        {"password": "yes"},
        {"email": None},
        {"factor": 0},
        {"after_failures": 0},
        {"after_failures": 101},
        {"after_failures": True},
        {"after_failures": 2.5},
        {"mail_from": "nobody"},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    """The sentence names the setting and says what it may be."""
    [name] = wrong

    with pytest.raises(ConfigurationError, match=rf"Notices\({name}="):
        Notices(**wrong)


def test_it_listens_to_nothing_that_is_switched_off() -> None:
    """An application that switches everything off pays for no listener."""
    silent = Notices(new_device=False, password=False, email=False, factor=False, after_failures=None)

    assert silent.listeners == ()
    assert {kind for kind, _ in Notices().listeners} <= set(events.EVENTS)
