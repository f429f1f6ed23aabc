"""A brand: the colour and the logo of mails, the application's or the tenant's, and the colours that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from authcore.context import Brand
from authcore.errors import ConfigurationError
from authcore.ports import Inline
from authcore.services import colours
from authcore.values import Value

LARGEST_LOGO = 64 * 1024  # bytes: it travels in every mail
CID = "logo@authcore"
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_PAGE, _DARK_PAGE = "#f2f4f7", "#1b2027"  # of the two grounds in base.html the one that is harder to read on
_BEGINNINGS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}


class Palette(Value, frozen=True):
    """The colours of a mail that follow from a brand's, each readable where it stands."""

    button: str
    button_ink: str
    link: str
    dark_button: str
    dark_button_ink: str
    dark_link: str


@lru_cache(maxsize=256)
def palette(colour: str) -> Palette:
    """Answer the colours of a mail in a brand's colour."""
    light, dark = colours.readable(colour, _PAGE), colours.readable(colour, _DARK_PAGE)
    return Palette(colour, colours.ink_on(colour), light, dark, colours.ink_on(dark), dark)


def colour_of(brand: Brand, tenants: Mapping[str, str]) -> str:
    """Answer the tenant's colour, or the application's where the tenant's is none or no colour."""
    own = tenants.get("color")
    return own if own is not None and colours.is_colour(own) else brand.color


def logo_url_of(brand: Brand, tenants: Mapping[str, str]) -> str | None:
    """Answer the tenant's address of a logo, or the application's."""
    own = tenants.get("logo_url")
    return own if own is not None and _is_image_url(own) else brand.logo_url


def inline_logo(brand: Brand) -> Inline | None:
    """Answer the logo that travels inside the mails of a brand."""
    return None if brand.logo is None else _read(Path(brand.logo))


@lru_cache(maxsize=8)
def _read(path: Path) -> Inline:
    return Inline(CID, _TYPES[path.suffix.lower()], path.read_bytes())


def setting(given: object) -> Brand:
    """Answer the setting `brand`; raise ConfigurationError."""
    if given is None:
        return Brand()
    if not isinstance(given, Brand):
        raise ConfigurationError("Auth(brand=…) is a Brand(…), such as Brand(color='#1d4ed8').")
    if not colours.is_colour(given.color):
        raise ConfigurationError(f"Brand(color={given.color!r}) is no colour: write six digits, such as '#1d4ed8'.")
    if given.logo_url is not None and not _is_image_url(given.logo_url):
        raise ConfigurationError("Brand(logo_url=…) is an https address, such as 'https://example.com/logo.png'.")
    if given.logo is not None:
        _check_logo(given)
    return given


def _check_logo(given: Brand) -> None:
    if given.logo_url is not None:
        raise ConfigurationError("Brand has a logo and a logo_url: keep the logo, which asks no server.")
    try:
        path = Path(given.logo or "")
        head = path.read_bytes()
    except (OSError, TypeError, ValueError):
        raise ConfigurationError(
            f"Brand(logo={given.logo!r}) cannot be read: give the path of a PNG, JPEG or GIF."
        ) from None
    kind = _TYPES.get(path.suffix.lower(), "")
    if not kind or not head.startswith(_BEGINNINGS[kind]):
        raise ConfigurationError(f"Brand(logo={given.logo!r}) is no picture that mails show: give a PNG, JPEG or GIF.")
    if len(head) > LARGEST_LOGO:
        raise ConfigurationError(
            f"Brand(logo={given.logo!r}) has {len(head)} bytes and goes with every mail: give at most {LARGEST_LOGO}."
        )


def _is_image_url(text: object) -> bool:
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or set(text) & set(" \"'<>\\"):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
