"""The registered claims of a JSON Web Token, checked by a clock that is given (RFC 7519 4.1, rule T4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authcore.stores import InvalidToken, TokenExpired

AHEAD = 60  # seconds by which another node's clock may be ahead when it issues
_LATEST = 250_000_000_000  # seconds, in the year 9892: later is no time of day


def check(claims: Mapping[str, Any], *, issuer: str, audience: str) -> None:
    """Raise InvalidToken for claims that lack one of `exp iat jti sub iss aud`, or are another issuer's or audience's.

    Times are whole seconds.
    """
    if not (_is_time(claims.get("exp")) and _is_time(claims.get("iat")) and _is_time(claims.get("nbf", 0))):
        raise InvalidToken()
    if not (_is_text(claims.get("jti")) and _is_text(claims.get("sub")) and claims.get("iss") == issuer):
        raise InvalidToken()
    if not _is_for(claims.get("aud"), audience):
        raise InvalidToken()


def check_times(claims: Mapping[str, Any], now: datetime, leeway: float = 0) -> None:
    """Raise TokenExpired from `exp` on, InvalidToken for what is not valid yet; `leeway` is in seconds."""
    check_begun(claims, now, leeway)
    if claims["exp"] + leeway <= now.timestamp():
        raise TokenExpired()


def check_begun(claims: Mapping[str, Any], now: datetime, leeway: float = 0) -> None:
    """Raise InvalidToken for what is not valid yet; `leeway` is in seconds."""
    at = now.timestamp() + leeway
    if claims.get("nbf", 0) > at or claims["iat"] > at + AHEAD:
        raise InvalidToken()


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LATEST


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_for(found: Any, audience: str) -> bool:
    return found == audience or (type(found) is list and audience in found)
