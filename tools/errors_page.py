"""Write docs/errors.md from the error classes; `--check` exits 1 if the page differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import authcore.features
from authcore.errors import AuthError

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HEAD = """# Errors

Every failure is `{"error": {"code", "message", "details"?}}` with one of these codes; in Python it is an exception
with `code`, `status`, `message`, `details` and `to_json()`. What a failure deliberately does not tell stands beside it.

| status | code | what it means |
|---|---|---|
"""


def kinds(parent: type[AuthError] = AuthError) -> Iterator[type[AuthError]]:
    """Answer every error class below `parent`."""
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


def page() -> str:
    """Answer the page's text."""
    for room in iter_modules(authcore.features.__path__):
        try:
            import_module(f"authcore.features.{room.name}.errors")
        except ModuleNotFoundError as missing:
            if missing.name != f"authcore.features.{room.name}.errors":
                raise
    rows: dict[tuple[int, str], set[str]] = {}
    for kind in kinds():
        rows.setdefault((kind.status, kind.code), set()).add((kind.__doc__ or "").split("\n")[0])
    told = ((status, code, " ".join(sorted(texts))) for (status, code), texts in sorted(rows.items()))
    return HEAD + "".join(f"| {status} | `{code}` | {text} |\n" for status, code, text in told)


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
