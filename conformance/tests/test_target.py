"""The target for tests from outside: real servers, asked over real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from authcore_conformance import target
from authcore_conformance.client import Client, Transport
from authcore_conformance.driver import HttpRequest, HttpResponse
from authcore_conformance.scratch import Databases

ADAPTERS = ("flask", "fastapi", "django", "litestar")
EMAIL = "ada@example.com"
PASSWORD = "four words without sense"
COMMAND = (sys.executable, "-m", "authcore_conformance.target")
WAIT = 30  # seconds until something must have happened

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tests look at processes in /proc")


@dataclass
class Target:
    """A running target, with its mailbox and its database to look at."""

    process: subprocess.Popen[str]
    base_url: str
    mailbox: Path
    database: str

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request."""
        connection = http.client.HTTPConnection(self.netloc, timeout=WAIT)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                connection.putheader(name, value)
            if request.body:
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            return HttpResponse(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    @property
    def netloc(self) -> str:
        """Answer host and port."""
        return self.base_url.removeprefix("http://").removesuffix("/auth")

    def client(self, transport: Transport = "bearer", **known: Any) -> Client:
        """Answer a client that nobody has seen before."""
        return Client(self.send, "/auth", transport, host=self.netloc, **known)

    def member(self, email: str = EMAIL) -> Client:
        """Answer a client that has signed up and is signed in."""
        client = self.client()
        started = client.sign_up(email, PASSWORD)
        assert started.status == 202, started
        verified = client.verify(started, self.mail(email)["code"])
        assert verified.status == 200, verified
        return client

    def mails(self, email: str = EMAIL) -> list[dict[str, Any]]:
        """Answer the mails to an address so far."""
        lines = self.mailbox.read_text().splitlines() if self.mailbox.is_file() else []
        return [mail for line in lines if (mail := json.loads(line))["to"] == email]

    def mail(self, email: str = EMAIL) -> dict[str, Any]:
        """Answer the latest mail to an address, once there is one."""
        eventually(lambda: self.mails(email))
        return self.mails(email)[-1]

    def rows(self, statement: str) -> list[Any]:
        """Answer what the database holds."""
        engine = create_engine(self.database, poolclass=NullPool)
        with engine.connect() as connection:
            found = list(connection.execute(text(statement)))
        engine.dispose()
        return found

    @property
    def servers(self) -> set[int]:
        """Answer the processes below the target's own."""
        return descendants(self.process.pid)


@dataclass
class Targets:
    """Start targets on one database and mailbox, and end them with the test."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def mailbox(self) -> Path:
        """Answer the file that mails are appended to."""
        return self.folder / "mails.jsonl"

    @property
    def clock(self) -> Path:
        """Answer the file that shifts time."""
        return self.folder / "clock"

    def start(self, adapter: str, *options: str, database: str | None = None) -> Target:
        """Start a target, on SQLite with cheap hashes unless told otherwise, and wait for its first line."""
        database = database or f"sqlite:///{self.folder / 'target.db'}"
        if not self.clock.exists():
            self.clock.write_text("0")
        process = subprocess.Popen(
            [
                *(*COMMAND, "--adapter", adapter, "--port", "0", "--hash", "cheap"),
                *("--database", database, "--mailbox", str(self.mailbox), "--clock", str(self.clock), *options),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.stack.callback(end, process)
        assert process.stdout is not None
        return Target(process, process.stdout.readline().strip(), self.mailbox, database)


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    """Give a folder of one's own for targets, and leave none running."""
    targets = Targets(tmp_path)
    with targets.stack:
        yield targets


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Keep one scratch database of each kind."""
    databases = Databases(tmp_path_factory.mktemp("databases"))
    yield databases
    databases.drop()


def end(process: subprocess.Popen[str]) -> None:
    """End a target, if it runs."""
    process.terminate()
    process.wait(WAIT)
    if process.stdout is not None:
        process.stdout.close()


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    """Answer every live process below a process."""
    processes = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    found = {child for child in processes if state_of(child)[1] == str(pid)}
    return found.union(*(descendants(child) for child in found))


def alive(pids: set[int]) -> set[int]:
    """Answer the processes that still run."""
    return {pid for pid in pids if state_of(pid)[0] not in ("", "Z")}


def state_of(pid: int) -> list[str]:
    """Answer a process's state and its parent, as proc(5) has them; two empty texts if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return ["", ""]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_stranger_signs_up_over_http(targets: Targets, databases: Databases, adapter: str, database: str) -> None:
    """The first line is the base URL, and behind it stand the routes, the mailbox and a guarded route."""
    running = targets.start(adapter, "--workers", "2", database=databases.get(database).url)
    document = running.client().get("/openapi.json")
    refused = running.client().visit("GET", "/hello")

    greeted = running.member().visit("GET", "/hello")

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/auth", running.base_url)
    assert "/auth/sign-up" in document.json["paths"]
    assert (refused.status, refused.code) == (401, "not_authenticated")
    assert greeted.json == {"hello": EMAIL}


def test_a_mail_is_a_line_of_json(targets: Targets) -> None:
    """Each mail is appended as one line: to whom, of which kind, its code or link, when, and under which key."""
    running = targets.start("flask")

    running.client().sign_up(EMAIL, PASSWORD)
    mail = running.mail()

    more = {"channel", "token", "event", "username", "locale"}
    assert set(mail) == {"to", "kind", "code", "link", "at", "key"} | more
    assert (mail["to"], mail["kind"], mail["link"]) == (EMAIL, "sign_up", None)
    assert re.fullmatch(r"\d{6}", mail["code"])
    assert abs(datetime.fromisoformat(mail["at"]) - datetime.now(UTC)) < timedelta(seconds=WAIT)


def test_every_room_is_served(targets: Targets) -> None:
    """A stranger finds each room's way in: a guest's session, a text message, a link, a reset."""
    running = targets.start("flask")
    client = running.client()

    guest = client.post("/anonymous", {})
    texted = client.post("/code", {"phone": "+41791234567"})
    mailed = [client.post(path, {"email": EMAIL}) for path in ("/magic-link", "/code", "/password/reset")]

    assert (guest.status, texted.status) == (201, 202), (guest, texted)
    assert [answer.status for answer in mailed] == [202, 202, 202]


@pytest.mark.parametrize(("options", "status"), [((), 200), (("--email-code",), 202)], ids=["alone", "with a code"])
def test_a_code_after_the_password_is_for_who_asks_for_it(
    targets: Targets, options: tuple[str, ...], status: int
) -> None:
    """By default a password signs in alone, as the suite's clients expect."""
    running = targets.start("flask", *options)
    running.member()

    assert running.client().sign_in(EMAIL, PASSWORD).status == status


@pytest.mark.parametrize(("options", "status"), [((), 422), (("--usernames",), 401)], ids=["by address", "by name"])
def test_a_username_names_a_user_for_who_asks_for_it(targets: Targets, options: tuple[str, ...], status: int) -> None:
    """By default an address alone does."""
    running = targets.start("flask", *options)

    answer = running.client().post("/sign-in", {"username": "ada", "password": PASSWORD})

    assert answer.status == status


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_sigterm_ends_every_process(targets: Targets, adapter: str) -> None:
    """At SIGTERM the target ends with status 0, and no worker outlives it."""
    running = targets.start(adapter, "--workers", "2")
    servers = running.servers

    running.process.send_signal(signal.SIGTERM)
    status = running.process.wait(WAIT)

    assert len(servers) >= 2
    assert status == 0
    assert alive(servers) == set()


@pytest.mark.parametrize("adapter", ["flask", "fastapi"])
def test_a_killed_target_leaves_no_worker(targets: Targets, adapter: str) -> None:
    """Killed outright, the target takes its workers with it."""
    running = targets.start(adapter, "--workers", "2")
    servers = running.servers

    running.process.kill()
    running.process.wait(WAIT)

    assert servers
    eventually(lambda: not alive(servers))


def test_a_server_whose_target_is_gone_ends() -> None:
    """A target killed while a server still starts leaves none behind: the server looks who its parent is."""
    command = (sys.executable, "-m", "authcore_conformance.target_server", "fastapi", "0", "1", str(os.getppid()))

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "target: the process that started this server has ended.\n"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_killed_servers_are_replaced(targets: Targets, adapter: str) -> None:
    """Killed outright, servers and workers are replaced by others that know every session, on the same address."""
    running = targets.start(adapter, "--workers", "2")
    member, servers = running.member(), running.servers

    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(servers))
    answer = member.get("/me")

    assert len(servers) >= 2
    assert answer.json["user"]["email"] == EMAIL
    assert not running.servers & servers


