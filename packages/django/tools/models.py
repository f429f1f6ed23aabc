"""Write `authcore_django/models.py` from authcore's own tables: `python packages/django/tools/models.py`.

The migrations are then Django's to make: `python -m django makemigrations authcore` with any settings that list
`authcore_django`. Tests compare both with the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, Text
from sqlalchemy.sql.schema import UniqueConstraint
from sqlalchemy.types import TypeDecorator, TypeEngine

import authcore.backends.build  # noqa: F401 - the tables that a backend brings stand in the metadata as well
from authcore import features
from authcore.tables import metadata

TARGET = Path(__file__).parents[1] / "src" / "authcore_django" / "models.py"
HEADER = '''\
"""authcore's tables as Django knows them, written by `tools/models.py` from authcore's own.

They are here for migrations, and to look at: authcore itself reads and writes them by its own statements, since a row
changed past its rules is a hole in them.
"""

# ruff: noqa: RUF012
# mypy: disable-error-code="var-annotated"

from __future__ import annotations

from django.db import models

from authcore_django.fields import Index, KeyField
'''
_NAMES = {"authcore_kv": "KeyValue", "authcore_access": "AccessSecret", "authcore_refresh": "RefreshToken"}
_PLURALS = {"authcore_identity": "identities", "authcore_kv": "key values"}


def source() -> str:
    """Answer the text of the module."""
    return HEADER + "".join(f"\n\n{_model(table)}" for table in _shipped())


def _shipped() -> Iterator[Table]:
    for room in iter_modules(features.__path__, "authcore.features."):
        import_module(room.name)  # brings its tables
    yield from sorted(metadata.tables.values(), key=lambda table: table.name)


def _model(table: Table) -> str:
    lines = [f"class {_NAMES.get(table.name) or _camel(table.name)}(models.Model):"]
    if len(table.primary_key) > 1:
        names = ", ".join(f'"{column.name}"' for column in table.primary_key)
        lines.append(f"    pk = models.CompositePrimaryKey({names})")
    lines += [f"    {column.name} = {_field(column)}" for column in table.columns]
    return "\n".join([*lines, "", *_meta(table)]) + "\n"


def _camel(name: str) -> str:
    return name.removeprefix("authcore_").title().replace("_", "")


def _field(column: Column[object]) -> str:
    kind, arguments = _kind(column)
    if column.primary_key and len(column.table.primary_key) == 1:
        arguments.append("primary_key=True")
    if column.nullable:
        arguments.append("null=True")
    if column.server_default is not None:
        arguments.append(f"db_default={column.server_default.arg}")  # type: ignore[attr-defined]
    return f"{kind}({', '.join(arguments)})"


def _kind(column: Column[object]) -> tuple[str, list[str]]:
    if column.autoincrement is True:
        return "models.BigAutoField", []
    stored = _stored(column.type)
    if isinstance(stored, Text):
        return "models.TextField", []
    if isinstance(stored, String):
        return ("KeyField" if _looked_up(column) else "models.CharField"), [f"max_length={stored.length}"]
    if isinstance(stored, LargeBinary):
        return "models.BinaryField", [f"max_length={stored.length}"] if stored.length else []
    for kind, name in ((Boolean, "Boolean"), (BigInteger, "BigInteger"), (Integer, "Integer")):
        if isinstance(stored, kind):
            return f"models.{name}Field", []
    raise TypeError(f"{column}: there is no field for {stored!r} yet")


def _stored(kind: TypeEngine[object]) -> TypeEngine[object]:
    return _stored(kind.impl_instance) if isinstance(kind, TypeDecorator) else kind


def _looked_up(column: Column[object]) -> bool:
    indexes = [*column.table.indexes, *_uniques(column.table)]
    return column.primary_key or any(column.name in index.columns for index in indexes)


def _uniques(table: Table) -> list[UniqueConstraint]:
    found = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    return sorted(found, key=lambda constraint: str(constraint.name))


def _meta(table: Table) -> Iterator[str]:
    yield "    class Meta:"
    yield f'        db_table = "{table.name}"'
    if plural := _PLURALS.get(table.name):
        yield f'        verbose_name_plural = "{plural}"'
    if table.indexes:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        yield from _listed("indexes", [f'Index(fields=[{_quoted(i.columns)}], name="{i.name}")' for i in indexes])
    if uniques := _uniques(table):
        kind = "models.UniqueConstraint"
        yield from _listed("constraints", [f'{kind}(fields=[{_quoted(u.columns)}], name="{u.name}")' for u in uniques])


def _listed(name: str, items: list[str]) -> Iterator[str]:
    yield f"        {name} = ["
    yield from (f"            {item}," for item in items)
    yield "        ]"


def _quoted(columns: object) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)  # type: ignore[attr-defined]


if __name__ == "__main__":
    TARGET.write_text(source())
