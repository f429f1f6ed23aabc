"""Private by underscore, public by a sorted `__all__`, and the two agree."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

import authcore

FILES = sorted(Path(authcore.__file__).parent.rglob("*.py"))


def declared(path: Path) -> list[str] | None:
    """Answer the `__all__` of a file, or None."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", None) == "__all__" for target in node.targets):
            names = ast.literal_eval(node.value)
            assert isinstance(names, list)
            return names
    return None


def bound(path: Path) -> set[str]:
    """Answer the names that a file binds at its top level."""
    names: set[str] = set()
    module = ast.parse(path.read_text())
    # What is imported for types alone is loaded at its first use.
    typed = [node for branch in module.body if isinstance(branch, ast.If) for node in branch.body]
    for node in [*module.body, *typed]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


WITH_ALL = [path for path in FILES if declared(path) is not None]


def order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Answer what a list of public names is sorted by: constants, classes, then the rest; numbers by their size."""
    parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
    return 0 if name.isupper() else 1 if name[:1].isupper() else 2, parts


def test_the_package_says_what_is_public() -> None:
    """`authcore.__all__` is sorted and holds exactly the package's names without an underscore, and its version."""
    own = {
        name
        for name, value in vars(authcore).items()
        if not name.startswith("_") and getattr(value, "__module__", "authcore").startswith("authcore")
    }
    public = {name for name in own if not isinstance(getattr(authcore, name), ModuleType)} - {"TYPE_CHECKING"}

    assert authcore.__all__ == sorted(authcore.__all__, key=order)
    assert set(authcore.__all__) - set(authcore._ROOMS) == public - set(authcore._ROOMS) | {"__version__"}


@pytest.mark.parametrize("name", sorted(authcore._ROOMS))
def test_every_room_is_loaded_by_its_name(name: str) -> None:
    """A room that is loaded at its first use is the class of that name, and another name is none (PEP 562)."""
    assert getattr(authcore, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute"):
        _ = authcore.Nothing


@pytest.mark.parametrize("path", WITH_ALL, ids=[str(path.relative_to(FILES[0].parent)) for path in WITH_ALL])
def test_every_list_of_public_names_is_sorted_and_true(path: Path) -> None:
    """A file's `__all__` is sorted, names nothing twice, nothing private, and nothing that the file lacks."""
    names = declared(path)

    assert names is not None
    assert names == sorted(set(names), key=order)
    assert set(names) <= bound(path)
    assert not [name for name in names if name.startswith("_") and name != "__version__"]
