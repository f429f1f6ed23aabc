"""Rule O2: what must be sent goes out, leased, retried, and under one key."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authcore import Auth
from authcore.backends.mail import MemoryMailer
from authcore.ports import Mail
from authcore.services import outbox
from authcore.services.outbox import BATCH, LEASE, MAX_ATTEMPTS, MailPayload, effects
from authcore.testing.ports import FrozenClock

OLD, NEW = "an older secret of these tests, as long", "a newer secret of these tests, as long"


class Post:
    """The outbox of one Auth, with a sender in hand."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.sent: list[str] = []

    def put(
        self, number: int = 1, *, void: bool = False, kind: str = "sign_up", expires_at: datetime | None = None
    ) -> None:
        """Write effects, each in a transaction of its own."""
        ctx = self.world.ctx()
        for n in range(number):
            payload = MailPayload(kind=kind, to=f"n{n}@example.com", code="123456", expires_at=expires_at)
            self.world.write(outbox.enqueue, outbox.mail(ctx, payload, void=void))

    def deliver(self, send: Any = None) -> int:
        """Claim what is due once and do it."""
        claimed: int = self.world.run(outbox.deliver(self.world.runtime, send or self.send))
        return claimed

    async def send(self, key: str, tenant: str, payload: MailPayload) -> None:
        """Send one mail."""
        self.sent.append(key)

    async def fail(self, key: str, tenant: str, payload: MailPayload) -> None:
        """Fail to send one mail."""
        self.sent.append(key)
        raise ConnectionRefusedError(f"the code {payload.code} is not for logs")

    @property
    def rows(self) -> list[Any]:
        """Every row of the table."""
        return self.world.rows(effects)


