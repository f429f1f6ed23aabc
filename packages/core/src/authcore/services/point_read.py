"""Statements on a hot path: reads of one row by its key, and writes whose answers nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any] | None


class PointRead:
    """A statement that answers at most one row.

    SQLite finds the row in 8 µs, and SQLAlchemy spends 22 more on results that could be long, so there the driver gets
    the compiled text at once. Values pass the same column types either way.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self.names = [str(column.key) for column in statement.selected_columns]

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


class PointWrite:
    """A statement that writes few rows and answers none.

    On SQLite the driver gets the compiled text at once, as for a PointRead. To PostgreSQL several go in one trip.
    """

    def __init__(self, statement: Executable) -> None:
        self.statement: Any = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, tx: Connection, values: Mapping[str, Any]) -> int:
        """Run it alone and answer how many rows it met."""
        if not _is_plain_sqlite(tx):
            return int(tx.execute(self.statement, values).rowcount)
        with _translated(tx):
            return int(self.hand(tx, tx.connection.dbapi_connection, values).rowcount)

    def hand(self, tx: Connection, driver: Any, values: Mapping[str, Any]) -> Any:
        """Hand it to a driver as that takes it."""
        name = tx.dialect.name
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = _Compiled(self.statement, tx.dialect, list(values))
        return driver.execute(*compiled.of(values))


def write_together(tx: Connection, *writes: tuple[PointWrite, Mapping[str, Any]]) -> None:
    """Run writes one after the other; what a driver raises is raised as SQLAlchemy does."""
    if _is_plain_sqlite(tx):
        with _translated(tx):
            for write, values in writes:
                write.hand(tx, tx.connection.dbapi_connection, values)
        return
    raw = _pipelining(tx)
    if raw is None:
        for write, values in writes:
            tx.execute(write.statement, values)
        return
    with _translated(tx), raw.pipeline(), raw.cursor() as cursor:
        for write, values in writes:
            write.hand(tx, cursor, values)


@contextmanager
def _translated(tx: Connection) -> Iterator[None]:
    kind = tx.dialect.loaded_dbapi.Error
    try:
        yield
    except kind as error:
        # Rule O3: neither the statement nor its values stand in what is raised.
        gone = tx.dialect.is_disconnect(error, tx.connection.dbapi_connection, None)
        raise DBAPIError.instance(
            "authcore", None, error, kind, hide_parameters=True, connection_invalidated=gone, dialect=tx.dialect
        ) from error


def _pipelining(tx: Connection) -> Any:
    """Answer psycopg's own connection where it can send several statements before it waits, else None."""
    if tx.dialect.driver != "psycopg" or tx.dialect.is_async or _is_heard(tx):
        return None
    raw = tx.connection.dbapi_connection
    return raw if type(raw).__module__.partition(".")[0] == "psycopg" else None


class _Compiled:
    """A statement's text, and what turns its values into the driver's."""

    def __init__(self, statement: Any, dialect: Any, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=names)
        self._text = str(compiled)
        self._order = compiled.positiontup
        self._bind = {name: _converter(bind.type, "bind_processor", dialect) for name, bind in compiled.binds.items()}
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if name not in names}

    def of(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """Answer the text with its parameters."""
        values = {**self._fixed, **values}
        bound = {name: value if (bind := self._bind[name]) is None else bind(value) for name, value in values.items()}
        return self._text, bound if self._order is None else [bound[name] for name in self._order]


def _is_heard(tx: Connection) -> bool:
    # Who listens to an engine's statements hears these too: an instrumented application, a log, a test that counts.
    heard = tx._has_events or tx.engine._has_events or tx.dialect._has_events or tx._echo
    return bool(heard) or "schema_translate_map" in tx.get_execution_options()


def _is_plain_sqlite(tx: Connection) -> bool:
    return tx.dialect.driver == "pysqlite" and not _is_heard(tx)


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
