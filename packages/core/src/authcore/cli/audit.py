"""`authcore audit tail`: the latest events, and those to come."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import click

from authcore.app import Auth
from authcore.cli.application import Misused, demand_database, with_auth
from authcore.drive import Drive
from authcore.durations import duration
from authcore.errors import ConfigurationError
from authcore.features.audit import Audit, AuditEntry
from authcore.features.audit.flow import MOST

PAUSE = 1.0  # seconds between two looks
OVERLAP = timedelta(seconds=30)  # within which what was committed late is still found


@click.group()
def audit() -> None:
    """Read what happened."""


@audit.command()
@click.option("--user", metavar="ID|EMAIL", help="Only what is about this user or address.")
@click.option("--event", "name", metavar="NAME", help="Only events of this name, such as Failed.")
@click.option("--since", metavar="5m|12h|7d|TIME", help="Only what happened since then.")
@click.option("--tenant", metavar="ID", help="Whose events.  [default: the default tenant's]")
@click.option("-n", "limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until SIGINT.")
@with_auth
def tail(auth: Auth, /, since: str | None, limit: int, as_json: bool, follow: bool, **asked: Any) -> None:
    """Print the latest events, the latest last."""
    demand_database(auth)
    look = partial(auth.blocking[Audit].list, **asked)
    now = auth.runtime(Drive.BLOCKING).ports.clock.now()
    known = {entry.id for entry in look(since=now - OVERLAP, limit=MOST)} if follow else set()
    _show(look(since=_since(since, now), limit=limit), as_json)
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(look, now, known, as_json)


def _follow(look: Callable[..., list[AuditEntry]], latest: datetime, known: set[str], as_json: bool) -> None:
    while True:
        time.sleep(PAUSE)
        found = look(since=latest - OVERLAP, limit=MOST)
        _show([entry for entry in found if entry.id not in known], as_json)
        known = {entry.id for entry in found}
        latest = max([latest, *(entry.at for entry in found)])


def _since(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    with suppress(ConfigurationError):
        return now - duration(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(f"--since is {text!r}: write '5m', '12h', '7d', or a time such as 2030-01-31T12:00Z.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _show(found: list[AuditEntry], as_json: bool) -> None:
    for entry in found:
        click.echo(json.dumps(entry.to_json()) if as_json else _line(entry))


def _line(entry: AuditEntry) -> str:
    shown = entry.to_json()
    parts = [shown["at"], entry.name, entry.outcome]
    parts += [f"{name}={shown[name]}" for name in ("who", "session_id", "ip", "agent") if shown[name]]
    parts += [f"subject={entry.subject[:16]}"] if entry.subject else []
    return "  ".join([*parts, *(f"{name}={value}" for name, value in shown["data"].items())])
