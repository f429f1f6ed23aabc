"""Keep the translations of mails: take the sentences out of the templates, update the catalogues and compile them.

`python tools/catalogues.py` writes; with `--check` it writes nothing and says what is untranslated, stale or wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

CORE = Path(__file__).parent.parent / "packages" / "core" / "src" / "authcore"
LOCALES = CORE / "services" / "locale"
DOMAIN = "authcore"
LANGUAGES = ("de", "fr")
_JINJA = {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "no"}
_NAMED = re.compile(r"%\([a-z_]+\)[sd]")
_DATED = re.compile(
    rb'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Language-Team):.*\n', re.MULTILINE
)


def template() -> Catalog:
    """Answer every sentence of the shipped templates, with the files that it stands in."""
    found = Catalog(domain=DOMAIN, project=DOMAIN, version="1", fuzzy=False)
    for path in _sources():
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        options = {} if path.suffix == ".py" else _JINJA
        for line, message, comments, context in extract_from_file(method, path, options=options, comment_tags=()):
            place = path.relative_to(CORE).as_posix()
            found.add(message, None, [(place, line)], auto_comments=comments, context=context)
    return found


def _sources() -> Iterator[Path]:
    yield CORE / "services" / "spans.py"
    for folder in (CORE / "services" / "templates", *sorted(CORE.glob("features/*/templates"))):
        yield from sorted(path for path in folder.iterdir() if path.suffix in (".html", ".txt"))


def po(language: str) -> Path:
    """Answer the file of a language's translations."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """Answer the translations of a language, none where there is no file."""
    if not po(language).is_file():
        return Catalog(locale=language, domain=DOMAIN, fuzzy=False)
    with po(language).open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def update(language: str, sentences: Catalog) -> None:
    """Write the catalogue with the sentences of the templates, and its compiled form."""
    catalogue = read(language)
    catalogue.update(sentences, no_fuzzy_matching=True)
    catalogue.project, catalogue.version, catalogue.fuzzy = DOMAIN, "1", False
    catalogue.header_comment = f"# Translations of authcore's mails: {language}."
    po(language).parent.mkdir(parents=True, exist_ok=True)
    written = BytesIO()
    write_po(written, catalogue, width=110, include_lineno=False, ignore_obsolete=True)
    po(language).write_bytes(_DATED.sub(b"", written.getvalue()))
    with po(language).with_suffix(".mo").open("wb") as file:
        write_mo(file, _whole(read(language)))


def _whole(catalogue: Catalog) -> Catalog:
    # Half a translation would be a gap in a mail; what is left out stands in English.
    for message in list(catalogue):
        if message.id and not all(_said(message)):
            catalogue.delete(message.id)
    return catalogue


def _said(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def findings(language: str, sentences: Catalog) -> Iterator[str]:
    """Answer what is wrong with a language's catalogue, one sentence each."""
    catalogue = read(language)
    wanted, there = _ids(sentences), _ids(catalogue)
    yield from (f"not in the catalogue: {key!r}" for key in sorted(wanted - there))
    yield from (f"in no template any longer: {key!r}" for key in sorted(there - wanted))
    for message in catalogue:
        if message.id:
            yield from _wrong(message, catalogue.num_plurals)
    if not po(language).with_suffix(".mo").is_file() or _compiled(language) != _spoken(catalogue):
        yield "the compiled catalogue is not that of the sentences: run python tools/catalogues.py"


def _ids(catalogue: Catalog) -> set[str]:
    return {_first(message) for message in catalogue if message.id}


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _wrong(message: Message, plurals: int) -> Iterator[str]:
    sources = [message.id] if isinstance(message.id, str) else list(message.id)
    said = _said(message)
    if message.fuzzy or not all(said) or len(said) != (1 if len(sources) == 1 else plurals):
        yield f"not translated: {_first(message)!r}"
        return
    for number, text in enumerate(said):
        # "one of them" may leave the number out, "3 of them" may not.
        asked, named = set(_NAMED.findall(sources[min(number, len(sources) - 1)])), set(_NAMED.findall(text))
        if not asked <= named <= set(_NAMED.findall(sources[-1])):
            yield f"other names than {_first(message)!r}: {text!r}"
        # A translated sentence goes into HTML as it stands.
        if set(text) & set("<>&") - set(sources[0]):
            yield f"markup that {_first(message)!r} has not: {text!r}"


def _spoken(catalogue: Catalog) -> dict[object, str]:
    spoken: dict[object, str] = {}
    for message in catalogue:
        if not message.id or message.fuzzy or not all(_said(message)):
            continue
        if isinstance(message.id, str):
            spoken[message.id] = str(message.string)
        else:
            spoken |= {(message.id[0], n): text for n, text in enumerate(message.string)}
    return spoken


def _compiled(language: str) -> dict[object, str]:
    with po(language).with_suffix(".mo").open("rb") as file:
        messages: dict[object, str] = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in messages.items() if key}


def main() -> int:
    """Write the catalogues, or say what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if anything is wrong")
    check = parser.parse_args().check
    sentences = template()
    wrong = False
    for language in LANGUAGES:
        if not check:
            update(language, sentences)
        for finding in findings(language, sentences):
            wrong = True
            print(f"{language}: {finding}", file=sys.stderr)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
