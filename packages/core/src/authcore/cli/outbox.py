"""`authcore outbox`: the sender as a process of its own, for `Auth(outbox="external")` or beside the built-in one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import click

from authcore.app import Auth
from authcore.backends.sender import POLL
from authcore.cli.application import demand_database, with_auth
from authcore.errors import AuthError
from authcore.reports import sentence


@click.group()
def outbox() -> None:
    """Look after what waits to be sent."""


@outbox.command()
@click.option("--once", is_flag=True, help="Send what is due, then end.")
@with_auth
def run(auth: Auth, once: bool) -> None:
    """Send mails as they come due, until SIGINT or SIGTERM; several of these may run at once."""
    if once:
        demand_database(auth)
        click.echo(f"Handled: {auth.outbox.drain()}.")
        return
    with _told_to_stop() as stop:
        click.echo("Sending until it is stopped.")
        while not stop.is_set():
            if not _batch(auth):
                stop.wait(POLL)
    click.echo("Stopped; what is left waits for the next run.")


def _batch(auth: Auth) -> int:
    # A database that is away for a while ends no sender.
    try:
        demand_database(auth)
        handled = int(auth.outbox.batch())
        auth.outbox.housekeep()
    except AuthError as error:
        click.echo(sentence(error), err=True)
        return 0
    return handled


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """Answer an event that the first signal sets; the second one acts as it would have without."""
    stop, signals = Event(), (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def told(number: int, frame: Any) -> None:
        restore()
        stop.set()

    for number in signals:
        signal.signal(number, told)
    try:
        yield stop
    finally:
        restore()
