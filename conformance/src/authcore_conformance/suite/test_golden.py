"""Byte parity: with clock and randomness fixed, each scenario's transcript is the golden one, in every framework."""

from __future__ import annotations

import pytest

from authcore_conformance.scenarios import SCENARIOS
from authcore_conformance.transcript import FOLDER, golden, transcript, write_golden
from authcore_conformance.world import World


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