@pytest.fixture
def post(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> Callable[..., Post]:
    """Open an outbox; several on one database are several processes."""
    return lambda **settings: Post(inside(auth(**settings)))


# --- leases ---


def test_what_waits_goes_out_in_the_order_in_which_it_was_decided(
    post: Callable[..., Post], clock: FrozenClock
) -> None:
    """Of two codes for one mailbox the later one opens, so it arrives later, whichever row was written first."""
    waiting = post()
    ctx = waiting.world.ctx()
    first = outbox.mail(ctx, MailPayload(kind="sign_up", to="ada@example.com"))
    clock.advance(60)
    second = outbox.mail(ctx, MailPayload(kind="sign_up", to="ada@example.com"))
    for effect in (second, first):
        waiting.world.write(outbox.enqueue, effect)

    waiting.deliver()

    assert waiting.sent == [first.key, second.key]


def test_an_effect_is_done_once_and_wiped(post: Callable[..., Post], clock: FrozenClock) -> None:
    """An effect is claimed, done, and keeps neither payload nor lease."""
    one = post()
    one.put()
    sealed = one.rows[0].payload

    claimed = [one.deliver(), one.deliver()]

    [row] = one.rows
    assert b"123456" not in sealed
    assert claimed == [1, 0]
    assert one.sent == [row.key]
    assert (row.payload, row.lease, row.next_at, row.done_at) == (None, None, None, clock.now())


def test_a_sender_takes_nothing_that_another_one_holds(post: Callable[..., Post]) -> None:
    """While one sender is busy with its batch, a second one finds nothing."""
    first, second = post(), post()
    first.put(3)
    found = []

    async def send(key: str, tenant: str, payload: MailPayload) -> None:
        found.append(second.deliver())
        first.sent.append(key)

    first.deliver(send)

    assert found == [0, 0, 0]
    assert (len(set(first.sent)), second.sent) == (3, [])


def test_many_senders_at_once_send_each_row_once(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """Four senders drain one table together: every key goes out exactly once."""
    mailers = [MemoryMailer() for _ in range(4)]
    senders = [auth(mailer=mailer) for mailer in mailers]
    Post(inside(senders[0])).put(2 * BATCH + 3)
    barrier = threading.Barrier(len(senders))

    def drain(sender: Auth) -> None:
        barrier.wait()
        sender.outbox.drain()

    threads = [threading.Thread(target=drain, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sent = Counter(mail.key for mailer in mailers for mail in mailer.mails)
    assert len(sent) == 2 * BATCH + 3
    assert set(sent.values()) == {1}


def test_a_slow_batch_loses_no_lease_to_another_sender(post: Callable[..., Post], clock: FrozenClock) -> None:
    """A batch that takes longer than one lease is not sent twice: whoever holds a row sends it, and nobody else."""
    first, second = post(), post()
    first.put(5)

    async def slow(key: str, tenant: str, payload: MailPayload) -> None:
        first.sent.append(key)
        clock.advance(LEASE.total_seconds() * 0.9)
        second.deliver()

    first.deliver(slow)

    sent = Counter(first.sent + second.sent)
    assert len(sent) == 5
    assert set(sent.values()) == {1}
    assert all(row.done_at is not None for row in first.rows)


def test_what_a_dead_sender_held_goes_out_after_its_lease(post: Callable[..., Post], clock: FrozenClock) -> None:
    """A lease ends by itself, and the next sender uses the same key."""
    dead, alive = post(), post()
    dead.put()
    dead.world.write(outbox.claim, "the dead sender's", clock.now())
    key = dead.rows[0].key

    clock.advance(LEASE.total_seconds() - 0.001)
    early = alive.deliver()
    clock.advance(0.001)
    late = alive.deliver()

    assert (early, late) == (0, 1)
    assert alive.sent == [key]


def test_a_sender_that_lost_its_lease_changes_nothing(post: Callable[..., Post], clock: FrozenClock) -> None:
    """Finishing and postponing ask whether the row is still one's own."""
    one = post()
    one.put()
    [row] = one.world.write(outbox.claim, "mine", clock.now())

    one.world.write(outbox.finish, row.id, "theirs", clock.now())
    one.world.write(outbox.postpone, row.id, "theirs", None)
    held = one.world.write(outbox.hold, row.id, "theirs", clock.now())

    [after] = one.rows
    assert not held
    assert (after.lease, after.done_at) == ("mine", None)
    assert after.payload is not None


# --- failures ---


def test_a_failure_is_tried_again_with_growing_pauses(post: Callable[..., Post], clock: FrozenClock) -> None:
    """O2: the pause doubles from 2 s to at most an hour; after 12 tries the row stays for people to see."""
    one = post()
    one.put()
    pauses = []

    while (due := one.rows[0].next_at) is not None:
        clock.advance((due - clock.now()).total_seconds())
        assert one.deliver(one.fail) == 1
        after = one.rows[0].next_at
        pauses.append((after - clock.now()).total_seconds() if after else None)

    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, None]
    assert len(one.sent) == MAX_ATTEMPTS
    assert len(set(one.sent)) == 1
    assert one.rows[0].done_at is None


def test_a_postponed_effect_waits_for_its_pause(post: Callable[..., Post], clock: FrozenClock) -> None:
    """O2: a postponed effect is not due before its time, and then goes out under its key."""
    one = post()
    one.put()
    one.deliver(one.fail)

    early = one.deliver()
    clock.advance(2)
    late = one.deliver()

    assert (early, late) == (0, 1)
    assert len(set(one.sent)) == 1
    assert one.rows[0].done_at == clock.now()


def test_one_failing_mail_holds_up_no_other(post: Callable[..., Post]) -> None:
    """O2: the rest of a batch goes out, and only what failed waits."""
    one = post()
    one.put(5)

    async def send(key: str, tenant: str, payload: MailPayload) -> None:
        if payload.to.startswith("n2"):
            raise TimeoutError
        one.sent.append(key)

    one.deliver(send)

    assert len(one.sent) == 4
    assert [row.done_at is None for row in one.rows].count(True) == 1


def test_a_failure_tells_the_log_no_secret(post: Callable[..., Post], caplog: pytest.LogCaptureFixture) -> None:
    """O3: the log names the row, the try and the error in its own words, without what the mail holds."""
    one = post()
    token, url = "Zx81-token", "https://example.com/auth/verify#t=Zx81-token&x=é"
    payload = MailPayload(kind="sign_up", to="ada@example.com", code="123456", token=token, url=url)
    one.world.write(outbox.enqueue, outbox.mail(one.world.ctx(), payload))

    async def refuse(key: str, tenant: str, mail: MailPayload) -> None:
        raise ConnectionRefusedError(
            f"no route\n\x1b[2Jto {mail.to.upper()} (ada%40example.com): {mail.code} {mail.token} {mail.url}"
            f" t={token}&x=é smtp://u:hunter2@host password='hunter2 x' {'~' * 400}"
        )

    with caplog.at_level(logging.DEBUG):
        one.deliver(refuse)

    [told] = [record.getMessage() for record in caplog.records if record.name == "authcore.outbox"]
    assert told.startswith(
        f"Effect {one.rows[0].id} failed at try 1: ConnectionRefusedError: no route [2Jto *** (***): "
    )
    assert not [secret for secret in ("ada", "123456", "Zx81", "verify", "hunter2") if secret in told.lower()]
    assert told.isprintable()
    assert len(told.partition("try 1: ")[2]) == 300


def test_a_mail_of_a_room_that_is_gone_waits(post: Callable[..., Post]) -> None:
    """O2: a kind that no enabled room declares is a failure like others, since another node may know it."""
    one = post()
    one.put(kind="of_a_room_that_is_gone")

    claimed = one.world.auth.outbox.drain()

    assert claimed == 1
    assert (one.rows[0].attempts, one.rows[0].done_at) == (1, None)


def test_what_was_sealed_under_a_lost_key_is_given_up(
    post: Callable[..., Post], caplog: pytest.LogCaptureFixture
) -> None:
    """O4: under a rotated secret mails go out; once the old key is gone, the row is kept and the log says why."""
    old = post(secret=OLD)
    old.put(2)
    rotated, lost = post(secret=[NEW, OLD]), post(secret=NEW)
    by_rotated = []

    async def one_of_two(key: str, tenant: str, payload: MailPayload) -> None:
        if by_rotated:
            raise ConnectionError
        by_rotated.append(payload.code)

    rotated.deliver(one_of_two)
    rotated.world.runtime.ports.clock.advance(2)
    lost.deliver()

    assert by_rotated == ["123456"]
    assert lost.sent == []
    assert sorted((row.done_at is None, row.next_at) for row in old.rows)[-1] == (True, None)
    assert "key that is gone" in caplog.text


def test_a_mail_whose_code_has_expired_is_not_sent(
    post: Callable[..., Post], clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """O2: a code that opens nothing any more confuses whoever gets it: the row is done, wiped, and the log says so."""
    one = post()
    one.put(expires_at=clock.now() + timedelta(minutes=10))
    one.put(expires_at=clock.now() + timedelta(minutes=10, seconds=1))
    first = one.rows[0]
    clock.advance(600)

    claimed = one.deliver()

    assert claimed == 2
    assert one.sent == [row.key for row in one.rows if row.id != first.id]
    assert {(row.payload, row.next_at, row.done_at) for row in one.rows} == {(None, None, clock.now())}
    told = [record.getMessage() for record in caplog.records if record.name == "authcore.outbox"]
    assert told == [f"Effect {first.id} is not sent: what it carries has expired."]


# --- void rows ---


def test_a_void_effect_is_never_sent_and_is_wiped_like_others(post: Callable[..., Post], clock: FrozenClock) -> None:
    """A2: the row of an address without an account has the same life, and no mail."""
    one = post()
    one.put(2, void=True)
    one.put(1)

    claimed = one.deliver()

    assert claimed == 3
    assert len(one.sent) == 1
    assert {(row.payload, row.next_at, row.done_at) for row in one.rows} == {(None, None, clock.now())}


# --- the sender ---


def test_the_thread_sends_what_a_flow_left(
    auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer
) -> None:
    """With `outbox="thread"` nobody has to drain: a lazy thread sends, and ends when it is disposed of."""
    made = auth(outbox="thread")
    before = _threads()
    client(made).post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})

    _wait_for(lambda: bool(mailer.mails))
    during = _threads()
    made.dispose()

    assert len(during) == len(before) + 1
    assert during[-1] == "authcore-outbox"
    assert _threads() == before
    assert [mail.kind for mail in mailer.mails] == ["sign_up"]


def test_what_an_earlier_process_left_goes_out_at_the_first_request(
    auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer
) -> None:
    """O2: a process that serves looks at once for what waits, without a mail of its own."""
    client(auth()).post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})
    later = auth(outbox="thread")

    client(later).get("/health")

    _wait_for(lambda: bool(mailer.mails))
    later.dispose()
    assert len(mailer.mails) == 1


