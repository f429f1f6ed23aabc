"""Rule O1: a declaration is validated whole, says what to write instead, and touches nothing outside."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authcore import Auth, Brand, ConfigurationError, Guard, Password, Request, Sessions, User, requirement
from authcore.backends.argon2 import CHEAP, HashParameters
from authcore.configure import DEV_SECRET_FILE
from authcore.feature import Feature
from authcore.route import Answer, Route
from authcore.services import events

SECRET = "a secret of these tests, long enough"
PRODUCTION: dict[str, Any] = {
    "secret": SECRET,
    "base_url": "https://example.com",
    "database": "sqlite:///auth.db",
    "mailer": lambda mail: None,
}
DEVELOPMENT: dict[str, Any] = {"dev_mode": True, "secret": SECRET}


class Weird:
    """Neither hashable nor anything that a setting could be."""

    __hash__ = None  # type: ignore[assignment]


class Sendless:
    """A mailer whose `send` has no place for a mail."""

    def send(self) -> None:
        """Send nothing."""


# --- what is missing or too weak ---


@pytest.mark.parametrize(
    ("left_out", "says"),
    [
        ("secret", "authcore secret"),
        ("base_url", "https://example.com"),
        ("database", "postgresql://"),
        ("mailer", "SmtpMailer"),
    ],
)
def test_production_refuses_to_start_without(left_out: str, says: str) -> None:
    """O1: outside dev_mode nothing that matters has a default; the sentence names the keyword and shows a value."""
    settings = {name: value for name, value in PRODUCTION.items() if name != left_out}

    with pytest.raises(ConfigurationError, match=rf"Auth\({left_out}=…\) is missing") as caught:
        Auth(**settings)

    assert says in str(caught.value)


def test_production_starts_with_all_of_it() -> None:
    """O1: the four settings are enough."""
    made = Auth(**PRODUCTION)

    assert made.settings.secure
    assert made.settings.dev_hosts is None
    assert made.settings.origins == {"https://example.com"}


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("secret", "short", "at least 32 characters"),
        ("secret", ["a" * 40], "random"),
        ("secret", "abcabcab" * 8, "random"),
        ("secret", [], "at least one"),
        ("secret", [SECRET, "short"], "at least 32"),
        ("secret", SECRET.encode(), "text"),
        ("secret", "\udcff" * 10 + SECRET, "Unicode"),
        ("base_url", "http://example.com", "https://"),
        ("mailer", "console", "dev_mode"),
        ("hashing", CHEAP, "memory_kib"),
        ("hashing", HashParameters(memory_kib=19455), "19456"),
        ("hashing", HashParameters(time_cost=1), "time_cost"),
        ("hashing", HashParameters(salt_bytes=8), "salt_bytes"),
        ("hashing", HashParameters(hash_bytes=16), "hash_bytes"),
        ("trusted_origins", ["http://app.example.com"], "https://"),
    ],
)
def test_production_refuses_what_is_too_weak(setting: str, value: Any, says: str) -> None:
    """O1: a short or repetitive secret, plain http, a console for mails and cheap hashes refuse to start."""
    with pytest.raises(ConfigurationError) as caught:
        Auth(**{**PRODUCTION, setting: value})

    assert says in str(caught.value)


@pytest.mark.parametrize("value", ["https://example.com", "https://127.0.0.1:8000"])
@pytest.mark.parametrize("setting", ["base_url", "trusted_origins"])
def test_development_refuses_https(setting: str, value: str) -> None:
    """O1: dev_mode, where cookies are not Secure, cannot be switched on for a real site by mistake."""
    with pytest.raises(ConfigurationError, match="http://"):
        Auth(**DEVELOPMENT, **{setting: value if setting == "base_url" else [value]})


@pytest.mark.parametrize("value", ["1", "true", "false", "", 1, 0, None])
def test_only_true_switches_dev_mode_on(value: Any) -> None:
    """O1: the text "false" from an environment is no False, and never a True."""
    with pytest.raises(ConfigurationError, match="True or False"):
        Auth(**{**PRODUCTION, "dev_mode": value})


# --- every keyword ---


async def awaited_link(kind: str, token: str) -> str:
    """A hook that would have to be awaited."""
    return token


class Planned(User, frozen=True, kw_only=True):
    """A user with a field that those who are there already lack."""

    plan: str


WRONG: dict[str, list[Any]] = {
    "user": [dict, "User", object(), Planned, Weird()],
    "sign_up": ["shut", True, None, object(), Weird()],
    "limiter": ["redis", 5, object(), [], Weird()],
    "database": ["", "nonsense", "oracle+nothing", 5, b"sqlite://", ["sqlite://"], object, Weird()],
    "features": [
        Password,
        Password(),
        "password",
        5,
        None,
        [Password],
        ["password"],
        [Password(), Password()],
        Weird(),
    ],
    "secret": [5, b"x" * 40, {"a": 1}, {SECRET}, [None], [[SECRET]], "", Weird()],
    "base_url": ["", "example.com", "http://", "ftp://x", 5, b"http://x", ["http://x"], Weird()],
    "prefix": ["", "/", "auth", "/auth/", "//auth", "/a b", "/a\n", "/../x", "/auth?x", 5, None, b"/auth", Weird()],
    "product": ["", " ", "a\nb", 5, b"x", Weird()],
    "mailer": [
        "smtp",
        5,
        object(),
        Weird(),
        object,
        ["console"],
        b"console",
        lambda: None,
        lambda a, b: None,
        Sendless(),
    ],
    "mail_from": ["", "nobody", "a@b\r\nBcc: c@d", 5, b"a@b", ["a@b"], Weird()],
    "mail_templates": ["/does/not/exist", "", "\0", 5, b"/tmp", [], Weird()],
    "mail_catalogues": ["/does/not/exist", "\0", 5, b"/tmp", [], Weird()],
    "brand": [
        "blue",
        5,
        Brand,
        Brand("blue"),
        Brand("#12345"),
        Brand("#1d4ed8;}"),
        Brand("#1d4ed8\n"),
        Brand(5),  # type: ignore[arg-type]
        Brand(logo="/does/not/exist.png"),
        Brand(logo=__file__),
        Brand(logo="\0"),
        Brand(logo=5),  # type: ignore[arg-type]
        Brand(logo_url="http://example.com/a.png"),
        Brand(logo_url='https://example.com/a.png"><script>'),
        Brand(logo_url="javascript:alert(1)"),
        Brand(logo="a.png", logo_url="https://example.com/a.png"),
        Weird(),
    ],
    "languages": ["de", [], [5], ["xx"], ["de", "EN"], ["../de"], 5, {"de"}, Weird(), [Weird()]],
    "build_link": ["https://example.com", 5, [], lambda token: token, awaited_link, Weird()],
    "sms": [
        "twilio",
        5,
        object(),
        Weird(),
        object,
        ["console"],
        b"console",
        lambda: None,
        lambda a, b: None,
        Sendless(),
    ],
    "dev_mode": ["yes", None, Weird()],
    "dev_hosts": ["host", 5, None, [5], ["http://host"], ["host:80"], [""], ["a b"], Weird(), [Weird()]],
    "dev_secrets_in_answers": ["yes", None, 1, Weird()],
    "trusted_origins": ["http://a.example", 5, None, [5], [None], ["a.example"], ["null"], ["*"], Weird(), [Weird()]],
    "trusted_proxies": ["10.0.0.0/8", 5, None, [5], [b"\x0a\0\0\1"], ["proxy"], ["10.0.0.0/99"], [""], [Weird()]],
    "tenant": ["default", 5, [], {}, Weird()],
    "cookie_name": ["", "a b", "a;b", "__Host-x", "x" * 41, "ä", 5, None, b"x", Weird()],
    "cookie_domain": ["", ".example.com", "a b", "a;b", "a\r\nb", "https://a.example", "a/", 5, b"a", [], Weird()],
    "guards": [
        {},
        [],
        "web",
        5,
        {"web": "session"},
        {"": Guard()},
        {5: Guard()},
        {"web": Guard},
        {"web": Guard("cookie")},
        {"web": Guard(5)},
        {"web": Guard(b"session")},
        {"web": Guard("session", provider="staff")},
        {"web": Guard(ambient="no")},
        Weird(),
        {"web": Weird()},
    ],
    "default_guard": ["web", "", 5, [], Weird()],
    "providers": [[], "staff", 5, {"": lambda auth: None}, {5: object()}, {"staff": object()}, {"staff": 5}, Weird()],
    "default_provider": ["staff", "", 5, None, [], Weird()],
    "sign_in_page": [
        "sign-in",
        "",
        "//evil.example",
        "/\\evil",
        "https://evil.example",
        "/a b",
        "/a#b",
        5,
        b"/",
        Weird(),
    ],
    "limits": ["off", "false", 0, 1, None, Weird()],
    "key_value": ["redis", "", 5, None, object(), {}, Weird()],
    "stream": ["redis", "", 5, None, object(), {}, Weird()],
    "hashing": ["argon2", 5, {}, HashParameters, Weird(), HashParameters(memory_kib="8"), HashParameters(time_cost=0)],
    "pepper": [5, b"x" * 40, {"a": 1}, {SECRET}, [None], [[SECRET]], "", [], "short", [SECRET, "short"], Weird()],
    "async_drive": ["asyncio", "blocking", "", 5, None, [], {}, Weird()],
    "outbox": ["none", "", 5, None, [], True, Weird()],
    "clock": ["now", 5, object(), [], Weird(), type("Clock", (), {"now": lambda self: None})],
    "random": ["seed", 5, object(), [], Weird(), type("Random", (), {"bytes": lambda self, n, label: b""})],
}


def test_every_keyword_is_tried() -> None:
    """A keyword that Auth gains has to be tried here as well."""
    taken = set(Auth.__init__.__kwdefaults__)

    assert taken == set(WRONG)


@pytest.mark.parametrize(
    ("setting", "value"), [(setting, value) for setting, values in WRONG.items() for value in values]
)
def test_a_wrong_value_says_which_setting_it_is(setting: str, value: Any) -> None:
    """O1: whatever stands in for a setting is refused by a sentence that names it, and by no other exception."""
    with pytest.raises(ConfigurationError) as caught:
        Auth(**{**DEVELOPMENT, setting: value})

    sentence = str(caught.value)
    assert setting in sentence or type(value).__name__ in sentence
    assert sentence.endswith(".")
    assert len(sentence) > 30


CODES: dict[str, list[Any]] = {
    "code_length": [5, 13, "6", None, Weird()],
    "code_ttl": [600, "10m", timedelta(0), timedelta(hours=2), None, Weird()],
    "min_send_interval": [60, timedelta(0), timedelta(minutes=11), None, Weird()],
    "max_attempts": [0, 11, "5", None, Weird()],
    "mail_from": ["", "nobody", "a@b\r\nBcc: c@d", 5, Weird()],
}


@pytest.mark.parametrize(
    ("room", "setting", "value"),
    [
        (room, setting, value)
        for room, settings in {
            Password: {
                **CODES,
                "enabled": ["yes", None, Weird()],
                "require_code": [1, "no"],
                "min_length": [7, 129, "15", 15.0, None, True, Weird()],
                "require_number": ["no", 0],
            },
            Sessions: {
                **CODES,
                "transport": ["header", None, Weird()],
                "grace": [10, None, Weird()],
                "fresh": ["5m", None, Weird()],
                "fresh_to_end": ["no", None, Weird()],
                "cookie_refresh": ["no", None, Weird()],
                "on_reuse": ["all", None, Weird()],
            },
        }.items()
        for setting, values in settings.items()
        for value in values
    ],
)
def test_a_rooms_wrong_setting_says_what_to_write(room: type[Feature], setting: str, value: Any) -> None:
    """S64: a room's setting is checked where it is written, at start-up."""
    with pytest.raises(ConfigurationError) as caught:
        room(**{setting: value})

    assert f"{room.__name__}({setting}=" in str(caught.value)


