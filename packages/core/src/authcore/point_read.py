"""Statements on a hot path: reads of one row by its key, and writes of few.

SQLAlchemy compiles them, and its types convert what goes in and what comes out. Where nobody listens to an engine, the
driver gets the compiled text at once: SQLite finds a row in 8 µs, and SQLAlchemy spends 22 more on results that could
be long. To PostgreSQL, over psycopg, blocking or on an event loop, several go in one trip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import await_only

Convert = Callable[[Any], Any] | None
Values = Mapping[str, Any]
Row = Sequence[Any]
_PARAMETER = re.compile(r"%\((\w+)\)s")
_HEARD = ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")
Sent = tuple[str, Any]
"""A statement's text and its parameters, as the driver takes them."""


class Point:
    """A statement that is compiled once for each kind of database."""

    def __init__(self, statement: Executable) -> None:
        self.statement: Any = statement
        self._compiled: dict[str, _Compiled] = {}

    def sent(self, tx: Connection, values: Values) -> Sent:
        """Answer it as a driver takes it."""
        name = tx.dialect.name
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = _Compiled(self.statement, tx.dialect, list(values))
        return compiled.of(values)


class PointRead(Point):
    """A statement that answers at most one row: a SELECT, or what writes one row and returns of it."""

    def __init__(self, statement: Select[Any] | ReturningInsert[Any]) -> None:
        super().__init__(statement)
        self.names = [str(column.key) for column in statement.exported_columns]

    def row(self, tx: Connection, values: Values) -> Row | None:
        """Answer the row's values, in the order of the statement's columns, or None."""
        if (raw := _sqlite(tx)) is not None:
            # What goes wrong here goes wrong again below, where it becomes an error that the ports translate.
            with suppress(tx.dialect.loaded_dbapi.Error):
                return self.found(tx, raw.execute(*self.sent(tx, values)))
        elif (send := _straight(tx)) is not None:
            with _translated(tx):
                return self.found(tx, *send(self.sent(tx, values)))
        return tx.execute(self.statement, values).one_or_none()

    def found(self, tx: Connection, cursor: Any) -> Row | None:
        """Answer the row that a driver's cursor has."""
        # All of it: a result that is left half read holds SQLite's connection at an old snapshot.
        rows = cursor.fetchall()
        return self._compiled[tx.dialect.name].read(rows[0], cursor) if rows else None


class PointWrite(Point):
    """A statement that writes few rows and answers none."""

    def run(self, tx: Connection, values: Values) -> int:
        """Run it alone and answer how many rows it met."""
        if (raw := _sqlite(tx)) is not None:
            with _translated(tx):
                return self.found(tx, raw.execute(*self.sent(tx, values)))
        if (send := _straight(tx)) is not None:
            with _translated(tx):
                return self.found(tx, *send(self.sent(tx, values)))
        return int(tx.execute(self.statement, values).rowcount)

    def found(self, tx: Connection, cursor: Any) -> int:
        """Answer how many rows were met."""
        return int(cursor.rowcount)


Call = tuple[PointRead | PointWrite, Values]


def together(tx: Connection, *calls: Call) -> list[Any]:
    """Run statements one after the other, in one trip where the driver can send so.

    Answers of each what it would alone: a row or None, or how many rows were met. What a driver raises is raised as
    SQLAlchemy does.
    """
    send = _straight(tx)
    if send is None or len(calls) == 1:
        return [_alone(tx, *call) for call in calls]
    with _translated(tx):
        cursors = send(*(point.sent(tx, values) for point, values in calls))
        return [point.found(tx, cursor) for (point, _), cursor in zip(calls, cursors, strict=True)]


def at_once(tx: Connection, *calls: Call) -> None:
    """Run writes whose order means nothing and whose counts nobody needs: to PostgreSQL they are one statement.

    None of them may meet a row that another one meets.
    """
    send = _straight(tx)
    if send is None or len(calls) == 1:
        for call in calls:
            _alone(tx, *call)
        return
    with _translated(tx):
        send(_composed(tx, calls))


def scalars(tx: Connection, writes: Sequence[Call], reads: Sequence[Call]) -> Sequence[Any] | None:
    """Run writes that return one value each, and reads of one value each, as one statement; answer all values.

    None where the driver has no way for that, and nothing was run. What is read is as it was before the writes.
    """
    if tx.dialect.driver != "psycopg" or _is_mapped(tx):
        return None
    sent = _composed(tx, writes, reads, returning=True)
    send = _straight(tx)
    if send is None:
        return tuple(tx.exec_driver_sql(*sent).one())
    with _translated(tx):
        [cursor] = send(sent)
        row: Row = cursor.fetchall()[0]
        return row


def _composed(tx: Connection, writes: Sequence[Call], reads: Sequence[Call] = (), *, returning: bool = False) -> Sent:
    """Answer one statement of PostgreSQL, which runs what its WITH writes whatever its SELECT asks for."""
    sent = [point.sent(tx, values) for point, values in (*writes, *reads)]
    text = _text(tuple(text for text, _ in sent), len(writes), returning)
    return text, {f"{name}_{number}": value for number, (_, each) in enumerate(sent) for name, value in each.items()}


