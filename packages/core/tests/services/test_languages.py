"""Languages of mails: which one is chosen, what its catalogues hold, and how long something is valid in words."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from gettext import NullTranslations
from html import unescape
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st

import authcore.features
from authcore import Auth, ConfigurationError
from authcore.drive import Drive
from authcore.feature import Feature, MailTemplate, SmsTemplate
from authcore.services import languages, mails, samples
from authcore.services.outbox import MailPayload
from authcore.services.spans import span

ROOT = Path(__file__).parents[4]
THERE = ("en", "de", "fr")
MakeAuth = Callable[..., Auth]


# --- negotiation (RFC 9110 12.5.4, RFC 4647 3.4) ---


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("de-Latn-AT-1996", "de"),
        ("ja, de;q=0.5", "de"),
        ("en;q=0.2, fr;q=0.9, de;q=0.3", "fr"),
        ("en;q=0.5,de;q=0.5", "en"),
        ("fr ; q=0.1", "fr"),
        ("fr;q=1.000, de;q=1.0001", "fr"),
        ("fr;q=nan, de;q=0.1", "de"),
        ("fr;q=-1, de;q=0.1", "de"),
        ("de;q=0, *", "en"),
        ("en;q=0, *;q=0.5", "de"),
        ("*", "en"),
        ("ja", "en"),
        (",,;;q=1, de", "de"),
        ("de;q=0", "en"),
        ("zh-x-de", "en"),
    ],
)
def test_the_best_language_is_taken(header: str, language: str) -> None:
    """Ranges are tried by quality, then in their order, each shortened until one is there; nonsense is skipped."""
    assert languages.negotiate(header, THERE) == language


def test_a_wider_range_is_content_with_a_narrower_language() -> None:
    """Who asks for Portuguese reads that of Brazil where there is no other; the first language stands in else."""
    assert languages.negotiate("pt", ("de", "pt-BR")) == "pt-BR"
    assert languages.negotiate("pt-PT", ("de", "pt-BR")) == "pt-BR"
    assert languages.negotiate("ja", ("de", "pt-BR")) == "de"


@given(st.text(max_size=3000))
def test_no_header_breaks_it(header: str) -> None:
    """Whatever a stranger sends, a language that is there comes out."""
    assert languages.negotiate(header, THERE) in THERE


def test_a_long_header_is_read_in_part() -> None:
    """Only the first thousand characters of a stranger's header are looked at."""
    assert languages.negotiate("x," * 500 + "de", THERE) == "en"


def test_a_mail_is_in_the_language_of_its_request(auth: MakeAuth, client: Any, mailer: Any) -> None:
    """The request's `Accept-Language` decides, and goes along to whoever renders later."""
    made = auth(product="Laden")
    body = {"email": "ada@example.com", "password": "three quiet herons wade"}

    client(made).post("/sign-up", body, accept_language="de-DE,de;q=0.9,en;q=0.5")
    client(made).post("/sign-up", {**body, "email": "bob@example.com"}, accept_language="ja")
    made.outbox.drain()

    german, english = mailer.mails
    assert german.locale == "de"
    assert german.subject == "Bestätigen Sie Ihre Adresse für Laden"
    assert '<html lang="de">' in german.html
    assert "Er gilt 10 Minuten" in " ".join(german.text.split())
    assert (english.locale, english.subject) == ("en", "Confirm your address for Laden")


def test_a_known_language_goes_before_the_requests(auth: MakeAuth, inside: Any, mailer: Any) -> None:
    """A room that knows the user's language says so, and the request is not asked."""
    from authcore import Request
    from authcore.services import outbox

    world = inside(auth(languages=("en", "fr", "de")))
    ctx = world.ctx(Request("GET", "/", headers={"accept-language": "de"}))
    for locale in ("fr", None, "ja"):
        payload = MailPayload(kind="sign_up_welcome", to="ada@example.com", locale=locale)
        world.write(outbox.enqueue, outbox.mail(ctx, payload))

    world.auth.outbox.drain()

    assert [mail.locale for mail in mailer.mails] == ["fr", "de", "en"]