@pytest.mark.parametrize("adapter", ["flask", "fastapi"])
def test_a_killed_target_runs_again_with_its_data(targets: Targets, adapter: str) -> None:
    """Killed outright and started again, a target knows its users and its sessions."""
    running = targets.start(adapter)
    member = running.member()
    running.process.kill()
    running.process.wait(WAIT)

    again = targets.start(adapter)
    known = again.client(access_token=member.access_token).get("/me")
    signed_in = again.client().sign_in(EMAIL, PASSWORD)

    assert (known.status, signed_in.status) == (200, 200)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_mail_survives_a_kill_between_commit_and_send(targets: Targets, adapter: str) -> None:
    """O2: killed after the commit and before the mail was handed over, a target sends it once when it runs again."""
    os.mkfifo(targets.mailbox)  # nobody reads it, so the sender waits in the very act of sending
    running = targets.start(adapter)
    client = running.client()
    started = client.sign_up(EMAIL, PASSWORD)
    eventually(lambda: running.rows("SELECT 1 FROM authcore_effect WHERE lease IS NOT NULL"))
    for pid in [running.process.pid, *running.servers]:
        os.kill(pid, signal.SIGKILL)
    running.process.wait(WAIT)
    [(key,)] = running.rows("SELECT key FROM authcore_effect")

    targets.mailbox.unlink()
    targets.clock.write_text("61")  # the killed sender's lease is over
    again = targets.start(adapter, "--workers", "2")
    mail = again.mail()
    eventually(lambda: again.rows("SELECT 1 FROM authcore_effect WHERE done_at IS NOT NULL AND payload IS NULL"))
    targets.clock.write_text("300")  # another lease would be over too
    again.client().sign_up("grace@example.com", PASSWORD)
    again.mail("grace@example.com")
    verified = again.client().verify(started, mail["code"])

    assert verified.status == 200
    assert [sent["key"] for sent in again.mails()] == [key]


