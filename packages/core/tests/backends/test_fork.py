"""O5: what a parent made before it forked neither breaks its children nor is broken by them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PRELOAD = Path(__file__).parent / "preload.py"
PRELOADED_APPLICATION = Path(__file__).parent / "preload_app.py"


def test_children_of_a_fork_answer(shared_url: str) -> None:
    """After create_tables, a hash and reads in the parent, each child hashes, reads, writes and hops by itself."""
    report = _preload(shared_url)

    assert report["codes"] == [0, 0, 0]
    for seen in (report["parent"], *report["children"], report["again"]):
        assert (seen["matches"], seen["inline"], seen["hops"]) == (True, True, [True, True])
    counts = [seen["count"][0] for seen in (report["parent"], *report["children"], report["again"])]
    assert counts[0] + 4 == counts[-1]
    assert sorted(counts) == list(range(counts[0], counts[0] + 5))


def test_an_application_that_served_before_the_fork_serves_after_it(shared_url: str, tmp_path: Path) -> None:
    """Requests, hashes and the outbox: each process has threads of its own, and every mail goes out once."""
    letters = tmp_path / "letters"
    report = _preload(shared_url, PRELOADED_APPLICATION, str(letters))

    served = [report["parent"], *report["children"], report["again"]]
    assert report["codes"] == [0, 0]
    assert [seen["statuses"] for seen in served] == [[202, 202]] * 4
    assert all(seen["sender"] for seen in served)
    assert [child["threads"] for child in report["children"]] == [1, 1]
    # What another test left in the outbox goes out too.
    sent = [letter for letter in letters.read_text().split() if letter.endswith(("@blocking.example", "@loop.example"))]
    assert sorted(sent) == sorted(
        f"{name}@{where}.example"
        for name in ("parent", "child-0", "child-1", "again")
        for where in ("blocking", "loop")
    )


def test_no_two_processes_share_a_connection(postgres_url: str) -> None:
    """Each process talks to the server on connections of its own."""
    report = _preload(postgres_url)

    sets = [{*seen["connections"], seen["asyncio"]} for seen in (report["parent"], *report["children"])]
    assert len(set.union(*sets)) == sum(len(each) for each in sets)


def test_a_database_in_memory_goes_on_as_a_copy() -> None:
    """Each child counts on from where the parent was, and the parent does not see it."""
    report = _preload("sqlite://")

    counts = [seen["count"] for seen in (report["parent"], *report["children"], report["again"])]
    assert counts == [[1], [2], [2], [2], [2]]


def _preload(url: str, program: Path = PRELOAD, *more: str) -> Any:
    # Newer Pythons warn of any fork beside threads: that it works is what is tested.
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(program), url, *more]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)
