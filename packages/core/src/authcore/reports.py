"""What operators read of a failure: one line, without secrets (rule O3), and no oftener than helps."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from urllib.parse import quote

from authcore.errors import AuthError, Unavailable

_log = logging.getLogger("authcore")

LONGEST = 300  # characters
PAUSE = 60.0  # seconds in which one reason is told once
_MOST = 100  # reasons in that time
_HIDDEN = "***"
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)\S+@")
_PASSWORD = re.compile(r"\b(password|passwd|pwd)(\s*=\s*)('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)
_told: dict[str, float] = {}


def one_line(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Answer foreign text as one printable line of at most 300 characters, without `secrets` and passwords."""
    line = _printable(text)
    for secret in sorted(_spellings(secrets), key=len, reverse=True):
        line = re.sub(re.escape(secret), _HIDDEN, line, flags=re.IGNORECASE)
    line = _PASSWORD.sub(rf"\1\2{_HIDDEN}", _URL_PASSWORD.sub(rf"\1{_HIDDEN}@", line))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def sentence(error: AuthError) -> str:
    """Answer what happened, with what the database itself says about it."""
    cause = error.__cause__
    if cause is None or error.message != Unavailable.message:
        return str(error)
    return f"The database does not answer: {_reason(cause)}"


def unavailable(error: Unavailable) -> None:
    """Log why a request got 503, once a minute for each reason."""
    told = sentence(error)
    if is_due(told):
        _log.error("A request got 503 %s. %s", error.code, told)


def fault(error: AuthError) -> None:
    """Log why a request got 500 or more, once a minute for each reason."""
    told = one_line(str(error))
    if is_due(told):
        _log.error("A request got %d %s. %s", error.status, error.code, told)


def is_due(told: str) -> bool:
    """Tell whether a line was not written in the last minute, and note that it is."""
    now = time.monotonic()
    for old in [old for old, at in list(_told.items()) if now - at >= PAUSE]:
        _told.pop(old, None)
    if told in _told or len(_told) >= _MOST:
        return False
    _told[told] = now
    return True


def _reason(cause: BaseException) -> str:
    original = getattr(cause, "orig", None) or cause
    text = str(original).strip()
    first = text.partition("\n")[0]
    # What follows the first line may show values; where the first one only announces, the reason is below it.
    return one_line(text if first.endswith(":") else first) or type(original).__name__


def _printable(text: str) -> str:
    # What an error holds is not ours: it starts no line and moves no cursor.
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _spellings(secrets: Iterable[str | None]) -> set[str]:
    found = {_printable(secret) for secret in secrets if secret}
    quoted = {quote(secret, safe=safe) for secret in found for safe in ("", "/", "/@")}
    return {secret for secret in found | quoted if secret}
