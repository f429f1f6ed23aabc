"""`authcore users`: looking after users; what `auth.blocking.administration` does, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
import msgspec

from authcore.app import Auth
from authcore.cli.application import demand_database, with_auth
from authcore.errors import InvalidFields
from authcore.features.administration import AccountInfo

F = TypeVar("F", bound=Callable[..., None])


@click.group()
def users() -> None:
    """Find, make, disable, enable and delete users. A user is named by its id, address or username."""


def _named(command: F) -> F:
    return click.argument("user", metavar="USER")(command)


def _found(auth: Auth, user: str) -> AccountInfo:
    demand_database(auth)
    find = auth.blocking.administration.find
    for kind in ("user_id", "email", "username"):
        try:
            found = find(**{kind: user})
        except InvalidFields:  # no address, no name
            continue
        if found is not None:
            return found
    raise click.ClickException(f"There is no user {user!r}.")


@users.command("list")
@click.option("--after", default="", help="Go on behind this id.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each.")
@with_auth
def list_(auth: Auth, after: str, limit: int, as_json: bool) -> None:
    """List users in the order of their ids."""
    demand_database(auth)
    for found in auth.blocking.administration.list(after=after, limit=limit):
        click.echo(msgspec.json.encode(found).decode() if as_json else _line(found))


def _line(found: AccountInfo) -> str:
    return f"{found.user.id}  {found.state:20}  {found.user.email or '-'}"


@users.command()
@_named
@with_auth
def show(auth: Auth, user: str) -> None:
    """Print what is known of a user, as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(_found(auth, user))).decode())


@users.command()
@click.argument("email")
@click.option("--password", is_flag=True, help="Ask for a password.")
@click.option("--verified", is_flag=True, help="Take the address as proven.")
@click.option("--display-name")
@click.option("--username")
@with_auth
def create(
    auth: Auth, email: str, password: bool, verified: bool, display_name: str | None, username: str | None
) -> None:
    """Make a user."""
    demand_database(auth)
    given = click.prompt("Password", hide_input=True, confirmation_prompt=True) if password else None
    made = auth.blocking.administration.create(
        email=email, password=given, verified=verified, display_name=display_name, username=username
    )
    click.echo(made.id)


@users.command()
@_named
@with_auth
def disable(auth: Auth, user: str) -> None:
    """Disable a user and end every session."""
    done = auth.blocking.administration.disable(user_id=_found(auth, user).user.id)
    click.echo("Disabled." if done else "It was disabled already.")


@users.command()
@_named
@with_auth
def enable(auth: Auth, user: str) -> None:
    """Enable a user again."""
    done = auth.blocking.administration.enable(user_id=_found(auth, user).user.id)
    click.echo("Enabled." if done else "It was enabled already.")


@users.command()
@_named
@with_auth
def unlock(auth: Auth, user: str) -> None:
    """Let a password that rests after 100 failures work again."""
    email = _found(auth, user).user.email
    done = email is not None and auth.blocking.password.unlock(email=email)
    click.echo("Unlocked." if done else "Nothing was counted.")


@users.command()
@_named
@with_auth
def require_password_change(auth: Auth, user: str) -> None:
    """Ask for another password at the next sign-in."""
    done = auth.blocking.administration.require_password_change(user_id=_found(auth, user).user.id)
    click.echo("The next sign-in asks for another password." if done else "There is no password.")


@users.command()
@_named
@with_auth
def mark_compromised(auth: Auth, user: str) -> None:
    """Let the password open nothing until a reset replaces it, and end every session."""
    done = auth.blocking.administration.mark_compromised(user_id=_found(auth, user).user.id)
    click.echo("The password opens nothing; a reset replaces it." if done else "There is no password.")


@users.command()
@_named
@with_auth
def end_sessions(auth: Auth, user: str) -> None:
    """End every session of a user."""
    ended = auth.blocking.administration.end_sessions(user_id=_found(auth, user).user.id)
    click.echo(f"Ended: {ended}.")


@users.command()
@_named
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_auth
def delete(auth: Auth, user: str, yes: bool) -> None:
    """Delete a user at once, with everything that is stored of it."""
    found = _found(auth, user)
    if not yes:
        click.confirm(f"Delete {found.user.email or found.user.id} and everything that is stored of it?", abort=True)
    auth.blocking.administration.delete(user_id=found.user.id)
    click.echo("Deleted.")
