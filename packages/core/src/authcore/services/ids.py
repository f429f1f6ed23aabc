"""Identifiers that sort by time: UUIDv7 (RFC 9562 5.7)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from authcore.ports import Randomness


def uuid7(now: datetime, random: Randomness, label: str) -> str:
    """Answer a UUIDv7 as text: 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    noise = int.from_bytes(random.bytes(10, label), "big")
    value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (noise >> 68) << 64 | 0b10 << 62 | noise & (2**62 - 1)
    return str(UUID(int=value))
