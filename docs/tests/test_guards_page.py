"""The page of guards: its examples run, and its tables hold what the code holds, neither more nor less."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from pages import ROOT, blocks, section

from authcore import requirement
from authcore.guards import Attempt, GuardCalls

PAGE = (ROOT / "docs" / "guards.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (`[^|]*`) \|", re.MULTILINE)
_CALL = re.compile(r"`(\w+)\(")


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """All blocks of the page together are one program that works."""
    run("\n".join([*blocks(PAGE), "auth.dispose()"]))


def test_the_page_lists_the_needs() -> None:
    """No keyword of `require(…)` is missing, none is made up."""
    rows = _ROW.findall(section(PAGE, "## What `require(…)` takes"))

    assert {row.strip("`").partition("=")[0] for row in rows} == set(inspect.signature(requirement).parameters)


def test_the_page_lists_the_calls_of_a_guard() -> None:
    """No call of a guard is missing, none is made up."""
    rows = "".join(_ROW.findall(section(PAGE, "## A guard as an object")))
    calls = {name for name in vars(GuardCalls) if not name.startswith("_")}

    assert set(_CALL.findall(rows)) - {"guard"} == calls


def test_the_page_names_what_an_attempt_carries() -> None:
    """Every field of an `Attempt` stands in the paragraph that tells of it."""
    told = set(re.findall(r"`(\w+)`", PAGE.partition("An `Attempt` has")[2].partition("```")[0]))

    assert {*Attempt.__struct_fields__, "succeeded"} - {"remembered"} <= told