def test_the_setting_chooses_and_the_first_stands_in(auth: MakeAuth, client: Any, mailer: Any) -> None:
    """Languages that are not listed are not used, and the first listed is that of everybody else."""
    made = auth(languages=("fr", "de"))

    client(made).post(
        "/sign-up", {"email": "a@example.com", "password": "three quiet herons wade"}, accept_language="en"
    )
    made.outbox.drain()

    assert mailer.mails[0].locale == "fr"


# --- catalogues ---


def shipped_mails() -> list[MailTemplate]:
    """Every mail of every shipped room."""
    modules = (import_module(f"authcore.features.{room.name}") for room in iter_modules(authcore.features.__path__))
    found = (value for module in modules for value in vars(module).values())
    rooms = {value for value in found if isinstance(value, type) and issubclass(value, Feature)}
    return sorted((mail for room in rooms for mail in room.mails), key=lambda mail: mail.kind)


class Everything(Feature):
    """A room that declares the mails of all rooms, whatever their settings are."""

    name = "everything"
    mails = tuple(shipped_mails())


@pytest.fixture
def runtime(auth: MakeAuth) -> Any:
    """Every shipped mail, bound to ports that nothing opens."""
    return auth(Everything(), product="Laden", mail_from="shop@example.com").runtime(Drive.BLOCKING)


@pytest.mark.parametrize("template", Everything.mails, ids=lambda template: template.kind)
def test_every_mail_is_said_in_every_language(runtime: Any, template: MailTemplate) -> None:
    """Each shipped mail renders in each language with its sample, says its language, and no sentence twice alike."""
    english, *others = (samples.mail(runtime, template, language) for language in THERE)

    for mail in others:
        assert f'<html lang="{mail.locale}">' in mail.html
        assert mail.subject != english.subject
        assert not _sentences(mail.text) & _sentences(english.text)


@pytest.mark.parametrize("template", Everything.mails, ids=lambda template: template.kind)
@pytest.mark.parametrize("language", THERE)
def test_every_mail_is_whole_and_loads_nothing(runtime: Any, template: MailTemplate, language: str) -> None:
    """Each shipped mail names the site, shows what it declares to carry and nothing else, and asks no server."""
    mail = samples.mail(runtime, template, language)
    links = {unescape(link) for link in re.findall(r'(?:href|src|background)="([^"]*)"', mail.html)}
    carries = template.carries

    assert "Laden" in mail.subject
    assert len(mail.subject) <= 78
    assert mail.preview
    assert links <= {"http://127.0.0.1:8000", mail.url}
    assert not re.search(r"<(img|link|script|iframe|form)\b|url\(|@import", mail.html)
    assert (samples.CODE in mail.text, samples.CODE in mail.html) == (("code" in carries),) * 2
    assert (samples.TOKEN in mail.text, samples.TOKEN in mail.html) == (("link" in carries),) * 2
    assert ("Ada Lovelace" in mail.text, "Ada Lovelace" in mail.html) == (("name" in carries),) * 2
    assert samples.CODE not in mail.subject
    assert (set(_words(mail.html)) & {"{{", "{%", "None", "Undefined"}) == set()


def _words(html: str) -> list[str]:
    return re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", " ", html)).split()


def _sentences(text: str) -> set[str]:
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return {part for part in paragraphs if len(part.split()) > 3 and "://" not in part}


def test_the_catalogues_are_those_of_the_templates() -> None:
    """Nothing is untranslated, nothing is stale, the names in sentences agree, and what is compiled is what is said."""
    tool = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "catalogues.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert (tool.returncode, tool.stderr) == (0, "")


class Texts(Feature):
    """A room that declares the text messages of all rooms."""

    name = "texts"
    sms = tuple(
        SmsTemplate(path.name.removesuffix(".sms.txt"), path.name.removesuffix(".sms.txt"), path.parent, family="login")
        for path in sorted(Path(authcore.features.__path__[0]).glob("*/templates/*.sms.txt"))
    )


GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)


