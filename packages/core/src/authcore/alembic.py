"""For an application whose own migrations look at the database that also holds authcore's tables.

Alembic's autogenerate proposes to drop every table that the application's metadata lacks. In its `env.py`:

    from authcore.alembic import include_object

    context.configure(..., include_object=include_object)

An application that has an `include_object` of its own calls this one in it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["include_object"]

_PREFIX = "authcore_"


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Tell Alembic to leave alone what authcore put into the database.

    Tables of authcore that the application declares in its own metadata, to migrate them itself, are compared.
    """
    foreign = kind == "table" and reflected and compare_to is None
    return not (foreign and (name or "").startswith(_PREFIX))
