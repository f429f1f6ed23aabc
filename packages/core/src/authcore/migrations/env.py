"""Run by Alembic: over the connection of the configuration, or over none, to write SQL."""

from alembic import context

from authcore.errors import ConfigurationError
from authcore.migrations.options import OPTIONS


def _online() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise ConfigurationError("Give Alembic a connection: use authcore.migrations.config(connection).")
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _offline() -> None:
    dialect = context.config.attributes["dialect"]
    context.configure(dialect_name=dialect, literal_binds=True, transactional_ddl=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _offline()
else:
    _online()