@pytest.mark.parametrize("value", ["", "5", "5 m", "5w", "m5", "-5m", "5m\n", 5, 0, [], Weird()])
def test_a_wrong_duration_says_how_to_write_one(value: Any) -> None:
    """`require(fresh=…)` takes a timedelta or a text such as 5m."""
    with pytest.raises(ConfigurationError, match="5m"):
        requirement(fresh=value)


def test_a_sentence_never_repeats_a_secret() -> None:
    """O3: what may hold a secret (the secret itself, a URL with a password) is not shown in a refusal."""
    told = []
    for settings in (
        {"secret": "hunter2hunter2"},
        {"secret": [SECRET, 5]},
        {"secret": {SECRET: 1}},
        {"database": "hunter2 nonsense"},
        {"database": ["postgresql://root:hunter2@host/x"]},
    ):
        with pytest.raises(ConfigurationError) as caught:
            Auth(**{**DEVELOPMENT, **settings})
        told.append(str(caught.value))

    assert not any("hunter2" in sentence or SECRET in sentence for sentence in told)


# --- origins and hosts ---


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_spell_it(given: str, origin: str) -> None:
    """R5: `Origin` carries a lower-case host and no default port, so the listed ones are kept so."""
    made = Auth(**{**PRODUCTION, "base_url": given, "trusted_origins": [given]})

    assert made.settings.base_url == origin
    assert made.settings.origins == {origin}


