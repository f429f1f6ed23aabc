"""Links in mails: by default to authcore's pages, or wherever the application says, on its own origins (S91)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, ConfigurationError, Tenant
from authcore.context import Context
from authcore.drive import Drive
from authcore.services import links

TOKEN = "ac1_ml_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SETTINGS: dict[str, Any] = {
    "secret": "a secret of these tests, long enough",
    "base_url": "https://example.com",
    "database": "sqlite://",
    "mailer": print,
    "trusted_origins": ["https://app.example.com:8443"],
}


def context(tenant: Tenant | None = None, **settings: Any) -> Context:
    """Answer a context of an application in production."""
    runtime = Auth(**{**SETTINGS, **settings}).runtime(Drive.BLOCKING)
    return Context(runtime, tenant) if tenant else Context(runtime)


def test_the_token_is_behind_the_hash() -> None:
    """Rule R4: by default the token travels in the fragment, which no server is sent, below the site and the prefix."""
    ctx = context(prefix="/api/auth")

    assert (
        links.link(ctx, "magic_link", "/magic-link", TOKEN) == f"https://example.com/api/auth/magic-link#token={TOKEN}"
    )


def test_a_tenants_link_leads_to_its_own_site() -> None:
    """The tenant whose request it is has the link to its own site."""
    ctx = context(Tenant("north", "https://north.example"))

    assert links.link(ctx, "magic_link", "/magic-link", TOKEN).startswith("https://north.example/auth/magic-link#")


def test_the_application_builds_its_own_links() -> None:
    """S91: `build_link` gets the kind and the token and decides the address, on base_url or a trusted origin."""
    asked: list[tuple[str, str]] = []

    def build(kind: str, token: str) -> str:
        asked.append((kind, token))
        return f"https://app.example.com:8443/{kind}#{token}"

    link = links.link(context(build_link=build), "password_reset", "/password/reset", TOKEN)

    assert link == f"https://app.example.com:8443/password_reset#{TOKEN}"
    assert asked == [("password_reset", TOKEN)]


@pytest.mark.parametrize(
    "answer",
    [
        "https://example.com",
        "https://example.com/?a=1#b",
        "https://app.example.com:8443/x",
        "https://north.example/x",
        "https://books.north.example/x",
    ],
)
def test_links_to_origins_of_the_site_are_taken(answer: str) -> None:
    """The site's own origin, the trusted ones and the tenant's are where links may lead."""
    tenant = Tenant("north", "https://north.example", origins=("https://books.north.example",))

    assert links.link(context(tenant, build_link=lambda kind, token: answer), "k", "/k", TOKEN) == answer


HOSTILE = [
    "",
    "/reset",
    "//example.com/x",
    "example.com/x",
    "http://example.com/x",
    "https://example.com.evil.example/x",
    "https://evil.example/https://example.com",
    "https://example.com@evil.example/x",
    "https://user:pass@example.com/x",
    "https://example.com:8443/x",
    "https://app.example.com/x",
    "https://EXAMPLE.com/x",
    "https://example.com\\@evil.example/x",
    "https://example.com\r\nBcc: eve@example.com",
    "https://example.com/ x",
    "https://example.com/\u2028x",
    'https://example.com/"><script>',
    "javascript:alert(1)//https://example.com",
    "https://[::1",
    "https://exämple.com/x",
    None,
    b"https://example.com/x",
    5,
]


@pytest.mark.parametrize("answer", HOSTILE, ids=repr)
def test_links_to_elsewhere_are_refused(answer: Any) -> None:
    """Rule R8: another scheme, host or port, user names, blanks and line ends are refused, and no token is told."""
    with pytest.raises(ConfigurationError, match="build_link") as caught:
        links.link(context(build_link=lambda kind, token: answer), "k", "/k", TOKEN)

    assert TOKEN not in str(caught.value)


@given(st.text(max_size=60))
def test_no_answer_leads_elsewhere(text: str) -> None:
    """Whatever is put before or behind the site's name, what passes begins with an origin of the site."""
    for answer in (text, f"https://example.com{text}", f"{text}https://example.com/", f"https://{text}example.com/"):
        try:
            link = links.link(CTX, "k", "/k", answer)
        except ConfigurationError:
            continue
        assert link.split("#")[0].split("?")[0] in ("https://example.com",) or link.startswith("https://example.com/")


CTX = context(build_link=lambda kind, token: token, trusted_origins=[])


def test_a_hook_that_has_to_be_awaited_is_refused() -> None:
    """An answer that is no text, such as a coroutine of a callable object, is refused with the sentence."""

    class Later:
        async def __call__(self, kind: str, token: str) -> str:
            return "https://example.com/"

    with pytest.raises(ConfigurationError, match="build_link"):
        _closing(Later())


def _closing(hook: Callable[..., Any]) -> None:
    made: list[Any] = []

    def build(kind: str, token: str) -> Any:
        made.append(hook(kind, token))
        return made[-1]

    try:
        links.link(context(build_link=build), "k", "/k", TOKEN)
    finally:
        for coroutine in made:
            coroutine.close()
