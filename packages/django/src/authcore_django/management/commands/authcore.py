"""`manage.py authcore …`: authcore's own command line."""

from __future__ import annotations

from argparse import REMAINDER
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Hand everything to authcore's commands."""

    help = "Look after authentication: `manage.py authcore --help` lists the commands."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's declaration

    def run_from_argv(self, argv: list[str]) -> None:
        """Leave every option to authcore's parser."""
        self._run(argv[2:], standalone_mode=True)

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what `call_command("authcore", "outbox", "run", "--once")` gives."""
        parser.add_argument("arguments", nargs=REMAINDER)

    def handle(self, *_args: Any, arguments: list[str], **_options: Any) -> None:
        """Run a command from code."""
        self._run(arguments, standalone_mode=False)

    def _run(self, arguments: list[str], *, standalone_mode: bool) -> None:
        from authcore import ConfigurationError
        from authcore.cli import bound
        from authcore_django.settings import get_auth

        try:
            group = bound(get_auth())
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        group.main(arguments, prog_name="manage.py authcore", standalone_mode=standalone_mode)
