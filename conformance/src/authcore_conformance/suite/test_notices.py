"""The room `notices`: mails that tell an account's owner of what may not have been the owner's doing."""

from __future__ import annotations

from typing import Any

import pytest

from authcore import Notices, Password, Sessions
from authcore.events import LoginFromNewDevice
from authcore.ports import Mail
from authcore_conformance.client import Client, Transport
from authcore_conformance.world import EMAIL, PASSWORD, World

WRONG = "not the right letters"
UNKNOWN = "bob@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}) Gecko/20100101 Firefox/{}"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"
DAY = 86400


@pytest.fixture
def room(world: World) -> World:
    """A world that tells owners, with a member whose first device is Firefox on Linux."""
    start(world)
    world.member(headers=agent(FIREFOX.format(140, 140)))
    return world


def start(world: World, **settings: Any) -> None:
    """Start the application with the room."""
    world.start(features=[Password(), Notices(**settings), Sessions()])


def agent(name: str) -> list[tuple[str, str]]:
    """Answer the header by which a browser names itself."""
    return [("User-Agent", name)]


def notices(world: World, email: str = EMAIL) -> list[Mail]:
    """Answer the notices to an address so far."""
    return [mail for mail in world.mails(email) if mail.kind.startswith("notice_")]


def kinds(world: World, email: str = EMAIL) -> list[str]:
    """Answer the kinds of the notices to an address so far."""
    return [mail.kind for mail in notices(world, email)]


def sign_in(client: Client, **more: Any) -> None:
    """Sign the member in."""
    assert client.sign_in(EMAIL, PASSWORD, **more).status == 200


# --- devices ---


def test_the_first_device_of_an_account_is_no_notice(room: World) -> None:
    """Signing up, and signing in again on the same device, tells nobody of anything."""
    sign_in(room.client(headers=agent(FIREFOX.format(141, 141)), peer="198.51.1.1"))

    assert kinds(room) == []


def test_another_device_is_told_of(room: World, transport: Transport) -> None:
    """A sign-in on a device that is not known mails the owner, once for the device (S89)."""
    for _ in range(2):
        sign_in(room.client(transport, headers=agent(EDGE)))

    [mail] = notices(room)
    assert (mail.kind, mail.event, mail.template) == (
        "notice_new_device",
        "notify_new_device",
        "auth-notice-new-device",
    )
    assert "Edge, Windows" in mail.text
    assert "198.51.100.7" in mail.text


def test_another_network_is_another_device(room: World) -> None:
    """The same browser from a network far away is told of."""
    sign_in(room.client(headers=agent(FIREFOX.format(140, 140)), peer="203.0.113.9"))

    assert kinds(room) == ["notice_new_device"]


def test_a_device_with_an_id_is_known_by_it(room: World) -> None:
    """A `device_id` is told of once, wherever it comes from; another one is another device."""
    sign_in(room.client(), device_id="d-1")
    sign_in(room.client(peer="203.0.113.9", headers=agent(EDGE)), device_id="d-1")
    once = kinds(room)

    sign_in(room.client(), device_id="d-2")

    assert once == ["notice_new_device"]
    assert kinds(room) == ["notice_new_device"] * 2


def test_nobody_writes_into_the_mail(room: World) -> None:
    """Neither `User-Agent` nor `device_name` reaches the mail: who signs in writes them (rule O3)."""
    client = room.client(headers=agent("Call +1 555 0100 at once/1.0"))

    sign_in(client, device_name="Visit https://evil.example")

    [mail] = notices(room)
    assert not any(word in part for part in (mail.text, mail.html, mail.subject) for word in ("555", "evil"))


def test_the_answer_tells_nothing_of_the_notice(room: World, transport: Transport) -> None:
    """A sign-in on a device that is not known is answered as on one that is (rule R9)."""
    client = room.client(transport, headers=agent(EDGE))

    unknown, known = client.sign_in(EMAIL, PASSWORD), client.sign_in(EMAIL, PASSWORD)

    assert unknown.masked() == known.masked()
    assert kinds(room) == ["notice_new_device"]


def test_a_new_device_is_an_event(room: World) -> None:
    """`LoginFromNewDevice` is told with the user and the session."""
    heard: list[LoginFromNewDevice] = []
    room.app.on(LoginFromNewDevice, heard.append)
    client = room.client(headers=agent(EDGE))

    sign_in(client)

    [event] = heard
    assert (event.user.email, event.session_id) == (EMAIL, client.get("/session").json["session"]["id"])


def test_what_is_stored_of_a_device_cannot_be_read(room: World) -> None:
    """A row holds an HMAC, and neither address nor browser (rule T1)."""
    sign_in(room.client(headers=agent(EDGE)), device_id="brass-and-oak")

    rows = room.rows("authcore_known_device")

    assert len(rows) == 2
    assert all(len(row["digest"]) == 32 for row in rows)
    assert not any(word in str([dict(row) for row in rows]) for word in ("brass", "198.51", "Edg", "Windows"))


# --- failures ---


def fail(world: World, times: int, email: str = EMAIL) -> None:
    """Fail to sign in."""
    for _ in range(times):
        assert world.client(headers=agent(FIREFOX.format(140, 140))).sign_in(email, WRONG).status == 401


def test_a_sign_in_after_failures_is_told_of(room: World) -> None:
    """After five refused sign-ins a successful one mails the owner how many there were; the count begins anew."""
    client = room.client(headers=agent(FIREFOX.format(140, 140)))
    fail(room, 5)
    sign_in(client)
    fail(room, 4)

    sign_in(client)

    [mail] = notices(room)
    assert (mail.kind, mail.data) == ("notice_failures", {"count": 5})
    assert "5 sign-ins" in mail.text


def test_failures_are_forgotten_after_a_day(room: World) -> None:
    """Failures of the day before are not told of."""
    fail(room, 5)
    room.clock.advance(DAY)

    sign_in(room.client(headers=agent(FIREFOX.format(140, 140))))

    assert kinds(room) == []


def test_failures_cost_an_unknown_address_the_same(room: World) -> None:
    """With and without an account a failure is the same answer, and the same rows are written (rule A2)."""
    fail(room, 1, "eve@example.com")  # what the client's own buckets write is written

    known = room.added(lambda: fail(room, 1))
    unknown = room.added(lambda: fail(room, 1, UNKNOWN))

    assert known == unknown
    assert kinds(room, UNKNOWN) == []


# --- changes ---


def test_another_password_is_told_of(room: World, transport: Transport) -> None:
    """A changed password mails the owner's address, in the frame of all mails and with nothing that opens anything."""
    client = room.client(transport, headers=agent(FIREFOX.format(140, 140)))
    sign_in(client)

    reply = client.post("/password/change", {"current_password": PASSWORD, "new_password": "seven painted lanterns"})

    assert reply.status == 200
    [mail] = notices(room)
    assert (mail.kind, mail.code, mail.token, mail.url) == ("notice_password", None, None, None)


def test_what_is_switched_off_is_not_told_of(room: World) -> None:
    """Each notice is a setting."""
    start(room, new_device=False, password=False, after_failures=None)
    fail(room, 5)
    client = room.client(headers=agent(EDGE))
    sign_in(client)

    reply = client.post("/password/change", {"current_password": PASSWORD, "new_password": "seven painted lanterns"})

    assert reply.status == 200
    assert kinds(room) == []
