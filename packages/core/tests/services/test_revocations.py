"""T9: the table of what ended, against a plain model; and ending everything of a user, a tenant, the application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, ChallengeRequired, EmailCode, MagicLink, Password, Sessions, SignedIn, Tenant
from authcore.errors import InvalidChallenge, InvalidRefreshToken, NotFound
from authcore.events import EpochBumped, SessionsEnded
from authcore.services import revocations
from authcore.services.revocations import ENDED, Revoked, Subject, Verdict, subject

START = datetime(2030, 1, 1, tzinfo=UTC)
WHOLE = {"email": "ada@example.com", "password": "three quiet herons wade", "transport": "bearer"}
SESSIONS, USERS, TENANTS = ("s1", "s2"), ("u1", "u2"), ("", "t1", "t2")
Row = tuple[str, str, str, datetime]


def at(second: int) -> datetime:
    """Answer a time."""
    return START + timedelta(seconds=second)


times = st.integers(0, 50).map(at)
rows = st.one_of(
    # Of two secrets of a session, no two are made at one time; an end bears no stamp.
    st.builds(
        lambda id_, second: ("session", id_, f"stamp{second}", at(second)),
        st.sampled_from(SESSIONS),
        st.integers(0, 50),
    ),
    st.builds(lambda id_, when: ("session", id_, ENDED, when), st.sampled_from(SESSIONS), times),
    st.builds(
        lambda id_, epoch, when: ("user", id_, str(epoch), when), st.sampled_from(USERS), st.integers(1, 12), times
    ),
    st.builds(
        lambda id_, number, when: ("tenant", id_, str(number), when),
        st.sampled_from(TENANTS),
        st.integers(1, 12),
        times,
    ),
    st.builds(lambda id_, when: ("changed", id_, "", when), st.sampled_from(USERS), times),
)
tokens = st.tuples(
    st.sampled_from(SESSIONS),
    st.sampled_from(USERS),
    st.sampled_from(TENANTS[1:]),
    st.integers(0, 50).map(lambda second: f"stamp{second}"),
    st.integers(0, 12),
    st.integers(0, 12),
    times,
)


def model(heard: list[Row], token: tuple[Any, ...]) -> Verdict:
    """Judge a token by all rows at once, as the ledger would."""
    session, user, tenant, stamp, epoch, generation, made = token
    of_session = [(value, when) for kind, id_, value, when in heard if (kind, id_) == ("session", session)]
    if any(value == ENDED for value, _ in of_session):
        return "ended"
    held, since = max(of_session, key=lambda each: each[1], default=(stamp, made))
    if held != stamp and made < since:
        return "ended"
    if any(kind == "user" and id_ == user and int(value) > epoch for kind, id_, value, _ in heard):
        return "ended"
    if any(kind == "tenant" and id_ in ("", tenant) and int(value) > generation for kind, id_, value, _ in heard):
        return "ended"
    changed = any(kind == "changed" and id_ == user and when >= made for kind, id_, _, when in heard)
    # A later secret than the table has heard of may be the session's: the ledger knows.
    return "changed" if changed or held != stamp else "live"


def judged(table: Revoked, token: tuple[Any, ...]) -> Verdict:
    """Answer what a table says of a token."""
    session, user, tenant, stamp, epoch, generation, made = token
    return table.judge(Subject(subject(session), subject(user), subject(tenant), stamp, epoch, generation), made)


@given(
    st.lists(rows, max_size=12).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each + each[:4]))), tokens
)
def test_a_table_judges_as_all_rows_together_do(heard: tuple[list[Row], list[Row]], token: tuple[Any, ...]) -> None:
    """Rows come in any order, some of them twice: what counts is what they say together."""
    written, arrived = heard
    table = Revoked()

    for kind, id_, value, when in arrived:
        table.apply(kind, subject(id_), value, when)  # type: ignore[arg-type]

    assert judged(table, token) == model(written, token)


@given(st.lists(rows, max_size=12), tokens, st.integers(0, 51))
def test_a_table_forgets_what_is_old_and_nothing_else(heard: list[Row], token: tuple[Any, ...], second: int) -> None:
    """What was written last about something before a time goes; whatever was said of it later stays, whole."""
    table = Revoked()
    for kind, id_, value, when in heard:
        table.apply(kind, subject(id_), value, when)  # type: ignore[arg-type]

    table.forget(at(second))

    latest = {(kind, id_): max(row[3] for row in heard if row[:2] == (kind, id_)) for kind, id_, _, _ in heard}
    kept = [row for row in heard if latest[row[0], row[1]] >= at(second)]
    assert judged(table, token) == model(kept, token)
    assert len(table) == len({row[:2] for row in kept})


def test_the_end_of_a_tenant_is_heard_without_what_was_ended_before(auth: Callable[..., Auth], inside: Any) -> None:
    """A table that no longer has the application's last end refuses what a later end of a tenant refuses."""
    side = inside(auth())
    for _ in range(3):
        side.write(revocations.raise_epoch, "", side.ctx().now())
    before = side.read(lambda tx: tx.execute(revocations.select(revocations.generation()), {"tenant_": "t1"}).scalar())

    epoch = side.write(revocations.raise_epoch, "t1", side.ctx().now())
    table = Revoked()
    table.apply("tenant", subject("t1"), str(epoch), side.ctx().now())

    made = side.ctx().now()
    assert judged(table, ("s", "u", "t1", "x", 0, before, made)) == "ended"
    assert judged(table, ("s", "u", "t2", "x", 0, before, made)) == "live"
    assert judged(table, ("s", "u", "t1", "x", 0, epoch, made)) == "live"


