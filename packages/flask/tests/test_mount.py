"""The extension: what stands under the prefix, in one application and in several."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from authcore import Auth, ConfigurationError
from authcore.errors import Conflict
from authcore_flask import AuthCore, current_user, require

SignUp = Callable[..., dict[str, Any]]


def test_a_route_of_the_core_answers_under_the_prefix(client: FlaskClient) -> None:
    """The catch-all hands a path below the prefix to the core."""
    answer = client.get("/auth/health")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers.getlist("Content-Type") == ["application/json"]


@pytest.mark.parametrize(
    "path",
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
def test_the_core_answers_whatever_stands_below_the_prefix(client: FlaskClient, path: str) -> None:
    """Odd slashes, encoded slashes, control bytes and broken UTF-8 end in the core's 404."""
    answer = client.get(path)

    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/authx", "/authx/health", "/Auth/health", "//auth/health"])
def test_a_neighbour_of_the_prefix_is_the_applications(client: FlaskClient, path: str) -> None:
    """A path that only looks like the prefix is left to Flask."""
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("method", ["PUT", "BREW", "TRACE"])
def test_the_core_refuses_methods_it_does_not_have(client: FlaskClient, method: str) -> None:
    """Known and unknown methods alike get the core's 405 with Allow."""
    answer = client.open("/auth/sign-in", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_options_is_the_cores(client: FlaskClient) -> None:
    """OPTIONS answers 204 with Allow and neither a body, a type nor a length."""
    answer = client.options("/auth/sign-in")

    assert (answer.status_code, answer.headers["Allow"], answer.data) == (204, "OPTIONS, POST", b"")
    assert not {"Content-Type", "Content-Length"} & set(answer.headers.keys())


def test_head_is_get_without_a_body(client: FlaskClient) -> None:
    """HEAD has GET's status and type, no body and no invented length."""
    answer = client.head("/auth/health")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Type"] == "application/json"
    assert "Content-Length" not in answer.headers


def test_every_cookie_is_a_header_of_its_own(client: FlaskClient, declare: Callable[..., Auth]) -> None:
    """Several cookies of one answer stay apart."""
    from authcore import Password, Sessions

    app = Flask(__name__)
    AuthCore(app, declare(features=[Password(require_code=False), Sessions(cookie_refresh=True)]))
    body = {"email": "ada@example.com", "password": "a passphrase of some length"}

    answer = app.test_client().post("/auth/sign-up", json=body, headers={"Origin": "http://localhost"})

    names = [cookie.partition("=")[0] for cookie in answer.headers.getlist("Set-Cookie")]
    assert names == ["authcore_session", "authcore_refresh"]


def test_a_prefix_and_a_script_name_are_honoured(declare: Callable[..., Auth]) -> None:
    """The prefix is the declaration's, below wherever the application itself is mounted."""
    app = Flask(__name__)
    AuthCore(app, declare(prefix="/api/v1/login"))

    answer = app.test_client().get("/api/v1/login/health", environ_overrides={"SCRIPT_NAME": "/below"})

    assert answer.status_code == 200
    assert app.test_client().get("/auth/health").status_code == 404


def test_an_applications_catch_all_does_not_win(app: Flask, client: FlaskClient) -> None:
    """An application's own `/<path:path>` leaves the prefix to authcore."""

    @app.route("/<path:path>")
    def everything(path: str) -> str:
        return path

    assert client.get("/auth/health").json == {"status": "ok"}
    assert client.get("/else/where").text == "else/where"


def test_init_app_serves_applications_from_a_factory(auth: Auth, sign_up: SignUp) -> None:
    """One extension object mounts its Auth in each application that a factory makes."""
    extension = AuthCore(auth=auth)

    def create_app() -> Flask:
        app = Flask(__name__)
        extension.init_app(app)
        return app

    first, second = create_app(), create_app()
    sign_up(first.test_client())
    taken = second.test_client().post(
        "/auth/sign-up",
        json={"email": "ada@example.com", "password": "a passphrase of some length"},
        headers={"Origin": "http://localhost"},
    )

    assert first.extensions["authcore"] is second.extensions["authcore"] is auth
    assert (taken.status_code, taken.json["error"]["code"]) == (409, "account_exists")


def test_two_applications_in_one_process_share_nothing(declare: Callable[..., Auth], sign_up: SignUp) -> None:
    """A session of one application opens nothing in another, whose Auth is another."""
    extension, apps = AuthCore(), []
    for _ in range(2):
        app = Flask(__name__)
        extension.init_app(app, declare())
        app.add_url_rule("/hello", view_func=require()(lambda: {"hello": current_user.email}))
        apps.append(app)
    token = sign_up(apps[0].test_client(), transport="bearer")["access_token"]

    answers = [app.test_client().get("/hello", headers={"Authorization": f"Bearer {token}"}) for app in apps]

    assert [answer.status_code for answer in answers] == [200, 401]


def test_without_an_auth_it_says_what_to_write() -> None:
    """Mounting nothing is refused with the sentence that helps."""
    with pytest.raises(ConfigurationError, match=r"AuthCore\(app, auth\)"):
        AuthCore(Flask(__name__))


def test_an_application_without_authcore_is_told_so() -> None:
    """A guard in an application that mounts nothing raises the sentence that helps."""
    app = Flask(__name__)
    app.testing = True
    app.add_url_rule("/hello", view_func=require()(lambda: "hello"))

    with pytest.raises(ConfigurationError, match="has no AuthCore"):
        app.test_client().get("/hello")


def test_an_error_of_the_applications_own_handler_is_answered_alike(app: Flask, client: FlaskClient) -> None:
    """An AuthError that escapes a view has its code, status and `to_json()` (S118)."""

    @app.get("/busy")
    def busy() -> str:
        raise Conflict("Somebody was faster.", headers=(("Retry-After", "3"),))

    answer = client.get("/busy")

    assert answer.json == {"error": {"code": "conflict", "message": "Somebody was faster."}}
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "3")
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_applications_hooks_see_the_mounted_routes(app: Flask, client: FlaskClient) -> None:
    """`before_request` and `after_request` run for authcore's routes as for any other."""
    seen = []

    @app.before_request
    def note() -> None:
        seen.append((request.endpoint, request.path))

    client.get("/auth/health")

    assert seen == [("authcore", "/auth/health")]


