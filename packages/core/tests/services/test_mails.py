"""Mails: what is rendered from the templates, and the message that carries it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from authcore.app import Auth
from authcore.backends.mail import MemoryMailer, SmtpMailer
from authcore.context import Runtime, Tenant
from authcore.drive import Drive
from authcore.feature import Feature, MailTemplate, event_name
from authcore.features.password import Password
from authcore.features.sessions import Sessions
from authcore.http import Request
from authcore.ports import Mail
from authcore.services import mails, outbox
from authcore.services.outbox import MailPayload
from authcore.testing.ports import FrozenClock

DECLARED = (*Password.mails, *Sessions.mails)
KINDS = [template.kind for template in DECLARED]
WITH_CODE = ["sign_up", "reauthenticate"]
CODE = "048213"
TO = "ada@example.com"
CLOCK = FrozenClock()
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def runtime(**settings: Any) -> Runtime:
    """Answer a small application, bound to ports that nothing opens."""
    settings = {"features": [Password()], "product": "Example Shop", **settings}
    auth = Auth(
        dev_mode=True, secret="a secret that is for tests alone 0123", database="sqlite://", clock=CLOCK, **settings
    )
    return auth.runtime(Drive.BLOCKING)


def rendered(kind: str, app: Runtime | None = None, **payload: Any) -> Mail:
    """Answer a mail of a kind, valid for ten minutes unless said otherwise."""
    payload = {"to": TO, "expires_at": CLOCK.now() + timedelta(minutes=10), **payload}
    return mails.render(app or runtime(), "key-1", MailPayload(kind=kind, **payload))


def unwrapped(text: str) -> str:
    """Answer a text as if it stood on one line."""
    return " ".join(text.split())


class Page(HTMLParser):
    """What a mail client would make of the HTML: tags, links, and text with and without what is hidden."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.hidden = ""
        self.seen = ""
        self.title = ""
        self._inside: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append(tag)
        self.links += [value for name in ("href", "src", "background") if (value := known.get(name))]
        if tag in ("style", "title", "div"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        match self._inside:
            case []:
                self.seen += data
            case [*_, "div"]:
                self.hidden += data
            case [*_, "title"]:
                self.title += data
            case _:
                pass  # rules of style


def message_of(mail: Mail) -> EmailMessage:
    """Answer the message as whoever receives its bytes reads it."""
    sent = SmtpMailer("mail.example.com", CLOCK).message(mail).as_bytes()
    received = BytesParser(policy=default).parsebytes(sent)
    assert isinstance(received, EmailMessage)
    return received


@pytest.mark.parametrize("template", DECLARED, ids=KINDS)
@pytest.mark.parametrize("code", [CODE, None], ids=["code", "no-code"])
def test_every_declared_mail_renders(template: MailTemplate, code: str | None) -> None:
    """Each declared mail renders and names the application and its address, with a code or without."""
    mail = rendered(template.kind, code=code)

    page = Page(mail.html)
    assert "Example Shop" in mail.subject
    assert "Example Shop" in mail.text
    assert "Example Shop" in page.seen
    assert "http://127.0.0.1:8000" in mail.text
    assert "http://127.0.0.1:8000" in page.links
    assert mail.text == mail.text.lstrip()
    assert "None" not in mail.subject + mail.text + mail.html


@pytest.mark.parametrize("template", DECLARED, ids=KINDS)
def test_every_declared_mail_has_its_three_files(template: MailTemplate) -> None:
    """A template's folder holds its subject, text and HTML, so that nothing falls back to another room's."""
    names = {path.name for path in template.folder.iterdir()}

    assert {f"{template.name}{end}" for end in (".subject.txt", ".txt", ".html")} <= names


@pytest.mark.parametrize("kind", WITH_CODE)
def test_the_code_is_read_at_once(kind: str) -> None:
    """The code stands in the text, in the HTML and in the preview, together with how long it is valid."""
    mail = rendered(kind, code=CODE)

    page = Page(mail.html)
    assert CODE in mail.text.splitlines()[0]
    assert CODE in page.seen
    assert CODE in page.hidden
    assert "valid for 10 minutes" in unwrapped(mail.text)
    assert "valid for 10 minutes" in page.seen


@pytest.mark.parametrize("kind", WITH_CODE)
def test_the_subject_keeps_the_code_to_itself(kind: str) -> None:
    """The code is not in the subject, which mail servers write into their logs (rule O3)."""
    mail = rendered(kind, code=CODE)

    assert CODE not in mail.subject


def test_the_last_minute_is_one_minute() -> None:
    """What is valid for less than two minutes is said in the singular, and never to be valid for none."""
    mail = rendered("sign_up", code=CODE, expires_at=CLOCK.now() + timedelta(seconds=10))

    assert "valid for 1 minute and" in unwrapped(mail.text)
    assert "valid for 1 minute and" in Page(mail.html).seen


@pytest.mark.parametrize("kind", ["sign_up_welcome", "sign_up_existing"])
def test_mails_that_prove_nothing_carry_no_code(kind: str) -> None:
    """The welcome and the mail to an address with an account never show a code, and have a preview."""
    mail = rendered(kind, code=CODE)

    page = Page(mail.html)
    assert CODE not in mail.subject + mail.text + mail.html
    assert re.search(r"[a-z]{4}", page.hidden)


def test_an_address_with_an_account_is_told_to_sign_in() -> None:
    """Whoever has an account reads that somebody, perhaps they, signed up, and that signing in is the way."""
    mail = rendered("sign_up_existing")

    for said in (unwrapped(mail.text), Page(mail.html).seen):
        assert "Somebody, perhaps you" in said
        assert "sign in instead" in said
        assert "nothing to do" in said


def test_a_link_is_a_button_and_stands_in_the_text() -> None:
    """A mail with a link shows it as a button in HTML and as an address in text."""
    url = "https://example.com/confirm?a=1&b=2#token"

    mail = rendered("sign_up", url=url)

    assert url in Page(mail.html).links
    assert url in mail.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_loads_nothing(kind: str) -> None:
    """Opening a mail tells nobody: it has no image, no style sheet, no font, and no link but the application's own."""
    mail = rendered(kind, code=CODE)

    page = Page(mail.html)
    assert not {"img", "link", "script", "iframe", "object", "form"} & set(page.tags)
    assert set(page.links) == {"http://127.0.0.1:8000"}
    assert not re.search(r"url\(|@import|@font-face", mail.html)


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_follows_the_readers_scheme(kind: str) -> None:
    """A mail says that it knows light and dark, and holds rules for dark."""
    mail = rendered(kind, code=CODE)

    assert '<meta name="color-scheme" content="light dark">' in mail.html
    assert "@media (prefers-color-scheme: dark)" in mail.html


@pytest.mark.parametrize("kind", KINDS)
def test_html_in_names_stays_text(kind: str) -> None:
    """Markup in the application's name, the address or the code is shown as it was written, in HTML as in text."""
    app = runtime(product=f"Shop & {HOSTILE}")
    plain = Page(rendered(kind, code=CODE).html)

    mail = rendered(kind, app, to=f'"{HOSTILE}"@example.com', code=CODE)

    page = Page(mail.html)
    assert page.tags == plain.tags
    assert page.links == plain.links
    assert f"Shop & {HOSTILE}" in page.seen
    assert f'"{HOSTILE}"@example.com' in page.seen
    assert HOSTILE not in mail.html
    assert "&amp;" not in page.title
    assert f"Shop & {HOSTILE}" in unwrapped(mail.text)
    assert "&amp;" not in mail.subject


def test_html_in_the_text_part_is_sent_as_text() -> None:
    """The text part is text/plain and says what the HTML part says, so markup in it is never read as markup."""
    mail = rendered("sign_up", runtime(product=HOSTILE), code=CODE)

    message = message_of(mail)

    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert HOSTILE in text.get_content()
    assert "<script" not in html.get_content()


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    """Answer an empty directory of an application's own templates."""
    folder = tmp_path / "mails"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".subject.txt", ".txt", ".html"])
