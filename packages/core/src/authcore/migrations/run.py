"""Upgrade, read and compare the schema over a connection that the caller gives, inside the caller's transaction."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from authcore.errors import ConfigurationError
from authcore.migrations.options import OPTIONS
from authcore.tables import SCHEMA, shipped

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def config(connection: Connection | None = None) -> Config:
    """Answer Alembic's configuration of authcore's migrations, over `connection`."""
    made = Config()
    made.set_main_option("script_location", "authcore:migrations")
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def current(connection: Connection) -> str | None:
    """Answer the version that the database records, or None."""
    return _context(connection).get_current_revision()


def is_current(connection: Connection) -> bool:
    """Tell whether the database records the version that this authcore needs."""
    return current(connection) == SCHEMA


def upgrade(connection: Connection) -> str | None:
    """Bring the tables to the version that this authcore needs; answer the version they had.

    Tables that `create_tables()` made record their version. Tables without one are adopted if they are those of this
    version; ConfigurationError says what to do with others, and with a version that this authcore does not know.
    """
    found = current(connection)
    if found is None and _present(connection):
        _adopt(connection)
    elif found is not None:
        _require_known(found)
    command.upgrade(config(connection), "head")
    return found


def differences(connection: Connection) -> list[str]:
    """Answer where the database's tables differ from those of this authcore, in words."""
    return [_words(entry) for entry in _flat(compare_metadata(_context(connection), shipped()))]


def sql(dialect: str, start: str | None = None) -> str:
    """Answer the SQL of an upgrade from version `start` (None: from nothing), for people who run it themselves."""
    if start is not None:
        _require_known(start)
    written = io.StringIO()
    made = config()
    made.output_buffer = written
    made.attributes["dialect"] = dialect
    command.upgrade(made, f"{start or 'base'}:head", sql=True)
    return written.getvalue()


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts=OPTIONS)


def _present(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) & set(shipped().tables)


def _adopt(connection: Connection) -> None:
    if found := differences(connection):
        raise ConfigurationError(
            "The database has tables of authcore without a version, and they are not those of version "
            f"{SCHEMA}: {'; '.join(found)}. Rename or remove them, or record the version that they have in a table "
            "authcore_schema_version."
        )
    command.stamp(config(connection), "head")


def _require_known(version: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if version not in known:
        raise ConfigurationError(
            f"Version {version!r} of the tables is none that this authcore knows ({', '.join(sorted(known))}): "
            "install the release that made it, or a later one."
        )


def _flat(entries: list[Any]) -> list[tuple[Any, ...]]:
    # Changes of one column come as a list of their own.
    return [one for entry in entries for one in (entry if isinstance(entry, list) else [entry])]


def _words(entry: tuple[Any, ...]) -> str:
    verb, _, thing = entry[0].partition("_")
    if verb == "modify":
        return f"{entry[2]}.{entry[3]} has another {thing}"
    return f"{'missing' if verb == 'add' else 'unexpected'} {thing} {_place(thing, entry)}"


def _place(thing: str, entry: tuple[Any, ...]) -> str:
    if thing == "column":
        return f"{entry[2]}.{entry[3].name}"
    if thing == "table":
        return str(entry[1].name)
    return f"{entry[1].name} on {entry[1].table.name}"
