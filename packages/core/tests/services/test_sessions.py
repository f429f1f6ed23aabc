"""Rules T6 and T7 at the store functions: who may go on with a session, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from authcore import Auth, ConfigurationError, Password, Sessions
from authcore.services import accounts, admission, events, journal, lifetimes, revocations, sessions, tokens
from authcore.services.sessions import (
    Client,
    Draft,
    Rotated,
    Rotation,
    RotationRefused,
    SessionSettings,
    access_kind,
    derive,
)
from authcore.stores import MaxConcurrentReached
from authcore.testing.ports import FrozenClock

GRACE = 10  # seconds, the default
MINUTE, DAY = 60.0, 86400.0


@dataclass
class Node:
    """One process with its own Auth: it makes sessions and presents refresh tokens."""

    world: Any
    clock: FrozenClock

    @property
    def settings(self) -> SessionSettings:
        """The settings of this node."""
        found: SessionSettings = self.world.ctx().settings(SessionSettings)
        return found

    def user(self, name: str = "ada", tenant: str = "default") -> str:
        """Make a user and answer its id."""
        ctx = self.world.ctx(tenant=tenant)
        new = self.world.run(admission.new_user(ctx, way="administration", email=f"{name}@example.com", verified=True))
        assert self.world.write(accounts.create, new)
        return new.id

    def session(
        self, user_id: str, *, via: str = "bearer", tenant: str = "default", replaces: bytes | None = None
    ) -> Draft:
        """Make a session."""
        made = sessions.draft(
            self.world.ctx(tenant=tenant),
            user_id=user_id,
            epoch=0,
            transport=via,  # type: ignore[arg-type]
            amr=["pwd"],
            aal=1,
            client=Client(),
            auth_time=self.clock.now(),
        )
        self.world.write(sessions.insert_draft, made, replaces)
        return made

    def present(self, token: str, *, via: str = "bearer", tenant: str = "default") -> tuple[str, str] | RotationRefused:
        """Present a refresh token; answer the pair (refresh, access) that a client gets, or the refusal."""
        ctx = self.world.ctx(tenant=tenant)
        key_id, key = ctx.app.keys.current("refresh")
        nonce, kind = ctx.random.bytes(32, "nonce"), access_kind(via)  # type: ignore[arg-type]
        turn = Rotation(
            tenant=tenant,
            digest=tokens.must_digest(token, "rt"),
            now=self.clock.now(),
            nonce=nonce,
            key_id=key_id,
            next_refresh=tokens.must_digest(derive(key, "refresh", nonce, token, "rt"), "rt"),
            next_access=tokens.must_digest(derive(key, "access", nonce, token, kind), kind),
            settings=self.settings,
            event=events.occur(ctx, events.RefreshReused),
            transport=via,  # type: ignore[arg-type]
        )
        outcome = self.world.write(sessions.rotate, turn)
        if isinstance(outcome, RotationRefused):
            return outcome
        assert isinstance(outcome, Rotated)
        held = ctx.app.keys.get(outcome.key_id, "refresh")
        successor = token if outcome.stays else derive(held, "refresh", outcome.nonce, token, "rt")
        return successor, derive(held, "access", outcome.nonce, token, kind)

    def follow(self, token: str, **how: str) -> tuple[str, str]:
        """Present a refresh token that must be honoured."""
        pair = self.present(token, **how)
        assert isinstance(pair, tuple)
        return pair

    def opens(self, access: str, kind: str = "at", tenant: str = "default") -> bool:
        """Tell whether an access secret opens routes."""
        digest = tokens.must_digest(access, kind)  # type: ignore[arg-type]
        return self.world.read(sessions.lookup, tenant, digest, self.clock.now()) is not None

    def live(self, made: Draft) -> bool:
        """Tell whether a session is not revoked."""
        [row] = self.world.rows(sessions.sessions, sessions.sessions.c.id == made.issued.session.id)
        return row.revoked_at is None

    def use(self, made: Draft) -> bool:
        """Use a session now, as a guard notes it; tell whether it was live."""
        session = made.issued.session
        end = lifetimes.slid_end(self.settings, session.transport, session.created_at, self.clock.now())
        return bool(self.world.write(sessions.touch, session.id, end, self.clock.now()))

    def listed(self, user_id: str) -> list[str]:
        """Answer the ids of a user's live sessions, the first made first."""
        found = self.world.read(sessions.list_live, "default", user_id, self.clock.now(), None)
        return [session.id for session in reversed(found)]

    def thefts(self) -> list[Any]:
        """Answer the events of reuse."""
        return self.world.rows(journal.events, journal.events.c.name == "RefreshReused")


