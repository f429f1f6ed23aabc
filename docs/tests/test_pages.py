"""What the pages say is what the code does: examples run, and lists are compared both ways."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import ROOT, blocks

from authcore import (
    Administration,
    Audit,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
    Sessions,
)
from authcore.feature import Feature
from authcore.features.meta import Meta

ROOMS: tuple[type[Feature], ...] = (
    Administration,
    Audit,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    PasswordReset,
    Sessions,
    Meta,
)
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_ROUTE = re.compile(r"^\| `(GET|POST|DELETE|PATCH|PUT) (/[^`]*)`", re.MULTILINE)
_SETTING = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#]+)\)")


def page(room: type[Feature]) -> str:
    """Answer a room's page."""
    return (ROOT / "docs" / "features" / f"{room.name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_examples_of_a_room_run(room: type[Feature], run: Callable[[str], str]) -> None:
    """All blocks of a page together are one program that works."""
    program = "\n".join(blocks(page(room)))

    run(program + ("\nauth.dispose()" if program else ""))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_page_lists_the_routes_of_its_room(room: type[Feature]) -> None:
    """No route is missing from the page, and none is made up."""
    documented = set(_ROUTE.findall(page(room)))

    assert documented == {(route.method, route.path) for route in room().routes}


@pytest.mark.parametrize("room", [room for room in ROOMS if room is not Meta], ids=lambda room: room.name)
def test_a_page_lists_the_settings_of_its_room(room: type[Feature]) -> None:
    """No setting is missing from the page, and none is made up."""
    documented = set(_SETTING.findall(page(room)))

    assert documented == set(inspect.signature(room).parameters)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_page_names_the_mails_of_its_room(room: type[Feature]) -> None:
    """Each kind of mail and its template is named."""
    text = page(room)

    assert all(f"`{mail.kind}`" in text and f"`{mail.name}`" in text for mail in room.mails)


@pytest.mark.parametrize("page", ["errors", "coverage"])
def test_a_page_that_is_made_is_what_its_source_says(page: str) -> None:
    """docs/errors.md is what the error classes say, docs/coverage.md what the tests say of themselves."""
    command = [sys.executable, str(ROOT / "tools" / f"{page}_page.py"), "--check"]

    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("file", [ROOT / "README.md", *PAGES], ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    """Every relative link of a page names a file that is there."""
    links = _LINK.findall(file.read_text(encoding="utf-8"))

    assert [link for link in links if "://" not in link and not (file.parent / link).exists()] == []