def test_flasks_command_line_has_the_applications_authcore(app: Flask) -> None:
    """`flask authcore …` runs authcore's commands for the mounted Auth, without naming it."""
    result = app.test_cli_runner().invoke(args=["authcore", "routes"])

    assert (result.exit_code, "/auth/sign-up" in result.output) == (0, True), result.output


def test_the_commands_help_lists_them(app: Flask) -> None:
    """`flask --help` names the group, and `flask authcore --help` its commands."""
    runner = app.test_cli_runner()

    assert "Look after the application's authentication." in runner.invoke(args=["--help"]).output
    assert "doctor" in runner.invoke(args=["authcore", "--help"]).output


def test_a_server_does_not_load_the_commands() -> None:
    """Mounting authcore loads neither its commands nor what they bring."""
    code = (
        "import sys; from flask import Flask; from authcore import Auth; from authcore_flask import AuthCore;"
        "AuthCore(Flask('x'), Auth(dev_mode=True, secret='0123456789abcdefghijklmnopqrstuvwxyz'));"
        "print([name for name in sys.modules if name.startswith(('authcore.cli', 'alembic'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("early", [True, False])
def test_an_applications_own_routes_do_not_shadow_the_mount(auth: Auth, early: bool) -> None:
    """Below the prefix all is authcore's, whichever was registered first, and whatever Flask finds more particular."""
    app = Flask(__name__)

    def routes() -> None:
        app.add_url_rule("/auth/health", "health", lambda: "mine", methods=["GET", "POST"])
        app.add_url_rule("/auth/me/", "me", lambda: "mine")
        app.add_url_rule("/own", "own", lambda: "mine")

    if early:
        routes()
    AuthCore(app, auth)
    if not early:
        routes()
    client = app.test_client()

    answers = [client.get("/auth/health"), client.post("/auth/health"), client.get("/auth/me"), client.get("/auth/me/")]

    assert [answer.status_code for answer in answers] == [200, 405, 401, 404]
    assert answers[0].json == {"status": "ok"}
    assert client.get("/own").text == "mine"


def test_a_mount_of_something_else_says_what_to_write(auth: Auth) -> None:
    """Swapped arguments, an Auth that is none and a second AuthCore are refused where they are written."""
    app = Flask(__name__)
    for given in ((auth, app), (app, "auth")):
        with pytest.raises(ConfigurationError, match=r"write AuthCore\(app, auth\)"):
            AuthCore(*given)  # type: ignore[arg-type]
    AuthCore(app, auth)

    with pytest.raises(ConfigurationError, match="has an AuthCore already"):
        AuthCore(app, auth)
