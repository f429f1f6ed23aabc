"""The application's own document holds authcore's routes, schemas and padlocks."""

from typing import Any

import msgspec
import pytest
from litestar import Litestar, get
from litestar.app import DEFAULT_OPENAPI_CONFIG
from litestar.openapi.config import OpenAPIConfig
from litestar.testing import TestClient
from openapi_spec_validator import validate

from authcore import Auth, Session, User
from authcore_litestar import AuthCore, CurrentUser, require

EITHER = [{"authcoreCookie": []}, {"authcoreBearer": []}]


@pytest.fixture
def document(app: Litestar) -> dict[str, Any]:
    """Answer the document that the application serves."""
    with TestClient(app) as client:
        served: dict[str, Any] = client.get("/schema/openapi.json").json()
    return served


def test_the_document_holds_authcores_routes_and_is_valid(app: Litestar, auth: Auth, document: dict[str, Any]) -> None:
    """Every route, schema and scheme of authcore stands in the served document and in `app.openapi_schema`."""
    assert document == app.openapi_schema.to_schema()
    assert auth.openapi["paths"].items() <= document["paths"].items()
    assert auth.openapi["components"]["schemas"].items() <= document["components"]["schemas"].items()
    assert document["components"]["securitySchemes"] == auth.openapi["components"]["securitySchemes"]
    validate(document)  # type: ignore[arg-type]


def test_guarded_routes_show_either_scheme(document: dict[str, Any]) -> None:
    """A guard and `CurrentUser` put padlocks on the application's own routes, and on no others."""
    security = {path: document["paths"][path]["get"].get("security") for path in ("/hello", "/me", "/open", "/raise")}

    assert security == {"/hello": EITHER, "/me": EITHER, "/open": None, "/raise": None}


def test_what_the_application_says_stays(auth: Auth) -> None:
    """A `security` of the application's own, and its configuration, stay as they are."""

    async def own() -> None: ...

    config = OpenAPIConfig(title="Mine", version="7")
    app = Litestar(
        [get("/own", guards=[require()], security=[{"mine": []}])(own)],
        plugins=[AuthCore(auth)],
        openapi_config=config,
    )

    document = app.openapi_schema.to_schema()

    assert document["info"] == {"title": "Mine", "version": "7"}
    assert document["paths"]["/own"]["get"]["security"] == [{"mine": []}]
    assert config.to_openapi_schema().to_schema()["paths"] == {}


def test_litestars_shared_default_stays_untouched(app: Litestar) -> None:
    """Another application of the process does not get authcore's routes into its document."""
    other = Litestar()

    assert "/auth/health" in app.openapi_schema.to_schema()["paths"]
    assert other.openapi_schema.to_schema()["paths"] == {}
    assert "to_openapi_schema" not in vars(DEFAULT_OPENAPI_CONFIG)


def test_an_application_without_a_document_works(auth: Auth) -> None:
    """`openapi_config=None` is honoured."""
    app = Litestar(plugins=[AuthCore(auth)], openapi_config=None)
    with TestClient(app, base_url="http://app.localhost") as client:
        assert client.get("/schema/openapi.json").status_code == 404
        assert client.get("/auth/openapi.json").status_code == 200


def test_what_the_application_answers_has_authcores_names(auth: Auth) -> None:
    """A User in an answer of the application's own is the one component that authcore's document brings."""

    class Page(msgspec.Struct):
        user: User | None
        sessions: list[Session]

    async def me(current_user: CurrentUser) -> User:
        return current_user

    async def page() -> Page: ...  # type: ignore[empty-body]

    app = Litestar([get("/me")(me), get("/page")(page)], plugins=[AuthCore(auth)])
    document: Any = app.openapi_schema.to_schema()

    schemas = document["components"]["schemas"]
    assert {name for name in schemas if "User" in name or "Session" in name} <= set(
        auth.openapi["components"]["schemas"]
    )
    assert schemas["AuthcoreUser"] == auth.openapi["components"]["schemas"]["AuthcoreUser"]
    answered = document["paths"]["/me"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answered == {"$ref": "#/components/schemas/AuthcoreUser"}
    validate(document)
