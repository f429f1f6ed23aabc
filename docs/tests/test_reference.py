"""The pages of settings and commands hold what `Auth` and the command line hold, neither more nor less."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

import click
import pytest
from pages import ROOT, blocks

from authcore import Auth
from authcore.cli import group

SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([^`]+)` \|(?: `([^`]+)` \|)?", re.MULTILINE)
_USE = """
from authcore.http import Request
tenants = Auth(database="sqlite:///app.db", dev_mode=True, features=[Password()], tenant=tenant_of)
tenants.create_tables()
health = tenants.blocking_core().dispatch(Request("GET", "/health", headers={"host": "shop.localhost:8000"}))
assert health.status == 200
tenants.dispose()
company.dispose()
members.dispose()
auth.dispose()
"""


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """Answer every command below a group, by its whole name."""
    if not isinstance(command, click.Group):
        yield name
    else:
        for below, inner in command.commands.items():
            yield from leaves(inner, f"{name} {below}")


def test_the_page_lists_the_settings() -> None:
    """No setting of `Auth` is missing, none is made up."""
    assert {name for name, _ in _ROW.findall(SETTINGS)} == set(inspect.signature(Auth).parameters)


@pytest.mark.parametrize("name", [name for name, default in _ROW.findall(SETTINGS) if default])
def test_the_page_tells_the_defaults(name: str) -> None:
    """A default that is a value is the value of the signature."""
    told = dict(_ROW.findall(SETTINGS))[name]

    assert told.replace('"', "'") == repr(inspect.signature(Auth).parameters[name].default)


def test_the_example_of_settings_runs(run: Callable[[str], str]) -> None:
    """An application of that declaration is made, and one with the tenants' hook answers."""
    run("\n".join(blocks(SETTINGS)) + _USE)


def test_the_page_lists_the_commands() -> None:
    """No command is missing, none is made up."""
    assert {name for name, _ in _ROW.findall(COMMANDS)} == set(leaves(group, "authcore"))
