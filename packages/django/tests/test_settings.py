"""The settings, what `manage.py check` says about them, and the command line."""

import signal
import threading
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test import override_settings
from django.urls import include, path

from authcore import Auth, Candidate, ConfigurationError, Password, User
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.errors import SignUpClosed
from authcore_django import get_auth

Declare = Any
MAILS, TEXTS = MemoryMailer(), MemorySms()
MIDDLEWARE = "authcore_django.middleware.AuthcoreMiddleware"


def test_settings_are_the_keywords_of_auth(declare: Declare) -> None:
    """Every keyword is a setting; one that is none is named, with what was meant."""
    declare(secrets="x")

    with pytest.raises(ConfigurationError, match=r"no setting 'secrets': did you mean 'secret'\?"):
        get_auth()


def test_an_unknown_setting_far_from_all_lists_them(declare: Declare) -> None:
    """Where nothing is near, all keywords are listed."""
    declare(zzz=1)

    with pytest.raises(ConfigurationError, match=r"no setting 'zzz': it takes .*base_url.*database_alias"):
        get_auth()


@pytest.mark.parametrize("given", [None, [], "x"])
def test_missing_settings_say_what_to_write(given: Any) -> None:
    """No AUTHCORE, or one that is no mapping, is said so."""
    with override_settings(AUTHCORE=given), pytest.raises(ConfigurationError, match=r"write AUTHCORE = \{"):
        get_auth()


@pytest.mark.parametrize(
    "entry",
    [
        Password(min_length=20),
        ("authcore.Password", {"min_length": 20}),
        ["authcore.features.password.Password", {"min_length": 20}],
    ],
)
def test_a_room_is_an_instance_or_a_path_with_options(declare: Declare, entry: Any) -> None:
    """A settings file may name a room without importing it."""
    declare(features=[entry])

    room = next(feature for feature in get_auth().features if isinstance(feature, Password))

    assert room.policy.min_length == 20


class Member(User, frozen=True, kw_only=True):
    """A user with a field of the application's own."""

    plan: str = "free"


def refuse(candidate: Candidate) -> bool:
    """Let nobody in."""
    return False


def link(kind: str, token: str) -> str:
    """Lead to a page of the application's own."""
    return f"http://testserver/{kind}#token={token}"


def test_what_is_no_value_may_be_named_by_its_path(declare: Declare) -> None:
    """Functions, objects and classes need no import in a settings file."""
    names = {"user": "Member", "sign_up": "refuse", "build_link": "link", "sms": "TEXTS", "mailer": "MAILS"}

    declare(**{setting: f"{__name__}.{name}" for setting, name in names.items()})

    app = get_auth().settings
    assert (app.user.kind, app.build_link) == (Member, link)
    with pytest.raises(SignUpClosed):
        get_auth().blocking.password.sign_up(email="ada@example.com", password="three quiet herons wade")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("authcore.Passwort", "cannot be imported"),
        ("nowhere.Password", "cannot be imported"),
        (("authcore.Password", {"length": 3}), "unexpected keyword argument 'length'"),
        (("authcore.Password", "min_length=20"), r"\('path.of.Room', \{its options\}\)"),
        (("authcore.Password",), r"\('path.of.Room', \{its options\}\)"),
        (("authcore.Password", {"min_length": 3}), "min_length=3"),
        (7, "write an instance"),
    ],
)
def test_a_room_that_is_none_is_named(declare: Declare, entry: Any, says: str) -> None:
    """A wrong path, wrong options and a thing that is no room are said so."""
    declare(features=[entry])

    with pytest.raises(ConfigurationError, match=says):
        get_auth()


