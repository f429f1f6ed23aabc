"""The page of credentials says what the code has, both ways, and its examples run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta

from pages import ROOT, blocks, section

from authcore import credentials
from authcore.credentials import CredentialCalls, CredentialError, CredentialManager, RefreshConfig

PAGE = (ROOT / "docs" / "credentials.md").read_text(encoding="utf-8")
_SETTING = re.compile(r"^\| `([a-z_]+)` \|([^|]*)\|", re.MULTILINE)
_CALL = re.compile(r"^\| `([a-z_]+)\(", re.MULTILINE)
_ERROR = re.compile(r"^\| `([a-z_]+)` \| `(\w+)` \|", re.MULTILINE)
_STORE = re.compile(r"^\| `(\w+Store)\(", re.MULTILINE)
_RUN = """
contract = TestMyStore()
for name in (name for name in dir(contract) if name.startswith("test_")):
    getattr(contract, name)()
"""


def settings_of(made: type) -> dict[str, object]:
    """Answer the settings of a class and their defaults."""
    return {name: each.default for name, each in inspect.signature(made).parameters.items() if name != "self"}


def told(default: object) -> set[str]:
    """Answer how the page may tell a default."""
    if default is inspect.Parameter.empty:
        return {""}
    if isinstance(default, timedelta):
        spans = {"days": 86400, "minutes": 60, "seconds": 1}
        return {f"{default.total_seconds() / span:g} {name}" for name, span in spans.items()}
    if isinstance(default, RefreshConfig):
        return {"`RefreshConfig()`"}
    return {f"`{default!r}`".replace("'", '"')}


def test_the_page_tells_the_settings_and_their_defaults() -> None:
    """S37, S41: no setting is missing, none is made up, and each default is the code's."""
    whole = dict(_SETTING.findall(section(PAGE, "## Settings")))

    wanted = {**settings_of(CredentialManager), **settings_of(RefreshConfig)}

    assert set(whole) == set(wanted)
    assert {name: text for name, text in whole.items() if text.strip() not in told(wanted[name])} == {}


def test_the_page_lists_the_calls() -> None:
    """S40: no call of a manager is missing, and none is made up."""
    assert set(_CALL.findall(PAGE.split("## Settings")[0])) == {
        name for name in vars(CredentialCalls) if not name.startswith("_")
    }


def test_the_page_lists_the_errors() -> None:
    """S63: each code is told with its class; only the conflict inside a store is not an application's to meet."""
    errors = {
        (error.code, error.__name__)
        for error in vars(credentials).values()
        if isinstance(error, type) and issubclass(error, CredentialError) and error is not CredentialError
    } - {("conflict", "CredentialExists")}

    assert set(_ERROR.findall(section(PAGE, "## Errors"))) == errors


def test_the_page_lists_the_stores() -> None:
    """Each store that `authcore.credentials` has is told of, and no other."""
    stores = {name for name in credentials.__all__ if name.endswith("Store") and name in credentials._LATER}

    assert set(_STORE.findall(section(PAGE, "## Stores"))) == stores


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one program, whose contract holds for the store in memory."""
    run("\n".join(blocks(PAGE)) + _RUN)
