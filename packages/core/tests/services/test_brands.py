"""Brands: colours that can be read, and a logo that asks no server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, Brand, ConfigurationError
from authcore.backends.mail import SmtpMailer
from authcore.drive import Drive
from authcore.ports import Mail
from authcore.services import brands, colours, mails
from authcore.services.outbox import MailPayload

PNG = b"\x89PNG\r\n\x1a\n" + b"a small picture"
MakeAuth = Callable[..., Auth]
hex_colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def rendered(auth: Auth, **payload: Any) -> Mail:
    """Answer a mail with a button."""
    given = {"kind": "sign_up", "to": "ada@example.com", "url": "https://example.com/#t", **payload}
    return mails.render(auth.runtime(Drive.BLOCKING), "key", MailPayload(**given))


@pytest.mark.parametrize(
    ("one", "other", "contrast"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, contrast: float) -> None:
    """The figures are those that WCAG's formula gives."""
    assert round(colours.contrast(one, other), 2) == contrast


@given(hex_colours)
def test_every_brand_can_be_read(colour: str) -> None:
    """Whatever the brand's colour, the button's words and the links have a contrast of 4.5, in light and in dark."""
    found = brands.palette(colour)

    pairs = [
        (found.button_ink, found.button),
        (found.dark_button_ink, found.dark_button),
        (found.link, "#ffffff"),
        (found.link, "#f2f4f7"),
        (found.dark_link, "#1b2027"),
        (found.dark_link, "#111418"),
    ]
    assert all(colours.contrast(ink, ground) >= 4.5 for ink, ground in pairs)
    assert all(colours.is_colour(part) for pair in pairs for part in pair)


def test_a_readable_colour_stays_as_it_is() -> None:
    """A colour that can be read is the brand's own, on the button always."""
    assert brands.palette("#1d4ed8").link == "#1d4ed8"
    assert brands.palette("#ffee00").button == "#ffee00"
    assert brands.palette("#ffee00").button_ink == "#000000"


def test_the_application_colours_its_mails(auth: MakeAuth) -> None:
    """The brand's colour is the button's, and the tenant's goes before it."""
    made = auth(brand=Brand(color="#0f766e"))

    own, tenants = rendered(made).html, rendered(made, brand={"color": "#7c3aed"}).html

    assert 'class="button" align="center" style="background: #0f766e' in own
    assert 'class="button" align="center" style="background: #7c3aed' in tenants


@pytest.mark.parametrize("colour", ["red", "#fff", "#7c3aed; } body { display: none", "", "#7c3aed\n"])
def test_a_tenants_colour_that_is_none_is_left_out(auth: MakeAuth, colour: str) -> None:
    """What a tenant's brand holds never reaches the style unless it is a colour."""
    mail = rendered(auth(), brand={"color": colour})

    assert mail.html == rendered(auth()).html


def test_a_logo_travels_inside_the_mail(auth: MakeAuth, tmp_path: Path) -> None:
    """The picture is a part of the message, which the HTML names by its id; no address is fetched."""
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)

    mail = rendered(auth(brand=Brand(logo=logo)))

    message = SmtpMailer("mail.example.com").message(mail)
    [picture] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == f"<{brands.CID}>"
    assert picture.get_content() == PNG
    assert re.findall(r'src="([^"]*)"', mail.html) == [f"cid:{brands.CID}"]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "multipart/related"]
    assert "a small picture" not in repr(mail)


def test_an_address_of_a_logo_is_fetched_only_where_it_is_asked_for(auth: MakeAuth, tmp_path: Path) -> None:
    """`logo_url` is the one way to an image from elsewhere; the tenant's goes before the application's own logo."""
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    made = auth(brand=Brand(logo=logo))

    plain = rendered(auth())
    told = rendered(auth(brand=Brand(logo_url="https://example.com/logo.png?a=1&b=2")))
    tenants = rendered(made, brand={"logo_url": "https://north.example/logo.png"})
    hostile = rendered(made, brand={"logo_url": 'https://x.example/"><script>'})

    assert "<img" not in plain.html
    assert 'src="https://example.com/logo.png?a=1&amp;b=2"' in told.html
    assert ('src="https://north.example/logo.png"' in tenants.html, tenants.inline) == (True, ())
    assert (f'src="cid:{brands.CID}"' in hostile.html, len(hostile.inline)) == (True, 1)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("logo.svg", b"<svg/>", "no picture that mails show"),
        ("logo.png", b"<html>", "no picture that mails show"),
        ("logo.gif", PNG, "no picture that mails show"),
        ("logo.png", PNG + b"x" * brands.LARGEST_LOGO, "give at most 65536"),
    ],
)
def test_a_logo_that_no_mail_shows_is_refused(
    auth: MakeAuth, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    """O1: what mail clients do not show, or what would weigh on every mail, is refused when it is declared."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=says):
        auth(brand=Brand(logo=tmp_path / name))
