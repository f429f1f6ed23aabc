"""What Alembic is told wherever it looks at authcore's tables: only at them, with a version table of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import authcore.backends.kv_sql  # noqa: F401 - registers its table
from authcore import tables

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def _is_ours(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
    return kind != "table" or name in tables.metadata.tables


def _render(kind: str, value: Any, context: AutogenContext) -> str | Literal[False]:
    # A type of authcore.tables means the same for ever; what it becomes in each database is written there alone.
    if kind != "type" or type(value).__module__ != tables.__name__:
        return False
    context.imports.add(f"from {tables.__name__} import {type(value).__name__}")
    return repr(value)


OPTIONS: dict[str, Any] = {
    "target_metadata": tables.shipped(),
    "version_table": tables.VERSION_TABLE,
    "include_name": _is_ours,
    "render_item": _render,
    "compare_type": True,
    "compare_server_default": True,
}
