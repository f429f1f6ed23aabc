"""The room's tables."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from authcore.tables import PERSONAL, Digest, Key, UtcDateTime, metadata

passwords = Table(
    "authcore_password",
    metadata,
    Column("user_id", Key(), primary_key=True, info=PERSONAL),
    Column("digest", String(512), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

attempts = Table(
    "authcore_attempt",
    metadata,
    Column("key", Digest, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False, index=True),
)
"""Consecutive failures by address, known or not: the key is a digest of tenant and address, so both cost the
same write.
"""
