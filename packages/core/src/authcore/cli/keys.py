"""`authcore keys`: what signs tokens, and how it is replaced without a failed request (rule O4)."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any

import click

from authcore.app import Auth
from authcore.cli.application import demand_database, with_auth
from authcore.cli.show import SECRET_SIZE
from authcore.drive import Drive, run_blocking
from authcore.errors import ConfigurationError
from authcore.services import signing_keys
from authcore.services.signing_keys import SigningKey, SigningKeys

_STEPS = """\
The application's secret is replaced in three steps, each on every node before the next. A fresh one:

  {fresh}

1. Give it last:    secret=[old, new]   every node knows it, none uses it yet
2. Give it first:   secret=[new, old]   what is made from then on is under it, what was made before is read
3. Leave the old:   secret=new          once whatever was made under it is over, 90 days later at the latest"""

_UNTIL = {"comes": "at", "verifies": "until"}


@click.group()
def keys() -> None:
    """Look after the keys that sign tokens."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@with_auth
def list_(auth: Auth, as_json: bool) -> None:
    """Print the secrets by their ids and the signing keys in the database, the newest first."""
    demand_database(auth)
    runtime = auth.runtime(Drive.BLOCKING)
    rows = run_blocking(runtime.ports.db.read(signing_keys.listed))
    shown = [_of_secret(number, id_) for number, id_ in enumerate(runtime.app.keys.ids())]
    shown += _of_rows(rows, runtime.ports.clock.now())
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    width = max(len(each["kid"]) for each in shown)
    for each in shown:
        line = f"{each['kid'].ljust(width)}  {each['algorithm'].ljust(6)}  {each['state']}"
        click.echo(f"{line} {_UNTIL[each['state']]} {each['at']}" if each["at"] else line)


@keys.command()
@click.option("--now", "at_once", is_flag=True, help="Sign with it from this moment, for a key that leaked.")
@with_auth
def rotate(auth: Auth, at_once: bool) -> None:
    """Publish another signing key, and say how the secret is replaced."""
    signing = _signing(auth)
    if signing is None:
        click.echo("This application keeps no signing keys in the database: what it signs is under its secret.\n")
    else:
        demand_database(auth)
        row = run_blocking(signing.rotate(at_once=at_once))
        click.echo(f"Published: {row.kid}. It signs from {_time(row.active_at)} on.")
        click.echo(f"Those before it verify until {_time(row.active_at + signing.longest + signing_keys.SLACK)}.\n")
    click.echo(_STEPS.format(fresh=secrets.token_urlsafe(SECRET_SIZE)))


# One name of a key in 64 begins with a dash: what follows is no option, not even -h.
@keys.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
@with_auth
def retire(auth: Auth, kid: str) -> None:
    """End a signing key at once, and with it every token that it signed: for a key that leaked."""
    signing = _signing(auth)
    if signing is None:
        raise ConfigurationError("This application keeps no signing keys in the database.")
    demand_database(auth)
    run_blocking(signing.retire(kid))
    click.echo(f"Retired: {kid}. Every node refuses it within {signing_keys.RELOAD.total_seconds():.0f} seconds.")


def _signing(auth: Auth) -> SigningKeys | None:
    """Answer the application's signing keys; of two the one whose tokens live longer."""
    stores = (stored.store for stored in auth.runtime(Drive.BLOCKING).stored.values())
    found = [each for store in stores if isinstance(each := getattr(store, "keys", None), SigningKeys)]
    return max(found, key=lambda each: each.longest, default=None)


def _of_secret(number: int, id_: str) -> dict[str, Any]:
    return {"kid": id_, "algorithm": "secret", "state": "reads" if number else "makes", "at": None}


def _of_rows(rows: list[SigningKey], now: datetime) -> list[dict[str, Any]]:
    verifying = [row for row in rows if row.expires_at is None or row.expires_at > now]
    signing = signing_keys.signer(verifying, now) if verifying else None
    return [_of_row(row, now, signs=row is signing, comes=_comes(row, verifying, now)) for row in rows]


def _comes(row: SigningKey, verifying: list[SigningKey], now: datetime) -> bool:
    """Tell whether a key will sign; not if a newer one is active by then."""
    newer = (each for each in verifying if each.number > row.number)
    return row.active_at > now and all(each.active_at > row.active_at for each in newer)


def _of_row(row: SigningKey, now: datetime, *, signs: bool, comes: bool) -> dict[str, Any]:
    state, at = "verifies", row.expires_at
    if at is not None and at <= now:
        state, at = "ended", None
    elif signs:
        state, at = "signs", None
    elif comes:
        state, at = "comes", row.active_at
    return {"kid": row.kid, "algorithm": row.algorithm, "state": state, "at": at and _time(at)}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
