"""The page of mails says what the code has, both ways, and its examples run."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import get_args

from pages import ROOT, blocks, section

from authcore.feature import Family, event_name
from authcore.ports import Mail, Sms

PAGE = (ROOT / "docs" / "mails.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| ((?:`[a-z_.]+`(?:, )?)+) \|", re.MULTILINE)
_USE = """
from authcore import Password
looks = Auth(dev_mode=True, brand=brand, build_link=build_link, features=[Password()])
assert looks.settings.build_link("password_reset", "t") == "https://example.com/password-reset#token=t"
for each in (auth, looks):
    each.dispose()
"""


def listed(text: str) -> set[str]:
    """Answer what stands in the first column of a table."""
    return {name for row in _ROW.findall(text) for name in re.findall(r"`([^`]+)`", row)}


def test_the_page_lists_what_a_mailer_gets() -> None:
    """S92: no field of a mail is missing, none is made up; those of a text message are named too."""
    table, _, _ = section(PAGE, "## What a mailer gets").partition("\n### ")
    texts = section(PAGE, "## Text messages")

    assert listed(table) == set(Mail.__struct_fields__)
    assert all(f"`{name}`" in texts for name in Sms.__struct_fields__)


def test_the_page_lists_the_closed_names() -> None:
    """S89, S90: each name that a mail or a text message may have stands there, and no other."""
    named = {
        event_name(family, code=code, link=link)
        for family, code, link in product(get_args(Family), (True, False), (True, False))
    }
    table, _, _ = section(PAGE, "### The closed names").partition("\n## ")

    assert listed(table) == named - {None}


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one program."""
    run("\n".join(blocks(PAGE)) + _USE)
