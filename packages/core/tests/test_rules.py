"""What the code of every flow keeps to, read from the code: rules that no import contract can state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import authcore

ROOT = Path(authcore.__file__).parent
EDGES = ("backends", "testing", "cli", "migrations")
FILES = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}
NEUTRAL = {name: tree for name, tree in FILES.items() if not name.startswith(EDGES) and name != "drive.py"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules and names that a file imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def caught(tree: ast.AST) -> Iterator[str]:
    """Yield what the file's `except` clauses name; a bare one is BaseException."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            names = {leaf.id for leaf in ast.walk(node.type) if isinstance(leaf, ast.Name)} if node.type else set()
            yield from names or {"BaseException"}


def awaited_at_last(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of every `await` inside a `finally`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            yield from (
                leaf.lineno for last in node.finalbody for leaf in ast.walk(last) if isinstance(leaf, ast.Await)
            )


def test_the_rules_see_what_they_forbid() -> None:
    """The readers themselves work."""
    tree = ast.parse(
        "import random\ndef f():\n  from contextvars import ContextVar\n"
        "async def g():\n  try:\n    pass\n  except (OSError, BaseException):\n    pass\n  finally:\n    await f()\n"
        "try:\n  pass\nexcept:\n  pass\n"
    )

    assert list(imported(tree)) == ["random", "contextvars.ContextVar"]
    assert sorted(caught(tree)) == ["BaseException", "BaseException", "OSError"]
    assert list(awaited_at_last(tree)) == [10]


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_a_flow_leaves_nothing_behind_and_stops_when_told(name: str) -> None:
    """The core sets no ContextVar, catches no BaseException, and awaits nothing in `finally`."""
    tree = NEUTRAL[name]

    assert not [module for module in imported(tree) if module.startswith("contextvars")]
    assert {"BaseException", "CancelledError", "GeneratorExit", "KeyboardInterrupt"}.isdisjoint(caught(tree))
    assert list(awaited_at_last(tree)) == []


@pytest.mark.parametrize("name", sorted(name for name in FILES if Path(name).name in ("store.py", "tables.py")))
def test_what_runs_in_a_transaction_cannot_await(name: str) -> None:
    """Store functions are plain."""
    assert not [node for node in ast.walk(FILES[name]) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]


@pytest.mark.parametrize("name", sorted(FILES))
def test_nothing_is_drawn_from_a_predictable_source(name: str) -> None:
    """O4: secrets come from `secrets`, through the port of randomness, and nothing from `random` or `uuid`."""
    named = {module for module in imported(FILES[name]) if module.partition(".")[0] in ("random", "uuid")}

    # The type of an id is no source of one.
    assert named <= {"uuid.UUID"}