def test_the_end_of_the_application_is_heard_without_what_was_ended_before(
    auth: Callable[..., Auth], inside: Any
) -> None:
    """However often a tenant was ended before, tokens of it are older than the application's end."""
    side = inside(auth())
    for _ in range(5):
        tenant = side.write(revocations.raise_epoch, "t1", side.ctx().now())

    epoch = side.write(revocations.raise_epoch, "", side.ctx().now())
    table = Revoked()
    table.apply("tenant", subject(""), str(epoch), side.ctx().now())

    assert judged(table, ("s", "u", "t1", "x", 0, tenant, side.ctx().now())) == "ended"
    assert judged(table, ("s", "u", "t9", "x", 0, 0, side.ctx().now())) == "ended"


# --- everything at once ---


def of_header(request: Any) -> Tenant:
    """Answer the tenant that a request names."""
    return Tenant(request.headers.get("x-tenant", "default"))


def signed_in(client: Any, **how: Any) -> list[str]:
    """Sign a user up, and in once more; answer both access tokens."""
    first = client.sign_up(**how)
    assert first.status == 201
    return [first.json["access_token"], client.sign_in(**how).json["access_token"]]


def test_an_epoch_of_a_user_ends_its_sessions(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """T9: a dry run counts and changes nothing; then both sessions are over, another's is not, and it is told."""
    made = auth(Password(require_code=False))
    heard: list[SessionsEnded] = []
    made.on(SessionsEnded, heard.append)
    ada, bob = client(made), client(made)
    tokens = signed_in(ada)
    others = signed_in(bob, email="bob@example.com")
    user = ada.get("/me", bearer=tokens[0]).json["user"]["id"]

    counted = made.blocking.sessions.bump_epoch(user_id=user, dry_run=True)
    still = [ada.get("/me", bearer=token).status for token in tokens]
    ended = made.blocking.sessions.bump_epoch(user_id=user)

    assert (counted, ended) == (2, 2)
    assert still == [200, 200]
    assert [ada.get("/me", bearer=token).status for token in tokens] == [401, 401]
    assert [bob.get("/me", bearer=token).status for token in others] == [200, 200]
    assert [(event.user_id, event.count) for event in heard] == [(user, 2)]
    assert made.blocking.sessions.bump_epoch(user_id=user, dry_run=True) == 0
    assert ada.sign_in().status == 200


def test_an_epoch_of_a_tenant_ends_its_sessions_alone(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """T9: those of the other tenant live on; an epoch of the application then ends them too."""
    made = auth(Password(require_code=False), tenant=of_header)
    heard: list[EpochBumped] = []
    made.on(EpochBumped, heard.append)
    here = _in_tenant(client(made), "one")
    there = _in_tenant(client(made), "two")

    assert made.blocking.sessions.bump_epoch(tenant="one", dry_run=True) == 2
    assert made.blocking.sessions.bump_epoch(tenant="one") == 2
    assert [_me(client(made), token, "one") for token in here] == [401, 401]
    assert [_me(client(made), token, "two") for token in there] == [200, 200]

    assert made.blocking.sessions.bump_epoch(application=True, dry_run=True) == 2
    assert made.blocking.sessions.bump_epoch(application=True) == 2
    assert [_me(client(made), token, "two") for token in there] == [401, 401]
    assert [(event.tenant, event.scope, event.count) for event in heard] == [
        ("one", "tenant", 2),
        ("default", "application", 2),
    ]
    again = _sign_in(client(made), "two")
    assert _me(client(made), again, "two") == 200


def _in_tenant(program: Any, tenant: str) -> list[str]:
    body = {"email": "ada@example.com", "password": "three quiet herons wade"}
    first = program.post("/sign-up", body, x_tenant=tenant)
    assert first.status == 201
    return [first.json["access_token"], _sign_in(program, tenant)]


def _sign_in(program: Any, tenant: str) -> str:
    body = {"email": "ada@example.com", "password": "three quiet herons wade"}
    return str(program.post("/sign-in", body, x_tenant=tenant).json["access_token"])


def _me(program: Any, token: str, tenant: str) -> int:
    return int(program.get("/me", bearer=token, x_tenant=tenant).status)


@pytest.mark.parametrize("scope", ["user", "tenant", "application"])
def test_an_epoch_ends_what_is_not_a_session_yet(
    auth: Callable[..., Auth], client: Callable[..., Any], scope: str
) -> None:
    """T9: a refresh token, a remembered browser, a sign-in before its code and a link that was mailed open nothing."""
    made = auth(Password(), EmailCode(remember=True), MagicLink())
    ada, calls = client(made), made.blocking
    before = _remembered(ada, calls)
    begun = calls.password.sign_in(**WHOLE)
    code = ada.mailed_code("email_code")
    calls.magic_link.request(email=WHOLE["email"])
    made.outbox.drain()
    link = next(mail.token for mail in reversed(ada.mailer.mails) if mail.token)
    user = before.user.id

    whose: dict[str, Any] = {
        "user": {"user_id": user},
        "tenant": {"tenant": True},
        "application": {"application": True},
    }
    calls.sessions.bump_epoch(**whose[scope])

    with pytest.raises(InvalidRefreshToken):
        calls.sessions.refresh(refresh_token=before.refresh_token)
    with pytest.raises(InvalidChallenge):
        calls.email_code.verify(challenge_id=begun.challenge.id, code=code)
    with pytest.raises(InvalidChallenge):
        calls.magic_link.consume(token=link)
    assert isinstance(calls.password.sign_in(**WHOLE, remember_token=before.remembered.token), ChallengeRequired)
    assert calls.email_code.list_remembered(user_id=user) == []


@pytest.mark.parametrize("scope", ["tenant", "application"])
def test_who_is_remembered_after_an_epoch_stays_so(
    auth: Callable[..., Auth], client: Callable[..., Any], scope: str
) -> None:
    """What is made after the end is spared its code, and listed."""
    made = auth(Password(), EmailCode(remember=True), MagicLink())
    client(made).sign_up()
    made.blocking.sessions.bump_epoch(tenant=scope == "tenant", application=scope == "application")

    spared = _remembered(client(made), made.blocking, sign_up=False)

    assert len(made.blocking.email_code.list_remembered(user_id=spared.user.id)) == 1


def _remembered(program: Any, calls: Any, *, sign_up: bool = True) -> SignedIn:
    """Answer a sign-in that was spared its code, and is remembered for the next."""
    if sign_up:
        program.sign_up()
    begun = calls.password.sign_in(**WHOLE)
    done = calls.email_code.verify(
        challenge_id=begun.challenge.id, code=program.mailed_code("email_code"), remember=True
    )
    spared = calls.password.sign_in(**WHOLE, remember_token=done.remembered.token)
    assert isinstance(spared, SignedIn)
    return spared


@pytest.mark.parametrize(
    "given", [{}, {"tenant": True, "application": True}, {"user_id": "u", "tenant": "t"}, {"tenant": ""}]
)
def test_an_epoch_is_of_one_thing(auth: Callable[..., Auth], given: dict[str, Any]) -> None:
    """Two at once, none, or the empty name that stands for the application, end nothing."""
    with pytest.raises(TypeError, match="takes one of"):
        auth().blocking.sessions.bump_epoch(**given)


def test_an_epoch_of_nobody_is_refused(auth: Callable[..., Auth]) -> None:
    """An unknown user is said to be unknown, in a dry run as well."""
    for dry_run in (True, False):
        with pytest.raises(NotFound):
            auth().blocking.sessions.bump_epoch(user_id="nobody", dry_run=dry_run)


def test_a_device_is_ended(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """The sessions of one device end, those of the user's others do not."""
    made = auth(Password(require_code=False), Sessions())
    ada = client(made)
    user = ada.sign_up().json["user"]["id"]
    phone = [ada.sign_in(device_id="phone").json["access_token"] for _ in range(2)]
    desk = ada.sign_in(device_id="desk").json["access_token"]

    ended = made.blocking.sessions.revoke_device(user, "phone")

    assert ended == 2
    assert [ada.get("/me", bearer=token).status for token in (*phone, desk)] == [401, 401, 200]
    assert made.blocking.sessions.revoke_device(user, "phone") == 0
    assert made.blocking.sessions.revoke_device("nobody", "desk") == 0
