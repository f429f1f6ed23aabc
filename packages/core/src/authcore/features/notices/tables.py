"""The room's table."""

from __future__ import annotations

from sqlalchemy import Column, Table

from authcore.tables import PERSONAL, Digest, Key, UtcDateTime, metadata

known_devices = Table(
    "authcore_known_device",
    metadata,
    Column("user_id", Key(), primary_key=True, info=PERSONAL),
    Column("digest", Digest, primary_key=True),
    Column("first_seen_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("last_seen_at", UtcDateTime, nullable=False, index=True, info=PERSONAL),
)
"""`digest` is an HMAC of what a device is known by, under a key of the application: what that was cannot be read."""
