"""What a guard answers a browser that asks for a page: a path of the own site, and never another one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from authcore import Auth, ConfigurationError, Request, requirement
from authcore.errors import AuthError, NotAuthenticated

PAGE = {"accept": "text/html,application/xhtml+xml;q=0.9"}


def refusal(auth: Auth, request: Request, **needs: Any) -> AuthError:
    """Answer how a guard refuses a request that nobody is signed in for."""
    with pytest.raises(NotAuthenticated) as raised:
        auth.blocking_core().authorize(request, requirement(**needs))
    return raised.value


@pytest.mark.parametrize(
    "redirect",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "verify",
        "",
        "/a b",
        "/a\r\nSet-Cookie: x=y",
        "/a\tb",
        "/ä",
        "/a#b",
        5,
        b"/verify",
        True,
    ],
)
def test_only_a_path_of_the_own_site_is_taken(redirect: Any) -> None:
    """R8: what a browser could read as another site, or as another header, is refused where it is declared."""
    with pytest.raises(ConfigurationError, match="write a path of the own site"):
        requirement(redirect=redirect)


@pytest.mark.parametrize("redirect", ["/", "/verify", "/sign-in?from=app", "/a/b.html"])
def test_paths_of_the_own_site_are_taken(redirect: str) -> None:
    """R8: a path with its query is kept as it is."""
    assert requirement(redirect=redirect).redirect == redirect


def test_a_page_request_is_sent_there(auth: Callable[..., Auth]) -> None:
    """S113: a browser's GET and HEAD for a page are answered 303 with the path, not to be stored."""
    made = auth()

    for method in ("GET", "HEAD"):
        error = refusal(made, Request(method, "/account", headers=PAGE), redirect="/sign-in")
        result = made.blocking_core().failure(error)

        assert result.status == 303
        assert dict(result.headers)["Location"] == "/sign-in"
        assert dict(result.headers)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", {}), ("GET", {"accept": "application/json"}), ("GET", {"accept": "*/*"}), ("POST", PAGE)],
)
def test_what_is_no_page_is_refused(auth: Callable[..., Auth], method: str, headers: dict[str, str]) -> None:
    """S113: programs and unsafe requests get the refusal itself."""
    made = auth()

    error = refusal(made, Request(method, "/account", headers=headers), redirect="/sign-in")

    assert error.location is None
    assert made.blocking_core().failure(error).status == 401


def test_a_page_never_sends_to_itself(auth: Callable[..., Auth]) -> None:
    """S113: the page that guests are sent to, guarded by mistake, refuses instead of sending for ever."""
    made = auth()

    error = refusal(made, Request("GET", "/sign-in", headers=PAGE), redirect="/sign-in?from=here")

    assert error.location is None


def test_a_refusal_keeps_its_way_in_a_pickle() -> None:
    """An error that crosses processes sends to the same place."""
    error = NotAuthenticated()
    error.location = "/sign-in"

    assert pickle.loads(pickle.dumps(error)).location == "/sign-in"


def test_secrets_in_answers_are_for_development(tmp_path: Any) -> None:
    """S78, O1: outside dev_mode `dev_secrets_in_answers` refuses to start, and `doctor` names it inside."""
    from authcore.cli.findings import findings

    production = {
        "secret": "a secret of these tests, long enough",
        "base_url": "https://example.com",
        "database": f"sqlite:///{tmp_path / 'auth.db'}",
        "mailer": lambda mail: None,
    }
    with pytest.raises(ConfigurationError, match=r"dev_secrets_in_answers=True\) is for dev_mode"):
        Auth(**production, dev_secrets_in_answers=True)
    development = Auth(dev_mode=True, database=production["database"], dev_secrets_in_answers=True)

    found = list(findings(development))
    development.dispose()

    assert any(finding.startswith("dev_secrets_in_answers=True") for finding in found)
