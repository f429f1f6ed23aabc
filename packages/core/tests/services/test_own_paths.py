"""Where a browser is sent after a sign-in: a path of the own site, and never another one (rule R8)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, ConfigurationError, Request, requirement, safe_next
from authcore.errors import NotAuthenticated

PAGE = {"accept": "text/html"}
SITE = "https://own.example"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "account",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "///evil.example",
        "/a//evil.example",
        "/./evil",
        "/.//evil.example",
        "/x/..//evil.example",
        "/x/../y",
        "/a b",
        "/a#b",
        '/a"b',
        "/ä",
        "/" + "a" * 2000,
        " /account",
        5,
        b"/account",
        ["/account"],
    ],
)
def test_what_is_no_own_path_is_the_default(text: object) -> None:
    """R8: whatever a browser could read as another site's address is answered by the default."""
    assert safe_next(text) == "/"
    assert safe_next(text, "/home") == "/home"


@pytest.mark.parametrize(
    "text", ["/", "/account", "/account?tab=keys&next=//x", "/a/b.html", "/%C3%A4", "/.well-known"]
)
def test_an_own_path_is_kept(text: str) -> None:
    """S113: a path of the own site comes back as it was sent, with its query."""
    assert safe_next(text) == text


@pytest.mark.parametrize("default", ["//evil.example", "home", "", None, 5])
def test_the_default_is_the_applications(default: str) -> None:
    """R8: a default that leads elsewhere is refused, not followed."""
    with pytest.raises(ConfigurationError, match="write a path of the own site"):
        safe_next("/account", default)


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%a ä\t\r\n\0;&=\u2028"), max_size=12))
def test_no_text_leads_to_another_site(text: str) -> None:
    """R8: read as browsers do, what comes back stands on the own site."""
    answer = safe_next(text)

    assert urlsplit(urljoin(SITE, answer)).netloc == "own.example"
    assert answer.startswith("/")
    assert not answer.startswith("//")
    assert not set(answer) & set("\\\t\r\n\0 #")


def location(made: Auth, path: str, **needs: bool) -> str | None:
    """Answer where a browser that asks for a page is sent."""
    with pytest.raises(NotAuthenticated) as raised:
        made.blocking_core().authorize(Request("GET", path, headers=PAGE), requirement(**needs))
    return raised.value.location


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/account", "/sign-in?next=/account"),
        ("/ä b", "/sign-in?next=/%25C3%25A4%2520b"),
        ("/a?b&c=d", "/sign-in?next=/a%253Fb%2526c%253Dd"),
        ("//evil.example", "/sign-in"),
        ("/\\evil.example", "/sign-in?next=/%255Cevil.example"),
        ("/x/..//evil.example", "/sign-in"),
        ("/sign-in", None),
    ],
)
def test_the_sign_in_page_leads_back(auth: Callable[..., Auth], path: str, expected: str | None) -> None:
    """S113, R8: `next` is the own path asked for, which `safe_next` lets through; the page never sends to itself."""
    made = auth(sign_in_page="/sign-in")

    found = location(made, path)

    assert found == expected
    for following in parse_qs(urlsplit(found or "").query).get("next", []):
        assert safe_next(following, "/elsewhere") == following
        assert unquote(following) == path


def test_a_page_with_a_query_of_its_own(auth: Callable[..., Auth]) -> None:
    """S113: `next` stands behind what the page's own address says."""
    assert location(auth(sign_in_page="/sign-in?from=app"), "/account") == "/sign-in?from=app&next=/account"