@pytest.mark.parametrize(
    "given",
    [
        "https://example.com/path",
        "https://example.com?",
        "https://example.com#x",
        "https://user@example.com",
        "https://:password@example.com",
        "https://@example.com",
        "https://exa\nmple.com",
        "https://example.com\\",
        "https://example.com ",
        " https://example.com",
        "https://*.example.com",
        "https://bücher.example",
        "https://[::1",
        "https://example.com:99999",
        "https://example.com:port",
        "https:example.com",
        "javascript:alert(1)",
    ],
)
def test_what_is_more_or_less_than_an_origin_is_refused(given: str) -> None:
    """R8: scheme, host and port alone; no path, userinfo, wildcard or sign that parsers read differently."""
    with pytest.raises(ConfigurationError, match="scheme and host alone"):
        Auth(**{**PRODUCTION, "base_url": given})


def test_hosts_of_development_are_compared_in_lower_case() -> None:
    """`dev_hosts` widens what is answered; upper case in the setting does not lock anybody out."""
    made = Auth(**DEVELOPMENT, dev_hosts=["My-Machine.local"], database="sqlite://")

    answer = made.blocking_core().dispatch(Request("GET", "/health", headers={"host": "my-machine.LOCAL:8000"}))
    made.dispose()

    assert answer.status == 200


