"""The mount: what stands under the prefix, and what is left to the application, under WSGI and ASGI."""

from typing import Any

import pytest
from django.urls import include, path

Ask = Any
Declare = Any


def test_a_route_of_the_core_answers_under_the_prefix(ask: Ask, project: str) -> None:
    """The catch-all hands a path below the prefix to the core."""
    answer = ask("GET", "/auth/health")

    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert answer.all("Content-Type") == ["application/json"]
    assert answer.all("Content-Length") == ["15"]


@pytest.mark.parametrize(
    "target",
    [
        "/auth",
        "/auth/",
        "/auth/nowhere",
        "/auth/health/",
        "/auth//health",
        "/auth/health%0A",
        "/auth/sessions/a%2Fb",
        "/auth/%00",
        "/auth/%FF",
        "/auth/caf%C3%A9",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_core_answers_whatever_stands_below_the_prefix(
    ask: Ask, declare: Declare, method: str, target: str
) -> None:
    """Odd slashes, encoded slashes, control bytes and broken UTF-8 end in the core's 404; nothing is redirected."""
    declare(DEBUG=True)

    answer = ask(method, target)

    assert answer.code == (404, "not_found")


@pytest.mark.parametrize("target", ["/authx", "/authx/health", "/Auth/health", "//auth/health"])
def test_a_neighbour_of_the_prefix_is_the_applications(ask: Ask, target: str) -> None:
    """A path that only looks like the prefix is left to Django."""
    answer = ask("GET", target)

    assert answer.status == 404
    assert answer.all("Content-Type")[0].startswith("text/html")


@pytest.mark.parametrize("method", ["PUT", "BREW", "TRACE"])
def test_the_core_refuses_methods_it_does_not_have(ask: Ask, method: str) -> None:
    """Known and unknown methods alike get the core's 405 with Allow."""
    answer = ask(method, "/auth/sign-in")

    assert answer.code == (405, "method_not_allowed")
    assert answer.all("Allow") == ["OPTIONS, POST"]


def test_options_is_the_cores(ask: Ask) -> None:
    """OPTIONS answers 204 with Allow and no body."""
    answer = ask("OPTIONS", "/auth/sign-in")

    assert (answer.status, answer.all("Allow"), answer.body) == (204, ["OPTIONS, POST"], b"")


def test_head_is_get_without_a_body(ask: Ask) -> None:
    """HEAD has GET's status and type, and no body."""
    answer = ask("HEAD", "/auth/health")

    assert (answer.status, answer.body, answer.all("Content-Type")) == (200, b"", ["application/json"])


def test_every_cookie_is_a_header_of_its_own(ask: Ask, declare: Declare) -> None:
    """Several cookies of one answer stay apart, each as the core wrote it."""
    declare(features=[("authcore.Password", {"require_code": False}), ("authcore.Sessions", {"cookie_refresh": True})])
    headers = [("Origin", "http://testserver"), ("Content-Type", "application/json")]

    answer = ask("POST", "/auth/sign-up", headers, {"email": "ada@example.com", "password": "a passphrase, long"})

    cookies = answer.all("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["authcore_session", "authcore_refresh"]
    assert all(cookie.endswith("; HttpOnly; SameSite=Lax") for cookie in cookies)


def test_two_cookies_of_one_name_are_both_sent() -> None:
    """A name may be set for two paths in one answer; later code may still set cookies of its own."""
    from authcore import Cookie, Result
    from authcore_django.wire import _response

    twins = (Cookie("a", "1", path="/"), Cookie("a", "2", path="/old", max_age=0))

    response = _response(Result(200, cookies=twins), "GET")
    response.set_cookie("b", "3")

    sent = [morsel.OutputString() for morsel in response.cookies.values()]
    assert sent[::2] == [twin.header() for twin in twins]
    assert sent[1] == "b=3; Path=/"
    assert next(iter(response.cookies.values())).output(header="") == twins[0].header()


def test_another_prefix_is_honoured(ask: Ask, declare: Declare) -> None:
    """The prefix is the settings', wherever the project's URLs put it, with its slash or without."""
    for urls in ("api/v1/login/", "api/v1/login"):
        declare(prefix="/api/v1/login", ROOT_URLCONF=(path(urls, include("authcore_django.urls")),))

        found = [ask("GET", f"/api/v1/login{rest}") for rest in ("/health", "/", "", "x")]

        assert found[0].status == 200
        assert found[1].code == found[2].code == (404, "not_found")
        assert found[3].all("Content-Type")[0].startswith("text/html")


def test_a_script_name_is_honoured(ask: Ask) -> None:
    """A project below another path of the server finds its routes."""
    extra = (
        {"SCRIPT_NAME": "/below"}
        if ask.mode == "wsgi"
        else {"root_path": "/below", "path": "/below/auth/health", "raw_path": b"/below/auth/health"}
    )

    answer = ask("GET", "/auth/health", **extra)

    assert answer.status == 200


def test_an_applications_catch_all_does_not_win(ask: Ask, declare: Declare) -> None:
    """A pattern for everything, after authcore's, leaves the prefix to it."""
    from authcore_project import views

    declare(ROOT_URLCONF=(path("auth/", include("authcore_django.urls")), path("<path:rest>", views.failing)))

    answer = ask("GET", "/auth/nowhere")

    assert answer.code == (404, "not_found")


def test_the_whole_projects_rules_let_people_sign_in(ask: Ask, declare: Declare, atomic_requests: None) -> None:
    """Django's CSRF token, LoginRequiredMiddleware and ATOMIC_REQUESTS leave authcore's routes alone."""
    from authcore_project.settings import MIDDLEWARE

    own = ["django.middleware.csrf.CsrfViewMiddleware", "authcore_project.middleware.LoginRequired"]
    declare(MIDDLEWARE=[*own, *MIDDLEWARE])
    headers = [("Origin", "http://testserver"), ("Content-Type", "application/json")]

    answer = ask("POST", "/auth/sign-up", headers, {"email": "ada@example.com", "password": "a passphrase, long"})

    assert answer.status == 201


@pytest.mark.parametrize("target", ["/raise", "/araise"])
def test_an_error_of_the_applications_own_view_is_answered_alike(ask: Ask, target: str) -> None:
    """An AuthError that escapes a view has its code, status and `to_json()` (S118)."""
    answer = ask("GET", target)

    assert answer.json == {"error": {"code": "conflict", "message": "Somebody was faster."}}
    assert (answer.status, answer.all("Retry-After"), answer.all("Cache-Control")) == (409, ["3"], ["no-store"])


def test_other_errors_stay_the_applications(ask: Ask, declare: Declare) -> None:
    """What is no AuthError is Django's to answer."""
    declare(DEBUG=False)

    answer = ask("GET", "/fail")

    assert answer.status == 500
    assert b"error" not in answer.body.lower().replace(b"server error", b"")
