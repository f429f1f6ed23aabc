"""A room has one name everywhere: its folder, its tests, its part of the suite, its page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import authcore.features
from authcore.feature import Feature
from authcore.tables import metadata

REPOSITORY = Path(__file__).parents[3]
ROOMS = sorted(module.name for module in iter_modules(authcore.features.__path__))


def feature(room: str) -> type[Feature]:
    """Answer the Feature that a room's folder declares."""
    found = [
        value
        for value in vars(import_module(f"authcore.features.{room}")).values()
        if isinstance(value, type) and issubclass(value, Feature) and value is not Feature
    ]
    assert len(found) == 1, f"a room's folder opens with its one Feature: {found}"
    return found[0]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "place",
    [
        "packages/core/tests/features/test_{}.py",
        "conformance/src/authcore_conformance/suite/test_{}.py",
        "docs/features/{}.md",
    ],
)
def test_a_room_is_found_by_its_name(room: str, place: str) -> None:
    """The stem of a room is the same in the core's tests, in the suite and in the documentation."""
    assert (REPOSITORY / place.format(room)).is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_called_as_its_folder(room: str) -> None:
    """The name by which an application knows the room is the folder's, and its tables bear the prefix of all tables."""
    declared = feature(room)

    assert declared.name == room
    assert all(table.name.startswith("authcore_") and table.metadata is metadata for table in declared.tables)


@pytest.mark.parametrize("room", ROOMS)
def test_every_way_in_is_told_of(room: str) -> None:
    """Each route has a sentence and the room's tag, and each failure that it may raise has a code and a sentence."""
    routes = feature(room)().routes

    assert all(route.summary and route.tag == room for route in routes)
    assert all(error.code != "error" and error.message.endswith(".") for route in routes for error in route.raises)
