"""What every test of the repository shares."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, the one event loop that authcore's ports speak."""
    return "asyncio"
