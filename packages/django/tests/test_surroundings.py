"""What stands around authcore in a project: Django's own middleware and settings, and what they must not break."""

import gzip
import json
from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt

from authcore_django import require

PERSON = {"email": "ada@example.com", "password": "a passphrase of some length"}
JSON = [("Host", "testserver"), ("Origin", "http://testserver"), ("Content-Type", "application/json")]
OWN = "authcore_django.middleware.AuthcoreMiddleware"
CACHED = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.common.CommonMiddleware",
    OWN,
    "django.middleware.cache.FetchFromCacheMiddleware",
]
Ask = Any
Declare = Any
Post = Any
SignUp = Any


@pytest.fixture
def startproject(declare: Declare) -> None:
    """Give the project what `startproject` gives, and Django's demand of a login for every view."""
    declare(
        INSTALLED_APPS=[
            *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"),
            *("django.contrib.messages", "authcore_django", "authcore_project"),
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            OWN,
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    )


def test_a_started_project_lets_people_sign_in(
    ask: Ask, startproject: None, atomic_requests: None, sign_up: SignUp
) -> None:
    """Django's middleware, LoginRequiredMiddleware and ATOMIC_REQUESTS leave authcore's routes alone."""
    credential = sign_up()

    answer = ask("GET", "/auth/me", [("Host", "testserver"), credential])

    assert (answer.status, answer.json["user"]["email"]) == (200, "ada@example.com")
    assert answer.all("Set-Cookie") == []


# --- CSRF ---


@pytest.fixture
def with_csrf(declare: Declare) -> None:
    """Put Django's CSRF middleware before authcore's, and two orders of exempting a view."""

    def act(request: Any) -> HttpResponse:
        return JsonResponse({"done": True})

    declare(
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", OWN],
        ROOT_URLCONF=(
            *_urls(),
            path("plain", require()(act)),
            path("exempt-inside", require()(csrf_exempt(act))),
            path("exempt-outside", csrf_exempt(require()(act))),
        ),
    )


def _urls() -> Any:
    from authcore_project import urls

    return urls.urlpatterns


def test_djangos_csrf_token_stays_asked_for(ask: Ask, with_csrf: None, sign_up: SignUp) -> None:
    """`require` takes nothing away: a view of the application's own asks for Django's token until it is exempt."""
    bearer = sign_up(transport="bearer")

    answers = [ask("POST", target, [*JSON, bearer]) for target in ("/plain", "/exempt-inside", "/exempt-outside")]

    assert [answer.status for answer in answers] == [403, 200, 200]
    assert answers[0].all("Content-Type")[0].startswith("text/html")


@pytest.mark.parametrize("target", ["/exempt-inside", "/exempt-outside"])
def test_an_exempt_view_is_still_asked_for_its_origin(ask: Ask, with_csrf: None, sign_up: SignUp, target: str) -> None:
    """Without Django's token a cookie must say which site the request comes from (rule R5)."""
    cookie = sign_up()
    host = ("Host", "testserver")

    answers = [ask("POST", target, [host, cookie, *origin]) for origin in ([], [("Origin", "https://evil.example")])]

    assert {answer.code for answer in answers} == {(403, "origin_not_allowed")}


# --- caches ---


def test_a_sites_cache_keeps_nothing_of_authcores(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """Who is signed in is asked anew each time, whatever Django's cache middleware keeps."""
    declare(MIDDLEWARE=CACHED)
    ada, eve = sign_up(), sign_up("eve@example.com")

    found = [
        ask("GET", target, [("Host", "testserver"), *headers]).json["user"]
        for target in ("/auth/session", "/auth/session?again")
        for headers in ([ada], [eve], [])
    ]

    assert [user and user["email"] for user in found] == ["ada@example.com", "eve@example.com", None] * 2


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
@pytest.mark.parametrize("target", ["/hello", "/ahello", "/class", "/aclass", "/open", "/aopen"])
def test_a_sites_cache_hands_nobodys_page_to_another(
    ask: Ask, declare: Declare, sign_up: SignUp, target: str, transport: str
) -> None:
    """A view that asked who it is says so in Vary, so that a cache keeps one page for each credential."""
    declare(MIDDLEWARE=CACHED, CACHES={"default": {"BACKEND": LOCAL, "LOCATION": f"{ask.mode}{target}{transport}"}})
    ada, eve = sign_up(transport=transport), sign_up("eve@example.com", transport)

    answers = [ask("GET", target, [("Host", "testserver"), *headers]) for headers in ([ada], [eve], [])]

    bodies = [answer.body for answer in answers]
    assert b"ada@" in bodies[0]
    assert b"eve@" in bodies[1]
    assert b"@" not in bodies[2]
    assert answers[0].all("Vary") == ["Cookie, Authorization"]


def test_a_sites_cache_knows_the_header_of_ones_own(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """S50: a page that depends on `Sessions(header=…)` says so in Vary, and is handed to nobody else."""
    rooms = [("authcore.Password", {"require_code": False}), ("authcore.Sessions", {"header": "X-Session-Id"})]
    caches = {"default": {"BACKEND": LOCAL, "LOCATION": f"headed-{ask.mode}"}}
    declare(features=rooms, MIDDLEWARE=CACHED, CACHES=caches)
    tokens = [sign_up(email, "bearer")[1].partition(" ")[2] for email in ("ada@example.com", "eve@example.com")]

    answers = [ask("GET", "/hello", [("Host", "testserver"), ("X-Session-Id", token)]) for token in (*tokens, "x")]

    assert [answer.status for answer in answers] == [200, 200, 401]
    assert [answer.json["hello"] for answer in answers[:2]] == ["ada@example.com", "eve@example.com"]
    assert answers[0].all("Vary") == ["Cookie, Authorization, X-Session-Id"]


LOCAL = "django.core.cache.backends.locmem.LocMemCache"


def test_a_cached_view_around_a_guard_knows_who_it_is_for(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """`cache_page` outside `require` keeps pages apart too: the guard has marked them already."""
    from authcore_project import views

    declare(
        ROOT_URLCONF=(*_urls(), path("kept", cache_page(60)(views.hello))),
        CACHES={"default": {"BACKEND": LOCAL, "LOCATION": f"kept-{ask.mode}"}},
    )
    ada, eve = sign_up(), sign_up("eve@example.com")

    answers = [ask("GET", "/kept", [("Host", "testserver"), *headers]) for headers in ([ada], [eve], [])]

    assert [answer.status for answer in answers] == [200, 200, 401]
    assert [answer.json["hello"] for answer in answers[:2]] == ["ada@example.com", "eve@example.com"]


def test_a_view_that_nobody_asked_about_does_not_vary(ask: Ask, sign_up: SignUp) -> None:
    """A page for everyone is one page, whatever credential came along."""
    answer = ask("GET", "/public", [("Host", "testserver"), sign_up()])

    assert answer.status == 200
    assert answer.all("Vary") == []


@pytest.mark.parametrize("target", ["/hello", "/ahello", "/class", "/aclass", "/auth/me"])
def test_a_refusal_is_the_cores_to_the_header(ask: Ask, target: str) -> None:
    """A guard's refusal carries the very headers of the core's own, and no more."""
    refused = ask("GET", target, [("Host", "testserver")])

    assert sorted(name for name, _ in refused.headers) == [
        *("Cache-Control", "Content-Length", "Content-Type", "WWW-Authenticate", "X-Content-Type-Options"),
    ]


def test_a_compressed_answer_is_the_same_answer(ask: Ask, declare: Declare) -> None:
    """GZipMiddleware may pack what authcore answers."""
    declare(
        MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", "django.middleware.http.ConditionalGetMiddleware", OWN]
    )

    plain = ask("GET", "/auth/openapi.json", [("Host", "testserver")])
    packed = ask("GET", "/auth/openapi.json", [("Host", "testserver"), ("Accept-Encoding", "gzip")])

    assert packed.all("Content-Encoding") == ["gzip"]
    assert packed.all("Content-Length") == [str(len(packed.body))]
    assert json.loads(gzip.decompress(packed.body)) == plain.json


# --- methods ---


@pytest.mark.parametrize("target", ["/auth/health", "/auth/me", "/auth", "/hello", "/ahello", "/raise", "/araise"])
def test_head_has_neither_a_body_nor_a_length_of_its_own(ask: Ask, target: str) -> None:
    """RFC 9110 8.6: a length with HEAD would be that of GET's body, and CommonMiddleware adds none."""
    get, head = ask("GET", target, [("Host", "testserver")]), ask("HEAD", target, [("Host", "testserver")])

    assert (head.status, head.body, head.all("Content-Length")) == (get.status, b"", [])
    assert get.all("Content-Length") == [str(len(get.body))]


def test_options_has_no_length(ask: Ask) -> None:
    """RFC 9110 8.6: a 204 has no Content-Length, which CommonMiddleware would add."""
    answer = ask("OPTIONS", "/auth/sign-in", [("Host", "testserver")])

    assert (answer.status, answer.body, answer.all("Content-Length")) == (204, b"", [])


# --- hosts ---


@pytest.mark.parametrize("host", ["evil.example", "a b", "", "[::1", "testserver,evil.example", "testserver:x"])
@pytest.mark.parametrize("target", ["/auth/health", "/auth", "/hello", "/ahello"])
def test_a_host_that_is_not_the_projects_is_djangos_400(ask: Ask, declare: Declare, host: str, target: str) -> None:
    """ALLOWED_HOSTS holds for authcore's routes and guards as for all others: no 500, and nobody is let in."""
    declare(ALLOWED_HOSTS=["testserver"])

    answer = ask("GET", target, [("Host", host)])

    assert answer.status == 400


# --- sizes ---


def test_djangos_limit_of_memory_is_not_authcores(ask: Ask, declare: Declare) -> None:
    """DATA_UPLOAD_MAX_MEMORY_SIZE is for the application's own views; authcore has a cap of its own."""
    declare(DATA_UPLOAD_MAX_MEMORY_SIZE=10)

    answer = ask("POST", "/auth/sign-up", JSON, PERSON)

    assert answer.status == 201


@pytest.mark.parametrize("reader", ["ReadsBody", "ReadsForm"])
def test_a_middleware_that_reads_too_much_is_djangos_refusal(ask: Ask, declare: Declare, reader: str) -> None:
    """A body beyond Django's limit, read before authcore sees it, is a 400 or 413 of Django's."""
    from authcore_project.settings import MIDDLEWARE

    declare(MIDDLEWARE=[f"authcore_project.middleware.{reader}", *MIDDLEWARE], DATA_UPLOAD_MAX_MEMORY_SIZE=10)
    form = [("Host", "testserver"), ("Content-Type", "application/x-www-form-urlencoded")]
    length = [("Content-Length", "100")] if ask.mode == "asgi" else []

    answer = ask("POST", "/auth/sign-in", [*form, *length], b"a" * 100)

    assert answer.status in (400, 413)


@pytest.mark.parametrize("query", ["%FF", "a=%00", "a=b&" * 2000, "token=ac1_at_x", "%"])
def test_a_query_is_not_looked_at(ask: Ask, declare: Declare, query: str) -> None:
    """However a query is made, authcore's routes answer as without one."""
    declare(DATA_UPLOAD_MAX_NUMBER_FIELDS=10)

    answer = ask("GET", f"/auth/session?{query}", [("Host", "testserver")])

    assert (answer.status, answer.json) == (200, {"user": None, "session": None})


# --- slashes ---


@pytest.mark.parametrize("target", ["/auth", "/auth/sign-in", "/auth/sign-in/"])
@pytest.mark.parametrize("debug", [False, True])
def test_no_slash_is_appended_under_the_prefix(ask: Ask, declare: Declare, target: str, debug: bool) -> None:
    """APPEND_SLASH neither redirects a POST nor raises where Django would lose its body."""
    declare(DEBUG=debug, APPEND_SLASH=True)

    answer = ask("POST", target, JSON, b"{}")

    assert answer.code == ((422, "invalid_fields") if target == "/auth/sign-in" else (404, "not_found"))


# --- tenants ---


def by_header(request: Any) -> Any:
    """Read the tenant from a header; one of them is only good for its bug."""
    from authcore import Tenant

    if request.headers["x-tenant"] == "broken":
        raise LookupError("no such tenant")
    return Tenant(request.headers["x-tenant"])


TARGETS = ["/hello", "/ahello", "/class", "/aclass", "/auth/me"]


def test_a_tenants_session_opens_nothing_elsewhere(ask: Ask, declare: Declare) -> None:
    """The hook is asked for authcore's routes and for guards alike, in functions and classes of both kinds."""
    declare(tenant=by_header)
    made = ask("POST", "/auth/sign-up", [*JSON, ("X-Tenant", "one")], PERSON)
    cookie = ("Cookie", made.all("Set-Cookie")[0].partition(";")[0])

    found = {
        tenant: [ask("GET", target, [JSON[0], ("X-Tenant", tenant), cookie]).status for target in TARGETS]
        for tenant in ("one", "two")
    }

    assert found == {"one": [200] * 5, "two": [401] * 5}


@pytest.mark.parametrize("target", TARGETS)
def test_a_hook_that_fails_lets_nobody_in(ask: Ask, declare: Declare, target: str) -> None:
    """An error of the application's own hook is a 500 of Django's, guard or route."""
    declare(tenant=by_header)

    answer = ask("GET", target, [JSON[0], ("X-Tenant", "broken"), ("Authorization", "Bearer ac1_at_" + "A" * 43)])

    assert answer.status == 500
    assert answer.all("Content-Type")[0].startswith("text/html")


def test_an_async_hook_that_waits_is_named_under_wsgi(declare: Declare) -> None:
    """Nothing can wait under WSGI: the error says which hook tried."""
    from authcore import Request
    from authcore.drive import FlowSuspended
    from authcore_django import get_auth

    declare(tenant="authcore_project.tenants.waiting")

    with pytest.raises(FlowSuspended, match="waiting"):
        get_auth().blocking.on(Request("GET", "/")).sessions.get_user()