@lru_cache(maxsize=64)
def _text(texts: tuple[str, ...], writes: int, returning: bool) -> str:
    numbered = [_PARAMETER.sub(rf"%(\1_{number})s", text) for number, text in enumerate(texts)]
    parts = ", ".join(f"w{number} AS ({text})" for number, text in enumerate(numbered[:writes]))
    asked = [f"(TABLE w{number})" for number in range(writes)] if returning else []
    return f"WITH {parts} SELECT {', '.join([*asked, *(f'({text})' for text in numbered[writes:])])}"


def _alone(tx: Connection, point: PointRead | PointWrite, values: Values) -> Any:
    return point.row(tx, values) if isinstance(point, PointRead) else point.run(tx, values)


@contextmanager
def _translated(tx: Connection) -> Iterator[None]:
    kind = tx.dialect.loaded_dbapi.Error
    try:
        yield
    except kind as error:
        gone = tx.dialect.is_disconnect(error, tx.connection.dbapi_connection, None)
        if gone:
            # SQLAlchemy finds out for itself, and lets go of a whole pool whose other connections are as dead.
            tx.exec_driver_sql("SELECT 1")
        # Rule O3: neither the statement nor its values stand in what is raised.
        raise DBAPIError.instance(
            "authcore", None, error, kind, hide_parameters=True, connection_invalidated=gone, dialect=tx.dialect
        ) from error


def _straight(tx: Connection) -> Callable[..., Sequence[Any]] | None:
    """Answer what sends statements to psycopg, in one trip, and answers a cursor of each; None for another driver."""
    if tx.dialect.driver != "psycopg" or _is_heard(tx):
        return None
    raw = tx.connection.driver_connection
    raw = getattr(raw, "lent", raw)  # an adapter lends the framework's own connection behind a wrapper
    if type(raw).__module__.partition(".")[0] != "psycopg":
        return None
    return _Awaited(raw).send if tx.dialect.is_async else _Blocking(raw).send


class _Blocking:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def send(self, *sent: Sent) -> Sequence[Any]:
        if len(sent) == 1:
            return [self._raw.execute(*sent[0])]
        with self._raw.pipeline():
            return [self._raw.execute(*each) for each in sent]


class _Awaited:
    """The same on an event loop, from inside of SQLAlchemy's greenlet."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def send(self, *sent: Sent) -> Sequence[Any]:
        return [_Fetched(cursor) for cursor in await_only(self._send(sent))]

    async def _send(self, sent: Sequence[Sent]) -> list[Any]:
        if len(sent) == 1:
            return [await self._raw.execute(*sent[0])]
        async with self._raw.pipeline():
            return [await self._raw.execute(*each) for each in sent]


class _Fetched:
    """What an asynchronous cursor holds already, without awaiting."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.rowcount = cursor.rowcount

    @property
    def description(self) -> Any:
        return self._cursor.description

    def fetchall(self) -> Any:
        return await_only(self._cursor.fetchall())


class _Compiled:
    """A statement's text, and what turns its values into the driver's and the driver's row into values."""

    def __init__(self, statement: Any, dialect: Any, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=names)
        self._text = str(compiled)
        self._order = compiled.positiontup
        self._bind = {name: _converter(bind.type, "bind_processor", dialect) for name, bind in compiled.binds.items()}
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if name not in names}
        self._dialect = dialect
        self._types = [column.type for column in getattr(statement, "exported_columns", ())]
        self._read: list[Convert] | None = None

    def of(self, values: Values) -> Sent:
        """Answer the text with its parameters."""
        if self._fixed:
            values = {**self._fixed, **values}
        bound = {name: value if (bind := self._bind[name]) is None else bind(value) for name, value in values.items()}
        return self._text, bound if self._order is None else [bound[name] for name in self._order]

    def read(self, row: Row, cursor: Any) -> Row:
        """Answer the values of a driver's row."""
        if self._read is None:
            # What a driver answers may depend on the column's own type, which it tells with the first row.
            self._read = [
                _converter(kind, "result_processor", self._dialect, column[1])
                for kind, column in zip(self._types, cursor.description, strict=True)
            ]
        return [value if read is None else read(value) for read, value in zip(self._read, row, strict=True)]


def _is_heard(tx: Connection) -> bool:
    # Who listens to an engine's statements hears these too: an instrumented application, a log, a test that counts.
    # An engine in AUTOCOMMIT has a listener of SQLAlchemy's own, to something else.
    heard = (tx._has_events or tx.engine._has_events) and any(getattr(tx.dispatch, name) for name in _HEARD)
    return bool(heard or tx.dialect._has_events or tx._echo) or _is_mapped(tx)


def _is_mapped(tx: Connection) -> bool:
    # Names of schemas that SQLAlchemy replaces as it executes.
    return "schema_translate_map" in tx.get_execution_options()


def _sqlite(tx: Connection) -> Any:
    """Answer SQLite's own connection, or None."""
    return None if tx.dialect.driver != "pysqlite" or _is_heard(tx) else tx.connection.dbapi_connection


def _converter(kind: TypeEngine[Any], way: str, *given: Any) -> Convert:
    converter: Convert = getattr(kind.dialect_impl(given[0]), way)(*given)
    return converter
