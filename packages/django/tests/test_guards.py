"""Guards, and who is asking, in views of every kind."""

import io
from typing import Any

import pytest
from django.views import View

from authcore import ConfigurationError
from authcore.testing.ports import FrozenClock
from authcore_django import require

GUARDED = ["/hello", "/ahello", "/class", "/aclass"]
SITE, EVIL = ("Origin", "http://testserver"), ("Origin", "https://evil.example")
Ask = Any
Declare = Any
SignUp = Any


@pytest.mark.parametrize("target", [*GUARDED, "/mfa", "/twice"])
def test_signed_out_a_guarded_view_is_the_cores_401(ask: Ask, target: str) -> None:
    """Functions and classes, sync and async, refuse with the very answer of the core."""
    answer = ask("GET", target)

    assert answer.code == (401, "not_authenticated")
    assert answer.all("WWW-Authenticate") == ["Bearer"]


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
@pytest.mark.parametrize("target", GUARDED)
def test_signed_in_a_guarded_view_knows_who_asks(
    ask: Ask, project: str, sign_up: SignUp, target: str, transport: str
) -> None:
    """By cookie and by token `request.authcore` is the user and the session, on each database."""
    credential = sign_up(transport=transport)

    answer = ask("GET", target, [credential])

    assert answer.json["hello"] == "ada@example.com"
    assert answer.json["session"] == ask("GET", "/auth/session", [credential]).json["session"]["id"]


@pytest.mark.parametrize("target", ["/open", "/aopen"])
def test_an_open_view_answers_everyone(ask: Ask, sign_up: SignUp, lookups: list[str], target: str) -> None:
    """A view may ask who it is, twice: it is looked up once, and without a credential not at all."""
    credential = sign_up()
    lookups.clear()

    signed_in, signed_out = ask("GET", target, [credential]), ask("GET", target)

    assert signed_in.json == {"email": "ada@example.com", "same": True}
    assert signed_out.json == {"email": None, "same": True}
    assert len(lookups) == 1


def test_two_guards_look_up_once(ask: Ask, sign_up: SignUp, lookups: list[str]) -> None:
    """Guards on top of each other and the view share one statement."""
    credential = sign_up()
    lookups.clear()

    answer = ask("GET", "/twice", [credential])

    assert answer.json == {"email": "ada@example.com"}
    assert len(lookups) == 1


@pytest.mark.parametrize("target", GUARDED)
def test_a_credential_that_opens_nothing_is_looked_up_once(ask: Ask, lookups: list[str], target: str) -> None:
    """A refusal, too, is of one statement."""
    answer = ask("GET", target, [("Authorization", "Bearer ac1_at_" + "A" * 43)])

    assert answer.code == (401, "not_authenticated")
    assert len(lookups) == 1


@pytest.mark.parametrize("target", GUARDED)
def test_two_credentials_are_refused(ask: Ask, sign_up: SignUp, target: str) -> None:
    """A guard says so when cookie and token disagree (rule R7), in views of every kind."""
    cookie, bearer = sign_up(), sign_up("eve@example.com", "bearer")

    answer = ask("GET", target, [cookie, bearer])

    assert answer.code == (400, "ambiguous_credentials")


@pytest.mark.parametrize("needs", [{"mfas": True}, {"fresh": "soon"}])
def test_a_need_that_does_not_exist_fails_where_it_is_written(needs: dict[str, Any]) -> None:
    """A typo in `require(...)` never guards less than it says."""
    from authcore import ConfigurationError
    from authcore_django import require

    with pytest.raises((TypeError, ConfigurationError)):
        require(**needs)


@pytest.mark.parametrize("target", GUARDED)
def test_a_guard_sets_no_cookie(ask: Ask, sign_up: SignUp, target: str) -> None:
    """The session slides in its row alone."""
    assert ask("GET", target, [sign_up()]).all("Set-Cookie") == []


def test_a_guard_keeps_the_views_name() -> None:
    """What a view is called, and what it says of itself, is what it was."""
    from authcore_project import views

    assert (views.hello.__name__, views.ahello.__name__, views.Hello.__doc__) == (
        *("hello", "ahello"),
        "Guarded by Django's own idiom for classes.",
    )


