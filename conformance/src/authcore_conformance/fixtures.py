"""The suite's fixtures: `world`, and `transport` where a behaviour holds for cookies and for bearer tokens alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from authcore_conformance import plugin
from authcore_conformance.driver import Driver
from authcore_conformance.scratch import Databases
from authcore_conformance.world import World

__all__ = ["authcore_databases", "authcore_scene", "pytest_generate_tests", "transport", "world"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for the world against every driver on every database."""
    if "authcore_scene" not in metafunc.fixturenames:
        return
    scenes = [
        pytest.param((driver, database), id=f"{driver.name}-{database}", marks=_gaps(metafunc, driver))
        for driver in plugin.drivers(metafunc.config).values()
        for database in plugin.databases(metafunc.config)
        if driver.mode != "asyncio" or database != "sqlite"  # SQLite has no driver for asyncio
    ]
    if not scenes:
        raise pytest.UsageError("Drivers of mode asyncio need --authcore-database postgresql.")
    metafunc.parametrize("authcore_scene", scenes, indirect=True)


def _gaps(metafunc: pytest.Metafunc, driver: Driver) -> list[pytest.MarkDecorator]:
    needs = [capability for mark in metafunc.definition.iter_markers("needs") for capability in mark.args]
    return [
        pytest.mark.xfail(reason=f"{capability}: {driver.gaps[capability]}", strict=True)
        for capability in needs
        if capability in driver.gaps
    ]


@pytest.fixture(scope="session")
def authcore_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Keep one scratch database of each kind for this worker, and drop them at the end."""
    databases = Databases(tmp_path_factory.mktemp("authcore"))
    yield databases
    databases.drop()


@pytest.fixture
def authcore_scene(request: pytest.FixtureRequest) -> tuple[Driver, str]:
    """Answer the driver and the kind of database of this test."""
    scene: tuple[Driver, str] = request.param
    return scene


@pytest.fixture
def world(
    authcore_scene: tuple[Driver, str], authcore_databases: Databases, request: pytest.FixtureRequest
) -> Iterator[World]:
    """Give an empty world, and check at its end that nothing blocked an event loop."""
    driver, kind = authcore_scene
    # A test that is about the ledger of sessions itself runs on it, wherever credentials live in the others.
    ledger = request.node.get_closest_marker("ledger") is not None
    strategy = "sql" if ledger else request.config.getoption("--authcore-strategy")
    world = World(driver, authcore_databases.get(kind), strategy)
    try:
        yield world
    finally:
        world.end()
    assert world.blocked == [], "the driver ran the core on its event loop, which stood still meanwhile"


@pytest.fixture(params=["cookie", "bearer"])
def transport(request: pytest.FixtureRequest) -> Literal["cookie", "bearer"]:
    """Answer how the test's clients carry their credentials."""
    chosen: Literal["cookie", "bearer"] = request.param
    return chosen