def test_an_async_mailer_is_awaited(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """A mailer may be an async function: the sender has a loop for it."""
    sent: list[Mail] = []

    async def send(mail: Mail) -> None:
        sent.append(mail)

    made = auth(mailer=send)
    client(made).post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})

    assert made.outbox.drain() == 1
    assert [mail.to for mail in sent] == ["ada@example.com"]


def test_a_mailer_that_fails_harms_no_request(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """O2: nothing is sent on a request's path, so a dead mail server changes no answer."""

    def broken(mail: Mail) -> None:
        raise OSError("no route to host")

    made = auth(mailer=broken)
    reply = client(made).post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})

    assert reply.status == 202
    assert made.outbox.drain() == 1


def test_cleaning_removes_what_was_done_long_ago(post: Callable[..., Post], clock: FrozenClock) -> None:
    """Rows that are done are removed after a while; what waits or was given up stays."""
    one = post()
    one.put(2)

    async def once(key: str, tenant: str, payload: MailPayload) -> None:
        if one.sent:
            raise ConnectionError
        one.sent.append(key)

    one.deliver(once)
    clock.advance(timedelta(days=8).total_seconds())

    removed = one.world.write(outbox.clean, clock.now() - outbox.KEEP, 100)

    assert removed == 1
    assert [row.done_at for row in one.rows] == [None]


