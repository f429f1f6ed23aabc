"""The page of events says what the code tells, both ways, and its examples run."""

from __future__ import annotations

import re
from collections.abc import Callable

from pages import ROOT, blocks, section

from authcore.services.events import EVENTS, Event

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `\w+` \| .*$", re.MULTILINE)


def row(kind: type[Event]) -> str:
    """Answer the line of an event, as its class says it."""
    holds = ", ".join(f"`{name}`" for name in kind.__struct_fields__ if name not in ("tenant", "at"))
    return f"| `{kind.__name__}` | {holds or '–'} | {kind.outcome} | {(kind.__doc__ or '').splitlines()[0]} |"


def test_the_page_lists_every_event() -> None:
    """S119: no event is missing, none is made up, and each line is the class's own."""
    assert _ROW.findall(section(PAGE, "## Every event")) == [row(kind) for kind in EVENTS]


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one program: what it dispatches is heard."""
    use = """
heard = []
auth.events.on_every(heard.append)
auth.blocking.events.dispatch(Failed("default", datetime.now(UTC), "ada@example.com"))
auth.dispose()
print([type(event).__name__ for event in heard])
"""

    assert run("\n".join(blocks(PAGE)) + use) == "['Failed']\n"
