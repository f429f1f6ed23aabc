"""`authcore limits show`: the buckets as one application counts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth
from authcore.services.buckets import BUCKETS

Mounted = Callable[..., Result]


def test_every_bucket_is_a_line(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """A6: the table has a line for each bucket, with its name, allowance and window."""
    shown = mounted(auth(), "limits", "show")

    head, *lines = shown.output.splitlines()
    assert shown.exit_code == 0
    assert head.split() == ["BUCKET", "ALLOWANCE", "SECONDS", "BY", "PAST", "IT", "COUNTS"]
    assert [line.split()[:3] for line in lines] == [
        [bucket.name, str(bucket.allowance), str(bucket.window)] for bucket in BUCKETS.values()
    ]


def test_a_chosen_allowance_stands_beside_the_default(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """A6: what the application has changed is told with what it would be."""
    shown = mounted(auth(limits={"sign_in.address": 500}), "limits", "show")

    [line] = [line for line in shown.output.splitlines() if line.startswith("sign_in.address ")]
    assert "500 (default 200)" in line


def test_as_json_it_is_a_list_of_objects(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """A6: `--json` prints every field of every bucket."""
    shown = mounted(auth(limits={"sign_in.address": 500}), "limits", "show", "--json")

    rows: list[dict[str, Any]] = json.loads(shown.output)
    [changed] = [row for row in rows if row["allowance"] != row["default"]]
    assert [row["name"] for row in rows] == list(BUCKETS)
    assert (changed["name"], changed["allowance"], changed["default"]) == ("sign_in.address", 500, 200)
    assert set(changed) == {"name", "allowance", "window", "by", "counts", "why", "past", "default", "on"}


@pytest.mark.parametrize("limits", [True, False])
def test_whether_anything_is_counted_is_told(auth: Callable[..., Auth], mounted: Mounted, limits: bool) -> None:
    """A6: with `limits=False` the table says that nothing is counted, and so does each object."""
    made = auth(limits=limits)

    text, data = mounted(made, "limits", "show"), mounted(made, "limits", "show", "--json")

    assert ("limits=False" in text.output) is not limits
    assert {row["on"] for row in json.loads(data.stdout)} == {limits}
