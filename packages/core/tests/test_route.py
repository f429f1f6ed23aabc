"""The one router: paths match exactly, methods answer as HTTP asks, and a route is found or it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore import Auth
from authcore.errors import MethodNotAllowed, NotFound
from authcore.route import Answer, Route, Router, allowed


async def handle(ctx: Any, body: Any) -> Answer:
    """Answer nothing."""
    return Answer(204, None)


def route(method: str, path: str) -> Route:
    """Make a route."""
    return Route(method=method, path=path, handler=handle, summary="A route", answers={204: None})


ROUTER = Router(
    (
        route("GET", "/things"),
        route("POST", "/things"),
        route("DELETE", "/things/{id}"),
        route("GET", "/things/{id}"),
        route("POST", "/things/{id}/parts/{part_id}"),
        route("POST", "/things/all"),
        route("GET", "/a.b"),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "found", "params"),
    [
        ("GET", "/things", "/things", {}),
        ("HEAD", "/things", "/things", {}),
        ("POST", "/things", "/things", {}),
        ("DELETE", "/things/7", "/things/{id}", {"id": "7"}),
        ("GET", "/things/a.b-c_d~e", "/things/{id}", {"id": "a.b-c_d~e"}),
        ("POST", "/things/1/parts/2", "/things/{id}/parts/{part_id}", {"id": "1", "part_id": "2"}),
        ("POST", "/things/all", "/things/all", {}),
        ("GET", "/a.b", "/a.b", {}),
        ("GET", "/things/" + "x" * 200, "/things/{id}", {"id": "x" * 200}),
    ],
)
def test_a_route_is_found_with_its_parameters(method: str, path: str, found: str, params: dict[str, str]) -> None:
    """A fixed path wins over a pattern, and HEAD is GET."""
    route, values = ROUTER.find(method, path)

    assert (route.path, values) == (found, params)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "things",
        "/things/",
        "//things",
        "/Things",
        "/things//parts/2",
        "/things/7/",
        "/things/a b",
        "/things/a/b",
        "/things/a%2Fb",
        "/things/ä",
        "/things/\ufffd",
        "/things/7\n",
        "/things/\0",
        "/things/" + "x" * 201,
        "/things?x=1",
        "/things#x",
        "/aXb",
        "/things/{id}",
    ],
)
def test_no_other_path_is_found(path: str) -> None:
    """No slash is forgiven, and a parameter is 1 to 200 unreserved signs."""
    with pytest.raises(NotFound):
        ROUTER.find("GET", path)


@given(st.text(max_size=30))
def test_any_path_is_found_or_not(path: str) -> None:
    """R1: whatever a server decodes is a route or a 404."""
    try:
        methods, params = ROUTER.methods("/things/" + path)
    except NotFound:
        return

    assert methods
    assert all(value in path for value in params.values())


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/things", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/things/7", "DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/things/all", "OPTIONS, POST"),
        ("HEAD", "/things/all", "OPTIONS, POST"),
        ("get", "/things", "GET, HEAD, OPTIONS, POST"),
        ("BREW", "/things", "GET, HEAD, OPTIONS, POST"),
        ("", "/things", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_another_method_is_told_which_are_allowed(method: str, path: str, allow: str) -> None:
    """RFC 9110 15.5.6: 405 carries `Allow`, sorted; methods are case-sensitive."""
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.find(method, path)

    assert dict(caught.value.headers) == {"Allow": allow}


def test_two_routes_of_one_method_and_path_are_refused() -> None:
    """A router in which one route hides another is not made."""
    with pytest.raises(ValueError, match="GET /things"):
        Router((route("GET", "/things"), route("GET", "/things")))


def test_head_is_allowed_where_get_is() -> None:
    """RFC 9110 9.3.2: whoever answers GET answers HEAD."""
    assert allowed(["GET"]) == "GET, HEAD, OPTIONS"
    assert allowed(["POST"]) == "OPTIONS, POST"


# --- through the front door ---


def paths(made: Auth) -> list[str]:
    """Answer a path for each route."""
    return sorted({route.path.replace("{id}", "0190-x") for route in made.router.routes})


def test_options_answers_what_every_path_allows(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """OPTIONS on a known path is 204 with `Allow`, without a body, and on an unknown one 404."""
    made = auth()
    visitor = client(made)

    for path in paths(made):
        reply = visitor.send("OPTIONS", path)
        methods, _ = made.router.methods(path)
        assert (reply.status, reply.result.body, reply.headers["allow"]) == (204, b"", allowed(methods))
    assert visitor.send("OPTIONS", "/nowhere").status == 404


def test_head_answers_like_get_without_a_body(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """RFC 9110 9.3.2: the same status and headers, successes and failures alike."""
    made = auth()
    visitor = client(made)

    for path in [*paths(made), "/nowhere"]:
        get, head = visitor.get(path), visitor.send("HEAD", path)
        assert (head.status, head.headers, head.result.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", ""])
def test_methods_that_nobody_has_are_405(auth: Callable[..., Auth], client: Callable[..., Any], method: str) -> None:
    """A known path answers 405 with `Allow` to every other method."""
    made = auth()
    visitor = client(made)

    for path in paths(made):
        reply = visitor.send(method, path)
        assert (reply.status, reply.code) == (405, "method_not_allowed")
        assert reply.headers["allow"]


def test_every_answer_forbids_storing_and_sniffing(auth: Callable[..., Auth], client: Callable[..., Any]) -> None:
    """R9: whatever the status, no cache keeps it and no browser guesses its type; public keys alone may be kept."""
    made = auth()
    visitor = client(made)
    asked = [(method, path) for path in [*paths(made), "/x"] for method in ("GET", "POST", "OPTIONS")]

    replies = {(method, path): visitor.send(method, path) for method, path in asked}

    kept = replies.pop(("GET", "/.well-known/jwks.json"))
    assert kept.headers["cache-control"] == "public, max-age=30"
    assert {reply.headers["cache-control"] for reply in replies.values()} == {"no-store"}
    assert {reply.headers["x-content-type-options"] for reply in replies.values()} == {"nosniff"}
    with_body = [reply for reply in replies.values() if reply.result.body]
    assert {reply.headers["content-type"] for reply in with_body} == {"application/json"}


def test_get_and_head_change_nothing(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """R4: no route that a link can reach writes a row."""
    from authcore.tables import metadata

    made = auth()
    visitor = client(made)
    token = visitor.sign_up().json["access_token"]
    world = inside(made)
    tables = [metadata.tables[name] for name in sorted(metadata.tables)]
    before = [world.rows(each) for each in tables]

    for path in paths(made):
        for method in ("GET", "HEAD", "OPTIONS"):
            visitor.send(method, path, bearer=token)

    assert [world.rows(each) for each in tables] == before
    assert sum(len(rows) for rows in before) > 5


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("POST", "/things", True),
        ("DELETE", "/things/1", True),
        ("GET", "/things", False),
        ("HEAD", "/things", False),
        ("OPTIONS", "/things", False),
        ("PUT", "/things", False),
        ("POST", "/nowhere", False),
    ],
)
def test_a_body_is_read_where_a_route_takes_one(method: str, path: str, takes: bool) -> None:
    """Safe methods, methods that are not there and unknown paths read no body."""
    assert ROUTER.takes_body(method, path) is takes
