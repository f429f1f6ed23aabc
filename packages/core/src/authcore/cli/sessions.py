"""`authcore sessions`: ending everything at once; what `auth.blocking.sessions.bump_epoch` does."""

from __future__ import annotations

import click

from authcore.app import Auth
from authcore.cli.application import with_auth
from authcore.cli.users import calls_for, find_user


@click.group()
def sessions() -> None:
    """End sessions."""


@sessions.command()
@click.option("--user", help="Of this user, named by its id, address or username.")
@click.option("--tenant", metavar="ID", help="Of this tenant; beside --user, whose user that is.")
@click.option("--application", is_flag=True, help="Of the whole application.")
@click.option("--dry-run", is_flag=True, help="Only say how many would end.")
@with_auth
def end_all(auth: Auth, user: str | None, tenant: str | None, application: bool, dry_run: bool) -> None:
    """End every session, token, remembered browser and sign-in on its way, of one of three."""
    if application == (user is not None or bool(tenant)):
        raise click.UsageError("Name one of --user, --tenant and --application.")
    if user is not None:
        calls, found = find_user(auth, user, tenant)
        ended = calls.sessions.bump_epoch(user_id=found.user.id, dry_run=dry_run)
    else:
        calls = calls_for(auth, tenant)
        ended = calls.sessions.bump_epoch(tenant=not application, application=application, dry_run=dry_run)
    click.echo(f"Would end: {ended}." if dry_run else f"Ended: {ended}.")
