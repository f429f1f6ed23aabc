"""The one MetaData of all shipped tables, and column types that mean the same on every database.

MariaDB, MySQL and SQLite answer naive times and MySQL cuts them to seconds; collations differ on what is
equal. So times are
microseconds since 1970 in a BIGINT, texts that are looked up compare as bytes, and JSON is text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, LargeBinary, MetaData, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
PERSONAL = {"personal": True}
"""`Column(..., info=PERSONAL)` declares data about a person, for export and erasure."""

IDENTIFIER = {"personal": True, "identifier": True}
"""The same of a column that may hold a person's address or id: rows that do go with the account."""


def shipped() -> MetaData:
    """Answer the metadata once every shipped room has put its tables into it, whatever an application enables."""
    from importlib import import_module
    from pkgutil import iter_modules

    rooms = import_module("authcore.features")
    for room in iter_modules(rooms.__path__, f"{rooms.__name__}."):
        import_module(room.name)
    return metadata


VERSION_TABLE = "authcore_schema_version"
SCHEMA = "0001"
"""The revision under `migrations/` whose tables are those of `metadata`."""

_MYSQL = ("mysql", "mariadb")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware time into microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware time."""
        return None if value is None else _EPOCH + timedelta(0, 0, value)


class Json(TypeDecorator[Any]):
    """A JSON value as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode the value."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decode the value."""
        return None if value is None else msgspec.json.decode(value)


class Key(TypeDecorator[str]):
    """A text that compares as bytes: `K` U+212A is not `k` (rule A5)."""

    impl = String
    cache_ok = True

    def __init__(self, length: int = 255) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MySQL and MariaDB for a collation of bytes."""
        if dialect.name not in _MYSQL:
            return self.impl_instance
        from sqlalchemy.dialects import mysql

        exact = mysql.VARCHAR(self.length, charset="utf8mb4", collation="utf8mb4_bin")
        return dialect.type_descriptor(exact)


class Blob(TypeDecorator[bytes]):
    """Bytes: of one length where it is given, of any length where it is not."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MySQL and MariaDB for what can be a key, or can be long."""
        if dialect.name not in _MYSQL:
            return self.impl_instance
        from sqlalchemy.dialects import mysql

        found = mysql.MEDIUMBLOB() if self.length is None else mysql.VARBINARY(self.length)
        return dialect.type_descriptor(found)


Digest = Blob(32)
"""SHA-256 or HMAC-SHA256, 32 bytes."""

Sealed = Blob()
"""A sealed value of any length."""
