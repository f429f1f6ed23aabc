"""What the people of these tests do, on the page and from a shell."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from serving import Demo
from webdriver import Browser

PASSWORD = "three quiet herons wade"
OTHER_PASSWORD = "nine loud storks run past"


def somebody() -> str:
    """Answer an address that nobody has."""
    return f"grace-{secrets.token_hex(4)}@example.com"


def sign_up(page: Browser, email: str) -> None:
    """Fill in the form that is seen, and come to where the code is asked."""
    page.fill("E-mail address", email)
    page.fill("Password", PASSWORD)
    page.press("Sign up")
    page.see("Enter the code", email)


def member(demo: Demo, page: Browser, email: str) -> None:
    """Be signed in after a sign-up."""
    page.open(f"{demo.address}/#sign-up")
    sign_up(page, email)
    enter_code(demo, page, email)
    page.see("You are signed in", email)


def signed_out(demo: Demo, page: Browser, email: str) -> None:
    """Have an account and be signed out of it."""
    member(demo, page, email)
    page.press("Sign out")
    page.see("You are signed out.")


def sign_in(page: Browser, email: str, password: str = PASSWORD) -> None:
    """Sign in by password at the form that is seen."""
    page.fill("E-mail address", email)
    page.fill("Password", password)
    page.press("Sign in")


def enter_code(demo: Demo, page: Browser, to: str, kind: str | None = None) -> None:
    """Type the code of the latest message to somebody."""
    page.fill("Code", mail(demo, to, kind)["code"])
    page.press("Confirm")


def read_code(page: Browser, email: str) -> str:
    """Answer the code that the mailbox page shows for an address."""
    return page.match(rf"{re.escape(email)}[^\n]*\s+\d{{6}}\b")[-6:]


def read_code_by_shell(demo: Demo, email: str) -> str:
    """Wait for the mail to an address, and answer its code."""
    return str(mail(demo, email)["code"])


def mail(demo: Demo, to: str, kind: str | None = None) -> dict[str, Any]:
    """Wait for a message to somebody, of a kind or with a code, and answer the latest."""
    for _ in range(200):
        with urlopen(f"{demo.address}/mailbox/mails") as answer:
            mails = [one for one in json.load(answer)["mails"] if one["to"] == to]
        found = [one for one in mails if (one["kind"] == kind if kind else one["code"])]
        if found:
            return dict(found[0])
        time.sleep(0.05)
    raise AssertionError(f"no such message came to {to}")


def sign_in_elsewhere(demo: Demo, email: str) -> None:
    """Sign in from another place, which names itself Firefox."""
    post(demo, "/auth/sign-in", {"email": email, "password": PASSWORD})


def refused_sign_in(demo: Demo, email: str) -> int:
    """Sign in with a wrong password, and answer the status."""
    try:
        post(demo, "/auth/sign-in", {"email": email, "password": "not this one at all"})
    except HTTPError as error:
        return error.code
    raise AssertionError("a wrong password signed in")


def post(demo: Demo, path: str, body: dict[str, str]) -> None:
    """Send JSON as no browser would."""
    headers = {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    with urlopen(Request(demo.address + path, json.dumps(body).encode(), headers)) as answer:
        assert answer.status in (200, 202)


def sound(page: Browser, refused: int = 0) -> None:
    """Assert that the page fits, that each control has a name, and that the console tells of nothing but refusals."""
    assert page.overflow() == 0
    assert page.unnamed() == []
    told = page.console()
    assert all("Failed to load resource" in line for line in told), told
    assert len(told) == refused, told
