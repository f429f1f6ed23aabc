"""Tests for authors of a port: subclass one, make your implementation, and pytest runs every behaviour against it.

from authcore_conformance.ports import CredentialStoreContract

class TestMyStore(CredentialStoreContract):
    def make_store(self, clock):
        return MyStore(clock=clock)
"""

from authcore_conformance.ports.credentials import CredentialStoreContract
from authcore_conformance.ports.denylists import DenylistContract

__all__ = ["CredentialStoreContract", "DenylistContract"]