# --- what cannot work ---


@pytest.mark.parametrize("base_url", ["https://example.com", "https://www.shop.example.com:8443"])
def test_a_domain_for_cookies_is_the_site_s_own_or_one_above(base_url: str) -> None:
    """R6: browsers take a cookie for the host that sets it and for domains above it."""
    made = Auth(**{**PRODUCTION, "base_url": base_url, "cookie_domain": "example.com"})

    assert made.settings.cookie_domain == "example.com"


@pytest.mark.parametrize("domain", ["example.org", "www.example.com", "ample.com", "com", "com.example"])
def test_a_domain_that_browsers_would_not_take_is_refused(domain: str) -> None:
    """R6: cookies for another site's domain, or for a whole suffix, would be dropped without a word."""
    with pytest.raises(ConfigurationError, match=r"cookie_domain=.* base_url's host 'example\.com'"):
        Auth(**{**PRODUCTION, "cookie_domain": domain})


def test_hosts_of_development_are_for_development() -> None:
    """O1: outside dev_mode `dev_hosts` would do nothing, which is told."""
    with pytest.raises(ConfigurationError, match=r"dev_hosts=…\) is for dev_mode"):
        Auth(**PRODUCTION, dev_hosts=["shop.example.com"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"transport": "bearer", "cookie_refresh": True}, "needs cookies"),
        ({"access_ttl": timedelta(days=31)}, "cannot be longer than refresh_ttl"),
    ],
)
def test_sessions_whose_settings_contradict_each_other_are_refused(settings: dict[str, Any], says: str) -> None:
    """O1: cookies that no answer sets, and an access token that outlives what renews it, are told."""
    with pytest.raises(ConfigurationError, match=says):
        Sessions(**settings)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """O1: SQLite makes a file and no folder, so the first request would have failed."""
    with pytest.raises(ConfigurationError, match="make the folder first"):
        Auth(**{**PRODUCTION, "database": f"sqlite:///{tmp_path / 'data' / 'app.db'}"})


