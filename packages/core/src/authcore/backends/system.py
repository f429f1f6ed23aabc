"""Clocks and sources of randomness."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from authcore.backends import fork


class SystemClock:
    """The time of the machine."""

    def now(self) -> datetime:
        """Answer the time, aware, in UTC."""
        return datetime.now(UTC)


class OffsetClock:
    """The time of the machine plus the seconds that a file holds, read at each call; for black-box tests."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._last = timedelta(0)

    def now(self) -> datetime:
        """Answer the shifted time, aware, in UTC; a missing or half-written file leaves the last offset."""
        with suppress(FileNotFoundError, ValueError, OverflowError):
            self._last = timedelta(seconds=float(self._path.read_text()))
        return datetime.now(UTC) + self._last


class SystemRandom:
    """The operating system's randomness (rule O4)."""

    def bytes(self, size: int, label: str) -> bytes:
        """Answer `size` unpredictable bytes, whatever the label."""
        return secrets.token_bytes(size)


class SeededRandom:
    """The same bytes at every run: for tests alone, since whoever knows the seed knows every secret.

    Each label has a stream of its own, so that what one draws does not change what another gets.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._drawn: Counter[str] = Counter()
        self._mutex = fork.Mutex()

    def bytes(self, size: int, label: str) -> bytes:
        """Answer the next `size` bytes of the label's stream."""
        with self._mutex:
            self._drawn[label] += 1
            number = self._drawn[label]
        key = hmac.digest(self._seed, label.encode() + b"\x00" + str(number).encode(), "sha256")
        return hashlib.shake_256(key).digest(size)
