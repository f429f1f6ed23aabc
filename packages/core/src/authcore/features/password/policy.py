"""What a password must be (rule A4): one policy for sign-up, change, reset and invitation."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from authcore.context import Context
from authcore.errors import field_error
from authcore.features.password.settings import MOST_LENGTH, PasswordSettings

_COMMON = Path(__file__).parent / "common.txt"


def normalise(password: str) -> str:
    """Answer the password in NFKC, so that one typed on another keyboard is the same (NIST SP 800-63B-4 3.1.1.2).

    The length is capped by the caller before: normalising can grow a text eighteen-fold.
    """
    return unicodedata.normalize("NFKC", password)


def accept(ctx: Context, password: str, *, email: str | None, field: str = "password") -> str:
    """Answer the normalised password; raise InvalidFields with the reason."""
    settings = ctx.settings(PasswordSettings)
    if len(password) > MOST_LENGTH:
        raise field_error(field, "too_long", f"Use at most {MOST_LENGTH} characters.")
    clean = normalise(password)
    # NFKC makes eighteen code points of one, and one of several: neither makes a short password long.
    if min(len(password), len(clean)) < settings.min_length:
        raise field_error(field, "too_short", f"Use at least {settings.min_length} characters.")
    if settings.require_number and not any(char.isdigit() for char in clean):
        raise field_error(field, "password_needs_number", "Use at least one digit.")
    _refuse_guessable(ctx, clean, email, field)
    return clean


def _refuse_guessable(ctx: Context, password: str, email: str | None, field: str) -> None:
    folded = password.casefold()
    if folded in common_passwords() or len(set(folded)) < 3:
        raise field_error(field, "password_too_common", "This password is too common.")
    if _bare(folded) in _context_words(ctx, email):
        raise field_error(field, "password_too_personal", "Do not use your address or the site's name.")


def _context_words(ctx: Context, email: str | None) -> set[str]:
    sites = {ctx.app.base_url, ctx.base_url}
    words = {ctx.app.product, ctx.product, *sites, *(site.partition("://")[2] for site in sites)}
    if email is not None:
        words |= {email, email.partition("@")[0]}
    # Spelled as the password is: a name in other letters, such as full-width ones, is that name.
    bare = {_bare(normalise(word).casefold()) for word in words} - {""}
    return bare | {word * 2 for word in bare}


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Answer the common passwords, folded: read once, at the first sign-up."""
    return frozenset(_COMMON.read_text(encoding="utf-8").split("\n"))
