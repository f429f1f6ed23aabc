"""The application's own OpenAPI document, and authcore's structs in its routes."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from pydantic import BaseModel

from authcore import Auth, Session, User
from authcore_fastapi import AuthCore, CurrentSession, CurrentUser, require

SignUp = Callable[..., dict[str, Any]]
EITHER = [{"authcoreBearer": []}, {"authcoreCookie": []}]


class Greeting(BaseModel):
    """A model of the application's that holds a struct of authcore's."""

    user: User
    at: int


class Extended(User, frozen=True, kw_only=True):
    """A user with a field that a route does not declare."""

    shoe_size: int


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """Answer the document of an application with routes of its own."""

    @app.get("/me")
    async def me(user: CurrentUser) -> User:
        return user

    @app.get("/admin", dependencies=[Depends(require(mfa=True))])
    async def admin(session: CurrentSession) -> Session:
        return session

    @app.post("/greet")
    async def greet(greeting: Greeting) -> Greeting:
        return greeting

    @app.get("/free")
    async def free() -> None: ...

    return app.openapi()


def test_the_merged_document_is_valid(document: dict[str, Any]) -> None:
    """The application's document with authcore's in it is OpenAPI 3.1."""
    validate(document)


def test_authcores_routes_stand_in_it(document: dict[str, Any], auth: Auth) -> None:
    """Every route of the core stands under its prefix, beside the application's own."""
    assert set(auth.openapi["paths"]) <= set(document["paths"])
    assert document["paths"]["/auth/sign-in"] == auth.openapi["paths"]["/auth/sign-in"]
    assert "/me" in document["paths"]


def test_schemes_and_schemas_are_named_after_authcore(document: dict[str, Any]) -> None:
    """What is merged collides with nothing of the application's."""
    assert set(document["components"]["securitySchemes"]) == {"authcoreCookie", "authcoreBearer"}
    foreign = {name for name in document["components"]["schemas"] if not name.startswith("Authcore")}
    assert foreign == {"Greeting", "HTTPValidationError", "ValidationError"}


def test_guarded_routes_have_padlocks(document: dict[str, Any]) -> None:
    """Either scheme opens a guarded route; a free one names none."""
    paths = document["paths"]

    assert sorted(paths["/me"]["get"]["security"], key=str) == EITHER
    assert sorted(paths["/admin"]["get"]["security"], key=str) == EITHER
    assert "security" not in paths["/free"]["get"]


def test_a_users_schema_is_the_cores(document: dict[str, Any], auth: Auth) -> None:
    """A route that answers a User refers to the component that authcore's own routes refer to."""
    answer = document["paths"]["/me"]["get"]["responses"]["200"]["content"]["application/json"]

    assert answer["schema"] == {"$ref": "#/components/schemas/AuthcoreUser"}
    assert document["components"]["schemas"]["AuthcoreUser"] == auth.openapi["components"]["schemas"]["AuthcoreUser"]


def test_the_document_is_made_once(app: FastAPI, document: dict[str, Any]) -> None:
    """Asked again, the same document answers: nothing is merged twice."""
    assert app.openapi() is document


def test_two_documents_do_not_mix(document: dict[str, Any], declare: Callable[..., Auth]) -> None:
    """Another application's document has its own prefix and not the first one's routes."""
    other = FastAPI()
    AuthCore(other, declare(prefix="/login"))

    paths = set(other.openapi()["paths"])

    assert "/login/sign-in" in paths
    assert not paths & set(document["paths"])


def test_the_docs_page_loads_the_merged_document(app: FastAPI, document: dict[str, Any]) -> None:
    """`/openapi.json` of the application is what `/docs` reads."""
    served = TestClient(app).get("/openapi.json").json()

    assert "/auth/sign-in" in served["paths"]


@pytest.mark.parametrize("answer", [User, list[User], dict[str, User], User | None, None])
def test_a_route_may_answer_a_user(app: FastAPI, client: TestClient, sign_up: SignUp, answer: Any) -> None:
    """Declared or not, alone or inside something, a User is answered as authcore answers it."""

    @app.get("/mine", response_model=answer)
    async def mine(user: CurrentUser) -> Any:
        nested = {list[User]: [user], dict[str, User]: {"user": user}}
        return nested.get(answer, user)

    expected = sign_up(client)["user"]
    got = client.get("/mine").json()

    assert {list[User]: [expected], dict[str, User]: {"user": expected}}.get(answer, expected) == got


def test_a_field_that_is_not_declared_is_not_answered(app: FastAPI, client: TestClient, sign_up: SignUp) -> None:
    """A subclass with fields of its own answers those of the declared struct alone."""

    @app.get("/mine")
    async def mine(user: CurrentUser) -> User:
        return Extended(**{name: getattr(user, name) for name in user.__struct_fields__}, shoe_size=37)

    expected = sign_up(client)["user"]

    assert client.get("/mine").json() == expected


def test_a_struct_in_a_body_is_checked(client: TestClient, document: dict[str, Any], sign_up: SignUp) -> None:
    """A model may hold a User: what is none is FastAPI's own 422, and no error of the server."""
    user = sign_up(client)["user"]

    right = client.post("/greet", json={"user": user, "at": 1})
    wrong = client.post("/greet", json={"user": {"id": 1}, "at": 1})

    assert right.json() == {"user": user, "at": 1}
    assert wrong.status_code == 422
