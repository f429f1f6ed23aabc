"""Languages: which are there, which one a request asks for, and the words of each.

A catalogue is `<folder>/<language>/LC_MESSAGES/authcore.mo`. The application's own goes before a room's, and a room's
before what is shipped; what none has stands in English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from os import PathLike
from pathlib import Path
from typing import Any

from authcore.context import Context
from authcore.errors import ConfigurationError

SHIPPED = Path(__file__).parent / "locale"
DOMAIN = "authcore"
SOURCE = "en"
"""The language that templates are written in."""

_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
_QUALITY = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\Z", re.IGNORECASE)
_LONGEST = 1000  # characters of the header that are read: it is a stranger's


def is_tag(text: str) -> bool:
    """Tell whether a text is a language tag, such as "de" or "pt-BR" (RFC 5646 2.1)."""
    return _TAG.match(text) is not None


def available(folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """Answer the languages that have a catalogue in the folders or are shipped, English first."""
    found = {path.parents[1].name.replace("_", "-") for folder in (*folders, SHIPPED) for path in _catalogues(folder)}
    return (SOURCE, *sorted(found - {SOURCE}))


def _catalogues(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))


def of_request(ctx: Context) -> str:
    """Answer the language of a mail that this request causes: the one that it asks for, or the first of the setting."""
    asked = ctx.request.headers.get("accept-language", "") if ctx.request else ""
    return negotiate(asked, ctx.app.languages)


def negotiate(header: str, languages: Sequence[str]) -> str:
    """Answer the best of `languages` for an `Accept-Language` (RFC 9110 12.5.4, looked up as RFC 4647 3.4 says)."""
    weighed = accepted(header)
    refused = {tag for tag, quality in weighed if quality == 0}
    left = [language for language in languages if language.lower() not in refused]
    for tag, quality in sorted(weighed, key=lambda pair: -pair[1]):
        found = _look_up(tag, left) if quality > 0 else None
        if found:
            return found
    return languages[0]


def accepted(header: str) -> list[tuple[str, float]]:
    """Answer the language ranges of the header in their order, in lower case, with their qualities."""
    found = []
    for entry in header[:_LONGEST].split(","):
        tag, _, parameter = (part.strip(" \t") for part in entry.partition(";"))
        weight = _QUALITY.match(parameter)
        if (is_tag(tag) or tag == "*") and (weight or not parameter):
            found.append((tag.lower(), float(weight[1]) if weight else 1.0))
    return found


def _look_up(tag: str, languages: Sequence[str]) -> str | None:
    if tag == "*":
        return languages[0] if languages else None
    parts = tag.split("-")
    while parts:
        wanted = "-".join(parts)
        for language in languages:
            # "pt" is content with "pt-BR", where there is no plain "pt".
            if language.lower() == wanted or language.lower().startswith(f"{wanted}-"):
                return language
        parts.pop()
        if parts and len(parts[-1]) == 1:  # a single letter only leads in what came after it
            parts.pop()
    return None


@lru_cache(maxsize=64)
def words(language: str, folders: tuple[Path, ...]) -> NullTranslations:
    """Answer the words of a language, from the folders in their order and then from what is shipped."""
    first = NullTranslations()
    last = first
    for folder in (*folders, SHIPPED):
        path = folder / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.mo"
        if path.is_file():
            with path.open("rb") as file:
                more = GNUTranslations(file)
            last.add_fallback(more)
            last = more
    return first


def setting(given: object, folder: str | None) -> tuple[str, ...]:
    """Answer the setting `languages`; raise ConfigurationError."""
    there = available((Path(folder),) if folder else ())
    if given is None:
        return there
    if not isinstance(given, list | tuple) or not given or not all(isinstance(tag, str) for tag in given):
        raise ConfigurationError(
            "Auth(languages=…) is a list of language tags, such as ('en', 'de'), the first in doubt."
        )
    for tag in given:
        if tag not in there:
            raise ConfigurationError(
                f"Auth(languages=…) holds {tag!r}, which has no catalogue: write some of {', '.join(there)}, "
                "or add its catalogue to the folder that mail_catalogues names."
            )
    return tuple(dict.fromkeys(given))


def catalogues(given: Any) -> str | None:
    """Answer the setting `mail_catalogues`; raise ConfigurationError."""
    if given is None:
        return None
    if not isinstance(given, str | PathLike) or "\0" in str(given) or not Path(given).is_dir():
        raise ConfigurationError(
            f"Auth(mail_catalogues={given!r}) is no folder: give one that holds <language>/LC_MESSAGES/authcore.mo."
        )
    return str(given)