def test_the_auth_is_built_once_and_anew_when_settings_change(declare: Declare) -> None:
    """Threads that come at once get one Auth; a test's override gets another, and the end of it a third."""
    found: list[Auth] = []
    declare(product="First")
    threads = [threading.Thread(target=lambda: found.append(get_auth())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    declare(product="Second")

    assert len(set(map(id, found))) == 1
    assert get_auth() is get_auth()
    assert [auth.settings.product for auth in (found[0], get_auth())] == ["First", "Second"]


def test_building_opens_nothing(declare: Declare) -> None:
    """`get_auth()` may be called while the application starts: no connection, no thread."""
    from django.db import connections

    declare(database_alias="away", outbox="thread")
    before = set(threading.enumerate())

    get_auth()

    assert connections["away"].connection is None
    assert set(threading.enumerate()) <= before


def test_under_djangos_test_runner_nothing_is_sent_by_a_thread(declare: Declare) -> None:
    """The runner's mailbox is in place: mails wait for `outbox.drain()`."""
    from authcore_project.settings import AUTHCORE
    from django.core import mail
    from django.test.utils import setup_test_environment, teardown_test_environment

    from authcore_django.settings import build

    own = {name: value for name, value in AUTHCORE.items() if name != "outbox"}
    outside = _sends_by_thread(build(own))
    setup_test_environment()
    try:
        inside = _sends_by_thread(build(own)), hasattr(mail, "outbox")
    finally:
        teardown_test_environment()

    assert (outside, inside) == (True, (False, True))


def _sends_by_thread(auth: Auth) -> bool:
    before = set(threading.enumerate())
    auth.runtime(auth.blocking_core()._drive).wake_sender()
    started = not set(threading.enumerate()) <= before
    auth.dispose()
    return started


# --- system checks ---


def ids() -> list[str | None]:
    """Answer the ids of what the checks say about authcore."""
    return [message.id for message in run_checks(tags=[Tags.security]) if str(message.id).startswith("authcore.")]


def test_a_good_project_passes(project: str) -> None:
    """Nothing is said about the tests' own project."""
    assert ids() == []


def test_sqlite_needs_immediate_transactions(declare: Declare) -> None:
    """E001: transactions that begin as readers fail beside another writer."""
    declare(database_alias="bare")

    assert ids() == ["authcore.E001"]


def test_counting_needs_autocommit(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    """E003: without it Django commits nothing by itself, and what is counted is forgotten."""
    from django.db import connections

    monkeypatch.setitem(connections["default"].settings_dict, "AUTOCOMMIT", False)

    assert ids() == ["authcore.E003"]


def test_development_is_a_warning_before_deployment(declare: Declare) -> None:
    """W003: `manage.py check --deploy` says that dev_mode is on, and nothing in production."""
    production = {"dev_mode": False, "base_url": "https://app.example", "mail_from": "app@app.example"}

    found = [message.id for message in run_checks(tags=[Tags.security], include_deployment_checks=True)]
    declare(**production, hashing=None)
    deployed = [message.id for message in run_checks(tags=[Tags.security], include_deployment_checks=True)]
    declare(secret="short")
    wrong = [message.id for message in run_checks(tags=[Tags.security], include_deployment_checks=True)]

    assert [name for name in found if str(name).startswith("authcore.")] == ["authcore.W003"]
    assert [name for name in deployed if str(name).startswith("authcore.")] == []
    assert [name for name in wrong if str(name).startswith("authcore.")] == ["authcore.E002"]


def test_a_project_without_urls_is_checked_too(declare: Declare) -> None:
    """A project of tasks alone has no ROOT_URLCONF, and nothing to say about it."""
    declare(ROOT_URLCONF=None)

    assert ids() == []


@pytest.mark.parametrize("settings", [{"secret": "short"}, {"nothing": 1}, {"database_alias": "none"}])
def test_wrong_settings_are_a_finding(declare: Declare, settings: dict[str, Any]) -> None:
    """E002: the sentence of the ConfigurationError is the message."""
    declare(**settings)

    assert ids() == ["authcore.E002"]


def test_a_missing_middleware_is_a_warning(declare: Declare) -> None:
    """W001: there is no request.authcore, and an AuthError is a 500."""
    declare(MIDDLEWARE=[])

    assert ids() == ["authcore.W001"]


@pytest.mark.parametrize("urls", [(), (path("elsewhere/", include("authcore_django.urls")),)])
def test_routes_that_are_not_under_the_prefix_are_a_warning(declare: Declare, urls: Any) -> None:
    """W002: not mounted, or mounted where the prefix does not lead."""
    declare(ROOT_URLCONF=urls)

    assert ids() == ["authcore.W002"]


@pytest.mark.parametrize("mine", ["auth/me", "auth/sessions/<name>", "auth/<path:rest>"])
def test_a_pattern_that_shadows_authcores_routes_is_an_error(declare: Declare, mine: str) -> None:
    """E004: Django takes the first pattern, so authcore's stand before those of the application's own."""
    authcore = path("auth/", include("authcore_django.urls"))
    own = path(mine, lambda request, **given: None)
    declare(ROOT_URLCONF=(own, authcore))

    found = run_checks(tags=[Tags.security])

    assert {finding.id for finding in found} == ({"authcore.W002"} if "<path" in mine else {"authcore.E004"})
    declare(ROOT_URLCONF=(authcore, own))
    assert ids() == []


# --- the command line ---


def test_authcores_commands_are_djangos(capsys: pytest.CaptureFixture[str], sqlite: str) -> None:
    """`manage.py authcore routes` takes authcore's own options and needs no --app."""
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "authcore", "routes"])

    assert ended.value.code == 0
    assert "/auth/sign-in" in capsys.readouterr().out


def test_help_is_authcores(capsys: pytest.CaptureFixture[str], sqlite: str) -> None:
    """Options reach authcore's parser, not Django's."""
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "authcore", "--help"])

    assert ended.value.code == 0
    assert "manage.py authcore [OPTIONS]" in capsys.readouterr().out


