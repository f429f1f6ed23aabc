"""The room's table."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table

from authcore.tables import PERSONAL, Digest, Key, UtcDateTime, metadata

remembered = Table(
    "authcore_remember",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("tenant", Key(64), nullable=False),
    Column("user_id", Key(), nullable=False, index=True, info=PERSONAL),
    Column("epoch", Integer, nullable=False),
    Column("transport", Key(8), nullable=False),
    Column("device", Digest, nullable=True),
    Column("created_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("expires_at", UtcDateTime, nullable=False, index=True, info=PERSONAL),
    Column("spent_at", UtcDateTime, nullable=True),
    Column("replaced_at", UtcDateTime, nullable=True),
)
"""`expires_at` is that of the first in a row of tokens, each of which replaced the one before; `spent_at` is when it
spared a code, `replaced_at` when its successor was handed out. `device` is the SHA-256 of the `device_id` that it was
given to. `epoch` is the user's epoch plus the tenant's generation, neither of which ever falls: one of less is over."""
