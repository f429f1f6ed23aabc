"""The tables from what databases, Redis and their drivers raise to what authcore answers.

the database cannot be reached, is locked, full, damaged or read-only   Unavailable
every connection of the pool is taken                                   Unavailable
a table or column is missing                                            Unavailable, naming `authcore db upgrade`
another transaction was in the way                                      run again, then Unavailable
anything else, IntegrityError first of all                              passes unchanged

Redis or its cluster is away, loading, full, read-only or too busy      Unavailable
anything else of Redis, a right that is lacking first of all            passes unchanged
"""

from __future__ import annotations

import re
from typing import NoReturn

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from authcore.errors import Unavailable

FOREIGN = (DBAPIError, PoolTimeout, OSError)
"""What the database ports catch. Store functions do no other I/O, so an OSError is the driver's."""

NO_SCHEMA = "The database lacks authcore's tables or has old ones: run `authcore db upgrade`."

_SQLITE_BUSY = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_SQLITE_AWAY = _SQLITE_BUSY | {
    8,
    10,
    11,
    13,
    14,
    15,
    26,
}  # READONLY IOERR CORRUPT FULL CANTOPEN PROTOCOL NOTADB
_SQLITE_NO_SCHEMA = ("no such table", "no such column", "has no column named")
_STATES_AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_STATES_AWAY = frozenset({"25006"})  # read_only_sql_transaction: a standby answers
_STATES_NO_SCHEMA = frozenset({"42P01", "42703", "3F000"})  # undefined table, column, schema
_NUMBERS_AGAIN = frozenset({1213, 1020})  # ER_LOCK_DEADLOCK, ER_CHECKREAD
_NUMBERS_NO_SCHEMA = frozenset({1146, 1054})  # ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR
# By name, since the client is the application's own: redis-py and its forks name them alike.
_REDIS_AWAY = frozenset(
    {
        "ClusterError",
        "ConnectionError",
        "OutOfMemoryError",
        "ReadOnlyError",
        "RedisClusterException",
        "TimeoutError",
        "TryAgainError",
    }
)
_REDIS_SAYS_AWAY = re.compile(r"\b(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b")


def raise_translated(error: Exception) -> NoReturn:
    """Raise Unavailable from `error`, or `error` itself where the table lets it pass."""
    if is_schema_missing(error):
        raise Unavailable(NO_SCHEMA) from error
    if _is_away(error):
        raise Unavailable from error
    raise error


def raise_translated_redis(error: Exception) -> NoReturn:
    """Raise Unavailable from what a Redis client raised, or `error` itself where the table lets it pass."""
    names = {kind.__name__ for kind in type(error).__mro__}
    refused = "ResponseError" in names and _REDIS_SAYS_AWAY.search(str(error)) is not None
    if refused or names & _REDIS_AWAY or isinstance(error, OSError):
        raise Unavailable from error
    raise error


def is_worth_another_run(error: Exception) -> bool:
    """Tell whether another transaction was in the way: this one changed nothing."""
    return is_busy(error) or _state(error) in _STATES_AGAIN or _number(error) in _NUMBERS_AGAIN


def is_busy(error: Exception) -> bool:
    """Tell whether SQLite's file is locked by somebody else."""
    return _sqlite_code(error) in _SQLITE_BUSY


def is_disconnected(error: Exception) -> bool:
    """Tell whether a connection that had worked is gone, as after a restart of the server."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_schema_missing(error: Exception) -> bool:
    """Tell whether a table or a column is missing."""
    if _sqlite_code(error) is not None:
        return any(sign in str(_orig(error)) for sign in _SQLITE_NO_SCHEMA)
    return _state(error) in _STATES_NO_SCHEMA or _number(error) in _NUMBERS_NO_SCHEMA


def _is_away(error: Exception) -> bool:
    code = _sqlite_code(error)
    if code is not None:
        return code in _SQLITE_AWAY
    lost = is_disconnected(error) or _state(error) in _STATES_AWAY
    # Before any statement it is the URL that the driver does not understand.
    lost = lost or (isinstance(error, ProgrammingError) and error.statement is None)
    return lost or isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError)


def _orig(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlite_code(error: Exception) -> int | None:
    code = getattr(_orig(error), "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None  # the low byte is the primary code


def _state(error: Exception) -> str | None:
    return getattr(_orig(error), "sqlstate", None)


def _number(error: Exception) -> int | None:
    arguments = getattr(_orig(error), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
