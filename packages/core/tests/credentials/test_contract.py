"""Every store holds the contract of `authcore_conformance.ports` (S53, S54, S62)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from stores import STORES

from authcore.credentials import CredentialStore
from authcore.testing.ports import FrozenClock
from authcore_conformance.ports import CredentialStoreContract


@pytest.mark.parametrize("name", STORES)
class TestStores(CredentialStoreContract):
    """Each store of the registry."""

    @pytest.fixture(autouse=True)
    def _kind(self, request: pytest.FixtureRequest, name: str) -> Iterator[None]:
        self.name, self.request = name, request
        self.drive: Any = STORES[name][1]
        with ExitStack() as self.made:
            yield

    def make_store(self, clock: FrozenClock) -> CredentialStore:
        """Make the store of this turn."""
        store: CredentialStore = self.made.enter_context(STORES[self.name][0](self.request, clock))
        return store


def test_the_registry_has_every_kind_of_store() -> None:
    """S52: memory, a file, a server's database, Redis and an own table, blocking and awaited, are all tested."""
    assert {"memory", "sqlite", "postgresql", "redis", "redis-cluster", "table"} <= set(STORES)
    assert {drive for _, drive in STORES.values()} == {"blocking", "asyncio"}
