"""Pages behind links: they show, spend nothing, load nothing and let nothing in (rule R4)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from authcore import Auth, Brand, Request
from authcore.dispatch import encode
from authcore.services import pages
from authcore.services.pages import Field, Landing

LANDING = Landing("Sign in", "Press the button.", "Go on", "/x/consume", "Done.", (Field("new_password", "Password"),))
HOSTILE = Landing("<b>{script}</b>", '"><script>x</script>', "{style}", "/x", "{fields}")


def landed(world: Any, landing: Landing, accept: str) -> Any:
    """Answer the result of a landing for a client that accepts something."""
    request = Request("GET", "/x", headers={"accept": accept})
    return encode(world.run(pages.land(world.ctx(request), landing)))


def test_a_browser_is_shown_a_page_and_a_program_is_told(auth: Callable[..., Auth], inside: Any) -> None:
    """HTML where it is accepted, `{"needs": "confirm"}` elsewhere."""
    world = inside(auth())

    page, told = landed(world, LANDING, "text/html,*/*;q=0.8"), landed(world, LANDING, "application/json")

    assert dict(page.headers)["Content-Type"] == "text/html; charset=utf-8"
    assert b'data-endpoint="/auth/x/consume"' in page.body
    assert b'name="new_password"' in page.body
    assert told.body == b'{"needs":"confirm"}'
    assert dict(page.headers)["Vary"] == dict(told.headers)["Vary"] == "Accept"


def test_the_policy_lets_the_pages_own_script_and_style_run_and_nothing_else(
    auth: Callable[..., Auth], inside: Any
) -> None:
    """The digests in Content-Security-Policy are those of what stands in the page (CSP Level 3, 8.4)."""
    result = landed(inside(auth()), LANDING, "text/html")
    policy, page = dict(result.headers)["Content-Security-Policy"], result.body.decode()

    for element in ("script", "style"):
        [text] = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert dict(result.headers)["Referrer-Policy"] == "no-referrer"
    assert dict(result.headers)["Cache-Control"] == "no-store"


def test_a_page_has_the_brand_s_colour_and_its_policy_lets_that_style_in(
    auth: Callable[..., Auth], inside: Any
) -> None:
    """Buttons are the application's colour with an ink that is read on it, and the digest is that page's own."""
    plain = landed(inside(auth()), LANDING, "text/html")
    branded = landed(inside(auth(brand=Brand(color="#ffcc00"))), LANDING, "text/html")

    policies = {dict(result.headers)["Content-Security-Policy"] for result in (plain, branded)}
    [style] = re.findall(b"<style>(.*?)</style>", branded.body, re.DOTALL)

    assert b"--button: #ffcc00; --ink: #000000;" in style
    assert len(policies) == 2
    assert b64encode(hashlib.sha256(style).digest()).decode() in dict(branded.headers)["Content-Security-Policy"]


def test_what_names_hold_is_text(auth: Callable[..., Auth], inside: Any) -> None:
    """Markup and marks of the template in a product's name or a sentence are shown, not read."""
    page = landed(inside(auth(product="<i>Acme</i> {endpoint}")), HOSTILE, "text/html").body.decode()

    assert "&lt;i&gt;Acme&lt;/i&gt; {endpoint}" in page
    assert "<script>x</script>" not in page
    assert page.count("<script>") == 1
    assert ">{style}</button>" in page
