"""Clocks and randomness."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authcore.backends.system import OffsetClock, SeededRandom, SystemClock, SystemRandom


def test_the_clock_answers_aware_utc() -> None:
    """Times are aware and in UTC."""
    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_an_offset_is_read_at_each_call(tmp_path: Path) -> None:
    """A test moves a server's clock by writing seconds to a file."""
    file = tmp_path / "clock"
    clock = OffsetClock(file)

    seen = [_offset(clock)]
    for text in ("3600", "-60.5\n"):
        file.write_text(text)
        seen.append(_offset(clock))

    assert seen == pytest.approx([0, 3600, -60.5], abs=2)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e300"])
def test_a_half_written_offset_leaves_the_last(tmp_path: Path, text: str) -> None:
    """A file caught in the middle of being written does not stop the clock."""
    file = tmp_path / "clock"
    file.write_text("100")
    clock = OffsetClock(file)
    clock.now()

    file.write_text(text)

    assert _offset(clock) == pytest.approx(100, abs=2)


def test_random_bytes_are_as_many_as_asked() -> None:
    """O4: bytes come from the operating system, and never twice."""
    random = SystemRandom()

    drawn = [random.bytes(32, "label") for _ in range(50)]

    assert {len(each) for each in drawn} == {32}
    assert len(set(drawn)) == 50


def test_a_seed_answers_the_same_at_every_run() -> None:
    """Equal seeds give equal streams, and other seeds others."""
    first, second, other = (SeededRandom(seed) for seed in (b"seed", b"seed", b"else"))

    drawn = [[random.bytes(16, "token") for _ in range(3)] for random in (first, second, other)]

    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 3


def test_labels_do_not_disturb_each_other() -> None:
    """What one label draws does not change what another gets."""
    quiet, busy = SeededRandom(b"seed"), SeededRandom(b"seed")
    for _ in range(5):
        busy.bytes(8, "noise")

    assert quiet.bytes(300, "token") == busy.bytes(300, "token")
    assert quiet.bytes(16, "a") != busy.bytes(16, "b")


def test_threads_draw_each_block_once() -> None:
    """Many threads on one label get different bytes, together those of the stream."""
    random, expected = SeededRandom(b"seed"), SeededRandom(b"seed")
    drawn: list[bytes] = []

    threads = [
        threading.Thread(target=lambda: drawn.extend([random.bytes(16, "t") for _ in range(50)])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(drawn) == sorted(expected.bytes(16, "t") for _ in range(200))


def _offset(clock: OffsetClock) -> float:
    return (clock.now() - datetime.now(UTC)).total_seconds()