def test_a_template_of_the_application_wins(overrides: Path, kind: str, suffix: str) -> None:
    """A file in the application's directory replaces the one that it names, and that one alone."""
    template = next(template for template in DECLARED if template.kind == kind)
    (overrides / f"{template.name}{suffix}").write_text("Ours for {{ to }}")
    shipped = rendered(kind, code=CODE)

    mail = rendered(kind, runtime(mail_templates=str(overrides)), code=CODE)

    parts = {".subject.txt": "subject", ".txt": "text", ".html": "html"}
    assert getattr(mail, parts.pop(suffix)) == f"Ours for {TO}"
    assert all(getattr(mail, part) == getattr(shipped, part) for part in parts.values())


def test_a_frame_of_the_application_wins(overrides: Path) -> None:
    """A `base.html` in the application's directory frames the shipped mails."""
    (overrides / "base.html").write_text("<main>{% block heading %}{% endblock %}</main>")

    mail = rendered("sign_up", runtime(mail_templates=str(overrides)), code=CODE)

    assert mail.html == "<main>Confirm your address</main>"


def test_a_template_that_names_the_unknown_is_an_error(overrides: Path) -> None:
    """A misspelt name in a template fails where it stands, instead of mailing a gap."""
    (overrides / "auth-sign-up.txt").write_text("{{ cod }}")

    with pytest.raises(Exception, match="'cod' is undefined"):
        rendered("sign_up", runtime(mail_templates=str(overrides)), code=CODE)


