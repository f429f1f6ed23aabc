"""Signing in after a check of the application's own, and the data bag, in the framework's idiom (S23, S51)."""

from collections.abc import Callable
from typing import Any

import pytest

Answer = Any
Ask = Callable[..., Answer]
SITE = ("Origin", "http://testserver")


def keep(jar: dict[str, str], answer: Answer) -> None:
    """Keep the cookies of an answer, as a browser does."""
    assert answer.status == 200
    for line in answer.all("Set-Cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        jar[name] = value
        if "Max-Age=0" in line:
            del jar[name]


@pytest.mark.parametrize("kind", ["", "a"])
def test_a_view_signs_in_whom_it_checked(ask: Ask, project: str, kind: str) -> None:
    """S23, S51: a guest's bag is made by two puts, moves with the sign-in, and `regenerate` changes the cookie."""
    jar: dict[str, str] = {}

    def send(method: str, target: str) -> Answer:
        cookie = [("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []
        return ask(method, target, [SITE, *cookie])

    keep(jar, send("POST", f"/{kind}fill"))
    assert set(jar) == {"authcore_bag"}
    keep(jar, send("POST", f"/{kind}vouch"))
    first = dict(jar)
    keep(jar, send("POST", f"/{kind}regenerate"))

    assert set(first) == set(jar) == {"authcore_session"}
    assert send("GET", f"/{kind}bag").json == {"cart": [7], "step": 2}
    assert first != jar
    jar = first
    assert send("GET", f"/{kind}bag").code == (401, "not_authenticated")
