"""What the pages say is what the code does: examples run, and lists are compared both ways."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, blocks

from authcore import (
    Account,
    Administration,
    Anonymous,
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
    Account,
    Administration,
    Anonymous,
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
OPTIONS: dict[type[Feature], dict[str, Any]] = {
    Account: {"username": True, "phone": True, "several_emails": True, "invitations": "members"},
}  # with which a room has every route that it can have
SPANS = {name: timedelta(**{f"{name}s": 1}) for name in ("second", "minute", "hour", "day")}
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_ROUTE = re.compile(r"^\| `(GET|POST|DELETE|PATCH|PUT) (/[^`]*)`", re.MULTILINE)
_SETTING = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
_DEFAULT = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \|", re.MULTILINE)
_CODE = re.compile(r"`([a-z_]+)`")
_LINK = re.compile(r"\]\(([^)#]+)\)")
_PAGE_LINK = re.compile(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)")


def page(room: type[Feature]) -> str:
    """Answer a room's page."""
    return (ROOT / "docs" / "features" / f"{room.name}.md").read_text(encoding="utf-8")


def made(room: type[Feature]) -> Feature:
    """Answer a room with every route that it can have."""
    return room(**OPTIONS.get(room, {}))


def written(default: object) -> set[str]:
    """Answer how a page may tell a default."""
    if isinstance(default, timedelta):
        return {f"{default / span:g} {name}{'s' * (default != span)}" for name, span in SPANS.items()}
    return {f"`{default!r}`".replace("'", '"')}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_examples_of_a_room_run(room: type[Feature], run: Callable[[str], str]) -> None:
    """All blocks of a page together are one program that works."""
    program = "\n".join(blocks(page(room)))

    run(program + ("\nauth.dispose()" if program else ""))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_page_lists_the_routes_of_its_room(room: type[Feature]) -> None:
    """No route is missing from the page, and none is made up."""
    documented = set(_ROUTE.findall(page(room)))

    assert documented == {(route.method, route.path) for route in made(room).routes}


@pytest.mark.parametrize("room", [room for room in ROOMS if room is not Meta], ids=lambda room: room.name)
def test_a_page_lists_the_settings_of_its_room(room: type[Feature]) -> None:
    """No setting is missing from the page, and none is made up."""
    documented = set(_SETTING.findall(page(room)))

    assert documented == set(inspect.signature(room).parameters)


@pytest.mark.parametrize("room", [room for room in ROOMS if room is not Meta], ids=lambda room: room.name)
def test_a_page_tells_the_defaults_of_its_room(room: type[Feature]) -> None:
    """A default that is a value is the value of the signature."""
    given = {name: setting.default for name, setting in inspect.signature(room).parameters.items()}

    told = dict(_DEFAULT.findall(page(room)))

    values = {name: default for name, default in given.items() if default is not None}
    assert {name: told[name] for name in values if told[name] not in written(values[name])} == {}


@pytest.mark.parametrize("room", [room for room in ROOMS if room.routes], ids=lambda room: room.name)
def test_a_page_names_the_codes_of_its_routes(room: type[Feature]) -> None:
    """Each code that a route of the room refuses with is named."""
    raised = {error.code for route in made(room).routes for error in route.raises}

    assert raised <= set(_CODE.findall(page(room)))


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


def test_the_readme_leads_to_every_page() -> None:
    """Whoever begins at the README can come to each page by its links."""
    found = [ROOT / "README.md"]
    for file in found:  # which grows
        links = {(file.parent / link).resolve() for link in _PAGE_LINK.findall(file.read_text(encoding="utf-8"))}
        found += sorted(links - set(found))

    assert set(PAGES) - set(found) == set()
