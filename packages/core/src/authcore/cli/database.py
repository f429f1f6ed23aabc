"""`authcore db`: the schema, by authcore's own migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from authcore.app import Auth
from authcore.cli.application import demand_database, with_auth
from authcore.drive import Drive, run_blocking
from authcore.tables import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@click.group()
def db() -> None:
    """Look after authcore's tables."""


@db.command()
@with_auth
def upgrade(auth: Auth) -> None:
    """Bring the tables to the version that this authcore needs, in one transaction."""
    from authcore import migrations  # Alembic costs every other command 0.1 s

    before = auth.backends.migratable().apart(migrations.upgrade, existing=False)
    if before == SCHEMA:
        click.echo(f"The tables are at {before} already.")
    else:
        click.echo(f"The tables are at {SCHEMA}; before: {before or 'no version'}.")


@db.command()
@with_auth
def current(auth: Auth) -> None:
    """Print the version of the tables."""
    from authcore import migrations

    found = auth.backends.migratable().apart(migrations.current, existing=True)
    remark = "" if found == SCHEMA else f" (this authcore needs {SCHEMA})"
    click.echo(f"{found or 'no version'}{remark}")


@db.command()
@with_auth
@click.pass_context
def check(ctx: click.Context, auth: Auth) -> None:
    """Compare the tables with those that this authcore needs; status 1 if they differ."""
    found = auth.backends.migratable().apart(_drift, existing=True)
    for line in found:
        click.echo(line)
    if found:
        ctx.exit(1)
    click.echo(f"The tables are those of version {SCHEMA}.")


@click.command()
@with_auth
def clean(auth: Auth) -> None:
    """Remove what expired, ended or was sent long ago, as every serving process does once an hour."""
    from authcore.services import retention

    demand_database(auth)
    removed = run_blocking(retention.sweep(auth.runtime(Drive.BLOCKING)))
    click.echo("Removed: " + ", ".join(f"{count} {name}" for name, count in removed.items()) + ".")


@db.command()
@click.option("--from", "start", metavar="VERSION", help="The version that the database has; none if left out.")
@with_auth
def sql(auth: Auth, start: str | None) -> None:
    """Print the SQL of an upgrade, without touching the database."""
    from authcore import migrations

    click.echo(migrations.sql(auth.backends.migratable().dialect, start), nl=False)


def _drift(tx: Connection) -> list[str]:
    from authcore import migrations

    found = migrations.current(tx)
    if found == SCHEMA:
        return migrations.differences(tx)
    wanted = f"version {SCHEMA} is needed: run `authcore db upgrade`"
    return [f"{'no version is recorded' if found is None else f'the version is {found}'}, {wanted}"]
