"""The audit: every event as a row that names nobody once the account is gone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from authcore import Audit, Auth, AuthError, ConfigurationError, Password, Sessions
from authcore.cli import bound
from authcore.features.audit import AuditEntry
from authcore.services import erasure, events, journal, retention
from authcore.services.events import EVENTS, Event
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD, WRONG = "ada@example.com", "three quiet herons wade", "four loud herons wade"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OTHER_SECRET = "another secret of these tests, long enough"


class TickingClock(FrozenClock):
    """A clock on which some time passes between any two looks."""

    def now(self) -> datetime:
        """Answer the time."""
        self.advance(0.001)
        return super().now()


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that tells events apart."""
    return TickingClock()


@pytest.fixture
def audited(auth: Callable[..., Auth]) -> Callable[..., Auth]:
    """Make an Auth with the audit; its settings are the room's."""

    def make(*rooms: Any, keep: Any = None, ip: str = "truncated", **settings: Any) -> Auth:
        room = Audit(ip=ip, **({"keep": keep} if keep else {}))  # type: ignore[arg-type]
        return auth(*(rooms or (Password(), Sessions())), room, **settings)

    return make


@pytest.fixture
def life(audited: Callable[..., Auth], client: Callable[..., Any]) -> tuple[Auth, Any]:
    """A sign-up, a sign-in that fails, one that does not, and a sign-out; with the body of the sign-up."""
    made = audited()
    visitor = client(made)
    known = {"user_agent": FIREFOX}
    begun = visitor.post("/sign-up", {"email": EMAIL, "password": PASSWORD}, **known).json["challenge"]["id"]
    answer = {"challenge_id": begun, "code": visitor.mailed_code("sign_up")}
    body = visitor.post("/sign-up/verify", answer, **known).json
    visitor.post("/sign-in", {"email": EMAIL, "password": WRONG}, **known)
    visitor.post("/sign-in", {"email": EMAIL, "password": PASSWORD}, **known)
    visitor.post("/sign-out", bearer=body["access_token"], **known)
    return made, body


def entries(made: Auth, **asked: Any) -> list[AuditEntry]:
    """Read the audit."""
    found: list[AuditEntry] = made.blocking[Audit].list(**asked)
    return found


def names(found: list[AuditEntry]) -> list[str]:
    """Answer what happened."""
    return [entry.name for entry in found]


# --- what a row holds ---


def test_a_life_is_told_in_rows(life: tuple[Auth, Any]) -> None:
    """S119: each event is a row: who by one pseudonym, what, when, from where, with what outcome."""
    made, body = life

    found = entries(made)

    assert [(entry.name, entry.outcome) for entry in found] == [
        ("Registered", "success"),
        ("Verified", "success"),
        ("Authenticated", "success"),
        ("Login", "success"),
        ("Attempting", "open"),
        ("Failed", "failure"),
        ("Attempting", "open"),
        ("Authenticated", "success"),
        ("Login", "success"),
        ("Logout", "success"),
        ("CurrentDeviceLogout", "success"),
    ]
    assert len({entry.who for entry in found if entry.who}) == 1
    assert [entry.who is None for entry in found] == [entry.name in ("Attempting", "Failed") for entry in found]
    assert {(entry.tenant, entry.ip, entry.agent) for entry in found} == {("default", "203.0.113.0/24", "Firefox")}
    assert found[3].session_id == found[-1].session_id == body["session"]["id"]


def test_no_row_names_a_person_or_a_secret(life: tuple[Auth, Any], inside: Callable[[Auth], Any]) -> None:
    """O3: neither an address, an id of a user, a whole IP address nor a secret stands in any row."""
    made, body = life
    told = [EMAIL, "ada", body["user"]["id"], "203.0.113.7", "Linux", PASSWORD, WRONG, "ac1_", body["access_token"]]

    rows = [str(tuple(row)) for row in inside(made).rows(journal.events)]

    assert rows
    assert [(text, row) for text in told for row in rows if text in row] == []


def test_each_value_says_its_class(life: tuple[Auth, Any]) -> None:
    """Whoever exports rows reads from each of them as what it keeps a person's data."""
    made, _ = life

    by_name = {entry.name: entry.classes for entry in entries(made)}

    assert by_name["Failed"] == {"subject": "keyed", "ip": "truncated", "agent": "coarse"}
    assert by_name["Login"] == {
        "who": "pseudonym",
        "session_id": "pseudonym",
        "ip": "truncated",
        "agent": "coarse",
    }


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_field_of_every_event_has_its_place(kind: type[Event]) -> None:
    """A field that the rows do not know would be left out without a word."""
    assert set(kind.__struct_fields__) <= journal.FIELDS


