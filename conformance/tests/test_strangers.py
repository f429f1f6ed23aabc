"""Adapters that strangers wrote from the page alone: they are short, and pass the suite whole."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "strangers"
PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "write-your-own.md"
STRANGERS = {"bottle_adapter": "BottleDriver", "starlette_adapter": "StarletteDriver"}
LINES = 150
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the suite in a process of its own, where the strangers can be imported; answer status and output."""
    plugins = ("-p", "no:cacheprovider", "-p", "authcore_conformance.plugin", "-p", "xdist", "-n", "2")
    options = ("-q", "-W", "error", *plugins)
    env = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *options, "--pyargs", "authcore_conformance.suite", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def named() -> set[str]:
    """Answer the words that the page has in its code."""
    code = " ".join(_CODE.findall(PAGE.read_text(encoding="utf-8")))
    return set(re.findall(r"\w+", code))


def taken(tree: ast.Module) -> Iterator[str]:
    """Answer what a module imports of authcore, each part of each name, and what it takes from imported modules."""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith("authcore") for name in node.names), "write from … import …"
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("authcore"):
            yield from str(node.module).split(".")
            yield from (name.name for name in node.names)
            modules |= {name.name for name in node.names if name.name.islower()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield node.attr


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_passes_whole(tmp_path: Path, stranger: str) -> None:
    """Every test of the suite passes: none fails, none is skipped, none is expected to fail."""
    driver = f"{stranger}:{STRANGERS[stranger]}"

    status, output = run(tmp_path, "--authcore-driver", driver, "--authcore-database", "sqlite")

    assert status == pytest.ExitCode.OK, output
    last = output.splitlines()[-1]
    assert re.fullmatch(r"(\d+) passed in .*", last), output
    assert int(last.split()[0]) > 400


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_short(stranger: str) -> None:
    """Adapter, driver and the application's own routes are 150 lines at most, none of them squeezed."""
    lines = (FOLDER / f"{stranger}.py").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= LINES
    assert max(map(len, lines)) <= 120
    assert not any(";" in line for line in lines)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_needs_the_page_alone(stranger: str) -> None:
    """What a stranger takes from authcore is named by the page, and is public."""
    names = set(taken(ast.parse((FOLDER / f"{stranger}.py").read_text(encoding="utf-8"))))

    assert {"Auth", "requirement", "read_body", "HttpResponse"} <= names
    assert names - named() == set()
    assert not [name for name in names if name.startswith("_")]


def test_every_stranger_is_tried() -> None:
    """No file of the folder is left out."""
    assert {path.stem for path in FOLDER.glob("*.py")} == STRANGERS.keys()
