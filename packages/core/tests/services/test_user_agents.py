"""What a `User-Agent` says, by a name that people read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore.services.user_agents import MAX_NAME, readable

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
MARKS = [
    "Mozilla/5.0",
    "Firefox/",
    "Safari/",
    "Edg/",
    "iPhone",
    "Windows",
    "/",
    "(",
    ";",
    "curl/8",
    "\x1b[31m",
    "\u202e",
]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{WINDOWS}; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Windows"),
        (
            f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (f"{WINDOWS}) {WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge on Windows"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/126.0 Safari/537.36 OPR/111",
            "Opera on macOS",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/126.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605 CriOS/126.0 Mobile Safari/604.1",
            "Chrome on iPad",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Linux"),
        ("curl/8.5.0", "curl 8"),
        ("python-httpx2/1.0 (Linux)", "python-httpx2 1"),
        ("MyShop/3.2.1 (iPhone; iOS 17)", "MyShop 3"),
        ("okhttp", "okhttp"),
        ("Firefox/127", "Firefox 127"),
        ("Mozilla/5.0 (iPhone; U)", "iPhone"),
        ("Mozilla/5.0", None),
        ("<script>", None),
        ("", None),
        (None, None),
    ],
)
def test_known_agents_have_names(agent: str | None, name: str | None) -> None:
    """S43: browsers by name and system, everything else by its first product (RFC 9110 10.1.5)."""
    assert readable(agent) == name


@given(st.one_of(st.text(), st.lists(st.sampled_from(MARKS)).map("".join), st.text().map("Mozilla/5.0 ".__add__)))
def test_whatever_is_sent_a_name_is_short_and_printable(agent: str) -> None:
    """O3: it never raises, and nothing that a terminal or a page would act on comes out."""
    name = readable(agent)

    assert name is None or (0 < len(name) <= MAX_NAME and name.isprintable() and "<" not in name)


@pytest.mark.parametrize("agent", ["a" * 1_000_000, "Mozilla/5.0 " * 100_000, "A/1" * 300_000, "(" * 1_000_000])
def test_the_work_is_bounded(agent: str) -> None:
    """A megabyte is read no longer than a line is."""
    began = time.perf_counter()

    readable(agent)

    assert time.perf_counter() - began < 0.05
