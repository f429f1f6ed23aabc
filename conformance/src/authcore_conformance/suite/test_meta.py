"""The room `meta`: health and the OpenAPI document."""

from __future__ import annotations

import json

from authcore_conformance.world import World


def test_health_answers_ok(world: World) -> None:
    """Health says ok, to anybody."""
    client = world.client()

    reply = client.get("/health")

    assert (reply.status, reply.body) == (200, b'{"status":"ok"}')


def test_the_document_describes_every_route(world: World) -> None:
    """The OpenAPI document holds each route below the mount prefix, and no other."""
    routes = {(f"{world.app.prefix}{route.path}", route.method.lower()) for route in world.app.router.routes}

    document = world.client().get("/openapi.json").json

    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert document["openapi"].startswith("3.1.")
    assert described == routes


def test_the_document_is_the_same_bytes_in_every_framework(world: World) -> None:
    """The document is what the declaration answers in Python, encoded by the core alone."""
    client = world.client()

    reply = client.get("/openapi.json")

    assert reply.json == json.loads(json.dumps(world.app.openapi))
    assert reply.body == client.get("/openapi.json").body
