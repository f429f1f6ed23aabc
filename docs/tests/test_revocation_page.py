"""The page of revocation: its examples run, and its calls are the room's."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pages import ROOT, blocks

from authcore.features.sessions.calls import SessionCalls

PAGE = (ROOT / "docs" / "revocation.md").read_text(encoding="utf-8")


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one program; a Redis need not be there before somebody asks it."""
    pytest.importorskip("redis", reason="the Redis driver is an extra")
    use = """
assert (would_end, ended) == (0, 0)
assert "RedisStream" in repr(shared.backends._plan.stream)
shared.dispose()
shops.dispose()
auth.dispose()
"""

    run("\n".join(blocks(PAGE)) + use)


def test_the_page_names_calls_that_exist() -> None:
    """Each call in the table is one of the room's."""
    named = set(re.findall(r"^\| `(\w+)\(", PAGE.split("\n## ")[0], re.MULTILINE))

    assert named >= {"bump_epoch", "revoke_device", "revoke_session"}
    assert [name for name in named if not hasattr(SessionCalls, name)] == []
