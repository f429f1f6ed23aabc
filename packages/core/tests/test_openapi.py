"""The OpenAPI document: valid, whole, and true of every answer; `conftest.Client` holds each test's answers to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from authcore import Auth, Password, Sessions
from authcore.feature import Feature
from authcore.features.meta import Meta
from authcore.route import Answer, Requirement, Route

ROOMS = [Password(), Password(enabled=False), Password(require_code=False), Sessions(fresh_to_end=False), Meta()]
ROUTES: list[Route] = [route for room in (Password(), Sessions(), Meta()) for route in room.routes]
TOKEN = "ac1_at_" + "A" * 43
BAD: dict[str, tuple[dict[str, Any], bytes]] = {
    "nobody": ({}, b"{}"),
    "no JSON": ({}, b"{"),
    "broken off": ({"fault": "broken"}, b""),
    "too large": ({}, b" " * 70_000),
    "a form": ({"content_type": "text/plain"}, b"a=b"),
    "unknown field": ({}, b'{"role": "owner"}'),
    "two credentials": (
        {"authorization": f"Bearer {TOKEN}", "cookie": "authcore_session=x", "origin": "http://127.0.0.1:8000"},
        b"{}",
    ),
    "another site": ({"cookie": "authcore_session=x", "origin": "https://evil.example"}, b"{}"),
    "another host": ({"host": "evil.example"}, b"{}"),
}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: type(room).__name__)
@pytest.mark.parametrize("dev_mode", [True, False])
def test_the_document_is_valid(auth: Callable[..., Auth], room: Any, dev_mode: bool) -> None:
    """OpenAPI 3.1: a validator that is not ours finds nothing, whatever is enabled, and it is plain JSON."""
    site = {} if dev_mode else {"base_url": "https://example.com", "hashing": None}

    document = auth(room, dev_mode=dev_mode, **site).openapi

    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()


def test_every_route_and_no_other_is_described(auth: Callable[..., Auth]) -> None:
    """What the router answers is what the document lists, below the prefix that is mounted."""
    made = auth(prefix="/accounts/v1")

    described = {(method.upper(), path) for path, methods in made.openapi["paths"].items() for method in methods}

    assert described == {(route.method, f"/accounts/v1{route.path}") for route in made.router.routes}


def test_every_operation_has_a_name_of_its_own_and_a_sentence(auth: Callable[..., Auth]) -> None:
    """Generated clients are called by these names."""
    operations = [op for methods in auth().openapi["paths"].values() for op in methods.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_components_stand_apart_from_an_applications_own(auth: Callable[..., Auth]) -> None:
    """The document is merged into others: each component begins with `Authcore`, each is used, and none is missing."""
    document = auth().openapi
    text = json.dumps(document)

    schemas = document["components"]["schemas"]
    assert all(name.startswith("Authcore") for name in schemas)
    assert all(f'"#/components/schemas/{name}"' in text for name in schemas)
    assert all(name.startswith("authcore") for name in document["components"]["securitySchemes"])


def test_the_cookie_is_named_as_it_is_set(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """The security scheme names the very cookie that a browser gets."""
    made = auth(Password(require_code=False), cookie_name="shop")
    visitor = client(made, browser=True)

    visitor.sign_up()

    assert made.openapi["components"]["securitySchemes"]["authcoreCookie"]["name"] in visitor.jar


def test_a_route_that_asks_a_session_says_so(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """The padlock of the document is the guard's: who is nobody is refused there, and nowhere else."""
    made = auth()
    padlocked = {
        (method.upper(), path)
        for path, methods in made.openapi["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    }

    replies = {(route.method, f"/auth{route.path}"): _send(client(made), route, _whole(route)) for route in ROUTES}

    assert padlocked == {
        key for key, reply in replies.items() if reply.status == 401 and reply.code == "not_authenticated"
    }


class Asking(Feature):
    """A room with one route."""

    name = "asking"

    def __init__(self, needs: Requirement) -> None:
        self.routes = (
            Route(method="GET", path="/asking", handler=_never, summary="", answers={200: None}, needs=needs),
        )  # type: ignore[misc]


async def _never(ctx: Any, body: Any) -> Answer:
    return Answer(200, None)


@pytest.mark.parametrize(
    ("needs", "status", "code"),
    [
        (Requirement(), "401", "not_authenticated"),
        (Requirement(), "400", "ambiguous_credentials"),
        (Requirement(verified=True), "403", "email_not_verified"),
        (Requirement(mfa=True), "401", "insufficient_user_authentication"),
        (Requirement(default_fresh=True), "401", "reauthentication_required"),
        (Requirement(fresh=timedelta(minutes=1)), "401", "reauthentication_required"),
    ],
)
def test_what_a_guard_refuses_is_foreseen(
    auth: Callable[..., Auth], needs: Requirement, status: str, code: str
) -> None:
    """A third party's route gets the codes of what it needs without listing them."""
    responses = auth(Asking(needs)).openapi["paths"]["/auth/asking"]["get"]["responses"]

    assert code in responses[status]["description"].split(" · ")


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_every_refusal_of_every_route_is_foreseen(
    auth: Callable[..., Auth], client: Callable[..., Any], bad: str
) -> None:
    """R1: whatever is wrong with a request, the document lists the status and the code (`conftest.Client` compares)."""
    made = auth()
    headers, body = BAD[bad]

    for route in ROUTES:
        assert _send(client(made), route, body, **headers).status < 500


def test_a_database_that_is_away_is_foreseen(
    auth: Callable[..., Auth], client: Callable[..., Any], tmp_path: Path
) -> None:
    """O2: every route that asks the database documents its 503, says when to come back, and sets no cookie."""
    made = auth()
    (tmp_path / "auth.db").write_bytes(b"no database at all" * 1000)

    replies = {(route.method, route.path): _send(client(made), route, _whole(route), bearer=TOKEN) for route in ROUTES}

    asks_nothing = {
        ("GET", path) for path in ("/.well-known/jwks.json", "/openapi.json", "/password/policy", "/unlock")
    }
    assert {key for key, reply in replies.items() if reply.status != 503} == asks_nothing
    refused = [reply for reply in replies.values() if reply.status == 503]
    assert {reply.code for reply in refused} == {"unavailable"}
    assert all(int(reply.headers["retry-after"]) > 0 and not reply.result.cookies for reply in refused)


def _send(client: Any, route: Route, body: Any, **how: Any) -> Any:
    return client.send(route.method, route.path.replace("{id}", "1"), body if route.unsafe else None, **how)


def _whole(route: Route) -> dict[str, str]:
    """Answer a body that gets past the decoder."""
    bodies = {
        "/sign-up": {"email": "ada@example.com", "password": "three quiet herons wade"},
        "/sign-in": {"email": "ada@example.com", "password": "three quiet herons wade"},
        "/sign-up/verify": {"challenge_id": "ac1_ch_" + "A" * 43, "code": "123456"},
        "/sign-up/resend": {"challenge_id": "ac1_ch_" + "A" * 43},
        "/sign-in/new-password": {"challenge_id": "ac1_ch_" + "A" * 43, "new_password": "three quiet herons wade"},
        "/password/change": {"new_password": "three quiet herons wade"},
        "/password/change/verify": {"challenge_id": "ac1_ch_" + "A" * 43, "code": "123456"},
        "/password/set": {"new_password": "three quiet herons wade"},
        "/unlock": {"token": "ac1_ln_" + "A" * 43},
    }
    return bodies.get(route.path, {})


def test_successes_look_as_the_document_says(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """The body of each answer of a life of an account is an instance of the schema that stands for it."""
    made = auth()
    visitor = client(made)
    document = made.openapi

    begun = visitor.post("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"})
    answer = {"challenge_id": begun.json["challenge"]["id"], "code": visitor.mailed_code()}
    signed_in = visitor.post("/sign-up/verify", answer)
    tokens = signed_in.json
    bearer = {"bearer": tokens["access_token"]}
    seen = {
        ("/sign-up", "post"): begun,
        ("/sign-up/verify", "post"): signed_in,
        ("/sign-in", "post"): visitor.sign_in(),
        ("/me", "get"): visitor.get("/me", **bearer),
        ("/session", "get"): visitor.get("/session", **bearer),
        ("/sessions", "get"): visitor.get("/sessions", **bearer),
        ("/sessions/revoke-others", "post"): visitor.post("/sessions/revoke-others", {}, **bearer),
        ("/health", "get"): visitor.get("/health"),
        ("/refresh", "post"): visitor.post("/refresh", {"refresh_token": tokens["refresh_token"]}),
        ("/sign-out", "post"): visitor.post("/sign-out", {}, **bearer),
    }

    for (path, method), reply in seen.items():
        responses = document["paths"][f"/auth{path}"][method]["responses"]
        [content] = responses[str(reply.status)]["content"].values()
        _validator(document, content["schema"]).validate(reply.json)
        assert reply.status < 300


def test_failures_look_as_the_document_says(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """The one shape of failures holds for those with details and those without."""
    made = auth()
    schema = {"$ref": "#/components/schemas/AuthcoreFailure"}

    for body in ({}, {"email": 5, "password": "x"}, b"{"):
        reply = client(made).post("/sign-in", body)
        _validator(made.openapi, schema).validate(reply.json)


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})
