"""Links in mails: to the application's pages (S91), or to authcore's with the token where no server sees it (R4)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from authcore.context import Context
from authcore.errors import ConfigurationError

BuildLink = Callable[[str, str], str]


def link(ctx: Context, kind: str, path: str, token: str) -> str:
    """Answer the link of a mail of `kind` that carries `token`; raise ConfigurationError for an answer that is none.

    `Auth(build_link=…)` decides. Without it: the site, the prefix, the room's `path`, and the token as a fragment,
    which no log of a server and no `Referer` shows. Call it for accounts that do not exist as well (rule A2).
    """
    build = ctx.app.build_link
    if build is None:
        return f"{ctx.base_url}{ctx.app.prefix}{path}#token={token}"
    return _checked(ctx, build(kind, token))


def _checked(ctx: Context, answer: Any) -> str:
    if not isinstance(answer, str) or not _is_allowed(ctx, answer):
        # Without the answer: it carries the token (rule O3).
        allowed = ", ".join(sorted(_origins(ctx)))
        raise ConfigurationError(
            "Auth(build_link=…) must answer an absolute address whose scheme, host and port are those of base_url or "
            f"of one of trusted_origins ({allowed}), without user names, blanks and line ends."
        )
    return answer


def _origins(ctx: Context) -> frozenset[str]:
    return ctx.app.origins | {ctx.base_url, *ctx.tenant.origins}


def _is_allowed(ctx: Context, address: str) -> bool:
    # Rule R8: compared as text with the listed origins, so that no spelling of another host passes for one of them.
    if not address.isascii() or not address.isprintable() or set(address) & set(' "<>\\`{}|^'):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" in _origins(ctx)


def setting(given: Any) -> BuildLink | None:
    """Answer the setting `build_link`; raise ConfigurationError."""
    if given is None:
        return None
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise ConfigurationError("Auth(build_link=…) is a plain function of (kind, token) that answers an address.")
    try:
        inspect.signature(given).bind(None, None)
    except TypeError as error:
        raise ConfigurationError(
            f"Auth(build_link=…) cannot be called with a kind and a token ({error}): write def build_link(kind, token)."
        ) from None
    except ValueError:  # of what is written in C
        pass
    built: BuildLink = given
    return built