def test_details_stand_with_their_classes(audited: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """A number stands as it is, an earlier address as an HMAC."""
    made = audited(Password(require_code=False))
    user = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD).user
    made.blocking.sessions.revoke_all_sessions(user.id)
    changed = events.EmailChanged("default", FrozenClock().now(), user, "old@example.com")
    made.events.dispatch(changed)

    ended, mailed = entries(made, name="SessionsEnded") + entries(made, name="EmailChanged")

    assert ended.data == {"count": {"value": 1, "class": "none"}}
    assert mailed.data["old_email"]["class"] == mailed.classes["old_email"] == "keyed"
    assert len(bytes.fromhex(mailed.data["old_email"]["value"])) == 32
    assert mailed.to_json()["data"] == {"old_email": mailed.data["old_email"]["value"]}


@pytest.mark.parametrize(("ip", "kept"), [("truncated", "203.0.113.0/24"), ("full", "203.0.113.7"), ("none", None)])
def test_the_address_is_kept_as_the_setting_says(
    audited: Callable[..., Auth], client: Callable[..., Any], ip: str, kept: str | None
) -> None:
    """`ip` decides whether a client's network, address or nothing stands in a row."""
    made = audited(ip=ip)

    client(made).sign_in()

    assert {entry.ip for entry in entries(made)} == {kept}
    assert {entry.classes.get("ip") for entry in entries(made)} == {None if kept is None else ip}


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.255", "203.0.113.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48"), ("::1", "::/48")],
)
def test_an_address_is_cut_to_its_network(address: str, network: str) -> None:
    """24 bits of IPv4 and 48 of IPv6: many people at once."""
    assert journal.truncated(address) == network


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (FIREFOX, "Firefox"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28", "Python"),
        ("ada@example.com", "other"),
    ],
)
def test_a_user_agent_is_one_of_a_few_families(agent: str, family: str) -> None:
    """What a client says of itself is never kept as it says it."""
    assert journal.family(agent) == family


# --- in the transaction that decides ---


def test_an_action_and_its_row_are_one(audited: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """An action that is undone leaves neither a row nor a pseudonym."""
    made = audited(Password(require_code=False))

    def undo(tx: Any, event: Event) -> None:
        raise RuntimeError("undone")

    made.on(events.Registered, undo, in_transaction=True)
    with pytest.raises(RuntimeError, match="undone"):
        made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)

    assert entries(made) == []
    assert inside(made).rows(journal.pseudonyms) == []


def test_without_the_room_thefts_alone_are_kept(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """T6: a theft is a row in every application; what else happens is one where the room is enabled."""
    made = auth(Password(), Sessions(grace=timedelta(0)))
    visitor = client(made)
    token = visitor.sign_up().json["refresh_token"]

    for _ in range(2):
        visitor.post("/refresh", {"refresh_token": token})

    [row] = inside(made).rows(journal.events)
    [pseudonym] = inside(made).rows(journal.pseudonyms)
    assert (row.name, row.outcome, row.ip) == ("RefreshReused", "denied", "203.0.113.0/24")
    assert row.who == pseudonym.pseudonym


def test_the_rows_of_known_and_unknown_addresses_are_alike(
    audited: Callable[..., Auth], inside: Callable[[Auth], Any]
) -> None:
    """A2: a sign-in that fails writes the same rows, whether there is an account or not."""
    made = audited(Password(require_code=False))
    made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)

    def fails(email: str) -> list[Any]:
        before = len(inside(made).rows(journal.events))
        with pytest.raises(AuthError):
            made.blocking.password.sign_in(email=email, password=WRONG)
        rows = inside(made).rows(journal.events)[before:]
        return [[column is None for column in row] + [row.name, row.outcome] for row in rows]

    known, unknown = fails(EMAIL), fails("nobody@example.com")

    assert known == unknown
    assert len(known) == 2
    assert len(inside(made).rows(journal.pseudonyms)) == 1


