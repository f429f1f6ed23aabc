"""The `authcore` command: one click group, its own script and a part of `flask`, `litestar` and `manage.py` alike.

An adapter mounts `bound(auth)`: the same group, which then needs no `--app`.
"""

from __future__ import annotations

import click

from authcore import __version__
from authcore.cli.application import Sentences, app_option, bound, with_auth
from authcore.cli.audit import audit
from authcore.cli.database import clean, db
from authcore.cli.findings import doctor
from authcore.cli.keys import keys
from authcore.cli.limits import limits
from authcore.cli.mails import mails
from authcore.cli.outbox import outbox
from authcore.cli.sessions import sessions
from authcore.cli.show import openapi, routes, secret
from authcore.cli.users import users

__all__ = ["bound", "group", "main", "with_auth"]


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="authcore", message="%(prog)s %(version)s")
@app_option
def group() -> None:
    """Look after an application's authentication.

    The application is an `Auth`, or a function that answers one: named by --app, by the variable AUTHCORE_APP,
    or by the framework whose command this is part of.
    """


for command in (audit, clean, db, doctor, keys, limits, mails, openapi, outbox, routes, secret, sessions, users):
    group.add_command(command)


def main() -> None:
    """Run the command line and leave with its status."""
    group.main(prog_name="authcore")