def test_the_clock_is_read_at_each_request(targets: Targets) -> None:
    """The seconds in the clock's file shift the time of a running running."""
    running = targets.start("flask")
    member = running.member()

    targets.clock.write_text(str(15 * 60 + 1))
    later = member.get("/me")
    targets.clock.write_text("0")
    sooner = member.get("/me")

    assert (later.status, sooner.status) == (401, 200)


@pytest.mark.parametrize(("limits", "status"), [("default", 429), ("off", 401)])
def test_limits_can_be_off(targets: Targets, limits: str, status: int) -> None:
    """Eleven wrong passwords in a minute are one too many, unless limits are off."""
    running = targets.start("flask", "--limits", limits, "--workers", "2")

    answers = [running.client().sign_in(EMAIL, "a wrong password, again").status for _ in range(11)]

    assert answers == [401] * 10 + [status]


@pytest.mark.parametrize(("grace", "statuses"), [("10", [200, 200]), ("0", [200, 401])])
def test_the_grace_can_be_set(targets: Targets, grace: str, statuses: list[int]) -> None:
    """T6: a replaced refresh token answers again inside the grace, and never without one."""
    client = targets.start("flask", "--grace", grace).member()
    token = client.refresh_token

    answers = [client.refresh(token).status for _ in range(2)]

    assert answers == statuses


@pytest.mark.parametrize(
    ("offered", "statuses"), [("both", [401, 401]), ("cookie", [401, 422]), ("bearer", [422, 401])]
)
def test_the_transport_can_be_set(targets: Targets, offered: str, statuses: list[int]) -> None:
    """A transport that is not offered is refused as a wrong field."""
    client = targets.start("flask", "--transport", offered).client()

    answers = [client.sign_in(EMAIL, PASSWORD, transport=asked).status for asked in ("cookie", "bearer")]

    assert answers == statuses


