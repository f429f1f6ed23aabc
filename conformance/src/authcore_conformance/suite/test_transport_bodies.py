"""What every route shares: bodies are decoded by the core, and no malformed one is ever an error of the server."""

from __future__ import annotations

import json

import pytest

from authcore_conformance.client import Client, Reply
from authcore_conformance.world import EMAIL, PASSWORD, World

JSON = "application/json"
CAP = 64 * 1024  # bytes


def deep(levels: int) -> bytes:
    """Answer arrays inside arrays."""
    return b"[" * levels + b"]" * levels


def padded(size: int) -> bytes:
    """Answer an object of exactly `size` bytes with one unknown field."""
    frame = b'{"x":""}'
    return frame[:-2] + b"a" * (size - len(frame)) + frame[-2:]


HOSTILE: dict[str, tuple[bytes, str, int, str]] = {
    "empty": (b"", JSON, 400, "invalid_json"),
    "blank": (b" \n ", JSON, 400, "invalid_json"),
    "broken off": (b'{"email": "a', JSON, 400, "invalid_json"),
    "two values": (b"{} {}", JSON, 400, "invalid_json"),
    "a comment": (b"{} // x", JSON, 400, "invalid_json"),
    "single quotes": (b"{'email': 'a'}", JSON, 400, "invalid_json"),
    "a key twice": (b'{"email": "a", "email": "b"}', JSON, 400, "invalid_json"),
    "a key twice inside": (b'{"x": {"a": 1, "\\u0061": 2}}', JSON, 400, "invalid_json"),
    "NUL": (b'{"email": "a\\u0000b"}', JSON, 400, "invalid_json"),
    "a bare NUL": (b'{"email": "a\x00b"}', JSON, 400, "invalid_json"),
    "a NUL key": (b'{"a\\u0000": 1}', JSON, 400, "invalid_json"),
    "a lone surrogate": (b'{"email": "\\ud800"}', JSON, 400, "invalid_json"),
    "a lone surrogate inside": (b'{"x": [{"\\udfff": 1}]}', JSON, 400, "invalid_json"),
    "no UTF-8": (b'{"email": "\xff"}', JSON, 400, "invalid_json"),
    "an overlong form": (b'{"email": "\xc0\xaf"}', JSON, 400, "invalid_json"),
    "UTF-16": ('{"email": "a"}'.encode("utf-16"), JSON, 400, "invalid_json"),
    "a byte order mark": (b'\xef\xbb\xbf{"email": "a"}', JSON, 400, "invalid_json"),
    "NaN": (b'{"x": NaN}', JSON, 400, "invalid_json"),
    "infinity": (b'{"x": -Infinity}', JSON, 400, "invalid_json"),
    "a number too large": (b'{"x": 1e999}', JSON, 400, "invalid_json"),
    "a number too long": (b'{"x": ' + b"9" * 5000 + b"}", JSON, 400, "invalid_json"),
    "33 levels": (deep(33), JSON, 400, "invalid_json"),
    "30,000 levels": (deep(30_000), JSON, 400, "invalid_json"),
    "30,000 levels unclosed": (b'{"x":' + b"[" * 30_000, JSON, 400, "invalid_json"),
    "null": (b"null", JSON, 422, "invalid_fields"),
    "an array": (b"[]", JSON, 422, "invalid_fields"),
    "a text": (b'"email"', JSON, 422, "invalid_fields"),
    "a number": (b"17", JSON, 422, "invalid_fields"),
    "an unknown field": (b'{"nobody_knows_me": 1}', JSON, 422, "invalid_fields"),
    "as large as may be": (padded(CAP), JSON, 422, "invalid_fields"),
    "a byte too large": (padded(CAP + 1), JSON, 413, "body_too_large"),
    "far too large": (b"x" * (4 * CAP), JSON, 413, "body_too_large"),
    "plain text": (b"{}", "text/plain", 415, "unsupported_media_type"),
    "a form": (b"email=a&password=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    "an empty form": (b"", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    "parts": (b"--x\r\n\r\n{}\r\n--x--\r\n", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
    "parts without a boundary": (b"{}", "multipart/form-data", 415, "unsupported_media_type"),
    "another charset": (b"{}", "application/json; charset=utf-16", 415, "unsupported_media_type"),
    "nearly JSON": (b"{}", "application/jsonp", 415, "unsupported_media_type"),
    "two types": (b"{}", "application/json, text/plain", 415, "unsupported_media_type"),
    "a type of nothing": (b"{}", ";", 415, "unsupported_media_type"),
}


def unsafe(world: World) -> list[tuple[str, str]]:
    """Answer method and path of every route that has a body."""
    return [(r.method, r.path.replace("{id}", "abc")) for r in world.app.router.routes if r.unsafe]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_one_answer_on_every_route(world: World, name: str) -> None:
    """R1: each malformed body has one status and one code, the same bytes on every route, and none is a 500."""
    body, kind, status, code = HOSTILE[name]
    client = world.client()

    replies = {
        (method, path): client.request(method, path, body, headers=[("Content-Type", kind)])
        for method, path in unsafe(world)
    }

    assert len(replies) >= 9
    assert {(reply.status, reply.code) for reply in replies.values()} == {(status, code)}
    if code != "invalid_fields":
        assert len({str(reply.masked()) for reply in replies.values()}) == 1


def test_a_body_without_a_type_is_refused(world: World) -> None:
    """R1: a body says that it is JSON; without a type it is refused, and an empty one is an empty object."""
    client = world.client()
    nothing = [("Content-Type", "")]

    replies = [client.request(method, path, b'{"x":1}', headers=nothing) for method, path in unsafe(world)]
    empty = client.post("/sign-out")

    assert {(reply.status, reply.code) for reply in replies} == {(415, "unsupported_media_type")}
    assert empty.status == 200


@pytest.mark.parametrize(
    "kind",
    [
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "Application/JSON ; Charset=utf-8",
    ],
)
def test_utf8_may_be_named(world: World, kind: str) -> None:
    """RFC 8259 8.1: naming the one charset that JSON has is fine."""
    reply = world.client().post("/sign-in", b"{}", headers=[("Content-Type", kind)])

    assert reply.fields == {"email": "missing", "password": "missing"}


def test_a_body_on_a_get_is_not_read(world: World) -> None:
    """A GET's body means nothing, whatever it holds."""
    reply = world.client().request("GET", "/session", b"\xff{", headers=[("Content-Type", "text/plain")])

    assert reply.status == 200


def test_malformed_bodies_count_against_nobody(world: World) -> None:
    """Bodies are decoded before limits are counted: a broken client locks no one out."""
    world.member()
    client = world.client()
    for _ in range(12):
        assert client.post("/sign-in", b'{"email": "ada@example.com"').status == 400

    reply = client.sign_in(EMAIL, PASSWORD)

    assert reply.status == 200


@pytest.mark.parametrize(
    "field",
    ["role", "roles", "email_verified", "user_id", "id", "aal", "amr", "tenant", "tenant_id", "scopes", "anonymous"],
)
def test_nothing_is_mass_assigned(world: World, field: str) -> None:
    """R2: a field that a body does not have is refused by name, on every route, and changes nothing."""
    member, started = world.member(), world.client().sign_up("eve@example.com", PASSWORD)
    before = world.counts()
    bodies = {
        "/sign-up": {"email": "x@example.com", "password": PASSWORD},
        "/sign-up/verify": {"challenge_id": started.json["challenge"]["id"], "code": world.code("eve@example.com")},
        "/sign-in": {"email": EMAIL, "password": PASSWORD},
        "/reauthenticate": {"password": PASSWORD},
    }

    replies = [member.request(m, path, {**bodies.get(path, {}), field: "owner"}) for m, path in unsafe(world)]

    for reply in replies:
        assert reply.status == 422
        assert reply.fields[field] == "unknown"
    assert world.counts() == before


def test_fifty_wrong_fields_are_named_at_most(world: World) -> None:
    """R2: an answer stays small however many unknown fields were sent."""
    body = {f"f{number}": 0 for number in range(5000)}

    reply = post(world.client(), "/sign-in", body)

    assert reply.status == 422
    assert list(reply.fields) == ["email", "password", *(f"f{number}" for number in range(48))]
    assert len(reply.body) < 4096


def test_wrong_types_are_named_and_never_echoed(world: World) -> None:
    """R2: each value of a wrong type is named with its field; what was sent does not come back."""
    client = world.client()

    for value in (None, 17, 1.5, True, [], {}, ["secret-value"], {"secret-value": 1}):
        reply = post(client, "/sign-in", {"email": value, "password": value})
        assert reply.fields == {"email": "wrong_type", "password": "wrong_type"}
        assert b"secret-value" not in reply.body


def post(client: Client, path: str, body: object) -> Reply:
    """Send a JSON value as bytes."""
    return client.post(path, json.dumps(body).encode())
