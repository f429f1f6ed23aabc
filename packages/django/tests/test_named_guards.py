"""Several guards on one project, each as an object, and as a need of a view, sync and async."""

from typing import Any

import pytest
from named_guards import PERSON, guards

SITE = [("Origin", "http://testserver"), ("Content-Type", "application/json")]
Ask = Any
Declare = Any
SignUp = Any


@pytest.fixture(autouse=True)
def guarded(declare: Declare) -> None:
    """Declare three guards."""
    declare(guards=guards())


def attempt(ask: Ask, a: str, name: str, **person: str) -> Any:
    """Sign in by a guard."""
    return ask("POST", f"/{a}attempt/{name}", SITE, {**PERSON, **person})


def credential(name: str, answer: Any) -> tuple[str, str]:
    """Answer the header that carries what an attempt handed out."""
    if name == "api":
        return "Authorization", f"Bearer {answer.json['token']}"
    return "Cookie", answer.all("Set-Cookie")[0].partition(";")[0]


@pytest.mark.parametrize(("name", "other"), [("web", "api"), ("api", "web")])
@pytest.mark.parametrize("a", ["", "a"])
def test_a_guard_signs_in_by_its_own_credential(ask: Ask, sign_up: SignUp, a: str, name: str, other: str) -> None:
    """S16, S18, S19: `attempt` is true with a cookie or tokens, by which that guard alone knows who asks."""
    sign_up()

    wrong, right = attempt(ask, a, name, password="something else entirely"), attempt(ask, a, name)
    known, unknown = (ask("GET", f"/{a}who/{each}", [credential(name, right)]) for each in (name, other))

    assert (wrong.json["succeeded"], wrong.all("Set-Cookie")) == (False, [])
    assert (right.json["succeeded"], right.json["email"]) == (True, "ada@example.com")
    assert (right.json["token"] is None, right.all("Set-Cookie") == []) == (name == "web", name == "api")
    assert known.json == {"email": "ada@example.com", "check": True, "guest": False}
    assert unknown.json == {"email": None, "check": False, "guest": True}


@pytest.mark.parametrize("a", ["", "a"])
def test_a_guard_signs_out(ask: Ask, sign_up: SignUp, a: str) -> None:
    """S18: `logout` ends the session of the guard that is asked, and takes its cookie away."""
    sign_up()
    carried = credential("web", attempt(ask, a, "web"))

    other = ask("POST", f"/{a}logout/api", [*SITE, carried])
    still = ask("GET", f"/{a}who/web", [carried])
    left = ask("POST", f"/{a}logout/web", [*SITE, carried])

    assert (other.json, still.json["check"]) == ({"ended": False}, True)
    assert left.json == {"ended": True}
    assert [line.partition(";")[0] for line in left.all("Set-Cookie")] == ["authcore_session="]
    assert ask("GET", f"/{a}who/web", [carried]).json["guest"]


@pytest.mark.parametrize("target", ["/api", "/aapi"])
def test_a_named_guard_is_who_the_current_user_is(ask: Ask, sign_up: SignUp, lookups: list[str], target: str) -> None:
    """S17: behind `require(guard="api")` the current user and the guard without a name are its own, looked up once."""
    carried = sign_up(transport="bearer")
    lookups.clear()

    answer, refused = ask("GET", target, [carried]), ask("GET", target)

    assert answer.json == {"email": "ada@example.com", "again": "ada@example.com"}
    assert len(lookups) == 1
    assert refused.code == (401, "not_authenticated")
    assert "Authorization" in answer.all("Vary")[0]


@pytest.mark.parametrize("target", ["/keys", "/akeys"])
def test_a_driver_of_ones_own_is_a_guard(ask: Ask, target: str) -> None:
    """S17, S20: a driver that the project wrote, made of the Auth, lets in whose key it knows."""
    let_in, refused = ask("GET", target, [("X-Api-Key", "k")]), ask("GET", target)

    assert let_in.json == {"email": "grace@example.com", "same": True}
    assert refused.code == (401, "not_authenticated")


@pytest.mark.parametrize("a", ["", "a"])
def test_a_session_of_fewer_scopes(ask: Ask, sign_up: SignUp, a: str) -> None:
    """RFC 6750 3.1: `login(scopes=…)` makes a session that a view refuses which asks for more."""
    user = ask("GET", "/auth/me", [sign_up()]).json["user"]["id"]
    carried = credential("api", ask("POST", f"/{a}login", SITE, {"id": user}))

    scoped, plain = ask("GET", f"/{a}scoped", [carried]), ask("GET", f"/{a}api", [carried])

    assert plain.status == 200
    assert scoped.code == (403, "insufficient_scope")
    assert scoped.all("WWW-Authenticate") == ['Bearer error="insufficient_scope", scope="read write"']


@pytest.mark.parametrize("target", ["/either", "/aeither"])
def test_an_optional_guard_lets_nobody_in(ask: Ask, sign_up: SignUp, target: str) -> None:
    """`require(optional=True)` lets in whom any of its guards knows, and nobody."""
    sign_up()
    carried = [[credential(name, attempt(ask, "", name))] for name in ("web", "api")]

    answers = [ask("GET", target, headers).json["email"] for headers in (*carried, [])]

    assert answers == ["ada@example.com", "ada@example.com", None]