@pytest.mark.parametrize(("chosen", "cost"), [("cheap", "m=8,t=1,p=1"), ("default", "m=32768,t=2,p=1")])
def test_the_hash_can_be_cheap(targets: Targets, chosen: str, cost: str) -> None:
    """Hashes cost what they cost in production unless they are to be cheap."""
    running = targets.start("flask", "--hash", chosen)

    running.member()

    [(digest,)] = running.rows("SELECT digest FROM authcore_password")
    assert digest.startswith(f"$argon2id$v=19${cost}$")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_forwarding_headers_are_not_believed(targets: Targets, adapter: str) -> None:
    """R3: whatever a client says of itself, its address is the connection's, and the address asked is the one sent."""
    running = targets.start(adapter)
    running.member()

    spoofed = [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9")]
    mounted = [("SCRIPT_NAME", "/auth"), ("X-Forwarded-Prefix", "/auth"), ("X-Forwarded-Proto", "https")]
    signed_in = running.client(headers=[*spoofed, *mounted]).sign_in(EMAIL, PASSWORD)

    assert signed_in.status == 200
    assert signed_in.json["session"].get("ip") in (None, "127.0.0.1")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_body_in_chunks_is_read(targets: Targets, adapter: str) -> None:
    """RFC 9112 7.1: a body without an announced length is read whole, and capped at 64 KiB."""
    running = targets.start(adapter)
    account = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()

    answers = [in_chunks(running, body) for body in (account, account + b" " * 70_000)]

    assert answers == [(202, "challenge_required"), (413, "body_too_large")]


def in_chunks(running: Target, body: bytes) -> tuple[int, str]:
    """Sign up with a body in pieces; answer status and code."""
    connection = http.client.HTTPConnection(running.netloc, timeout=WAIT)
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    try:
        connection.request("POST", "/auth/sign-up", pieces, {"Content-Type": "application/json"}, encode_chunked=True)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        return answer.status, found["error"]["code"] if "error" in found else found["status"]
    finally:
        connection.close()


BAD = {
    "adapter": ["--adapter", "pylons"],
    "other host": ["--host", "0.0.0.0"],
    "any host": ["--host", ""],
    "port": ["--port", "65536"],
    "no port": ["--port", "http"],
    "no url": ["--database", "target"],
    "other database": ["--database", "oracle://scott@127.0.0.1/x"],
    "memory": ["--database", "sqlite://"],
    "memory by URI": ["--database", "sqlite:///file::memory:?uri=true"],
    "port of the database": ["--database", "postgresql://127.0.0.1:http/x"],
    "unreachable": ["--database", "postgresql://nobody@127.0.0.1:1/none"],
    "unwritable": ["--database", "sqlite:////proc/none.db"],
    "mailbox": ["--mailbox", "/nowhere/mails"],
    "clock": ["--clock", "/"],
    "no clock": ["--clock", "no-such-folder/clock"],
    "no number in the clock": ["--clock", __file__],
    "limits": ["--limits", "some"],
    "hash": ["--hash", "md5"],
    "no workers": ["--workers", "0"],
    "grace": ["--grace", "-1"],
    "endless grace": ["--grace", "inf"],
    "no grace": ["--grace", "nan"],
    "longest grace": ["--grace", "1e300"],
    "long grace": ["--grace", "1e9"],
    "transport": ["--transport", "pigeon"],
    "mail server without a port": ["--smtp", "127.0.0.1"],
    "port of the mail server": ["--smtp", "127.0.0.1:smtp"],
    "no port of the mail server": ["--smtp", "127.0.0.1:0"],
    "unknown": ["--frobnicate"],
    "abbreviated": ["--work", "2"],
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    """What is wrong on the command line is told in one sentence, with status 2, and nothing is written."""
    given = {"--adapter": "flask", "--database": f"sqlite:///{tmp_path}/x.db", "--mailbox": f"{tmp_path}/mails"}
    options = [part for pair in given.items() if pair[0] != wrong[0] for part in pair]

    with pytest.raises(SystemExit) as left:
        target.main([*options, *wrong])

    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.out == ""
    assert re.fullmatch(r"target: [^\n]+\.\n", printed.err), printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_refuses_is_told_in_its_own_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence holds the driver's reason, and no password."""
    options = ("--adapter", "flask", "--mailbox", f"{tmp_path}/mails")

    with pytest.raises(SystemExit):
        target.main([*options, "--database", "postgresql://nobody:hunter2@127.0.0.1:1/none"])

    told = capsys.readouterr().err
    assert "refused" in told
    assert "hunter2" not in told


def test_nothing_is_told_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the sentence names those that cannot be left out."""
    with pytest.raises(SystemExit) as left:
        target.main([])

    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.err == "target: the following arguments are required: --adapter, --database, --mailbox.\n"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """Another's port is one sentence as well, and nothing is written."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        options = ("--adapter", "flask", "--port", str(other.getsockname()[1]))
        files = ("--database", f"sqlite:///{tmp_path}/x.db", "--mailbox", f"{tmp_path}/mails")
        done = subprocess.run([*COMMAND, *options, *files], capture_output=True, text=True, timeout=WAIT, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"target: port \d+ of 127\.0\.0\.1 cannot be had \(.+\)\.\n", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []
