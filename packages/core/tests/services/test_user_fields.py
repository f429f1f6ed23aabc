"""An application's own fields of its users: typed, stored, and never set by strangers (rule R2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from msgspec import Meta

from authcore import Auth, ConfigurationError, Editable, User
from authcore.errors import InvalidFields
from authcore.services import user_fields
from authcore.services.accounts import users

PASSWORD = "three quiet herons wade"
EMAIL = "ada@example.com"


class Member(User, frozen=True, kw_only=True):
    """A user with a plan that the application sets, and a nickname that the user sets."""

    plan: str = "free"
    seats: int = 1
    nickname: Annotated[str, Meta(max_length=20), Editable] = ""


def answered(auth: Auth, client: Any, **more: Any) -> Any:
    """Sign up and answer the user of the answer."""
    return client(auth).sign_up(**more).json["user"]


def test_a_user_has_the_declared_fields(auth: Callable[..., Auth], client: Any) -> None:
    """The defaults stand in every answer, and the Python calls answer the application's own type."""
    made = auth(user=Member)
    reply = client(made).sign_up()

    assert {name: reply.json["user"][name] for name in ("plan", "seats", "nickname")} == {
        "plan": "free",
        "seats": 1,
        "nickname": "",
    }
    found = made.blocking.sessions.get_user(access_token=reply.json["access_token"])
    assert isinstance(found, Member)
    assert found.plan == "free"


def test_the_user_sets_what_is_editable(auth: Callable[..., Auth], client: Any) -> None:
    """A field that is declared editable is taken at sign-up."""
    assert answered(auth(user=Member), client, nickname="Countess")["nickname"] == "Countess"


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"plan": "gold"}, "plan", "unknown"),
        ({"seats": 5}, "seats", "unknown"),
        ({"nickname": "x" * 21}, "nickname", "too_long"),
        ({"nickname": 5}, "nickname", "wrong_type"),
        ({"role": "admin"}, "role", "unknown"),
    ],
)
def test_nothing_else_is_assigned(
    auth: Callable[..., Auth], client: Any, more: dict[str, Any], field: str, code: str
) -> None:
    """R2: a field that is not declared editable is refused, and so is a value of another type."""
    refused = client(auth(user=Member)).post("/sign-up", {"email": EMAIL, "password": PASSWORD, **more})

    assert refused.status == 422
    assert [(detail["field"], detail["code"]) for detail in refused.json["error"]["details"]] == [(field, code)]


def test_server_code_sets_any_declared_field(auth: Callable[..., Auth]) -> None:
    """The Python call takes the fields that HTTP refuses, checked against their types."""
    made = auth(user=Member)
    made.create_tables()

    made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, fields={"plan": "gold"})
    for fields in ({"plan": 5}, {"colour": "red"}):
        with pytest.raises(InvalidFields):
            made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, fields=fields)


def test_what_no_longer_fits_reads_as_the_default(auth: Callable[..., Auth], client: Any, inside: Any) -> None:
    """Values that were stored under an earlier declaration make no request fail."""
    made = auth(user=Member)
    token = client(made).sign_up(nickname="Countess").json["access_token"]
    stored = {"plan": ["gold"], "gone": 1, "nickname": "Countess"}
    inside(made).write(lambda tx: tx.execute(users.update().values(fields=stored)))

    found = made.blocking.sessions.get_user(access_token=token)

    assert isinstance(found, Member)
    assert (found.plan, found.nickname) == ("free", "Countess")


def test_the_document_shows_the_fields(auth: Callable[..., Auth]) -> None:
    """OpenAPI has them in the user's schema, and the editable ones alone in the body of sign-up."""
    schemas = auth(user=Member).openapi["components"]["schemas"]

    assert {"plan", "seats", "nickname"} <= set(schemas["AuthcoreUser"]["properties"])
    assert "AuthcoreMember" not in schemas  # which no route would name
    body = set(schemas["AuthcoreSignUp"]["properties"])
    assert "nickname" in body
    assert not {"plan", "seats"} & body


class Required(User, frozen=True, kw_only=True):
    """A field that users who are there already would lack."""

    plan: str


class Thawed(User, kw_only=True, frozen=False):
    """A user that changes under its holder."""

    plan: str = "free"


class Odd(User, frozen=True, kw_only=True):
    """A field that JSON cannot carry."""

    made: complex = 0j


@pytest.mark.parametrize(
    ("kind", "says"),
    [(Required, "has no default"), (Thawed, "frozen=True"), (Odd, "has a type"), (dict, "subclass"), ("x", "subclass")],
)
def test_a_type_that_cannot_work_is_refused_at_start(kind: Any, says: str) -> None:
    """Each refusal says what to write."""
    with pytest.raises(ConfigurationError, match=says):
        user_fields.shape_of(kind)
