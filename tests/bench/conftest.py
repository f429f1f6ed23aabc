"""What the benchmarks need of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from authcore_conformance.scratch import Databases


@pytest.fixture
def postgresql(tmp_path: Path) -> None:
    """Skip where there is no server (fail in CI)."""
    databases = Databases(tmp_path)
    databases.get("postgresql")
    databases.drop()