def test_a_void_event_is_a_row_of_its_own_outcome(audited: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """A2: what nobody was sent is written like what somebody was, and says so to who reads it."""
    door = inside(audited())
    ctx = door.ctx()
    for void in (False, True):
        sent = events.PasswordResetLinkSent("default", ctx.now(), EMAIL)
        door.write(events.write, events.occur(ctx, sent, void=void))

    first, second = door.rows(journal.events)

    assert {first.outcome, second.outcome} == {"success", "void"}
    assert first.subject == second.subject
    assert [value is None for value in first] == [value is None for value in second]


# --- erasing ---


def test_after_the_end_of_an_account_its_rows_name_nobody(
    life: tuple[Auth, Any], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """Section 7: the key of the pseudonym goes with the account, in one transaction; the rows stay."""
    made, body = life
    before = entries(made)

    made.events.dispatch(events.UserDeleted("default", clock.now(), body["user"]["id"]))

    after = entries(made)
    assert names(after) == [*names(before), "UserDeleted"]
    assert after[-1].who == before[0].who
    assert inside(made).rows(journal.pseudonyms) == []
    assert entries(made, user=body["user"]["id"]) == []


def test_what_rows_tell_of_a_person_is_exported(life: tuple[Auth, Any], inside: Callable[[Auth], Any]) -> None:
    """Where a person was, and with what, is theirs to read: the rows of their pseudonym, the latest first."""
    made, body = life
    door = inside(made)

    told = door.read(erasure.read, body["user"]["id"])["event"]

    assert [row["name"] for row in told][:2] == ["CurrentDeviceLogout", "Logout"]
    assert {(row["ip"], row["agent"]) for row in told} == {("203.0.113.0/24", "Firefox")}
    assert "event" not in door.read(erasure.read, "nobody")


def test_erasing_an_account_erases_its_pseudonym(life: tuple[Auth, Any], inside: Callable[[Auth], Any]) -> None:
    """Section 7: whoever deletes an account leaves rows that name nobody, the last of which tells of the end."""
    made, body = life
    door = inside(made)

    door.run(erasure.erase(door.ctx(), body["user"]["id"]))

    assert door.rows(journal.pseudonyms) == []
    assert entries(made)[-1].name == "UserDeleted"
    assert entries(made)[-1].who == entries(made)[0].who
    assert [row for row in door.rows(journal.events) if body["user"]["id"] in str(row)] == []


def test_the_end_of_an_account_that_had_no_row_leaves_no_key(
    audited: Callable[..., Auth], inside: Callable[[Auth], Any]
) -> None:
    """What erases a pseudonym makes none, though its own row has one."""
    made = audited()

    made.events.dispatch(events.UserDeleted("default", FrozenClock().now(), "an-id-of-the-application"))

    [entry] = entries(made)
    assert entry.who
    assert inside(made).rows(journal.pseudonyms) == []


def test_without_the_room_the_key_is_erased_as_well(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """The pseudonym of a theft's row goes with the account too, where no audit is kept."""
    made = auth()
    door = inside(made)
    now = FrozenClock().now()
    for event in (events.RefreshReused("default", now, "someone", "s"), events.UserDeleted("default", now, "someone")):
        made.events.dispatch(event)

    assert door.rows(journal.pseudonyms) == []
    assert [row.name for row in door.rows(journal.events)] == ["RefreshReused"]


# --- reading, and keeping ---


def test_the_audit_is_asked_for_a_user_by_id_and_by_address(life: tuple[Auth, Any]) -> None:
    """By id, what names the user; by address also what happened to the address alone."""
    made, body = life
    with pytest.raises(AuthError):
        made.blocking.password.sign_in(email="eve@example.com", password=WRONG)

    by_id = entries(made, user=body["user"]["id"])
    by_address = entries(made, user=" Ada@Example.com ")

    assert len(entries(made)) == 13
    assert len(by_address) == 11
    assert set(names(by_address)) - set(names(by_id)) == {"Attempting", "Failed"}
    assert names(entries(made, user="eve@example.com")) == ["Attempting", "Failed"]
    assert entries(made, user="nobody") == entries(made, user="nobody@example.com") == []


def test_the_audit_is_asked_by_name_time_number_and_tenant(life: tuple[Auth, Any], clock: FrozenClock) -> None:
    """The latest come last, and no more of them than asked for."""
    made, _ = life
    clock.advance(60)
    since = clock.now()
    made.events.dispatch(events.Failed("default", since, "eve@example.com"))
    made.events.dispatch(events.Failed("other", since, "eve@example.com"))

    assert names(entries(made, since=since)) == ["Failed"]
    assert names(entries(made, name="Login")) == ["Login", "Login"]
    assert names(entries(made, limit=2)) == ["CurrentDeviceLogout", "Failed"]
    assert names(entries(made, tenant="other", user="eve@example.com")) == ["Failed"]
    assert len(entries(made, limit=0)) == 1
    assert entries(made, user="nul\0", name="\ud800") == []


def test_rows_from_before_a_rotation_are_found(auth: Callable[..., Auth]) -> None:
    """O4: an address is found under every key of the ring, not under the newest alone."""
    before = auth(Password(), Audit(), secret=OTHER_SECRET)
    before.events.dispatch(events.Failed("default", FrozenClock().now(), EMAIL))
    after = auth(Password(), Audit(), secret=["a secret of these tests, long enough", OTHER_SECRET])
    after.events.dispatch(events.Failed("default", FrozenClock().now(), EMAIL))

    found = entries(after, user=EMAIL)

    assert len(found) == 2
    assert found[0].subject != found[1].subject


async def test_the_audit_is_read_beside_a_loop(audited: Callable[..., Auth]) -> None:
    """The same call is there to await."""
    made = audited()
    await made.asyncio.events.dispatch(events.Failed("default", FrozenClock().now(), EMAIL))

    assert names(await made.asyncio[Audit].list()) == ["Failed"]


@pytest.mark.parametrize(("keep", "days"), [(None, 365), (timedelta(days=30), 30)])
def test_rows_go_after_their_time(
    audited: Callable[..., Auth],
    inside: Callable[[Auth], Any],
    clock: FrozenClock,
    keep: timedelta | None,
    days: int,
) -> None:
    """The room's time stands in place of the one that thefts have without it."""
    made = audited(keep=keep)
    made.events.dispatch(events.Failed("default", clock.now(), EMAIL))
    door = inside(made)

    clock.advance(timedelta(days=days).total_seconds() - 1)
    in_time = door.run(retention.sweep(door.runtime))["events"]
    clock.advance(1)
    late = door.run(retention.sweep(door.runtime))["events"]

    assert (in_time, late) == (0, 1)
    assert entries(made) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"keep": timedelta(0)}, "positive timedelta"),
        ({"keep": 365}, "positive timedelta"),
        ({"ip": "some"}, "'truncated', 'full' and 'none'"),
        ({"ip": None}, "'truncated', 'full' and 'none'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], sentence: str) -> None:
    """A wrong setting says what to write instead."""
    with pytest.raises(ConfigurationError, match=sentence):
        Audit(**settings)


# --- the command ---


def tail(made: Auth, *arguments: str) -> Any:
    """Run `authcore audit tail`."""
    return CliRunner().invoke(bound(made), ["audit", "tail", *arguments])


def test_the_tail_shows_what_happened(life: tuple[Auth, Any]) -> None:
    """The latest come last, one a line, and name nobody."""
    made, _ = life

    ended = tail(made, "-n", "3", "--user", EMAIL)

    lines = ended.output.splitlines()
    assert ended.exit_code == 0
    assert [line.split("  ")[1] for line in lines] == ["Login", "Logout", "CurrentDeviceLogout"]
    assert all("ip=203.0.113.0/24" in line and "agent=Firefox" in line for line in lines)
    assert EMAIL not in ended.output


def test_the_tail_writes_json(life: tuple[Auth, Any]) -> None:
    """One object a line, each value about a person with its class."""
    made, _ = life

    lines = tail(made, "--json", "--event", "Failed").output.splitlines()

    [row] = [json.loads(line) for line in lines]
    assert (row["name"], row["outcome"], row["classes"]["subject"]) == ("Failed", "failure", "keyed")
    assert row["at"].endswith("Z")


@pytest.mark.parametrize(("since", "shown"), [("1m", 0), ("1h", 11), ("2000-01-01", 11), ("2100-01-01T00:00Z", 0)])
def test_the_tail_begins_where_it_is_told(life: tuple[Auth, Any], clock: FrozenClock, since: str, shown: int) -> None:
    """A time or a duration."""
    made, _ = life
    clock.advance(600)

    assert len(tail(made, "--since", since).output.splitlines()) == shown


def test_the_tail_refuses_what_is_no_time(life: tuple[Auth, Any]) -> None:
    """The sentence says what to write; the status is that of a wrong option."""
    ended = tail(life[0], "--since", "yesterday")

    assert (ended.exit_code, "write '5m'" in ended.output) == (2, True)


def test_the_tail_needs_the_room(auth: Callable[..., Auth]) -> None:
    """Without the room the sentence names it."""
    made = auth()
    made.create_tables()

    ended = tail(made)

    assert ended.exit_code == 1
    assert "Audit is not enabled" in ended.output


def test_the_tail_follows(life: tuple[Auth, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what happens meanwhile, each once, and ends at Ctrl-C without a word."""
    made, _ = life
    pauses = iter([lambda: fail(made, "eve@example.com"), lambda: None, lambda: fail(made, "eve@example.com"), stop])
    asleep = SimpleNamespace(sleep=lambda _seconds: next(pauses)())
    monkeypatch.setattr(sys.modules["authcore.cli.audit"], "time", asleep)

    ended = tail(made, "--follow", "-n", "1")

    assert ended.exit_code == 0
    shown = [line.split("  ")[1] for line in ended.output.splitlines()]
    assert shown == ["CurrentDeviceLogout", "Attempting", "Failed", "Attempting", "Failed"]


def fail(made: Auth, email: str) -> None:
    """Fail to sign in."""
    with pytest.raises(AuthError):
        made.blocking.password.sign_in(email=email, password=WRONG)


def stop() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt
