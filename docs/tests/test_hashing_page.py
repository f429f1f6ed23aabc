"""The page of hashing says what the code has, both ways, and its examples run."""

from __future__ import annotations

import re
from collections.abc import Callable

from pages import ROOT, blocks, section

from authcore.backends import hashing
from authcore.backends.hashing.cost import Cost

PAGE = (ROOT / "docs" / "hashing.md").read_text(encoding="utf-8")
_NAMED = re.compile(r"^\| `([A-Z0-9_]+)` \|.*\| `([^`]+)` \|$", re.MULTILINE)
_USE = """
from authcore.drive import Drive
hasher = importing.backends.ports(Drive.BLOCKING).hasher
assert all(hasher.knows(digest) for digest in digests)
assert not any(auth.backends.ports(Drive.BLOCKING).hasher.knows(digest) for digest in digests)
assert peppered.backends.ports(Drive.BLOCKING).hasher.dummy().startswith("$peppered$k=")
for each in (auth, importing, peppered):
    each.dispose()
"""


def beginning(cost: Cost) -> str:
    """Answer a digest without its salt and its tag."""
    return cost.encode(bytes(cost.salt_bytes), bytes(cost.hash_bytes)).rsplit("$", 2)[0] + "$"


def test_the_page_lists_the_named_values() -> None:
    """S65, S66, S67, S68: no name is missing but CHEAP, none is made up, and each digest begins as it says."""
    named = {name: beginning(getattr(hashing, name)) for name in hashing.__all__ if name.isupper()}
    del named["CHEAP"]

    assert dict(_NAMED.findall(section(PAGE, "## Parameters by name"))) == named


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one program, and what it marks is known where its key was declared alone."""
    run("\n".join(blocks(PAGE)) + _USE)
