"""What every test of the suite is given."""

from authcore_conformance.fixtures import (
    authcore_databases,
    authcore_scene,
    pytest_generate_tests,
    transport,
    world,
)

__all__ = ["authcore_databases", "authcore_scene", "pytest_generate_tests", "transport", "world"]
