"""The mount prefix in a decoded path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore.protocols import below


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/auth", ""),
        ("/auth/", "/"),
        ("/auth/sign-in", "/sign-in"),
        ("/auth//sign-in", "//sign-in"),
        ("/auth/auth", "/auth"),
        ("/authx", None),
        ("/auth\n", None),
        ("//auth", None),
        ("/", None),
        ("", None),
    ],
)
def test_the_prefix_ends_at_a_slash_or_the_end(path: str, rest: str | None) -> None:
    """Only the prefix itself and what follows a slash stand below it."""
    assert below(path, "/auth") == rest


@given(st.text())
def test_whatever_follows_a_slash_is_handed_on_untouched(rest: str) -> None:
    """No character of the rest is lost or changed."""
    assert below(f"/api/auth/{rest}", "/api/auth") == f"/{rest}"
