"""Rules T6 and T7 at the store functions: who may go on with a session, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from authcore import Auth, ConfigurationError, Password, Sessions
from authcore.services import accounts, admission, events, journal, sessions, tokens
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
from authcore.testing.ports import FrozenClock

GRACE = 10  # seconds, the default


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
        return derive(held, "refresh", outcome.nonce, token, "rt"), derive(held, "access", outcome.nonce, token, kind)

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
    one = node(cookie_ttl=timedelta(days=1), refresh_ttl=timedelta(days=2), absolute_ttl=timedelta(days=3))
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
