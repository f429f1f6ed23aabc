"""`authcore users`: looking after users; what `auth.blocking.administration` does, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
import msgspec

from authcore.app import Auth
from authcore.bindings import BlockingCalls
from authcore.cli.application import Misused, demand_database, with_auth
from authcore.context import is_tenant_id
from authcore.errors import InvalidFields
from authcore.features.administration import AccountInfo

F = TypeVar("F", bound=Callable[..., None])


@click.group()
def users() -> None:
    """Find, make, disable, enable and delete users. A user is named by its id, address or username."""


def _of_tenant(command: F) -> F:
    return click.option("--tenant", metavar="ID", help="Whose users.  [default: the default tenant's]")(command)


def _named(command: F) -> F:
    return click.argument("user", metavar="USER")(_of_tenant(command))


def calls_for(auth: Auth, tenant: str | None) -> BlockingCalls:
    """Answer the calls for the tenant of an id, the default one without it; raise ClickException."""
    if tenant is not None and not is_tenant_id(tenant):
        raise Misused(f"--tenant is {tenant!r}: write the id of a tenant, such as --tenant acme.")
    demand_database(auth)
    return auth.blocking if tenant is None else auth.blocking.for_tenant(tenant)


def find_user(auth: Auth, user: str, tenant: str | None) -> tuple[BlockingCalls, AccountInfo]:
    """Answer a tenant's user of an id, address or username, and the tenant's calls; raise ClickException."""
    calls = calls_for(auth, tenant)
    for kind in ("user_id", "email", "username"):
        try:
            found = calls.administration.find(**{kind: user})
        except InvalidFields:  # no address, no name
            continue
        if found is not None:
            return calls, found
    raise click.ClickException(_nobody(auth, user, tenant))


def _nobody(auth: Auth, user: str, tenant: str | None) -> str:
    if tenant is not None:
        return f"There is no user {user!r} in the tenant {tenant!r}."
    if auth.settings.tenant is not None:
        return f"There is no user {user!r} in the default tenant: --tenant names another."
    return f"There is no user {user!r}."


@users.command("list")
@_of_tenant
@click.option("--after", default="", help="Go on behind this id.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each.")
@with_auth
def list_(auth: Auth, tenant: str | None, after: str, limit: int, as_json: bool) -> None:
    """List users in the order of their ids."""
    for found in calls_for(auth, tenant).administration.list(after=after, limit=limit):
        click.echo(msgspec.json.encode(found).decode() if as_json else _line(found))


def _line(found: AccountInfo) -> str:
    return f"{found.user.id}  {found.state:20}  {found.user.email or '-'}"


@users.command()
@_named
@with_auth
def show(auth: Auth, user: str, tenant: str | None) -> None:
    """Print what is known of a user, as JSON."""
    _, found = find_user(auth, user, tenant)
    click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


@users.command()
@click.argument("email")
@click.option("--password", is_flag=True, help="Ask for a password.")
@click.option("--verified", is_flag=True, help="Take the address as proven.")
@click.option("--display-name")
@click.option("--username")
@_of_tenant
@with_auth
def create(
    auth: Auth,
    email: str,
    password: bool,
    verified: bool,
    display_name: str | None,
    username: str | None,
    tenant: str | None,
) -> None:
    """Make a user."""
    calls = calls_for(auth, tenant)
    given = click.prompt("Password", hide_input=True, confirmation_prompt=True) if password else None
    made = calls.administration.create(
        email=email, password=given, verified=verified, display_name=display_name, username=username
    )
    click.echo(made.id)


@users.command()
@_named
@with_auth
def disable(auth: Auth, user: str, tenant: str | None) -> None:
    """Disable a user and end every session."""
    calls, found = find_user(auth, user, tenant)
    done = calls.administration.disable(user_id=found.user.id)
    click.echo("Disabled." if done else "It was disabled already.")


@users.command()
@_named
@with_auth
def enable(auth: Auth, user: str, tenant: str | None) -> None:
    """Enable a user again."""
    calls, found = find_user(auth, user, tenant)
    done = calls.administration.enable(user_id=found.user.id)
    click.echo("Enabled." if done else "It was enabled already.")


@users.command()
@_named
@with_auth
def unlock(auth: Auth, user: str, tenant: str | None) -> None:
    """Let a password that rests after 100 failures work again."""
    calls, found = find_user(auth, user, tenant)
    done = found.user.email is not None and calls.password.unlock(email=found.user.email)
    click.echo("Unlocked." if done else "Nothing was counted.")


@users.command()
@_named
@with_auth
def require_password_change(auth: Auth, user: str, tenant: str | None) -> None:
    """Ask for another password at the next sign-in."""
    calls, found = find_user(auth, user, tenant)
    done = calls.administration.require_password_change(user_id=found.user.id)
    click.echo("The next sign-in asks for another password." if done else "There is no password.")


@users.command()
@_named
@with_auth
def mark_compromised(auth: Auth, user: str, tenant: str | None) -> None:
    """Let the password open nothing until a reset replaces it, and end every session."""
    calls, found = find_user(auth, user, tenant)
    done = calls.administration.mark_compromised(user_id=found.user.id)
    click.echo("The password opens nothing; a reset replaces it." if done else "There is no password.")


@users.command()
@_named
@with_auth
def end_sessions(auth: Auth, user: str, tenant: str | None) -> None:
    """End every session of a user."""
    calls, found = find_user(auth, user, tenant)
    ended = calls.administration.end_sessions(user_id=found.user.id)
    click.echo(f"Ended: {ended}.")


@users.command()
@_named
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_auth
def delete(auth: Auth, user: str, tenant: str | None, yes: bool) -> None:
    """Delete a user at once, with everything that is stored of it."""
    calls, found = find_user(auth, user, tenant)
    if not yes:
        click.confirm(f"Delete {found.user.email or found.user.id} and everything that is stored of it?", abort=True)
    calls.administration.delete(user_id=found.user.id)
    click.echo("Deleted.")
