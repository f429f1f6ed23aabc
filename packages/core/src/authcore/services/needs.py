"""What `require(...)` asks, checked where it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from authcore.durations import duration
from authcore.errors import ConfigurationError
from authcore.route import Requirement
from authcore.services.own_paths import is_own_path

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")  # RFC 6749 3.3


def requirement(
    *,
    verified: bool = False,
    mfa: bool = False,
    fresh: timedelta | str | None = None,
    scopes: str | Sequence[str] = (),
    guard: str | Sequence[str] | None = None,
    optional: bool = False,
    anonymous: bool = False,
    csrf: bool = True,
    redirect: str | None = None,
) -> Requirement:
    """Answer what `require(...)` asks, in every framework: `fresh` is a `timedelta` or text such as "5m".

    `scopes` are text such as "read write", or a list; every one is needed, and a session of its user's whole power has
    all (RFC 6750 section 3.1). `guard` names one of `Auth(guards=…)`, or several: the first that knows who asks
    decides.

    `optional=True` lets in who sends no credential, or none that is live, as nobody; whoever is signed in meets the
    other needs all the same.

    `anonymous=True` lets users without an account in, who are refused elsewhere; they can prove nothing, so it stands
    beside none of `verified`, `mfa` and `fresh`.

    `redirect` is a path of the own site, such as "/verify": a browser that asks for a page by GET is sent there (303)
    where any other client is refused. Raises ConfigurationError for what is no such thing, saying what to write.
    """
    told = {"verified": verified, "mfa": mfa, "optional": optional, "anonymous": anonymous, "csrf": csrf}
    for name, value in told.items():
        if not isinstance(value, bool):
            raise ConfigurationError(f"require({name}={value!r}): write {name}=True or {name}=False.")
    limit = None if fresh is None else duration(fresh)
    if limit is not None and limit <= timedelta(0):
        raise ConfigurationError(f"require(fresh={fresh!r}): write a time above nothing, such as fresh='5m'.")
    if anonymous and (verified or mfa or limit is not None):
        raise ConfigurationError(
            "require(anonymous=True, …): who has no account has proven nothing, "
            "so leave out verified, mfa and fresh, or anonymous."
        )
    return Requirement(
        verified=verified,
        mfa=mfa,
        fresh=limit,
        anonymous=anonymous,
        csrf=csrf,
        redirect=_own_path(redirect),
        scopes=_scopes(scopes),
        guards=_names(guard),
        optional=optional,
    )


def _scopes(given: object) -> tuple[str, ...]:
    words = given.split() if isinstance(given, str) else given
    if not isinstance(words, Sequence) or not all(isinstance(word, str) and _SCOPE.match(word) for word in words):
        raise ConfigurationError(f"require(scopes={given!r}): write scopes='read write', or a list of such words.")
    return tuple(dict.fromkeys(words))


def _names(given: object) -> tuple[str, ...]:
    names: Any = () if given is None else (given,) if isinstance(given, str) else given
    written = isinstance(names, Sequence) and all(isinstance(name, str) and name for name in names)
    if not written or (given is not None and not names):
        raise ConfigurationError(
            f"require(guard={given!r}): write the name of a guard, such as guard='api', or a list."
        )
    return tuple(dict.fromkeys(names))


def _own_path(given: object) -> str | None:
    if given is not None and not is_own_path(given):
        raise ConfigurationError(
            f"require(redirect={given!r}): write a path of the own site, such as redirect='/verify', without its host."
        )
    return given  # type: ignore[return-value]
