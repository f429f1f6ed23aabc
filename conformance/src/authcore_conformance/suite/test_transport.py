"""What every route shares: methods, paths, prefixes, headers and the shape of failures."""

from __future__ import annotations

import pytest

from authcore import Password, Sessions
from authcore_conformance.client import Reply
from authcore_conformance.world import EMAIL, PASSWORD, World

NOT_FOUND = b'{"error":{"code":"not_found","message":"There is nothing here."}}'


def assert_not_found(reply: Reply) -> None:
    """Check the core's own 404, and no framework's."""
    assert (reply.status, reply.body) == (404, NOT_FOUND)


def paths(world: World) -> dict[str, set[str]]:
    """Answer the methods of every path, with a value for each parameter."""
    found: dict[str, set[str]] = {}
    for route in world.app.router.routes:
        found.setdefault(route.path.replace("{id}", "abc"), set()).add(route.method)
    return found


# --- methods ---


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_told_which_are_allowed(world: World, method: str) -> None:
    """RFC 9110 15.5.6: a method that a path has not is 405, and `Allow` lists those that it has."""
    client = world.client()

    replies = {path: client.request(method, path) for path, known in paths(world).items() if method not in known}

    assert replies
    for path, reply in replies.items():
        assert (reply.status, reply.code) == (405, "method_not_allowed"), path
        assert allowed(reply) == expected_methods(paths(world)[path]), path


@pytest.mark.needs("any_method")
def test_a_method_that_nobody_knows_is_one_of_them(world: World) -> None:
    """A method that HTTP does not know is answered alike, on paths that exist and on others."""
    client = world.client()

    known, unknown = client.request("BREW", "/sign-in"), client.request("BREW", "/coffee")

    assert (known.status, known.header("allow")) == (405, "OPTIONS, POST")
    assert_not_found(unknown)


def test_methods_are_case_sensitive(world: World) -> None:
    """RFC 9110 9.1: no override header turns one method into another."""
    client = world.client(headers=[("X-HTTP-Method-Override", "POST")])

    reply = client.get("/sign-in")

    assert reply.status == 405


def expected_methods(methods: set[str]) -> set[str]:
    """Answer what `Allow` holds beside a path's own methods."""
    return {*methods, "OPTIONS", *({"HEAD"} if "GET" in methods else ())}


def allowed(reply: Reply) -> set[str]:
    """Answer the methods of `Allow`."""
    return set((reply.header("allow") or "").split(", "))


def test_options_lists_the_methods(world: World) -> None:
    """OPTIONS on each known path is 204 with `Allow` and without a body, and CORS headers are not authcore's."""
    client = world.client(headers=[("Origin", "https://other.example"), ("Access-Control-Request-Method", "POST")])

    replies = {path: client.request("OPTIONS", path) for path in paths(world)}

    for path, reply in replies.items():
        assert (reply.status, reply.body) == (204, b""), path
        assert allowed(reply) == expected_methods(paths(world)[path])
        assert not [name for name, _ in reply.headers if name.lower().startswith("access-control-")]
    assert_not_found(client.request("OPTIONS", "/nothing"))


def test_head_is_get_without_the_body(world: World) -> None:
    """RFC 9110 9.3.2: HEAD answers what GET answers, without the body; refusals too."""
    member, nobody = world.member(), world.client()

    for path, methods in paths(world).items():
        for client in (member, nobody):
            head, get = client.request("HEAD", path), client.request("GET", path)
            assert head.status == get.status, path
            assert head.body == b""
            assert head.header("allow") == get.header("allow")
            assert "GET" in methods or head.status in (404, 405)


def test_looking_changes_nothing(world: World, transport: str) -> None:
    """R4: no GET and no HEAD changes a row, on any path, with whatever in the query."""
    member = world.member(transport)  # type: ignore[arg-type]
    before = everything(world)

    for path in paths(world):
        for method in ("GET", "HEAD"):
            member.request(method, f"{path}?token=x&code={world.code()}&challenge_id=y")

    assert everything(world) == before


def everything(world: World) -> dict[str, list[str]]:
    """Answer every row of every table."""
    return {table: sorted(map(str, world.rows(table))) for table in world.counts()}


# --- paths ---


NO_ROUTES = (
    *("", "/", "/nothing", "/me/", "//me", "/me//", "/ME", "/me;x=1", "/me%20", "/sessions//abc", "/sign-in/"),
    *("/me%2F", "/%2Fme", "/me%00", "/me%0A", "/me%FF", "/m%C3%A9", "/sessions/a%2Fb", "/sessions/%0Aabc"),
    *("/sessions/a%20b", "/sessions/" + "a" * 201, "/sessions/", "/.well-known/nothing"),
)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_no_route_is_not_found(world: World, method: str) -> None:
    """No slash is forgiven and no framework answers in the core's place: the same 404 for whatever is no route."""
    member = world.member()

    replies = {path: member.request(method, path) for path in NO_ROUTES}

    assert {path: (reply.status, reply.body) for path, reply in replies.items()} == dict.fromkeys(
        NO_ROUTES, (404, NOT_FOUND)
    )