@pytest.mark.parametrize("url", ["mysql://h/d", "mysql+pymysql://h/d", "mariadb://h/d", "mssql+pyodbc://h/d"])
def test_a_database_of_another_kind_is_told_which_there_are(url: str) -> None:
    """O1: SQLite and PostgreSQL are the stores, also where a driver for another one is installed."""
    with pytest.raises(ConfigurationError, match="SQLite and PostgreSQL"):
        Auth(**{**PRODUCTION, "database": url})


# --- the product's name ---


@pytest.mark.parametrize(
    ("settings", "product"),
    [
        (PRODUCTION, "example.com"),
        ({**PRODUCTION, "base_url": "https://shop.example.com:8443"}, "shop.example.com"),
        ({**PRODUCTION, "product": "Shop"}, "Shop"),
        (DEVELOPMENT, "localhost"),
        ({**DEVELOPMENT, "base_url": "http://dev.example:8000"}, "dev.example"),
    ],
)
def test_the_product_is_called_as_its_site_unless_it_is_named(settings: dict[str, Any], product: str) -> None:
    """A mail says where it comes from without a setting: "Confirm your address for example.com"."""
    assert Auth(**settings).settings.product == product


# --- rooms together ---


class Nameless(Feature):
    """A room whose author forgot its name."""


async def _never(ctx: Any, body: Any) -> Answer:
    return Answer(204, None)


class Rival(Feature):
    """A room that wants a path of another room's."""

    name = "rival"
    routes = (Route(method="POST", path="/sign-in", handler=_never, summary="Rival", answers={204: None}),)


class _Step:
    kind = "totp"


class First(Feature):
    """A room with a step."""

    name = "first"
    steps = (_Step(),)  # type: ignore[assignment]


class Second(First):
    """Another room with a step of the same kind."""

    name = "second"


@pytest.mark.parametrize(
    ("rooms", "says"),
    [
        ([Nameless()], "Nameless has no `name`"),
        ([Password(), Rival()], "POST /sign-in"),
        ([First(), Second()], "'totp'"),
        ([Sessions(), Sessions()], "'sessions' twice"),
    ],
)
def test_rooms_that_do_not_fit_together_refuse_to_start(rooms: list[Feature], says: str) -> None:
    """A1: two rooms of one name, path or sign-in step would answer, or pass, for each other."""
    with pytest.raises(ConfigurationError) as caught:
        Auth(**DEVELOPMENT, features=rooms)

    assert says in str(caught.value)


# --- listeners ---


@pytest.mark.parametrize("event", [str, "Login", None, [], events.Event, Weird()])
def test_only_events_of_authcore_are_listened_to(event: Any) -> None:
    """The list of events is closed: anything else is refused by a sentence that lists them."""
    with pytest.raises(ConfigurationError, match="Attempting, Authenticated"):
        Auth(**DEVELOPMENT).on(event, print)


@pytest.mark.parametrize("listener", [None, "print", 5, []])
def test_a_listener_is_a_function(listener: Any) -> None:
    """What cannot be called is refused when it is registered, not when the event happens."""
    with pytest.raises(ConfigurationError, match="Login"):
        Auth(**DEVELOPMENT).on(events.Login, listener)


# --- the secret of development ---


def test_the_development_secret_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: the first use makes a random secret that only its owner may read; every later process has the same."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / DEV_SECRET_FILE
    first, second = Auth(dev_mode=True), Auth(dev_mode=True)
    declared = file.exists()

    keys = [made.settings.keys.current("tests") for made in (first, second)]

    assert not declared
    assert keys[0] == keys[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) >= 43


