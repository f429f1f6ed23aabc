"""The README's quickstarts are programs that work, in each framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from quickstarts import program


@pytest.mark.parametrize("framework", ["Flask", "FastAPI", "Litestar", "Django"])
def test_the_quickstart_works(framework: str, run: Callable[[str], str]) -> None:
    """The lines of the README give an application that signs up and guards."""
    run(program(framework))
