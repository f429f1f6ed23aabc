"""`authcore mails`: which mails there are, and how they look."""

from __future__ import annotations

import click

from authcore.app import Auth
from authcore.cli.application import with_auth
from authcore.cli.preview import Preview, server
from authcore.drive import Drive
from authcore.feature import MailTemplate, SmsTemplate, event_name


@click.group()
def mails() -> None:
    """Look at mails and text messages."""


@mails.command("list")
@with_auth
def list_(auth: Auth) -> None:
    """Print each kind of mail and text message that the enabled rooms send."""
    rows = [("KIND", "NAME", "CARRIES", "TEMPLATE")]
    rows += [_mail_row(template) for feature in auth.features for template in feature.mails]
    rows += [_sms_row(template) for feature in auth.features for template in feature.sms]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        click.echo("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))
    click.echo(f"Languages: {', '.join(auth.settings.languages)}.")


def _mail_row(template: MailTemplate) -> tuple[str, str, str, str]:
    link, code = "link" in template.carries, "code" in template.carries
    name = event_name(template.family, code=code, link=link)
    return template.kind, name or "-", " ".join(template.carries) or "-", template.name


def _sms_row(template: SmsTemplate) -> tuple[str, str, str, str]:
    name = event_name(template.family, code=True, link=False)
    return template.kind, name or "-", "code", f"{template.name} (text message)"


@mails.command()
@click.option("--port", default=8025, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@with_auth
def preview(auth: Auth, port: int) -> None:
    """Show every mail in a browser on this machine, with made-up data, until Ctrl-C."""
    try:
        serving = server(Preview(auth.runtime(Drive.BLOCKING)), port)
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error.strerror}. Choose another by --port.") from None
    with serving:
        click.echo(f"Mails are shown at http://127.0.0.1:{serving.server_port}/ until Ctrl-C.")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")
