"""Tenants over all rooms: whatever is mailed at one opens nothing at another, not even for the same address there."""

from __future__ import annotations

import pytest

from authcore import Request, Tenant
from authcore_conformance.client import Client
from authcore_conformance.suite.test_tokens_matrix import PURPOSES, Owner, mailed, rooms
from authcore_conformance.world import World

pytestmark = pytest.mark.needs("tenants")
ABROAD = (("X-Tenant", "two"),)


def by_header(request: Request) -> Tenant:
    """Answer the tenant that a request names."""
    return Tenant(request.headers.get("x-tenant", "default"))


class Namesake(Owner):
    """Who has the same address at another tenant."""

    def stranger(self) -> Client:
        """Answer somebody there who is not signed in."""
        return self.world.client(headers=ABROAD)


@pytest.mark.parametrize("way", ["code", "link"])
def test_a_proof_of_one_tenant_is_nobodys_at_another(world: World, way: str) -> None:
    """Each code and each link is refused at another tenant, to whoever has the same address, and stays whole (T5)."""
    world.start(features=rooms(), limits=False, tenant=by_header)
    proofs = mailed(world, way)
    namesakes = {
        name: Namesake(world, world.member(email=owner.email, headers=ABROAD), owner.email)
        for name, (owner, _) in proofs.items()
    }

    abroad = {name: PURPOSES[name].answer(namesakes[name], proof).status for name, (_, proof) in proofs.items()}
    at_home = {name: PURPOSES[name].answer(owner, proof).status for name, (owner, proof) in proofs.items()}

    assert abroad == dict.fromkeys(proofs, 400)
    assert at_home == dict.fromkeys(proofs, 200)
