"""What a password must be (rule A4): one policy for sign-up, change, reset and invitation."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from authcore.context import Context
from authcore.errors import ConfigurationError, Unavailable, field_error
from authcore.ports import PasswordMismatch
from authcore.services import breaches, events, passwords
from authcore.services.breaches import Breaches
from authcore.values import Value

LEAST_LENGTH = 8  # code points, NIST SP 800-63B-4 3.1.1.2
MOST_LENGTH = 256  # code points, counted before normalising
MOST_HISTORY = 10  # each costs a hash at every change
_COMMON = Path(__file__).parent / "common_passwords.txt"


_CHARACTERS: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "require_lowercase": (str.islower, "password_needs_lowercase", "Use at least one lower-case letter."),
    "require_uppercase": (str.isupper, "password_needs_uppercase", "Use at least one upper-case letter."),
    "require_number": (str.isdigit, "password_needs_number", "Use at least one digit."),
    "require_symbol": (lambda char: not char.isalnum(), "password_needs_symbol", "Use at least one sign or blank."),
}
"""Each rule about characters: which of them meet it, and the code and the sentence where none does."""


class PasswordPolicy(Value, frozen=True, kw_only=True):
    """What passwords must be, and whether there are any: the settings of `Password` that every room shares."""

    enabled: bool = True
    min_length: int = 15
    require_lowercase: bool = False
    require_uppercase: bool = False
    require_number: bool = False
    require_symbol: bool = False
    breached: Breaches | None = None
    history: int = 0
    min_age: timedelta | None = None
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        for name in ("enabled", *_CHARACTERS):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Password({name}=…) is True or False.")
        _check_number("min_length", self.min_length, LEAST_LENGTH, 128)
        _check_number("history", self.history, 0, MOST_HISTORY)
        for name in ("min_age", "max_age"):
            _check_age(name, getattr(self, name))
        if self.min_age and self.max_age and self.min_age >= self.max_age:
            raise ConfigurationError("Password(min_age=…) is shorter than max_age: else no password could be changed.")


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"Password({name}={value!r}) is a whole number between {least} and {most}.")


def _check_age(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, timedelta) or value <= timedelta()):
        raise ConfigurationError(
            f"Password({name}=…) is a positive timedelta, such as timedelta(days=90), or left out."
        )


def normalise(password: str) -> str:
    """Answer the password in NFKC, so that one typed on another keyboard is the same (NIST SP 800-63B-4 3.1.1.2).

    The length is capped by the caller before: normalising can grow a text eighteen-fold.
    """
    return unicodedata.normalize("NFKC", password)


async def accepted(
    ctx: Context, password: str, *, email: str | None, user_id: str | None = None, field: str = "new_password"
) -> str:
    """Answer the normalised password of whoever sets one: the whole policy; raise InvalidFields, Overloaded.

    With a `user_id`, the password that the user has, and those before that `history` keeps, are refused too.
    """
    clean = accept(ctx, password, email=email, field=field)
    await _refuse_breached(ctx, clean, field)
    if user_id is not None:
        await _refuse_reused(ctx, clean, user_id, field)
    return clean


def accept(ctx: Context, password: str, *, email: str | None, field: str = "password") -> str:
    """Answer the normalised password by what can be judged at once; raise InvalidFields with the reason."""
    settings = ctx.settings(PasswordPolicy)
    if len(password) > MOST_LENGTH:
        raise field_error(field, "too_long", f"Use at most {MOST_LENGTH} characters.")
    clean = normalise(password)
    # NFKC makes eighteen code points of one, and one of several: neither makes a short password long.
    if min(len(password), len(clean)) < settings.min_length:
        raise field_error(field, "too_short", f"Use at least {settings.min_length} characters.")
    for name, (meets, code, message) in _CHARACTERS.items():
        if getattr(settings, name) and not any(map(meets, clean)):
            raise field_error(field, code, message)
    _refuse_guessable(ctx, clean, email, field)
    return clean


def _refuse_guessable(ctx: Context, password: str, email: str | None, field: str) -> None:
    folded = password.casefold()
    if folded in common_passwords() or len(set(folded)) < 3:
        raise field_error(field, "password_too_common", "This password is too common.")
    if _bare(folded) in _context_words(ctx, email):
        raise field_error(field, "password_too_personal", "Do not use your address or the site's name.")


async def _refuse_breached(ctx: Context, password: str, field: str) -> None:
    source = ctx.settings(PasswordPolicy).breached
    if source is None:
        return
    try:
        listed = await source.contains(ctx, breaches.digest_of(password))
    except (Unavailable, OSError):
        # A service that is down would else keep everybody from setting a password.
        await events.emit(ctx, events.BreachCheckFailed(ctx.tenant.id, ctx.now()))
        return
    if listed:
        raise field_error(field, "password_breached", "This password is known from a breach elsewhere. Use another.")


async def _refuse_reused(ctx: Context, password: str, user_id: str, field: str) -> None:
    for digest in await ctx.db.read(passwords.used, user_id, ctx.settings(PasswordPolicy).history):
        try:
            await ctx.hasher.verify(digest, password)
        except PasswordMismatch:
            continue
        raise field_error(field, "password_reused", "Use a password that you have not used here before.")


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
