"""Guards of an application's own views, and who is asking."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, make_response
from flask.testing import FlaskClient
from flask.views import MethodView

from authcore import Auth, AuthError, ConfigurationError, Password, SignedIn, Tenant
from authcore.backends.mail import MemoryMailer
from authcore.testing.ports import FrozenClock
from authcore_flask import AuthCore, calls, current_session, current_user, require, set_cookies

SignUp = Callable[..., dict[str, Any]]
CREDENTIALS = {"email": "ada@example.com", "password": "a passphrase of some length"}


@pytest.fixture(autouse=True)
def views(app: Flask) -> None:
    """Give the application routes of its own."""

    @app.route("/hello", methods=["GET", "POST"])
    @require()
    def hello() -> dict[str, Any]:
        return {"hello": current_user.email, "session": current_session.id}

    @app.post("/hook")
    @require(csrf=False)
    def hook() -> dict[str, Any]:
        return {"done": True}

    @app.get("/open")
    def opened() -> dict[str, Any]:
        return {"email": current_user.email if current_user else None, "session": bool(current_session)}


def test_a_guard_refuses_who_is_not_signed_in(client: FlaskClient) -> None:
    """Signed out, a guarded view is 401 in the one failure shape, and says which scheme would do."""
    answer = client.get("/hello")

    assert (answer.status_code, answer.json["error"]["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_guard_lets_a_cookie_in(client: FlaskClient, sign_up: SignUp) -> None:
    """Signed in by cookie, a view sees its user and session."""
    signed_in = sign_up(client)

    answer = client.get("/hello")

    assert answer.json == {"hello": "ada@example.com", "session": signed_in["session"]["id"]}


def test_a_guard_lets_a_bearer_token_in(app: Flask, sign_up: SignUp) -> None:
    """Signed in by bearer token, a view sees the same."""
    tokens = sign_up(app.test_client(), transport="bearer")

    answer = app.test_client().get("/hello", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert answer.json["hello"] == "ada@example.com"


def test_two_credentials_are_refused(client: FlaskClient, sign_up: SignUp) -> None:
    """A cookie beside a bearer token is 400, for a guard as for the core's own routes (R7)."""
    sign_up(client)

    answer = client.get("/hello", headers={"Authorization": "Bearer ac1_at_other"})

    assert (answer.status_code, answer.json["error"]["code"]) == (400, "ambiguous_credentials")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_an_unsafe_view_asks_a_cookie_for_its_origin(
    client: FlaskClient, sign_up: SignUp, headers: dict[str, str], status: int
) -> None:
    """A POST with authcore's cookie says where it comes from (R5); `csrf=False` opts out."""
    sign_up(client)

    guarded, opted_out = client.post("/hello", headers=headers), client.post("/hook", headers=headers)

    assert (guarded.status_code, opted_out.status_code) == (status, 200)


