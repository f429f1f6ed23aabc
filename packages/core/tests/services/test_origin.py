"""Rule R5: an unsafe request says where it comes from, or carries no cookie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authcore import Auth, Request, Tenant
from authcore.errors import HostNotAllowed, OriginNotAllowed
from authcore.services.origin import check_host, check_origin

SITE = "https://example.com"
COOKIE = "__Host-authcore_session=x"
OTHER = "theme=dark"

ALLOWED, REFUSED = True, False


@pytest.fixture
def production(auth: Callable[..., Auth]) -> Auth:
    """An application on the open internet, with a second origin and a tenant's own."""
    return auth(dev_mode=False, base_url=SITE, trusted_origins=["https://app.example.com:8443"], hashing=None)


def allowed(made: Auth, headers: dict[str, str], *, mints: bool = False, tenant: Tenant | None = None) -> bool:
    """Tell whether an unsafe request with these headers goes on."""
    request = Request("POST", "/x", headers=headers)
    try:
        check_origin(made.settings, tenant or Tenant("default"), request, mints=mints)
    except OriginNotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("cookie", "mints", "origin", "site", "verdict"),
    [
        # Neither carries a cookie nor would get one: nothing to ride on.
        (None, False, "https://evil.example", "cross-site", ALLOWED),
        (OTHER, False, "https://evil.example", "cross-site", ALLOWED),
        # Carries one: Origin decides, if it is there.
        (COOKIE, False, SITE, None, ALLOWED),
        (COOKIE, False, SITE, "cross-site", ALLOWED),
        (COOKIE, False, "https://app.example.com:8443", None, ALLOWED),
        (COOKIE, False, "https://app.example.com", None, REFUSED),
        (COOKIE, False, "https://evil.example", None, REFUSED),
        (COOKIE, False, "https://evil.example", "same-origin", REFUSED),
        (COOKIE, False, "null", None, REFUSED),
        (COOKIE, False, "null", "same-origin", REFUSED),
        (COOKIE, False, "", None, REFUSED),
        (COOKIE, False, "http://example.com", None, REFUSED),
        (COOKIE, False, "https://example.com:444", None, REFUSED),
        (COOKIE, False, "https://example.com.evil.example", None, REFUSED),
        (COOKIE, False, "https://sub.example.com", None, REFUSED),
        (COOKIE, False, f"{SITE},https://evil.example", None, REFUSED),
        (COOKIE, False, f"{SITE}, {SITE}", None, REFUSED),
        (COOKIE, False, f"{SITE}/", None, REFUSED),
        (COOKIE, False, "HTTPS://EXAMPLE.COM", None, REFUSED),
        # Without Origin: only what a browser says is of the same origin.
        (COOKIE, False, None, "same-origin", ALLOWED),
        (COOKIE, False, None, "same-site", REFUSED),
        (COOKIE, False, None, "cross-site", REFUSED),
        (COOKIE, False, None, "none", REFUSED),
        (COOKIE, False, None, "", REFUSED),
        (COOKIE, False, None, "same-origin, cross-site", REFUSED),
        # Both absent: refused with a cookie, allowed without.
        (COOKIE, False, None, None, REFUSED),
        (None, True, None, None, ALLOWED),
        # Would get one: login CSRF carries none.
        (None, True, SITE, None, ALLOWED),
        (None, True, "https://evil.example", None, REFUSED),
        (None, True, "null", None, REFUSED),
        (None, True, None, "cross-site", REFUSED),
        (None, True, None, "same-site", REFUSED),
        (None, True, None, "same-origin", ALLOWED),
        (OTHER, True, None, None, ALLOWED),
        # Each of authcore's cookies counts, beside others as well.
        ("__Host-authcore_refresh=x", False, "https://evil.example", None, REFUSED),
        ("__Host-authcore_challenge=x", False, "https://evil.example", None, REFUSED),
        ("__Host-authcore_device=x", False, "https://evil.example", None, REFUSED),
        (f"{OTHER}; {COOKIE}", False, "https://evil.example", None, REFUSED),
        (f"{COOKIE},{OTHER}", False, "https://evil.example", None, REFUSED),
    ],
)
def test_which_unsafe_requests_go_on(
    production: Auth, cookie: str | None, mints: bool, origin: str | None, site: str | None, verdict: bool
) -> None:
    """R5: the table of cookies, `Origin` and `Sec-Fetch-Site`."""
    sent = {"cookie": cookie, "origin": origin, "sec-fetch-site": site, "host": "example.com"}
    headers = {name: value for name, value in sent.items() if value is not None}

    assert allowed(production, headers, mints=mints) == verdict


