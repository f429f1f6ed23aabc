"""The migrations of authcore's tables, by Alembic, with a version table of their own.

`authcore db upgrade` runs them. An application may run them from its own code, on a connection of its own:

    from alembic import command
    from authcore import migrations

    with engine.begin() as connection:
        command.upgrade(migrations.config(connection), "head")

`authcore.alembic` keeps them apart from the application's own migrations.
"""

from authcore.migrations.run import config, current, differences, is_current, sql, upgrade

__all__ = ["config", "current", "differences", "is_current", "sql", "upgrade"]
