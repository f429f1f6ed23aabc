"""Adapters beside each other: whatever is sent, each answers what the core alone answers, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from authcore_conformance.client import HOST
from authcore_conformance.core_driver import CoreDriver
from authcore_conformance.driver import Driver, HttpRequest, HttpResponse
from authcore_conformance.scenarios import SCENARIOS
from authcore_conformance.scratch import Databases
from authcore_conformance.suite.test_transport_bodies import HOSTILE
from authcore_conformance.transcript import transcript
from authcore_conformance.world import World

ADAPTERS = {
    "flask": "authcore_flask.conformance:FlaskDriver",
    "fastapi": "authcore_fastapi.conformance:FastAPIDriver",
    "django-wsgi": "authcore_django.conformance:DjangoWsgiDriver",
    "django-asgi": "authcore_django.conformance:DjangoAsgiDriver",
    "litestar": "authcore_litestar.conformance:LitestarDriver",
    "bottle": "bottle_adapter:BottleDriver",
    "starlette": "starlette_adapter:StarletteDriver",
}
Asked = tuple[str, str, str]  # which body, method, path
Answers = dict[Asked, HttpResponse]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Keep one scratch database."""
    databases = Databases(tmp_path_factory.mktemp("parity"))
    yield databases
    databases.drop()


@pytest.fixture(scope="module")
def core(databases: Databases) -> Answers:
    """Answer what the core says of every hostile body."""
    return answers(CoreDriver(), databases)


@pytest.fixture
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Make the driver of an adapter."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "strangers")
    module, _, name = ADAPTERS[request.param].partition(":")
    driver: Driver = getattr(import_module(module), name)()
    return driver


every_adapter = pytest.mark.parametrize("driver", ADAPTERS, indirect=True)


def inside(driver: Driver, databases: Databases, act: Callable[[World], None]) -> World:
    """Act in an empty world, and answer it, ended."""
    world = World(driver, databases.get("sqlite"))
    try:
        act(world)
    finally:
        world.end()
    return world


def answers(driver: Driver, databases: Databases) -> Answers:
    """Send every hostile body to every route, and answer what came back."""
    found: Answers = {}

    def act(world: World) -> None:
        world.seed("hostile bodies")
        for route in world.app.router.routes:
            path = world.app.prefix + route.path.replace("{id}", "abc")
            for name, (body, kind, _, _) in HOSTILE.items():
                headers = (("Host", HOST), ("Content-Type", kind))
                answer = world.send(HttpRequest(route.method, path, headers, body))
                found[name, route.method, path] = told(answer)

    inside(driver, databases, act)
    return found


def told(answer: HttpResponse) -> HttpResponse:
    """Answer a response with its headers in one order and one case; HTTP gives neither a meaning."""
    headers = sorted((name.lower(), value) for name, value in answer.headers)
    return HttpResponse(answer.status, tuple(headers), answer.body)


@every_adapter
def test_a_hostile_body_gets_the_cores_answer(driver: Driver, databases: Databases, core: Answers) -> None:
    """R1: on every route each malformed body gets one status, code, header and byte, whatever the framework."""
    found = answers(driver, databases)

    assert {asked: answer for asked, answer in found.items() if answer != core[asked]} == {}
    assert found.keys() == core.keys()


def test_no_hostile_body_is_an_error_of_the_server(core: Answers) -> None:
    """R1: on every route of the table a malformed body is refused, and a body that is not read changes nothing."""
    bodies, routes = {name for name, _, _ in core}, {(method, path) for _, method, path in core}

    assert {asked for asked, answer in core.items() if answer.status >= 500} == set()
    assert {answer.status for (_, method, _), answer in core.items() if method != "GET"} == {400, 413, 415, 422}
    assert len(bodies) >= 12
    assert len(core) == len(bodies) * len(routes)


@every_adapter
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_transcript_is_the_cores(driver: Driver, databases: Databases, name: str) -> None:
    """With clock and randomness fixed, a whole scenario is the same bytes in every framework."""

    def act(world: World) -> None:
        world.seed(name)
        SCENARIOS[name](world)

    expected = inside(CoreDriver(), databases, act).exchanges

    assert transcript(inside(driver, databases, act).exchanges) == transcript(expected)
