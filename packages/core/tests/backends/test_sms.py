"""Text messages (S90): rendered, handed over by the outbox, and refused where nobody sends them."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authcore import Auth, ConfigurationError
from authcore.backends.mail import FileMailer, MemoryMailer
from authcore.backends.sms import ConsoleSms, FileSms, MemorySms
from authcore.drive import Drive
from authcore.feature import Feature, SmsTemplate
from authcore.ports import Mail, Sms
from authcore.services import mails, outbox
from authcore.services.outbox import MAX_ATTEMPTS, SmsPayload, effects
from authcore.testing.ports import FrozenClock

MakeAuth = Callable[..., Auth]
NUMBER = "+4915112345678"
MAIL = Mail(kind="k", to="a@b.c", sender="s@b.c", subject="s", text="t", html="", key="1", template="k")


@pytest.fixture
def room(tmp_path: Path) -> Feature:
    """A stranger's room that sends a code, in a sentence that the shipped catalogues hold."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "texted.sms.txt").write_text(
        '{% extends "base.sms.txt" %}\n'
        "{% block text %}{% trans %}{{ code }} is your code for {{ product }}.{% endtrans %}{% endblock %}\n"
    )

    class Texted(Feature):
        name = "texted"

        def __init__(self) -> None:
            self.sms = (SmsTemplate("sign_in_code", "texted", folder, family="login"),)  # type: ignore[misc]

    return Texted()


def payload(clock: FrozenClock, **more: Any) -> SmsPayload:
    """Answer a message that is valid for ten minutes."""
    given = {"kind": "sign_in_code", "to": NUMBER, "code": "482913", "expires_at": clock.now() + timedelta(minutes=10)}
    return SmsPayload(**{**given, "user_id": "u1", "metadata": {"why": "test"}, **more})


def put(world: Any, message: SmsPayload, *, void: bool = False) -> None:
    """Decide a message in a transaction of its own."""
    world.write(outbox.enqueue, outbox.sms(world.ctx(), message, void=void))


def test_a_message_goes_through_the_outbox(auth: MakeAuth, inside: Any, room: Feature, clock: FrozenClock) -> None:
    """S90: kind, recipient, code, time to live, user and key arrive; rows are wiped, and a void one sends nothing."""
    sender = MemorySms()
    world = inside(auth(room, sms=sender, product="Laden"))
    put(world, payload(clock))
    put(world, payload(clock), void=True)
    sealed = [row.payload for row in world.rows(effects)]

    clock.advance(60)
    world.auth.outbox.drain()

    [sms] = sender.messages
    keys = {row.key for row in world.rows(effects)}
    assert (sms.kind, sms.event, sms.to, sms.code, sms.user_id) == (
        "sign_in_code",
        "login.pincode",
        NUMBER,
        "482913",
        "u1",
    )
    assert (sms.ttl, sms.metadata, sms.locale) == (540.0, {"why": "test"}, "en")
    assert sms.key in keys
    assert not any(b"482913" in each for each in sealed)
    assert [(row.kind, row.payload, row.next_at) for row in world.rows(effects)] == [("sms", None, None)] * 2


def test_the_last_line_binds_the_code_to_the_site(auth: MakeAuth, room: Feature, clock: FrozenClock) -> None:
    """The message is one sentence with the site's name, then `@host #code`: a phone fills the code in there alone."""
    runtime = auth(room, product="Laden").runtime(Drive.BLOCKING)

    sms = mails.render_sms(runtime, "k", payload(clock))

    assert sms.text == "482913 is your code for Laden.\n\n@127.0.0.1 #482913"


def test_a_message_is_in_the_users_language_and_the_tenants_name(
    auth: MakeAuth, room: Feature, clock: FrozenClock
) -> None:
    """Language, name and site are those of whom it is for."""
    runtime = auth(room).runtime(Drive.BLOCKING)
    of = payload(clock, locale="de", brand={"product": "North\nBooks"}, base_url="https://north.example:8443")

    sms = mails.render_sms(runtime, "k", of)

    assert sms.text == "482913 ist Ihr Code für North Books.\n\n@north.example #482913"
    assert sms.locale == "de"