def test_a_view_that_nobody_asks_about_looks_nothing_up(ask: Ask, sign_up: SignUp, lookups: list[str]) -> None:
    """The middleware alone costs no statement, whatever the request carries."""
    credential = sign_up()
    lookups.clear()

    ask("GET", "/raise", [credential])

    assert lookups == []


@pytest.mark.parametrize("target", ["/ahello", "/aclass", "/aopen"])
def test_without_a_credential_no_thread_is_asked(asgi: Ask, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Under ASGI a guard, or a question, that needs no read makes no hop."""
    from authcore_django import get_auth

    hops: list[object] = []

    async def counted(step: Any) -> Any:
        hops.append(step)
        return step()

    backends = get_auth().backends
    monkeypatch.setattr(backends, "guard_hop", counted)
    monkeypatch.setattr(backends, "flow_hop", counted)

    asgi("GET", target)

    assert hops == []


@pytest.mark.parametrize("name", ["ahello", "AsyncHello"])
def test_without_a_credential_nothing_is_awaited(name: str) -> None:
    """A guard that needs no read ends in one step of its coroutine."""
    from authcore_project import views
    from django.core.handlers.asgi import ASGIRequest

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    view = getattr(views, name)
    view = view.as_view() if isinstance(view, type) else view

    async def answer() -> Any:
        return await view(ASGIRequest(scope, io.BytesIO()))

    with pytest.raises(StopIteration) as ended:
        answer().send(None)

    assert ended.value.value.status_code == 401


def test_on_a_loop_the_blocking_question_says_what_to_write(ask: Ask, sign_up: SignUp) -> None:
    """`request.authcore.user` in an async view names the awaitable one, before it reads anything."""
    answer = ask("GET", "/loop", [sign_up()])

    assert "await request.authcore.auser()" in answer.json["error"]


def test_a_second_factor_is_asked_for(ask: Ask, sign_up: SignUp) -> None:
    """`require(mfa=True)` sends a session of one factor to step up."""
    answer = ask("GET", "/mfa", [sign_up()])

    assert answer.code == (401, "insufficient_user_authentication")
    assert 'acr_values="aal2"' in answer.all("WWW-Authenticate")[0]


def test_an_old_sign_in_is_not_fresh(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """`require(fresh="5m")` counts from the authentication."""
    clock = FrozenClock()
    declare(clock=clock)
    credential = sign_up()

    early = ask("GET", "/fresh", [credential])
    clock.advance(6 * 60)
    late = ask("GET", "/fresh", [credential])

    assert early.status == 200
    assert late.code == (401, "reauthentication_required")


@pytest.mark.parametrize("target", ["/act", "/aact"])
def test_an_unsafe_view_asks_where_the_request_comes_from(ask: Ask, sign_up: SignUp, target: str) -> None:
    """A guard checks the origin of the application's own unsafe views, unless told not to (rule R5)."""
    cookie = sign_up()

    silent = ask("POST", target, [cookie])
    evil = ask("POST", target, [cookie, ("Origin", "https://evil.example")])
    own = ask("POST", target, [cookie, ("Origin", "http://testserver")])
    hook = ask("POST", "/hook", [cookie])

    assert silent.code == evil.code == (403, "origin_not_allowed")
    assert own.status == hook.status == 200


@pytest.mark.parametrize("target", ["/enter", "/aenter"])
def test_calls_make_flows_of_the_applications_own(ask: Ask, project: str, sign_up: SignUp, target: str) -> None:
    """A view signs people in by a Python call, and hands its cookies on; its refusals are answered as the core's."""
    sign_up()
    person = {"email": "ada@example.com", "password": "a passphrase of some length"}

    entered = ask("POST", target, [("Content-Type", "application/json"), SITE], person)
    refused = ask("POST", target, [("Content-Type", "application/json")], {**person, "password": "another passphrase"})

    assert entered.json == {"hello": "ada@example.com"}
    cookie = entered.all("Set-Cookie")[0]
    assert cookie.endswith("; HttpOnly; SameSite=Lax")
    assert ask("GET", "/hello", [("Cookie", cookie.partition(";")[0])]).status == 200
    assert refused.code == (401, "invalid_credentials")


def test_a_call_without_a_request_takes_a_token(ask: Ask, sign_up: SignUp) -> None:
    """`get_auth()` works where there is no request, as in a task."""
    answer = ask("GET", "/outside", [sign_up(transport="bearer")])

    assert answer.json["user"] is not None


def test_guards_work_without_the_middleware(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """`request.authcore` is there behind a guard, and its refusal is the core's."""
    credential = sign_up()
    declare(MIDDLEWARE=[])

    signed_in, signed_out = ask("GET", "/hello", [credential]), ask("GET", "/hello")

    assert signed_in.status == 200
    assert signed_out.code == (401, "not_authenticated")


def test_a_synchronous_middleware_changes_nothing(ask: Ask, declare: Declare, sign_up: SignUp) -> None:
    """Under ASGI too a middleware that only knows threads may stand around authcore's."""
    from authcore_project.settings import MIDDLEWARE

    credential = sign_up()
    declare(MIDDLEWARE=["authcore_project.middleware.sync_only", *MIDDLEWARE, "authcore_project.middleware.sync_only"])

    answers = [ask("GET", target, [credential]) for target in [*GUARDED, "/auth/me"]]

    assert [answer.status for answer in answers] == [200] * 5
    assert ask("GET", "/auth").code == (404, "not_found")


def test_an_async_hook_of_the_application_runs_on_the_loop(asgi: Ask, declare: Declare) -> None:
    """Under ASGI a tenant hook may await; the settings name it by its path."""
    declare(tenant="authcore_project.tenants.waiting")
    headers = [("Origin", "http://testserver"), ("Content-Type", "application/json")]
    person = {"email": "ada@example.com", "password": "a passphrase of some length"}
    made = asgi("POST", "/auth/sign-up", headers, person)
    cookie = ("Cookie", made.all("Set-Cookie")[0].partition(";")[0])

    own, other = asgi("GET", "/ahello", [cookie]), asgi("GET", "/ahello", [cookie, ("X-Tenant", "two")])

    assert (own.status, other.status) == (200, 401)


@pytest.mark.parametrize(("opened", "waived"), [("/open", "/waived"), ("/aopen", "/awaived")])
def test_a_foreign_request_acts_for_nobody_until_a_guard_waives_it(
    ask: Ask, sign_up: SignUp, opened: str, waived: str
) -> None:
    """R5: `request.authcore` keeps back whom another site may have sent, but for whom `require(csrf=False)` let in."""
    credential = sign_up()

    answers = [ask("POST", target, [credential, origin]).json for target in (opened, waived) for origin in (SITE, EVIL)]

    assert [answer["email"] for answer in answers] == ["ada@example.com", None, "ada@example.com", "ada@example.com"]


@pytest.mark.parametrize("target", ["/leave", "/aleave"])
def test_calls_do_nothing_for_another_site(ask: Ask, project: str, sign_up: SignUp, target: str) -> None:
    """R5: an application's own view signs nobody out for a foreign page; a sign-out's cookies are cleared."""
    credential = sign_up()

    refused = ask("POST", target, [credential, EVIL])
    still = ask("GET", "/hello", [credential])
    left, again = ask("POST", target, [credential, SITE]), ask("POST", target, [SITE])

    assert refused.code == (403, "origin_not_allowed")
    assert still.status == 200
    assert [line.partition(";")[0] for line in left.all("Set-Cookie")] == ["authcore_session="]
    assert (again.body, again.all("Set-Cookie")) == (b"out", [])
    assert ask("GET", "/hello", [credential]).status == 401


def test_a_foreign_page_signs_nobody_in(ask: Ask, sign_up: SignUp) -> None:
    """R5: login CSRF carries no cookie, and is refused all the same."""
    sign_up()
    person = {"email": "ada@example.com", "password": "a passphrase of some length"}

    answer = ask("POST", "/enter", [("Content-Type", "application/json"), EVIL], person)

    assert (answer.code, answer.all("Set-Cookie")) == ((403, "origin_not_allowed"), [])


def test_require_without_parentheses_says_what_to_write() -> None:
    """`@require` is refused where it is written, on functions and classes, and so is a keyword that it has not."""
    for view in (lambda request: None, View):
        with pytest.raises(ConfigurationError, match=r"write @require\(\)"):
            require(view)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"require\(\) got .*'verifed'"):
        require(verifed=True)  # type: ignore[call-arg]