# --- tenants ---

BRAND = {"product": "North Books", "logo": "https://north.example/logo.png"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_speaks_for_the_tenant_whose_request_it_was(kind: str) -> None:
    """The tenant's name and site stand where the application's would, and the application's nowhere."""
    mail = rendered(kind, code=CODE, base_url="https://north.example", brand=BRAND)

    parts = mail.subject + mail.text + mail.html + mail.preview
    assert "North Books" in mail.subject
    assert "https://north.example" in Page(mail.html).links
    assert "Example Shop" not in parts
    assert "127.0.0.1" not in parts


def test_a_template_may_use_more_of_the_brand(overrides: Path) -> None:
    """An application's own template reads what else the tenant's brand holds; without a tenant it is empty."""
    (overrides / "auth-sign-up.txt").write_text("{{ brand.logo | default('no logo') }}")
    app = runtime(mail_templates=str(overrides))

    assert rendered("sign_up", app, brand=BRAND).text == BRAND["logo"]
    assert rendered("sign_up", app).text == "no logo"


def test_the_tenants_name_outlives_its_request(
    auth: Callable[..., Auth], client: Callable[..., Any], mailer: MemoryMailer
) -> None:
    """A mail is rendered after the request, perhaps by another process: what the tenant is called goes with it."""

    def hook(request: Request) -> Tenant:
        name = request.headers.get("x-tenant", "south")
        return Tenant(name, f"https://{name}.example", brand={"product": f"{name.title()} Books"})

    made = auth(tenant=hook, product="Example Shop")
    body = {"email": TO, "password": "three quiet herons wade"}
    for sent in ({"x_tenant": "north"}, {}):
        client(made).post("/sign-up", body, **sent)

    made.outbox.drain()

    assert [mail.subject for mail in mailer.mails] == [
        "Confirm your address for North Books",
        "Confirm your address for South Books",
    ]
    assert "https://north.example" in mailer.mails[0].text
    assert "https://south.example" in mailer.mails[1].text


# --- what is refused ---


@pytest.mark.parametrize("kind", ["unknown", "", "../sign_up", "auth-sign-up"])
def test_an_undeclared_kind_is_refused(kind: str) -> None:
    """A kind that no enabled room declares raises LookupError."""
    with pytest.raises(LookupError, match="no enabled room"):
        rendered(kind)


def test_a_room_that_is_not_enabled_declares_nothing() -> None:
    """Without the password room its mails are unknown, and those of the sessions are not."""
    app = runtime(features=[])

    assert rendered("reauthenticate", app, code=CODE).code == CODE
    with pytest.raises(LookupError):
        rendered("sign_up", app, code=CODE)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_line_end_in_a_subjects_value_is_a_space(overrides: Path, end: str) -> None:
    """A value with a line end gives a subject of one line, and no header of its own."""
    (overrides / "auth-sign-up.subject.txt").write_text("Hello {{ data.name }}")
    app = runtime(mail_templates=str(overrides))

    mail = rendered("sign_up", app, code=CODE, data={"name": f"Ada{end}Bcc: eve@example.com{end}{end}body"})

    assert mail.subject == "Hello Ada Bcc: eve@example.com body"
    assert message_of(mail)["Bcc"] is None


HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_subject_splits_the_header(subject: str) -> None:
    """Whatever a mailer is handed as a subject, the message has the same headers, and the subject is one line."""
    mail = Mail(
        kind="k", to=TO, sender="Shop <shop@example.com>", subject=subject, text="t", html="h", key="1", template="k"
    )

    message = message_of(mail)

    assert sorted(message.keys()) == sorted(HEADERS)
    assert not re.search(r"[\r\n]", message["Subject"])
    assert message["To"] == TO


@pytest.mark.parametrize("field", ["sender", "to"])
@pytest.mark.parametrize(
    "address",
    [
        "Shop <shop@example.com>\r\nBcc: eve@example.com",
        "Shop\nBcc: eve@example.com <shop@example.com>",
        "shop@example.com\r\n\r\nbody",
        "shop@example.com\x00",
        "shop@example.com\u2028Bcc: eve@example.com",
        "no address",
        "",
    ],
)
def test_an_address_that_would_split_the_header_is_refused(field: str, address: str) -> None:
    """A sender or recipient with a line end, or none at all, raises ValueError: nothing is sent."""
    mail = rendered("sign_up", code=CODE)
    given = replace(mail, sender=address) if field == "sender" else replace(mail, to=address)

    with pytest.raises(ValueError, match="not one address"):
        message_of(given)


def test_a_declared_sender_is_the_senders_header() -> None:
    """The room's own sender stands in From, and the other rooms keep the application's."""
    app = runtime(features=[Password(mail_from="Shop Sign-up <hello@example.com>")])

    sign_up = message_of(rendered("sign_up", app, code=CODE))
    again = message_of(rendered("reauthenticate", app, code=CODE))

    assert sign_up["From"] == "Shop Sign-up <hello@example.com>"
    assert again["From"] == "no-reply@127.0.0.1"


# --- hostile names ---

NAMES = [
    "Ada\r\nBcc: eve@example.com",
    "Ada\r\n\r\n<h1>Pay here</h1>",
    "Ada\n\n--\nVisit https://evil.example",
    "Ada\u2028Bcc: eve@example.com\x85Cc: eve@example.com",
    HOSTILE,
    '"><a href="https://evil.example">Ada</a>',
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "%(code)s %s %d %",
    "&lt;b&gt;",
    "\x00\x1b[2J\x07",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_no_name_harms_the_message_that_arrives(name: str, locale: str) -> None:
    """A display name, a product and a brand with line ends or markup change neither headers nor structure nor links."""
    calm = rendered("sign_up", code=CODE, locale=locale, username="Ada", brand={"product": "Shop"})
    sent = rendered("sign_up", code=CODE, locale=locale, username=name, brand={"product": name, "logo_url": name})

    message = message_of(sent)

    text, html = (part.get_content() for part in message.iter_parts())
    page, expected = Page(html), Page(calm.html)
    assert sorted(message.keys()) == sorted(HEADERS)
    assert (message["To"], message["From"]) == (TO, "no-reply@127.0.0.1")
    assert not re.search(r"[\r\n]", message["Subject"])
    assert (page.tags, page.links) == (expected.tags, expected.links)
    assert text.count("\n--\n") == 1
    assert text.strip().count("\n\n") == calm.text.count("\n\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text + html)


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_room_harms_the_text(overrides: Path, name: str) -> None:
    """What a room hands to its template, such as the name of a device or of who invites, stays on its line."""
    (overrides / "auth-sign-up.txt").write_text("{{ data.name }}")
    app = runtime(mail_templates=str(overrides))

    mail = rendered("sign_up", app, data={"name": name})

    assert "\n\n" not in mail.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", mail.text)
    assert mail.data == {"name": name}


def test_a_name_is_said_as_it_is() -> None:
    """What looks like a placeholder, a template or markup in a name is shown as it was written."""
    for name in ("{{ 7 * 7 }}", "%(code)s 100 %", "Tom & <Jerry>"):
        mail = rendered("sign_up", code=CODE, username=name)

        assert f"Hello {name}," in mail.text
        assert f"Hello {name}," in Page(mail.html).seen


@given(st.text(max_size=80))
def test_no_display_name_breaks_the_message(name: str) -> None:
    """Whatever a display name holds, the mail renders and what arrives has the headers and the tags of every other."""
    mail = rendered("sign_up", HYPOTHETICAL, code=CODE, username=name or "x")

    message = message_of(mail)

    assert sorted(message.keys()) == sorted(HEADERS)
    assert len([part for part in message.walk() if not part.is_multipart()]) == 2


HYPOTHETICAL = runtime()


# --- what a mailer gets ---


def test_a_function_gets_all_that_a_reset_needs(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """A function of one mail serves as a callback of (email, token, expires_at) (S74, S77), with names (S89, S92)."""
    got: list[Mail] = []
    world = inside(auth(Password(), Room(), mailer=got.append))
    until = world.auth.runtime(Drive.BLOCKING).ports.clock.now() + timedelta(hours=1)
    payload = MailPayload(
        kind="room_reset",
        to=TO,
        token="the-token",
        url="http://127.0.0.1:8000/reset#token=the-token",
        code=CODE,
        expires_at=until,
        username="Ada",
        data={"device": "Firefox"},
        metadata={"campaign": 7},
    )
    effect = outbox.mail(world.ctx(), payload)
    world.write(outbox.enqueue, effect)

    world.auth.outbox.drain()

    [mail] = got
    assert (mail.kind, mail.event, mail.template) == ("room_reset", "recovery.magic_link", "auth-sign-up")
    assert (mail.to, mail.username, mail.token, mail.code, mail.expires_at) == (TO, "Ada", "the-token", CODE, until)
    assert (mail.url, mail.data, mail.metadata) == (payload.url, {"device": "Firefox"}, {"campaign": 7})
    assert mail.key == effect.key


class Room(Feature):
    """A room whose mail borrows the templates of the sign-up."""

    name = "room"
    mails = (MailTemplate("room_reset", "auth-sign-up", Password.mails[0].folder, family="recovery"),)


def test_an_async_function_is_awaited(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """An application whose client for mails is async gives an async function: the sender awaits it."""
    got: list[str] = []

    async def send(mail: Mail) -> None:
        await asyncio.sleep(0)
        got.append(mail.to)

    world = inside(auth(mailer=send))
    world.write(outbox.enqueue, outbox.mail(world.ctx(), MailPayload(kind="sign_up_welcome", to=TO)))

    world.auth.outbox.drain()

    assert got == [TO]


@pytest.mark.parametrize(
    ("family", "carried", "name"),
    [
        ("recovery", {"link", "code"}, "recovery.magic_link"),
        ("recovery", {"code"}, "recovery.pincode"),
        ("invite", {"link"}, "invite.magic_link"),
        ("invite", {"code"}, "invite.pincode"),
        ("login", {"link"}, "login.magic_link"),
        ("login", {"code"}, "login.pincode"),
        ("mfa", {"code"}, "mfa.code"),
        ("notify_new_device", set(), "notify_new_device"),
        (None, {"code"}, None),
        ("mfa", set(), None),
    ],
)
def test_a_family_and_what_is_carried_give_the_name(family: Any, carried: set[str], name: str | None) -> None:
    """S89: each mail of a family has one of the closed names, by whether it carries a link or a code alone."""
    assert event_name(family, code="code" in carried, link="link" in carried) == name


def test_a_payload_may_name_another_template() -> None:
    """S75: the mail of a kind may be rendered from other files, such as those of a named broker."""
    mail = rendered("sign_up", template="auth-sign-up-welcome", code=CODE)

    assert (mail.kind, mail.template, mail.subject) == ("sign_up", "auth-sign-up-welcome", "Welcome to Example Shop")


def test_text_is_wrapped_and_addresses_stay_whole() -> None:
    """No line of the text part is longer than 76 characters but an address, and no two empty lines stand together."""
    url = f"https://example.com/confirm#token={'t' * 100}"

    text = rendered("sign_up", code=CODE, url=url, locale="de").text

    assert url in text.splitlines()
    assert all(len(line) <= mails.WIDTH for line in text.splitlines() if line != url)
    assert "\n\n\n" not in text


def test_a_template_says_another_span_in_words(overrides: Path) -> None:
    """A second time to live, of a code beside a link, is said by the filter `span`, in the mail's language."""
    (overrides / "auth-sign-up.txt").write_text("{{ data.code_ttl|span }}")
    app = runtime(mail_templates=str(overrides))

    said = [rendered("sign_up", app, data={"code_ttl": 7200}, locale=locale).text for locale in ("en", "de")]

    assert said == ["2 hours", "2 Stunden"]
