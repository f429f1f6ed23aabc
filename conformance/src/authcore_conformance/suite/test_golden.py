"""Byte parity: with clock and randomness fixed, each scenario's transcript is the golden one, in every framework."""

from __future__ import annotations

from contextlib import suppress

import pytest

from authcore import (
    Account,
    Anonymous,
    AuthError,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Password,
    PasswordReset,
    Sessions,
)
from authcore_conformance.scenarios import SCENARIOS
from authcore_conformance.transcript import FOLDER, golden, transcript, write_golden
from authcore_conformance.world import World

pytestmark = pytest.mark.ledger


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_transcript_is_the_golden_one(world: World, name: str, request: pytest.FixtureRequest) -> None:
    """Status, headers that matter and body bytes of each step are those of every other adapter."""
    world.seed(name)

    SCENARIOS[name](world)

    steps = transcript(world.exchanges)
    if request.config.getoption("--authcore-golden-write"):
        write_golden(name, steps)
    kept = golden(name)
    for number, (step, expected) in enumerate(zip(steps, kept, strict=False)):
        assert step["request"] == expected["request"], f"step {number} of {name} asks something else"
        assert step["answer"] == expected["answer"], f"step {number} of {name}: {step['request']['target']}"
    assert len(steps) == len(kept)


def test_no_transcript_is_left_over() -> None:
    """Each golden file is a scenario's."""
    files = {path.stem for path in FOLDER.glob("*.json")}

    assert files == set(SCENARIOS)


def test_every_route_stands_in_a_transcript(world: World) -> None:
    """Byte parity covers each route of each room: one that is added has its place in a story."""
    router = world.start(features=EVERYTHING).router
    asked = [step["request"] for name in SCENARIOS for step in golden(name)]
    prefix = world.app.prefix

    told = set()
    for request in asked:
        path = request["target"].partition("?")[0].removeprefix(prefix)
        with suppress(AuthError):
            found = router.find(request["method"], path)[0]
            told.add((found.method, found.path))

    assert {(route.method, route.path) for route in router.routes} - told == ALONE


EVERYTHING = [
    Password(),
    PasswordReset(),
    EmailVerification(),
    EmailChange(),
    EmailCode(remember=True),
    MagicLink(),
    Code(phone=True),
    Account(username=True, phone=True, several_emails=True, invitations="members"),
    Anonymous(),
    Sessions(),
]
ALONE = {("GET", "/.well-known/jwks.json"), ("GET", "/health"), ("GET", "/openapi.json")}
"""What has no story: the document changes with every room, and is compared as such."""
