"""`authcore doctor`: what holds, but weakens something or is not ready."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import click

from authcore.app import Auth
from authcore.backends.kv_memory import MemoryKeyValue
from authcore.cli.application import with_auth
from authcore.drive import Drive, run_blocking
from authcore.errors import AuthError, ConfigurationError
from authcore.ports import KeyValue
from authcore.reports import sentence
from authcore.services import notes
from authcore.services.buckets import BUCKETS


@click.command()
@with_auth
@click.pass_context
def doctor(ctx: click.Context, auth: Auth) -> None:
    """Say what weakens the application or keeps it from serving; status 1 if there is anything."""
    found = list(findings(auth))
    for finding in found:
        click.echo(f"- {finding}")
    if found:
        ctx.exit(1)
    click.echo("Nothing found.")


def findings(auth: Auth) -> Iterator[str]:
    """Answer one sentence for each finding."""
    yield from _of_settings(auth)
    for feature in auth.features:
        yield from feature.findings(auth.settings)
    kv = auth.runtime(Drive.BLOCKING).ports.kv
    if isinstance(kv, MemoryKeyValue):
        yield "key_value='memory': every process counts for itself, so several processes multiply every limit."
    try:
        yield from _of_database(auth, kv)
    except AuthError as error:
        yield sentence(error)


def _of_settings(auth: Auth) -> Iterator[str]:
    app = auth.settings
    if not app.secure:
        yield "dev_mode=True: cookies travel without TLS; the secret lies in a file and mails are printed, unless set."
    if app.dev_secrets_in_answers:
        yield "dev_secrets_in_answers=True: whoever asks for a code or a link gets it in the answer, unmailed."
    if not app.limits.on:
        yield "limits=False: passwords and codes may be guessed as fast as the server answers."
    for bucket in app.limits.loosened:
        yield (
            f"limits={{{bucket.name!r}: {bucket.allowance}}}: {BUCKETS[bucket.name].allowance} {bucket.counts} in "
            f"{bucket.window} s are granted by default."
        )
    if app.cookie_domain:
        yield f"cookie_domain={app.cookie_domain!r}: every host below it receives the session, and may set one."
    for entry in app.trusted_proxies:
        if entry != "unix" and ip_network(entry, strict=False).prefixlen == 0:
            yield f"trusted_proxies holds {entry!r}: every client may state any address of its own."


def _of_database(auth: Auth, kv: KeyValue) -> Iterator[str]:
    if not _is_ready(auth):
        yield "The database lacks authcore's tables or has old ones: run `authcore db upgrade`."
    elif (proxy := run_blocking(notes.read(kv, notes.UNDECLARED_PROXY))) is not None:
        yield (
            f"Requests from {proxy} carried forwarding headers, but no proxy is declared, so all its clients share one "
            f"limit: set trusted_proxies=[{proxy!r}] if it is yours."
        )


def _is_ready(auth: Auth) -> bool:
    try:
        source = auth.backends.migratable()
    except ConfigurationError:
        return True  # the framework's own checks look after its migrations
    from authcore import migrations

    return source.apart(migrations.is_current, existing=True)
