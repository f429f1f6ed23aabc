"""How long sessions live: what is refused, and dates that follow from settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, ConfigurationError, Password, Sessions
from authcore.cli.findings import findings
from authcore.services import lifetimes
from authcore.services.lifetimes import Limit, Via
from authcore.services.sessions import SessionSettings

MADE = datetime(2030, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
spans = st.timedeltas(min_value=MINUTE, max_value=30 * DAY)


def settings(**said: Any) -> SessionSettings:
    """Answer the settings of a declaration."""
    return Sessions(**said).settings


@st.composite
def declared(draw: st.DrawFn) -> SessionSettings:
    """Answer any settings that are accepted."""
    ttl, refresh_ttl = draw(spans), draw(spans)
    interval = draw(st.timedeltas(min_value=SECOND, max_value=HOUR))
    return settings(
        ttl=ttl,
        refresh_ttl=refresh_ttl,
        access_ttl=min(refresh_ttl, 15 * MINUTE),
        absolute_ttl=max(ttl, refresh_ttl) + draw(st.timedeltas(min_value=timedelta(), max_value=60 * DAY)),
        sliding=draw(st.booleans()),
        touch_interval=interval,
        idle_timeout=draw(st.none() | st.timedeltas(min_value=interval, max_value=30 * DAY)),
        cookie_refresh=draw(st.booleans()),
    )


vias = st.sampled_from(get_args(Via))


# --- dates ---


@given(declared(), vias, st.lists(spans, max_size=12))
def test_no_use_passes_the_absolute_end(said: SessionSettings, via: Via, pauses: list[timedelta]) -> None:
    """T6, S48: however a session is used, it ends at its absolute end, and an end never lies behind it."""
    ends_at, now = lifetimes.absolute_end(said, via, MADE), MADE
    ends = [lifetimes.unused_end(said, via, now, ends_at)]
    for pause in pauses:
        now += pause
        ends.append(lifetimes.slid_end(said, via, MADE, now) or ends[-1])

    assert ends_at <= MADE + said.absolute_ttl
    assert max(ends) <= ends_at


@given(declared(), vias, spans)
def test_an_end_lies_one_span_behind_the_latest_use(said: SessionSettings, via: Via, pause: timedelta) -> None:
    """S48: what is not used again is over after the shortest of ttl, idle timeout and what is left until the end."""
    ends_at, now = lifetimes.absolute_end(said, via, MADE), MADE + pause
    span = said.refresh_ttl if lifetimes.pairs(said, via) else said.ttl

    end = lifetimes.unused_end(said, via, now, ends_at)

    assert end == min(now + span, ends_at, now + (said.idle_timeout or span))


@given(declared(), vias)
def test_without_sliding_every_end_is_the_first(said: SessionSettings, via: Via) -> None:
    """S41, S48: `sliding=False` counts from the making of the session."""
    span = said.refresh_ttl if lifetimes.pairs(said, via) else said.ttl

    ends_at = lifetimes.absolute_end(said, via, MADE)

    assert ends_at == MADE + (said.absolute_ttl if said.sliding else span)


@given(declared())
def test_a_session_in_use_is_noted_before_it_is_idle(said: SessionSettings) -> None:
    """S49: whoever uses a session at every moment keeps it: its use is noted before the idle timeout has passed."""
    assert said.idle_timeout is None or lifetimes.noting(said) <= said.idle_timeout / 2
    assert lifetimes.noting(said) <= said.touch_interval


@given(declared())
def test_use_moves_nothing_that_a_refresh_token_carries(said: SessionSettings) -> None:
    """S48: a pair goes on by its refresh token; its use keeps it from being idle, and does nothing else."""
    idle = said.idle_timeout

    end = lifetimes.slid_end(said, "bearer", MADE, MADE + MINUTE)

    if idle is None or idle >= said.refresh_ttl:
        assert end is None
    else:
        assert end == min(MADE + MINUTE + idle, lifetimes.absolute_end(said, "bearer", MADE))


def test_a_grace_belongs_to_sliding_rotation() -> None:
    """S41: under "always" nothing is forgiven; a refresh token that stays shortens the access token before it."""
    assert lifetimes.forgives(settings(grace=3 * SECOND)) == 3 * SECOND
    assert lifetimes.forgives(settings(rotation="always")) == timedelta()
    assert lifetimes.forgives(settings(rotation="none")) == 10 * SECOND


def test_the_limit_follows_from_two_settings() -> None:
    """S48: nobody is counted by default; a limit refuses or evicts."""
    assert lifetimes.limit(settings()) is None
    assert lifetimes.limit(settings(max_sessions=5)) == Limit(5, evicts=False)
    assert lifetimes.limit(settings(max_sessions=1, on_limit="evict_oldest")) == Limit(1, evicts=True)


# --- what is refused ---


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ttl": timedelta(0)}, r"Sessions\(ttl=…\) is a positive timedelta"),
        ({"ttl": 3600}, r"Sessions\(ttl=…\) is a positive timedelta"),
        ({"ttl": 91 * DAY}, "cannot be shorter than refresh_ttl or ttl"),
        ({"absolute_ttl": -DAY}, r"Sessions\(absolute_ttl=…\) is a positive timedelta"),
        ({"sliding": "no"}, r"Sessions\(sliding=…\) is True or False"),
        ({"idle_timeout": timedelta(0)}, r"Sessions\(idle_timeout=…\) is a positive timedelta"),
        ({"idle_timeout": 1800}, r"Sessions\(idle_timeout=…\) is a positive timedelta"),
        ({"idle_timeout": 59 * SECOND}, "cannot be shorter than touch_interval"),
        ({"idle_timeout": 4 * MINUTE, "touch_interval": 5 * MINUTE}, "cannot be shorter than touch_interval"),
        ({"touch_interval": 0.5 * SECOND}, r"between timedelta\(seconds=1\) and timedelta\(days=1\)"),
        ({"touch_interval": 25 * HOUR}, r"between timedelta\(seconds=1\) and timedelta\(days=1\)"),
        ({"touch_interval": 60}, r"Sessions\(touch_interval=…\) is a positive timedelta"),
        ({"rotation": "never"}, "one of 'sliding', 'always' and 'none'"),
        ({"rotation": ["none"]}, "one of 'sliding', 'always' and 'none'"),
        ({"rotation": "always", "grace": timedelta(0)}, "belongs to rotation='sliding'"),
        ({"rotation": "none", "grace": MINUTE}, "belongs to rotation='sliding'"),
        ({"on_rotation_reuse": "log"}, "a function of the event, or None"),
        ({"max_sessions": 0}, "a whole number from 1 on"),
        ({"max_sessions": True}, "a whole number from 1 on"),
        ({"max_sessions": 2.5}, "a whole number from 1 on"),
        ({"max_sessions": 5, "on_limit": "evict"}, "'reject' or 'evict_oldest'"),
        ({"on_limit": "evict_oldest"}, "write max_sessions beside it"),
    ],
)
def test_what_cannot_be_says_what_to_write(wrong: dict[str, Any], says: str) -> None:
    """S48, S49: every setting that cannot be is refused at start, by a sentence that names it."""
    with pytest.raises(ConfigurationError, match=says):
        Sessions(**wrong)


def test_the_shortest_idle_timeout_is_the_interval() -> None:
    """S48: an idle timeout as long as the interval between two writes is accepted, one below is not."""
    accepted = settings(idle_timeout=MINUTE), settings(idle_timeout=SECOND, touch_interval=SECOND)

    assert [said.idle_timeout for said in accepted] == [MINUTE, SECOND]


def test_a_token_that_stays_is_named_by_doctor(tmp_path: Path) -> None:
    """S41: `rotation="none"` cannot tell a theft, which `authcore doctor` says; other rotations are no finding."""
    found = {}
    for rotation in get_args(Literal["sliding", "always", "none"]):
        room = Sessions(rotation=rotation)
        made = Auth(dev_mode=True, database=f"sqlite:///{tmp_path / 'auth.db'}", features=[Password(), room])
        found[rotation] = [finding for finding in findings(made) if finding.startswith("Sessions(rotation")]
        made.dispose()

    assert [len(found[rotation]) for rotation in ("sliding", "always", "none")] == [0, 0, 1]