def test_every_text_message_fits(auth: MakeAuth) -> None:
    """S90: each in English is of the GSM alphabet and at most 160 characters long, and each is bound to the site."""
    runtime = auth(Texts(), product="Example Shop & Sons").runtime(Drive.BLOCKING)

    for template in Texts.sms:
        for language in THERE:
            sms = samples.sms(runtime, template, language)
            assert sms.text.endswith("\n\n@127.0.0.1 #482913"), template
            assert "Example Shop & Sons" in sms.text, template
            if language == "en":
                assert set(sms.text) <= GSM, template
                assert len(sms.text) <= 160, template


def catalogue(folder: Path, language: str, said: dict[str, str]) -> None:
    """Write a compiled catalogue into a folder of an application."""
    made = Catalog(locale=language.replace("-", "_"))
    for source, text in said.items():
        made.add(source, text)
    path = folder / language.replace("-", "_") / "LC_MESSAGES" / "authcore.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, made)


def test_an_application_adds_a_language(auth: MakeAuth, tmp_path: Path, mailer: Any) -> None:
    """A catalogue of the application's own is one more language; what it leaves out stands in English."""
    catalogue(tmp_path, "pt-BR", {"Welcome to %(product)s": "Bem-vindo a %(product)s"})
    runtime = auth(mail_catalogues=str(tmp_path), product="Laden").runtime(Drive.BLOCKING)

    mail = mails.render(runtime, "k", MailPayload(kind="sign_up_welcome", to="a@example.com", locale="pt-PT"))

    assert runtime.app.languages == ("en", "de", "fr", "pt-BR")
    assert (mail.locale, mail.subject) == ("pt-BR", "Bem-vindo a Laden")
    assert "Your account is ready" in mail.text


def test_an_application_says_it_in_its_own_words(auth: MakeAuth, tmp_path: Path) -> None:
    """Its catalogue of a shipped language wins where it says something, English as well."""
    for language, said in (("en", "Hi from %(product)s"), ("de", "Moin von %(product)s")):
        catalogue(tmp_path, language, {"Welcome to %(product)s": said})
    runtime = auth(mail_catalogues=str(tmp_path), product="Laden").runtime(Drive.BLOCKING)

    english, german = (
        mails.render(runtime, "k", MailPayload(kind="sign_up_welcome", to="a@example.com", locale=language))
        for language in ("en", "de")
    )

    assert (english.subject, german.subject) == ("Hi from Laden", "Moin von Laden")
    assert "Ihr Konto ist bereit" in german.text


def test_a_language_without_a_catalogue_is_refused(auth: MakeAuth) -> None:
    """O1: a misspelt language would silently mail English; the sentence says which are there."""
    with pytest.raises(ConfigurationError, match="'nl', which has no catalogue: write some of en, de, fr"):
        auth(languages=("en", "nl"))


# --- how long ---


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(seconds=-5), "1 minute"),
        (timedelta(seconds=10), "1 minute"),
        (timedelta(minutes=10), "10 minutes"),
        (timedelta(minutes=9, seconds=58), "10 minutes"),
        (timedelta(minutes=58), "58 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=59, seconds=20), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=23, minutes=30), "23 hours"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=7), "7 days"),
        (timedelta(days=6, hours=23, minutes=59), "7 days"),
        (timedelta(days=30), "30 days"),
    ],
)
def test_a_span_is_said_as_people_say_it(left: timedelta, said: str) -> None:
    """Minutes up to some hours, then hours, then days; never 10080 minutes, and never none."""
    assert span(left.total_seconds(), NullTranslations()) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", ["1 Minute", "10 Minuten", "1 Stunde", "24 Stunden", "7 Tage"]),
        ("fr", ["1 minute", "10 minutes", "1 heure", "24 heures", "7 jours"]),
    ],
)
def test_a_span_has_the_plurals_of_its_language(language: str, said: list[str]) -> None:
    """One and many are told apart as the language does it."""
    words = languages.words(language, ())

    assert [span(seconds, words) for seconds in (60, 600, 3600, 86_400, 604_800)] == said


@given(st.integers(min_value=60, max_value=10_000_000))
def test_no_span_promises_much_more_than_there_is(seconds: int) -> None:
    """What is said is at most a twentieth and a minute longer than what is left."""
    number, unit = span(seconds, NullTranslations()).split()
    told = int(number) * {"m": 60, "h": 3600, "d": 86_400}[unit[0]]

    assert told <= seconds * 1.05 + 60