def test_the_development_secret_stays_where_it_was_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that changes its folder after the declaration still finds its secret."""
    monkeypatch.chdir(tmp_path)
    made = Auth(dev_mode=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    made.settings.keys.current("tests")

    assert (tmp_path / DEV_SECRET_FILE).exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_development_secret_never_overwrites_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: the file is made exclusively, so what a link points to is read at most, and never written."""
    monkeypatch.chdir(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("the only copy of a text that somebody needs")
    victim.chmod(0o600)
    (tmp_path / DEV_SECRET_FILE).symlink_to(victim)

    Auth(dev_mode=True).settings.keys.current("tests")

    assert victim.read_text() == "the only copy of a text that somebody needs"


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"\xff" * 40)])
def test_an_unreadable_development_secret_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Any]
) -> None:
    """O1: a folder or a damaged file in its place is named, with what helps."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / DEV_SECRET_FILE)

    with pytest.raises(ConfigurationError, match="delete it"):
        Auth(dev_mode=True).settings.keys.current("tests")


def test_a_secret_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: where the folder takes no file, the sentence says why and what to pass instead."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    made = Auth(dev_mode=True)
    (tmp_path / "gone").rmdir()

    with pytest.raises(ConfigurationError, match=r"cannot be kept in .*: No such file or directory\. Pass secret=…"):
        made.settings.keys.current("tests")


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o601])
def test_a_development_secret_that_others_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """O1: a secret that others may read, or may have written, is none; the sentence says what to do."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / DEV_SECRET_FILE
    file.write_text(SECRET)
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match=rf"by others \(mode {mode:o}\): delete it"):
        Auth(dev_mode=True).settings.keys.current("tests")

    assert file.read_text() == SECRET


FULL = """
import resource
from authcore import Auth, ConfigurationError

made = Auth(dev_mode=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (5, resource.RLIM_INFINITY))
try:
    made.settings.keys.current("tests")
except ConfigurationError as error:
    print(error)
"""


def test_half_a_secret_is_not_left_behind(tmp_path: Path) -> None:
    """O1: on a full disk the file is taken away again, so that the next process makes a whole one."""
    done = subprocess.run([sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "cannot be kept" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_share_one_development_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O1: of many that find no file one makes it, and the others wait until it is written."""
    monkeypatch.chdir(tmp_path)
    rings, found = [Auth(dev_mode=True).settings.keys for _ in range(8)], []
    barrier = threading.Barrier(len(rings))

    def use(ring: Any) -> None:
        barrier.wait()
        found.append(ring.current("tests"))

    threads = [threading.Thread(target=use, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == len(rings)
    assert len(set(found)) == 1


# --- no I/O ---

WATCH = """
import json, os, sys, threading
import authcore.app, authcore.backends.build, authcore.backends.mail, authcore.backends.engines, sqlite3

seen = []

def watch(event, arguments):
    if event == "open" and not (isinstance(arguments[0], str) and arguments[0].endswith((".py", ".pyc"))):
        mode, flags = arguments[1] or "", arguments[2] or 0
        if set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append(event)
    elif event.startswith(("socket.", "sqlite3.", "subprocess.", "os.mkdir", "os.fork", "_thread.start")):
        seen.append(event)

sys.addaudithook(watch)
from authcore import Auth, Password, Sessions
settings = json.loads(sys.argv[1])
auth = Auth(features=[Password(), Sessions()], **settings)
auth.router, auth.features, auth.settings, auth.openapi, auth.blocking, auth.asyncio, repr(auth)
auth.blocking_core(), auth.async_core()
declared = list(seen)
files = sorted(os.listdir("."))
auth.create_tables()
print(json.dumps([declared, files, threading.active_count(), bool(seen)]))
"""


@pytest.mark.parametrize(
    "settings", [{"dev_mode": True}, {"dev_mode": True, "secret": SECRET, "outbox": "thread", "mailer": "console"}]
)
def test_a_declaration_does_no_io(tmp_path: Path, settings: dict[str, Any]) -> None:
    """O5: declaring, also with cores bound, opens no file to write, no socket, no database, and starts no thread."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps(settings)], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    declared, files, threads, later = json.loads(done.stdout)

    assert declared == []
    assert files == []
    assert threads == 1
    assert later  # the watch sees what create_tables does


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"verified": "no"}, "write verified=True or verified=False"),
        ({"mfa": 1}, "write mfa=True"),
        ({"csrf": None}, "write csrf=True"),
        ({"csrf": 0}, "write csrf=True"),
        ({"fresh": "0m"}, "fresh='5m'"),
        ({"fresh": timedelta(seconds=-1)}, "fresh='5m'"),
    ],
)
def test_a_requirement_that_is_none_says_what_to_write(needs: dict[str, Any], said: str) -> None:
    """What a guard asks is checked where it is declared: nothing falsy switches a check off."""
    with pytest.raises(ConfigurationError, match=said):
        requirement(**needs)
