"""`authcore secret`, `routes` and `openapi`: what needs no database."""

from __future__ import annotations

import json
import secrets

import click

from authcore.app import Auth
from authcore.cli.application import with_auth
from authcore.route import Route

SECRET_SIZE = 32  # bytes


@click.command()
def secret() -> None:
    """Print a fresh secret: 256 random bits, base64url."""
    click.echo(secrets.token_urlsafe(SECRET_SIZE))


@click.command()
@with_auth
def routes(auth: Auth) -> None:
    """Print the routes of the enabled rooms."""
    rows = [("METHOD", "PATH", "NEEDS", "SUMMARY")]
    rows += [(route.method, auth.prefix + route.path, _needs(route), route.summary) for route in auth.router.routes]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        click.echo("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))


def _needs(route: Route) -> str:
    if route.needs is None:
        return "-"
    fresh = route.needs.default_fresh or route.needs.fresh is not None
    return "fresh session" if fresh else "session"


@click.command()
@with_auth
def openapi(auth: Auth) -> None:
    """Print the OpenAPI 3.1 document of the enabled rooms."""
    click.echo(json.dumps(auth.openapi, indent=2))
