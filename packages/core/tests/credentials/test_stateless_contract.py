"""JWT and sealed credentials, with a denylist and without, and the denylists, hold the contracts (S53, S57, S58)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from authcore.backends.credentials.denylists import MemoryDenylist, SqlDenylist
from authcore.backends.credentials.sealed import SealedCredentialStore
from authcore.stores import CredentialStore, Denylist
from authcore.testing.ports import FrozenClock

pytest.importorskip("authcore_conformance", reason="the conformance package is not installed")
from authcore_conformance.ports import CredentialStoreContract, DenylistContract

SECRET = "correct horse battery staple, and 20 words more: 0123456789abcdef"


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "ES256", "EdDSA"])
class TestJwt(CredentialStoreContract):
    """JSON Web Tokens over a denylist."""

    @pytest.fixture(autouse=True)
    def _keys(self, algorithm: str) -> None:
        pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
        from authcore.services.jwt import JwtKey

        hs = algorithm.startswith("HS")
        self.key = JwtKey.secret(SECRET, algorithm) if hs else JwtKey.make(algorithm)

    def make_store(self, clock: FrozenClock) -> CredentialStore:
        """Make a store with a denylist of its own."""
        from authcore.backends.credentials.jwt import JwtCredentialStore

        return JwtCredentialStore(keys=self.key, denylist=self.denylist(clock), clock=clock)

    def denylist(self, clock: FrozenClock) -> Denylist | None:
        """Make the denylist."""
        return MemoryDenylist(clock=clock)


class TestJwtWithoutDenylist(TestJwt):
    """JSON Web Tokens alone."""

    denies: ClassVar[bool] = False

    def denylist(self, clock: FrozenClock) -> Denylist | None:
        """Make none."""
        return None


class TestSealed(CredentialStoreContract):
    """Sealed tokens over a denylist."""

    def make_store(self, clock: FrozenClock) -> CredentialStore:
        """Make a store with a denylist of its own."""
        return SealedCredentialStore(bytes(range(32)), denylist=MemoryDenylist(clock=clock), clock=clock)


class TestSealedWithoutDenylist(CredentialStoreContract):
    """Sealed tokens alone."""

    denies: ClassVar[bool] = False

    def make_store(self, clock: FrozenClock) -> CredentialStore:
        """Make a store that can end nothing."""
        return SealedCredentialStore(bytes(range(32)), clock=clock)


class TestMemoryDenylist(DenylistContract):
    """A denylist in memory."""

    def make_denylist(self, clock: FrozenClock) -> Denylist:
        """Make one."""
        return MemoryDenylist(clock=clock)


class TestSqlDenylist(DenylistContract):
    """A denylist in a SQLite file."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> Iterator[None]:
        self.made: list[SqlDenylist] = []
        self.url = f"sqlite:///{tmp_path / 'denied.db'}"
        yield
        for each in self.made:
            each.dispose()

    def make_denylist(self, clock: FrozenClock) -> Denylist:
        """Make one."""
        self.made.append(SqlDenylist(self.url, clock=clock))
        return self.made[-1]