def test_a_tenants_own_origin_is_listed_for_it_alone(production: Auth) -> None:
    """R5: what a tenant lists, and its own site, are allowed for its requests and for no other's."""
    headers = {"cookie": COOKIE, "origin": "https://north.example"}

    assert allowed(production, headers, tenant=Tenant("north", origins=("https://north.example",)))
    assert allowed(production, headers, tenant=Tenant("north", "https://north.example"))
    assert not allowed(production, headers, tenant=Tenant("south"))
    assert not allowed(production, headers, tenant=Tenant("south", "https://south.example"))


def test_in_production_the_host_that_was_asked_is_no_proof(production: Auth) -> None:
    """R5: `Host` is the client's to choose: an origin that equals it is not thereby listed."""
    assert not allowed(production, {"cookie": COOKIE, "origin": "https://evil.example", "host": "evil.example"})


@pytest.mark.parametrize(
    ("host", "origin", "verdict"),
    [
        ("127.0.0.1:5001", "http://127.0.0.1:5001", ALLOWED),
        ("localhost:3000", "http://localhost:3000", ALLOWED),
        ("localhost:3000", "http://localhost:3001", REFUSED),
        ("localhost:3000", "https://localhost:3000", REFUSED),
        ("localhost:3000", "null", REFUSED),
        ("localhost:3000", "http://127.0.0.1:8000", ALLOWED),
    ],
)
def test_in_development_the_port_may_differ(auth: Callable[..., Auth], host: str, origin: str, verdict: bool) -> None:
    """R5: in dev_mode the very loopback host that was asked is the same site, beside the base URL."""
    assert allowed(auth(), {"cookie": "authcore_session=x", "origin": origin, "host": host}) == verdict


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        (None, True),
        ("localhost", True),
        ("localhost:8000", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("testserver", True),
        ("shop.localhost:8000", True),
        ("localhost.", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evillocalhost", False),
        ("192.168.1.5", False),
        ("localhost@evil.example", False),
        ("", False),
        ("[::1", False),
        ("localhost, evil.example", False),
    ],
)
def test_development_answers_loopback_alone(auth: Callable[..., Auth], host: str | None, answered: bool) -> None:
    """DNS rebinding: a page of another site whose name resolves to loopback is not answered in dev_mode."""
    request = Request("GET", "/health", headers={} if host is None else {"host": host})
    made = auth()

    if answered:
        check_host(made.settings, request)
    else:
        with pytest.raises(HostNotAllowed):
            check_host(made.settings, request)
    assert (made.blocking_core().dispatch(request).status == 200) == answered


def test_production_answers_every_host(production: Auth) -> None:
    """Which hosts a site has is its server's to know."""
    check_host(production.settings, Request("GET", "/health", headers={"host": "anything.example"}))


def test_the_refusal_says_what_to_send(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """R5: the 403 names the way out, before the body is looked at."""
    visitor = client(auth(), browser=True)
    visitor.sign_up()

    reply = visitor.post("/sign-out", b"\xff not json", origin="https://evil.example", content_type="text/plain")

    assert (reply.status, reply.code) == (403, "origin_not_allowed")
    assert "send Origin or use bearer" in reply.json["error"]["message"]
    assert visitor.get("/me").status == 200