# --- kill -9 ---

KILLED = """
import os, signal, sys
from authcore import Auth, Password
from authcore.backends.argon2 import CHEAP
from authcore.testing.ports import FrozenClock

database, letters, when = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def mailer(mail):
    if when == "claimed":
        die()
    with open(letters, "a") as file:
        file.write(mail.key + chr(10))
    die()

auth = Auth(
    dev_mode=True, secret="a secret of these tests, long enough", database=database, features=[Password()],
    hashing=CHEAP, mailer=mailer, clock=FrozenClock(), outbox="external",
)
auth.blocking.password.sign_up(email="ada@example.com", password="three quiet herons wade")
if when == "committed":
    die()
auth.outbox.drain()
"""


@pytest.mark.parametrize("when", ["committed", "claimed", "sent"])
def test_a_killed_process_loses_nothing_and_uses_one_key(
    tmp_path: Path,
    auth: Callable[..., Auth],
    client: Callable[..., Any],
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
    mailer: MemoryMailer,
    when: str,
) -> None:
    """O2: after kill -9 between commit, claim, sending and noting, another process sends, under the very same key."""
    letters = tmp_path / "letters"
    database = f"sqlite:///{tmp_path / 'auth.db'}"
    killed = subprocess.run([sys.executable, "-c", KILLED, database, str(letters), when], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    survivor = auth()
    [row] = inside(survivor).rows(effects)

    at_once = survivor.outbox.drain()
    clock.advance(LEASE.total_seconds())
    after_the_lease = survivor.outbox.drain()
    again = survivor.outbox.drain()

    assert (at_once, after_the_lease, again) == ((1, 0, 0) if when == "committed" else (0, 1, 0))
    assert [mail.key for mail in mailer.mails] == [row.key]
    # Dead after sending and before noting it, the first process had sent under the same key: the receiver can tell.
    assert (letters.read_text().split() if letters.exists() else []) == ([row.key] if when == "sent" else [])


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "authcore-outbox"]


def _wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)
