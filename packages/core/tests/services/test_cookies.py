"""Cookies: one name, one value, one reading; long values in parts (rules R1, R6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth, ConfigurationError, Request, Sessions, SignedIn
from authcore.context import AppSettings
from authcore.errors import AmbiguousCredentials
from authcore.services import cookies

SITE = "https://example.com"
NAME = "__Host-authcore_session"
VALUES = st.text(alphabet="abcXYZ019._~-", min_size=1, max_size=25_000)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> AppSettings:
    """The settings of a site on the open internet."""
    return settings()


def settings(**more: Any) -> AppSettings:
    """Answer the settings of a site."""
    given = {"secret": "a secret of these tests, long enough", "base_url": SITE, "database": "sqlite:///x.db"}
    return Auth(**{**given, "mailer": lambda _mail: None, **more}).settings


def carrying(made: Any) -> Request:
    """Answer a request that carries cookies."""
    pairs = made if isinstance(made, str) else "; ".join(f"{cookie.name}={cookie.value}" for cookie in made)
    return Request("GET", "/x", headers={"cookie": pairs})


@given(value=VALUES, domain=st.sampled_from([None, "example.com"]), age=st.sampled_from([None, 0, 7_776_000]))
def test_a_value_comes_back_whole(value: str, domain: str | None, age: int | None) -> None:
    """R6: whatever its length, a value is set in cookies below 4096 bytes each, and read back joined."""
    app = settings(cookie_domain=domain)

    made = cookies.make_split(app, "session", value, age)

    assert cookies.read(app, carrying(made), "session") == value
    assert cookies.read(app, carrying(made[::-1]), "session") == value
    assert all(len(cookie.header()) < 4096 and len(cookie.value) <= 3800 for cookie in made)
    assert (len(made) == 1) == (len(value) <= min(3800, 4095 - len(made[0].header()) + len(made[0].value) - 2))


def test_the_parts_are_numbered(app: AppSettings) -> None:
    """R6: the first bears the name, the others a number, all the same attributes."""
    made = cookies.make_split(app, "session", "a" * 9000, 60)

    assert [cookie.name for cookie in made] == [NAME, f"{NAME}.1", f"{NAME}.2"]
    assert {(cookie.path, cookie.max_age, cookie.secure, cookie.same_site) for cookie in made} == {
        ("/", 60, True, "Lax")
    }
    assert [cookie.name for cookie in cookies.make_split(app, "session", "a" * 3800, 60)] == [NAME]
    assert len(cookies.make_split(app, "session", "a" * 3801, 60)) == 2


def test_the_longest_domain_still_fits() -> None:
    """R6: the attributes count: under a long domain the parts are shorter."""
    domain = ".".join(["a" * 60] * 4)

    made = cookies.make_split(settings(base_url=f"https://{domain}", cookie_domain=domain), "session", "a" * 9000, 60)

    assert len(made) == 3
    assert max(len(cookie.header()) for cookie in made) == 4095


def test_more_than_eight_parts_are_no_cookie(app: AppSettings) -> None:
    """A value that browsers would not send back is refused, saying what to keep less of."""
    assert len(cookies.make_split(app, "session", "a" * 8 * 3800, 60)) == 8

    with pytest.raises(ConfigurationError, match="claims"):
        cookies.make_split(app, "session", "a" * (8 * 3800 + 1), 60)


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}.1=b",
        f"{NAME}=a; {NAME}.2=c",
        f"{NAME}=; {NAME}.1=b",
        f"{NAME}=a; {NAME}.1=",
        f"{NAME}.1=b; {NAME}.2=c; {NAME}.3=d",
    ],
)
def test_a_gap_is_nothing(app: AppSettings, header: str) -> None:
    """R6: of a value whose parts are not all there nothing is read: its browser may sign in again."""
    assert cookies.read(app, carrying(header), "session") is None


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}=a; {NAME}.1=b; {NAME}.1=b",
        f"{NAME}=a; {NAME}.1=b; {NAME}=a",
        f"{NAME}=a; {NAME}.8=b",
        f"{NAME}=a; {NAME}.99=b",
        f'{NAME}=a; {NAME}.1="b"',
        f"{NAME}=a,{NAME}.1=b",
        "; ".join([f"{NAME}=a", *(f"{NAME}.{number}=b" for number in range(1, 9))]),
    ],
)
def test_parts_that_servers_read_differently_are_refused(app: AppSettings, header: str) -> None:
    """R1, R6: twice the same part, a part too many, a comma, another alphabet: refused and never guessed at."""
    with pytest.raises(AmbiguousCredentials):
        cookies.read(app, carrying(header), "session")


@pytest.mark.parametrize(
    "name", [f"{NAME}.0", f"{NAME}.01", f"{NAME}.x", f"{NAME}.", f"{NAME}.100", f"{NAME}_1", f"x{NAME}"]
)
def test_other_names_are_other_cookies(app: AppSettings, name: str) -> None:
    """A name that authcore never writes is the application's own."""
    assert cookies.read(app, carrying(f"{NAME}=a; {name}=b"), "session") == "a"


def test_all_that_is_carried_is_cleared(app: AppSettings) -> None:
    """R6: with the cookie every part of it goes that the request carried, with the attributes it was set with."""
    made = cookies.make_split(app, "session", "a" * 9000, 60)

    gone = cookies.clear_carried(app, carrying((*made, *made)), "session")

    assert [cookie.name for cookie in gone] == [cookie.name for cookie in made]
    assert {(cookie.value, cookie.max_age, cookie.path, cookie.secure) for cookie in gone} == {("", 0, "/", True)}
    assert cookies.clear_carried(app, carrying("theme=dark"), "session") == ()
    assert cookies.clear_carried(app, None, "session") == ()


# --- a session in parts ---


class Large(msgspec.Struct, frozen=True):
    """Claims that no single cookie holds once they are sealed."""

    note: str


def test_a_sealed_session_travels_in_parts(auth: Callable[..., Auth]) -> None:
    """R6: a sealed cookie with large fields is split, opens its session, is renewed, and is cleared whole."""
    made = auth(Sessions(cookie="sealed", cookie_refresh=True, access_ttl=timedelta(minutes=5)))
    origin = {"origin": "http://127.0.0.1:8000"}
    jar: dict[str, str] = {}

    def calls() -> Any:
        header = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        return made.blocking.on(Request("POST", "/mine", headers={**origin, **header}))

    def keep(outcome: Any) -> Any:
        for cookie in outcome.cookies:
            assert len(cookie.header()) < 4096
            jar[cookie.name] = cookie.value
            if cookie.max_age == 0:
                del jar[cookie.name]
        return outcome

    large = keep(calls().sessions.create_session(user={"email": "ada@example.com"}, claims={"note": "\u00e9" * 1000}))
    assert isinstance(large, SignedIn)
    many = keep(
        calls().sessions.create_session(user_id=large.user.id, claims={"note": "x" * 2000}, device_id="d" * 200)
    )
    assert calls().sessions.get_session().claims_as(Large) == Large("x" * 2000)
    parts = [name for name in jar if name.startswith("authcore_session")]

    small = keep(calls().sessions.create_session(user_id=large.user.id))

    assert len(parts) == 2
    assert isinstance(many, SignedIn)
    assert [name for name in jar if name.startswith("authcore_session")] == ["authcore_session"]
    assert calls().sessions.get_session().id == small.session.id
    keep(calls().sessions.sign_out())
    assert jar == {}
