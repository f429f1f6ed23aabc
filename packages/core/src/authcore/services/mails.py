"""Mails: rendered when they are sent, from templates that an application may override by directory.

A template is three files: `<name>.subject.txt`, `<name>.txt` and `<name>.html`; the last extends `base.html`.
"""

from __future__ import annotations

from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authcore.context import AppSettings, Runtime
from authcore.feature import MailTemplate
from authcore.ports import Mail
from authcore.services.outbox import MailPayload

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_SHARED = Path(__file__).parent / "templates"


def render(runtime: Runtime, key: str, payload: MailPayload) -> Mail:
    """Answer the mail, ready to hand over; raise LookupError for a kind that no enabled room declares."""
    declared = _declared(runtime, payload.kind)
    environment = _environment(runtime.app.mail_templates, _folders(runtime))
    names = _names(runtime.app, payload, runtime)
    subject = environment.get_template(f"{declared.name}.subject.txt").render(names).strip()
    html = environment.get_template(f"{declared.name}.html")
    return Mail(
        kind=payload.kind,
        to=payload.to,
        sender=declared.sender or runtime.app.mail_from,
        subject=" ".join(subject.split()),
        text=environment.get_template(f"{declared.name}.txt").render(names),
        html=html.render(names),
        preview=_preview(html, names),
        key=key,
        template=declared.name,
        code=payload.code,
        url=payload.url,
        token=payload.token,
        expires_at=payload.expires_at,
        metadata=payload.data,
    )


def _preview(html: Template, names: dict[str, Any]) -> str:
    """Answer the text that a mailbox shows beside the subject: the template's block `preview`, as plain text."""
    block = html.blocks.get("preview")
    markup = "" if block is None else "".join(block(html.new_context(names)))
    return " ".join(unescape(markup).split())


def _declared(runtime: Runtime, kind: str) -> MailTemplate:
    for feature in runtime.features:
        for template in feature.mails:
            if template.kind == kind:
                return template
    raise LookupError(f"no enabled room declares the mail {kind!r}")


def _folders(runtime: Runtime) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(template.folder for feature in runtime.features for template in feature.mails))


@lru_cache(maxsize=8)
def _environment(override: str | None, folders: tuple[Path, ...]) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    paths = [*([override] if override else []), *folders, _SHARED]
    return Environment(
        loader=FileSystemLoader([str(path) for path in paths]),
        # Texts are not HTML: escaping there would show entities. S701 sees no function here.
        autoescape=_escapes,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _escapes(name: str | None) -> bool:
    return bool(name and name.endswith(".html"))


def _names(app: AppSettings, payload: MailPayload, runtime: Runtime) -> dict[str, Any]:
    now = runtime.ports.clock.now()
    left = (payload.expires_at - now).total_seconds() if payload.expires_at else 0
    return {
        "product": payload.brand.get("product", app.product),
        "base_url": payload.base_url or app.base_url,
        "brand": payload.brand,
        "to": payload.to,
        "code": payload.code,
        "url": payload.url,
        "minutes": max(1, round(left / 60)),
        "data": payload.data,
    }
