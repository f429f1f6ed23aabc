"""Who may become a user: every way of making one passes one door (S1, rule A2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import authcore
from authcore import Auth, Candidate, ConfigurationError
from authcore.errors import SignUpClosed
from authcore.services import admission
from authcore.services.admission import Way

SOURCE = Path(authcore.__file__).parent
EMAIL = "ada@example.com"


def drafted(world: Any, way: str, **given: Any) -> Any:
    """Draft a user that comes by a way."""
    return world.run(admission.new_user(world.ctx(), way=way, email=EMAIL, **given))


def test_no_other_place_makes_a_user() -> None:
    """The only `NewUser(` outside its class stands in the door itself."""
    places = [path.name for path in SOURCE.rglob("*.py") if re.search(r"\bNewUser\(", path.read_text("utf-8"))]

    assert sorted(places) == ["accounts.py", "admission.py"]


@pytest.mark.parametrize("way", get_args(Way))
def test_an_open_door_lets_everybody_in(auth: Callable[..., Auth], inside: Any, way: str) -> None:
    """By default whoever asks becomes a user."""
    assert drafted(inside(auth()), way).email == EMAIL


@pytest.mark.parametrize(("way", "let_in"), [(way, way != "sign_up") for way in get_args(Way)])
def test_a_closed_door_leaves_invitations_and_server_code(
    auth: Callable[..., Auth], inside: Any, way: str, let_in: bool
) -> None:
    """With `sign_up="closed"` strangers are refused, whether they have an account or not."""
    world = inside(auth(sign_up="closed"))

    if let_in:
        assert drafted(world, way).email == EMAIL
    else:
        with pytest.raises(SignUpClosed):
            drafted(world, way)


def test_a_hook_is_asked_about_the_candidate(auth: Callable[..., Auth], inside: Any) -> None:
    """The application's own rule sees the way, the tenant and the address, and decides by True or False."""
    asked: list[Candidate] = []

    def rule(candidate: Candidate) -> bool:
        asked.append(candidate)
        return candidate.way == "administration"

    world = inside(auth(sign_up=rule))

    with pytest.raises(SignUpClosed):
        drafted(world, "sign_up", display_name="Ada")
    assert drafted(world, "administration").email == EMAIL
    assert asked[0] == Candidate("sign_up", "default", EMAIL, None, "Ada")


def test_an_answer_that_is_neither_yes_nor_no_is_a_fault(auth: Callable[..., Auth], inside: Any) -> None:
    """A hook that forgets to answer lets nobody in."""
    world = inside(auth(sign_up=lambda candidate: None))

    with pytest.raises(ConfigurationError, match="answers True or False"):
        drafted(world, "sign_up")


def test_sign_up_over_http_is_refused_for_known_and_unknown_alike(
    auth: Callable[..., Auth], client: Callable[..., Any]
) -> None:
    """A closed sign-up says the same of an address that has an account and of one that has none."""
    opened = auth()
    assert client(opened).sign_up().status == 200
    closed = client(auth(sign_up="closed"))

    answers = [
        closed.post("/sign-up", {"email": email, "password": "four loud cranes walk"})
        for email in (EMAIL, "eve@example.com")
    ]

    assert [(answer.status, answer.code) for answer in answers] == [(403, "sign_up_closed")] * 2
    assert answers[0].result.body == answers[1].result.body
