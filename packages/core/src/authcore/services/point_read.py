"""Reads of one row by its key, as every guarded request makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any] | None


class PointRead:
    """A statement that answers at most one row.

    SQLite finds the row in 8 µs, and SQLAlchemy spends 22 more on results that could be long, so there the driver gets
    the compiled text at once. Values pass the same column types either way.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement

    def row(self, tx: Connection, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Answer the row's values, in the order of the statement's columns, or None."""
        if _is_plain_sqlite(tx):
            # What goes wrong here goes wrong again below, where it becomes an error that the ports translate.
            with suppress(tx.dialect.loaded_dbapi.Error):
                return self._on_sqlite.row(tx.connection.dbapi_connection, values)
        return tx.execute(self._statement, values).one_or_none()

    @cached_property
    def _on_sqlite(self) -> _OnSqlite:
        return _OnSqlite(self._statement)


def _is_plain_sqlite(tx: Connection) -> bool:
    # Who listens to an engine's statements hears these too: an instrumented application, a log, a test that counts.
    heard = tx._has_events or tx.engine._has_events or tx.dialect._has_events or tx._echo
    return tx.dialect.driver == "pysqlite" and not heard and "schema_translate_map" not in tx.get_execution_options()


class _OnSqlite:
    """The statement as SQLite's driver takes it."""

    def __init__(self, statement: Select[Any]) -> None:
        from sqlalchemy.dialects import sqlite

        dialect = sqlite.dialect(paramstyle="qmark")
        compiled = statement.compile(dialect=dialect)
        self._text = compiled.string
        self._names = compiled.positiontup or []
        self._bind = {name: _converter(bind.type, "bind_processor", dialect) for name, bind in compiled.binds.items()}
        self._read = [
            _converter(column.type, "result_processor", dialect, None) for column in statement.selected_columns
        ]

    def row(self, connection: Any, values: Mapping[str, Any]) -> Sequence[Any] | None:
        bound = {name: value if (bind := self._bind[name]) is None else bind(value) for name, value in values.items()}
        # All of it: a result that is left half read holds the connection at an old snapshot.
        found = connection.execute(self._text, [bound[name] for name in self._names]).fetchall()
        if not found:
            return None
        return [value if read is None else read(value) for read, value in zip(self._read, found[0], strict=True)]


def _converter(kind: TypeEngine[Any], way: str, *given: Any) -> Convert:
    converter: Convert = getattr(kind.dialect_impl(given[0]), way)(*given)
    return converter