def test_needs_are_decided_by_the_core(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """`verified`, `mfa` and `fresh` refuse with the codes that say what is missing."""
    clock, app = FrozenClock(), Flask(__name__)
    AuthCore(app, declare(clock=clock))
    for name, needs in (("verified", {"verified": True}), ("mfa", {"mfa": True}), ("fresh", {"fresh": "5m"})):
        app.add_url_rule(f"/{name}", name, require(**needs)(lambda: {"done": True}))
    client = app.test_client()
    sign_up(client)

    fresh = client.get("/fresh")
    clock.advance(301)
    codes = [client.get(f"/{name}").json["error"]["code"] for name in ("verified", "mfa", "fresh")]

    assert fresh.json == {"done": True}
    assert codes == ["email_not_verified", "insufficient_user_authentication", "reauthentication_required"]


def test_a_need_that_does_not_exist_fails_where_it_is_written() -> None:
    """A misspelt requirement is an error at import, never a guard that lets everyone in."""
    with pytest.raises(TypeError, match="mfaa"):
        require(mfaa=True)


def test_async_views_are_guarded(app: Flask, client: FlaskClient, sign_up: SignUp) -> None:
    """`@require()` guards an `async def` view, in which `current_user` works."""

    @app.get("/later")
    @require()
    async def later() -> dict[str, Any]:
        return {"hello": current_user.email}

    refused = client.get("/later")
    sign_up(client)

    assert refused.status_code == 401
    assert client.get("/later").json == {"hello": "ada@example.com"}


def test_class_based_views_are_guarded(app: Flask, client: FlaskClient, sign_up: SignUp) -> None:
    """`decorators = [require()]` guards every method of a view class, arguments passed through."""

    class Item(MethodView):
        decorators = [require()]  # noqa: RUF012 - as Flask documents it

        def get(self, number: int) -> dict[str, Any]:
            return {"number": number}

    app.add_url_rule("/items/<int:number>", view_func=Item.as_view("item"))
    refused = client.get("/items/3")
    sign_up(client)

    assert refused.status_code == 401
    assert client.get("/items/3").json == {"number": 3}


def test_a_guard_keeps_the_views_name() -> None:
    """The endpoint is named after the view, so that two guarded views do not collide."""

    @require()
    def report() -> str:
        return ""

    assert report.__name__ == "report"


def test_signed_out_the_current_user_stands_for_none(app: Flask, client: FlaskClient) -> None:
    """Without a credential `current_user` and `current_session` are falsy and equal to None."""

    @app.get("/nobody")
    def nobody() -> dict[str, Any]:
        return {"user": current_user == None, "session": current_session == None}  # noqa: E711 - a proxy is never None

    assert client.get("/open").json == {"email": None, "session": False}
    assert client.get("/nobody").json == {"user": True, "session": True}


def test_outside_a_request_there_is_no_current_user(app: Flask) -> None:
    """Without a request the question is an error, not "nobody"."""
    with pytest.raises(RuntimeError, match="Working outside of"):
        str(current_user)


def test_a_request_looks_its_user_up_once(app: Flask, client: FlaskClient, sign_up: SignUp, lookups: list[str]) -> None:
    """However many guards and questions there are, one request costs one look-up."""

    @app.get("/often")
    @require()
    @require(fresh="5m")
    def often() -> dict[str, Any]:
        return {"same": current_user == current_user, "session": current_session.id}

    sign_up(client)
    del lookups[:]
    answer = client.get("/often")

    assert (answer.status_code, len(lookups)) == (200, 1)


def test_a_credential_that_opens_nothing_is_looked_up_once(app: Flask, client: FlaskClient, lookups: list[str]) -> None:
    """That nobody was found is remembered as well."""
    token = "ac1_at_" + "A" * 43

    @app.get("/ask")
    def ask() -> dict[str, Any]:
        assert not current_user
        return require()(lambda: {"never": True})()

    client.get("/auth/health")
    answer = client.get("/ask", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, len(lookups)) == (401, 1)


def test_an_application_context_of_a_test_carries_nobody_over(app: Flask, client: FlaskClient, sign_up: SignUp) -> None:
    """Requests inside one pushed application context, which share `g`, do not share their user."""
    tokens = sign_up(app.test_client(), transport="bearer")

    with app.app_context():
        first = client.get("/open", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        second = client.get("/open")

    assert (first.json["email"], second.json["email"]) == ("ada@example.com", None)


def test_a_guard_sets_no_cookie(client: FlaskClient, sign_up: SignUp) -> None:
    """A guard's answer, let in or refused, never sets a cookie."""
    refused = client.get("/hello")
    sign_up(client)

    assert "Set-Cookie" not in refused.headers
    assert "Set-Cookie" not in client.get("/hello").headers


def test_calls_are_made_for_the_current_request(app: Flask, client: FlaskClient, sign_up: SignUp) -> None:
    """An application's own sign-in route calls the flow and hands the cookies to the browser."""

    @app.post("/my-sign-in")
    def my_sign_in() -> Any:
        outcome = calls().password.sign_in(**CREDENTIALS)
        assert isinstance(outcome, SignedIn)
        return set_cookies(make_response({"hello": outcome.user.email}), outcome)

    @app.post("/my-sign-out")
    @require()
    def my_sign_out() -> dict[str, Any]:
        ended = calls().sessions.sign_out()
        return {"ended": ended is not None and ended.session.id == current_session.id}

    sign_up(app.test_client())
    origin = {"Origin": "http://localhost"}
    signed_in = client.post("/my-sign-in", headers=origin)

    assert signed_in.json == {"hello": "ada@example.com"}
    assert client.get("/hello").status_code == 200
    assert client.post("/my-sign-out", headers=origin).json == {"ended": True}
    assert client.get("/hello").status_code == 401


def test_an_error_of_a_call_is_answered_with_its_code(app: Flask, client: FlaskClient) -> None:
    """A refusal of a flow that an application's own view called is the answer, unless the view catches it."""

    @app.post("/my-sign-in")
    def my_sign_in() -> Any:
        return {"user": calls().password.sign_in(**CREDENTIALS)}

    @app.post("/caught")
    def caught() -> Any:
        try:
            calls().password.sign_in(**CREDENTIALS)
        except AuthError as error:
            return {"caught": error.code}

    origin = {"Origin": "http://localhost"}

    assert client.post("/my-sign-in", headers=origin).status_code == 401
    assert client.post("/caught", headers=origin).json == {"caught": "invalid_credentials"}


def test_a_tenant_hook_sees_the_applications_request(declare: Callable[..., Auth]) -> None:
    """The hook that names the tenant reads method, path, peer and every header of a guarded request."""
    seen = []

    def tenant(request: Any) -> Tenant:
        seen.append((request.method, request.path, request.peer, request.headers.get("x-shop")))
        return Tenant("shop")

    app = Flask(__name__)
    AuthCore(app, declare(tenant=tenant))
    app.add_url_rule("/caf\u00e9", "cafe", require()(lambda: "never"))

    answer = app.test_client().get("/caf\u00e9", headers={"X-Shop": "a"})

    assert answer.status_code == 401
    assert set(seen) == {("GET", "/caf\u00e9", "127.0.0.1", "a")}


def test_the_quickstart(declare: Callable[..., Auth]) -> None:
    """Sign-up, the mailed code, and the guarded view: what the documentation shows works as it stands."""
    mailer = MemoryMailer()
    auth = declare(features=[Password()], mailer=mailer)
    app = Flask(__name__)
    authcore = AuthCore(app, auth)

    @app.get("/hello")
    @require()
    def hello() -> dict[str, Any]:
        return {"hello": current_user.email}

    client, origin = app.test_client(), {"Origin": "http://localhost"}
    pending = client.post("/auth/sign-up", json=CREDENTIALS, headers=origin)
    auth.outbox.drain()
    answer = {"challenge_id": pending.json["challenge"]["id"], "code": mailer.mails[0].code}
    verified = client.post("/auth/sign-up/verify", json=answer, headers=origin)

    assert (pending.status_code, verified.status_code) == (202, 200)
    assert client.get("/hello").json == {"hello": "ada@example.com"}
    assert isinstance(authcore, AuthCore)


EVIL = {"Origin": "https://evil.example"}
SITE = {"Origin": "http://localhost"}


def test_a_foreign_request_acts_for_nobody_until_a_guard_waives_it(
    app: Flask, client: FlaskClient, sign_up: SignUp
) -> None:
    """R5: `current_user` keeps back whom another site may have sent, until `require(csrf=False)` has let them in."""

    @app.post("/either")
    def either() -> dict[str, Any]:
        return {"email": current_user.email if current_user else None}

    app.add_url_rule("/waived", "waived", require(csrf=False)(either), methods=["POST"])
    sign_up(client)

    answers = [client.post(path, headers=how).json["email"] for path in ("/either", "/waived") for how in (SITE, EVIL)]

    assert answers == ["ada@example.com", None, "ada@example.com", "ada@example.com"]


def test_calls_do_nothing_for_another_site(app: Flask, client: FlaskClient, sign_up: SignUp) -> None:
    """R5: an application's own route signs nobody in or out for a foreign page (login CSRF)."""

    @app.post("/enter")
    def enter() -> Any:
        return set_cookies(make_response("in"), calls().password.sign_in(**CREDENTIALS, transport="cookie"))

    @app.post("/leave")
    def leave() -> Any:
        return set_cookies(make_response("out"), calls().sessions.sign_out())

    sign_up(client)
    stranger = app.test_client()

    refused = [client.post("/leave", headers=EVIL), stranger.post("/enter", headers=EVIL)]
    still = client.get("/auth/session").json["user"]
    left = client.post("/leave", headers=SITE)

    assert [(answer.status_code, answer.json["error"]["code"]) for answer in refused] == [
        (403, "origin_not_allowed")
    ] * 2
    assert not any(answer.headers.getlist("Set-Cookie") for answer in refused)
    assert still["email"] == "ada@example.com"
    assert [line.partition(";")[0] for line in left.headers.getlist("Set-Cookie")] == ["authcore_session="]
    assert client.get_cookie("authcore_session") is None
    assert client.post("/leave", headers=SITE).text == "out"


def test_require_without_parentheses_says_what_to_write() -> None:
    """`@require` is refused where it is written, and so is a keyword that it has not."""
    with pytest.raises(ConfigurationError, match=r"write @require\(\)"):
        require(lambda: "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"require\(\) got .*'verifed'"):
        require(verifed=True)  # type: ignore[call-arg]
