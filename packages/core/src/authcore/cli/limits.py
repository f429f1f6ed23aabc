"""`authcore limits`: what an application lets one client, account or number do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click
from msgspec import to_builtins

from authcore.app import Auth
from authcore.cli.application import with_auth
from authcore.services.buckets import BUCKETS, Bucket


@click.group()
def limits() -> None:
    """Look at what is limited."""


@limits.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@with_auth
def show(auth: Auth, as_json: bool) -> None:
    """Print the buckets as this application counts them."""
    settings = auth.settings.limits
    if as_json:
        known = {bucket.name: bucket.allowance for bucket in BUCKETS.values()}
        rows = [{**to_builtins(each), "default": known[each.name], "on": settings.on} for each in settings.buckets]
        click.echo(json.dumps(rows, indent=2))
        return
    for line in _columns([("BUCKET", "ALLOWANCE", "SECONDS", "BY", "PAST IT", "COUNTS"), *map(_row, settings.buckets)]):
        click.echo(line)
    if not settings.on:
        click.echo("Nothing is counted: limits=False.", err=True)


def _row(bucket: Bucket) -> tuple[str, ...]:
    default = BUCKETS[bucket.name].allowance
    chosen = "" if bucket.allowance == default else f" (default {default})"
    return bucket.name, f"{bucket.allowance}{chosen}", str(bucket.window), bucket.by, bucket.past, bucket.counts


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