@pytest.fixture
def node(auth: Callable[..., Auth], inside: Callable[[Auth], Any], clock: FrozenClock) -> Callable[..., Node]:
    """Make a node; `node(grace=…)` sets `Sessions`."""

    def make(**settings: Any) -> Node:
        made = auth(Password(), Sessions(**settings))
        return Node(inside(made), clock)

    return make


def refresh_of(made: Draft) -> str:
    """Answer a session's first refresh token."""
    assert made.issued.refresh is not None
    return made.issued.refresh


# --- T6: rotation ---


def test_inside_the_grace_the_same_successor_is_answered(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: every presentation inside the grace, on any node, derives the same pair."""
    first, second = node(), node()
    token = refresh_of(first.session(first.user()))

    pairs = [first.follow(token)]
    clock.advance(GRACE)
    pairs += [second.follow(token), first.follow(token)]

    assert len(set(pairs)) == 1
    assert first.opens(pairs[0][1])
    assert first.thefts() == []


def test_after_the_grace_a_replaced_token_is_theft(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: one microsecond after the grace the family dies and exactly one event is kept."""
    one = node()
    made = one.session(one.user())
    successor, access = one.follow(refresh_of(made))
    clock.advance(GRACE + 0.000001)

    stolen = one.present(refresh_of(made))
    again = one.present(refresh_of(made))

    assert stolen == RotationRefused(True, made.user_id, made.issued.session.id)
    assert again == RotationRefused()
    assert not one.live(made)
    assert not one.opens(access)
    assert one.present(successor) == RotationRefused()
    [event] = one.thefts()
    assert (event.session_id, event.at) == (made.issued.session.id, clock.now())
    assert event.who == one.world.read(journal.pseudonym_of, made.user_id)


def test_the_successors_rotation_ends_the_grace(node: Callable[..., Node]) -> None:
    """T6: once the successor has itself been rotated, its parent is theft, inside the window as well."""
    one = node()
    made = one.session(one.user())
    successor, _ = one.follow(refresh_of(made))
    one.follow(successor)

    stolen = one.present(refresh_of(made))

    assert isinstance(stolen, RotationRefused)
    assert stolen.reused
    assert not one.live(made)


def test_using_the_access_token_does_not_end_the_grace(node: Callable[..., Node]) -> None:
    """T6: only a rotation of the successor ends the grace; its access token may be used meanwhile."""
    one = node()
    token = refresh_of(one.session(one.user()))
    pair = one.follow(token)

    used = one.opens(pair[1])
    again = one.follow(token)

    assert used
    assert again == pair


def test_the_parent_keeps_no_nonce_after_its_grace_was_ended(node: Callable[..., Node]) -> None:
    """T6: what derives a successor is erased with the grace, and no table holds a token."""
    one = node()
    made = one.session(one.user())
    second, _ = one.follow(refresh_of(made))
    third, access = one.follow(second)

    rows = {row.digest: row for row in one.world.rows(sessions.refresh)}

    assert rows[tokens.must_digest(refresh_of(made), "rt")].nonce is None
    assert rows[tokens.must_digest(second, "rt")].nonce is not None
    stored = repr(rows) + repr(one.world.rows(sessions.access)) + repr(one.world.rows(sessions.sessions))
    assert not any(secret in stored for secret in (refresh_of(made), second, third, access))


def test_without_grace_every_second_presentation_is_theft(node: Callable[..., Node]) -> None:
    """T6: grace 0 is strict, at the very same moment too."""
    one = node(grace=timedelta(0))
    made = one.session(one.user())

    first, second = one.present(refresh_of(made)), one.present(refresh_of(made))

    assert isinstance(first, tuple)
    assert isinstance(second, RotationRefused)
    assert second.reused
    assert not one.opens(first[1])
    assert len(one.thefts()) == 1


def test_a_rotated_secret_kills_no_refresh_token(
    node: Callable[..., Node], auth: Callable[..., Auth], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """O4: a node with a newer secret replays what an older one made, as long as both keys are in the ring."""
    one = node()
    made = one.session(one.user())
    other = Node(
        inside(auth(secret=["another secret of the tests, as long", "a secret of these tests, long enough"])), clock
    )

    pair = one.follow(refresh_of(made))
    replayed = other.follow(refresh_of(made))
    next_refresh, _ = other.follow(pair[0])

    assert replayed == pair
    assert next_refresh != pair[0]


def test_a_rotation_shortens_the_life_of_the_replaced_access_token(
    node: Callable[..., Node], clock: FrozenClock
) -> None:
    """T7: the access token of before lives on for the grace alone."""
    one = node()
    made = one.session(one.user())
    one.follow(refresh_of(made))

    inside_grace = one.opens(made.issued.access)
    clock.advance(GRACE)

    assert inside_grace
    assert not one.opens(made.issued.access)


def test_no_sliding_passes_the_absolute_end(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: a session that is refreshed all the time ends at its absolute end, access and refresh alike."""
    one = node(ttl=timedelta(days=1), refresh_ttl=timedelta(days=2), absolute_ttl=timedelta(days=3))
    made = one.session(one.user())
    ends_at = clock.now() + timedelta(days=3)
    token, access = refresh_of(made), ""
    for _ in range(2):
        clock.advance(timedelta(days=1.4).total_seconds())
        token, access = one.follow(token)

    expiries = {row.expires_at for table in (sessions.sessions, sessions.refresh) for row in one.world.rows(table)}
    before_end = one.opens(access)
    clock.advance((ends_at - clock.now()).total_seconds())

    assert max(expiries) == ends_at
    assert before_end
    assert not one.opens(access)
    assert one.present(token) == RotationRefused()


def test_an_expired_refresh_token_ends_its_family(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S25: an expired token that was never used is no theft, and ends its family."""
    one = node()
    made = one.session(one.user())
    clock.advance(timedelta(days=30).total_seconds())

    refused = one.present(refresh_of(made))

    assert refused == RotationRefused()
    assert not one.live(made)
    assert one.thefts() == []


def test_theft_can_end_every_session_of_the_user(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: `on_reuse="user"` ends all sessions of the one user, in the same transaction as the event."""
    one = node(on_reuse="user")
    ada, bob = one.user("ada"), one.user("bob")
    stolen, other, foreign = one.session(ada), one.session(ada), one.session(bob)
    one.follow(refresh_of(stolen))
    clock.advance(GRACE + 1)

    one.present(refresh_of(stolen))

    assert [one.live(made) for made in (stolen, other, foreign)] == [False, False, True]
    assert len(one.thefts()) == 1


def test_theft_ends_its_own_family_alone(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: by default another session of the same user goes on."""
    one = node()
    ada = one.user()
    stolen, other = one.session(ada), one.session(ada)
    one.follow(refresh_of(stolen))
    clock.advance(GRACE + 1)

    one.present(refresh_of(stolen))

    assert [one.live(made) for made in (stolen, other)] == [False, True]


@pytest.mark.parametrize(("made_for", "presented_by"), [("cookie", "bearer"), ("bearer", "cookie")])
def test_a_token_of_the_other_transport_is_theft(node: Callable[..., Node], made_for: str, presented_by: str) -> None:
    """T5, T6: a browser's refresh token in a body, or the other way, was taken: the family dies, with one event."""
    one = node(cookie_refresh=True)
    made = one.session(one.user(), via=made_for)

    refused = one.present(refresh_of(made), via=presented_by)
    afterwards = one.present(refresh_of(made), via=made_for)

    assert refused == RotationRefused(True, made.user_id, made.issued.session.id)
    assert afterwards == RotationRefused()
    assert not one.live(made)
    assert len(one.thefts()) == 1


def test_another_tenants_token_is_unknown_and_stays_whole(node: Callable[..., Node]) -> None:
    """A refresh token presented under another tenant is unknown: it is neither spent nor punished."""
    one = node()
    made = one.session(one.user(tenant="north"), tenant="north")

    elsewhere = one.present(refresh_of(made), tenant="south")
    at_home = one.present(refresh_of(made), tenant="north")

    assert elsewhere == RotationRefused()
    assert isinstance(at_home, tuple)
    assert not one.opens(at_home[1], tenant="south")
    assert one.opens(at_home[1], tenant="north")


@pytest.mark.parametrize("change", [{"credential_epoch": 1}, {"disabled_at": datetime(2030, 1, 1, tzinfo=UTC)}])
def test_an_epoch_or_a_disabling_ends_every_credential(node: Callable[..., Node], change: dict[str, Any]) -> None:
    """T9: what counts the user's epoch up, or disables the user, ends access and refresh tokens at once."""
    one = node()
    made = one.session(one.user())

    one.world.write(lambda tx: tx.execute(sa.update(accounts.users).values(**change)))

    assert not one.opens(made.issued.access)
    assert one.present(refresh_of(made)) == RotationRefused()
    assert one.world.read(sessions.list_live, "default", made.user_id, one.clock.now(), None) == []


# --- S41: other rotations ---


def test_under_always_every_second_presentation_is_theft(node: Callable[..., Node]) -> None:
    """S41: "always" forgives nothing, at the very same moment too, and the access token of before dies at once."""
    one = node(rotation="always")
    made = one.session(one.user())

    pair = one.follow(refresh_of(made))
    before = one.opens(made.issued.access)
    second = one.present(refresh_of(made))

    assert not before
    assert isinstance(second, RotationRefused)
    assert second.reused
    assert not one.opens(pair[1])
    assert len(one.thefts()) == 1


def test_under_none_the_refresh_token_stays(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S41: "none" answers another access token each time; the one before lives on for ten seconds alone."""
    one = node(rotation="none")
    made = one.session(one.user())
    clock.advance(MINUTE)

    first, second = one.follow(refresh_of(made)), one.follow(refresh_of(made))
    opened = [one.opens(access) for access in (made.issued.access, first[1], second[1])]
    clock.advance(GRACE)

    assert first[0] == second[0] == refresh_of(made)
    assert len({made.issued.access, first[1], second[1]}) == 3
    assert opened == [True, True, True]
    assert [one.opens(access) for access in (made.issued.access, first[1], second[1])] == [False, False, True]
    assert len(one.world.rows(sessions.refresh)) == 1
    assert one.thefts() == []


def test_under_none_a_refresh_token_slides_up_to_the_absolute_end(
    node: Callable[..., Node], clock: FrozenClock
) -> None:
    """S41: a refresh token that stays lives for refresh_ttl from its latest use, and ends with its session."""
    days = {"ttl": timedelta(days=1), "refresh_ttl": timedelta(days=2), "absolute_ttl": timedelta(days=3)}
    one = node(rotation="none", **days)
    made, unused = (one.session(one.user(name)) for name in ("ada", "bob"))

    for _ in range(2):
        clock.advance(1.4 * DAY)
        one.follow(refresh_of(made))
    unused_refused = one.present(refresh_of(unused))
    clock.advance(0.2 * DAY)

    assert unused_refused == RotationRefused()
    assert one.present(refresh_of(made)) == RotationRefused()
    assert one.thefts() == []


def test_under_none_a_token_that_was_replaced_before_is_theft(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S41, T6: a change of the setting makes no replaced token good again."""
    made = node().session(node().user())
    successor, _ = node().follow(refresh_of(made))
    clock.advance(GRACE + 1)
    one = node(rotation="none")

    kept = one.follow(successor)
    stolen = one.present(refresh_of(made))

    assert kept[0] == successor
    assert isinstance(stolen, RotationRefused)
    assert stolen.reused
    assert not one.live(made)


# --- S48: lifetimes ---


@pytest.mark.parametrize("via", ["cookie", "bearer"])
def test_an_idle_session_is_over(node: Callable[..., Node], clock: FrozenClock, via: str) -> None:
    """S48: at the idle timeout a session opens nothing, is in no list, and no use or refresh brings it back."""
    one = node(idle_timeout=timedelta(minutes=10))
    made = one.session(one.user(), via=via)
    kind = access_kind(made.issued.transport)
    clock.advance(10 * MINUTE - 0.000001)
    before = one.opens(made.issued.access, kind)
    clock.advance(0.000001)

    after = one.opens(made.issued.access, kind)
    used = one.use(made)

    assert (before, after, used) == (True, False, False)
    assert one.listed(made.user_id) == []
    if made.issued.refresh is not None:
        assert one.present(made.issued.refresh) == RotationRefused()
        assert not one.live(made)
        assert one.thefts() == []


@pytest.mark.parametrize("via", ["cookie", "bearer"])
def test_use_and_refreshes_keep_a_session_from_being_idle(
    node: Callable[..., Node], clock: FrozenClock, via: str
) -> None:
    """S48: the idle timeout counts from the latest use or refresh."""
    one = node(idle_timeout=timedelta(minutes=10))
    made = one.session(one.user(), via=via)
    token = made.issued.refresh
    for _ in range(6):
        clock.advance(9 * MINUTE)
        assert one.use(made)
        if token is not None:
            clock.advance(9 * MINUTE)
            token, _ = one.follow(token)

    assert one.listed(made.user_id) == [made.issued.session.id]
    clock.advance(10 * MINUTE)
    assert one.listed(made.user_id) == []


def test_a_replayed_token_of_an_idle_session_is_still_theft(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T6: that the session was idle excuses nobody who presents a replaced token."""
    one = node(idle_timeout=timedelta(minutes=10))
    made = one.session(one.user())
    one.follow(refresh_of(made))
    clock.advance(11 * MINUTE)

    refused = one.present(refresh_of(made))

    assert refused == RotationRefused(True, made.user_id, made.issued.session.id)
    assert len(one.thefts()) == 1


@pytest.mark.parametrize(("via", "days"), [("cookie", 7), ("bearer", 30)])
def test_without_sliding_a_session_ends_when_it_was_said_to(
    node: Callable[..., Node], clock: FrozenClock, via: str, days: int
) -> None:
    """S48: `sliding=False` ends a cookie session `ttl`, a refresh family `refresh_ttl` after its making."""
    one = node(sliding=False)
    made = one.session(one.user(), via=via)
    token = made.issued.refresh
    for _ in range(days):
        clock.advance(DAY - 1)
        assert one.use(made)
        if token is not None:
            token, _ = one.follow(token)
    [row] = one.world.rows(sessions.sessions)
    clock.advance(float(days))

    assert row.expires_at == row.ends_at == clock.now()
    assert not one.use(made)
    assert one.listed(made.user_id) == []
    assert token is None or one.present(token) == RotationRefused()


def test_a_step_up_gives_the_session_its_whole_time_again(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S48, T7: new secrets live as long as the session that they open."""
    one = node(idle_timeout=timedelta(minutes=10))
    made = one.session(one.user())
    clock.advance(9 * MINUTE)
    fresh = sessions.secrets_for(one.world.ctx(), made.issued.session, made.issued.ends_at)
    one.world.write(sessions.step_up, "default", fresh, clock.now())

    clock.advance(9 * MINUTE)

    assert one.opens(fresh.access)
    assert fresh.session.expires_at == clock.now() + timedelta(minutes=1)


# --- S48: how many at a time ---


def test_one_session_too_many_is_refused_and_nothing_changes(node: Callable[..., Node]) -> None:
    """S37, S48: at the limit nothing is stored and nothing ends; another user has sessions of its own."""
    one = node(max_sessions=2)
    ada, bob = one.user("ada"), one.user("bob")
    held = [one.session(ada) for _ in range(2)]

    with pytest.raises(MaxConcurrentReached) as refused:
        one.session(ada)
    other = one.session(bob)

    assert (refused.value.status, refused.value.code) == (409, "max_concurrent_reached")
    assert set(one.listed(ada)) == {made.issued.session.id for made in held}
    assert one.listed(bob) == [other.issued.session.id]
    assert len(one.world.rows(sessions.sessions)) == len(one.world.rows(sessions.access)) == 3


def test_the_oldest_make_room(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S37, S48: what was made first ends, whatever was used last, and every node is told by a row."""
    one = node(max_sessions=2, on_limit="evict_oldest")
    ada = one.user()
    first = one.session(ada)
    clock.advance(1)
    second = one.session(ada)
    clock.advance(MINUTE)
    one.use(first)

    third = one.session(ada)

    assert one.listed(ada) == [made.issued.session.id for made in (second, third)]
    told = one.world.rows(revocations.revocations, revocations.revocations.c.kind == "session")
    assert [row.subject for row in told] == [revocations.subject(first.issued.session.id)]


def test_a_lower_limit_ends_as_many_as_it_takes(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S48: under a limit that was lowered, all but the latest make room at the next sign-in."""
    before = node()
    ada = before.user()
    held = []
    for _ in range(5):
        held.append(before.session(ada))
        clock.advance(1)
    one = node(max_sessions=2, on_limit="evict_oldest")

    latest = one.session(ada)

    assert one.listed(ada) == [held[-1].issued.session.id, latest.issued.session.id]


def test_what_is_over_is_not_counted(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S48: ended, idle and expired sessions, and those of an earlier epoch, leave room."""
    one = node(max_sessions=1, idle_timeout=timedelta(minutes=10))
    ada = one.user()

    ended = one.session(ada)
    one.world.write(sessions.end_by_id, "default", ended.issued.session.id, clock.now())
    one.session(ada)
    clock.advance(10 * MINUTE)
    one.session(ada)
    one.world.write(lambda tx: tx.execute(sa.update(sessions.sessions).values(epoch=-1)))
    latest = one.session(ada)

    assert one.listed(ada) == [latest.issued.session.id]


def test_the_session_that_a_browser_leaves_is_not_counted(node: Callable[..., Node]) -> None:
    """S48, T7: a sign-in in the same browser takes the place of its own session, at the limit too."""
    one = node(max_sessions=1)
    ada = one.user()
    held = one.session(ada, via="cookie")

    again = one.session(ada, via="cookie", replaces=tokens.must_digest(held.issued.access, "st"))

    assert one.listed(ada) == [again.issued.session.id]


def test_a_refused_sign_in_leaves_the_session_of_its_browser(node: Callable[..., Node]) -> None:
    """S48: where one is refused at the limit, the session of somebody else in that browser goes on."""
    one = node(max_sessions=1)
    ada, eve = one.user("ada"), one.user("eve")
    one.session(ada)
    held = one.session(eve, via="cookie")

    with pytest.raises(MaxConcurrentReached):
        one.session(ada, via="cookie", replaces=tokens.must_digest(held.issued.access, "st"))

    assert one.live(held)


# --- T7: new secrets ---


def test_stepping_up_keeps_the_id_and_kills_every_earlier_secret(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T7: at a step-up the session keeps its id and gets a new access and refresh token; the old ones are dead."""
    one = node()
    made = one.session(one.user())
    rotated, access = one.follow(refresh_of(made))
    clock.advance(1)
    fresh = sessions.secrets_for(one.world.ctx(), made.issued.session, made.issued.ends_at)

    done = one.world.write(sessions.step_up, "default", fresh, clock.now())

    assert done
    assert one.opens(fresh.access)
    assert not one.opens(access)
    assert not one.opens(made.issued.access)
    assert [one.present(token) for token in (refresh_of(made), rotated)] == [RotationRefused()] * 2
    assert one.live(made)


def test_an_ended_session_is_not_stepped_up(node: Callable[..., Node], clock: FrozenClock) -> None:
    """T7: a session that ended meanwhile gets no new secrets."""
    one = node()
    made = one.session(one.user())
    one.world.write(sessions.end_by_id, "default", made.issued.session.id, clock.now())
    fresh = sessions.secrets_for(one.world.ctx(), made.issued.session, made.issued.ends_at)

    done = one.world.write(sessions.step_up, "default", fresh, clock.now())

    assert not done
    assert not one.opens(fresh.access)


def test_a_sign_in_ends_the_session_that_the_browser_held(node: Callable[..., Node]) -> None:
    """T7: the session whose cookie is written over ends in the same transaction; another tenant's does not."""
    one = node()
    ada, eve = one.user("ada"), one.user("eve", tenant="south")
    held, foreign = one.session(ada, via="cookie"), one.session(eve, via="cookie", tenant="south")

    one.session(ada, via="cookie", replaces=tokens.must_digest(held.issued.access, "st"))
    one.session(ada, via="cookie", replaces=tokens.must_digest(foreign.issued.access, "st"))

    assert not one.live(held)
    assert one.live(foreign)


# --- ending ---


def test_a_session_is_ended_by_its_id_or_any_of_its_secrets(node: Callable[..., Node], clock: FrozenClock) -> None:
    """S28: an ended session is answered once, with when it ended, and not a second time."""
    one = node()
    ada = one.user()
    by_id, by_access, by_refresh = (one.session(ada) for _ in range(3))

    ended = [
        one.world.write(sessions.end_by_id, "default", by_id.issued.session.id, clock.now()),
        one.world.write(
            sessions.end_by_digest, "default", tokens.must_digest(by_access.issued.access, "at"), clock.now()
        ),
        one.world.write(
            sessions.end_by_digest, "default", tokens.must_digest(refresh_of(by_refresh), "rt"), clock.now()
        ),
    ]
    again = one.world.write(sessions.end_by_id, "default", by_id.issued.session.id, clock.now())

    assert [e.session.id for e in ended] == [made.issued.session.id for made in (by_id, by_access, by_refresh)]
    assert {(e.user_id, e.revoked_at, e.session.current) for e in ended} == {(ada, clock.now(), False)}
    assert again is None


def test_revoking_counts_what_was_live_and_crosses_no_tenant(node: Callable[..., Node], clock: FrozenClock) -> None:
    """Ending others or all counts the live sessions of the one user in the one tenant."""
    one = node()
    ada, eve = one.user("ada"), one.user("eve", tenant="south")
    mine, others, foreign = one.session(ada), [one.session(ada) for _ in range(2)], one.session(eve, tenant="south")
    now = clock.now()

    elsewhere = one.world.write(sessions.revoke_all, "south", ada, now)
    ended_others = one.world.write(sessions.revoke_others, "default", ada, mine.issued.session.id, now)
    ended_all = one.world.write(sessions.revoke_all, "default", ada, now)

    assert (elsewhere, ended_others, ended_all) == (0, 2, 1)
    assert [one.live(made) for made in (mine, *others, foreign)] == [False, False, False, True]


def test_cleaning_removes_what_is_over_with_its_secrets(node: Callable[..., Node], clock: FrozenClock) -> None:
    """Rows of sessions that ended before a time go, with every access and refresh row; live ones stay."""
    one = node()
    ada = one.user()
    over, kept = one.session(ada), one.session(ada)
    one.world.write(sessions.end_by_id, "default", over.issued.session.id, clock.now())
    clock.advance(60)

    removed = one.world.write(sessions.clean, clock.now(), 100)

    assert removed == 1
    for table, column in (
        (sessions.sessions, "id"),
        (sessions.access, "session_id"),
        (sessions.refresh, "session_id"),
    ):
        assert [getattr(row, column) for row in one.world.rows(table)] == [kept.issued.session.id]


# --- settings ---


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"transport": "header"}, "'cookie', 'bearer' and 'both'"),
        ({"on_reuse": "all"}, "'family' or 'user'"),
        ({"access_ttl": timedelta(0)}, "access_ttl"),
        ({"refresh_ttl": 3600}, "refresh_ttl"),
        ({"fresh": "5m"}, "fresh"),
        ({"grace": timedelta(seconds=-1)}, "grace"),
        ({"grace": timedelta(minutes=6)}, "grace"),
        ({"grace": 10}, "grace"),
        ({"absolute_ttl": timedelta(days=1)}, "absolute_ttl"),
        ({"fresh_to_end": "no"}, "fresh_to_end"),
        ({"cookie_refresh": "yes"}, "cookie_refresh"),
        ({"transport": ["bearer"]}, "transport"),
    ],
)
def test_wrong_settings_say_what_to_write(wrong: dict[str, Any], says: str) -> None:
    """Every wrong setting of Sessions is a ConfigurationError that names it."""
    with pytest.raises(ConfigurationError, match=says):
        Sessions(**wrong)
