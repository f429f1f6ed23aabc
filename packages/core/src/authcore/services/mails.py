"""Mails and text messages: rendered when they are sent, from templates that an application may override by directory.

A mail's template is three files: `<name>.subject.txt`, `<name>.txt`, which extends `base.txt`, and `<name>.html`, which
extends `base.html`. A text message's is `<name>.sms.txt`, which extends `base.sms.txt`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authcore.context import AppSettings, Runtime
from authcore.feature import MailTemplate, SmsTemplate, event_name
from authcore.ports import Mail, Sms
from authcore.services import brands, languages
from authcore.services.outbox import MailPayload, Payload, SmsPayload
from authcore.services.spans import span

if TYPE_CHECKING:
    from jinja2 import Environment, Template

WIDTH = 76  # characters in a line of text, but for what cannot be broken
_SHARED = Path(__file__).parent / "templates"
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def render(runtime: Runtime, key: str, payload: MailPayload) -> Mail:
    """Answer the mail, ready to hand over; raise LookupError for a kind that no enabled room declares."""
    declared = _declared(runtime, payload.kind)
    name = payload.template or declared.name
    environment = environment_of(runtime, _language(runtime.app, payload))
    names = _names(environment, runtime, payload)
    subject = environment.get_template(f"{name}.subject.txt").render(names)
    html = environment.get_template(f"{name}.html")
    return Mail(
        kind=payload.kind,
        to=payload.to,
        sender=declared.sender or runtime.app.mail_from,
        subject=" ".join(subject.split()),
        text=_wrapped(environment.get_template(f"{name}.txt").render(names)),
        html=html.render(names),
        preview=_preview(html, names),
        key=key,
        template=name,
        code=payload.code,
        url=payload.url,
        token=payload.token,
        expires_at=payload.expires_at,
        metadata=payload.metadata,
        event=event_name(declared.family, code=payload.code is not None, link=payload.url is not None),
        locale=names["lang"],
        username=payload.username,
        data=payload.data,
        inline=(names["inline_logo"],) if names["inline_logo"] and names["logo"].startswith("cid:") else (),
    )


def render_sms(runtime: Runtime, key: str, payload: SmsPayload) -> Sms:
    """Answer the text message, ready to hand over; raise LookupError for a kind that no enabled room declares."""
    declared = _declared_sms(runtime, payload.kind)
    environment = environment_of(runtime, _language(runtime.app, payload))
    names = _names(environment, runtime, payload)
    return Sms(
        kind=payload.kind,
        to=payload.to,
        text=environment.get_template(f"{declared.name}.sms.txt").render(names).strip(),
        key=key,
        code=payload.code,
        ttl=_left(runtime, payload),
        expires_at=payload.expires_at,
        event=event_name(declared.family, code=True, link=False),
        user_id=payload.user_id,
        locale=names["lang"],
        metadata=payload.metadata,
    )


def _preview(html: Template, names: dict[str, Any]) -> str:
    """Answer the text that a mailbox shows beside the subject: the template's block `preview`, as plain text."""
    block = html.blocks.get("preview")
    markup = "" if block is None else "".join(block(html.new_context(names)))
    from html import unescape

    return " ".join(unescape(markup).split())


def _wrapped(text: str) -> str:
    """Break long lines at blanks, an address stays whole; keep one of several empty lines."""
    lines = (line if len(line) <= WIDTH else _filled(line) for line in map(str.rstrip, text.split("\n")))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _filled(line: str) -> str:
    return fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)


def _declared(runtime: Runtime, kind: str) -> MailTemplate:
    for feature in runtime.features:
        for template in feature.mails:
            if template.kind == kind:
                return template
    raise LookupError(f"no enabled room declares the mail {kind!r}")


def _declared_sms(runtime: Runtime, kind: str) -> SmsTemplate:
    for feature in runtime.features:
        for template in feature.sms:
            if template.kind == kind:
                return template
    raise LookupError(f"no enabled room declares the text message {kind!r}")


def _language(app: AppSettings, payload: Payload) -> str:
    # A setting may have changed since the mail was decided, and a user's language may be one that is not there.
    return languages.negotiate(payload.locale or "", app.languages)


def environment_of(runtime: Runtime, language: str) -> Environment:
    """Answer the templates of the enabled rooms in a language, those of the application before them."""
    return _environment(runtime.app.mail_templates, runtime.app.mail_catalogues, _folders(runtime), language)


def _folders(runtime: Runtime) -> tuple[Path, ...]:
    mails = (template.folder for feature in runtime.features for template in feature.mails)
    texts = (template.folder for feature in runtime.features for template in feature.sms)
    return tuple(dict.fromkeys((*mails, *texts)))


@lru_cache(maxsize=64)
def _environment(override: str | None, own: str | None, folders: tuple[Path, ...], language: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    paths = [*([override] if override else []), *folders, _SHARED]
    environment = Environment(
        loader=FileSystemLoader([str(path) for path in paths]),
        # Texts are not HTML: escaping there would show entities. S701 sees no function here.
        autoescape=_escapes,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    words = languages.words(language, (*([Path(own)] if own else []), *(folder / "locale" for folder in folders)))
    # New style: what is inserted into a translated sentence is escaped, the sentence is not.
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(lang=language, _words=words)
    environment.filters["span"] = lambda seconds: span(seconds, words)
    return environment


def _escapes(name: str | None) -> bool:
    return bool(name and name.endswith(".html"))


def _left(runtime: Runtime, payload: Payload) -> float:
    return (payload.expires_at - runtime.ports.clock.now()).total_seconds() if payload.expires_at else 0.0


def _names(environment: Environment, runtime: Runtime, payload: Payload) -> dict[str, Any]:
    """Answer all that a template may name."""
    app, left = runtime.app, _left(runtime, payload)
    base_url = payload.base_url or app.base_url
    username = payload.username if isinstance(payload, MailPayload) else None
    return {
        **_look(app, payload.brand),
        "lang": environment.globals["lang"],
        "product": _flat(payload.brand.get("product", app.product)),
        "base_url": base_url,
        "host": urlsplit(base_url).hostname or "",
        "to": payload.to,
        "username": _flat(username) if username else None,
        "code": payload.code,
        "url": payload.url if isinstance(payload, MailPayload) else None,
        "valid_for": span(left, environment.globals["_words"]),  # type: ignore[arg-type]
        "minutes": max(1, round(left / 60)),
        "data": {name: _flat(value) if isinstance(value, str) else value for name, value in payload.data.items()},
    }


def _look(app: AppSettings, tenants: dict[str, str]) -> dict[str, Any]:
    inline, url = brands.inline_logo(app.brand), brands.logo_url_of(app.brand, tenants)
    return {
        "brand": tenants,
        "colours": brands.palette(brands.colour_of(app.brand, tenants)),
        "inline_logo": inline,
        "logo": url or (f"cid:{inline.cid}" if inline else None),
    }


def _flat(text: str) -> str:
    # A line end in a name would begin a line, or a paragraph, that the site seems to have written.
    return _CONTROL.sub(" ", text).strip()