def test_a_failed_message_is_tried_again_under_one_key(
    auth: MakeAuth, inside: Any, room: Feature, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule O2: a sender that raises is asked again later; neither the number nor the code is logged (rule O3)."""
    keys: list[str] = []

    def send(sms: Sms) -> None:
        keys.append(sms.key)
        if len(keys) < 3:
            raise ConnectionError(f"no way to {sms.to} with {sms.code}")

    world = inside(auth(room, sms=send))
    put(world, payload(clock))
    for _ in range(4):
        world.auth.outbox.drain()
        clock.advance(30)

    assert (len(keys), len(set(keys))) == (3, 1)
    assert NUMBER not in caplog.text
    assert "482913" not in caplog.text


def test_an_async_function_is_awaited(auth: MakeAuth, inside: Any, room: Feature, clock: FrozenClock) -> None:
    """A function of the application may be async."""
    sent: list[str] = []

    async def send(sms: Sms) -> None:
        sent.append(sms.to)

    world = inside(auth(room, sms=send))
    put(world, payload(clock))

    world.auth.outbox.drain()

    assert sent == [NUMBER]


def test_an_expired_message_is_not_sent(auth: MakeAuth, inside: Any, room: Feature, clock: FrozenClock) -> None:
    """A code that has died is sent to nobody."""
    sender = MemorySms()
    world = inside(auth(room, sms=sender))
    put(world, payload(clock))

    clock.advance(601)
    world.auth.outbox.drain()

    assert sender.messages == []
    assert world.rows(effects)[0].done_at == clock.now()


def test_an_effect_of_an_unknown_kind_waits(
    auth: MakeAuth, inside: Any, room: Feature, clock: FrozenClock, mailer: MemoryMailer
) -> None:
    """What another version wrote is given back, not lost, and does not stop what comes after it."""
    world = inside(auth(room))
    put(world, payload(clock))
    world.write(lambda tx: tx.execute(effects.update().values(kind="pigeon")))

    world.auth.outbox.drain()

    [row] = world.rows(effects)
    assert (row.lease, row.done_at, row.attempts) == (None, None, 1)
    assert row.attempts < MAX_ATTEMPTS


def test_nobody_sends_so_it_does_not_start(room: Feature) -> None:
    """O1: a room that sends text messages refuses to start in production where nothing hands them over."""
    settings: dict[str, Any] = {
        "secret": "a secret of these tests, long enough",
        "base_url": "https://example.com",
        "database": "sqlite://",
        "mailer": print,
        "features": [room],
    }
    with pytest.raises(ConfigurationError, match=r"Texted sends text messages, and nothing hands them over.*sms=…"):
        Auth(**settings)
    with pytest.raises(ConfigurationError, match="for dev_mode"):
        Auth(**settings, sms="console")

    assert Auth(**settings, sms=MemorySms()).sms.messages == []


def test_development_prints_them(auth: MakeAuth, room: Feature) -> None:
    """In development nothing has to be set up: messages stand on the console."""
    assert isinstance(auth(room, sms=None).sms, ConsoleSms)


SMS = Sms(kind="sign_in_code", to=NUMBER, text="482913 is your code.\n\n@example.com #482913", key="k", code="482913")


def test_the_console_prints_one_line() -> None:
    """O3: control characters from input start no line and move no cursor."""
    stream = io.StringIO()

    ConsoleSms(stream).send(Sms(kind="k", to="+49\n\x1b[2J", text=SMS.text, key="k"))

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "482913 is your code." in stream.getvalue()


def test_a_file_gets_mails_and_messages(tmp_path: Path, clock: FrozenClock) -> None:
    """Both stand in one file as lines of JSON, told apart by `channel`; only its owner may read it."""
    path = tmp_path / "mailbox"

    FileMailer(path, clock).send(MAIL)
    FileSms(path, clock).send(SMS)

    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["channel"], second["channel"]) == ("mail", "sms")
    assert {name: second[name] for name in ("to", "kind", "code", "link", "at", "key", "text")} == {
        "to": NUMBER,
        "kind": "sign_in_code",
        "code": "482913",
        "link": None,
        "at": "2030-01-01T00:00:00Z",
        "key": "k",
        "text": SMS.text,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_path_is_all_that_a_file_needs(tmp_path: Path) -> None:
    """Without a clock a line has the time of the machine."""
    path = tmp_path / "mailbox"

    FileMailer(path).send(MAIL)
    FileSms(path).send(SMS)

    times = [datetime.fromisoformat(json.loads(line)["at"]) for line in path.read_text().splitlines()]
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=1) for at in times)


def test_no_repr_shows_a_code(clock: FrozenClock) -> None:
    """O3: neither the message nor what waits of it shows its code."""
    assert "482913" not in repr(SMS)
    assert "482913" not in repr(payload(clock))