def test_escapes_of_plain_letters_are_the_letters(world: World) -> None:
    """RFC 3986 6.2.2.2: an escaped letter is the letter; a query is none of the path."""
    member = world.member()

    replies = [member.get("/%6De"), member.get("/me?access_token=x&a=%2F"), member.get("/me?")]

    assert [reply.status for reply in replies] == [200, 200, 200]


def test_the_prefix_ends_at_a_slash(world: World) -> None:
    """What only begins like the prefix belongs to the application."""
    client = world.client()

    replies = [client.visit("GET", target) for target in ("/authx", "/authx/me", "/au", "/")]

    for reply in replies:
        assert reply.status == 404
        assert reply.body != NOT_FOUND


@pytest.mark.parametrize("prefix", ["/api/v1/auth", "/a-b_c~d.e"])
def test_any_prefix_serves(world: World, prefix: str) -> None:
    """The prefix is the application's choice: routes move there, cookies stay valid everywhere."""
    world.start(prefix=prefix)

    member = world.member("cookie")

    assert member.who() == EMAIL
    assert member.visit("GET", "/auth/me").body != NOT_FOUND
    assert_not_found(member.get("/nothing"))
    assert f"{prefix}/sign-in" in member.get("/openapi.json").json["paths"]


# --- headers ---


def test_every_answer_is_private_and_typed(world: World) -> None:
    """R9: whatever the status, answers are `no-store` and `nosniff`, and a body is JSON in the one failure shape."""
    world.start(features=[Password(require_code=False), Sessions()])
    client = world.client("cookie")
    client.sign_up(EMAIL, PASSWORD)
    client.sign_up(EMAIL, PASSWORD)
    client.get("/me")
    client.get("/nothing")
    client.get("/sign-in")
    client.request("OPTIONS", "/me")
    client.request("HEAD", "/me")
    client.post("/sign-in", b"{")
    client.post("/sign-in", b"x" * 70000)
    client.post("/sign-in", b"{}", headers=[("Content-Type", "text/plain")])
    client.post("/sign-in", {})
    client.post("/sign-in", {}, origin="https://evil.example")
    client.post("/sign-in", {"email": EMAIL, "password": "wrong"})
    for _ in range(31):
        client.post("/sign-up/resend", {"challenge_id": "x"})

    replies = [Reply(answer.status, answer.headers, answer.body) for _, answer in world.exchanges]

    assert {200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429} == {reply.status for reply in replies}
    for reply in replies:
        assert reply.header("cache-control") == "no-store"
        assert reply.header("x-content-type-options") == "nosniff"
        if reply.body:
            assert reply.header("content-type") == "application/json"
            assert reply.header("content-length") in (None, str(len(reply.body)))
        if reply.status >= 400 and reply.body:
            assert reply.code


@pytest.mark.needs("repeated_headers")
@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("Content-Type", "application/json", 415, "unsupported_media_type"),
        ("Origin", "https://app.example", 403, "origin_not_allowed"),
    ],
)
def test_a_repeated_header_is_refused(world: World, name: str, value: str, status: int, code: str) -> None:
    """R1: what some servers join by a comma is refused alike everywhere, sent apart or joined."""
    world.member()
    client = world.client()
    body = {"email": EMAIL, "password": PASSWORD}
    rest = [] if name == "Content-Type" else [("Content-Type", "application/json")]

    apart = client.post("/sign-in", body, headers=[*rest, (name, value), (name, value)])
    joined = client.post("/sign-in", body, headers=[*rest, (name, f"{value}, {value}")])

    assert (apart.status, apart.code) == (status, code)
    assert apart.masked() == joined.masked()


def test_header_names_have_no_case(world: World) -> None:
    """RFC 9110 5.1: header names are read whatever their case, with blanks around values dropped."""
    member = world.member()
    headers = [("aUTHORIZATION", f"bEARER {member.access_token} ")]

    reply = world.client().get("/me", headers=headers)

    assert reply.status == 200


# --- hosts ---


def test_outside_development_any_host_is_answered(world: World) -> None:
    """The host is the server's business, except in development."""
    reply = world.client(host="elsewhere.example").get("/health")

    assert reply.status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("app.localhost:1", 200)),
        *(("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:8000", 403)),
        ("dev.example", 200),
    ],
)
def test_in_development_only_loopback_is_answered(world: World, host: str, status: int) -> None:
    """`dev_mode` answers loopback hosts and those in `dev_hosts`: another name is a rebinding of DNS."""
    world.start(dev_mode=True, base_url=None, dev_hosts=["dev.example"])

    reply = world.client(host=host).get("/health")

    assert reply.status == status
    assert status == 200 or reply.code == "host_not_allowed"