def test_the_command_runs_from_code(capsys: pytest.CaptureFixture[str], sqlite: str) -> None:
    """`call_command` runs it without leaving the process."""
    call_command("authcore", "routes")

    assert "/auth/sign-in" in capsys.readouterr().out


@pytest.mark.parametrize("from_code", [False, True])
def test_the_outbox_is_sent_by_a_command(
    project: str, declare: Declare, capsys: pytest.CaptureFixture[str], from_code: bool
) -> None:
    """`manage.py authcore outbox run --once` sends what waits in Django's database, and says how much."""
    from authcore.backends.mail import MemoryMailer

    mailer = MemoryMailer()
    declare(database_alias=project, features=["authcore.Password"], mailer=mailer)
    get_auth().blocking.password.sign_up(email="ada@example.com", password="a passphrase of some length")

    if from_code:
        call_command("authcore", "outbox", "run", "--once")
    else:
        with pytest.raises(SystemExit):
            execute_from_command_line(["manage.py", "authcore", "outbox", "run", "--once"])

    assert [mail.to for mail in mailer.mails] == ["ada@example.com"]
    assert capsys.readouterr().out == "Handled: 1.\n"


def test_the_sender_as_a_process_ends_when_it_is_told(project: str, declare: Declare) -> None:
    """`manage.py authcore outbox run` goes on sending until SIGTERM."""
    from authcore.ports import Mail

    def end(mail: Mail) -> None:
        sent.append(mail.to)
        signal.raise_signal(signal.SIGTERM)

    sent: list[str] = []
    declare(database_alias=project, features=["authcore.Password"], mailer=end)
    get_auth().blocking.password.sign_up(email="ada@example.com", password="a passphrase of some length")

    call_command("authcore", "outbox", "run")

    assert sent == ["ada@example.com"]


def test_the_schema_is_djangos(capsys: pytest.CaptureFixture[str], sqlite: str) -> None:
    """`authcore db upgrade` leaves the tables to `manage.py migrate`, and says so."""
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "authcore", "db", "upgrade"])

    assert ended.value.code == 1
    assert "manage.py migrate" in capsys.readouterr().err


def test_wrong_settings_end_the_command_with_a_sentence(declare: Declare) -> None:
    """Bad settings are one sentence and a status other than 0, without a traceback."""
    declare(secret="short")

    with pytest.raises(CommandError, match="at least 32 characters"):
        call_command("authcore", "routes")
