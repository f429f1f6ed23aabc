"""Pages behind the links of mails: they show, and only a person's click spends (rule R4).

The token stays in the fragment, which no server, log or scanner sees; the page's script sends it when the button is
pressed. Nothing is loaded from elsewhere, and the policy lets nothing in.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import lru_cache
from pathlib import Path

import msgspec

from authcore.context import Context
from authcore.route import Answer
from authcore.services import brands
from authcore.values import Value

_MARK = re.compile(r"\{([a-z]+)\}")
_FOLDER = Path(__file__).parent / "landing"


class NeedsConfirm(msgspec.Struct, frozen=True):
    """A link was opened; what it is for happens when its token is sent by POST."""

    needs: str = "confirm"


class Field(Value, frozen=True):
    """A field that the person fills in: its name in the body, its label, and its type in HTML."""

    name: str
    label: str
    type: str = "text"
    autocomplete: str = "off"


class Landing(Value, frozen=True):
    """What a page says and where its button sends the token: `endpoint` below the mount prefix."""

    title: str
    text: str
    button: str
    endpoint: str
    done: str
    fields: tuple[Field, ...] = ()


async def land(ctx: Context, landing: Landing) -> Answer:
    """Answer the page to a browser, and `{"needs": "confirm"}` to any other client; nothing is spent."""
    if ctx.request is None or not ctx.request.wants_page:
        return Answer(200, NeedsConfirm(), headers=(("Vary", "Accept"),))
    return Answer(200, None, headers=(("Vary", "Accept"), *_guards(_style(ctx))), html=render(ctx, landing))


def _escaped(text: str) -> str:
    from html import escape  # with a table of all of HTML's names, which a start has no use for

    return escape(text)


def render(ctx: Context, landing: Landing) -> str:
    """Answer the page; every value is escaped."""
    texts = {
        "product": ctx.product,
        "title": landing.title,
        "text": landing.text,
        "button": landing.button,
        "done": landing.done,
        "endpoint": ctx.app.prefix + landing.endpoint,
        "home": ctx.base_url,
    }
    markup = {name: _escaped(text) for name, text in texts.items()}
    markup |= {"fields": "".join(map(_input, landing.fields)), "style": _style(ctx), "script": _text("page.js")}
    # In one pass: what a value holds is never filled in again.
    return _MARK.sub(lambda match: markup[match[1]], _text("page.html"))


def _input(field: Field) -> str:
    name, kind, fill = _escaped(field.name), _escaped(field.type), _escaped(field.autocomplete)
    label = _escaped(field.label)
    return (
        f'<label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{fill}" required>'
    )


@lru_cache(maxsize=8)
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _style(ctx: Context) -> str:
    return _coloured(brands.colour_of(ctx.app.brand, ctx.tenant.brand or {}))


@lru_cache(maxsize=256)
def _coloured(colour: str) -> str:
    """Answer the style in a brand's colour, which is #rrggbb and nothing else."""
    look = brands.palette(colour)
    names = {
        "button": look.button,
        "ink": look.button_ink,
        "link": look.link,
        "dark-button": look.dark_button,
        "dark-ink": look.dark_button_ink,
        "dark-link": look.dark_link,
    }
    return ":root { " + " ".join(f"--{name}: {value};" for name, value in names.items()) + " }\n" + _text("page.css")


@lru_cache(maxsize=256)
def _guards(style: str) -> tuple[tuple[str, str], ...]:
    policy = (
        f"default-src 'none'; script-src '{_source(_text('page.js'))}'; style-src '{_source(style)}'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (("Content-Security-Policy", policy), ("Referrer-Policy", "no-referrer"))


def _source(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
