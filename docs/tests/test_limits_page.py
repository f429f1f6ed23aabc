"""The page of limits is what the table of buckets says, and its examples run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from pages import ROOT, blocks

PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
_USE = """
from authcore.http import Request
limited.create_tables()
core = limited.blocking_core()
body = b'{"email": "ada@example.com", "password": "not the right letters"}'
headers = {"host": "127.0.0.1:8000", "content-type": "application/json"}
statuses = [core.dispatch(Request("POST", "/sign-in", body, headers, "127.0.0.1")).status for _ in range(11)]
assert statuses == [401] * 5 + [429] * 6, statuses
auth.dispose()
limited.dispose()
"""


def test_the_page_is_written_from_the_table() -> None:
    """docs/limits.md is what tools/limits_page.py writes."""
    command = [sys.executable, str(ROOT / "tools" / "limits_page.py"), "--check"]

    assert subprocess.run(command, check=False).returncode == 0


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """S115: the page's blocks are one program, whose lockout refuses the sixth try and whose limiter counts."""
    run("\n".join(blocks(PAGE)) + _USE)
