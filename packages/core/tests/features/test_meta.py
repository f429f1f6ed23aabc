"""The room `meta`: what stands behind `/health`, and what it says when that does not stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authcore import Auth, Password


def test_health_asks_the_database(auth: Callable[..., Auth], client: Callable[..., Any], tmp_path: Path) -> None:
    """O2: ok once the database has answered; 503 with `Retry-After` while it does not, and ok again afterwards."""
    made, file = auth(), tmp_path / "auth.db"
    visitor = client(made)
    whole = visitor.get("/health")
    made.dispose()
    kept = file.read_bytes()

    file.write_bytes(b"no database at all" * 1000)
    damaged = visitor.get("/health")
    made.dispose()
    file.write_bytes(kept)
    mended = visitor.get("/health")

    assert [reply.status for reply in (whole, damaged, mended)] == [200, 503, 200]
    assert whole.json == {"status": "ok"}
    assert int(damaged.headers["retry-after"]) > 0


def test_the_document_needs_no_database(auth: Callable[..., Auth], client: Callable[..., Any], tmp_path: Path) -> None:
    """`/openapi.json` is the declaration's own document, also where nothing is reached."""
    file = tmp_path / "none.db"
    made = auth(dev_mode=False, base_url="https://example.com", database=f"sqlite:///{file}", hashing=None)

    reply = client(made).get("/openapi.json")

    assert reply.status == 200
    assert reply.json == json.loads(json.dumps(made.openapi))
    assert not file.exists()


def test_three_rooms_are_always_on(auth: Callable[..., Auth]) -> None:
    """An application lists what it wants besides."""
    assert [room.name for room in auth(Password()).features] == [*("password", "sessions", "administration", "meta")]
